"""The products of a large catalog that took no part in the decision: each joins the leaf whose centroid is nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.clustering.former import Former
from indexer.clustering.leaves import nearest
from indexer.clustering.points import Path, PointSpace
from indexer.clustering.tree import Tree
from indexer.grouping import folded_vectors
from search.arrays import Floats, Mask, Rows, runs, taken
from search.product import Product

BLOCK = 8_192  # groups of variants whose points are in memory at once


def all_leaves(
    tree: Tree, space: PointSpace, embeddings: Floats, products: Sequence[Product], group_of: Rows, rows: Rows,
    leaves: Rows, known: Former | None,
) -> Rows:  # fmt: skip
    """Return (n,) int64, the leaf of every row of the catalog.

    Args:
        tree: decided on a sample.
        space: of the sample.
        embeddings: (n, d) float32 unit rows.
        products: the n products.
        group_of: (n,) see `indexer.grouping.fold_variants`.
        rows: (m,) the rows of the sample.
        leaves: (m,) their leaves.
        known: clusters that stay, whose unchanged products stay where they are; None for new clusters.
    """
    leaf_of = np.full(int(group_of.max()) + 1, -1, np.int64)  # of groups
    if known is not None:
        stays = np.flatnonzero(known.is_unchanged & np.isin(known.leaf_of, list(tree.parent_of)))
        leaf_of[group_of[stays[::-1]]] = known.leaf_of[stays[::-1]]  # a group's first row decides
    leaf_of[group_of[rows]] = leaves
    waiting = np.flatnonzero(leaf_of < 0)
    if len(waiting):
        numbers, of_leaf = np.unique(tree.leaf_of, return_inverse=True)
        centroids = folded_vectors(space.points, of_leaf)
        categories = _categories_of(products, group_of, leaf_of < 0)
        order = np.argsort(group_of, kind="stable")
        starts = np.searchsorted(group_of[order], np.arange(len(leaf_of) + 1))
        for start in range(0, len(waiting), BLOCK):
            groups = waiting[start : start + BLOCK]
            sizes = starts[groups + 1] - starts[groups]
            own = np.repeat(np.arange(len(groups)), sizes)
            members = order[runs(starts[groups], sizes)]
            points = space.of(taken(embeddings, members), members, own, [categories[group] for group in groups])
            leaf_of[groups] = numbers[nearest(points, centroids)]
    return leaf_of[group_of]


def _categories_of(products: Sequence[Product], group_of: Rows, is_asked: Mask) -> dict[int, Path]:
    """Return group -> the category of its first row, for the groups that are asked for."""
    paths: dict[Path, Path] = {}  # a path is held once
    found: dict[int, Path] = {}
    for product, group, asked in zip(products, group_of.tolist(), is_asked[group_of].tolist(), strict=True):
        if asked and group not in found:
            found[group] = paths.setdefault(product.category, product.category)
    return found
