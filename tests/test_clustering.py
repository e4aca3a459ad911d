"""Groups of alike products: what every clustering must hold, whatever the catalog."""

from __future__ import annotations

from dataclasses import replace

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.clustering import Clustering, ClusterSettings, cluster_products
from indexer.clustering.leaves import leaves_of
from indexer.clustering.points import category_centroids, drawn_to, word_vectors, word_weights
from indexer.neighbors import nearest_neighbors
from search.arrays import unit_rows
from search.clusters import ClusterIndex
from search.lexical import LexicalIndex, LexicalSettings
from search.product import Product, lexical_fields

KINDS = ("Mug", "Lamp", "Chair", "Scarf")


def products_named(*titles: str) -> list[Product]:
    """Return products with these titles."""
    return [Product(str(number), title) for number, title in enumerate(titles)]


def shop(each: int, kinds: int = 4, dim: int = 16) -> tuple[np.ndarray, list[Product]]:
    """Return vectors scattered closely around one axis per kind of product, and the products, kinds in turn."""
    random = np.random.default_rng(5)
    kind_of = np.arange(each * kinds) % kinds
    vectors = unit_rows(np.eye(dim)[kind_of] + 0.1 * random.standard_normal((each * kinds, dim)))
    return vectors, products_named(*(f"{KINDS[kind % 4]} model {kind}" for kind in kind_of))


def assert_sound(clustering: Clustering, embeddings: np.ndarray) -> None:
    """Check what holds for every clustering: ids, sizes, levels, centroids, top rows, labels."""
    rows, clusters = len(embeddings), clustering.clusters
    assert clustering.cluster_of.dtype == np.int32 and clustering.cluster_of.shape == (rows,)
    assert [cluster.id for cluster in clusters] == list(range(len(clusters)))
    assert clustering.centroids.shape == (len(clusters), embeddings.shape[1])
    groups = {cluster.parent for cluster in clusters} - {None}
    leaves = [cluster for cluster in clusters if cluster.id not in groups]
    assert set(clustering.cluster_of.tolist()) == {leaf.id for leaf in leaves}
    assert len({leaf.label for leaf in leaves}) == len(leaves)
    for cluster in clusters:
        below = [child.id for child in clusters if child.parent == cluster.id]
        members = np.flatnonzero(np.isin(clustering.cluster_of, below or [cluster.id]))
        assert cluster.size == len(members) > 0
        assert cluster.label
        assert len(below) != 1
        assert cluster.parent is None or clusters[cluster.parent].parent is None
        mean = unit_rows(embeddings[members].mean(axis=0, keepdims=True))[0]
        np.testing.assert_allclose(clustering.centroids[cluster.id], mean, atol=1e-5)
        assert set(cluster.top_rows) <= set(members.tolist())
        assert len(cluster.top_rows) == min(12, len(members))
        nearness = embeddings @ clustering.centroids[cluster.id]
        assert (np.diff(nearness[list(cluster.top_rows)]) <= 1e-6).all()
        assert nearness[list(cluster.top_rows)].min() >= np.sort(nearness[members])[-12:].min() - 1e-6


def test_kinds_that_lie_apart_become_clusters_named_after_them():
    embeddings, products = shop(each=15)
    clustering = cluster_products(embeddings, products)
    assert_sound(clustering, embeddings)
    for leaf in set(clustering.cluster_of.tolist()):
        kinds = {products[row].title.split()[0] for row in np.flatnonzero(clustering.cluster_of == leaf)}
        assert len(kinds) == 1
        assert kinds.pop() in clustering.clusters[leaf].label


@pytest.mark.parametrize("count", [*range(1, 12), 14, 15, 20, 30])
def test_tiny_catalogs_are_grouped_too(count):
    embeddings, products = (part[:count] for part in shop(each=8))
    assert_sound(cluster_products(embeddings, products), embeddings)


def test_one_product_is_one_cluster():
    clustering = cluster_products(np.eye(1, 8, dtype=np.float32), products_named("Blue enamel camping mug with lid"))
    assert [cluster.parent for cluster in clustering.clusters] == [None]
    assert clustering.clusters[0].top_rows == (0,)


