"""What earlier queries like this one led to: judged or clicked products of a catalog's own past queries.

Past queries lie in the encoder's space, so one asked in other words still finds them: nearest neighbours over queries
beside nearest neighbours over products, as in PEFA (Chang et al., WSDM 2024). Nothing is trained, and a judgment counts
from the next build on. Proven by `indexer.learning` before a release uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.arrays import Floats, Rows, expect
from search.errors import ReleaseDamaged

FLOOR = 0.95  # cosine of two queries below which they ask for different things
STRENGTH = 1.0  # what a product gains that the very same query led to: as much as the best score without it


@dataclass(frozen=True)
class QueryMemory:
    """Past queries and their products, as compressed sparse rows.

    Attributes:
        vectors: (m, d) float32 unit rows, one a query.
        offsets: (m + 1,) int64; query i led to `rows[offsets[i]:offsets[i + 1]]`.
        rows: int64; gains: float32 in 0..1, how good each was for its query.
    """

    vectors: Floats
    offsets: Rows
    rows: Rows
    gains: Floats

    @classmethod
    def of(cls, vectors: Floats, products: Sequence[Mapping[int, float]]) -> QueryMemory:
        """Return a memory of queries.

        Args:
            vectors: (m, d) float32 unit rows.
            products: of each query, row -> gain, 0..1.
        """
        offsets = np.concatenate([[0], np.cumsum([len(found) for found in products])]).astype(np.int64)
        rows = np.array([row for found in products for row in found], np.int64)
        gains = np.array([gain for found in products for gain in found.values()], np.float32)
        return cls(vectors, offsets, rows, gains)

    def recalled(self, vector: Floats) -> tuple[Rows, Floats]:
        """Return (m,) int64 ascending rows and (m,) float32 in 0..1, how much past queries speak for each.

        A neighbour's say rises from 0 at FLOOR to 1 for the same query; neighbours that agree add up like independent
        witnesses, 1 - (1 - a)(1 - b).
        """
        cosines = self.vectors @ vector
        near = np.flatnonzero(cosines > FLOOR)
        doubt: dict[int, float] = {}
        for query in near:
            say = min(1.0, (float(cosines[query]) - FLOOR) / (1 - FLOOR))
            part = slice(self.offsets[query], self.offsets[query + 1])
            for row, gain in zip(self.rows[part].tolist(), self.gains[part].tolist(), strict=True):
                doubt[row] = doubt.get(row, 1.0) * (1 - say * gain)
        rows = np.array(sorted(doubt), np.int64)
        return rows, np.array([1 - doubt[row] for row in rows.tolist()], np.float32)

    def save(self, folder: Path) -> None:
        """Write four arrays."""
        folder.mkdir(parents=True)
        for name in ("vectors", "offsets", "rows", "gains"):
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path, dim: int, rows: int) -> QueryMemory | None:
        """Read a release's memory back; None when it has none.

        Args:
            dim: of the release's embeddings; rows: how many products it has.

        Raises:
            ReleaseDamaged: a file is missing, truncated, or does not fit the release.
        """
        if not folder.exists():
            return None
        try:
            vectors = expect(np.load(folder / "vectors.npy"), (None, dim), np.float32, "remembered queries")
            offsets = expect(np.load(folder / "offsets.npy"), (len(vectors) + 1,), np.int64, "remembered offsets")
            found = expect(np.load(folder / "rows.npy"), (int(offsets[-1]),), np.int64, "remembered rows")
            gains = expect(np.load(folder / "gains.npy"), (len(found),), np.float32, "remembered gains")
            if (
                offsets[0] != 0
                or (np.diff(offsets) < 0).any()
                or (len(found) and not 0 <= found.min() <= found.max() < rows)
            ):
                raise ValueError("a row or an offset is out of range")
        except (OSError, ValueError) as error:
            raise ReleaseDamaged(f"{folder} cannot be read ({error}); build the release again") from error
        return cls(vectors, offsets, found, gains)
