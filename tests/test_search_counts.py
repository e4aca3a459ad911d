"""Totals, facets, clusters, sorts and pages agree: whatever the catalog, the query, the filters and the words in it.

Folded, they agree on products: told by hand from the same answers without folding.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from conftest import open_engine, write_release
from hypothesis import given, settings
from hypothesis import strategies as st

from search.engine import Engine
from search.product import Product
from search.request import SearchRequest
from search.variants import Variants

WORDS = ("mug", "cup", "coffee", "hot", "dress", "gown", "red", "lamp", "desk", "boot", "leather", "zorble")
COLORS = ("red", "blue", "green", "navy")
TITLES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
PRODUCTS = st.lists(
    st.builds(
        dict,
        title=TITLES,
        description=st.lists(TITLES, max_size=3).map(". ".join),
        brand=st.sampled_from(["", "Norr", "Velour"]),
        price=st.sampled_from([None, 5.0, 20.0, 20.0, 80.0]),
        rating=st.sampled_from([None, 3.0, 4.5]),
        availability=st.sampled_from(["", "in_stock", "out_of_stock"]),
        group_id=st.sampled_from(["", "g1", "g2"]),
        attributes=st.sampled_from([{}, *({"color": (color,)} for color in COLORS)]),
    ),
    min_size=1,
    max_size=14,
)
DEMANDS = (
    "", "under 20", "over $5", "4 stars", "not red", "without leather", "-blue", "blue", "p2", "in stock",
)  # fmt: skip
ASKED = st.builds(
    " ".join,
    st.tuples(
        TITLES,
        st.sampled_from(
            ["", "under 20", "over $5", "4 stars", "not red", "without leather", "-blue", "blue", "p2", "in stock"]
        ),
    ),
)
FILTERS = st.builds(
    dict,
    color=st.lists(st.sampled_from(COLORS), max_size=2, unique=True),
    brand=st.lists(st.sampled_from(["Norr", "Velour"]), max_size=1),
)
SORTS = ("relevance", "price:asc", "price:desc", "rating:desc", "newest")


def reached(engine: Engine, q: str, **asked: Any) -> list[str]:
    """Return the ids of every page, in order."""
    pages = engine.search(q, per_page=3, facets=(), **asked).pages
    return [
        hit.id
        for page in range(1, pages + 1)
        for hit in engine.search(q, per_page=3, page=page, facets=(), **asked).hits
    ]


SEARCHES: dict[str, st.SearchStrategy[Any]] = {
    "products": PRODUCTS,
    "q": st.one_of(st.just(""), TITLES, ASKED),
    "mode": st.sampled_from(["hybrid", "hybrid", "dense", "lexical"]),
    "filters": FILTERS,
    "low": st.sampled_from([None, None, 10.0]),
    "stars": st.sampled_from([None, None, 3.0, 4.0]),
    "cutoff": st.booleans(),
    "stock": st.booleans(),
    "sort": st.sampled_from(SORTS),
}


def known_filters(engine: Engine, filters: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the filters without fields and values that the catalog does not have."""
    known = engine.release.facets.values
    return {
        name: [value for value in values if value in known[name].values]
        for name, values in filters.items()
        if name in known
    }


