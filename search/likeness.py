"""How alike two products are: by meaning, and by the rare words they share.

A vector knows a dishwasher from a dryer but not one model number from the next; shared rare words know just that. Half
and half found more true matches than either alone (bench/ranking/LOG.md, 16).
"""

from __future__ import annotations

import numpy as np

from search.arrays import Floats
from search.product import lexical_fields
from search.release import Release

WORDS_SHARE = 0.5


def likeness(release: Release, row: int) -> Floats:
    """Return (n,) float32, how alike every row is to this one, at most 1: its own is 1 if its title has words.

    The mean of the cosine of the vectors and of `LexicalIndex.mutual_coverage`; likeness(a)[b] = likeness(b)[a].
    """
    cosines = release.dense.scores(release.dense.gathered(np.array([row]))[0])
    shared = release.lexical.mutual_coverage(*lexical_fields(release.products.products([row])[0]))
    return np.asarray((1 - WORDS_SHARE) * cosines + WORDS_SHARE * shared, np.float32)
