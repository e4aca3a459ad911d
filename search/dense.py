"""The dense leg: inner-product search over unit vectors, with filters inside the scan; exact, or of measured recall.

Nobody else knows how the vectors are stored: everyone asks here, and is given float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from search.arrays import Floats, Mask, Rows, best_rows, expect, mapped
from search.errors import ReleaseDamaged
from search.first_pass import FirstPass, Plan
from search.home import Layout
from search.stored_vectors import BLOCK, StoredVectors

PRECISIONS = ("float32", "float16", "int8", "pq")
# What the second pass of a precision reads. 16-bit integers lie beside the embeddings, which stay the truth: half the
# bytes to keep resident, and cosines within 1e-5.
STORED_AS = {"float32": np.int16, "float16": np.float16, "int8": np.int8}
RANKED = 10_000  # best rows that are told their rank
PQ_DIMENSIONS = 4  # that a product quantiser writes as one byte
PQ_CENTROIDS = 256  # of each such part: what a byte can tell apart, and the fewest products it can be learnt from
# Products and k-means rounds; 19,406 and 25 find .002 more of Recall@100 and take ten times as long.
PQ_SAMPLE, PQ_ROUNDS = 4096, 10


class DenseIndex:
    """An index over n vectors; scores are cosines, up to what a coarse precision loses.

    Few vectors lie in a FAISS index that is read whole. Of more a first pass over short codes names candidates, which
    are scored again with the stored vectors: exactly the same scores, and with recall as the manifest says.

    Args:
        whole: a FAISS index of one of PRECISIONS, read whole; None in two passes.
        embeddings: (n, d) float32, the truth of a float32 release; None for a coarser one, which has its codes only.
        first, stored: the two passes, None without; of a float32 release `stored` may be the embeddings themselves.

    Raises:
        ReleaseDamaged: they do not fit each other.
    """

    def __init__(
        self,
        whole: Any,
        embeddings: Floats | None = None,
        first: FirstPass | None = None,
        stored: StoredVectors | None = None,
    ):
        self.whole, self.first, self._embeddings = whole, first, embeddings
        self._stored = stored if stored is not None or embeddings is None else StoredVectors(embeddings)
        self.precision = _precision_of(whole) if first is None else _precision_stored(self._stored, embeddings)
        if (self.precision == "float32") != (embeddings is not None):
            raise ReleaseDamaged(f"a {self.precision} index and its vectors do not belong together; build again")
        shapes = {"FAISS index": (int(whole.ntotal), int(whole.d)) if first is None else (first.rows, first.dim)}
        if self._stored is not None:
            shapes["stored vectors"] = (self._stored.rows, self._stored.dim)
        if embeddings is not None:
            shapes["embeddings"] = expect(embeddings, (None, None), np.float32, "embeddings").shape
        if len(set(shapes.values())) != 1:
            raise ReleaseDamaged(f"the parts of the dense index differ in rows or dimensions {shapes}; build again")
        self.rows, self.dim = shapes["FAISS index"]

    @classmethod
    def build(cls, embeddings: Floats, precision: str = "float32") -> DenseIndex:
        """Index (n, d) float32 unit rows to be read whole; of many see `indexer.dense_index`.

        Args:
            embeddings: to index.
            precision: one of PRECISIONS; "pq" takes at least PQ_CENTROIDS rows and a d that PQ_DIMENSIONS divides.
        """
        embeddings = np.ascontiguousarray(embeddings)
        index = _new_index(embeddings.shape[1], precision)
        if precision == "pq":
            drawn = np.random.default_rng(0).permutation(len(embeddings))[:PQ_SAMPLE]
            index.train(embeddings[np.sort(drawn)])
        else:
            index.train(embeddings)
        index.add(embeddings)
        return cls(index, embeddings if precision == "float32" else None)

    @classmethod
    def in_two_passes(cls, embeddings: Floats, precision: str, first: FirstPass) -> DenseIndex:
        """Return the index of (n, d) float32 unit rows that a first pass was made of."""
        if precision == "float32":
            return cls(None, embeddings, first)
        return cls(None, None, first, StoredVectors.of(embeddings, STORED_AS[precision]))

    def save(self, layout: Layout) -> None:
        """Write the FAISS index, the stored vectors of two passes and, in float32, embeddings that are missing."""
        import faiss

        if self._embeddings is not None and not layout.embeddings.is_file():
            np.save(layout.embeddings, self._embeddings)
        faiss.write_index(self.whole if self.first is None else self.first.stored, str(layout.dense_index))
        if self.first is not None and self._embeddings is not None:
            StoredVectors.write(self._embeddings, STORED_AS["float32"], layout.dense_codes, layout.dense_scales)
        elif self.first is not None and self._stored is not None:
            self._stored.save(layout.dense_codes, layout.dense_scales)

    @classmethod
    def load(cls, layout: Layout, record: Mapping[str, Any]) -> DenseIndex:
        """Open what `save` wrote, memory-mapped.

        Args:
            layout: of the release.
            record: the manifest's `vectors` entry.

        Raises:
            ReleaseDamaged: a file is missing, truncated, of another precision, or they do not fit each other.
        """
        import faiss

        # One thread a search: with two, a single query is slower and concurrent ones fight (DESIGN.md, "Threads").
        faiss.omp_set_num_threads(1)
        embeddings, first, stored = None, None, None
        try:
            if record["precision"] == "float32":
                embeddings = mapped(layout.embeddings)
            index = faiss.read_index(str(layout.dense_index), faiss.IO_FLAG_MMAP_IFC)
            if record.get("search") is not None:
                first = FirstPass(index, Plan(**record["search"]))
                stored = StoredVectors.load(layout.dense_codes, layout.dense_scales)
            dense = cls(None if first else index, embeddings, first, stored)
            if dense.precision != record["precision"]:
                raise ReleaseDamaged(
                    f"{layout.dense_index.name} is {dense.precision}, the manifest says {record['precision']}"
                )
        except (OSError, ValueError, TypeError, RuntimeError, ReleaseDamaged) as error:
            raise ReleaseDamaged(
                f"the dense index in {layout.folder} cannot be read ({error}); build the release again"
            ) from error
        return dense

    @property
    def plan(self) -> Plan | None:
        """How the first pass is asked; None where all is read."""
        return None if self.first is None else self.first.plan

    def search(self, query: Floats, count: int, allowed: Mask | None = None) -> tuple[Rows, Floats]:
        """Return the best `count` rows and their scores, best first, equal scores in row order.

        Args:
            query: (d,) float32 unit vector.
            count: how many; fewer come back when fewer rows are allowed.
            allowed: (n,) bool; None allows every row.
        """
        among = self.rows if allowed is None else int(np.count_nonzero(allowed))
        count = min(count, among)
        if count == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        if self.first is None:
            return self._search_whole(query, count, allowed)
        rows = np.zeros(0, np.int64)
        if among > self.first.exact_up_to(count):
            rows = self.first.candidates(query, count, allowed)
        if len(rows) < count:  # so few are allowed, or so few had a score above the lowest a code can have
            rows = np.arange(self.rows) if allowed is None else np.flatnonzero(allowed)
        scores = self.scores_of(query, rows)
        best = best_rows(scores, count)
        return rows[best], scores[best]

    def _search_whole(self, query: Floats, count: int, allowed: Mask | None) -> tuple[Rows, Floats]:
        import faiss

        parameters, wanted = None, count
        if allowed is not None and self.precision == "pq":
            wanted = self.rows  # FAISS's product quantiser takes no filter, so every row is scored
        elif allowed is not None:
            bitmap = np.packbits(allowed, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bitmap))
        scores, rows = self.whole.search(query[None, :], wanted, params=parameters)
        scores, rows = scores[0], rows[0]
        scores, rows = scores[rows >= 0], rows[rows >= 0]  # FAISS pads with -1 and says nothing
        if wanted > count and allowed is not None:
            scores, rows = scores[allowed[rows]], rows[allowed[rows]]
        order = np.lexsort((rows, -scores))[:count]
        return rows[order], scores[order]

    @property
    def embeddings(self) -> Floats:
        """(n, d) float32, every vector; a coarse precision is decoded anew, so this is for exports, not for queries."""
        if self._embeddings is not None:
            return self._embeddings
        return self.whole.reconstruct_n(0, self.rows) if self._stored is None else self._stored.gathered(slice(None))

    def gathered(self, rows: Rows) -> Floats:
        """Return (m, d) float32, the vectors of (m,) rows."""
        if self._stored is not None:
            return self._stored.gathered(rows)
        return np.asarray(self.whole.reconstruct_batch(np.asarray(rows, np.int64)), np.float32).reshape(-1, self.dim)

    def scores(self, query: Floats) -> Floats:
        """Return (n,) float32 scores of every row, which takes as long as there are rows; no query needs it."""
        if self._stored is not None:
            starts = range(0, self.rows, BLOCK)
            return np.concatenate([self._stored.dots(query, slice(start, start + BLOCK)) for start in starts])
        found, rows = self.whole.search(np.ascontiguousarray(query[None, :]), self.rows)  # faster than decoding
        scores = np.empty(self.rows, np.float32)
        scores[rows[0]] = found[0]
        return scores

    def ranks(self, query: Floats, rows: Rows) -> list[int | None]:
        """Return for each row one more than how many have a higher score; None beyond the first RANKED."""
        found, scores = self.search(query, RANKED)
        rank_of = dict(zip(found.tolist(), (np.searchsorted(-scores, -scores) + 1).tolist(), strict=True))
        return [rank_of.get(row) for row in rows.tolist()]

    def scores_of(self, query: Floats, rows: Rows) -> Floats:
        """Return (len(rows),) float32 exact scores of the given rows."""
        if self._stored is not None:
            return self._stored.dots(query, rows)
        return np.asarray(self.gathered(rows) @ query, np.float32)


def _new_index(dim: int, precision: str) -> Any:
    import faiss

    if precision == "float32":
        return faiss.IndexFlatIP(dim)
    if precision == "pq":
        index = faiss.IndexPQ(dim, dim // PQ_DIMENSIONS, 8, faiss.METRIC_INNER_PRODUCT)
        index.pq.cp.niter, index.pq.cp.min_points_per_centroid = PQ_ROUNDS, 1  # else it warns on stderr, in every part
        return index
    kind = {"float16": faiss.ScalarQuantizer.QT_fp16, "int8": faiss.ScalarQuantizer.QT_8bit}[precision]
    return faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT)


def _precision_of(index: Any) -> str:
    """Return which of PRECISIONS an index has.

    Raises:
        ReleaseDamaged: none of them.
    """
    import faiss

    if isinstance(index, faiss.IndexFlat):
        return "float32"
    if isinstance(index, faiss.IndexPQ):
        return "pq"
    kinds = {faiss.ScalarQuantizer.QT_fp16: "float16", faiss.ScalarQuantizer.QT_8bit: "int8"}
    if isinstance(index, faiss.IndexScalarQuantizer) and index.sq.qtype in kinds:
        return kinds[index.sq.qtype]
    raise ReleaseDamaged(f"no precision of this version is stored as {type(index).__name__}; build the release again")


def _precision_stored(stored: StoredVectors | None, embeddings: Floats | None) -> str:
    """Return which of PRECISIONS the stored vectors of two passes belong to.

    Raises:
        ReleaseDamaged: none of them.
    """
    if stored is not None and embeddings is not None and stored.codes is embeddings:  # as built, not yet saved
        return "float32"
    kinds = {np.dtype(dtype): precision for precision, dtype in STORED_AS.items()}
    if stored is None or stored.codes.dtype not in kinds:
        raise ReleaseDamaged("two passes lack their stored vectors; build the release again")
    return kinds[stored.codes.dtype]
