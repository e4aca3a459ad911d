"""What fewer dimensions and coarser precisions cost one catalog: measured on its own release, and what to choose.

Every setting is searched as a release would search it, the dense leg alone, over the whole catalog. Quality is told
twice: nDCG@10 against what answers the queries, and Recall@100 against the exact search over the encoder's own vectors,
which needs no judgments and sees what moves further down.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from indexer.calibration import word_index
from indexer.dense_index import QUERIES, dense_index
from indexer.evaluation.compare import Comparison, compare_evaluations
from indexer.evaluation.engine_run import evaluate_engine
from indexer.evaluation.measures import Evaluation, Interval, evaluate_run
from indexer.questions import Questions
from indexer.sparse import KINDS, SparseIndex
from search.arrays import Floats, Rows, unit_rows
from search.confidence import Confidence
from search.dense import PQ_CENTROIDS, PQ_DIMENSIONS, PRECISIONS, DenseIndex
from search.encoder import Encoder
from search.engine import Engine
from search.home import Layout
from search.reduction import Reduction, directions_of, reduced
from search.release import Release
from search.segments import SegmentIndex

DIMS = (384, 256, 128, 64, 32)  # and the encoder's own
MOST_LOST = 0.005  # of nDCG@10: what the training gate's guard tolerates too
LEAST_RECALL = 0.95
RECALL_K = 100
MOST_SERVED = 300  # queries asked of the whole engine, which takes far longer than one leg
RULE = (
    f"Of the settings that lose, with 95 % confidence, less than {MOST_LOST} of nDCG@10 (the lower end of a paired "
    f"bootstrap over the queries) and find at least {LEAST_RECALL:.0%} of the {RECALL_K} products that the exact "
    "search over the encoder's own vectors finds, the one of which a release stores the fewest bytes a product; of "
    "equal ones the simplest."
)

Search = Callable[[Any, int], tuple[Rows, Floats]]
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Measured:
    """One setting.

    Attributes:
        kind: "dense", "truncated" (the encoder's first dimensions, not turned) or one of `sparse.KINDS`.
        dim: dimensions; of a sparse index its columns.
        precision: how each is stored.
        ndcg: nDCG@10, and change: that of the full setting taken off, with its 95 % interval; None where the queries
            cannot tell (see `Bench.sparse`).
        recall: share of the exact search's RECALL_K products found.
        bytes: a product, of the index's file; stored: of all that a release keeps of meaning: index, rotation, segments
            and, in float32, the embeddings.
        build_seconds: to turn, cut, learn and store all vectors.
        query_ms: median of one search, the query's vector given.
    """

    kind: str
    dim: int
    precision: str
    ndcg: float | None
    change: Interval | None
    recall: float
    bytes: float
    stored: float
    build_seconds: float
    query_ms: float

    @property
    def is_good_enough(self) -> bool:
        """Whether RULE may choose it."""
        is_unharmed = self.change is not None and self.change.low > -MOST_LOST
        return self.kind == "dense" and is_unharmed and self.recall >= LEAST_RECALL

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "kind": self.kind, "dim": self.dim, "precision": self.precision,
            "nDCG@10": None if self.ndcg is None else round(self.ndcg, 6),
            "change": None if self.change is None else self.change.as_json(),
            "recall@100": round(self.recall, 6),
            "bytes_per_product": round(self.bytes, 1), "stored_bytes_per_product": round(self.stored, 1),
            "build_seconds": round(self.build_seconds, 2), "query_ms": round(self.query_ms, 3),
            "good_enough": self.is_good_enough,
        }  # fmt: skip


def recommended(measured: Sequence[Measured]) -> Measured:
    """Return the setting that RULE chooses; the first, which is full, where no other will do."""
    fit = [one for one in measured if one.is_good_enough] or [measured[0]]
    return min(fit, key=lambda one: (round(one.stored), PRECISIONS.index(one.precision), -one.dim))


class Bench:
    """Measures settings on the vectors of one catalog.

    Args:
        embeddings: (n, d) float32 unit rows, the encoder's own.
        segments: of the same products.
        ids: of the products, in row order.
        questions: what is asked.
        vectors: (q, d) float32 unit rows of the questions' texts, in their order.
        depth: rows asked of an index, as the engine asks.
    """

    def __init__(
        self,
        embeddings: Floats,
        segments: SegmentIndex,
        ids: Sequence[str],
        questions: Questions,
        vectors: Floats,
        depth: int,
    ):
        self.embeddings, self.segments, self.ids = embeddings, segments, ids
        self.questions, self.vectors, self.depth = questions, vectors, max(depth, RECALL_K)
        self._exact: list[set[int]] = []
        self._full: Evaluation | None = None

    def dense(self, tell: Told) -> list[Measured]:
        """Return every dense setting measured, full float32 first, then the encoder's dimensions cut without a turn."""
        full = self.embeddings.shape[1]
        dims = [full, *(dim for dim in DIMS if dim < full)]
        measured = []
        started = time.perf_counter()
        directions = directions_of(self.embeddings)
        finding = time.perf_counter() - started
        for place, dim in enumerate(dims):
            tell("measuring dimensions", place, len(dims))
            started = time.perf_counter()
            reduction = Reduction.along(directions, dim) if dim < full else None
            rows, queries = self.embeddings, self.vectors
            if reduction is not None:
                rows, queries = reduction.of(rows), reduction.of(queries)
            turning = 0.0 if reduction is None else finding + time.perf_counter() - started
            turned = 0 if reduction is None else reduction.rotation.nbytes
            for precision in PRECISIONS:
                if self.can_store(dim, precision):
                    measured.append(self._indexed("dense", rows, queries, precision, turned, turning))
        for dim in dims[1:]:
            rows, queries = unit_rows(self.embeddings[:, :dim]), unit_rows(self.vectors[:, :dim])
            measured.append(self._indexed("truncated", rows, queries, "float32", 0, 0.0))
        return measured

    def sparse(self, passages: Sequence[str]) -> list[Measured]:
        """Return the sparse settings measured, over the same passages; after `dense`.

        Pseudo-queries are words of these very passages, which a sparse index finds by construction: of its quality they
        say nothing, and it is told only where people judged.
        """
        measured = []
        for kind in KINDS:
            started = time.perf_counter()
            index = SparseIndex(kind, passages)
            took = time.perf_counter() - started
            queries = [index.vector(text) for text in self.questions.texts.values()]
            setting, sizes = (kind, index.columns, "sparse"), (index.bytes, index.bytes)
            found = self._measured(setting, index.search, queries, sizes, took)
            measured.append(found if self.questions.is_judged else replace(found, ndcg=None, change=None))
        return measured

    def can_store(self, dim: int, precision: str) -> bool:
        """Return whether the catalog is large enough for a product quantiser, and the dimensions can be divided."""
        return precision != "pq" or (dim % PQ_DIMENSIONS == 0 and len(self.ids) >= PQ_CENTROIDS)

    def _indexed(
        self, kind: str, rows: Floats, queries: Floats, precision: str, more_bytes: int, more_seconds: float
    ) -> Measured:
        started = time.perf_counter()
        index = dense_index(rows, precision, lambda: queries[:QUERIES])
        took = time.perf_counter() - started + more_seconds
        size = index_bytes(index)
        more_bytes += len(self.segments.scales) * (index.dim + 4)  # int8 and a float32 scale; see search/segments.py
        if precision == "float32":
            more_bytes += rows.nbytes
        return self._measured((kind, index.dim, precision), index.search, queries, (size, size + more_bytes), took)

    def _measured(
        self,
        setting: tuple[str, int, str],
        search: Search,
        queries: Sequence[Any] | Floats,
        sizes: tuple[int, int],
        took: float,
    ) -> Measured:
        found, milliseconds = [], []
        for query in queries:
            started = time.perf_counter()
            rows, _ = search(query, self.depth)
            milliseconds.append((time.perf_counter() - started) * 1000)
            found.append(rows[:RECALL_K])
        run = {
            query_id: [(self.ids[row], 0.0) for row in rows]
            for query_id, rows in zip(self.questions.texts, found, strict=True)
        }
        evaluation = evaluate_run(run, self.questions.judgments, resamples=1)
        if self._full is None:
            self._full, self._exact = evaluation, [set(rows.tolist()) for rows in found]
        shares = [len(exact & set(rows.tolist())) / len(exact) for exact, rows in zip(self._exact, found, strict=True)]
        difference = compare_evaluations(self._full, evaluation).differences["nDCG@10"]
        size, stored = (one / len(self.ids) for one in sizes)
        return Measured(
            *setting, difference.mean_b, difference.change, float(np.mean(shares)), size, stored, took,
            float(np.median(milliseconds)),
        )  # fmt: skip


def served(release: Release, encoder: Encoder, setting: Measured, questions: Questions, tell: Told) -> Comparison:
    """Return the served hybrid with a setting against the release as it is, on judged queries.

    Everything the ranking reads is cut as a build would cut it; nothing is written.
    """
    embeddings, segments, confidence = release.dense.embeddings, release.segments, release.confidence
    reduction = Reduction.fit(embeddings, setting.dim) if setting.dim < release.dense.dim else None
    if reduction is not None:
        embeddings, segments = reduction.of(embeddings), segments.mapped(reduction.of)
        words = confidence.background
        if words is not None:
            words = word_index(reduction.of(words.reconstruct_n(0, words.ntotal)))
        confidence = Confidence(confidence.calibration, words)
    texts = list(questions.texts.values())[:QUERIES]
    dense = dense_index(embeddings, setting.precision, lambda: reduced(encoder, reduction).encode_queries(texts))
    cut = replace(release, dense=dense, reduction=reduction, segments=segments, confidence=confidence)
    asked = {query_id: questions.judgments[query_id] for query_id in list(questions.texts)[:MOST_SERVED]}
    whole, shorter = (
        evaluate_engine(Engine(one, lambda: encoder), questions.texts, asked, on_progress=tell).evaluation
        for one in (release, cut)
    )
    return compare_evaluations(whole, shorter)


def index_bytes(index: DenseIndex) -> int:
    """Return the size of what is read to search an index: its files but the embeddings."""
    with tempfile.TemporaryDirectory() as folder:
        layout = Layout(Path(folder))
        index.save(layout)
        return sum(path.stat().st_size for path in layout.folder.iterdir() if path != layout.embeddings)
