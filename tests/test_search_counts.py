"""Totals, facets, clusters, sorts and pages agree: whatever the catalog, the query, the filters and the words in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from conftest import open_engine, write_release
from hypothesis import given, settings
from hypothesis import strategies as st

from search.engine import Engine
from search.product import Product

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


@settings(max_examples=60, deadline=None)
@given(
    products=PRODUCTS,
    q=st.one_of(st.just(""), TITLES, ASKED),
    mode=st.sampled_from(["hybrid", "hybrid", "dense", "lexical"]),
    filters=FILTERS,
    low=st.sampled_from([None, None, 10.0]),
    stock=st.booleans(),
    sort=st.sampled_from(SORTS),
)
def test_every_count_is_what_one_can_reach(
    products: list[dict[str, Any]],
    q: str,
    mode: str,
    filters: dict[str, list[str]],
    low: float | None,
    stock: bool,
    sort: str,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop = [Product(f"p{number}", **fields) for number, fields in enumerate(products)]
        engine = open_engine(write_release(Path(folder) / "release", shop))
        known = engine.release.facets.values
        filters = {
            name: [value for value in values if value in known[name].values]
            for name, values in filters.items()
            if name in known
        }
        asked: dict[str, Any] = {"mode": mode, "price_min": low, "in_stock": stock}
        counted = [name for name in ("brand", "color") if name in known]
        results = engine.search(q, filters=filters, facets=counted, sort=sort, **asked)

        ids = reached(engine, q, filters=filters, sort=sort, **asked)
        assert len(ids) == len(set(ids)) == results.total
        assert set(ids) == set(reached(engine, q, filters=filters, **asked)), "a sort changes the set"
        assert all(hit.rank == place for place, hit in enumerate(results.hits, 1))
        assert sum(cluster["count"] for cluster in results.clusters) == results.total
        for cluster in results.clusters:
            chosen = engine.search(q, filters=filters, cluster=cluster["id"], facets=(), **asked)
            assert chosen.total == cluster["count"]
        for name, facet in results.facets.items():
            for value in facet["values"]:
                chosen = engine.search(q, filters={**filters, name: [value["value"]]}, facets=(), **asked)
                assert chosen.total == value["count"], (name, value)
