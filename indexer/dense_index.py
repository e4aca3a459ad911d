"""The dense index of a catalog, by its size: exact where that is fast, else two passes whose recall was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import faiss
import numpy as np

from indexer.neighbors import threads
from search.arrays import Floats, Mask, Rows
from search.dense import DenseIndex
from search.encoder import cpu_threads
from search.first_pass import ALWAYS_EXACT_IN_CELLS, FEW, FirstPass, Plan
from search.product import Product
from search.reduction import Reduction, directions_of

RECALL = 0.99  # of the first TOP, that an inverted file must reach; `build --recall`
WHOLE = 200_000  # rows up to which every code is read; DESIGN.md, "Dense index by size"
# Vectors that each cell and each of the 16 values of a dimension is learnt from, and rounds of k-means; 1,024 and 2,500
# vectors a value find no more.
CELL_SAMPLE, CELL_ROUNDS = 40, 10
VALUE_SAMPLE, VALUE_ROUNDS = 512, 25
VALUES = 16
BLOCK = 65_536  # vectors added at a time
POOL, TOP = 1000, 100  # best rows whose recall is measured
EXACT = 0.999  # recall of the pool from which a first pass over every code counts as exact
SURPLUSES = (1.5, 1.75, 2.0, 3.0, 5.0)  # candidates for each wanted row
# Shares of the dimensions of which codes are tried, fewest first, from CUT rows on, where reading codes is what takes
# longest. More candidates than MOST_SURPLUS take longer to score than the shorter codes save.
CUTS, CUT, MOST_SURPLUS = (1 / 2, 2 / 3), 32_768, 2.0
QUERIES = 200  # by which the recall is measured
DEEP = 4096  # best rows of all, among which the best under a filter are found
WORDS = 3  # of a title that make a query
LEAST_DEEP = 20  # of them that must pass the filter for its recall to be told


def dense_index(
    embeddings: Floats,
    precision: str,
    queries: Callable[[], Floats],
    recall: float = RECALL,
    plan: Plan | None = None,
) -> DenseIndex:
    """Return the index of (n, d) float32 unit rows.

    Args:
        embeddings: to index; memory-mapped or not.
        precision: one of `search.dense.PRECISIONS`.
        queries: gives (q, d) float32 unit rows such as are asked, when they are needed; none: products stand in.
        recall: 0..1, of the first TOP, that must be reached where not every vector is read; 1 reads every one.
        plan: measured on nearly the same vectors, taken if the index has as many cells.
    """
    if len(embeddings) < FEW or precision == "pq":
        return DenseIndex.build(embeddings, precision)
    return DenseIndex.in_two_passes(embeddings, precision, _first_pass(embeddings, queries, recall, plan))


def _first_pass(embeddings: Floats, queries: Callable[[], Floats], recall: float, plan: Plan | None) -> FirstPass:
    """Return the first pass over the fewest dimensions that need no more candidates than it pays; see `dense_index`."""
    tried = [round(cut * embeddings.shape[1]) for cut in CUTS] if len(embeddings) >= CUT else []
    if plan is not None and plan.cells == cells_of(len(embeddings)) and plan.dimensions in (None, *tried):
        return FirstPass(trained_index(embeddings, plan.dimensions), plan)
    asked = queries()
    if len(asked) == 0:
        asked = embeddings[:: max(1, len(embeddings) // QUERIES)][:QUERIES]
    best = best_rows_of(embeddings, asked := np.ascontiguousarray(asked))
    for dimensions in (*tried, None):
        index = trained_index(embeddings, dimensions)
        measured = replace(measured_plan(index, asked, best, recall), dimensions=dimensions)
        if measured.surplus <= MOST_SURPLUS:
            break
    return FirstPass(index, measured)


def titles_of(products: Sequence[Product]) -> list[str]:
    """Return the titles of up to QUERIES products from all over the catalog, of which `queries_like` makes queries."""
    return [product.title for product in products[:: max(1, len(products) // QUERIES)][:QUERIES]]


def queries_like(titles: Sequence[str]) -> list[str]:
    """Return up to QUERIES texts such as shoppers type: the first words of products from all over the catalog."""
    return [" ".join(title.split()[:WORDS]) for title in titles[:: max(1, len(titles) // QUERIES)][:QUERIES]]


def cells_of(count: int) -> int:
    """Return into how many cells so many rows are divided."""
    return 1 if count <= WHOLE else math.isqrt(count)


def trained_index(embeddings: Floats, dimensions: int | None = None) -> Any:
    """Return a FAISS index of the rows: the same of the same rows, whatever the number of threads.

    Args:
        embeddings: (n, d) float32 unit rows.
        dimensions: to turn and cut them to, onto the directions that most of their inner products lie along
            (search/reduction.py), before they are coded; None leaves them as they are.
    """
    count, full = embeddings.shape
    cells, dim = cells_of(count), dimensions or full
    index = faiss.IndexIVFPQFastScan(faiss.IndexFlatIP(dim), dim, cells, dim, 4, faiss.METRIC_INNER_PRODUCT)
    index.by_residual = False  # then one table a query serves all cells
    index.cp.niter, index.cp.seed, index.cp.min_points_per_centroid = CELL_ROUNDS, 1, 1
    index.cp.max_points_per_centroid = CELL_SAMPLE
    drawn = np.random.default_rng(0).permutation(count)[: max(CELL_SAMPLE * cells, VALUE_SAMPLE * VALUES)]
    sample = np.ascontiguousarray(embeddings[np.sort(drawn)], np.float32)
    turn = None if dimensions is None else _turn(sample, dimensions)
    with threads(1):  # sums in another order would round to other cells
        sample = sample if turn is None else turn.apply(sample)
        index.train_q1(len(sample), faiss.swig_ptr(sample), False, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(values_of(sample[:: max(1, len(sample) // (VALUE_SAMPLE * VALUES))]), index.pq.centroids)
    index.is_trained = True
    for start in range(0, count, BLOCK):
        block = np.ascontiguousarray(embeddings[start : start + BLOCK], np.float32)
        with threads(1):
            block = block if turn is None else turn.apply(block)
        with threads(cpu_threads()):
            index.add(block)
    return index if turn is None else faiss.IndexPreTransform(turn, index)


def _turn(sample: Floats, dimensions: int) -> Any:
    """Return a FAISS LinearTransform to so many dimensions; not FAISS's PCA, which centres and so changes products."""
    turn = faiss.LinearTransform(sample.shape[1], dimensions, False)
    rotation = Reduction.along(directions_of(sample), dimensions).rotation
    faiss.copy_array_to_vector(np.ascontiguousarray(rotation.T).ravel(), turn.A)
    turn.is_trained = True
    return turn


