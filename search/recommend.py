"""More like these, less like those: vector arithmetic over products a shopper liked and disliked.

Rocchio's feedback without a query (Rocchio 1971): the mean of what was liked, less a share of the mean of what was not.
"""

from __future__ import annotations

import numpy as np

from search.arrays import Floats, Mask, Rows, unit_rows
from search.release import Release
from search.rescoring import best_of_each

DISLIKE_WEIGHT = 0.5  # a dislike says less: what lies away from it may be anything


def recommended(release: Release, liked: Rows, disliked: Rows, allowed: Mask | None, limit: int) -> tuple[Rows, Floats]:
    """Return up to `limit` rows and their cosines with what is wanted, best first, one of each product group.

    Args:
        release: to choose from.
        liked, disliked: rows, at least one liked; neither they nor their variants come back.
        allowed: (n,) bool; None allows every row.
        limit: most rows.
    """
    dense, groups = release.dense, release.group_of
    wanted = dense.gathered(liked).mean(axis=0)
    if len(disliked):
        wanted = wanted - DISLIKE_WEIGHT * dense.gathered(disliked).mean(axis=0)
    scores = dense.scores(unit_rows(wanted[None, :])[0])
    scores[np.isin(groups, groups[np.concatenate([liked, disliked])])] = -np.inf
    if allowed is not None:
        scores[~allowed] = -np.inf
    return best_of_each(scores, groups, limit)