@settings(max_examples=60, deadline=None)
@given(**SEARCHES)
def test_every_count_is_what_one_can_reach(
    products: list[dict[str, Any]],
    q: str,
    mode: str,
    filters: dict[str, list[str]],
    low: float | None,
    stars: float | None,
    cutoff: bool,
    stock: bool,
    sort: str,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = [Product(f"p{number}", **fields) for number, fields in enumerate(products)]
        engine = open_engine(write_release(Path(folder) / "release", shop))
        filters = known_filters(engine, filters)
        asked: dict[str, Any] = {
            "mode": mode, "price_min": low, "rating_min": stars, "cutoff": cutoff, "in_stock": stock,
        }  # fmt: skip
        counted = [name for name in ("brand", "color") if name in engine.release.facets.values]
        counted += ["rating"] if "rating" in engine.release.facets.numbers else []
        results = engine.search(q, filters=filters, facets=counted, sort=sort, **asked)

        ids = reached(engine, q, filters=filters, sort=sort, **asked)
        assert len(ids) == len(set(ids)) == results.total
        assert set(ids) == set(reached(engine, q, filters=filters, **asked)), "a sort changes the set"
        assert all(hit.rank == place for place, hit in enumerate(results.hits, 1))
        assert sum(cluster["count"] for cluster in results.clusters) == results.total
        for cluster in results.clusters:
            chosen = engine.search(q, filters=filters, cluster=cluster["id"], facets=(), **asked)
            assert chosen.total == cluster["count"]
        wide = engine.search(q, filters=filters, facets=(), **{**asked, "cutoff": False})
        assert results.less_relevant == (wide.total - results.total if q else 0)
        assert set(ids) <= set(reached(engine, q, filters=filters, **{**asked, "cutoff": False}))
        for step in results.facets.get("rating", {}).get("thresholds", ()):
            chosen = engine.search(q, filters=filters, facets=(), **{**asked, "rating_min": step["from"]})
            assert chosen.total == step["count"], step
            assert step["selected"] == (step["from"] == stars)
        for name, facet in results.facets.items():
            for value in facet.get("values", ()):
                chosen = engine.search(q, filters={**filters, name: [value["value"]]}, facets=(), **asked)
                assert chosen.total == value["count"], (name, value)


@settings(max_examples=60, deadline=None)
@given(**SEARCHES)
def test_folded_every_count_is_of_products_that_one_can_reach(
    products: list[dict[str, Any]],
    q: str,
    mode: str,
    filters: dict[str, list[str]],
    low: float | None,
    stars: float | None,
    cutoff: bool,
    stock: bool,
    sort: str,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = {f"p{number}": Product(f"p{number}", **fields) for number, fields in enumerate(products)}
        engine = open_engine(write_release(Path(folder) / "release", list(shop.values())))
        filters = known_filters(engine, filters)
        asked: dict[str, Any] = {
            "mode": mode, "price_min": low, "rating_min": stars, "cutoff": cutoff, "in_stock": stock,
        }  # fmt: skip
        index = engine.release.facets
        counted = [name for name in ("brand", "color") if name in index.values]
        counted += [name for name in ("price", "rating") if name in index.numbers]
        results = engine.search(q, filters=filters, facets=counted, sort=sort, fold=True, **asked)

        def groups(ids: list[str]) -> list[str]:
            return [shop[one].group_id or one for one in ids]

        variants = reached(engine, q, filters=filters, sort=sort, **asked)  # one by one, in the wanted order
        ids = reached(engine, q, filters=filters, sort=sort, fold=True, **asked)
        first_of: dict[str, str] = {}
        for one, group in zip(variants, groups(variants), strict=True):
            first_of.setdefault(group, one)
        assert ids == list(first_of.values())
        assert results.total == engine.total(results.request) == len(ids)

        for hit in results.hits:
            behind = [shop[one] for one in variants if groups([one]) == groups([hit.id])]
            prices = [one.price for one in behind if one.price is not None]
            colors = [one.attributes.get("color", ()) for one in behind]
            own = hit.product.attributes.get("color", ())
            differs = bool(own) and len(set(colors)) > 1 and "color" in engine.release.facets.values
            assert hit.variants is not None
            assert set(hit.variants.colors) == ({one for each in colors for one in each} if differs else set())
            assert hit.variants.colors[: len(own)] == (own if differs else ())
            assert hit.variants.differ_in == (("color",) if differs else ())
            assert replace(hit.variants, colors=(), differ_in=()) == Variants(
                count=groups(list(shop)).count(groups([hit.id])[0]),
                matching=len(behind),
                available=sum(one.availability != "out_of_stock" for one in behind),
                price_min=min(prices, default=None),
                price_max=max(prices, default=None),
            )
        for cluster in results.clusters:
            alone = reached(engine, q, filters=filters, cluster=cluster["id"], **asked)
            assert cluster["count"] == len(set(groups(alone)))
        leaves = {one["id"] for one in results.clusters}
        assert leaves == {int(engine.release.clusters.cluster_of[int(one[1:])]) for one in variants}
        for name, facet in results.facets.items():
            for value in facet.get("values", ()):
                narrowed = {**filters, name: [value["value"]]}
                chosen = engine.search(q, filters=narrowed, facets=(), fold=True, **asked)
                alone = reached(engine, q, filters=narrowed, **asked)
                assert value["count"] == chosen.total == len(set(groups(alone))), (name, value)
        for step in results.facets.get("rating", {}).get("thresholds", ()):
            alone = reached(engine, q, filters=filters, **{**asked, "rating_min": step["from"]})
            assert step["count"] == len(set(groups(alone))), step
        wide = engine.total(SearchRequest(q, filters=filters, fold=True, **{**asked, "cutoff": False}))
        assert results.less_relevant == (wide - results.total if q else 0)
        bars = results.facets["price"]["histogram"] if "price" in counted else []
        every = reached(engine, q, filters=filters, **{**asked, "price_min": None})
        for bar in bars:
            is_last = bar is bars[-1]
            inside = [
                one
                for one in every
                if (price := shop[one].price) is not None
                and bar["from"] <= price
                and (price < bar["to"] or (is_last and price == bar["to"]))
            ]
            assert bar["count"] == len(set(groups(inside))), bar
