"""Who belongs together: communities of the graph of nearest neighbours are the leaves, and leaves join into parents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix
from sklearn.cluster import AgglomerativeClustering
from sknetwork.clustering import Louvain

from indexer.clustering.settings import ClusterSettings
from indexer.grouping import folded_vectors
from indexer.neighbors import nearest_neighbors
from search.arrays import Floats, Rows

RESOLUTIONS = 0.05, 5_000.0  # between which the one is sought that gives the wanted number of communities
CLOSE_ENOUGH = 0.05  # share by which the number of communities may differ from what is wanted
BLOCK = 8_192  # rows compared at once


def leaves_of(points: Floats, settings: ClusterSettings) -> Rows:
    """Return (g,) leaf numbers 0..leaves-1; each point belongs to the leaf whose centroid is nearest.

    Leaves begin as communities (`communities_of`); one pass of k-means then settles each point with its nearest
    centroid, which is also how a new product finds its leaf later. None is empty, and small ones are dissolved where
    there is a choice.
    """
    count = len(points)
    size = float(np.clip(settings.leaf_scale * count**0.5, settings.leaf_smallest, settings.leaf_largest))
    wanted = max(1, round(count / size))
    leaf_of = np.zeros(count, np.int64) if wanted == 1 else communities_of(points, wanted, settings)
    while True:
        sizes = np.bincount(leaf_of)
        kept = sizes >= min(settings.least_products, sizes.max())
        settled = nearest(points, folded_vectors(points, leaf_of)[kept])
        leaf_of = np.unique(settled, return_inverse=True)[1].astype(np.int64)
        sizes = np.bincount(leaf_of)
        if (sizes >= min(settings.least_products, sizes.max())).all():
            return leaf_of


def communities_of(points: Floats, wanted: int, settings: ClusterSettings) -> Rows:
    """Return (g,) community numbers, about `wanted` of them large enough to be leaves.

    Louvain (Blondel et al. 2008), by scikit-network, on the graph of nearest neighbours: it finds groups of unlike size
    and shape, which shops have and k-means does not find. Its Leiden draws from a generator that cannot be seeded. The
    resolution that gives the wanted number is found by bisection.
    """
    graph = csr_matrix(neighbor_graph(points, settings))  # scikit-network takes the older SciPy type only
    low, high = RESOLUTIONS
    best, least_off = np.zeros(len(points), np.int64), float("inf")
    for _ in range(20):
        middle = (low * high) ** 0.5
        found = Louvain(resolution=middle, random_state=settings.seed, shuffle_nodes=False).fit_predict(graph)
        sizes = np.bincount(found)
        large = int((sizes >= settings.least_products).sum())
        if abs(large - wanted) < least_off:
            best, least_off = found.astype(np.int64), abs(large - wanted)
        if least_off <= CLOSE_ENOUGH * wanted:
            break
        # A resolution so high that most communities are too small for a leaf is not the way to more leaves.
        is_low = large < wanted and sizes.mean() >= settings.least_products
        low, high = (middle, high) if is_low else (low, middle)
    return best


def neighbor_graph(points: Floats, settings: ClusterSettings) -> csr_array:
    """Return the (g, g) symmetric graph of nearest neighbours, 0 where neither is near the other.

    Two neighbours are tied by the share of their neighbourhoods that they have in common (Jaccard), which loosens the
    ties of points that everything is near to (as in PhenoGraph, Levine et al. 2015).
    """
    count = len(points)
    near = nearest_neighbors(points, settings.neighbors).items
    rows = np.repeat(np.arange(count), near.shape[1])
    hoods = csr_array((np.ones(near.size, np.float32), (rows, near.ravel())), (count, count))
    ties = hoods.maximum(hoods.T).tocoo()
    own = (hoods + csr_array((np.ones(count, np.float32), (np.arange(count),) * 2), (count, count))).tocsr()
    sizes = np.asarray(own.sum(axis=1)).ravel()
    common = np.concatenate(
        [
            np.asarray(own[ties.row[at : at + BLOCK]].multiply(own[ties.col[at : at + BLOCK]]).sum(axis=1)).ravel()
            for at in range(0, ties.nnz, BLOCK)
        ]
    )
    weights = common / (sizes[ties.row] + sizes[ties.col] - common)
    return csr_array((weights, (ties.row, ties.col)), (count, count))


def parents_of(points: Floats, leaf_of: Rows, settings: ClusterSettings) -> Rows:
    """Return (leaves,) parent numbers, -1 for a leaf of the top level: leaf centroids joined by Ward's method.

    A parent of one leaf would say nothing new, so such a leaf stands at the top by itself.
    """
    leaves = int(leaf_of.max()) + 1
    if leaves < settings.leaves_for_parents:
        return np.full(leaves, -1, np.int64)
    count = min(settings.most_parents, round(1.6 * leaves**0.5))
    joined = AgglomerativeClustering(count, linkage="ward").fit_predict(folded_vectors(points, leaf_of))
    parent_of = np.asarray(joined, np.int64)
    parent_of[np.bincount(parent_of)[parent_of] == 1] = -1
    return parent_of


def nearest(points: Floats, centroids: Floats) -> Rows:
    """Return (g,) the centroid with the largest inner product; of equal ones the first, for any block size."""
    blocks = [points[start : start + BLOCK] @ centroids.T for start in range(0, len(points), BLOCK)]
    best: NDArray[np.int64] = np.concatenate([block.argmax(axis=1) for block in blocks])
    return best
