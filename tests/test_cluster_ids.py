"""A link to a cluster leads to the same things after a rebuild."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from indexer.clustering import Clustering, ClusterSettings, Former, cluster_products, former_clusters, kept_clusters
from indexer.grouping import fold_variants
from search.arrays import unit_rows
from search.clusters import ClusterIndex
from search.errors import NotFound, ReleaseDamaged
from search.product import Product

KINDS = 40


def shop(count: int = 800, seed: int = 0) -> tuple[np.ndarray, list[Product]]:
    """Return vectors around one axis per kind, and products with an id of their own."""
    random = np.random.default_rng(seed)
    kind_of = random.integers(0, KINDS, count)
    vectors = unit_rows(np.eye(48)[kind_of] + 0.1 * random.standard_normal((count, 48)))
    return vectors, [
        Product(f"{seed}-{row}", f"Kind {chr(97 + kind % 26) * (1 + kind // 26)} thing")
        for row, kind in enumerate(kind_of)
    ]


def seen_from(
    before: Clustering, old: list[Product], new: list[Product], changed: frozenset[str] = frozenset()
) -> Former:
    """Return the former clusters as `former_clusters` reads them from a release."""
    row_of = {product.id: row for row, product in enumerate(old)}
    rows = np.array([row_of.get(product.id, -1) for product in new])
    same = (rows >= 0) & np.array([product.id not in changed for product in new])
    parents = {cluster.id: cluster.parent for cluster in before.clusters}
    return Former(
        leaf_of=np.where(rows >= 0, before.cluster_of[rows], -1).astype(np.int64),
        is_unchanged=same,
        is_decided=same & before.is_decided[rows],
        positions=np.full((len(new), 2), np.nan, np.float32),
        parent_of={leaf: parents[leaf] for leaf in sorted(set(before.cluster_of.tolist()))},
        decided=before.decision["decided"],
        next_id=before.decision["next_id"],
        moved=before.moved,
        row_of=rows,
        clusters=before.clusters,
        centroids=before.centroids,
    )


def test_the_same_catalog_rebuilt_has_the_same_clusters():
    vectors, products = shop()
    before = cluster_products(vectors, products)
    after = cluster_products(vectors, products, former=seen_from(before, products, products))
    assert after.clusters == before.clusters and after.decision == before.decision and after.moved == {}
    np.testing.assert_array_equal(after.cluster_of, before.cluster_of)


def test_one_product_in_twenty_changed_leaves_all_others_where_they_were():
    vectors, products = shop()
    before = cluster_products(vectors, products)
    fresh_vectors, fresh = shop(40, seed=1)
    new_vectors = np.vstack([vectors[40:], fresh_vectors])
    new = products[40:] + fresh
    after = cluster_products(new_vectors, new, former=seen_from(before, products, new))
    np.testing.assert_array_equal(after.cluster_of[:760], before.cluster_of[40:])
    assert not after.is_decided[760:].any() and after.is_decided[:760].all()
    # A new product joins the leaf of the things like it.
    kinds = np.array([product.title for product in new])
    for row in range(760, 800):
        leaf_mates = kinds[:760][after.cluster_of[:760] == after.cluster_of[row]]
        assert (leaf_mates == kinds[row]).mean() > 0.5


def test_a_changed_product_may_move_and_does_not_take_the_others_along():
    vectors, products = shop()
    before = cluster_products(vectors, products)
    astray = vectors.copy()
    target = int(np.flatnonzero(before.cluster_of != before.cluster_of[0])[0])
    astray[0] = vectors[target]
    former = seen_from(before, products, products, (products[0].id,))
    after = cluster_products(astray, products, former=former)
    assert after.cluster_of[0] == before.cluster_of[target]
    np.testing.assert_array_equal(after.cluster_of[1:], before.cluster_of[1:])


@pytest.mark.parametrize("why", ["many new products", "another encoder", "other settings"])
def test_clusters_decided_anew_keep_the_ids_of_those_they_repeat(why):
    vectors, products = shop()
    before = cluster_products(vectors, products, encoder="one")
    settings = ClusterSettings(leaf_largest=119) if why == "other settings" else ClusterSettings()
    if why == "many new products":
        more_vectors, more = shop(300, seed=2)
        vectors, products = np.vstack([vectors, more_vectors]), products + more
    former = seen_from(before, shop()[1], products)
    encoder = "two" if why == "another encoder" else "one"
    assert not former.holds(encoder, asdict(settings))
    after = cluster_products(vectors, products, settings=settings, former=former, encoder=encoder)
    assert after.is_decided.all() and after.decision["decided"]["products"] == len(products)
    kept = (after.cluster_of[:800] == before.cluster_of).mean()
    assert kept > 0.8
    new = {cluster.id for cluster in after.clusters} - {cluster.id for cluster in before.clusters}
    assert all(cluster >= before.decision["next_id"] for cluster in new)
    assert after.decision["next_id"] > max(cluster.id for cluster in after.clusters)


def test_an_id_that_is_gone_leads_to_where_its_products_went_and_is_never_used_again():
    vectors, products = shop()
    before = cluster_products(vectors, products)
    # Two leaves become one: all products of the second lie where those of the first do.
    first, second = [cluster.id for cluster in before.clusters if cluster.id in set(before.cluster_of.tolist())][:2]
    merged = vectors.copy()
    merged[before.cluster_of == second] = vectors[before.cluster_of == first][0]
    after = cluster_products(merged, products, former=seen_from(before, products, products), encoder="two")
    alive = {cluster.id for cluster in after.clusters}
    gone = {cluster.id for cluster in before.clusters} - alive
    assert set(after.moved) == gone and set(after.moved.values()) <= alive
    if second in gone:
        most = np.bincount(after.cluster_of[before.cluster_of == second]).argmax()
        assert after.moved[second] == most
    again = cluster_products(merged, products, former=seen_from(after, products, products), encoder="two")
    assert again.moved == after.moved  # remembered by later releases too


def test_a_leaf_whose_products_are_all_gone_leads_to_its_parent():
    vectors, products = shop()
    before = cluster_products(vectors, products)
    leaf = next(cluster for cluster in reversed(before.clusters) if cluster.parent is not None)
    stay = np.flatnonzero(before.cluster_of != leaf.id)
    new = [products[row] for row in stay]
    after = cluster_products(vectors[stay], new, former=seen_from(before, products, new))
    parents = {cluster.id for cluster in after.clusters}
    assert leaf.id not in parents
    assert after.moved.get(leaf.id) == (leaf.parent if leaf.parent in parents else None)


def test_variants_of_one_product_stay_together_when_one_is_added():
    vectors, products = shop()
    products[0] = replace(products[0], group_id="boot")
    before = cluster_products(vectors, products)
    new = [*products, Product("extra", "Kind a thing", group_id="boot")]
    after = cluster_products(np.vstack([vectors, vectors[5:6]]), new, former=seen_from(before, products, new))
    assert after.cluster_of[-1] == before.cluster_of[0]


def test_old_links_are_followed_and_unknown_ids_are_said_to_be_unknown(tmp_path):
    vectors, products = shop(60)
    clustering = replace(cluster_products(vectors, products), moved={900: 0})
    clustering.save(tmp_path / "clusters")
    np.save(tmp_path / "clusters" / "positions.npy", np.zeros((60, 2), np.float32))
    index = ClusterIndex.load(tmp_path / "clusters", 60)
    assert index.cluster(900) == index.cluster(0)
    assert index.rows_in(900).tolist() == index.rows_in(0).tolist()
    with pytest.raises(NotFound, match="no cluster 901"):
        index.cluster(901)
    np.save(tmp_path / "clusters" / "cluster_of.npy", np.full(60, 77, np.int32))
    with pytest.raises(ReleaseDamaged, match="names a cluster that is not there"):
        ClusterIndex.load(tmp_path / "clusters", 60)


def test_without_a_readable_live_release_clusters_begin_anew(tmp_path):
    from search.home import Layout

    assert former_clusters(None, ["a"], np.zeros((1, 16), np.uint8)) is None
    assert former_clusters(Layout(tmp_path), ["a"], np.zeros((1, 16), np.uint8)) is None


def test_where_little_changed_labels_stay_and_new_products_join_their_nearest():
    vectors, products = shop()
    before = cluster_products(vectors, products)
    now, moved = [*products[1:], replace(products[0], id="new")], np.roll(vectors, -1, axis=0)
    former = seen_from(before, products, now)
    after = kept_clusters(former, moved, fold_variants(now), before.looked_at)
    assert after is not None and after.is_kept and after.looked_at == len(products)
    np.testing.assert_array_equal(after.cluster_of, np.roll(before.cluster_of, -1))  # where its twin was, it is too
    assert {one.id: (one.label, one.size) for one in after.clusters} == {
        one.id: (one.label, one.size) for one in before.clusters
    }
    for one in after.clusters:  # rows are those of today
        was = next(each for each in before.clusters if each.id == one.id)
        assert [now[row].id for row in one.top_rows] == [products[row].id for row in was.top_rows if row]


def test_clusters_are_not_kept_when_one_has_lost_all_its_products():
    vectors, products = shop()
    before = cluster_products(vectors, products)
    rows = np.flatnonzero(before.cluster_of != before.cluster_of[0])
    now = [products[row] for row in rows]
    former = seen_from(before, products, now)
    assert kept_clusters(former, vectors[rows], fold_variants(now), before.looked_at) is None
