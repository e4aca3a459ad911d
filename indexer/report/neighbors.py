"""The nearest neighbours of every item, found once and shared by all sections of the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats
from search.encoder import cpu_threads

EXACT_MOST = 15_000  # items; comparing all with all takes 5 s there and grows with the square
PROBES = 8  # of the 2 sqrt(m) cells looked into per item beyond that; DESIGN.md, "What the embedding knows"
TRAINING_PER_CELL = 40


@dataclass(frozen=True)
class Neighbors:
    """The k nearest other items of each of m items, nearest first; k is less where there are too few.

    Attributes:
        items: (m, k) int64.
        cosines: (m, k) float32.
        is_exact: whether every pair was compared.
    """

    items: NDArray[np.int64]
    cosines: Floats
    is_exact: bool


def nearest_neighbors(vectors: Floats, k: int) -> Neighbors:
    """Return the nearest neighbours by cosine, equal ones in order of their numbers; the same input gives the same.

    Args:
        vectors: (m, d) float32 unit rows, m >= 1.
        k: how many of each, itself left out.
    """
    count = len(vectors)
    k = min(k, count - 1)
    if k < 1:
        return Neighbors(np.zeros((count, 0), np.int64), np.zeros((count, 0), np.float32), True)
    vectors = np.ascontiguousarray(vectors, np.float32)
    is_exact = count <= EXACT_MOST
    index = _exact(vectors) if is_exact else _cells(vectors)
    with _threads(cpu_threads()):
        cosines, items = index.search(vectors, k + 1)
    items, cosines = _without_self(items, cosines)
    return Neighbors(items, cosines, is_exact)


def _exact(vectors: Floats) -> faiss.Index:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def _cells(vectors: Floats) -> faiss.Index:
    """Return an inverted file over 2 sqrt(m) cells, learnt from a fixed share of the rows on one thread."""
    cells = int(2 * len(vectors) ** 0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(vectors.shape[1]), vectors.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter, index.cp.min_points_per_centroid = 1, 8, 1
    with _threads(1):  # sums in another order would round to other cells
        index.train(np.ascontiguousarray(vectors[:: max(1, len(vectors) // (TRAINING_PER_CELL * cells))]))
    index.add(vectors)
    index.nprobe = PROBES
    return index


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let FAISS use so many threads for a while."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _without_self(items: NDArray[np.int64], cosines: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return both (m, k + 1) arrays as (m, k) without the item itself, sorted; equal items may hide it from its list.

    A missing neighbour (-1, where the cells looked into held too few) becomes the item itself with a cosine of -1.
    """
    own = np.arange(len(items))[:, None]
    cosines = np.where(items < 0, np.float32(-1), cosines)
    items = np.where(items < 0, own, items)
    is_self = (items == own) & (cosines > -1)
    order = np.lexsort((items, -cosines, is_self), axis=1)[:, :-1]  # itself, or else the farthest, goes
    return np.take_along_axis(items, order, 1), np.take_along_axis(cosines, order, 1)
