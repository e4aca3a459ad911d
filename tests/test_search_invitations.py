"""Searches to begin with come from the catalog by a rule, and lead to what they promise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import open_engine, write_release

from search.engine import Engine
from search.invitations import _round, examples_of, kinds_of
from search.product import Product
from search.request import SearchRequest

COLORS = ("red", "blue", "red", "green", "red", "white", "blue", "black")
# Two groups of conftest's release: the first and the second half.
KITCHEN = [
    Product(f"k{n}", f"Norr {('Steel', 'Clay')[n % 2]} {word}, {color}",
            "It keeps tea warm until the very last sip. Dishwasher safe.", ("Kitchen",), "Norr", 10.0 + 10 * n, "USD",
            rating=4.0, attributes={"Color": (color,)})
    for n, (color, word) in enumerate(zip(COLORS, ["Rice Cooker"] * 7 + ["Ladle"], strict=True))
]  # fmt: skip
CLOTHES = [
    Product(f"c{n}", f"{word} Jacket {color}", "A jacket.", ("Clothing",), "Velour", 50.0, "USD",
            attributes={"Color": (color,)})
    for n, (color, word) in enumerate(zip(COLORS, ("Fern", "Moss", "Pine", "Oak") * 2, strict=True))
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_engine(write_release(tmp_path_factory.mktemp("invite") / "shop", KITCHEN + CLOTHES))


def test_the_top_group_s_kind_is_what_most_titles_end_with_and_no_brand_or_color(engine: Engine) -> None:
    # All lie in one top group: eight jackets (ending, all), seven rice cookers of two words: 8 < 7 * 1.5.
    (kind,) = kinds_of(engine.release, 5)
    assert kind.phrase == "rice cooker"
    assert sorted(kind.rows.tolist()) == list(range(7))


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ("Velour", []),
        ("Velour Dress", ["dress"]),
        ("Red", []),
        ("6000 Pages", []),
        ("Toner Red", ["toner"]),
        ("Toner, 6000 pages", ["toner"]),
    ],
)
def test_a_brand_a_color_or_a_measure_is_no_kind(tmp_path: Path, ending: str, expected: list[str]) -> None:
    names = ("Fern", "Moss", "Pine", "Oak", "Elm", "Ash")
    products = [Product(name, f"{name} {ending}", "", (), "Velour", attributes={"Color": ("red",)}) for name in names]
    products += [Product(f"b{number}", "Blue", attributes={"Color": ("blue",)}) for number in range(2)]
    products += [Product(kind, f"Basil {kind}") for kind in expected]
    kinds = kinds_of(open_engine(write_release(tmp_path / "shop", products)).release, 5)
    assert [kind.phrase for kind in kinds] == expected


def test_examples_are_read_as_they_are_meant_and_leave_and_take_some(engine: Engine) -> None:
    kinds = kinds_of(engine.release, 5)
    need, priced = examples_of(engine.release, kinds)
    assert need == "something that keeps tea warm until the very last sip"
    assert priced == "rice cooker under $40"  # half of 10, 20, .. 70 cost at most 40
    found = engine.search(SearchRequest(q=priced, mode="lexical"))
    assert [one.value for one in engine.understood(found.request).constraints] == [40.0]
    assert {hit.product.price for hit in found.hits} == {10.0, 20.0, 30.0, 40.0}
    refused = examples_of(engine.release, [kinds[0], kinds[0]])[-1]
    assert refused == "rice cooker, not red"
    colors = {
        hit.product.attributes["Color"][0] for hit in engine.search(SearchRequest(q=refused, mode="lexical")).hits
    }
    assert "red" not in colors
    assert {"blue", "green", "white"} <= colors


def test_a_catalog_in_another_language_gets_no_english_sentences(engine: Engine) -> None:
    release = replace(engine.release, manifest={**engine.release.manifest, "language": "de"})
    assert examples_of(release, kinds_of(release, 5)) == []


@pytest.mark.parametrize(("price", "most"), [(37, 40), (118, 150), (9.3, 10), (0.2, 1), (199.99, 200), (4500, 4500)])
def test_a_sum_is_round(price: float, most: int) -> None:
    assert _round(price) == most


@pytest.mark.parametrize("titles", [["Thing"], ["123 456", "··· ///"], ["x" * 5000, "<b>" * 50], ["a, b"] * 9])
def test_any_catalog_has_invitations_or_none(tmp_path: Path, titles: list[str]) -> None:
    products = [Product(str(number), title) for number, title in enumerate(titles)]
    release = open_engine(write_release(tmp_path / "shop", products)).release
    kinds = kinds_of(release, 5)
    assert all(len(np.unique(kind.rows)) >= 3 for kind in kinds)
    assert all(isinstance(one, str) for one in examples_of(release, kinds))
