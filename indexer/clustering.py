"""Clusters of alike products: two levels of spherical k-means, each with a label, and a map of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.cluster_labels import describe_clusters
from indexer.grouping import drawn_to_categories, fold_variants, folded_vectors
from indexer.positions import OnProgress, map_positions, one_thread
from search.arrays import Floats, unit_rows
from search.product import Product

TOP_ROWS = 12
Ids = NDArray[np.int32]


@dataclass(frozen=True)
class ClusterSettings:
    """How products are grouped; written into the manifest."""

    leaf_scale: float = 0.7  # products per leaf = leaf_scale * sqrt(n), between the two bounds below
    leaf_smallest: int = 10  # products per leaf aimed at in a small catalog
    leaf_largest: int = 120  # and in a large one: more than this nobody looks through
    least_products: int = 4  # a leaf of fewer is dissolved into its neighbours
    leaves_for_parents: int = 12  # below this the leaves themselves are the top level
    most_parents: int = 20
    iterations: int = 16
    tries: int = 2  # k-means runs, the best of which is kept
    sample_per_leaf: int = 64  # rows per centroid that k-means learns from
    category_pull: float = 1.0  # weight of a product's categories beside its own vector; 0 ignores them
    seed: int = 1_234
    language: str = "en"  # ISO 639-1, decides stems and stop words of the labels


@dataclass(frozen=True)
class Cluster:
    """One group of products that lie near each other.

    Attributes:
        id: 0..k-1; parents first, then leaves, each larger first.
        parent: id of the larger group it is part of, None at the top.
        label: a few words for people; no two leaves have the same, nor two clusters of the top level.
        size: how many rows of the catalog, variants included.
        top_rows: the first rows of up to 12 products nearest its centroid, nearest first.
        terms: the title terms that tell it from the others, strongest first.
        attributes: brand or attribute -> the value that most of its products share and most others do not.
    """

    id: int
    parent: int | None
    label: str
    size: int
    top_rows: tuple[int, ...]
    terms: tuple[str, ...]
    attributes: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the cluster as JSON-ready data, in field order."""
        return {
            "id": self.id, "parent": self.parent, "label": self.label, "size": self.size,
            "top_rows": list(self.top_rows), "terms": list(self.terms), "attributes": self.attributes,
        }  # fmt: skip


@dataclass(frozen=True)
class Clustering:
    """Two levels of clusters; every row belongs to one leaf.

    Attributes:
        cluster_of: (n,) int32 leaf id.
        clusters: all k clusters, by id.
        centroids: (k, d) float32 unit rows, the mean direction of what was clustered (see `grouping`), by id.
        positions: (n, 2) float32 map positions, -1..1; near is alike.
    """

    cluster_of: Ids
    clusters: tuple[Cluster, ...]
    centroids: Floats
    positions: Floats

    def as_json(self) -> dict[str, Any]:
        """Return what clusters.json holds; the arrays are files of their own."""
        return {"clusters": [cluster.as_json() for cluster in self.clusters]}


def cluster_products(
    embeddings: Floats,
    products: Sequence[Product],
    settings: ClusterSettings | None = None,
    on_progress: OnProgress = lambda what, done, total: None,
) -> Clustering:
    """Group products by their vectors; the same input gives the same clusters, labels and positions.

    Args:
        embeddings: (n, d) float32 unit rows, n >= 1; all-zero and equal rows are allowed.
        products: the n products, in row order.
        settings: sizes, seed and the language of the titles.
        on_progress: called with (what, done, total); the map is what takes long.

    Raises:
        ValueError: no rows, or not one vector for each product.
    """
    settings = settings or ClusterSettings()
    if len(embeddings) != len(products) or not len(products):
        raise ValueError(f"{len(embeddings)} vectors for {len(products)} products; one for each, at least one")
    embeddings = np.ascontiguousarray(embeddings, np.float32)
    group_of = fold_variants(products)
    first_rows = np.unique(group_of, return_index=True)[1]
    folded = folded_vectors(embeddings, group_of)
    categories = [products[row].category for row in first_rows]
    with one_thread():
        points = drawn_to_categories(folded, categories, settings.category_pull)
        leaf_of = leaves_of(points, settings)
        parent_of = parents_of(points, leaf_of, settings)
    cluster_of, parents = _numbered(leaf_of, parent_of)
    members = [_rows_of(cluster, cluster_of, parents) for cluster in range(len(parents))]
    centroids = unit_rows(np.stack([points[groups].mean(axis=0) for groups in members]))
    members = [_nearest_first(groups, points, centroid) for groups, centroid in zip(members, centroids, strict=True)]
    descriptions = describe_clusters([products[row] for row in first_rows], folded, members, parents, settings.language)
    sizes = np.bincount(group_of)
    row_clusters = cluster_of[group_of]
    top_of = np.array([number if parent is None else parent for number, parent in enumerate(parents)], np.int32)
    return Clustering(
        cluster_of=row_clusters,
        clusters=tuple(
            Cluster(
                id=number,
                parent=parents[number],
                label=said.label,
                size=int(sizes[members[number]].sum()),
                top_rows=tuple(first_rows[members[number][:TOP_ROWS]].tolist()),
                terms=said.terms,
                attributes=said.attributes,
            )
            for number, said in enumerate(descriptions)
        ),
        centroids=centroids,
        positions=map_positions(embeddings, [top_of[row_clusters], row_clusters], on_progress),
    )


