"""How good the clusters are: sizes, how alike their products are, and which hold together best and worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.grouping import sums_of
from search.arrays import Floats, Rows, unit_rows
from search.product import Product

SHOWN = 8  # best and worst each
EXAMPLES = 3
LEAST_ITEMS = 4  # of a cluster that is called good or bad
LOOSE = -0.05  # mean silhouette below which a cluster is worth a look
BINS = 16
_BLOCK = 8_192

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class ClusterQuality:
    """One cluster: how many items, its mean silhouette, the mean cosine to its centre, and its most central titles."""

    id: int
    label: str
    count: int
    silhouette: float
    cohesion: float
    titles: tuple[str, ...]


@dataclass(frozen=True)
class Clusters:
    """How good the leaf clusters are.

    Attributes:
        count: how many.
        silhouette: mean over all items, -1..1: how much nearer an item is to its own cluster than to the next.
        between: share of the items that lie nearer to another cluster than to their own.
        median_size: items.
        edges: (b + 1,) and heights: (b,) of the histogram of sizes.
        best, worst: by silhouette.
    """

    count: int
    silhouette: float
    between: float
    median_size: int
    edges: tuple[float, ...]
    heights: tuple[int, ...]
    best: tuple[ClusterQuality, ...]
    worst: tuple[ClusterQuality, ...]

    @property
    def needs_a_look(self) -> bool:
        """Whether there is something to do."""
        return bool(self.worst) and self.worst[0].silhouette < LOOSE

    @property
    def summary(self) -> str:
        """What was found and what to do, in plain words."""
        if self.count < 2:
            return "All products are in one cluster, so there is nothing to compare."
        said = (
            f"{self.count:,} clusters of about {self.median_size:,} products; {1 - self.between:.0%} of the products "
            "lie nearest to their own"
        )
        if not self.needs_a_look:
            return f"{said}, and every cluster holds together."
        return (
            f"{said}. The loosest is “{self.worst[0].label}”: on average its products lie nearer to another cluster, "
            "and its label may mislead."
        )


def clusters_of(items: Sequence[Product], vectors: Floats, cluster_of: Rows, labels: Mapping[int, str]) -> Clusters:
    """Return how good the leaf clusters of m items are.

    Args:
        items: m products, variants folded.
        vectors: (m, d) float32 unit rows.
        cluster_of: (m,) int64 leaf cluster.
        labels: leaf cluster -> label.
    """
    ids, place = np.unique(cluster_of, return_inverse=True)
    sizes = np.bincount(place)
    widths = silhouettes(vectors, place)
    centroids = unit_rows(sums_of(vectors, place))
    central = (vectors * centroids[place]).sum(axis=1)
    means = np.bincount(place, widths) / sizes
    cohesion = np.bincount(place, central) / sizes
    judged = [number for number in np.argsort(-means, kind="stable") if sizes[number] >= LEAST_ITEMS]

    def described(number: int) -> ClusterQuality:
        members = np.flatnonzero(place == number)
        first = members[np.argsort(-central[members], kind="stable")[:EXAMPLES]]
        return ClusterQuality(
            int(ids[number]),
            labels.get(int(ids[number]), f"cluster {ids[number]}"),
            int(sizes[number]),
            float(means[number]),
            float(cohesion[number]),
            tuple(items[item].title for item in first),
        )

    half = len(judged) // 2
    heights, edges = np.histogram(sizes, bins=min(BINS, max(1, int(np.ptp(sizes)))))
    return Clusters(
        len(ids),
        float(widths.mean()),
        float((widths < 0).mean()),
        int(np.median(sizes)),
        tuple(edges.tolist()),
        tuple(heights.tolist()),
        tuple(described(int(number)) for number in judged[: min(SHOWN, half)]),
        tuple(described(int(number)) for number in judged[::-1][: min(SHOWN, half)]),
    )


def silhouettes(vectors: Floats, cluster_of: Rows) -> Doubles:
    """Return (m,) silhouettes under cosine distance, exact: 0 for the only item of a cluster, or of all.

    The mean distance to a cluster needs only the sum of its vectors, since 1 - cosine is linear; so nothing is sampled.
    Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis".

    Args:
        vectors: (m, d) float32 unit rows.
        cluster_of: (m,) int64, 0..c-1, none empty.
    """
    sizes = np.bincount(cluster_of).astype(np.float64)
    if len(sizes) < 2:
        return np.zeros(len(vectors))
    sums = sums_of(vectors, cluster_of)
    found = []
    for start in range(0, len(vectors), _BLOCK):
        block, own = vectors[start : start + _BLOCK], cluster_of[start : start + _BLOCK]
        rows = np.arange(len(block))
        totals = (block @ sums.T).astype(np.float64)  # (block, c)
        itself = np.einsum("ij,ij->i", block, block).astype(np.float64)
        within = 1 - (totals[rows, own] - itself) / np.maximum(sizes[own] - 1, 1)
        distances = 1 - totals / sizes
        distances[rows, own] = np.inf
        nearest = distances.min(axis=1)
        larger = np.maximum(np.maximum(within, nearest), 1e-12)
        found.append(np.where(sizes[own] > 1, (nearest - within) / larger, 0.0))
    return np.concatenate(found)
