"""The terms of what a card shows of a product, by which is decided what else has to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.analysis import Analyzer
from search.arrays import Rows
from search.product import Product
from search.remembered import Remembered

SHORT_VALUE = 40  # characters of an attribute's value that a card can show
REMEMBERED = 1024  # products; 3 to 8 kB each

Terms = frozenset[str]


@dataclass(frozen=True, slots=True)
class Wording:
    """The terms of a product's title and short attributes.

    Attributes:
        title: of title and brand, compounds and quantities too.
        title_words: of the title word for word.
        value_words: of the short attributes word for word.
        value_pieces: of the pieces between blanks in the short attributes, compounds and quantities too.
    """

    title: Terms
    title_words: Terms
    value_words: Terms
    value_pieces: Terms

    @classmethod
    def of(cls, product: Product, analyzer: Analyzer) -> Wording:
        """Return the wording of a product."""
        values = short_values(product)
        words = Terms().union(*map(analyzer.terms_of_value, values))
        pieces = Terms().union(*map(analyzer.terms_of_pieces, values))
        return cls(
            frozenset(analyzer.terms_of(f"{product.title} {product.brand}")),
            frozenset(term for _, term in analyzer.plain_terms(product.title)),
            words,
            words if words == pieces else pieces,  # one set for both, where they are equal
        )


def short_values(product: Product) -> list[str]:
    """Return the values of attributes that are short enough to be shown."""
    return [value for values in product.attributes.values() for value in values if len(value) <= SHORT_VALUE]


class Wordings:
    """The wordings of a release's products, remembered. Safe to share between threads."""

    def __init__(self, analyzer: Analyzer):
        self.analyzer = analyzer
        self._known: Remembered[int, Wording] = Remembered(REMEMBERED)

    def of(self, rows: Rows, products: Sequence[Product]) -> list[Wording]:
        """Return the wordings of (k,) int64 rows; products: (k,) of these rows."""
        return [self._of(row, product) for row, product in zip(rows.tolist(), products, strict=True)]

    def _of(self, row: int, product: Product) -> Wording:
        known = self._known.get(row)
        if known is None:
            known = Wording.of(product, self.analyzer)
            self._known.put(row, known)
        return known
