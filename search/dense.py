"""The dense leg: exact inner-product search over unit vectors, with filters inside the scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from search.arrays import Floats, Mask, Rows, expect
from search.errors import ReleaseDamaged


class DenseIndex:
    """Embeddings and their FAISS index; scores are cosines, since every vector has length 1.

    Flat, not HNSW: filters leave few rows and HNSW then misses them (DESIGN.md, "Exact first").
    """

    def __init__(self, embeddings: Floats, index: Any):
        self.embeddings = expect(embeddings, (None, None), np.float32, "embeddings")
        self.index = index
        if (index.ntotal, index.d) != embeddings.shape:
            raise ReleaseDamaged(
                f"the FAISS index holds {index.ntotal} x {index.d}, the embeddings are {embeddings.shape}; build again"
            )

    @classmethod
    def build(cls, embeddings: Floats) -> DenseIndex:
        """Index (n, d) float32 unit rows."""
        import faiss

        index = faiss.IndexFlatIP(embeddings.shape[1])
        index.add(np.ascontiguousarray(embeddings))
        return cls(embeddings, index)

    def save(self, path: Path) -> None:
        """Write the FAISS index (the embeddings are written by the indexer, as .npy)."""
        import faiss

        faiss.write_index(self.index, str(path))

    @classmethod
    def load(cls, embeddings_path: Path, index_path: Path) -> DenseIndex:
        """Open both files, memory-mapped.

        Raises:
            ReleaseDamaged: a file is missing, truncated, or they do not fit each other.
        """
        import faiss

        # One thread a search: with two, a single query is slower and concurrent ones fight (DESIGN.md, "Threads").
        faiss.omp_set_num_threads(1)
        try:
            embeddings = np.asarray(np.load(embeddings_path, mmap_mode="r"))  # a view without memmap's slow indexing
            index = faiss.read_index(str(index_path), faiss.IO_FLAG_MMAP_IFC)
        except (OSError, ValueError, RuntimeError) as error:
            raise ReleaseDamaged(f"the dense index in {index_path.parent} cannot be read ({error})") from error
        return cls(embeddings, index)

    def search(self, query: Floats, count: int, allowed: Mask | None = None) -> tuple[Rows, Floats]:
        """Return the best `count` rows and their scores, best first, equal scores in row order.

        Args:
            query: (d,) float32 unit vector.
            count: how many; fewer come back when fewer rows are allowed.
            allowed: (n,) bool; None allows every row.
        """
        import faiss

        count = min(count, self.index.ntotal if allowed is None else int(allowed.sum()))
        if count == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        parameters = None
        if allowed is not None:
            bitmap = np.packbits(allowed, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bitmap))
        scores, rows = self.index.search(query[None, :], count, params=parameters)
        scores, rows = scores[0], rows[0]
        scores, rows = scores[rows >= 0], rows[rows >= 0]  # FAISS pads with -1 and says nothing
        order = np.lexsort((rows, -scores))
        return rows[order], scores[order]

    def scores_of(self, query: Floats, rows: Rows) -> Floats:
        """Return (len(rows),) float32 exact scores of the given rows."""
        return np.asarray(self.embeddings[rows] @ query, np.float32)
