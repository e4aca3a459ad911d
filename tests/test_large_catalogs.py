"""Catalogs of more products than are held or compared at once: the same answers from the store, good ones by sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from test_cluster_ids import seen_from, shop

from indexer import boilerplate, positions
from indexer.boilerplate import boilerplate_of, without_boilerplate
from indexer.clustering import cluster_products
from indexer.clustering import products as clustered
from indexer.facets import MAX_VALUES, facets_of
from indexer.report import subject as reported
from indexer.report.health import health_of
from indexer.report.subject import Subject
from indexer.rows import FieldsOf, StoredProducts, products_at, sampled
from indexer.suggestions import suggestions_of
from search.arrays import unit_rows
from search.categories import CategoryIndex
from search.lexical import LexicalIndex, LexicalSettings
from search.postings import TermCounter
from search.product import Product, lexical_fields
from search.store import ProductStore

FREE = "Free delivery on all orders over forty pounds."


def stored(path: Path, products: Sequence[Product]) -> ProductStore:
    """Return a store that holds the products."""
    store = ProductStore(path / "products.sqlite", writable=True)
    store.append(products)
    return store


def catalog(count: int) -> list[Product]:
    """Return products in groups of two, every third with a sentence of its shop."""
    return [
        Product(
            f"P-{row}", f"Enamel mug {row}", f"Holds tea for {row}. {FREE if row % 3 == 0 else ''}",
            ("Kitchen", "Mugs" if row % 2 else "Cups"), "Norr", group_id=f"G-{row // 2}",
            attributes={"Color": ("red" if row % 4 else "blue",)},
        )
        for row in range(count)
    ]  # fmt: skip


def test_products_in_the_store_read_like_a_list(tmp_path):
    products = catalog(2_345)
    there = StoredProducts(stored(tmp_path, products))
    assert len(there) == 2_345 and list(there) == products and there[1_999] == products[1_999]
    assert list(there[5:2_000:7]) == products[5:2_000:7]
    places = np.array([0, 7, 2_344])
    assert products_at(there, places) == products_at(products, places) == [products[0], products[7], products[2_344]]
    assert list(FieldsOf(there)) == [lexical_fields(product) for product in products]


def test_a_sample_is_everything_where_there_is_no_more_and_else_even_and_the_same_again():
    assert sampled(7, 7).tolist() == list(range(7))
    drawn = sampled(10_000, 500)
    assert len(set(drawn.tolist())) == 500 and (np.diff(drawn) > 0).all()
    assert 4_600 < drawn.mean() < 5_400
    np.testing.assert_array_equal(drawn, sampled(10_000, 500))


def test_boilerplate_of_many_products_is_that_of_few(tmp_path, monkeypatch):
    products = catalog(900)
    few = boilerplate_of(products)
    assert list(few) == [FREE.casefold()]
    assert few[FREE.casefold()] == len({row // 2 for row in range(900) if row % 3 == 0})
    monkeypatch.setattr(boilerplate, "HELD", 100)
    monkeypatch.setattr(boilerplate, "SAMPLE", 200)
    there = StoredProducts(stored(tmp_path, products))
    assert boilerplate_of(there) == few
    assert list(without_boilerplate(there, few)) == without_boilerplate(products, few)
    assert without_boilerplate(there, few)[0].description == "Holds tea for 0."


def test_the_lexical_index_of_a_stream_weighs_terms_as_bm25s_does():
    import bm25s

    documents = [["red", "mug", "mug"], [], ["mug", "tall", "red", "red", "red"], ["lamp"]]
    counter = TermCounter({})
    for document in documents:
        counter.add(document)
    data, rows, starts = counter.counted().columns(4, 0.9, 0.6)
    ids = [[counter.number_of[term] for term in document] for document in documents]
    peer = bm25s.BM25(k1=0.9, b=0.6, method="lucene", csc_backend="scipy")
    peer.index((ids, counter.number_of), create_empty_token=False, show_progress=False)
    for ours, name in ((data, "data"), (rows, "indices"), (starts, "indptr")):
        np.testing.assert_array_equal(ours, peer.scores[name])
    mug = counter.number_of["mug"]  # by hand: idf ln(1 + 2.5 / 2.5), length 3 of a mean of 2.25, twice in row 0
    by_hand = np.log(2) * 2 / (2 + 0.9 * (0.4 + 0.6 * 3 / 2.25))
    assert data[starts[mug]] == pytest.approx(by_hand, rel=1e-6)


def test_an_attribute_with_too_many_values_is_forgotten_on_the_way_and_is_no_facet():
    products = [
        Product(str(row), "Mug", attributes={"Serial": (f"n{row}",), "Color": ("red, blue" if row % 2 else "red",)})
        for row in range(2 * MAX_VALUES)
    ]
    facets = facets_of(products)
    assert list(facets.values) == ["color"]
    color = facets.values["color"]
    assert color.values == ("red", "blue")
    assert color.counts(np.arange(facets.rows)).tolist() == [2 * MAX_VALUES, MAX_VALUES]
    assert color.values_of(np.array([0, 1])) == [("red",), ("red", "blue")]


def test_categories_are_summed_in_blocks_as_at_once(monkeypatch):
    products = catalog(50)
    vectors = unit_rows(np.random.default_rng(1).standard_normal((50, 6)))
    facets = facets_of(products)
    at_once = CategoryIndex.build(vectors, facets)
    monkeypatch.setattr("search.categories.BLOCK", 7)
    np.testing.assert_array_equal(CategoryIndex.build(vectors, facets).centroids, at_once.centroids)
    mean = unit_rows(vectors[1::2].sum(axis=0, dtype=np.float64)[None])[0]
    np.testing.assert_allclose(at_once.centroids[at_once.paths.index("Kitchen > Mugs")], mean, atol=1e-6)


def test_clusters_decided_on_a_sample_put_the_others_with_their_like(monkeypatch):
    monkeypatch.setattr(clustered, "HELD", 400)
    vectors, products = shop(1_600)
    lexical = LexicalIndex.build(FieldsOf(products), LexicalSettings())
    clustering = cluster_products(vectors, products, lexical)
    assert clustering.looked_at == 400 and len(clustering.cluster_of) == 1_600
    sizes = {cluster.id: cluster.size for cluster in clustering.clusters}
    parents = {cluster.parent for cluster in clustering.clusters} - {None}
    for leaf in set(sizes) - parents:
        assert sizes[leaf] == int((clustering.cluster_of == leaf).sum()) > 0
    kinds = vectors.argmax(axis=1)
    decided = sampled(1_600, 400)
    usual = {kind: np.bincount(clustering.cluster_of[decided[kinds[decided] == kind]]).argmax() for kind in set(kinds)}
    others = np.setdiff1d(np.arange(1_600), decided)
    assert np.mean([clustering.cluster_of[row] == usual[kinds[row]] for row in others]) > 0.9
    assert all(clustering.cluster_of[row] == cluster.id for cluster in clustering.clusters
               if cluster.id not in parents for row in cluster.top_rows)  # fmt: skip


def test_products_that_did_not_change_stay_in_clusters_decided_on_a_sample(monkeypatch):
    monkeypatch.setattr(clustered, "HELD", 400)
    vectors, products = shop(1_600)
    before = cluster_products(vectors, products)
    changed = frozenset(products[row].id for row in range(0, 1_600, 100))
    after = cluster_products(vectors, products, former=seen_from(before, products, products, changed))
    assert after.is_kept
    same = np.array([product.id not in changed for product in products])
    np.testing.assert_array_equal(after.cluster_of[same], before.cluster_of[same])


def test_a_large_map_is_laid_out_by_a_sample_and_the_others_lie_beside_their_like(monkeypatch):
    monkeypatch.setattr(positions, "HELD", 200)
    vectors, _ = shop(600)
    found = positions.map_positions(vectors)
    assert found.shape == (600, 2) and np.isfinite(found).all() and np.abs(found).max() <= 1
    kinds = vectors.argmax(axis=1)
    apart = np.linalg.norm(found[:, None] - found[None], axis=2) + 9 * np.eye(600)
    assert (kinds[apart.argmin(axis=1)] == kinds).mean() > 0.8


def test_the_report_of_many_products_says_how_many_it_compared(monkeypatch):
    monkeypatch.setattr(reported, "MOST_ITEMS", 60)
    products = catalog(400)
    vectors = unit_rows(np.random.default_rng(1).standard_normal((400, 6)))
    groups = np.arange(400) // 2
    subject = Subject.of(products, vectors, groups, groups % 5, {}, object(), None, "en")  # type: ignore[arg-type]
    assert (subject.found, len(subject.items), len(subject.vectors), len(subject.cluster_of)) == (200, 60, 60, 60)
    for item, vector, cluster in zip(subject.items, subject.vectors, subject.cluster_of, strict=True):
        row = products.index(item)
        assert row % 2 == 0 and cluster == row // 2 % 5
        np.testing.assert_allclose(vector, unit_rows(vectors[row : row + 2].mean(axis=0)[None])[0], atol=1e-6)


def test_findings_of_health_are_counted_in_one_pass_over_the_store(tmp_path):
    alike = [Product(name, "Cup", "Same words here and there.") for name in "YZW"]
    products = [*catalog(30), Product("X", "Mug"), *alike]
    health = health_of(StoredProducts(stored(tmp_path, products)))
    counts = {finding.name: finding.count for finding in health.findings}
    assert counts["without a description"] == 1 and counts["without a category"] == 4
    assert counts["with a description that others have word for word"] == 3


def test_phrases_of_many_products_are_suggested_from_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr("indexer.suggestions.HELD", 100)
    store = stored(tmp_path, catalog(600))
    store.write_suggestions(suggestions_of(store, "en"))
    assert ("enamel mug", "") in store.suggestions("queries", "enam", 5)
    assert len(store.suggestions("products", "mug", 1_000)) == 300  # every group, sampled or not
    assert [text for text, _ in store.best_suggestions("categories", 5)] == ["Kitchen", "Cups", "Mugs"]
