"""Vectors as a release stores them, whole or rounded to fewer bits, and products with the few that are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from search.arrays import TINY, Floats, Rows, expect, mapped

BLOCK = 16_384  # rows rounded at a time
DECODED = 256  # rows of a query decoded at a time: they stay in the processor's cache, and the heap whole


class StoredVectors:
    """n vectors; row r is its codes, times its scale where rows have one.

    A row of integers has its own scale, so that its largest number uses all bits: cosines of 16-bit ones are within
    1e-5 of the exact ones (1.4e-6 on average), of 8-bit ones within .003 (bench/recall.py).

    Args:
        codes: (n, d) float32 or float16 without scales, int16 or int8 with.
        scales: (n,) float32 or None.

    Raises:
        ReleaseDamaged: they do not fit each other.
    """

    def __init__(self, codes: NDArray[Any], scales: Floats | None = None):
        self.codes = expect(codes, (None, None), codes.dtype, "stored vectors")
        self.scales = scales if scales is None else expect(scales, (len(codes),), np.float32, "scales")

    @classmethod
    def of(cls, embeddings: Floats, dtype: DTypeLike) -> StoredVectors:
        """Return (n, d) float32 rows rounded to float16, int16 or int8."""
        codes, scales = np.empty(embeddings.shape, dtype), _new_scales(len(embeddings), dtype)
        _round(embeddings, codes, scales)
        return cls(codes, scales)

    @property
    def rows(self) -> int:
        """How many vectors."""
        return len(self.codes)

    @property
    def dim(self) -> int:
        """Their length."""
        return int(self.codes.shape[1])

    def gathered(self, rows: Rows | slice) -> Floats:
        """Return (m, d) float32, the vectors of some rows."""
        vectors = self._of(rows).astype(np.float32, copy=False)
        return vectors if self.scales is None else vectors * self.scales[rows, None]

    def dots(self, query: Floats, rows: Rows | slice) -> Floats:
        """Return (m,) float32 inner products of some rows with (d,) float32.

        Row by row, so that equal vectors have equal products wherever they stand, and on one thread.
        """
        if isinstance(rows, slice):
            products = np.vecdot(self.codes[rows].astype(np.float32, copy=False), query)
        else:
            products = np.empty(len(rows), np.float32)
            for start in range(0, len(rows), DECODED):
                part = self._of(rows[start : start + DECODED]).astype(np.float32, copy=False)
                np.vecdot(part, query, out=products[start : start + DECODED])
        return products if self.scales is None else products * self.scales[rows]

    def _of(self, rows: Rows | slice) -> NDArray[Any]:
        # `take` gathers whole rows in half the time of an index.
        return self.codes[rows] if isinstance(rows, slice) else self.codes.take(rows, axis=0)

    def save(self, codes_path: Path, scales_path: Path) -> None:
        """Write codes and scales."""
        np.save(codes_path, self.codes)
        if self.scales is not None:
            np.save(scales_path, self.scales)

    @classmethod
    def load(cls, codes_path: Path, scales_path: Path) -> StoredVectors:
        """Open what `save` or `write` wrote, the codes memory-mapped.

        Raises:
            OSError, ValueError, ReleaseDamaged: a file is missing, truncated, or they do not fit each other.
        """
        codes = mapped(codes_path)
        return cls(codes, np.load(scales_path) if np.issubdtype(codes.dtype, np.integer) else None)

    @classmethod
    def write(cls, embeddings: Floats, dtype: DTypeLike, codes_path: Path, scales_path: Path) -> None:
        """Round (n, d) float32 rows into files, without holding them in memory."""
        codes = np.lib.format.open_memmap(codes_path, mode="w+", dtype=np.dtype(dtype), shape=embeddings.shape)
        scales = _new_scales(len(embeddings), dtype)
        _round(embeddings, codes, scales)
        codes.flush()
        if scales is not None:
            np.save(scales_path, scales)


def _new_scales(rows: int, dtype: DTypeLike) -> Floats | None:
    return np.empty(rows, np.float32) if np.issubdtype(dtype, np.integer) else None


def _round(embeddings: Floats, codes: NDArray[Any], scales: Floats | None) -> None:
    """Fill codes and scales block by block."""
    for start in range(0, len(embeddings), BLOCK):
        part = slice(start, start + BLOCK)
        vectors = embeddings[part]
        if scales is None:
            codes[part] = vectors
            continue
        scales[part] = np.abs(vectors).max(axis=1) / np.iinfo(codes.dtype).max
        codes[part] = np.rint(vectors / np.maximum(scales[part], TINY)[:, None])
