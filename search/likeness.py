"""How alike two products are: by meaning, and by the rare words they share.

A vector knows a dishwasher from a dryer but not one model number from the next; shared rare words know just that. Half
and half found more true matches than either alone (bench/ranking/LOG.md, 16).
"""

from __future__ import annotations

import numpy as np

from search.arrays import Floats, Rows
from search.errors import QueryError
from search.product import lexical_fields
from search.release import Release
from search.rescoring import best_of_each

WORDS_SHARE = 0.5
MOST = 100  # products that can be asked for


def likeness(release: Release, row: int) -> Floats:
    """Return (n,) float32, how alike every row is to this one, at most 1: its own is 1 if its title has words.

    The mean of the cosine of the vectors and of `LexicalIndex.mutual_coverage`; likeness(a)[b] = likeness(b)[a].
    """
    cosines = release.dense.scores(release.dense.gathered(np.array([row]))[0])
    shared = release.lexical.mutual_coverage(*lexical_fields(release.products.products([row])[0]))
    return np.asarray((1 - WORDS_SHARE) * cosines + WORDS_SHARE * shared, np.float32)


def similar_rows(release: Release, product_id: str, limit: int) -> tuple[Rows, Floats]:
    """Return the rows most alike and their likeness, best first, one per group, the product's own group left out.

    Raises:
        NotFound: no product has the id.
        QueryError: limit is outside 1..100.
    """
    expect_limit(limit)
    row, groups = release.products.row_of(product_id), release.group_of
    alike = likeness(release, row)
    alike[groups == groups[row]] = -np.inf
    return best_of_each(alike, groups, limit)


def expect_limit(limit: int) -> None:
    """Check how many related products are asked for.

    Raises:
        QueryError: it is outside 1..100.
    """
    if not 1 <= limit <= MOST:
        raise QueryError("limit", f"limit is {limit}; it must be 1 to {MOST}")
