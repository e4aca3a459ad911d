"""What products say they are or have: the terms of titles, brands, categories and attributes, negations taken out.

"Without leather" must leave out what is of leather, but neither the boot that is "leather-free" nor the coat whose
description praises it above a leather belt: descriptions are not read.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.analysis import Analyzer
from search.arrays import Mask, Rows, expect, mapped
from search.errors import ReleaseDamaged
from search.product import Product

UNKNOWN = -1  # of terms
REMEMBERED = 20_000  # texts whose terms are known: brands, categories and values are those of many products
_NOT_STATED = re.compile(
    r"\b(?:no|non|not|without|zero|free (?:of|from))[\s-]+(?:added |artificial )?[\w-]+|"
    r"\b\w+[\s-]free\b|\b(?:faux|vegan|imitation) \w+",
    re.IGNORECASE,
)
_MAY_DENY = re.compile(r"\b(?:no|non|not|without|zero|free|faux|vegan|imitation)\b", re.IGNORECASE)  # far quicker
_DENYING = re.compile(r"less\b|\bno\b|\bnot\b|\bnone\b|\bfree\b|\bwithout\b|\bfalse\b|\bun", re.IGNORECASE)


@dataclass(frozen=True)
class StatedTerms:
    """Which rows state a term; as compressed sparse rows over the lexical vocabulary.

    Attributes:
        offsets: (terms + 1,) int64; rows: int64.
        count: how many rows the catalog has.
        partly: rows that state a term which the vocabulary lacks; known of what was built just now.
    """

    offsets: Rows
    rows: Rows
    count: int
    partly: Rows = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def build(cls, products: Iterable[Product], analyzer: Analyzer, vocabulary: Mapping[str, int]) -> StatedTerms:
        """Read the products, in row order."""
        terms, lengths, partly = array("i"), array("i"), array("q")

        @lru_cache(REMEMBERED)
        def stated_in(text: str) -> frozenset[int]:
            return frozenset(vocabulary.get(term, UNKNOWN) for term in analyzer.terms_of(_affirmed(text)))

        for row, product in enumerate(products):
            stated = frozenset().union(*map(stated_in, stated_texts(product)))
            if UNKNOWN in stated:
                partly.append(row)
                stated -= {UNKNOWN}
            terms.extend(stated)
            lengths.append(len(stated))
        rows = np.repeat(np.arange(len(lengths)), np.array(lengths, np.int64))
        found = cls.of(np.array(terms, np.int32), rows, len(vocabulary), len(lengths))
        return replace(found, partly=np.array(partly, np.int64))

    @classmethod
    def of(cls, numbers: NDArray[np.int32], rows: Rows, terms: int, count: int) -> StatedTerms:
        """Return what is known of each term and row that states it, in row order.

        Args:
            numbers: (entries,) of terms; rows: (entries,) ascending.
            terms, count: how many terms and rows there are.
        """
        offsets = np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=terms))]).astype(np.int64)
        return cls(offsets, rows[np.argsort(numbers, kind="stable")], count)

    def save(self, folder: Path) -> None:
        """Write both arrays."""
        np.save(folder / "stated.offsets.npy", self.offsets)
        np.save(folder / "stated.rows.npy", self.rows)

    @classmethod
    def load(cls, folder: Path, terms: int, count: int) -> StatedTerms:
        """Read them back.

        Raises:
            ReleaseDamaged: a file is missing or does not fit the vocabulary.
        """
        try:
            offsets = expect(mapped(folder / "stated.offsets.npy"), (terms + 1,), np.int64, "stated offsets")
            rows = expect(mapped(folder / "stated.rows.npy"), (int(offsets[-1]),), np.int64, "stated rows")
        except (OSError, ValueError) as error:
            raise ReleaseDamaged(f"{folder} cannot be read ({error}); build the release again") from error
        return cls(offsets, rows, count)

    def having(self, term_ids: Iterable[int]) -> Mask:
        """Return (n,) bool: the rows that state all of the terms; none when there are no terms."""
        found: Mask | None = None
        for term_id in term_ids:
            mask = np.zeros(self.count, bool)
            mask[self.rows[self.offsets[term_id] : self.offsets[term_id + 1]]] = True
            found = mask if found is None else found & mask
        return np.zeros(self.count, bool) if found is None else found


def _affirmed(text: str) -> str:
    """Return a text without what it says that a product is not."""
    return _NOT_STATED.sub(" ", text) if _MAY_DENY.search(text) else text


def stated_text(product: Product) -> str:
    """Return what a product says of itself, its description left out."""
    return ". ".join(stated_texts(product))


def stated_texts(product: Product) -> list[str]:
    """Return title, brand, category and attributes of a product, each a text of its own."""
    leaf = product.category[-1] if product.category else ""
    values = [_value_text(name, text) for name, texts in product.attributes.items() for text in texts]
    return [product.title, product.brand, leaf, *values]


def _value_text(name: str, value: str) -> str:
    """Return name and value, for "laces: elastic" states laces; of "sleeve: sleeveless" or "pockets: no" the value."""
    return value if _DENYING.search(value) else f"{name.replace('_', ' ')} {value}"
