"""A release with changes on top answers as one that was built from the changed catalog does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SHOP, open_engine, write_release
from hypothesis import given, settings
from hypothesis import strategies as st

from search.engine import Engine
from search.errors import QueryError
from search.home import Home
from search.map import map_of
from search.product import Product
from search.state.batches import Change
from search.state.changes import ChangeLog

BARE = tuple(replace(one, price=None, availability="") for one in SHOP)  # a catalog that says neither
ASKED: list[dict[str, Any]] = [
    {}, {"q": "mug"}, {"q": "red cup under $15"}, {"q": "dress in stock"}, {"sort": "price:asc"},
    {"sort": "price:desc"},
    {"in_stock": True}, {"price_max": 50}, {"price_min": 15, "price_max": 80}, {"q": "mug", "fold": True},
    {"fold": True}, {"fold": True, "in_stock": True, "sort": "price:asc"}, {"facets": ("price", "brand")},
    {"q": "leather boot over $100"}, {"cluster": 1, "price_max": 30},
    {"filters": {"brand": ("Norr",)}, "price_max": 21},
]  # fmt: skip


def told(engine: Engine, asked: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from one to the next, and from one release to another."""
    fold = asked.get("fold", False)
    try:
        answer = engine.search(explain=True, **{**asked, "fold": fold}).as_json()
    except QueryError as error:  # a facet that no product has a value of
        return {"error": str(error)}
    return {name: value for name, value in answer.items() if name not in ("query_id", "release", "sequence", "took_ms",
                                                                         "timings_ms")}  # fmt: skip


def changed(products: tuple[Product, ...], changes: dict[str, Change]) -> tuple[Product, ...]:
    """The catalog that has the changes in it, worked out product by product."""
    found = []
    for one in products:
        change = changes.get(one.id, Change())
        price = one.price if change.price is None else change.price
        found.append(replace(one, price=price, availability=change.availability or one.availability))
    return tuple(found)


CHANGE = st.builds(
    Change,
    st.none() | st.sampled_from([5.0, 14.99, 20.0, 49.95, 120.0]),
    st.none() | st.sampled_from(["in_stock", "out_of_stock", "preorder"]),
)
BATCH = st.dictionaries(st.sampled_from([one.id for one in SHOP] + ["gone"]), CHANGE, max_size=6)


@given(st.sampled_from([SHOP, BARE]), st.lists(BATCH, min_size=1, max_size=3))
@settings(max_examples=12, deadline=None)
def test_any_changes_answer_as_the_changed_catalog_does(
    tmp_path_factory: pytest.TempPathFactory, catalog: tuple[Product, ...], batches: list[dict[str, Change]]
) -> None:
    folder = tmp_path_factory.mktemp("overlay")
    engine = open_engine(write_release(folder / "built", catalog))
    expected = catalog
    for number, batch in enumerate(batches, start=1):
        for asked in ASKED:  # what is remembered of the state before must not be told of the next
            told(engine, asked)
        engine = engine.with_changes(batch, number)
        expected = changed(expected, batch)
    fresh = open_engine(write_release(folder / "expected", expected))
    assert engine.release.state == {"release": "built", "sequence": len(batches)}
    for asked in ASKED:
        assert told(engine, asked) == told(fresh, asked), asked
    assert list(engine.release.products) == list(expected)
    assert [engine.product(one.id) for one in expected] == list(expected)
    assert engine.variants(expected[0]) == fresh.variants(expected[0])
    assert engine.similar("0003") == fresh.similar("0003")
    assert engine.recommend(["0001"]) == fresh.recommend(["0001"])
    assert engine.suggest("travel") == fresh.suggest("travel")
    drawn, wanted = map_of(engine.release), map_of(fresh.release)
    assert list(drawn.colors) == list(wanted.colors)
    for name, color in wanted.colors.items():
        assert drawn.colors[name].legend == color.legend
        np.testing.assert_array_equal(drawn.colors[name].codes, color.codes)


def test_the_release_below_stays_as_it_was(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "built", SHOP))
    before = [told(engine, asked) for asked in ASKED]
    new = engine.with_changes({one.id: Change(1.0, "out_of_stock") for one in SHOP}, 1)
    assert new.search(price_max=1.0).total == 8
    assert new.search(in_stock=True).total == 0
    assert [told(engine, asked) for asked in ASKED] == before
    assert (new.as_built, new.with_changes({}, 2).as_built, engine.as_built) == (engine, engine, engine)


def test_what_does_not_depend_on_prices_is_shared_and_not_scored_again(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "built", SHOP))
    engine.search("mug")
    engine.search("mug under $21")
    engine.search(fold=True)
    new = engine.with_changes({"0001": Change(30.0)}, 1)
    assert new.encoder is engine.encoder
    assert new.release.dense is engine.release.dense
    assert new.release.lexical is engine.release.lexical
    assert [text for (text, _, _), _ in new.queries._scored.items()] == ["mug"]
    assert "folding" in new.release.__dict__
    assert [hit.id for hit in new.search("mug under $21").hits] == [
        hit.id for hit in engine.search("mug under $21").hits if hit.id != "0001"
    ]  # fmt: skip


def test_an_engine_opened_on_a_home_knows_the_changes_and_one_of_a_folder_does_not(tmp_path: Path) -> None:
    home = Home(tmp_path)
    layout = write_release(home.releases / "one", SHOP)
    home.current.write_text("one\n")
    ChangeLog(home.changes).write({"0003": Change(1.5)})
    assert Engine.open(tmp_path).product("0003").price == 1.5
    assert Engine.open(layout.folder, home=Home(tmp_path / "other")).product("0003").price == 9.0
