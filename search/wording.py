"""What a card shows of a product in words, by which is decided what else has to be told."""

from __future__ import annotations

from search.analysis import Analyzer
from search.arrays import Rows
from search.marking import Marker
from search.product import Product
from search.release import Release
from search.scoring import ScoredQuery, word_scores
from search.shown import BRAND, VALUES, Places, short_values

HELD = 0.999  # share of a query from which a row may hold all of it: what it holds adds up to 1 but for rounding
LEAST_NEW = 2  # terms of a sentence that the title does not have

Terms = frozenset[str]


def shares_held(release: Release, scored: ScoredQuery, rows: Rows) -> list[float | None]:
    """Return for each row how much of a query, by rarity, its texts hold; None where the index cannot tell.

    A term is there if it is in one of the texts alone, but for measures: a number may be of the text before.

    Args:
        release: that it was scored against.
        scored: the query.
        rows: (k,) int64.
    """
    if scored.mode == "dense" or any(map(release.lexical.analyzer.is_measured, scored.terms)):
        return [None] * len(rows)
    shares: list[float | None] = word_scores(release, scored, rows)[1].tolist()
    return shares


def shows_all(product: Product, places: Places, marker: Marker, analyzer: Analyzer) -> bool:
    """Return whether title, brand and short attributes of a product hold every term that a marker looks for.

    Args:
        product: that is shown.
        places: where its texts may hold terms.
        marker: that looks for them.
        analyzer: of the release.
    """
    held = marker.held_in(product.title.split(" "), places.title)
    if BRAND in places.texts:
        held.append(analyzer.terms_of_pieces(product.brand))
    left = marker.alone.difference(*held) | marker.joined
    if left and places.texts:
        left.difference_update(*[analyzer.terms_of_pieces(value) for _, value in held_values(product, places)])
    if not left or not left.isdisjoint(marker.alone):
        return not left
    return left.issubset(analyzer.terms_of(f"{product.title} {product.brand}"))  # two words may make them


def held_values(product: Product, places: Places) -> list[tuple[str, str]]:
    """Return (name, value) of the short values that may hold a term."""
    if not places.texts or max(places.texts) < VALUES:
        return []
    return [pair for place, pair in enumerate(short_values(product), VALUES) if place in places.texts]


def says_more(sentence: str, product: Product, analyzer: Analyzer) -> bool:
    """Return whether a sentence holds at least LEAST_NEW terms that the title and brand of a product do not."""
    title = f"{product.title} {product.brand}"
    words, own = sentence.split(), Terms().union(*map(analyzer.terms_of_word, title.split()))
    new: set[str] = set()
    for word in words:  # of terms that stand alone, no two words of the title need to be read together
        new.update(term for term in analyzer.terms_of_word(word) if term not in own and analyzer.stands_alone(term))
        if len(new) >= LEAST_NEW:
            return True
    held = Terms().union(*map(analyzer.terms_of_word, words))
    return len(held.difference(analyzer.terms_of(title))) >= LEAST_NEW
