"""The first pass over many vectors: which few of them may be the best, told from four bits a dimension.

A product quantiser with one dimension a part and 16 values, whose tables fit the registers of the processor ("fast
scan": André et al. 2015; Guo et al. 2020), reads 50,000 x 384 in a quarter of a millisecond. What it finds is scored
again exactly, so it only has to leave nobody out: how many more than wanted it must name, and above a size of how few
dimensions the codes may be and how many of the cells of an inverted file it must read, is measured on the catalog
itself (indexer/dense_index.py).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from search.arrays import Floats, Mask, Rows
from search.errors import ReleaseDamaged

FEW = 8_192  # rows that one exact scan reads as fast as two passes would
LEAST_SURPLUS = 500  # candidates beyond the wanted ones, however few these are
# Allowed rows for each candidate up to which a filter leaves so few that all are scored exactly, where every code is
# read for any filter and where only some cells are. Ten times 1,500 rows take some 3 ms.
ALWAYS_EXACT, ALWAYS_EXACT_IN_CELLS = 2, 10


@dataclass(frozen=True)
class Plan:
    """How the first pass is asked.

    Attributes:
        cells: of the inverted file; 1 where every code is read.
        probes: cells read without a filter, nearest first.
        filtered_probes: cells read under a filter, nearest first, of those that hold allowed rows.
        surplus: candidates for each wanted row.
        queries: by how many it was measured.
        recall: measured shares of the exact search's rows that are found; see `indexer.dense_index.measured_plan`.
        dimensions: of the codes, where they are those of vectors turned and cut; None: the vectors' own.
    """

    cells: int
    probes: int
    filtered_probes: int
    surplus: float
    queries: int
    recall: dict[str, float]
    dimensions: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return asdict(self)


class FirstPass:
    """The codes of n vectors.

    Args:
        stored: a FAISS IndexIVFPQFastScan by inner product, or an IndexPreTransform of one, which turns and cuts first.
        plan: how to ask it.

    Raises:
        ReleaseDamaged: the index is of another kind, or has other dimensions or cells than the plan.
    """

    def __init__(self, stored: Any, plan: Plan):
        import faiss

        index, self._turn = stored, None
        if isinstance(stored, faiss.IndexPreTransform):
            index, self._turn = faiss.downcast_index(stored.index), _turn_of(stored)
        if not isinstance(index, faiss.IndexIVFPQFastScan):
            raise ReleaseDamaged(f"a {type(index).__name__} is no first pass; build the release again")
        if plan.dimensions != (None if self._turn is None else index.d):
            raise ReleaseDamaged(f"codes of {index.d} dimensions cannot be asked as {plan}; build the release again")
        if index.nlist != plan.cells or not 1 <= plan.probes <= plan.filtered_probes <= plan.cells or plan.surplus < 1:
            raise ReleaseDamaged(f"an index of {index.nlist} cells cannot be asked as {plan}; build the release again")
        self.stored, self.index, self.plan = stored, index, plan
        self._centroids = np.asarray(index.quantizer.reconstruct_n(0, plan.cells), np.float32)

    @property
    def rows(self) -> int:
        """How many vectors."""
        return int(self.index.ntotal)

    @property
    def dim(self) -> int:
        """Length of the vectors, whatever that of their codes."""
        return int(self.stored.d)

    def asked_for(self, count: int) -> int:
        """Return how many candidates `count` wanted rows are chosen from."""
        return min(self.rows, max(math.ceil(count * self.plan.surplus), count + LEAST_SURPLUS))

    def exact_up_to(self, count: int) -> int:
        """Return how many allowed rows are all scored exactly, the first pass left out, when `count` are wanted."""
        return self.asked_for(count) * (ALWAYS_EXACT if self.plan.cells == 1 else ALWAYS_EXACT_IN_CELLS)

    def candidates(self, query: Floats, count: int, allowed: Mask | None = None) -> Rows:
        """Return (m,) int64, ascending: rows among which the best `count` allowed ones are.

        Args:
            query: (d,) float32 unit vector.
            count: how many are wanted.
            allowed: (n,) bool; None allows every row.
        """
        import faiss

        query = np.ascontiguousarray(query if self._turn is None else self._turn @ query, np.float32)
        nearness = np.vecdot(self._centroids, query)
        cells = self._nearest(nearness, allowed)
        wanted = self.asked_for(count)
        scores, rows = np.empty(wanted, np.float32), np.empty(wanted, np.int64)
        selector = None if allowed is None else faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        # FAISS's own wrapper takes no other number of cells than the index's, which all threads share.
        near = nearness[cells]
        x, c, c_near, found_scores, found = map(faiss.swig_ptr, (query, cells, near, scores, rows))
        parameters = faiss.SearchParametersIVF(nprobe=len(cells), sel=selector)
        self.index.search_preassigned_c(1, x, wanted, c, c_near, found_scores, found, False, parameters)
        return np.sort(rows[rows >= 0])  # FAISS pads with -1 and says nothing

    def _nearest(self, nearness: Floats, allowed: Mask | None) -> Rows:
        """Return the cells to read.

        Under a filter only cells that hold allowed rows count, so that one whose rows all lie far from the query, as
        those of another category do, has as many read as one that allows rows everywhere.
        """
        plan = self.plan
        order = np.argsort(-nearness, kind="stable")
        if allowed is None or plan.cells == 1:
            return np.ascontiguousarray(order[: plan.probes])
        counts = np.bincount(self._cell_of[np.flatnonzero(allowed)], minlength=plan.cells)
        return np.ascontiguousarray(order[counts[order] > 0][: plan.filtered_probes])

    @cached_property
    def _cell_of(self) -> np.ndarray:
        """(n,) int32, the cell of each row."""
        import faiss

        lists, cell_of = self.index.invlists, np.empty(self.rows, np.int32)
        for cell in range(self.plan.cells):
            size = lists.list_size(cell)
            if size:
                cell_of[faiss.rev_swig_ptr(lists.get_ids(cell), size)] = cell
        return cell_of


def _turn_of(stored: Any) -> Floats:
    """Return (dimensions, d) float32, what a FAISS IndexPreTransform multiplies a vector with.

    Raises:
        ReleaseDamaged: it does anything else.
    """
    import faiss

    turn = faiss.downcast_VectorTransform(stored.chain.at(0)) if stored.chain.size() == 1 else None
    if not isinstance(turn, faiss.LinearTransform) or turn.have_bias or turn.A.size() != turn.d_in * turn.d_out:
        raise ReleaseDamaged("the first pass turns its vectors in an unknown way; build the release again")
    return np.asarray(faiss.vector_to_array(turn.A), np.float32).reshape(turn.d_out, turn.d_in)