def leaves_of(embeddings: Floats, settings: ClusterSettings) -> Ids:
    """Return (n,) leaf numbers 0..leaves-1; none is empty, and small ones are dissolved where there is a choice."""
    count = len(embeddings)
    size = float(np.clip(settings.leaf_scale * count**0.5, settings.leaf_smallest, settings.leaf_largest))
    distinct = len({row.tobytes() for row in embeddings})  # k-means on fewer points than centroids has no answer
    centroids = _kmeans(embeddings, min(distinct, max(1, round(count / size))), settings, tries=settings.tries)
    while True:
        nearest = _nearest(embeddings, centroids)
        kept = np.bincount(nearest, minlength=len(centroids)) >= min(settings.least_products, count)
        if kept.all() or not kept.any():
            return np.unique(nearest, return_inverse=True)[1].astype(np.int32)
        centroids = centroids[kept]


def parents_of(embeddings: Floats, leaf_of: Ids, settings: ClusterSettings) -> Ids:
    """Return (leaves,) parent numbers, -1 for a leaf of the top level: k-means of leaf centroids, weighted by size.

    A parent of one leaf would say nothing new, so such a leaf stands at the top by itself.
    """
    sizes = np.bincount(leaf_of)
    leaves = len(sizes)
    if leaves < settings.leaves_for_parents:
        return np.full(leaves, -1, np.int32)
    sums = np.zeros((leaves, embeddings.shape[1]), np.float32)
    np.add.at(sums, leaf_of, embeddings)
    means = unit_rows(sums)
    count = min(settings.most_parents, round(1.6 * leaves**0.5))
    centroids = _kmeans(means, count, settings, tries=10, weights=sizes.astype(np.float32))
    parent_of = _nearest(means, centroids).astype(np.int32)
    parent_of[np.bincount(parent_of)[parent_of] == 1] = -1
    return parent_of


def _kmeans(points: Floats, count: int, settings: ClusterSettings, tries: int, weights: Floats | None = None) -> Floats:
    """Return (count, d) unit centroids; the point limits only keep FAISS from warning about small samples."""
    kmeans = faiss.Kmeans(
        points.shape[1], count, niter=settings.iterations, nredo=tries, seed=settings.seed, spherical=True,
        min_points_per_centroid=1, max_points_per_centroid=settings.sample_per_leaf,
    )  # fmt: skip
    kmeans.train(points, weights=weights)
    return np.array(kmeans.centroids, np.float32)


def _nearest(points: Floats, centroids: Floats) -> NDArray[np.int64]:
    """Return (n,) the centroid with the largest inner product; of equal ones the first, for any block size."""
    blocks = [points[start : start + 8192] @ centroids.T for start in range(0, len(points), 8192)]
    return np.concatenate([block.argmax(axis=1) for block in blocks])


def _numbered(leaf_of: Ids, parent_of: Ids) -> tuple[Ids, list[int | None]]:
    """Return (n,) leaf ids and per cluster its parent's id: parents first, then leaves, larger first, then by row."""
    leaf_sizes = np.bincount(leaf_of)
    first_rows = np.unique(leaf_of, return_index=True)[1]
    leaves = np.lexsort((first_rows, -leaf_sizes))
    groups = [np.flatnonzero(parent_of == parent) for parent in np.unique(parent_of[parent_of >= 0])]
    groups.sort(key=lambda group: (-leaf_sizes[group].sum(), first_rows[group].min()))
    parents: list[int | None] = [None] * (len(groups) + len(leaves))
    ids = np.empty(len(leaves), np.int32)
    ids[leaves] = np.arange(len(groups), len(parents))
    for number, group in enumerate(groups):
        for leaf in group:
            parents[ids[leaf]] = number
    return ids[leaf_of], parents


def _rows_of(cluster: int, cluster_of: Ids, parents: Sequence[int | None]) -> NDArray[np.int64]:
    """Return the rows of a leaf, or of all leaves below a parent."""
    children = [child for child, parent in enumerate(parents) if parent == cluster]
    return np.flatnonzero(np.isin(cluster_of, children or [cluster]))


def _nearest_first(rows: NDArray[np.int64], embeddings: Floats, centroid: Floats) -> NDArray[np.int64]:
    """Return the rows by falling cosine to the centroid, equal ones in row order."""
    return rows[np.argsort(-(embeddings[rows] @ centroid), kind="stable")]
