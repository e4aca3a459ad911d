"""Shapes, checked by code: the few array habits every room shares."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.errors import ReleaseDamaged

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Indices = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
TINY = np.finfo(np.float32).tiny
FEW = 200  # scores, up to which a stable sort is as quick as any
SPARSE = 20  # rows of a catalog to each row summed, from which sorting beats adding up in an array of all rows


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
    """Return the array of a .npy file, memory-mapped.

    As a plain array: every slice of a memmap is a Python object of its own, and slow.
    """
    return np.asarray(np.load(path, mmap_mode="r"))


def let_go(array: NDArray[Any]) -> None:
    """Give back the memory of a mapped array's pages, which are read again when they are asked for.

    What was read once stays with the process, and counts as its memory, although nobody may need it again. Of an array
    that is not mapped nothing is given back.
    """
    while isinstance(array.base, np.ndarray):
        array = array.base
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)


def taken(vectors: Floats, rows: Rows | slice) -> Floats:
    """Return a copy of some rows; of vectors that are mapped the pages are let go of, those read around them too."""
    found = vectors[rows].astype(np.float32, copy=isinstance(rows, slice))  # other rows are a copy already
    let_go(vectors)
    return found


def unit_rows(vectors: NDArray[Any]) -> Floats:
    """Return (n, d) float32 rows of length 1; an all-zero row stays zero."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return vectors / np.maximum(lengths, TINY)


def best_rows(scores: NDArray[Any], count: int) -> Rows:
    """Return the positions of the `count` best scores, best first, equal scores in row order."""
    count = min(count, len(scores))
    if count <= 0:
        return np.zeros(0, np.int64)
    if count < len(scores):
        # Everything that ties with the last place takes part, so that row order, not chance, decides.
        threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
        rows = (scores >= threshold).nonzero()[0]
        return rows[best_first(scores[rows])[:count]]
    return best_first(scores)


def best_first(scores: NDArray[Any]) -> Rows:
    """Return the positions of all scores, best first, equal scores in row order.

    The bits of float32, as integers, are in the order of the numbers (of negative ones, turned around). So a score and
    its row make one integer, and a thousand of these are sorted in a fifth of the time of a stable sort.
    """
    if scores.dtype != np.float32 or len(scores) < FEW:
        return (-scores).argsort(kind="stable")
    bits = (np.float32(0) - scores).view(np.int32)  # no -0, which has other bits than 0
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
    ordered = (bits.astype(np.int64) << 32) | np.arange(len(scores))
    ordered.sort()
    return ordered & 0xFFFFFFFF


def best_positive(scores: NDArray[Any], count: int, allowed: Mask | None = None) -> Rows:
    """Return the positions of the `count` best scores above 0, best first, equal scores in row order.

    Args:
        scores: (n,), mostly 0, as the lexical leg's are.
        count: how many; fewer come back when fewer are above 0.
        allowed: (n,) bool; None allows every row.
    """
    rows = np.flatnonzero(scores > 0 if allowed is None else (scores > 0) & allowed)
    return rows[best_rows(scores[rows], count)]


def union_of(*parts: Rows) -> Rows:
    """Return the rows that are in any of the parts, each a few thousand at most, ascending."""
    rows = np.concatenate(parts)
    rows.sort()
    return rows[_begins_anew(rows)]


def runs(starts: Rows, counts: Rows) -> Rows:
    """Return the numbers from each of (m,) starts on, as many as its count, one run after the other."""
    members = (starts - counts.cumsum() + counts).repeat(counts)
    members += np.arange(len(members))
    return members


