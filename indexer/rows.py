"""The products of a build in row order: a list while they are few, read from the store again and again when many."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import overload

import numpy as np

from search.arrays import Rows
from search.passages import without_sentences
from search.product import Product, lexical_fields
from search.store import ProductStore

HELD = 100_000  # products that are held as objects, 2 to 8 KB each; of more, passes over the store take their place.
# It is also how many are looked at where not all can be: clusters, suggested phrases, the report.
BLOCK = 1_000
GARBAGE = (100_000, 50, 100)  # allocations before Python looks for circles, which a build hardly makes


@contextmanager
def looking_for_garbage_seldom() -> Iterator[None]:
    """Let Python's collector look through the objects that a build holds seldom: a tenth of the CPU time else."""
    before = gc.get_threshold()
    gc.set_threshold(*GARBAGE)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class StoredProducts(Sequence[Product]):
    """Products that stay in the store; iterating reads them in blocks, indexing reads one.

    Args:
        store: of the release that is built.
        dropped: sentences that are left out of descriptions, see `indexer.boilerplate`.
        rows: ascending; None for all.
    """

    def __init__(self, store: ProductStore, dropped: Collection[str] = (), rows: Sequence[int] | Rows | None = None):
        self.store, self.dropped = store, dropped
        self.rows = range(store.count) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Product]:
        for start in range(0, len(self.rows), BLOCK):
            for product in self.store.products(self.rows[start : start + BLOCK]):
                yield without_sentences(product, self.dropped) if self.dropped else product

    @overload
    def __getitem__(self, place: int) -> Product: ...
    @overload
    def __getitem__(self, place: slice) -> StoredProducts: ...
    def __getitem__(self, place: int | slice) -> Product | StoredProducts:
        if isinstance(place, slice):
            return StoredProducts(self.store, self.dropped, self.rows[place])
        product = self.store.products([self.rows[place]])[0]
        return without_sentences(product, self.dropped) if self.dropped else product

    def group_ids(self) -> list[str]:
        """Return the group of each product, "" for none: a pass over the store that makes no products."""
        ids = self.store.group_ids()
        return [ids[row] for row in self.rows]


class FieldsOf:
    """The two fields of the lexical leg of each product, as often as they are asked for."""

    def __init__(self, products: Sequence[Product]):
        self.products = products

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return map(lexical_fields, self.products)


def products_at(products: Sequence[Product], places: Rows) -> list[Product]:
    """Return the products at some places, ascending, as a list."""
    if isinstance(products, StoredProducts):
        return list(StoredProducts(products.store, products.dropped, np.asarray(products.rows)[places]))
    return [products[place] for place in places.tolist()]


def sampled(count: int, most: int, seed: int = 1_234) -> Rows:
    """Return `most` of 0..count-1, ascending, drawn evenly; all of them when there are no more."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False)).astype(np.int64)
