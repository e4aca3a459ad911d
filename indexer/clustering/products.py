"""The story of the clusters: points, leaves and their parents, ids that outlive a rebuild, descriptions, a map."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.clustering.former import Former, kept_tree, matched_tree, moved_ids
from indexer.clustering.labels import describe_clusters
from indexer.clustering.points import PointSpace, word_weights
from indexer.clustering.rest import all_leaves
from indexer.clustering.settings import ClusterSettings
from indexer.clustering.themes import Encode
from indexer.clustering.tree import Tree, fresh_tree
from indexer.grouping import fold_variants, folded_vectors
from indexer.neighbors import threads
from indexer.rows import HELD, products_at, sampled
from search.arrays import Floats, Mask, Rows, taken, unit_rows
from search.clusters import Cluster
from search.lexical import LexicalIndex
from search.product import Product

TOP_ROWS = 12
NEAR_CLUSTERS = 6


@dataclass(frozen=True)
class Clustering:
    """Two levels of clusters; every row belongs to one leaf.

    Attributes:
        cluster_of: (n,) int32 leaf id.
        clusters: parents first, then leaves, each larger first.
        centroids: (k, d) float32 unit rows, the mean embedding of each cluster's products, in the order of `clusters`.
        is_kept: whether they are those of the live release.
        is_decided: (n,) bool, whether the clusters were decided with this row as it is.
        decision: what later builds read: `decided` (encoder, settings, number of products) and `next_id`.
        moved: ids that are gone -> where their products went.
        looked_at: how many of the n products decided the clusters; the others joined the nearest.
    """

    cluster_of: NDArray[np.int32]
    clusters: tuple[Cluster, ...]
    centroids: Floats
    is_kept: bool
    is_decided: Mask
    decision: dict[str, Any]
    moved: dict[int, int]
    looked_at: int

    def levels(self) -> list[Rows]:
        """Return (n,) int64 cluster ids by level, the widest first."""
        above = {cluster.id: cluster.id if cluster.parent is None else cluster.parent for cluster in self.clusters}
        leaves, place_of = np.unique(self.cluster_of, return_inverse=True)
        tops = np.array([above[leaf] for leaf in leaves.tolist()], np.int64)
        return [tops[place_of], self.cluster_of.astype(np.int64)]

    def save(self, folder: Path) -> None:
        """Write clusters.json, decision.json and the arrays."""
        folder.mkdir()
        data = {"clusters": [cluster.as_json() for cluster in self.clusters], "moved": sorted(self.moved.items())}
        (folder / "clusters.json").write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")
        (folder / "decision.json").write_text(json.dumps(self.decision, indent=1), "utf-8")
        np.save(folder / "cluster_of.npy", self.cluster_of)
        np.save(folder / "centroids.npy", self.centroids)
        np.save(folder / "is_decided.npy", self.is_decided)


def cluster_products(
    embeddings: Floats,
    products: Sequence[Product],
    lexical: LexicalIndex | None = None,
    settings: ClusterSettings | None = None,
    former: Former | None = None,
    encoder: str = "",
    encode: Encode | None = None,
) -> Clustering:
    """Group products by what they are for and what they are called; the same input gives the same clusters.

    Args:
        embeddings: (n, d) float32 unit rows, n >= 1; all-zero and equal rows are allowed.
        products: the n products, in row order.
        lexical: their words; None groups by the embeddings alone.
        settings: sizes, seed and the language of the titles.
        former: the clusters of the live release, whose ids live on.
        encoder: fingerprint of what made the embeddings; clusters of another are not kept.
        encode: texts -> (t, d) float32 unit rows, by that encoder; finds better labels than the titles alone have.

    Raises:
        ValueError: no rows, or not one vector for each product.
    """
    settings = settings or ClusterSettings()
    if len(embeddings) != len(products) or not len(products):
        raise ValueError(f"{len(embeddings)} vectors for {len(products)} products; one for each, at least one")
    group_of = fold_variants(products)
    weights = None if lexical is None else word_weights(lexical)  # first: it takes a gigabyte while it is made
    sample = _Sample.of(embeddings, products, group_of)
    is_kept = former is not None and former.holds(encoder, asdict(settings))
    before = None if former is None else former.at(sample.rows)
    with threads(1):
        space = PointSpace(sample.embeddings, sample.products, weights, sample.rows, sample.group_of, settings)
        if before is not None and is_kept:
            tree = kept_tree(before, space.points, sample.group_of)
        else:
            tree = fresh_tree(space.points, settings)
            tree = tree if before is None else matched_tree(tree, before, sample.group_of)
        leaf_of = tree.leaf_of[sample.group_of]
        if len(sample.rows) < len(products):
            known = former if is_kept else None
            leaf_of = all_leaves(tree, space, embeddings, products, group_of, sample.rows, leaf_of, known)
    described = _described(tree, space.points, sample, leaf_of, settings.language, encode)
    used = [*tree.parent_of, *tree.parents()]
    decided = {"encoder": encoder, "settings": asdict(settings), "products": len(products)}
    return Clustering(
        cluster_of=leaf_of.astype(np.int32),
        clusters=described,
        centroids=unit_rows(np.stack([sample.folded[tree.members(one.id)].mean(axis=0) for one in described])),
        is_kept=is_kept,
        is_decided=former.is_decided if former is not None and is_kept else np.ones(len(products), bool),
        decision={
            "decided": former.decided if former is not None and is_kept else decided,
            "next_id": max(former.next_id if former is not None else 0, max(used) + 1),
        },
        moved={} if before is None else moved_ids(tree, before, sample.group_of),
        looked_at=len(sample.rows),
    )


@dataclass(frozen=True)
class _Sample:
    """The products that decide the clusters: all, or those of HELD groups of variants, evenly drawn.

    Attributes:
        rows: (m,) int64 ascending, of the catalog.
        products: of these rows.
        embeddings: (m, d) float32 unit rows.
        group_of: (m,) 0.. in order of first rows.
        folded: (g, d) float32 unit rows, the mean direction of each group.
    """

    rows: Rows
    products: Sequence[Product]
    embeddings: Floats
    group_of: Rows
    folded: Floats

    @classmethod
    def of(cls, embeddings: Floats, products: Sequence[Product], group_of: Rows) -> _Sample:
        groups = sampled(int(group_of.max()) + 1, HELD)
        if groups[-1] + 1 == len(groups):
            rows = np.arange(len(products))
            vectors = np.ascontiguousarray(embeddings, np.float32)
            return cls(rows, products, vectors, group_of, folded_vectors(vectors, group_of))
        is_seen = np.zeros(int(group_of.max()) + 1, bool)
        is_seen[groups] = True
        rows = np.flatnonzero(is_seen[group_of])
        own, vectors = np.searchsorted(groups, group_of[rows]), taken(embeddings, rows)
        return cls(rows, products_at(products, rows), vectors, own, folded_vectors(vectors, own))


def _described(
    tree: Tree, points: Floats, sample: _Sample, leaf_of: Rows, language: str, encode: Encode | None
) -> tuple[Cluster, ...]:
    """Return every cluster with its label, nearest products, typical values and neighbours."""
    ids = tree.in_order()
    place_of = {cluster: place for place, cluster in enumerate(ids)}
    first_rows = np.unique(sample.group_of, return_index=True)[1]
    members = [tree.members(cluster) for cluster in ids]
    centroids = unit_rows(np.stack([points[groups].mean(axis=0) for groups in members]))
    members = [_nearest_first(groups, points, centroid) for groups, centroid in zip(members, centroids, strict=True)]
    parents = [tree.parent_of.get(cluster) for cluster in ids]
    descriptions = describe_clusters(
        [sample.products[row] for row in first_rows], sample.folded, members,
        [None if parent is None else place_of[parent] for parent in parents], language, encode,
    )  # fmt: skip
    first_rows = sample.rows[first_rows]
    sizes = dict(zip(*(found.tolist() for found in np.unique(leaf_of, return_counts=True)), strict=True))
    is_leaf = np.array([cluster in tree.parent_of for cluster in ids])
    return tuple(
        Cluster(
            id=cluster,
            parent=parents[place],
            label=descriptions[place].label,
            size=sum(sizes[leaf] for leaf in tree.children(cluster) or [cluster]),
            top_rows=tuple(first_rows[members[place][:TOP_ROWS]].tolist()),
            terms=descriptions[place].terms,
            attributes=descriptions[place].attributes,
            neighbors=tuple(ids[near] for near in _neighbors(place, centroids, is_leaf)),
        )
        for place, cluster in enumerate(ids)
    )


def _neighbors(place: int, centroids: Floats, is_leaf: Mask) -> list[int]:
    """Return the places of the clusters of the same kind, leaves or parents, whose centroids are nearest."""
    nearness = centroids @ centroids[place]
    nearness[(is_leaf != is_leaf[place]) | (np.arange(len(centroids)) == place)] = -np.inf
    nearest = np.argsort(-nearness, kind="stable")[:NEAR_CLUSTERS]
    return [int(near) for near in nearest if np.isfinite(nearness[near])]


def _nearest_first(groups: Rows, points: Floats, centroid: Floats) -> Rows:
    """Return the points by falling cosine to the centroid, equal ones in row order."""
    return groups[np.argsort(-(points[groups] @ centroid), kind="stable")]
