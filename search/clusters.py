"""Clusters of a release, read back: what groups there are and which row belongs where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, Mask, Rows, expect
from search.errors import NotFound, ReleaseDamaged


@dataclass(frozen=True)
class Cluster:
    """One group of products that lie near each other.

    Attributes:
        id: stable within the release.
        parent: id of the larger group it is part of, None at the top.
        label: a few words for people.
        size: how many products.
        top_rows: rows nearest its centroid, nearest first.
    """

    id: int
    parent: int | None
    label: str
    size: int
    top_rows: tuple[int, ...]


@dataclass(frozen=True)
class ClusterIndex:
    """Two levels of clusters; every row belongs to one leaf.

    Attributes:
        clusters: by id.
        cluster_of: (n,) int32 leaf id.
        positions: (n, 2) float32 map positions, -1..1.
    """

    clusters: dict[int, Cluster]
    cluster_of: NDArray[np.int32]
    positions: Floats

    @classmethod
    def load(cls, folder: Path, rows: int) -> ClusterIndex:
        """Read clusters back.

        Raises:
            ReleaseDamaged: a file is missing or does not fit the number of rows.
        """
        try:
            data = json.loads((folder / "clusters.json").read_text("utf-8"))
            cluster_of = expect(np.load(folder / "cluster_of.npy"), (rows,), np.int32, "cluster_of")
            positions = expect(np.load(folder / "positions.npy"), (rows, 2), np.float32, "positions")
            clusters = [
                Cluster(entry["id"], entry["parent"], entry["label"], entry["size"], tuple(entry["top_rows"]))
                for entry in data["clusters"]
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseDamaged(f"the clusters in {folder} cannot be read ({error}); build again") from error
        return cls({cluster.id: cluster for cluster in clusters}, cluster_of, positions)

    def cluster(self, cluster_id: int) -> Cluster:
        """Return a cluster by id.

        Raises:
            NotFound: there is none.
        """
        if cluster_id not in self.clusters:
            raise NotFound(f"no cluster {cluster_id} in this release; see /api/v1/clusters for those there are")
        return self.clusters[cluster_id]

    def children(self, cluster_id: int | None) -> list[Cluster]:
        """Return the clusters directly below one (None: the top level), largest first."""
        below = [cluster for cluster in self.clusters.values() if cluster.parent == cluster_id]
        return sorted(below, key=lambda cluster: (-cluster.size, cluster.id))

    def rows_in(self, cluster_id: int) -> Mask:
        """Return (n,) bool: the rows of a leaf, or of all leaves below a parent."""
        leaves = {cluster_id} | {cluster.id for cluster in self.clusters.values() if cluster.parent == cluster_id}
        return np.isin(self.cluster_of, list(leaves))

    def counts(self, rows: Rows) -> list[tuple[Cluster, int]]:
        """Return (leaf cluster, how many of the rows), most first."""
        ids, counts = np.unique(self.cluster_of[rows], return_counts=True)
        order = np.lexsort((ids, -counts))
        return [(self.clusters[int(ids[i])], int(counts[i])) for i in order]


def cluster_json(cluster: Cluster, count: int | None = None) -> dict[str, Any]:
    """Return `{"id", "label", "count", "parent"}`; count is the cluster's size unless given."""
    return {
        "id": cluster.id, "label": cluster.label, "count": cluster.size if count is None else count,
        "parent": cluster.parent,
    }  # fmt: skip
