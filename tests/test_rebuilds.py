"""Builds over an earlier release: what did not change is not made again, and what cannot be read stops none of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP
from shop_fixtures import Shop

from indexer.calibration import foreign_queries
from search.analysis import Analyzer
from search.errors import ReleaseRefused
from search.home import Layout
from search.postings import CountedFields
from search.release import open_release
from search.releases import rollback


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_an_unchanged_rebuild_encodes_nothing_and_one_changed_row_encodes_one(shop: Shop) -> None:
    shop.build()
    assert shop.build().manifest["encoded"] == 0
    assert shop.encoder.encoded == []  # nor is anything asked again that was found out of the same products
    shop.rows[3][2] = "For evenings and weddings."
    result = shop.build()
    assert result.manifest["encoded"] == 1
    assert shop.encoder.encoded[:-len(foreign_queries())] == [
        "Red Gown. Velour. Dresses. Clothing. For evenings and weddings", "Dresses. Clothing",
    ]  # fmt: skip


def test_a_price_change_encodes_nothing(shop: Shop) -> None:
    shop.build()
    shop.rows[0][4] = "18.00"
    assert shop.build().manifest["encoded"] == 0
    assert shop.engine().product("0001").price == 18.0


def test_groups_and_places_on_the_map_outlive_a_rebuild_with_one_product_in_twenty_changed(shop: Shop) -> None:
    kinds = ("mug", "gown", "lamp", "boot")
    shop.rows = [[f"p{n}", f"{kinds[n % 4]} {n // 4}", "", "", "5", ""] for n in range(100)]
    shop.build()
    before = shop.engine().release
    where = {one.id: (before.clusters.cluster_of[row], *before.clusters.positions[row])
             for row, one in enumerate(before.products)}  # fmt: skip
    shop.rows = (
        [[f"new{n}", f"{kinds[n % 4]} new {n}", "", "", "5", ""] for n in range(5)]
        + shop.rows[:94:-1]
        + shop.rows[5:95]
    )
    shop.build()
    after = shop.engine().release
    for row, one in enumerate(after.products):
        here = (after.clusters.cluster_of[row], *after.clusters.positions[row])
        assert one.id.startswith("new") or here == where[one.id]
    assert np.isfinite(after.clusters.positions).all() and np.abs(after.clusters.positions).max() <= 1
    labels = {cluster.id: cluster.label for cluster in before.clusters.clusters.values()}
    assert {cluster.id for cluster in after.clusters.clusters.values()} <= labels.keys()


def test_what_takes_long_is_kept_while_next_to_nothing_changed(shop: Shop) -> None:
    kinds = ["Red mug", "Blue gown", "Oak desk", "Felt boot"]
    shop.rows = [[f"{n:04}", f"{kinds[n % 4]} number {n}", "", "", "9", kinds[n % 4]] for n in range(200)]
    first = shop.build()
    assert first.manifest["kept"] is None
    shop.rows[7][1] = "Felt boot of another kind"
    second = shop.build()
    assert second.manifest["kept"] == {"since": first.manifest["release"], "changed": 1}
    assert second.manifest["confidence"] == first.manifest["confidence"]
    page = second.layout.report.read_text()
    assert page.count(f"Found out for release {first.manifest['release']}") == 7  # each section of the catalog
    drawn = re.compile('<section id="loners">.*?</section>', re.DOTALL)
    told, before = (drawn.search(text)[0].split("\n") for text in (page, first.layout.report.read_text()))  # type: ignore[index]
    told = [line for line in told if "Found out for" not in line]
    assert [line.strip() for line in told if line.strip()] == [line.strip() for line in before if line.strip()]
    shop.rows[8][1], shop.rows[9][1], shop.rows[10][1] = "Red boot", "Blue boot", "Oak boot"
    third = shop.build()  # four of two hundred in two builds: the limit
    assert third.manifest["kept"] == {"since": first.manifest["release"], "changed": 4}
    shop.rows.pop()
    assert shop.build().manifest["kept"] is None


def test_a_rebuild_counts_the_words_of_what_changed_and_writes_what_a_full_build_does(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def word_files(layout: Layout) -> dict[str, bytes]:
        paths = [*layout.lexical.iterdir(), *layout.understanding.iterdir()]
        return {path.name: path.read_bytes() for path in paths}

    counted: list[int] = []
    of = CountedFields.of

    def noted(fields: Iterable[tuple[str, str]], analyzer: Analyzer) -> CountedFields:
        pairs = list(fields)
        counted.append(len(pairs))
        return of(pairs, analyzer)

    monkeypatch.setattr(CountedFields, "of", noted)
    shop.build()
    shop.rows[1][1] = "Wi-Fi lamp, 12 oz"
    shop.rows.append(["new", "Another lamp", "", "", "9", ""])
    rebuilt = shop.build()
    assert counted == [len(SHOP), 2]
    other = Shop(tmp_path / "other")
    other.rows = shop.rows
    other.catalog.parent.mkdir()
    assert word_files(rebuilt.layout) == word_files(other.build().layout)
    (rebuilt.layout.lexical / "counts.npy").chmod(0o644)
    (rebuilt.layout.lexical / "counts.npy").write_bytes(b"damaged")
    shop.build()
    assert counted[-1] == len(shop.rows)


def test_a_damaged_file_is_not_kept(shop: Shop) -> None:
    shop.rows = [[f"{n:04}", f"Red mug number {n}", "", "", "9", "Mugs"] for n in range(100)]
    layout = shop.build().layout
    (layout.confidence / "calibration.json").write_text("{}")
    assert shop.build().manifest["kept"] is None


def test_rows_in_another_order_keep_every_product_with_its_own_vector(shop: Shop) -> None:
    shop.build()
    before = {p.id: shop.engine().release.dense.embeddings[row].copy() for row, p in enumerate(SHOP)}
    shop.rows.reverse()
    shop.build()
    release = shop.engine().release
    for product_id, vector in before.items():
        assert np.allclose(release.dense.embeddings[release.products.row_of(product_id)], vector)


def test_a_release_of_another_format_is_built_over_and_its_vectors_are_used(shop: Shop) -> None:
    live = shop.build().layout
    manifest = json.loads(live.manifest.read_text())
    live.manifest.write_text(json.dumps({**manifest, "format": 1}))
    result = shop.build()
    assert result.is_live and result.manifest["encoded"] == 0
    assert open_release(result.layout).rows == 8
    with pytest.raises(ReleaseRefused, match="format 1"):
        rollback(shop.home)
    assert shop.home.live() == result.layout


def test_a_decision_outlives_the_format_of_its_release(shop: Shop) -> None:
    live = shop.build().layout
    decided = {"adopted": False, "decided": True, "base": shop.encoder.fingerprint, "reason": "no gain"}
    manifest = json.loads(live.manifest.read_text())
    live.manifest.write_text(json.dumps({**manifest, "format": 1, "training": decided}))
    np.save(live.decided_on, np.load(live.text_hashes))
    assert shop.build(train="auto").manifest["training"] == {**decided, "kept": True}


def test_a_damaged_release_stops_no_build(shop: Shop) -> None:
    live = shop.build().layout
    live.manifest.write_text('{"format": 3')
    result = shop.build()
    assert result.is_live and result.manifest["encoded"] == 7
