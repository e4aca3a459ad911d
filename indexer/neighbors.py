"""The nearest neighbours of every vector among all: exact, or by cells where exact would take long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np

from search.arrays import Floats, Rows
from search.cpus import cpu_threads

EXACT_BELOW = 20_000  # vectors; comparing all with all grows with the square: 5 s at 15,000, 60 s at 50,000
PROBES = 16  # of the 2 sqrt(m) cells looked into beyond that
TRAINING_PER_CELL = 40
BLOCK = 4_096  # vectors searched between two reports of progress

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Neighbors:
    """The k nearest other vectors of each of m, nearest first; k is less where there are too few.

    Attributes:
        items: (m, k) int64.
        cosines: (m, k) float32; -1 where the cells looked into held too few, the item is then the vector itself.
        is_exact: whether every pair was compared.
    """

    items: Rows
    cosines: Floats
    is_exact: bool


def nearest_neighbors(vectors: Floats, k: int, on_progress: OnProgress | None = None) -> Neighbors:
    """Return the nearest neighbours by cosine, equal ones in order of their numbers; the same input gives the same.

    Args:
        vectors: (m, d) float32 unit rows, m >= 1.
        k: how many of each, itself left out.
        on_progress: called with (what, done, total).
    """
    count = len(vectors)
    k = min(k, count - 1)
    if k < 1:
        return Neighbors(np.zeros((count, 0), np.int64), np.zeros((count, 0), np.float32), True)
    vectors = np.ascontiguousarray(vectors, np.float32)
    index = index_of(vectors, count)
    items, cosines = np.empty((count, k), np.int64), np.empty((count, k), np.float32)
    with threads(cpu_threads()):
        for begin in range(0, count, BLOCK):
            if on_progress is not None:
                on_progress("finding neighbors", begin, count)
            part = slice(begin, begin + BLOCK)
            scores, found = index.search(vectors[part], k + 1)
            items[part], cosines[part] = _without_self(found, scores, np.arange(begin, begin + len(found))[:, None])
    return Neighbors(items, cosines, count <= EXACT_BELOW)


def index_of(vectors: Floats, asked: int) -> Any:
    """Return a FAISS index of (m, d) float32 vectors, by inner product: flat, or over 2 sqrt(m) cells.

    Args:
        vectors: to index.
        asked: how many queries there will be: to learn the cells takes as long as to compare so many with all.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    count, dim = vectors.shape
    index = faiss.IndexFlatIP(dim)
    cells = int(2 * count**0.5)
    if count > EXACT_BELOW and asked > 2 * cells:
        index = faiss.IndexIVFFlat(index, dim, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed, index.cp.niter, index.cp.min_points_per_centroid = 1, 8, 1
        with threads(1):  # sums in another order would round to other cells
            index.train(np.ascontiguousarray(vectors[:: max(1, count // (TRAINING_PER_CELL * cells))]))
        index.nprobe = PROBES
    index.add(vectors)
    return index


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let FAISS use so many threads for a while; with one, sums are always rounded alike."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _without_self(items: Rows, cosines: Floats, own: Rows) -> tuple[Rows, Floats]:
    """Return both (b, k + 1) arrays as (b, k) without the vector itself, which equal ones may hide."""
    cosines = np.where(items < 0, np.float32(-1), cosines)  # FAISS pads with -1
    items = np.where(items < 0, own, items)
    is_self = (items == own) & (cosines > -1)
    order = np.lexsort((items, -cosines, is_self), axis=1)[:, :-1]  # itself, or else the farthest, goes
    return np.take_along_axis(items, order, 1), np.take_along_axis(cosines, order, 1)
