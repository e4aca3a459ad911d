"""Variants folded into products: one hit for each product, and every number a number of products.

A product counts for a value when any of its relevant rows has it, so a count is of distinct (value, product) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Indices, Mask, Rows


@dataclass(frozen=True)
class Folding:
    """Which rows are variants of one product; made by `of`.

    Attributes:
        product_of: (n,) int64, 0.. and equal for the variants of one product.
        sizes: (products,) int64, how many rows each product has.
        starts, order: a product's rows, ascending, are `order[start : start + size]`.
    """

    product_of: Rows
    sizes: Rows
    starts: Rows
    order: Rows

    @classmethod
    def of(cls, group_of: Rows) -> Folding | None:
        """Return the folding of (n,) int64 groups; None when every row is a product of its own."""
        product_of = np.unique(group_of, return_inverse=True)[1]
        sizes = np.bincount(product_of)
        if sizes.max(initial=0) < 2:
            return None
        return cls(product_of, sizes, np.cumsum(sizes) - sizes, np.argsort(product_of, kind="stable"))

    def rows_of(self, product: int) -> Rows:
        """Return the rows of a product, ascending."""
        return self.order[self.starts[product] : self.starts[product] + self.sizes[product]]

    def first_rows(self, rows: Rows) -> Rows:
        """Return the first row of each product, in order."""
        return rows[np.sort(np.unique(self.product_of[rows], return_index=True)[1])]

    def count(self, rows: Rows) -> int:
        """Return of how many products the rows are."""
        return len(np.unique(self.product_of[rows]))


class Counted:
    """A set of rows that is counted, and how: each row for itself, or folded.

    Args:
        rows: (m,) in any order, each once.
        folding: counts products in place of rows; None counts rows.
    """

    def __init__(self, rows: Indices, folding: Folding | None = None):
        self.rows, self.folding = rows, folding

    def __len__(self) -> int:
        """How many rows, whatever they are counted as."""
        return len(self.rows)

    @cached_property
    def total(self) -> int:
        """How many rows, or products."""
        return len(self.rows) if self.folding is None else len(self._sizes)

    @cached_property
    def _products(self) -> tuple[Rows, Rows]:
        """(m,) the place of each row's product among those of the set, and (p,) how many rows of it each has."""
        assert self.folding is not None  # noqa: S101 - a programming error, not input
        _, places, sizes = np.unique(self.folding.product_of[self.rows], return_inverse=True, return_counts=True)
        return places, sizes

    @property
    def _sizes(self) -> Rows:
        return self._products[1]

    def counts(self, codes: NDArray[Any], count: int, owners: Rows | None = None) -> Rows:
        """Return (count,) int64, how many rows or products have each code.

        Args:
            codes: (e,) integers, 0..count - 1.
            count: of codes.
            owners: (e,) the place in `rows` of each code's row, which has each of its codes once; None: one code a row.
        """
        if self.folding is None:
            return np.bincount(codes, minlength=count)
        places, sizes = self._products
        products = places if owners is None else places[owners]
        is_shared = sizes[products] > 1  # only there may a product have a code twice
        keys = np.unique(products[is_shared].astype(np.int64) * count + codes[is_shared])
        return np.bincount(np.concatenate([codes[~is_shared], keys % count]), minlength=count)

    def reaching(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Return the known numbers of the rows, or the best known one of each product, ascending.

        Args:
            numbers: (m,) float, one of each row, NaN where unknown.
        """
        known: Mask = ~np.isnan(numbers)
        if self.folding is None:
            return np.sort(numbers[known])
        best = np.full(len(self._sizes), -np.inf, numbers.dtype)
        np.maximum.at(best, self._products[0][known], numbers[known])
        return np.sort(best[best > -np.inf])
