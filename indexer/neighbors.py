"""The nearest neighbours of every point among all: exact, or by cells where exact would take minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import faiss
import numpy as np

from search.arrays import Floats, Rows

EXACT_BELOW = 65_536  # points; above, neighbours are sought in the 16 nearest of sqrt(n) cells
PROBES = 16
BLOCK = 4_096  # points searched between two reports of progress

OnProgress = Callable[[str, int, int], None]


def index_of(points: Floats) -> Any:
    """Return a FAISS index of (n, d) float32 points, by inner product."""
    points = np.ascontiguousarray(points, np.float32)
    count, dim = points.shape
    index = faiss.IndexFlatIP(dim)
    if count > EXACT_BELOW:
        index = faiss.IndexIVFFlat(index, dim, round(count**0.5), faiss.METRIC_INNER_PRODUCT)
        index.cp.max_points_per_centroid = 64
        index.train(points)
        index.nprobe = PROBES
    index.add(points)
    return index


def neighbors_of(points: Floats, count: int, on_progress: OnProgress | None = None) -> tuple[Rows, Floats]:
    """Return (n, count) int64 the nearest others of each point, nearest first, and (n, count) float32 their scores.

    A point whose cells hold too few others has itself in their place.

    Args:
        points: (n, d) float32, n > count.
        count: how many.
        on_progress: called with (what, done, total).
    """
    index, rows = index_of(points), len(points)
    near, scores = np.empty((rows, count), np.int64), np.empty((rows, count), np.float32)
    for begin in range(0, rows, BLOCK):
        if on_progress is not None:
            on_progress("finding neighbors", begin, rows)
        found_scores, found = index.search(np.ascontiguousarray(points[begin : begin + BLOCK]), count + 1)
        own = np.arange(begin, begin + len(found))[:, None]
        others = found != own
        others[others.all(axis=1), -1] = False  # rounding may rank a point behind its near copies
        nearest = found[others].reshape(-1, count)
        near[begin : begin + BLOCK] = np.where(nearest < 0, own, nearest)  # FAISS pads with -1
        scores[begin : begin + BLOCK] = found_scores[others].reshape(-1, count)
    return near, scores


@contextmanager
def one_thread() -> Iterator[None]:
    """Let FAISS use one thread: sums in another order would round to other results."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
