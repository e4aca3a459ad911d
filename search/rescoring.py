"""What the best products say about the query: two passes over the head of the fused ranking.

Both lean on the cluster hypothesis, that products which answer the same query lie near each other (Jardine & van
Rijsbergen 1971), and both count a product once, however many variants it has:

* feedback: the query vector moves a little towards the best products, as in Rocchio 1971;
* smoothing: a product's score is averaged with those of its neighbours among the best, so that one of twenty nearly
  equal products is not lost because its title lacks the query's word. This is score regularisation (Diaz, "Regularizing
  ad hoc retrieval scores", CIKM 2005) as a kernel regression (Nadaraya 1964; Watson 1964).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, Rows, best_rows, unit_rows

Ids = NDArray[np.int64]
MOST_VARIANTS = 20  # rows looked through for each group that is wanted


def with_feedback(vector: Floats, best: Floats, weight: float) -> Floats:
    """Return (d,) float32 unit vector: the query plus `weight` times the mean of the best products' vectors.

    Args:
        vector: (d,) float32 unit vector of the query.
        best: (k, d) float32 unit rows; k = 0 changes nothing.
        weight: 0 changes nothing.
    """
    if len(best) == 0:
        return vector
    return unit_rows((vector + weight * (best.sum(axis=0) / len(best)))[None, :])[0]


def first_of_each(groups: Ids, count: int) -> Ids:
    """Return the places of the first `count` different groups, in order."""
    first: dict[int, int] = {}
    for place, group in enumerate(groups.tolist()):
        if len(first) == count:
            break
        first.setdefault(group, place)
    return np.array(list(first.values()), np.int64)


def best_of_each(scores: Floats, groups: Ids, count: int) -> tuple[Rows, Floats]:
    """Return the best row of each of the `count` best groups and their scores, best first.

    Args:
        scores: (n,) float32; -inf for rows that do not count.
        groups: (n,) group of each row.
        count: of groups; only the best count * MOST_VARIANTS rows are looked through.
    """
    rows = best_rows(scores, count * MOST_VARIANTS)
    rows = rows[scores[rows] > -np.inf]
    rows = rows[first_of_each(groups[rows], count)]
    return rows, scores[rows]


def smoothed(scores: Floats, vectors: Floats, groups: Ids, bandwidth: float, strength: float = 1.0) -> Floats:
    """Return (m,) float32: each score averaged with the others', weighted by exp((cosine - 1) / bandwidth).

    The product's own score has weight 1, its variants' 0; of another product, all variants together weigh what one
    would. A product without near neighbours keeps its score.

    Args:
        scores: (m,) float32 fused scores.
        vectors: (m, d) float32 unit rows.
        groups: (m,) int64, equal for the variants of one product.
        bandwidth: cosine distance over which a neighbour's weight falls to 1/e.
        strength: 0..1, of all neighbours; 0 keeps every score.
    """
    is_variant = groups[:, None] == groups[None, :]
    # Double precision and six digits: products with equal texts must stay equal, whatever the order of the sums.
    exact = vectors.astype(np.float64)
    weights = strength * np.exp((np.minimum(exact @ exact.T, 1.0) - 1.0) / bandwidth) / is_variant.sum(axis=0)
    weights[is_variant] = 0.0
    return ((scores + weights @ scores) / (1.0 + weights.sum(axis=1))).round(6).astype(np.float32)
