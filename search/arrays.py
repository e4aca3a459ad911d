"""Shapes, checked by code: the few array habits every room shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.errors import ReleaseDamaged

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


def expect(array: Any, shape: tuple[int | None, ...], dtype: Any, name: str) -> NDArray[Any]:
    """Return the array itself after checking shape (None = any length) and dtype.

    Raises:
        ReleaseDamaged: naming the array, what was expected and what was found.
    """
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != np.dtype(dtype):
        raise ReleaseDamaged(
            f"{name}: expected shape {shape} of {np.dtype(dtype)}, found {array.shape} of {array.dtype}; "
            "build the release again"
        )
    return array


def mapped(path: Path) -> NDArray[Any]:
    """Return the array of a .npy file, its pages read when they are needed.

    It is a plain array over the mapped memory: every slice of a memmap is a Python object of its own, and slow.

    Raises:
        OSError, ValueError: the file cannot be read as one.
    """
    return np.asarray(np.load(path, mmap_mode="r"))


def unit_rows(vectors: NDArray[Any]) -> Floats:
    """Return (n, d) float32 rows of length 1; an all-zero row stays zero."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def best_rows(scores: NDArray[Any], count: int) -> Rows:
    """Return the positions of the `count` best scores, best first, equal scores in row order."""
    count = min(count, len(scores))
    if count <= 0:
        return np.zeros(0, np.int64)
    if count < len(scores):
        # Everything that ties with the last place takes part, so that row order, not chance, decides.
        threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
        rows = np.flatnonzero(scores >= threshold)
    else:
        rows = np.arange(len(scores))
    return rows[np.argsort(-scores[rows], kind="stable")][:count].astype(np.int64)


def best_positive(scores: NDArray[Any], count: int, allowed: Mask | None = None) -> Rows:
    """Return the positions of the `count` best scores above 0, best first, equal scores in row order.

    Args:
        scores: (n,), mostly 0, as the lexical leg's are.
        count: how many; fewer come back when fewer are above 0.
        allowed: (n,) bool; None allows every row.
    """
    rows = np.flatnonzero(scores > 0 if allowed is None else (scores > 0) & allowed)
    return rows[best_rows(scores[rows], count)].astype(np.int64)


def union_of(first: Rows, second: Rows, rows: int) -> Rows:
    """Return the rows, of 0..rows-1, that are in either, ascending; by a mask, which beats sorting or hashing."""
    mask = np.zeros(rows, bool)
    mask[first] = True
    mask[second] = True
    return np.flatnonzero(mask).astype(np.int64)
