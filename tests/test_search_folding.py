"""Variants of one product are one hit, and the variant shown is the one that was wanted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, open_engine, write_release

from indexer.evaluation.engine_run import evaluate_engine
from search.engine import Engine
from search.folding import Folding
from search.product import Product
from search.request import SearchRequest
from search.variants import Variants

BOOTS = [
    Product(f"boot-{size}", "Leather Boot", "Walks for years.", ("Clothing", "Boots"), "Hob", price, "USD",
            availability=stock, group_id="boot", attributes={"Size": (size,)})
    for size, price, stock in (
        ("7", 54.9, "out_of_stock"), ("8", 39.9, "in_stock"), ("9", 44.9, "in_stock"), ("10", 64.9, "out_of_stock"),
    )
]  # fmt: skip
SHOES = (
    *BOOTS[:2],
    Product("slipper", "Boot Slipper", "Soft.", ("Clothing", "Boots"), "Hob", 49.9, "USD", availability="in_stock",
            attributes={"Size": ("8", "9")}),
    *BOOTS[2:],
)  # fmt: skip


@pytest.fixture(scope="module")
def shoes(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_engine(write_release(tmp_path_factory.mktemp("folding") / "shoes", SHOES))


def ids(engine: Engine, **asked: object) -> list[str]:
    return [hit.id for hit in engine.search(SearchRequest(fold=True, **asked)).hits]  # type: ignore[arg-type]


def test_four_sizes_are_one_hit(shoes: Engine) -> None:
    results = shoes.search("boot", fold=True)
    assert (results.total, results.pages, len(results.hits)) == (2, 1, 2)
    boot = next(hit for hit in results.hits if hit.id.startswith("boot-"))
    assert boot.variants == Variants(4, 4, available=2, price_min=39.9, price_max=64.9, differ_in=("size",))
    assert {hit.rank for hit in results.hits} == {1, 2}
    assert sorted(SHOES[row].id for row in results.rows) == sorted(one.id for one in SHOES)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, ["boot-7", "slipper"]),  # catalog order
        ({"sort": "price:asc"}, ["boot-8", "slipper"]),
        ({"sort": "price:desc"}, ["boot-10", "slipper"]),
        ({"filters": {"size": ("8",)}}, ["boot-8", "slipper"]),
        ({"filters": {"size": ("9",)}}, ["slipper", "boot-9"]),
        ({"filters": {"size": ("10",)}}, ["boot-10"]),
        ({"price_min": 45.0, "sort": "price:asc"}, ["slipper", "boot-7"]),
        ({"in_stock": True}, ["boot-8", "slipper"]),
        ({"per_page": 1, "page": 2}, ["slipper"]),
        ({"per_page": 1, "page": 3}, []),
    ],
)
def test_the_variant_shown_is_the_first_in_the_wanted_order(
    shoes: Engine, asked: dict[str, object], shown: list[str]
) -> None:
    assert ids(shoes, **asked) == shown


def test_what_is_told_of_the_variants_is_about_those_that_answer(shoes: Engine) -> None:
    hit = shoes.search(SearchRequest(price_min=50.0, fold=True)).hits[0]
    assert hit.variants == Variants(4, 2, available=0, price_min=54.9, price_max=64.9, differ_in=("size",))


def test_a_size_counts_every_product_that_comes_in_it(shoes: Engine) -> None:
    counts = shoes.search(SearchRequest(facets=("size",), fold=True)).facets["size"]["values"]
    assert {one["value"]: one["count"] for one in counts} == {"8": 2, "9": 2, "10": 1, "7": 1}
    plain = shoes.search(SearchRequest(facets=("category",), fold=True)).facets["category"]["values"]
    assert {one["count"] for one in plain} == {2}


def test_ways_out_of_nothing_count_products(shoes: Engine) -> None:
    request = SearchRequest(q="boot", filters={"size": ("8",)}, price_max=1.0, fold=True)
    rescue = shoes.search(request).rescue
    assert rescue is not None
    assert [one["total"] for one in rescue["without"]] == [0, 2]
    assert {one["count"] for one in rescue["categories"]} == {2}
    assert shoes.total(SearchRequest(fold=True)) == 2
    assert shoes.total(SearchRequest()) == 5


def test_a_group_counts_a_product_once(shoes: Engine) -> None:
    # The test's own clusters: rows 0 and 1, rows 2 to 4, both within group 0; the boot is in either half.
    assert shoes.release.products_in == {0: 2, 1: 1, 2: 2}
    assert shoes.release.product_count == 2


def test_without_folding_nothing_is_told_of_variants(shoes: Engine) -> None:
    results = shoes.search("boot")
    assert results.total == 5
    assert all(hit.variants is None for hit in results.hits)
    assert "variants" not in results.as_json()["hits"][0]


def test_a_catalog_without_variants_is_not_folded(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP[2:]))
    assert engine.release.folding is None
    folded, plain = engine.search("boot", fold=True), engine.search("boot")
    assert [hit.id for hit in folded.hits] == [hit.id for hit in plain.hits]
    assert (folded.total, folded.facets, folded.clusters) == (plain.total, plain.facets, plain.clusters)
    assert folded.hits[0].variants == Variants(1, 1, 1, 140.0, 140.0)


def test_the_price_range_is_exact_where_the_facets_numbers_are_not(tmp_path: Path) -> None:
    rings = [replace(BOOTS[0], id=f"ring-{n}", price=price) for n, price in enumerate((1234567.89, 1234569.91))]
    engine = open_engine(write_release(tmp_path / "rings", rings))
    found = engine.search(fold=True).hits[0].variants
    assert found is not None
    assert (found.price_min, found.price_max) == (1234567.89, 1234569.91)
    assert float(np.float32(1234567.89)) != 1234567.89


def test_evaluation_measures_rows_as_ever(shoes: Engine) -> None:
    judged = {"q1": {one.id: 1.0 for one in SHOES}}
    for cutoff in (False, True):
        run = evaluate_engine(shoes, {"q1": "boot"}, judged, cutoff=cutoff).run
        assert {product_id for product_id, _ in run["q1"]} == {one.id for one in SHOES}


def test_groups_may_have_any_numbers() -> None:
    folding = Folding.of(np.array([70, -3, 70, 5, -3, 70], np.int64))
    assert folding is not None
    rows = np.array([5, 4, 3, 2, 1, 0], np.int64)
    assert folding.first_rows(rows).tolist() == [5, 4, 3]
    assert folding.count(rows[:2]) == 2
    assert folding.rows_of(int(folding.product_of[0])).tolist() == [0, 2, 5]
    assert folding.first_rows(rows[:0]).tolist() == []
    assert Folding.of(np.zeros(0, np.int64)) is None
