"""What narrows and widens a result: ratings, useful facets first, the cut-off lifted, words nothing has, ways on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, open_engine, write_release

from search.engine import Engine
from search.errors import QueryError
from search.facet_counts import SEEN_VALUES, usefulness
from search.product import Product
from search.related import related_categories, related_groups
from search.request import SearchRequest


def ids(engine: Engine, q: str, **asked: object) -> set[str]:
    return {hit.id for hit in engine.search(q, per_page=100, **asked).hits}


# -- ratings --


def test_a_least_rating_leaves_out_what_has_less_and_what_has_none(shop: Engine) -> None:
    assert ids(shop, "", rating_min=4.5) == {"0001", "0002", "0007", "0008"}
    assert ids(shop, "", rating_min=0) == {one.id for one in SHOP if one.rating is not None}


def test_a_rating_chosen_is_a_rating_said(shop: Engine) -> None:
    said = shop.search("mug rated 4.5 and up")
    assert [(one["field"], one["op"], one["value"]) for one in said.query["constraints"]] == [("rating", ">=", 4.5)]
    assert {hit.id for hit in said.hits} == ids(shop, "mug", rating_min=4.5)


def test_a_rating_facet_keeps_its_range_and_tells_what_each_least_rating_leaves(shop: Engine) -> None:
    facet = shop.search("", facets=("rating",), rating_min=4.5).facets["rating"]
    assert (facet["type"], facet["min"], facet["max"]) == ("range", 3.5, 4.9)
    assert facet["thresholds"] == [
        {"from": 4.5, "count": 4, "selected": True},
        {"from": 4.0, "count": 5, "selected": False},
        {"from": 3.0, "count": 6, "selected": False},
        {"from": 2.0, "count": 6, "selected": False},
    ]


def test_a_least_rating_that_nothing_reaches_stays_to_be_taken_off(shop: Engine) -> None:
    results = shop.search("", facets=("rating",), rating_min=4.95)
    assert results.total == 0
    assert results.facets["rating"]["thresholds"][0] == {"from": 4.95, "count": 0, "selected": True}
    assert results.rescue is not None
    assert results.rescue["without"] == [{"parameter": "rating", "value": None, "text": None, "total": len(SHOP)}]


def test_a_rating_that_is_no_number_is_refused() -> None:
    with pytest.raises(QueryError, match="rating_min must be a plain number"):
        SearchRequest(rating_min=float("nan"))


# -- which facets come first --


def use(counts: list[int], carried: float) -> float:
    """Return how useful a facet is whose values so many results have."""
    seen = sorted((count for count in counts if count > 1), reverse=True)[:SEEN_VALUES]
    seen += [0] * (SEEN_VALUES - len(seen))
    return float(usefulness(np.array([seen]), np.array([sum(counts)]), np.array([carried]))[0])


def test_a_facet_is_useful_by_how_many_have_it_how_few_values_and_how_even_they_are() -> None:
    assert use([5, 5], 1.0) == pytest.approx(1.0)
    assert use([5, 5], 0.4) == pytest.approx(0.4)
    # The entropy of 8 and 2 of 10 is .5004 nats, of which two values could have .6931.
    assert use([8, 2], 1.0) == pytest.approx(0.5004 / 0.6931, abs=1e-3)
    # Seven values of two are seen, seven more are not: half.
    assert use([2] * 14, 1.0) == pytest.approx(0.5)
    assert use([1] * 30, 1.0) == 0.0
    assert use([0, 0], 0.0) == 0.0


def test_one_value_is_useful_by_how_evenly_it_parts_those_that_have_it() -> None:
    assert use([5], 0.5) == pytest.approx(0.5)
    assert use([9], 1.0) == 0.0
    # Nine of ten, .3251 of the .6931 nats there could be; the tenth has a value of its own.
    assert use([9, 1], 1.0) == pytest.approx(0.9 * 0.3251 / 0.6931, abs=1e-3)


def test_facets_come_by_their_use_the_chosen_ones_first(tmp_path: Path) -> None:
    mugs = [
        Product(f"m{number}", "Mug", attributes={
            "Glaze": ("matt" if number < 10 else "gloss",),  # 10 of 12 are alike
            "Color": (("red", "blue", "green")[number % 3],),
            "Lid": ("yes" if number % 2 else "no",) if number < 6 else (),
        })
        for number in range(12)
    ]  # fmt: skip
    engine = open_engine(write_release(tmp_path / "mugs", mugs))
    assert list(engine.search("mug").facets) == ["color", "glaze", "lid"]
    assert next(iter(engine.search("mug", filters={"lid": ("yes",)}).facets)) == "lid"


# -- the cut-off lifted --


def test_without_the_cut_off_the_less_relevant_follow_and_their_number_was_told(shop: Engine) -> None:
    cut = shop.search("gown")
    assert {hit.id for hit in cut.hits} == {"0004", "0005"}
    everything = shop.search("gown", cutoff=False, per_page=100)
    assert everything.total == cut.total + cut.less_relevant == len(SHOP)
    assert [hit.id for hit in everything.hits][:2] == [hit.id for hit in cut.hits]
    assert everything.less_relevant == 0


def test_what_filters_leave_out_is_not_called_less_relevant(shop: Engine) -> None:
    assert shop.search("gown", filters={"brand": ("Velour",)}).less_relevant == 0
    assert shop.search("gown under $130 not blue").less_relevant == len(
        ids(shop, "", price_max=130) - ids(shop, "", filters={"color": ("blue",)}) - {"0004"}
    )


def test_nothing_is_less_relevant_than_all_products(shop: Engine) -> None:
    assert shop.search("").less_relevant == 0


def test_where_the_legs_draw_few_the_cut_off_brings_those_and_counts_still_hold(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "small", SHOP, {"pool": 3}))
    cut = engine.search("gown")
    wide = engine.search("gown", cutoff=False, facets=("color",), per_page=100)
    assert cut.total < wide.total < len(SHOP)
    assert wide.total_relation == "at_least"
    for entry in wide.facets["color"]["values"]:
        chosen = engine.search("gown", cutoff=False, filters={"color": (entry["value"],)})
        assert chosen.total == entry["count"]


# -- words nothing has --


def test_a_word_that_neither_the_catalog_nor_the_encoder_knows_is_told(shop: Engine) -> None:
    assert shop.search("cluttercore mug").query["unknown_words"] == ["cluttercore"]
    assert shop.search("tumbler mug").query["unknown_words"] == []  # the encoder knows what a tumbler is
    assert shop.search("Mugs").query["unknown_words"] == []  # a form of a word that products have


# -- ways on --


def test_related_categories_are_those_of_products_like_the_best(shop: Engine) -> None:
    close = related_categories(shop.release, shop.search("espresso cup").rows)
    assert close[0] == "Kitchen > Mugs"
    assert set(close) <= set(shop.release.categories.paths)
    assert related_categories(shop.release, np.zeros(0, np.int64)) == []


def test_where_most_products_lack_a_category_none_is_related(tmp_path: Path) -> None:
    bare = [Product(str(number), "Mug") for number in range(5)]
    engine = open_engine(write_release(tmp_path / "bare", [*bare, SHOP[0]]))
    assert related_categories(engine.release, engine.search("mug").rows) == []


def test_related_groups_begin_with_that_of_the_best_products(shop: Engine) -> None:
    rows = shop.search("espresso cup").rows[:1]
    assert [group.label for group in related_groups(shop.release, rows)] == ["First half", "Second half"]
