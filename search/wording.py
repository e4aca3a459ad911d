"""What a card shows of a product in words, by which is decided what else has to be told.

Most products are shown for the first time, so nothing is read further than a question needs: what the index of words
knows of a row already says of most terms that they are not there.
"""

from __future__ import annotations

from search.analysis import Analyzer
from search.arrays import Rows
from search.marking import Marker
from search.product import Product
from search.scoring import ScoredQuery

SHORT_VALUE = 40  # characters of an attribute's value that a card can show
HELD = 0.999  # share of a query from which a row may hold all of it: what it holds adds up to 1 but for rounding

Terms = frozenset[str]


def shares_held(scored: ScoredQuery, rows: Rows, analyzer: Analyzer) -> list[float | None]:
    """Return for each row how much of a query, by rarity, its texts hold; None where the index cannot tell.

    A term is there if it is in one of the texts alone, but for those that only come about between two words.

    Args:
        scored: the query.
        rows: (k,) int64.
        analyzer: of the release.
    """
    if scored.mode == "dense" or not all(map(analyzer.stands_alone, scored.terms)):
        return [None] * len(rows)
    shares: list[float | None] = scored.words.shares_of(rows).tolist()
    return shares


def shows_all(product: Product, marker: Marker, analyzer: Analyzer) -> bool:
    """Return whether title, brand and short attributes of a product hold every term that a marker looks for."""
    left = marker.terms.difference(marker.terms_in(f"{product.title} {product.brand}"))
    return not left or left.issubset(Terms().union(*map(analyzer.terms_of_pieces, short_values(product))))


def short_values(product: Product) -> list[str]:
    """Return the values of attributes that are short enough to be shown."""
    return [value for values in product.attributes.values() for value in values if len(value) <= SHORT_VALUE]


def says_more(sentence: str, product: Product, least: int, analyzer: Analyzer) -> bool:
    """Return whether a sentence holds at least so many terms that the title and brand of a product do not."""
    words, title = sentence.split(), f"{product.title} {product.brand}"
    own = title.split()
    terms = analyzer.forms.read([*words, *own]).terms
    held = set().union(*map(terms.__getitem__, words))
    new = held.difference(*map(terms.__getitem__, own))
    # Of terms that stand alone, no two words of the title need to be read together.
    return sum(map(analyzer.stands_alone, new)) >= least or len(held.difference(analyzer.terms_of(title))) >= least
