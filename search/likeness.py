"""How alike two products are: by meaning, and by the rare words they share.

A vector knows a dishwasher from a dryer but not one model number from the next; shared rare words know just that. Half
and half found more true matches than either alone (bench/ranking/LOG.md, 16).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from search.arrays import Floats, Rows, best_positive, union_of
from search.errors import QueryError
from search.product import lexical_fields
from search.release import Release
from search.rescoring import MOST_VARIANTS, best_of_each

WORDS_SHARE = 0.5
MOST = 100  # products that can be asked for


def likeness(release: Release, row: int) -> Floats:
    """Return (n,) float32, how alike every row is to this one, at most 1: its own is 1 if its title has words.

    The mean of the cosine of the vectors and of `LexicalIndex.mutual_coverage`; likeness(a)[b] = likeness(b)[a].
    """
    vector, shared = _ways(release, row)
    return np.asarray(_alike(release.dense.scores(vector), shared), np.float32)


def _ways(release: Release, row: int) -> tuple[Floats, Floats]:
    """Return (d,) float32, the vector of a row, and (n,) float32, the words it shares with every row."""
    vector = release.dense.gathered(np.array([row]))[0]
    return vector, release.lexical.mutual_coverage(*lexical_fields(release.products.products([row])[0]))


def _alike(cosines: Any, shared: Any) -> Any:
    return (1 - WORDS_SHARE) * cosines + WORDS_SHARE * shared


def similar_rows(release: Release, product_id: str, limit: int) -> tuple[Rows, Floats]:
    """Return the rows most alike and their likeness, best first, one per group, the product's own group left out.

    Raises:
        NotFound: no product has the id.
        QueryError: limit is outside 1..100.
    """
    expect_limit(limit)
    row, groups = release.products.row_of(product_id), release.group_of
    vector, shared = _ways(release, row)
    depth = limit * MOST_VARIANTS
    while True:
        near, cosines = release.dense.search(vector, depth)
        worded = best_positive(shared, depth)
        rows = union_of(near, worded)
        alike = _alike(release.dense.scores_of(vector, rows), shared[rows])
        alike[groups[rows] == groups[row]] = -np.inf
        places, found = best_of_each(alike, groups[rows], limit)
        # A row that neither list reached is at most as alike as the ends of both (Fagin, Lotem & Naor 2001).
        least = shared[worded[-1]] if len(worded) == depth else 0.0
        if depth >= release.rows or (len(found) == limit and found[-1] > _alike(cosines[-1], least)):
            return rows[places], found
        depth *= 4


def expect_limit(limit: int) -> None:
    """Check how many related products are asked for.

    Raises:
        QueryError: it is outside 1..100.
    """
    if not 1 <= limit <= MOST:
        raise QueryError("limit", f"limit is {limit}; it must be 1 to {MOST}")
