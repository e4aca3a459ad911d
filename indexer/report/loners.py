"""Products far from everything: nothing in the catalog is like them, or nothing is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.neighbors import Neighbors
from indexer.report.wording import verb
from search.arrays import Rows
from search.product import Product

NEAREST = 10  # neighbours averaged
SHOWN = 15
SHOWN_ANYWAY = 5  # the farthest, when none is far
BINS = 24
LEAST_DEVIATION = 0.02  # cosine; where all products are much alike, smaller differences say nothing
FAR = 3.5  # robust standard deviations below the median from which a product stands alone


@dataclass(frozen=True)
class Loner:
    """A product far from all others.

    Attributes:
        product: itself.
        cosine: mean of its nearest neighbours'.
        nearest: title of the nearest of them.
    """

    product: Product
    cosine: float
    nearest: str


@dataclass(frozen=True)
class Loners:
    """How near products lie to their nearest neighbours.

    Attributes:
        median: of the products' mean cosines to their NEAREST neighbours.
        limit: below it a product stands alone.
        edges: (b + 1,) and heights: (b,) of the histogram of those means.
        loners: the farthest first; the first few products where none is far. `found` is how many are far.
        products: of how many.
    """

    median: float
    limit: float
    edges: tuple[float, ...]
    heights: tuple[int, ...]
    loners: tuple[Loner, ...]
    found: int
    products: int

    @property
    def needs_a_look(self) -> bool:
        """Whether there is something to do."""
        return self.found > 0

    @property
    def summary(self) -> str:
        """What was found and what to do, in plain words."""
        if self.products < 2:
            return "With a single product there is nothing to be far from."
        if not self.found:
            return "Every product has others like it; none stands far from everything."
        return (
            f"{self.found:,} of {self.products:,} products {verb(self.found, 'stands', 'stand')} far from everything, "
            f"such as “{self.loners[0].product.title[:80]}”. Each is either the only one of its kind or says too "
            "little about itself: give the latter a title and a description that name what it is."
        )


def loners_of(items: Sequence[Product], neighbors: Neighbors) -> Loners:
    """Return which of m products are unlike all others, by the mean cosine to their nearest.

    A product is far below the median: by FAR times the median deviation, scaled to a standard deviation (Iglewicz and
    Hoaglin 1993, "How to detect and handle outliers").
    """
    k = min(NEAREST, neighbors.items.shape[1])
    if not k:
        return Loners(0.0, 0.0, (), (), (), 0, len(items))
    means = neighbors.cosines[:, :k].mean(axis=1)
    median = float(np.median(means))
    deviation = max(float(np.median(np.abs(means - median))), LEAST_DEVIATION)
    limit = median - FAR * deviation / 0.6745
    order: Rows = np.argsort(means, kind="stable")
    far = [int(item) for item in order if means[item] < limit - 1e-6]
    heights, edges = np.histogram(means.astype(np.float64), bins=BINS)  # some differ by less than float32's steps
    shown = far[:SHOWN] or order[:SHOWN_ANYWAY].tolist()
    nearest = neighbors.items[:, 0]
    return Loners(
        median,
        limit,
        tuple(edges.tolist()),
        tuple(heights.tolist()),
        tuple(Loner(items[item], float(means[item]), items[nearest[item]].title) for item in shown),
        len(far),
        len(items),
    )
