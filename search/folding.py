"""Variants folded into products: one hit for each product, and every number a number of products.

A product counts for a value when any of its relevant rows has it, so a count is of distinct (value, product) pairs.
Which entries of a column are the same pair is worked out once; counting a result is then marking pairs, without a sort.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Rows

Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Pairs:
    """The distinct (value, product) pairs of a column.

    Attributes:
        pair_of: (entries,) int32, which pair an entry of the column is.
        code_of: (pairs,) int32, the value of each pair.
    """

    pair_of: Codes
    code_of: Codes

    def counts(self, entries: Rows | slice, values: int) -> Rows:
        """Return (values,) int64: how many products have each value among these entries, or a slice: all of them."""
        if isinstance(entries, slice):
            return np.bincount(self.code_of, minlength=values)
        seen = np.zeros(len(self.code_of), bool)
        seen[self.pair_of[entries]] = True
        return np.bincount(self.code_of[seen], minlength=values)


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
    _pairs: dict[str, Pairs] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, group_of: Rows) -> Folding | None:
        """Return the folding of (n,) int64 groups; None when every row is a product of its own."""
        product_of = np.unique(group_of, return_inverse=True)[1]
        sizes = np.bincount(product_of)
        if sizes.max(initial=0) < 2:
            return None
        return cls(product_of, sizes, np.cumsum(sizes) - sizes, np.argsort(product_of, kind="stable"))

    def without_pairs(self, fields: Collection[str]) -> Folding:
        """Return the same folding without the pairs it remembers of fields whose values have changed."""
        other = replace(self)
        kept = {name: pairs for name, pairs in list(self._pairs.items()) if name.partition(".")[2] not in fields}
        other._pairs.update(kept)
        return other

    def rows_of(self, product: int) -> Rows:
        """Return the rows of a product, ascending."""
        return self.order[self.starts[product] : self.starts[product] + self.sizes[product]]

    def first_rows(self, rows: Rows) -> Rows:
        """Return the first row of each product, in order."""
        products, places = self.product_of[rows], np.arange(len(rows))
        first = np.zeros(len(self.sizes), np.int64)
        first[products[::-1]] = places[::-1]  # of several assignments the last one stands: the first place
        return rows[first[products] == places]

    def count(self, rows: Rows) -> int:
        """Return of how many products the rows are."""
        seen = np.zeros(len(self.sizes), bool)
        seen[self.product_of[rows]] = True
        return int(np.count_nonzero(seen))

    def pairs(self, name: str, codes: NDArray[Any], offsets: Rows | None = None) -> Pairs:
        """Return the pairs of a column, remembered by its name.

        Args:
            name: of a column of this release.
            codes: (entries,) its values, integers from 0.
            offsets: (n + 1,) where each row's entries begin; None: one entry a row.
        """
        if name not in self._pairs:
            products = self.product_of if offsets is None else np.repeat(self.product_of, np.diff(offsets))
            width = int(codes.max(initial=0)) + 1
            keys, pair_of = np.unique(products * width + codes, return_inverse=True)
            self._pairs[name] = Pairs(pair_of.astype(np.int32), (keys % width).astype(np.int32))
        return self._pairs[name]

    def bucket_counts(self, rows: Rows, buckets: Rows, count: int) -> list[int]:
        """Return how many products have a row in each bucket.

        Args:
            rows: (m,) int64.
            buckets: (m,) the bucket of each row, 0..count - 1.
            count: of buckets.
        """
        seen = np.zeros((count, len(self.sizes)), bool)
        seen[buckets, self.product_of[rows]] = True
        return [int(np.count_nonzero(one)) for one in seen]
