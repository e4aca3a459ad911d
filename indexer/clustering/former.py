"""The clusters of the live release: kept while most products are as they were, and else matched, so that ids live on.

A link to a cluster should lead to the same things after a rebuild. While at least four fifths of the products are as
they were when the clusters were decided, they stay where they are and new ones join the nearest leaf. When clusters are
decided anew, each gets the id of the former one it overlaps most; an id that is gone leads to where its products went.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from indexer.clustering.leaves import nearest
from indexer.clustering.tree import Tree
from indexer.grouping import folded_vectors
from search.arrays import Floats, Mask, Rows
from search.clusters import Cluster, ClusterIndex
from search.errors import ReleaseDamaged
from search.home import Layout
from search.store import ProductStore

DECIDED_SHARE = 0.8  # of the products, unchanged since the decision, that keeps it in force
SAME = 1 / 3  # least overlap (Jaccard) with a former cluster that makes a cluster the same


@dataclass(frozen=True)
class Former:
    """Clusters of an earlier release, seen from the n rows of the new one.

    Attributes:
        leaf_of: (n,) int64, the leaf that the same product (by id) was in; -1 for a new product.
        is_unchanged: (n,) bool, whether its texts are what they were then.
        is_decided: (n,) bool, whether they are what they were when the clusters were decided.
        positions: (n, 2) float32, where each unchanged product lay on the map; NaN for the others.
        parent_of: leaf id -> parent id, as in `Tree`.
        decided: what the decision was made on: `encoder`, `settings` and the number of `products`.
        next_id: the first id never used.
        moved: ids that are gone -> where their products went.
        row_of: (n,) int64, the row of the same product there; -1 for a new product.
        clusters, centroids: as that release has them.
    """

    leaf_of: Rows
    is_unchanged: Mask
    is_decided: Mask
    positions: Floats
    parent_of: dict[int, int | None]
    decided: dict[str, Any]
    next_id: int
    moved: dict[int, int]
    row_of: Rows
    clusters: tuple[Cluster, ...]
    centroids: Floats

    def holds(self, encoder: str, settings: dict[str, Any]) -> bool:
        """Return whether the clusters stay: same encoder and settings, and enough products as they were."""
        if (self.decided["encoder"], self.decided["settings"]) != (encoder, settings):
            return False
        return bool(self.is_decided.sum() >= DECIDED_SHARE * max(len(self.leaf_of), self.decided["products"]))

    def at(self, rows: Rows) -> Former:
        """Return the same as seen from some of the rows."""
        return replace(
            self, leaf_of=self.leaf_of[rows], is_unchanged=self.is_unchanged[rows],
            is_decided=self.is_decided[rows], positions=self.positions[rows],
            row_of=self.row_of[rows],
        )  # fmt: skip

    @property
    def ids(self) -> list[int]:
        """All former ids, parents too."""
        return list(
            dict.fromkeys([*self.parent_of, *(above for above in self.parent_of.values() if above is not None)])
        )

    def parents(self) -> Rows:
        """Return (n,) int64, the parent of each row's former leaf; -1 where there is none."""
        return _above(self.leaf_of, self.parent_of)


def former_clusters(live: Layout | None, product_ids: Sequence[str], hashes: Any) -> Former | None:
    """Return the live release's clusters as seen from a new release; None when there are none to read.

    Args:
        live: the live release; None for a first build.
        product_ids: of the n rows of the new release.
        hashes: (n, 16) uint8, of their texts.
    """
    if live is None:
        return None
    try:
        old_ids = ProductStore(live.products).ids()
        index = ClusterIndex.load(live.clusters, len(old_ids))
        record = json.loads((live.clusters / "decision.json").read_text("utf-8"))
        was_decided = np.load(live.clusters / "is_decided.npy")
        old_hashes = np.load(live.text_hashes)
        old_row = {product_id: row for row, product_id in enumerate(old_ids)}
        rows = np.array([old_row.get(product_id, -1) for product_id in product_ids], np.int64)
        is_unchanged = (rows >= 0) & (old_hashes[rows] == hashes).all(axis=1)
        leaves = set(index.cluster_of.tolist())
        return Former(
            leaf_of=np.where(rows >= 0, index.cluster_of[rows], -1).astype(np.int64),
            is_unchanged=is_unchanged,
            is_decided=is_unchanged & was_decided[rows],
            positions=np.where(is_unchanged[:, None], index.positions[rows], np.nan).astype(np.float32),
            parent_of={leaf: index.clusters[leaf].parent for leaf in sorted(leaves)},
            decided=record["decided"],
            next_id=int(record["next_id"]),
            moved=dict(index.moved),
            row_of=rows,
            clusters=tuple(index.clusters.values()),
            centroids=np.load(live.clusters / "centroids.npy"),
        )
    except (ReleaseDamaged, OSError, ValueError, KeyError, TypeError, IndexError):
        return None  # of an older format, or damaged: clusters begin anew


