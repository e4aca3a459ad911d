"""A catalog in another language than the encoder's is noticed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from indexer.training.language import main_language, warn_language
from search.encoder import open_encoder
from search.product import Product

GERMAN = [
    ("Wasserkocher aus Edelstahl", "Kocht einen Liter Wasser in drei Minuten und schaltet sich danach selbst ab."),
    ("Gartenschlauch, 20 Meter", "Der Schlauch bleibt auch bei Kälte biegsam und lässt sich leicht aufrollen."),
    ("Kinderfahrrad mit Stützrädern", "Für die ersten Fahrten im Hof, mit einer Klingel und einem Korb am Lenker."),
    ("Schreibtischlampe", "Das Licht ist warm und lässt sich in vier Stufen dimmen."),
    ("Wollpullover für Herren", "Gestrickt aus der Wolle bayerischer Schafe, hält im Winter angenehm warm."),
    ("Brotmesser", "Die gezahnte Klinge schneidet auch harte Krusten, ohne zu krümeln."),
    ("Bettwäsche aus Baumwolle", "Weich auf der Haut und bei sechzig Grad waschbar."),
    ("Rucksack für Wanderer", "Mit zwei Seitentaschen für Trinkflaschen und einer Hülle gegen Regen."),
]
ENGLISH = [
    ("Stainless steel kettle", "Boils a litre of water in three minutes and then switches itself off."),
    ("Garden hose, 20 metres", "The hose stays flexible in the cold and is easy to roll up."),
    ("Children's bicycle with stabilisers", "For the first rides in the yard, with a bell and a basket."),
    ("Desk lamp", "The light is warm and can be dimmed in four steps."),
]


def catalog(texts: list[tuple[str, str]]) -> list[Product]:
    return [Product(str(number), title, text) for number, (title, text) in enumerate(texts)]


@dataclass
class OtherEncoder:
    name: str
    folder: Path


def test_a_german_catalog_with_the_english_encoder_is_warned_about_and_the_cure_is_named() -> None:
    warning = warn_language(main_language(catalog(GERMAN)), open_encoder())
    assert warning is not None
    assert '"de"' in warning and "--model" in warning and "multilingual" in warning


def test_german_titles_alone_are_enough() -> None:
    assert main_language(catalog([(title, "") for title, _ in GERMAN]))[0] == "de"


def test_an_english_catalog_is_not_warned_about() -> None:
    assert warn_language(main_language(catalog(ENGLISH)), open_encoder()) is None


def test_an_english_catalog_with_a_few_german_products_is_not_warned_about() -> None:
    assert warn_language(main_language(catalog(ENGLISH * 6 + GERMAN[:4])), open_encoder()) is None


def test_an_encoder_of_the_shops_own_choice_is_not_warned_about(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"another model")
    assert warn_language(main_language(catalog(GERMAN)), OtherEncoder("multilingual", tmp_path)) is None


@pytest.mark.parametrize("products", [[], [Product("1", "4711 / 0815")]])
def test_a_catalog_without_words_is_not_warned_about(products: list[Product]) -> None:
    assert warn_language(main_language(products), open_encoder()) is None
