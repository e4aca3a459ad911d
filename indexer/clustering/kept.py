"""The clusters of the live release as they are, where next to nothing changed: same labels, few products to place.

Where more changed, `products.py` compares everything anew and only the ids live on.
"""

from __future__ import annotations

from dataclasses import replace

import faiss
import numpy as np

from indexer.clustering.former import Former
from indexer.clustering.products import Clustering
from indexer.grouping import folded_vectors
from indexer.neighbors import threads
from search.arrays import Floats, Rows
from search.clusters import Cluster
from search.cpus import cpu_threads

ASKED, VOTES = 30, 10  # nearest products of a new one that are found, and those of known clusters that decide


def kept_clusters(former: Former, embeddings: Floats, group_of: Rows, looked_at: int) -> Clustering | None:
    """Return the former clusters with the products of today; None where one of them has lost all of its own.

    A product that is new or reads otherwise joins, with its variants, the leaf that most of its nearest are in, each
    weighed by its cosine.

    Args:
        former: seen from the n rows of today.
        embeddings: (n, d) float32 unit rows, of the encoder that decided the clusters.
        group_of: (n,) 0.. in order of first rows, equal for the variants of one product.
        looked_at: how many products decided the clusters.
    """
    known = np.flatnonzero(former.is_unchanged)
    groups, firsts = np.unique(group_of[known], return_index=True)
    leaves = np.full(int(group_of.max()) + 1, -1, np.int64)
    leaves[groups] = former.leaf_of[known[firsts]]
    rows = np.flatnonzero(leaves[group_of] < 0)
    if len(rows):
        new, places = np.unique(group_of[rows], return_inverse=True)
        vectors = folded_vectors(np.ascontiguousarray(embeddings[rows], np.float32), places)
        found = _leaves_near(vectors, embeddings, leaves[group_of])
        if found is None:
            return None
        leaves[new] = found
    leaf_of = leaves[group_of]
    sizes = dict(zip(*(one.tolist() for one in np.unique(leaf_of, return_counts=True)), strict=True))
    if sizes.keys() != former.parent_of.keys():
        return None
    order, clusters = _as_today(former, leaf_of, sizes)
    return Clustering(
        leaf_of.astype(np.int32), clusters, former.centroids[order], True, former.is_decided,
        {"decided": former.decided, "next_id": former.next_id}, former.moved, looked_at,
    )  # fmt: skip


def _leaves_near(vectors: Floats, embeddings: Floats, leaf_of: Rows) -> Rows | None:
    """Return (k,) the leaf of each vector; None where too few products of known clusters are near.

    Args:
        vectors: (k, d) float32 unit rows.
        embeddings: (n, d) float32 unit rows; leaf_of: (n,) of them, -1 where it is not known.
    """
    with threads(cpu_threads()):
        cosines, near = faiss.knn(vectors, embeddings, min(ASKED, len(embeddings)), metric=faiss.METRIC_INNER_PRODUCT)
    found = []
    for of_one, leaves in zip(cosines, leaf_of[near], strict=True):
        votes = np.flatnonzero(leaves >= 0)[:VOTES]
        if len(votes) == 0:
            return None
        candidates, places = np.unique(leaves[votes], return_inverse=True)
        found.append(candidates[np.bincount(places, np.maximum(of_one[votes], 1e-6)).argmax()])
    return np.array(found, np.int64)


def _as_today(former: Former, leaf_of: Rows, sizes: dict[int, int]) -> tuple[list[int], tuple[Cluster, ...]]:
    """Return where each cluster stood, and the clusters with the sizes and rows of today, in today's order."""
    row_now = {old: row for row, old in enumerate(former.row_of.tolist()) if old >= 0}
    first_of = dict(zip(*(one.tolist() for one in np.unique(leaf_of, return_index=True)), strict=True))
    children: dict[int, list[int]] = {}
    for leaf, above in former.parent_of.items():
        children.setdefault(leaf if above is None else above, []).append(leaf)
    today = []
    for one in former.clusters:
        leaves = [one.id] if one.id in sizes else children[one.id]
        top = tuple(row_now[row] for row in one.top_rows if row in row_now)
        size = sum(sizes[leaf] for leaf in leaves)
        today.append(replace(one, size=size, top_rows=top or (min(first_of[leaf] for leaf in leaves),)))
    order = sorted(range(len(today)), key=lambda place: (today[place].id in sizes, -today[place].size, place))
    return order, tuple(today[place] for place in order)