def kept_tree(former: Former, points: Floats, group_of: Rows) -> Tree:
    """Return the former clusters with the products of today: unchanged ones stay, others join the nearest leaf.

    Args:
        former: whose decision holds.
        points: (g, d) float32 unit rows of today.
        group_of: (n,) the point of each row.
    """
    rows = np.flatnonzero(former.is_unchanged)
    groups, firsts = np.unique(group_of[rows], return_index=True)
    leaf_of = np.full(len(points), -1, np.int64)
    leaf_of[groups] = former.leaf_of[rows[firsts]]
    leaves, numbers = np.unique(leaf_of[groups], return_inverse=True)
    new = np.flatnonzero(leaf_of < 0)
    if len(new):
        leaf_of[new] = leaves[nearest(points[new], folded_vectors(points[groups], numbers))]
    parent_of = {int(leaf): former.parent_of[int(leaf)] for leaf in leaves}
    counts = {above: list(parent_of.values()).count(above) for above in set(parent_of.values())}
    return Tree(leaf_of, {leaf: above if counts[above] > 1 else None for leaf, above in parent_of.items()})


def matched_tree(tree: Tree, former: Former, group_of: Rows) -> Tree:
    """Return a new tree under the ids of the former clusters that it repeats, and under unused ids where it does not.

    Leaves are matched with leaves and parents with parents, so that the sum of the overlaps is largest (Hungarian
    method, by SciPy).
    """
    leaf_of = tree.leaf_of[group_of]
    parents = _above(leaf_of, tree.parent_of)
    same = {**_same_clusters(leaf_of, former.leaf_of), **_same_clusters(parents, former.parents())}
    ids, unused = {}, former.next_id
    for cluster in tree.in_order():
        ids[cluster] = same.get(cluster, unused)
        unused += cluster not in same
    return tree.renamed(ids)


def moved_ids(tree: Tree, former: Former, group_of: Rows) -> dict[int, int]:
    """Return, for each id that is gone, the cluster where most of its products are now; none for one without any."""
    leaf_of, parents = tree.leaf_of[group_of], former.parents()
    alive = {*tree.parent_of, *tree.parents()}
    moved = {}
    for gone in set(former.ids) - alive:
        rows = np.flatnonzero((former.leaf_of == gone) | (parents == gone))
        leaves = leaf_of[rows]
        above = [tree.parent_of[leaf] for leaf in leaves.tolist()]
        known = [one for one in above if one is not None] if gone not in former.parent_of else []
        if len(rows):
            moved[gone] = max(known, key=known.count) if known else int(np.bincount(leaves).argmax())
        elif former.parent_of.get(gone) in alive:
            moved[gone] = former.parent_of[gone] or 0
    chained = {gone: moved.get(target, target) for gone, target in former.moved.items()}
    return {gone: target for gone, target in {**chained, **moved}.items() if target in alive and gone not in alive}


def _above(leaf_of: Rows, parent_of: dict[int, int | None]) -> Rows:
    """Return (n,) int64, the parent of each row's leaf; -1 where there is none."""
    return np.array([-1 if (above := parent_of.get(leaf)) is None else above for leaf in leaf_of.tolist()], np.int64)


def _same_clusters(new_of: Rows, old_of: Rows) -> dict[int, int]:
    """Return new cluster -> the old one it repeats; -1 in either (n,) array is no cluster."""
    new, new_places = np.unique(new_of, return_inverse=True)
    old, old_places = np.unique(old_of, return_inverse=True)
    both = np.zeros((len(new), len(old)))
    np.add.at(both, (new_places, old_places), 1)
    overlap = both / (both.sum(axis=1)[:, None] + both.sum(axis=0) - both)
    overlap[new < 0] = overlap[:, old < 0] = 0.0
    pairs = zip(*linear_sum_assignment(overlap, maximize=True), strict=True)
    return {int(new[a]): int(old[b]) for a, b in pairs if overlap[a, b] >= SAME}