@pytest.mark.parametrize("vector", [np.zeros(8, np.float32), np.eye(8, dtype=np.float32)[3]])
def test_products_with_the_same_vector_stay_together(vector):
    embeddings = np.tile(vector, (40, 1))
    clustering = cluster_products(embeddings, products_named(*(f"Mug {number}" for number in range(40))))
    assert [cluster.size for cluster in clustering.clusters] == [40]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(range(-1, 6)), min_size=1, max_size=60))
def test_any_mix_of_equal_and_empty_vectors_is_grouped(axes):
    embeddings = np.array([np.eye(8)[axis] if axis >= 0 else np.zeros(8) for axis in axes], np.float32)
    clustering = cluster_products(embeddings, products_named(*(f"Thing {axis}" for axis in axes)))
    assert sum(cluster.size for cluster in clustering.clusters if cluster.parent is None) == len(axes)
    for axis in set(axes):
        assert len(set(clustering.cluster_of[np.array(axes) == axis].tolist())) == 1


def test_a_larger_catalog_has_two_levels_larger_groups_first():
    embeddings, products = shop(each=60, kinds=16, dim=24)
    clustering = cluster_products(embeddings, products)
    assert_sound(clustering, embeddings)
    groups = [cluster for cluster in clustering.clusters if cluster.id in {c.parent for c in clustering.clusters}]
    leaves = clustering.clusters[len(groups) :]
    assert len(groups) >= 2
    assert [group.id for group in groups] == list(range(len(groups)))
    for level in (groups, leaves):
        sizes = [cluster.size for cluster in level]
        assert sizes == sorted(sizes, reverse=True)


def test_the_same_input_gives_the_same_clustering_whatever_the_thread_count():
    embeddings, products = shop(each=60, kinds=16, dim=24)
    threads = faiss.omp_get_max_threads()
    try:
        faiss.omp_set_num_threads(1)
        one = cluster_products(embeddings, products)
        faiss.omp_set_num_threads(2)
        other = cluster_products(embeddings.copy(), list(products))
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(threads)
    assert (one.clusters, one.decision) == (other.clusters, other.decision)
    for name in ("cluster_of", "centroids"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_small_leaves_are_dissolved_into_their_neighbours():
    random = np.random.default_rng(0)
    crowd = np.eye(8)[np.arange(58) % 2] + 0.1 * random.standard_normal((58, 8))
    embeddings = unit_rows(np.vstack([crowd, np.eye(8)[[6, 7]]]))  # two products like no other
    sizes = np.bincount(leaves_of(embeddings, ClusterSettings(least_products=4)))
    assert sizes.min() >= 4 and sizes.sum() == 60


def test_faiss_prints_no_warning(capfd):
    embeddings, products = shop(each=10)
    cluster_products(embeddings, products)
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""


def test_variants_lie_in_one_cluster_and_count_once_for_its_place():
    vectors, products = shop(each=6, kinds=2)
    sizes = [replace(products[0], id=f"size {number}", group_id="boot") for number in range(40)]
    astray = np.repeat(unit_rows(vectors[:1] + 0.2 * vectors[1:2]), 40, axis=0)
    clustering = cluster_products(np.concatenate([vectors, astray]).astype(np.float32), products + sizes)
    assert len(set(clustering.cluster_of[12:].tolist())) == 1
    cluster = clustering.clusters[clustering.cluster_of[12]]
    assert cluster.size == (clustering.cluster_of == cluster.id).sum() >= 40
    shown = [(products + sizes)[row].group_id for row in cluster.top_rows]
    assert shown.count("boot") == 1  # one card for forty sizes


def test_products_of_one_category_are_drawn_together_and_others_stay():
    vectors = np.eye(6, dtype=np.float32)[[0, 1, 2, 3]]
    paths = [("Home", "Mugs"), ("Home", "Mugs"), ("Home",), ()]
    centroids = category_centroids(vectors, paths)
    drawn = drawn_to(vectors, paths, centroids, 1.0)
    assert drawn[0] @ drawn[1] > drawn[0] @ drawn[2] > 0.0
    np.testing.assert_array_equal(drawn[3], vectors[3])
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(drawn_to(vectors, paths, centroids, 0.0), vectors)


def test_what_is_written_is_what_the_search_side_reads(tmp_path):
    embeddings, products = shop(each=60, kinds=16, dim=24)
    clustering = cluster_products(embeddings, products)
    clustering.save(tmp_path / "clusters")
    np.save(tmp_path / "clusters" / "positions.npy", np.zeros((len(products), 2), np.float32))
    read = ClusterIndex.load(tmp_path / "clusters", len(products))
    for cluster in clustering.clusters:
        assert read.cluster(cluster.id) == cluster
        assert int(read.rows_in(cluster.id).sum()) == cluster.size


def test_neighbors_of_a_cluster_are_the_nearest_of_its_level():
    embeddings, products = shop(each=60, kinds=16, dim=24)
    clustering = cluster_products(embeddings, products)
    level_of = {
        cluster.id: cluster.id in {one.parent for one in clustering.clusters} for cluster in clustering.clusters
    }
    place_of = {cluster.id: place for place, cluster in enumerate(clustering.clusters)}
    for cluster in clustering.clusters:
        same = [one.id for one in clustering.clusters if level_of[one.id] == level_of[cluster.id] and one != cluster]
        assert len(cluster.neighbors) == min(6, len(same)) and set(cluster.neighbors) <= set(same)
        nearness = clustering.centroids @ clustering.centroids[place_of[cluster.id]]
        if same:
            assert cluster.neighbors[0] == max(same, key=lambda one: nearness[place_of[one]])


def test_words_bring_products_together_that_their_vectors_do_not():
    vectors = unit_rows(np.random.default_rng(3).standard_normal((240, 16)))  # vectors without any order
    kinds = ["teapot", "rucksack", "trowel", "lantern"] * 60
    # Words shared by more than a tenth of the products say nothing, so each kind has a family of them.
    products = products_named(*(f"{kind}{row // 24 % 5} {kind}{row // 4 % 5}x" for row, kind in enumerate(kinds)))
    products = [replace(one, title=one.title.translate(str.maketrans("01234", "abcde"))) for one in products]
    lexical = LexicalIndex.build(map(lexical_fields, products), LexicalSettings())
    words = word_vectors(word_weights(lexical), len(products), ClusterSettings())[1]
    assert words.shape[0] == 240 and 2 <= words.shape[1] <= 100
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), 1.0, atol=1e-5)
    same = np.array(kinds)[:, None] == np.array(kinds)[None]
    with_words, without = (
        cluster_products(vectors, products, known, ClusterSettings(word_share=2.0)).cluster_of
        for known in (lexical, None)
    )
    together = [float(same[labels[:, None] == labels[None]].mean()) for labels in (with_words, without)]
    assert together[0] > 0.9 > 0.6 > together[1]


