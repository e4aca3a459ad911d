"""Clusters of a release: what groups there are, which row belongs where, and where the rows lie on the map."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, Mask, Rows, expect, mapped
from search.errors import NotFound, ReleaseDamaged
from search.folding import Counted, Folding


@dataclass(frozen=True)
class Cluster:
    """One group of products that lie near each other.

    Attributes:
        id: the same in every release in which the group lives on; never used again for another.
        parent: id of the larger group it is part of, None at the top.
        label: a few words for people; no two leaves have the same, nor two clusters of the top level.
        size: how many rows of the catalog, variants included.
        top_rows: the first rows of up to 12 products nearest its centroid, nearest first.
        terms: the title terms that tell it from the others, strongest first.
        attributes: brand or attribute -> the value that most of its products share and most others do not.
        neighbors: ids of the clusters of its level most like it, the nearest first.
    """

    id: int
    parent: int | None
    label: str
    size: int
    top_rows: tuple[int, ...]
    terms: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    neighbors: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the cluster as clusters.json holds it, in field order."""
        return {
            "id": self.id, "parent": self.parent, "label": self.label, "size": self.size,
            "top_rows": list(self.top_rows), "terms": list(self.terms), "attributes": self.attributes,
            "neighbors": list(self.neighbors),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Cluster:
        """Return the cluster that `as_json` gave.

        Raises:
            KeyError, TypeError: a field is missing or of another kind.
        """
        return cls(
            data["id"], data["parent"], data["label"], data["size"], tuple(data["top_rows"]), tuple(data["terms"]),
            dict(data["attributes"]), tuple(data["neighbors"]),
        )  # fmt: skip


@dataclass(frozen=True)
class ClusterIndex:
    """Two levels of clusters; every row belongs to one leaf.

    Attributes:
        clusters: by id.
        cluster_of: (n,) int32 leaf id.
        positions: (n, 2) float32 map positions, -1..1.
        moved: ids of earlier releases that are gone -> where their products went.
    """

    clusters: dict[int, Cluster]
    cluster_of: NDArray[np.int32]
    positions: Floats
    moved: dict[int, int]

    @classmethod
    def load(cls, folder: Path, rows: int) -> ClusterIndex:
        """Read clusters back.

        Raises:
            ReleaseDamaged: a file is missing, or they do not fit each other or the number of rows.
        """
        try:
            data = json.loads((folder / "clusters.json").read_text("utf-8"))
            cluster_of = expect(mapped(folder / "cluster_of.npy"), (rows,), np.int32, "cluster_of")
            positions = expect(mapped(folder / "positions.npy"), (rows, 2), np.float32, "positions")
            clusters = {cluster.id: cluster for cluster in map(Cluster.from_json, data["clusters"])}
            moved = {int(gone): int(target) for gone, target in data["moved"]}
            named = {*np.flatnonzero(np.bincount(cluster_of)).tolist(), *moved.values()} | {
                one.parent for one in clusters.values()
            } - {None}
            if not named <= clusters.keys():
                raise ValueError("a product, a group or a moved id names a cluster that is not there")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseDamaged(f"the clusters in {folder} cannot be read ({error}); build again") from error
        return cls(clusters, cluster_of, positions, moved)

    def cluster(self, cluster_id: int) -> Cluster:
        """Return a cluster by id; by one that is gone, the cluster where most of its products are now.

        Raises:
            NotFound: there is none.
        """
        found = self.clusters.get(self.moved.get(cluster_id, cluster_id))
        if found is None:
            raise NotFound(f"no cluster {cluster_id} in this release; see /api/v1/clusters for those there are")
        return found

    def children(self, cluster_id: int | None) -> list[Cluster]:
        """Return the clusters directly below one (None: the top level), largest first."""
        below = [cluster for cluster in self.clusters.values() if cluster.parent == cluster_id]
        return sorted(below, key=lambda cluster: (-cluster.size, cluster.id))

    def neighbors(self, cluster_id: int) -> list[Cluster]:
        """Return the clusters of the same level most like one, the nearest first."""
        return [self.clusters[near] for near in self.cluster(cluster_id).neighbors if near in self.clusters]

    def rows_in(self, cluster_id: int) -> Mask:
        """Return (n,) bool: the rows of a leaf, or of all leaves below a parent.

        Raises:
            NotFound: there is no such cluster.
        """
        found = self.cluster(cluster_id).id
        leaves = {found} | {cluster.id for cluster in self.clusters.values() if cluster.parent == found}
        return np.isin(self.cluster_of, list(leaves))

    def counts(self, rows: Rows, folding: Folding | None = None, most: int | None = None) -> list[tuple[Cluster, int]]:
        """Return (leaf cluster, how many of the rows or, with a folding, of their products), most first.

        Args:
            rows, folding: what is counted.
            most: clusters; None returns all.
        """
        return self._counted(self.cluster_of, rows, folding, most)

    def all_counts(self, rows: Rows, folding: Folding | None = None) -> dict[int, int]:
        """Return cluster id -> how many of the rows or, with a folding, of their products, for leaves and parents."""
        tops = self._counted(self.top_of, rows, folding)
        return {cluster.id: count for cluster, count in [*tops, *self.counts(rows, folding)]}

    @cached_property
    def top_of(self) -> NDArray[np.int32]:
        """(n,) the parent of each row's leaf, or the leaf itself at the top."""
        top_of = np.zeros(max(self.clusters) + 1, np.int32)
        for one in self.clusters.values():
            top_of[one.id] = one.id if one.parent is None else one.parent
        return top_of[self.cluster_of]

    def _counted(
        self, column: NDArray[np.int32], rows: Rows, folding: Folding | None, most: int | None = None
    ) -> list[tuple[Cluster, int]]:
        own = column[rows]
        counts = Counted(rows, folding).counts(own, int(own.max(initial=0)) + 1)
        ids = counts.nonzero()[0]
        ids = ids[(-counts[ids]).argsort(kind="stable")][:most]
        return [(self.clusters[one], count) for one, count in zip(ids.tolist(), counts[ids].tolist(), strict=True)]


def cluster_json(cluster: Cluster, count: int | None = None) -> dict[str, Any]:
    """Return `{"id", "label", "count", "parent"}`; count is the cluster's size unless given."""
    return {
        "id": cluster.id, "label": cluster.label, "count": cluster.size if count is None else count,
        "parent": cluster.parent,
    }  # fmt: skip
