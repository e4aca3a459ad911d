"""The map's columns: positions, groups and colors say what the release says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, open_engine, write_release

from search.clusters import Cluster
from search.engine import Engine
from search.map import map_of, quantized
from search.product import Product
from search.release import Release


def release_of(folder: Path, products: list[Product]) -> Release:
    return open_engine(write_release(folder / "some", products)).release


def priced(*prices: float | None) -> list[Product]:
    return [Product(str(row), f"Mug {row}", price=price, currency="USD") for row, price in enumerate(prices)]


def test_positions_are_kept_to_within_half_a_step() -> None:
    positions = np.random.default_rng(1).uniform(-1, 1, (1000, 2)).astype(np.float32)
    read = quantized(positions).astype(np.float64) / 65535 * 2 - 1
    assert np.abs(read - positions).max() <= 1 / 65535 + 1e-6
    assert quantized(np.array([[-1, 1], [-3, 7]], np.float32)).tolist() == [[0, 65535], [0, 65535]]


def test_every_product_is_in_its_own_leaf_and_in_the_parent_of_it(shop: Engine) -> None:
    drawn = map_of(shop.release)
    for row, place in enumerate(drawn.leaves):
        leaf = drawn.clusters[place]
        assert leaf.id == shop.release.clusters.cluster_of[row]
        assert row in drawn.members[place]
        parents = [at for at, cluster in enumerate(drawn.clusters) if cluster.id == leaf.parent]
        assert all(row in drawn.members[at] for at in parents)
    assert [len(rows) for rows in drawn.members] == [cluster.size for cluster in drawn.clusters]


def test_a_label_sits_on_a_product_of_its_group_not_in_the_gap_between_its_halves(tmp_path: Path) -> None:
    layout = write_release(tmp_path / "ring", priced(*[1.0] * 20))
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)  # its mean, (0, 0), is far from all
    np.save(layout.clusters / "positions.npy", ring)
    drawn = map_of(open_engine(layout).release)
    for place, center in enumerate(drawn.centers):
        nearest = np.linalg.norm(ring[drawn.members[place]] - center, axis=1).min()
        assert nearest < 1e-6


def test_the_counts_of_every_legend_are_the_dots_that_have_its_color(shop: Engine) -> None:
    drawn = map_of(shop.release)
    assert {"cluster", "price", "category", "brand"} <= set(drawn.colors)
    for color in drawn.colors.values():
        assert color.codes.shape == (len(SHOP),)
        assert sum(entry.count for entry in color.legend) == len(SHOP)
        for entry in color.legend:
            assert np.count_nonzero(color.codes == entry.code) == entry.count


def test_a_dot_has_the_color_of_its_value_and_the_commonest_of_several(tmp_path: Path) -> None:
    products = [
        Product("a", "A", attributes={"Color": ("red",)}),
        Product("b", "B", attributes={"Color": ("blue", "red")}),
        Product("c", "C", attributes={"Color": ("blue",)}),
        Product("d", "D", attributes={"Color": ("red",)}),
        Product("e", "E"),
    ]
    color = map_of(release_of(tmp_path, products)).colors["color"]
    named = {entry.code: entry.value for entry in color.legend}
    assert [named[code] for code in color.codes] == ["red", "red", "blue", "red", ""]
    assert color.codes[4] == 0


def test_rare_values_share_one_color(tmp_path: Path) -> None:
    brands = [f"Brand {number:02}" for number in range(12) for _ in range(20 - number)]
    products = [Product(str(row), f"Mug {row}", brand=brand) for row, brand in enumerate(brands)]
    color = map_of(release_of(tmp_path, products)).colors["brand"]
    assert [entry.value for entry in color.legend] == [*(f"Brand {number:02}" for number in range(9)), ""]
    assert (color.legend[-1].is_other, color.legend[-1].count) == (True, 11 + 10 + 9)


def test_a_category_colors_by_its_highest_level_that_differs(tmp_path: Path) -> None:
    paths = [("Shop", "Kitchen", "Mugs"), ("Shop", "Kitchen"), ("Shop", "Garden"), ("Shop",)]
    products = [Product(str(row), f"Thing {row}", category=path) for row, path in enumerate(paths)]
    color = map_of(release_of(tmp_path, products)).colors["category"]
    named = {entry.code: entry.value for entry in color.legend}
    assert [named[code] for code in color.codes] == ["Shop > Kitchen", "Shop > Kitchen", "Shop > Garden", ""]


@pytest.mark.parametrize("seed", range(5))
def test_every_price_lies_within_the_bounds_of_its_color_and_no_color_is_empty(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    prices = [None if random.random() < 0.2 else round(float(random.lognormal(3, 1.5)), 2) for _ in range(200)]
    color = map_of(release_of(tmp_path, priced(*prices))).colors["price"]
    entries = {entry.code: entry for entry in color.legend}
    assert all(entry.count for entry in color.legend)
    for price, code in zip(prices, color.codes, strict=True):
        if price is None:
            assert code == 0
            continue
        low, high = entries[code].low, entries[code].high
        assert low is None or np.float32(price) >= np.float32(low)
        assert high is None or np.float32(price) < np.float32(high)


def test_prices_that_are_all_alike_or_missing_color_nothing(tmp_path: Path) -> None:
    assert "price" not in map_of(release_of(tmp_path / "one", priced(5.0, 5.0, 5.0))).colors
    assert "price" not in map_of(release_of(tmp_path / "none", priced(None, None))).colors


def test_two_prices_have_two_colors(tmp_path: Path) -> None:
    color = map_of(release_of(tmp_path, priced(5.0, 5.0, 9.0))).colors["price"]
    assert [entry.count for entry in color.legend] == [2, 1]


@pytest.mark.parametrize("count", [1, 3])
def test_a_tiny_catalog_has_a_map(tmp_path: Path, count: int) -> None:
    drawn = map_of(release_of(tmp_path, priced(*range(1, count + 1))))
    assert (len(drawn.positions), len(drawn.leaves), len(drawn.centers)) == (count, count, 3)


def test_groups_without_parents_are_groups_of_the_top(tmp_path: Path) -> None:
    layout = write_release(tmp_path / "flat", SHOP)
    half = len(SHOP) // 2
    clusters = [Cluster(one, None, f"Half {one}", half, (0,)).as_json() for one in (1, 2)]
    (layout.clusters / "clusters.json").write_text(json.dumps({"clusters": clusters, "moved": []}))
    color = map_of(open_engine(layout).release).colors["cluster"]
    assert [(entry.cluster, entry.count) for entry in color.legend] == [(1, half), (2, half)]
    assert color.codes.tolist() == [1] * half + [2] * half
