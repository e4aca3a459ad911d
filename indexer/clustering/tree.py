"""Which leaf each product is in and which leaves a parent joins, by cluster id."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.clustering.leaves import leaves_of, parents_of
from indexer.clustering.settings import ClusterSettings
from search.arrays import Floats, Rows


@dataclass(frozen=True)
class Tree:
    """Two levels of clusters over g points.

    Attributes:
        leaf_of: (g,) int64 leaf ids.
        parent_of: leaf id -> the id of its parent, None for a leaf of the top level; every parent has two or more.
    """

    leaf_of: Rows
    parent_of: dict[int, int | None]

    def children(self, parent: int) -> list[int]:
        """Return the leaves that a parent joins."""
        return [leaf for leaf, above in self.parent_of.items() if above == parent]

    def parents(self) -> list[int]:
        """Return the ids of all parents."""
        return list(dict.fromkeys(above for above in self.parent_of.values() if above is not None))

    def members(self, cluster: int) -> Rows:
        """Return the points of a leaf, or of all leaves below a parent, ascending."""
        return np.flatnonzero(np.isin(self.leaf_of, self.children(cluster) or [cluster]))

    def in_order(self) -> list[int]:
        """Return all ids: parents first, then leaves, larger first, equally large ones by their first point."""

        leaves, firsts, sizes = np.unique(self.leaf_of, return_index=True, return_counts=True)
        of_leaf = dict(zip(leaves.tolist(), zip(sizes.tolist(), firsts.tolist(), strict=True), strict=True))

        def place(cluster: int) -> tuple[int, int]:
            own = [of_leaf[leaf] for leaf in self.children(cluster) or [cluster]]
            return -sum(size for size, _ in own), min(first for _, first in own)

        return sorted(self.parents(), key=place) + sorted(self.parent_of, key=place)

    def renamed(self, ids: dict[int, int]) -> Tree:
        """Return the same tree under other ids."""
        leaves = np.array([ids[leaf] for leaf in self.leaf_of.tolist()], np.int64)
        return Tree(
            leaves, {ids[leaf]: above if above is None else ids[above] for leaf, above in self.parent_of.items()}
        )


def fresh_tree(points: Floats, settings: ClusterSettings) -> Tree:
    """Return the clusters of (g, d) float32 unit rows, numbered 0..k-1 in the order of `Tree.in_order`."""
    leaf_of = leaves_of(points, settings)
    parent_of = parents_of(points, leaf_of, settings)
    leaves = len(parent_of)
    above = {leaf: None if parent < 0 else leaves + int(parent) for leaf, parent in enumerate(parent_of)}
    tree = Tree(leaf_of, above)
    return tree.renamed({cluster: number for number, cluster in enumerate(tree.in_order())})
