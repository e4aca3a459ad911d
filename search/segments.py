"""Segments: the sentences of a passage as vectors of their own.

A shopper's need often meets one sentence of a description, and the mean over the whole passage drowns it. The vectors
of all segments come from the passage's own pass through the encoder, each the mean of its tokens ("late chunking",
Günther et al. 2024, arXiv 2409.04701), so they cost no encoding. They are kept as 8-bit integers with one scale a row.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.arrays import TINY, Floats, Rows, expect, mapped, runs
from search.errors import ReleaseDamaged
from search.scattered import ScatteredFile, array_in_pieces

Segments = tuple[NDArray[np.int8], Floats]  # of one product: (s, d) codes and (s,) scales
_END = re.compile(r"(?<=[.!?;])\s+")
BLOCK = 65_536  # segments decoded at a time
# Of a query: 6 MB of floats each would stay with the process, for they tear holes in the heap of every thread.
DECODED = 512
LEVELS = 127  # of an 8-bit integer; the cosines that come out are within .005 of the exact ones (bench: LOG.md, 19)


def segment_spans(passage: str) -> list[tuple[int, int]]:
    """Return the (start, end) of each sentence of a passage, in order; together they cover it."""
    cuts = [0, *(end.end() for end in _END.finditer(passage)), len(passage)]
    return [(start, end) for start, end in itertools.pairwise(cuts) if end > start]


def quantized(vectors: Floats) -> Segments:
    """Return (s, d) int8 codes and (s,) float32 scales, whose product is near (s, d) float32 `vectors`."""
    scales = (np.abs(vectors).max(axis=1) / LEVELS).astype(np.float32)
    return np.rint(vectors / np.maximum(scales, TINY)[:, None]).astype(np.int8), scales


def members_of(starts: Rows, rows: Rows) -> Rows:
    """Return the positions of the segments of (m,) rows, one row's after the other's; `starts` as in `SegmentIndex`."""
    firsts = starts[rows]
    return runs(firsts, starts[rows + 1] - firsts)


@dataclass(frozen=True)
class GatheredSegments:
    """The segments of m rows.

    Attributes:
        codes: (k, d) int8 and scales: (k,) float32, as in `SegmentIndex`.
        firsts: (m,) int64, where each row's segments begin.
    """

    codes: NDArray[np.int8]
    scales: Floats
    firsts: Rows

    def cosines(self, query: Floats) -> Floats:
        """Return (k,) float32: how close each segment is to a (d,) float32 unit vector."""
        products = np.empty(len(self.codes), np.float32)
        decoded = np.empty((min(DECODED, len(self.codes)), len(query)), np.float32)
        for start in range(0, len(self.codes), DECODED):
            part = self.codes[start : start + DECODED]
            decoded[: len(part)] = part
            np.matmul(decoded[: len(part)], query, out=products[start : start + DECODED])
        return products * self.scales

    def closest(self, query: Floats) -> Floats:
        """Return (m,) float32: how close the closest segment of each row is to a (d,) float32 unit vector."""
        return self.best_of_each(self.cosines(query))

    def best_of_each(self, cosines: Floats) -> Floats:
        """Return (m,) float32: the largest of each row's (k,) `cosines`."""
        return np.maximum.reduceat(cosines, self.firsts) if len(self.firsts) else np.zeros(0, np.float32)


class SegmentIndex:
    """The segments of n products; every product has at least one.

    Args:
        codes: (m, d) int8 and scales: (m,) float32; a segment's vector is its codes times its scale.
        starts: (n + 1,) int64; the segments of row r lie from starts[r] to starts[r + 1].
        file: where the codes lie, and offset: in bytes; None to take them from the array.
    """

    def __init__(
        self,
        codes: NDArray[np.int8],
        scales: Floats,
        starts: Rows,
        file: ScatteredFile | None = None,
        offset: int = 0,
    ):
        self._file, self._offset = file, offset
        self.codes = expect(codes, (None, None), np.int8, "segments")
        self.scales = expect(scales, (len(codes),), np.float32, "segment scales")
        self.starts = expect(starts, (None,), np.int64, "segment starts")
        if len(starts) == 0 or starts[0] != 0 or starts[-1] != len(codes) or (np.diff(starts) < 1).any():
            raise ReleaseDamaged("the segments and where they start do not fit each other; build the release again")

    @property
    def rows(self) -> int:
        """How many products."""
        return len(self.starts) - 1

    @property
    def dim(self) -> int:
        """Length of every segment's vector."""
        return int(self.codes.shape[1])

    @classmethod
    def build(cls, products: Sequence[Floats]) -> SegmentIndex:
        """Index the segments of n products: of each (s, d) float32 vectors, at least one."""
        starts = np.concatenate([[0], np.cumsum([len(vectors) for vectors in products])]).astype(np.int64)
        return cls(*quantized(np.concatenate(products)), starts)

    def mapped(self, change: Callable[[Floats], Floats]) -> SegmentIndex:
        """Return the same segments with other vectors.

        Args:
            change: (m, d) float32 to (m, e) float32 unit rows.
        """
        starts = range(0, len(self.codes), BLOCK)
        parts = [(self.codes[at : at + BLOCK], self.scales[at : at + BLOCK, None]) for at in starts]
        changed = [quantized(change(codes * scales)) for codes, scales in parts]
        codes, scales = (np.concatenate(arrays) for arrays in zip(*changed, strict=True))
        return SegmentIndex(codes, scales, self.starts)

    def of(self, row: int) -> Segments:
        """Return the segments of one product."""
        part = slice(self.starts[row], self.starts[row + 1])
        return self.codes[part], self.scales[part]

    def gathered(self, rows: Rows) -> GatheredSegments:
        """Return the segments of (m,) int64 rows, ready to be compared with several queries."""
        starts = self.starts[rows]
        counts = self.starts[rows + 1] - starts
        members = runs(starts, counts)
        if self._file is None:
            codes = self.codes[members]
        else:
            codes = np.empty((len(members), self.dim), np.int8)
            self._file.read(codes, self._offset + starts * self.dim, counts * self.dim)
        return GatheredSegments(codes, self.scales[members], counts.cumsum() - counts)

    def closest(self, query: Floats, rows: Rows) -> Floats:
        """Return (m,) float32: how close the closest segment of each of these rows is to a (d,) unit vector."""
        return self.gathered(rows).closest(query)

    def save(self, folder: Path) -> None:
        """Write the three arrays."""
        folder.mkdir(parents=True)
        np.save(folder / "codes.npy", self.codes)
        np.save(folder / "scales.npy", self.scales)
        np.save(folder / "starts.npy", self.starts)

    @classmethod
    def load(cls, folder: Path) -> SegmentIndex:
        """Open it; the codes are memory-mapped for who wants them all, and read piece by piece for queries.

        Raises:
            ReleaseDamaged: a file is missing, truncated, or they do not fit each other.
        """
        try:
            codes, file, offset = array_in_pieces(folder / "codes.npy")
            scales, starts = mapped(folder / "scales.npy"), mapped(folder / "starts.npy")
        except (OSError, ValueError) as error:
            raise ReleaseDamaged(f"{folder} cannot be read ({error}); build the release again") from error
        return cls(codes, scales, starts, file, offset)
