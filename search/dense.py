"""The dense leg: exact inner-product search over unit vectors, with filters inside the scan.

Nobody else knows how the vectors are stored: everyone asks here, and is given float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from search.arrays import Floats, Mask, Rows, expect
from search.errors import ReleaseDamaged

PRECISIONS = ("float32", "float16", "int8", "pq")
PQ_DIMENSIONS = 4  # that a product quantiser writes as one byte
PQ_CENTROIDS = 256  # of each such part: what a byte can tell apart, and the fewest products it can be learnt from
# Products and k-means rounds; 19,406 and 25 find .002 more of Recall@100 and take ten times as long.
PQ_SAMPLE, PQ_ROUNDS = 4096, 10


class DenseIndex:
    """A FAISS index over n vectors; scores are cosines, up to what a coarse precision loses.

    Flat, not HNSW: filters leave few rows and HNSW then misses them (DESIGN.md, "Exact first").

    Args:
        index: of one of PRECISIONS. In float32 the vectors lie beside it as an array, and are the truth; the codes of
            a coarser one are all that is kept, and vectors are decoded from them when asked for.
        embeddings: (n, d) float32, with a float32 index; else None.

    Raises:
        ReleaseDamaged: they do not fit each other.
    """

    def __init__(self, index: Any, embeddings: Floats | None = None):
        self.index, self._embeddings = index, embeddings
        self.precision = _precision_of(index)
        if (self.precision == "float32") != (embeddings is not None):
            raise ReleaseDamaged(f"a {self.precision} index and its vectors do not belong together; build again")
        if embeddings is not None:
            expect(embeddings, (None, None), np.float32, "embeddings")
            if (index.ntotal, index.d) != embeddings.shape:
                raise ReleaseDamaged(
                    f"the FAISS index holds {index.ntotal} x {index.d}, the embeddings are {embeddings.shape}; "
                    "build again"
                )

    @property
    def rows(self) -> int:
        """How many vectors."""
        return int(self.index.ntotal)

    @property
    def dim(self) -> int:
        """Their length."""
        return int(self.index.d)

    @classmethod
    def build(cls, embeddings: Floats, precision: str = "float32") -> DenseIndex:
        """Index (n, d) float32 unit rows.

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

    def save(self, embeddings_path: Path, index_path: Path) -> None:
        """Write the FAISS index and, in float32, the vectors, unless they lie there already."""
        import faiss

        if self._embeddings is not None and not embeddings_path.is_file():
            np.save(embeddings_path, self._embeddings)
        faiss.write_index(self.index, str(index_path))

    @classmethod
    def load(cls, embeddings_path: Path, index_path: Path, precision: str = "float32") -> DenseIndex:
        """Open what `save` wrote, memory-mapped.

        Raises:
            ReleaseDamaged: a file is missing, truncated, of another precision, or they do not fit each other.
        """
        import faiss

        # One thread a search: with two, a single query is slower and concurrent ones fight (DESIGN.md, "Threads").
        faiss.omp_set_num_threads(1)
        embeddings = None
        try:
            if precision == "float32":
                embeddings = np.asarray(np.load(embeddings_path, mmap_mode="r"))  # without memmap's slow indexing
            index = faiss.read_index(str(index_path), faiss.IO_FLAG_MMAP_IFC)
            if (found := _precision_of(index)) != precision:
                raise ReleaseDamaged(f"{index_path.name} is {found}, the manifest says {precision}")
        except (OSError, ValueError, RuntimeError, ReleaseDamaged) as error:
            raise ReleaseDamaged(f"the dense index in {index_path.parent} cannot be read ({error})") from error
        return cls(index, embeddings)

    def search(self, query: Floats, count: int, allowed: Mask | None = None) -> tuple[Rows, Floats]:
        """Return the best `count` rows and their scores, best first, equal scores in row order.

        Args:
            query: (d,) float32 unit vector.
            count: how many; fewer come back when fewer rows are allowed.
            allowed: (n,) bool; None allows every row.
        """
        import faiss

        count = min(count, self.rows if allowed is None else int(allowed.sum()))
        if count == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        parameters, wanted = None, count
        if allowed is not None and self.precision == "pq":
            wanted = self.rows  # FAISS's product quantiser takes no filter, so every row is scored
        elif allowed is not None:
            bitmap = np.packbits(allowed, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bitmap))
        scores, rows = self.index.search(query[None, :], wanted, params=parameters)
        scores, rows = scores[0], rows[0]
        scores, rows = scores[rows >= 0], rows[rows >= 0]  # FAISS pads with -1 and says nothing
        if wanted > count and allowed is not None:
            scores, rows = scores[allowed[rows]], rows[allowed[rows]]
        order = np.lexsort((rows, -scores))[:count]
        return rows[order], scores[order]

    @property
    def embeddings(self) -> Floats:
        """(n, d) float32, every vector; a coarse precision is decoded anew, so this is for exports, not for queries."""
        return self.index.reconstruct_n(0, self.rows) if self._embeddings is None else self._embeddings

    def gathered(self, rows: Rows) -> Floats:
        """Return (m, d) float32, the vectors of (m,) rows."""
        if self._embeddings is not None:
            return np.asarray(self._embeddings[rows])
        return np.asarray(self.index.reconstruct_batch(np.asarray(rows, np.int64)), np.float32).reshape(-1, self.dim)

    def scores(self, query: Floats) -> Floats:
        """Return (n,) float32 scores of every row."""
        if self._embeddings is not None:
            return np.asarray(self._embeddings @ query, np.float32)
        found, rows = self.index.search(np.ascontiguousarray(query[None, :]), self.rows)  # faster than decoding
        scores = np.empty(self.rows, np.float32)
        scores[rows[0]] = found[0]
        return scores

    def scores_of(self, query: Floats, rows: Rows) -> Floats:
        """Return (len(rows),) float32 exact scores of the given rows."""
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
