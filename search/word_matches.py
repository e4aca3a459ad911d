"""What the words of a query find: rows, their scores, and how much of the query each holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, Mask, Rows, best_rows, places_of


@dataclass(frozen=True)
class WordMatches:
    """What the terms of a query find.

    Attributes:
        rows: (m,) int32 ascending, those that hold any of the terms.
        scores: (m,) float32, above 0: title + rest_weight x rest.
        shares: (m,) float32, 0..1: the share, by rarity (idf), of the query's terms that each row holds.
    """

    rows: NDArray[np.int32]
    scores: Floats
    shares: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def scores_and_shares_of(self, rows: Rows) -> tuple[Floats, Floats]:
        """Return (len(rows),) float32 scores and shares of any rows, 0 for those that hold no term."""
        if len(self.rows) == 0:
            return np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
        places, found = places_of(self.rows, rows)
        return self.scores.take(places) * found, self.shares.take(places) * found

    def among(self, allowed: Mask | None) -> WordMatches:
        """Return the matches that a filter leaves.

        Args:
            allowed: (n,) bool; None leaves all.
        """
        if allowed is None:
            return self
        kept = allowed[self.rows]
        return WordMatches(self.rows[kept], self.scores[kept], self.shares[kept])

    def covering(self, least: float) -> int:
        """Return how many rows hold at least this share of the terms."""
        return int(np.count_nonzero(self.shares >= least))

    def best(self, count: int) -> WordMatches:
        """Return the `count` best, best first, equal scores in row order."""
        places = best_rows(self.scores, count)
        return WordMatches(self.rows[places], self.scores[places], self.shares[places])


NOTHING = WordMatches(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.float32))
