"""The facets of a catalog: every product's values and numbers collected, and the fields worth filtering by.

What filters and counts with them is search/facets.py.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.entries import Entries
from search.facets import APART, FacetIndex
from search.naming import ancestors, field_name, values_in
from search.product import Product

NUMBERS = ("price", "rating", "created")
MAX_VALUES = 500  # an attribute with more distinct values is read, not filtered by
SHARED = 0.5  # so is one less than half of whose mentions are of values that several products have
MIN_SHARE = 0.02  # and one that under 2 % of the products have is not offered at all
MAX_ATTRIBUTE_FACETS = 40
MAX_VALUE_CHARACTERS = 60
Draft = tuple[dict[str, Any], NDArray[np.int32], NDArray[np.int32]]


def facets_of(products: Iterable[Product]) -> FacetIndex:
    """Make facets from the catalog: category, brand, availability and every attribute worth filtering by."""
    columns = {name: _Column() for name in ("category", "brand", "availability")}
    attributes: dict[str, _Column] = {}
    labels: dict[str, Counter[str]] = {}
    numbers = {name: array("f") for name in NUMBERS}
    row = -1
    for row, product in enumerate(products):
        columns["category"].add(row, ancestors(product.category))
        columns["brand"].add(row, (product.brand,) if product.brand else ())
        columns["availability"].add(row, (product.availability,) if product.availability else ())
        for name, texts in _attributes_of(product, labels).items():
            attributes.setdefault(name, _Column(MAX_VALUES, MAX_VALUE_CHARACTERS)).add(row, texts)
        numbers["price"].append(np.nan if product.price is None else product.price)
        numbers["rating"].append(np.nan if product.rating is None else product.rating)
        numbers["created"].append(_days(product.created_at))
    count = row + 1
    drafts = {
        name: column.draft(name, name.capitalize(), is_path=name == "category")
        for name, column in columns.items()
        if column.holders
    }
    for name in _worth_filtering(attributes, count):
        label = labels[name].most_common(1)[0][0].replace("_", " ").capitalize()
        drafts.setdefault(name, attributes[name].draft(name, label))
    arrays = {name: np.array(column, np.float32) for name, column in numbers.items()}
    known = {name: found for name, found in arrays.items() if not np.isnan(found).all()}
    together = _entries_of([draft for name, draft in drafts.items() if name != APART], count)
    apart = _entries_of([drafts[APART]] if APART in drafts else [], count)
    return FacetIndex.of_listing([listed for listed, *_ in drafts.values()], known, together, apart)


def _days(created_at: str) -> float:
    """Return days since 1970 of an ISO date, NaN when unknown."""
    try:
        return float(np.datetime64(created_at[:10], "D").astype(np.int64)) if created_at else np.nan
    except ValueError:
        return np.nan


def _attributes_of(product: Product, labels: dict[str, Counter[str]]) -> dict[str, tuple[str, ...]]:
    """Return name -> single values of a product's attributes, and count how their names are written."""
    found: dict[str, tuple[str, ...]] = {}
    for label, texts in product.attributes.items():
        name = field_name(label)
        labels.setdefault(name, Counter())[label] += 1
        single = [one for text in texts for one in values_in(text)]
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *single)))
    return found


class _Column:
    """A field in the making: the values of the rows that have any, as numbers.

    Args:
        most: distinct values; of a column with more only the number of rows that have one is known.
        longest: characters of a value; the same for a column with a longer one.

    Attributes:
        holders: how many rows were added with or without values.
        is_over: whether one of the bounds was passed.
    """

    def __init__(self, most: int | None = None, longest: int | None = None):
        self.most, self.longest = most, longest
        self.number_of: dict[str, int] = {}
        self.holders, self.is_over = 0, False
        self._rows, self._codes = array("i"), array("i")

    def add(self, row: int, texts: tuple[str, ...]) -> None:
        """Add a row, each once and ascending."""
        self.holders += bool(texts) or self.most is not None
        if self.is_over:
            return
        for text in texts:
            self._codes.append(self.number_of.setdefault(text, len(self.number_of)))
            self._rows.append(row)
            if self.longest is not None and len(text) > self.longest:
                self.is_over = True
        if self.is_over or (self.most is not None and len(self.number_of) > self.most):
            self.is_over = True
            self.number_of, self._rows, self._codes = {}, array("i"), array("i")

    def counts(self) -> NDArray[np.int64]:
        """Return how many rows have each value."""
        return np.bincount(np.array(self._codes, np.int32), minlength=len(self.number_of))

    def draft(self, name: str, label: str, is_path: bool = False) -> Draft:
        """Return what the listing says of the field, and (e,) int32 rows and codes of its entries by row."""
        counts = dict(zip(self.number_of, self.counts().tolist(), strict=True))
        values = tuple(sorted(counts, key=lambda text: (-counts[text], text)))
        code_of = {value: code for code, value in enumerate(values)}
        codes = np.array([code_of[text] for text in self.number_of], np.int32)[np.array(self._codes, np.int32)]
        listed = {"name": name, "label": label, "is_path": is_path, "values": values}
        return listed, np.array(self._rows, np.int32), codes


def _worth_filtering(attributes: dict[str, _Column], rows: int) -> list[str]:
    """Return attribute names with enough coverage and few, short values, the most covered first."""
    worthy = []
    for name, column in attributes.items():
        if not name or name in NUMBERS or column.is_over or column.holders < max(2, MIN_SHARE * rows):
            continue
        counts = column.counts()
        if len(counts) >= 2 and counts[counts > 1].sum() >= SHARED * counts.sum():
            worthy.append(name)
    return sorted(worthy, key=lambda name: (-attributes[name].holders, name))[:MAX_ATTRIBUTE_FACETS]


def _entries_of(drafts: Sequence[Draft], count: int) -> Entries:
    firsts = np.cumsum([0, *(len(listed["values"]) for listed, _, _ in drafts)])
    none = np.zeros(0, np.int32)
    rows = np.concatenate([none, *(rows for _, rows, _ in drafts)])
    codes = np.concatenate([none, *(one + np.int32(first) for (_, _, one), first in zip(drafts, firsts, strict=False))])
    return Entries.of(rows, codes, count, int(firsts[-1]))
