"""The sparse neighbour of the dense leg: one column a word, as text was searched before embeddings.

Embeddings exist because they say in a few hundred numbers what this says in as many columns as there are words; here
both are measured on the same passages. Vectorisers: scikit-learn, with its own defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from search.arrays import Floats, Rows, best_positive

KINDS = {"tf-idf": "TF-IDF", "one-hot": "one-hot"}


class SparseIndex:
    """Passages as unit rows over their words, and an inverted list a word.

    Args:
        kind: "tf-idf", or "one-hot", which only says whether a word is there.
        passages: n texts.
    """

    def __init__(self, kind: str, passages: Sequence[str]):
        from sklearn.feature_extraction.text import TfidfVectorizer

        is_binary = kind == "one-hot"
        self._vectorizer = TfidfVectorizer(dtype=np.float32, binary=is_binary, use_idf=not is_binary)
        matrix = self._vectorizer.fit_transform(passages)  # (n, words) CSR
        self.columns = int(matrix.shape[1])
        self.bytes = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
        self._inverted = matrix.T.tocsr()  # (words, n)

    def vector(self, text: str) -> Any:
        """Return a text as a (1, words) CSR unit row; empty where no word of it is known."""
        return self._vectorizer.transform([text])

    def search(self, query: Any, count: int) -> tuple[Rows, Floats]:
        """Return the best `count` rows that share a word, and their cosines, best first, equal ones in row order."""
        scores = (query @ self._inverted).toarray()[0]
        rows = best_positive(scores, count)
        return rows, scores[rows]
