"""Rows that are variants of one product, and one vector for each such group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from search.arrays import Floats, Rows, unit_rows
from search.product import Product


def fold_variants(products: Sequence[Product]) -> Rows:
    """Return (n,) int64, the product that each row is a variant of: 0.. in order of first rows."""
    numbers: dict[Hashable, int] = {}
    return np.array(
        [numbers.setdefault(product.group_id or row, len(numbers)) for row, product in enumerate(products)], np.int64
    )


def folded_vectors(vectors: Floats, group_of: Rows) -> Floats:
    """Return (g, d) float32 unit rows: the mean direction of each group's rows."""
    return unit_rows(sums_of(vectors, group_of))


def sums_of(vectors: Floats, group_of: Rows) -> Floats:
    """Return (groups, d) float32 sums of the rows of each group."""
    sums = np.zeros((int(group_of.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, group_of, vectors)
    return sums
