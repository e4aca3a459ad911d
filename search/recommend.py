"""More like these, less like those: vector arithmetic over products a shopper liked and disliked.

Rocchio's feedback without a query (Rocchio 1971): the mean of what was liked, less a share of the mean of what was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.arrays import Floats, Mask, Rows, unit_rows
from search.errors import QueryError
from search.likeness import expect_limit
from search.release import Release
from search.rescoring import MOST_VARIANTS, best_of_each

MAX_RECOMMENDED_FROM = 100  # products liked, and disliked
DISLIKE_WEIGHT = 0.5  # a dislike says less: what lies away from it may be anything


def recommended_rows(
    release: Release,
    liked: Sequence[str],
    disliked: Sequence[str],
    filters: Mapping[str, Sequence[str]],
    limit: int,
) -> tuple[Rows, Floats]:
    """Return rows like the products liked and unlike those disliked, with their closeness; one of each group.

    Raises:
        NotFound: an id is not in the release.
        QueryError: nothing is liked, an id is on both sides, there are too many, a filter is unknown, or limit is
            outside 1..100.
    """
    if not liked:
        raise QueryError("liked", "liked is empty; name at least one product id")
    if both := sorted(set(liked) & set(disliked)):
        raise QueryError("disliked", f'"{both[0]}" is both liked and disliked; keep it on one side')
    for name, ids in (("liked", liked), ("disliked", disliked)):
        if len(ids) > MAX_RECOMMENDED_FROM:
            raise QueryError(name, f"{name} has {len(ids)} ids; at most {MAX_RECOMMENDED_FROM} are read")
    expect_limit(limit)
    row_of = release.products.row_of
    like, unlike = (np.array([row_of(one) for one in ids], np.int64) for ids in (liked, disliked))
    return recommended(release, like, unlike, release.facets.allowed(filters), limit)


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
    told = groups[np.concatenate([liked, disliked])]
    count = limit * MOST_VARIANTS + int(np.isin(groups, told).sum())  # so many are left however many go
    rows, scores = dense.search(unit_rows(wanted[None, :])[0], count, allowed)
    is_new = ~np.isin(groups[rows], told)
    rows, scores = rows[is_new], scores[is_new]
    places, scores = best_of_each(scores, groups[rows], limit)
    return rows[places], scores