def values_of(sample: Floats) -> Floats:
    """Return (d * VALUES,) float32, ascending by dimension: those that stand for all numbers of each dimension.

    k-means (Lloyd 1982) on the line from the quantiles on: in sorted numbers each group is a run, and its sum a
    difference of running sums, so that a round costs next to nothing. FAISS's own knows no dimension but many.

    Args:
        sample: (m, d) float32.
    """
    ordered = np.sort(sample, axis=0).astype(np.float64).T  # (d, m)
    sums = np.concatenate([np.zeros((len(ordered), 1)), np.cumsum(ordered, axis=1)], axis=1)
    values = np.quantile(ordered, (np.arange(VALUES) + 0.5) / VALUES, axis=1).T  # (d, VALUES)
    ends = np.full((len(ordered), VALUES + 1), ordered.shape[1])
    ends[:, 0] = 0
    for _ in range(VALUE_ROUNDS):
        middles = (values[:, 1:] + values[:, :-1]) / 2
        ends[:, 1:-1] = [np.searchsorted(*pair) for pair in zip(ordered, middles, strict=True)]
        counts = np.diff(ends, axis=1)
        means = np.diff(np.take_along_axis(sums, ends, axis=1), axis=1) / np.maximum(counts, 1)
        values = np.where(counts > 0, means, values)
    return values.astype(np.float32).ravel()


