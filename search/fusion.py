"""Two legs into one score: a convex combination of min-max scaled scores.

Convex fusion beats reciprocal ranks in and out of domain (Bruch, Gai and Ingber 2022, arXiv 2210.11934); scaling over
each leg's own top 200 was the best of the scalings tried (DESIGN.md, "Fusion").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats

DEPTH = 200


@dataclass(frozen=True)
class Scale:
    """Maps a leg's scores to 0..1: `low` (its score at rank DEPTH) -> 0, `high` (its best) -> 1."""

    low: float
    high: float

    @classmethod
    def of(cls, best_first: NDArray[np.float32]) -> Scale:
        """Return the scale of a leg from its unfiltered scores, best first; fewer than DEPTH is fine."""
        if len(best_first) == 0:
            return cls(0.0, 0.0)
        return cls(float(best_first[:DEPTH][-1]), float(best_first[0]))

    def apply(self, scores: NDArray[np.float32]) -> Floats:
        """Return scores as 0..1; everything below `low` is 0. A leg with one distinct score gives its hits 1."""
        if self.high <= self.low:
            return ((scores >= self.high) & (scores > 0)).astype(np.float32)
        return np.minimum(np.maximum((scores - self.low) / (self.high - self.low), 0), 1).astype(np.float32, copy=False)


def dense_share(dense_weight: float, title_coverage: float, identified: float = 0.0) -> float:
    """Return the dense leg's share for one query: `dense_weight`, more the less words can say, less for part numbers.

    Args:
        dense_weight: its share when some title holds every term of the query.
        title_coverage: the largest share of the query's terms, by rarity, that one title holds, 0..1. What no title
            says the lexical leg cannot rank, so its share shrinks with the square of this (DESIGN.md, "Fusion").
        identified: share of the query's terms, by rarity, that are identifiers of few products, 0..1. An encoder
            reads no meaning in OUT-2252-TEA, so its share shrinks in proportion.
    """
    return (1 - (1 - dense_weight) * title_coverage**2) * (1 - identified)


def fuse(dense: Floats, lexical: Floats, dense_scale: Scale, lexical_scale: Scale, dense_weight: float) -> Floats:
    """Return fused scores, 0..1, for rows whose scores in both legs are known.

    Rows that are outside both legs' top 200 would all tie at 0: a thousandth of the raw cosine orders them.
    """
    fused = dense_weight * dense_scale.apply(dense) + (1 - dense_weight) * lexical_scale.apply(lexical)
    return (0.999 * fused + 0.001 * np.minimum(np.maximum(dense, 0), 1)).astype(np.float32, copy=False)