def common_to(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Return what two ascending arrays, each number once, have in common, ascending."""
    few, many = sorted((first, second), key=len)
    return few[places_of(many, few)[1]] if len(few) else few


def common_places(rows: Rows, members: Rows) -> Rows:
    """Return where in ascending rows those are that are members; both each once."""
    if len(rows) == 0 or len(members) == 0:
        return np.zeros(0, np.int64)
    places, is_there = places_of(rows, members)
    return places[is_there]


def looked_up(members: NDArray[Any], values: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return (len(rows),) the value of each row that is a member, 0 for the others.

    Args:
        members: (m,) ascending, each once, and values: (m,) one of each.
        rows: (k,) in any order.
    """
    if len(members) == 0:
        return np.zeros(len(rows), values.dtype)
    places, found = places_of(members, rows)
    return np.where(found, values[places], values.dtype.type(0))


def places_of(members: NDArray[Any], rows: NDArray[Any]) -> tuple[Rows, Mask]:
    """Return (k,) where in (m > 0,) ascending members each row is, and (k,) whether it is there at all."""
    rows = rows.astype(members.dtype, copy=False)  # else a search would copy all members
    places = members.searchsorted(rows)
    np.minimum(places, len(members) - 1, out=places)
    return places, members.take(places) == rows


class Sums:
    """Adds up values of rows by row; safe between threads.

    Few rows are sorted, many are added up in arrays of all rows: which is faster turns at a twentieth of these. The
    arrays stay, clean, for the next time: a million rows' would each time be 2,000 pages for the system to find.

    Args:
        count: how many rows there are, 0..count - 1.
    """

    def __init__(self, count: int):
        self.count = count
        self._clean: deque[Floats] = deque()

    def of(
        self, rows: Sequence[NDArray[np.int32]], values: Sequence[Sequence[Floats | float]]
    ) -> tuple[NDArray[np.int32], list[Floats]]:
        """Return the rows that are in any of the lists, ascending, and for each of several kinds the sum of its values.

        Args:
            rows: lists of ascending rows.
            values: for each kind, and for each list, (len,) float32 above 0, or one number for all of the list.
        """
        if len(rows) == 1:
            return rows[0], [np.broadcast_to(np.asarray(kind[0], np.float32), rows[0].shape) for kind in values]
        if SPARSE * sum(map(len, rows)) < self.count:
            return _summed_by_sorting(rows, values)
        sums = [self._taken() for _ in values]
        for place, members in enumerate(rows):
            at = members.astype(np.intp)  # once, for every use of an index of another type is a copy
            for total, kind in zip(sums, values, strict=True):
                total[at] = kind[place] if place == 0 else total[at] + kind[place]
        found = (sums[0] > 0).nonzero()[0]  # of a mask, in a third of the time
        added = [total[found] for total in sums]
        for total in sums:
            total[found] = 0
        self._clean.extend(sums)
        return found.astype(np.int32), added

    def largest(self, rows: Sequence[NDArray[np.int32]], values: Sequence[float]) -> float:
        """Return the largest sum of any row; 0 without rows.

        Args:
            rows: as for `of`.
            values: one above 0 for each list.
        """
        total, largest = self._taken(), 0.0
        places = [members.astype(np.intp) for members in rows]
        for at, value in zip(places, values, strict=True):
            added = total[at] + np.float32(value)
            total[at] = added
            largest = max(largest, float(added.max(initial=0)))  # that of a row is whole with its last list
        for at in places:
            total[at] = 0
        self._clean.append(total)
        return largest

    def _taken(self) -> Floats:
        """Return (count,) float32 zeros that nobody else has."""
        try:
            return self._clean.pop()
        except IndexError:
            return np.zeros(self.count, np.float32)


def _summed_by_sorting(
    rows: Sequence[NDArray[np.int32]], values: Sequence[Sequence[Floats | float]]
) -> tuple[NDArray[np.int32], list[Floats]]:
    if not rows:
        return np.zeros(0, np.int32), [np.zeros(0, np.float32) for _ in values]
    members = np.concatenate(rows)
    order = np.argsort(members, kind="stable")
    members = members[order]
    firsts = np.flatnonzero(_begins_anew(members))
    if len(firsts) == 0:
        return members, [np.zeros(0, np.float32) for _ in values]
    sums = []
    for kind in values:
        added = [np.broadcast_to(np.asarray(one, np.float32), each.shape) for one, each in zip(kind, rows, strict=True)]
        sums.append(np.add.reduceat(np.concatenate(added)[order], firsts))
    return members[firsts], sums


def _begins_anew(ordered: NDArray[Any]) -> Mask:
    """Return (n,) bool: whether a number of an ascending array differs from the one before it."""
    begins = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    return begins
