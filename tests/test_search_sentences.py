"""The sentence of a product that comes closest to a query: never a wrong one, none where the title says it all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import open_engine, write_release

from indexer.shown import write_shown
from search.analysis import Analyzer
from search.engine import Engine
from search.marking import Marker
from search.product import Product
from search.request import SearchRequest
from search.wording import shares_held

LAMP = Product(
    "lamp", "Lamp", "Sturdy and plain. It stands on any desk or table. Warm hands, hot coffee; the plant likes it.",
    ("Home", "Lamps"), "Norr", attributes={"Material": ("leather",)},
)  # fmt: skip
WALKER = Product("walker", "Walker", "Made by hand. Never wet.", ("Home", "Aids"), attributes={"Color": ("red",)})
LONG = Product("long", "Thing", " ".join(["word"] * 70) + ". A garden plant for the knife", ("Home", "Things"))
TWIN = Product("twin", "Plain Thing", "Plain thing, table. Other words.", ("Home", "Things"))
SHOP = (LAMP, WALKER, LONG, TWIN)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_engine(write_release(tmp_path_factory.mktemp("sentences") / "shop", SHOP))


def told(engine: Engine, q: str, product: Product, mode: str = "hybrid") -> str:
    """What is said of a product under a query, whether or not the query finds it."""
    scored = engine.scored(engine.understood(SearchRequest(q=q, mode=mode, interpret=False, correct=False)), mode)
    rows = np.array([engine.release.products.row_of(product.id)])
    analyzer = engine.release.lexical.analyzer
    held = shares_held(engine.release, scored, rows)
    marker, places = Marker(set(scored.terms), analyzer), engine.release.shown.places(rows, scored.terms)
    return " ".join(engine.sentences.closest(scored, rows, [product], held, places, marker)[0])


@pytest.mark.parametrize(
    ("q", "product", "sentence"),
    [
        ("table", LAMP, "It stands on any desk or table"),
        ("leather table", LAMP, "It stands on any desk or table"),  # "leather" is seen, "table" is not
        ("espresso", LAMP, "Warm hands, hot coffee; the plant likes it"),  # a sentence, not the segment of it
        ("lamp", LAMP, ""),  # the title holds it
        ("leather", LAMP, ""),  # so does an attribute
        ("light", LAMP, ""),  # in other words the title says it better than any sentence
        ("crimson", WALKER, ""),  # nothing in the description is near
        ("garden", LONG, "A garden plant for the knife"),  # after what the encoder reads: found by its words
        ("table", TWIN, ""),  # it would only say the title again
    ],
)
def test_the_closest_sentence_is_told_where_the_title_does_not_say_it(
    engine: Engine, q: str, product: Product, sentence: str
) -> None:
    assert told(engine, q, product) == sentence
    assert told(engine, q, product) == sentence  # remembered


def test_sentences_are_the_same_whether_or_not_the_scoring_read_their_segments(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_told() -> list[str]:
        anew = Engine(engine.release, engine.encoder)
        return [told(anew, q, product) for q in ("table", "espresso", "garden", "light") for product in SHOP]

    all_read = all_told()
    monkeypatch.setattr("search.scoring.INSPECTED", 1)
    assert all_told() == all_read


def test_without_meaning_the_sentence_with_most_of_the_words_is_told(engine: Engine) -> None:
    assert told(engine, "table desk", LAMP, mode="lexical") == "It stands on any desk or table"
    assert told(engine, "espresso", LAMP, mode="lexical") == ""


def test_a_hit_carries_its_sentence_marked_and_escaped(tmp_path: Path) -> None:
    product = Product("x", "Thing", "Nothing. Put <b>it</b> on a table & smile.")
    hit = open_engine(write_release(tmp_path / "shop", (product, LAMP))).search("tables things").hits[0]
    assert hit.id == "x"
    assert hit.highlights["sentence"] == "Put &lt;b&gt;it&lt;/b&gt; on a <mark>table</mark> &amp; smile"


def test_sentences_that_many_products_repeat_are_not_told(tmp_path: Path) -> None:
    layout = write_release(tmp_path / "shop", SHOP)
    manifest = json.loads(layout.manifest.read_text())
    manifest["passages"]["boilerplate"] = ["it stands on any desk or table."]
    layout.manifest.write_text(json.dumps(manifest))
    assert told(open_engine(layout), "table", LAMP, mode="lexical") == ""


def test_segments_that_do_not_fit_the_text_are_not_guessed_at(tmp_path: Path) -> None:
    layout = write_release(tmp_path / "shop", SHOP)
    np.save(layout.spans, np.full_like(np.load(layout.spans), -1))
    shutil.rmtree(layout.shown)
    write_shown(layout, SHOP, (), Analyzer(), np.full(len(SHOP), -1), None)
    engine = open_engine(layout)
    assert told(engine, "espresso", LAMP) == ""
    assert told(engine, "table", LAMP) == "It stands on any desk or table"  # by its words
