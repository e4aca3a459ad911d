"""What a report looks at: every product once, its variants folded, with its vector and its nearest neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.grouping import folded_vectors
from indexer.neighbors import Neighbors, nearest_neighbors
from indexer.report.vocabulary import Vocabulary
from indexer.rows import HELD, products_at, sampled
from search.analysis import Analyzer
from search.arrays import Floats, Rows, taken
from search.encoder import Encoder
from search.product import Product

MOST_ITEMS = HELD  # products that are held against each other
NEIGHBORS = 15  # looked at per product; enough for a vote, few enough to be alike


@dataclass(frozen=True)
class Subject:
    """A catalog and what its embedding makes of it. Item i is a product with all its variants, in order of first rows.

    Attributes:
        rows: the n products as the catalog has them, variants and repeated sentences included.
        found: how many groups of variants there are.
        items: (m,) the first product of each group of variants; of more than MOST_ITEMS an even sample.
        vectors: (m, d) float32 unit rows, the mean direction of each group.
        cluster_of: (m,) int, leaf cluster.
        labels: leaf cluster -> label.
        encoder: the encoder of the vectors.
        background: its common words, see `calibration.background_of`; None for none.
        language: ISO 639-1, decides stems and stop words.
    """

    rows: Sequence[Product]
    found: int
    items: Sequence[Product]
    vectors: Floats
    cluster_of: Rows
    labels: Mapping[int, str]
    encoder: Encoder
    background: Any
    language: str

    @classmethod
    def of(
        cls,
        products: Sequence[Product],
        embeddings: Floats,
        group_of: Rows,
        cluster_of: NDArray[Any],
        labels: Mapping[int, str],
        encoder: Encoder,
        background: Any,
        language: str,
    ) -> Subject:
        """Fold the variants of n products.

        Args:
            products: the n products.
            embeddings: (n, d) float32 unit rows.
            group_of: (n,) 0.. in order of first rows, equal for the variants of one product.
            cluster_of: (n,) leaf cluster of each row.
            labels: leaf cluster -> label.
            encoder: the encoder of the embeddings.
            background: its common words, see `calibration.background_of`; None for none.
            language: ISO 639-1.
        """
        group_of = np.asarray(group_of)
        first = np.unique(group_of, return_index=True)[1]
        seen = sampled(len(first), MOST_ITEMS)
        rows = np.flatnonzero(np.isin(group_of, seen)) if len(seen) < len(first) else np.arange(len(group_of))
        vectors = taken(embeddings, rows) if len(seen) < len(first) else np.asarray(embeddings, np.float32)
        return cls(
            products,
            len(first),
            products_at(products, first[seen]),
            folded_vectors(vectors, np.searchsorted(seen, group_of[rows])),
            np.asarray(cluster_of)[first[seen]].astype(np.int64),
            dict(labels),
            encoder,
            background,
            language,
        )

    @cached_property
    def neighbors(self) -> Neighbors:
        """The NEIGHBORS nearest items of every item, found once for all sections."""
        return nearest_neighbors(self.vectors, NEIGHBORS)

    @cached_property
    def analyzer(self) -> Analyzer:
        """Stems and stop words of the catalog's language."""
        return Analyzer(self.language)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of the titles and what the encoder makes of them."""
        return Vocabulary.of(self.items, self.analyzer, self.encoder, self.background)