def best_rows_of(embeddings: Floats, queries: Floats) -> Rows:
    """Return (q, DEEP) int64, the rows that an exact search finds for (q, d) float32 queries, best first."""
    with threads(cpu_threads()):
        found: Rows = faiss.knn(queries, embeddings, min(DEEP, len(embeddings)), metric=faiss.METRIC_INNER_PRODUCT)[1]
    return found


def measured_plan(index: Any, queries: Floats, truth: Rows, target: float) -> Plan:
    """Return the cheapest way to ask an index that is good enough for these queries.

    The surplus is the least of SURPLUSES that finds EXACT of the exact search's POOL where every code is read; where
    only some are, `target` of it. Cells are as few as find `target` of the first TOP. What it tells as recall: "pool"
    and "top", of the first POOL and TOP without a filter, and where there are cells "filtered": of the first TOP,
    as far as known, under the narrowest random filter that is not searched exactly anyway.

    Args:
        index: as `trained_index` gives it.
        queries: (q, d) float32 unit rows.
        truth: see `best_rows_of`.
        target: 0..1.
    """
    if isinstance(index, faiss.IndexPreTransform):
        index, queries = faiss.downcast_index(index.index), index.chain.at(0).apply(queries)
    with threads(cpu_threads()):
        enough = EXACT if index.nlist == 1 else target
        for surplus in SURPLUSES:
            found = _found(index, queries, surplus, index.nlist)
            if _recall(truth[:, :POOL], found) >= enough:
                break
        steps = _steps(index.nlist)
        for probes in steps if target < 1 else steps[-1:]:
            found = _found(index, queries, surplus, probes)
            if _recall(truth[:, :TOP], found) >= target:
                break
        recall = {"top": _recall(truth[:, :TOP], found), "pool": _recall(truth[:, :POOL], found)}
        filtered = probes
        if index.nlist > 1:
            filtered, recall["filtered"] = _probes_under_filter(index, queries, truth, surplus, probes, target)
    told = {name: round(value, 5) for name, value in recall.items()}
    return Plan(index.nlist, probes, filtered, surplus, len(queries), told)


def _probes_under_filter(
    index: Any, queries: Floats, truth: Rows, surplus: float, least: int, target: float
) -> tuple[int, float]:
    """Return how many cells, `least` or more, find `target` of the first TOP under the narrowest filter, and the share.

    All of them and 1.0 where there are so many products that too few of the DEEP pass the filter to tell.
    """
    allowed = _narrowest(index.ntotal, surplus)
    best = [rows[allowed[rows]][:TOP] for rows in truth]
    told = [place for place, rows in enumerate(best) if len(rows) >= LEAST_DEEP]
    probes, share = index.nlist, 1.0
    for probes in [step for step in _steps(index.nlist) if step >= least] if told else ():
        share = _recall([best[place] for place in told], _found(index, queries[told], surplus, probes, allowed))
        if share >= target:
            break
    return probes, share


def _narrowest(rows: int, surplus: float) -> Mask:
    """Return (rows,) bool: a random filter that allows just more rows than would all be scored exactly."""
    share = ALWAYS_EXACT_IN_CELLS * math.ceil(POOL * surplus) / rows
    return np.asarray(np.random.default_rng(1).random(rows) < share)


def _found(index: Any, queries: Floats, surplus: float, probes: int, allowed: Mask | None = None) -> Rows:
    selector = None if allowed is None else faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
    parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
    return np.asarray(index.search(queries, min(math.ceil(POOL * surplus), index.ntotal), params=parameters)[1])


def _recall(truth: Sequence[Rows] | Rows, found: Rows) -> float:
    """Return the mean share of each query's true rows that were found; 1 where there are no queries."""
    shares = [np.isin(best, rows).mean() for best, rows in zip(truth, found, strict=True)]
    return float(np.mean(shares)) if shares else 1.0


def _steps(cells: int) -> list[int]:
    """Return numbers of cells to try, each a third to a half more than the one before, and last all of them."""
    doubled = [size for power in range(3, 24) for size in (2**power, 3 * 2 ** (power - 1))]
    return [*sorted(size for size in doubled if size < cells), cells]
