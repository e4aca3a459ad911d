"""Rows that are variants of one product, and one vector for each such group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from indexer.rows import StoredProducts
from search.arrays import Floats, Rows, unit_rows
from search.product import Product


def fold_variants(products: Sequence[Product]) -> Rows:
    """Return (n,) int64, the product that each row is a variant of: 0.. in order of first rows."""
    numbers: dict[Hashable, int] = {}
    ids = products.group_ids() if isinstance(products, StoredProducts) else [product.group_id for product in products]
    return np.array([numbers.setdefault(one or row, len(numbers)) for row, one in enumerate(ids)], np.int64)


def folded_vectors(vectors: Floats, group_of: Rows) -> Floats:
    """Return (g, d) float32 unit rows: the mean direction of each group's rows."""
    return unit_rows(sums_of(vectors, group_of))


def sums_of(vectors: Floats, group_of: Rows) -> Floats:
    """Return (groups, d) float32 sums of the rows of each group."""
    sums = np.zeros((int(group_of.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, group_of, vectors)
    return sums