@pytest.mark.parametrize("titles", [["Mug"], ["Mug", "12"], ["Mug"] * 50, [f"{n}" for n in range(50)], ["a"] * 3])
def test_catalogs_whose_words_say_nothing_have_no_word_vectors(titles):
    products = products_named(*titles)
    lexical = LexicalIndex.build(map(lexical_fields, products), LexicalSettings())
    found = word_vectors(word_weights(lexical), len(titles), ClusterSettings())
    assert found[0] is None and found[1].shape == (len(titles), 0)


def test_cell_by_cell_most_nearest_neighbors_are_found(monkeypatch):
    random = np.random.default_rng(1)
    points = unit_rows(np.eye(24)[random.integers(0, 24, 3000)] + 0.2 * random.standard_normal((3000, 24)))
    found = nearest_neighbors(points, 10)
    exact, exact_scores = found.items, found.cosines
    scores = points @ points.T
    np.fill_diagonal(scores, -2)
    np.testing.assert_allclose(exact_scores, -np.sort(-scores, axis=1)[:, :10], atol=1e-6)  # by brute force
    np.testing.assert_allclose(np.take_along_axis(scores, exact, 1), exact_scores, atol=1e-6)
    monkeypatch.setattr("indexer.neighbors.EXACT_BELOW", 100)
    fast = nearest_neighbors(points, 10).items
    assert (fast != np.arange(3000)[:, None]).all()
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, fast, strict=True)]) > 0.95


def test_vectors_and_products_must_fit():
    with pytest.raises(ValueError, match="3 vectors for 2 products"):
        cluster_products(np.eye(3, dtype=np.float32), products_named("a", "b"))
    with pytest.raises(ValueError, match="0 vectors for 0 products"):
        cluster_products(np.zeros((0, 3), np.float32), [])
