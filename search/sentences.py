"""The sentence of a product that comes closest to a query: what a shopper is told when the title does not say it.

Every sentence has a vector (see search/segments.py), so the closest one costs a product of a few rows. Where in the
passage the text of each vector stands is a part of the release: short sentences have no vector, and how long one is
only the encoder's tokenizer knows, which answers are not to wait for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.arrays import Floats, Rows, places_of
from search.marking import SNIPPET_WORDS, Marker
from search.passages import DESCRIPTION_WORDS, SENTENCE_END, passage_and_description, without_sentences
from search.product import Product
from search.release import Release
from search.scoring import ScoredQuery
from search.wording import HELD, says_more, shows_all

LEAST_NEW = 2  # terms of a sentence that the title does not have
Span = tuple[int, int]
_ENDS = ";. \t\n"  # of a sentence that stands alone


class Sentences:
    """Finds sentences in the products of one release. Safe to share between threads."""

    def __init__(self, release: Release):
        self.release = release
        self._boilerplate = frozenset(release.manifest["passages"]["boilerplate"])

    def closest(
        self,
        scored: ScoredQuery,
        rows: Rows,
        products: Sequence[Product],
        held: Sequence[float | None],
        marker: Marker,
    ) -> list[str]:
        """Return for each row the sentence of its description that comes closest to a query, plain text.

        "" where title, brand and attributes hold every word of the query, where no sentence is closer than the title
        and none holds a word of it, and where that sentence only says the title again.

        Args:
            scored: the query.
            rows: (k,) int64 that are shown; products: (k,) of these rows; held: (k,) see `shares_held`.
            marker: of the query's terms.
        """
        analyzer = self.release.lexical.analyzer
        found = [""] * len(products)
        # A card shows the title, and gives short attributes as reasons.
        open_places = [
            place for place, (product, share) in enumerate(zip(products, held, strict=True))
            if (share is not None and share < HELD) or not shows_all(product, marker, analyzer)
        ]  # fmt: skip
        if not open_places:
            return found
        own = [products[place] for place in open_places]
        if self._boilerplate:
            own = [without_sentences(product, self._boilerplate) for product in own]
        by_meaning = self._by_meaning(scored, rows[open_places], own)
        for place, product, sentence in zip(open_places, own, by_meaning, strict=True):
            told = sentence or ("" if held[place] == 0 else _by_words(product, marker))
            found[place] = told if told and says_more(told, products[place], LEAST_NEW, analyzer) else ""
        return found

    def _by_meaning(self, scored: ScoredQuery, rows: Rows, products: Sequence[Product]) -> list[str]:
        """Return the closest sentence of each description; "" where the title is closer, or nothing is known."""
        if scored.vector is None:
            return [""] * len(products)
        starts, spans = self.release.segments.starts, self.release.spans
        firsts, lasts = starts[rows].tolist(), starts[rows + 1].tolist()
        return [
            _closest(product, spans[first:last].tolist(), close)
            for product, first, last, close in zip(
                products, firsts, lasts, self._cosines(scored, scored.vector, rows), strict=True
            )
        ]

    def _cosines(self, scored: ScoredQuery, query: Floats, rows: Rows) -> list[list[float]]:
        """Return how close each segment of each row is; most rows that are shown were inspected, so it is known."""
        segments, inspected = self.release.segments, scored.inspected
        found: list[list[float]] = [[] for _ in rows]
        places, is_known = places_of(inspected, rows) if len(inspected) else (rows, np.zeros(len(rows), bool))
        counts = segments.starts[inspected + 1] - segments.starts[inspected]
        ends = counts.cumsum()
        for place in np.flatnonzero(is_known).tolist():
            at = places[place]
            found[place] = scored.of_segments[ends[at] - counts[at] : ends[at]].tolist()
        if not is_known.all():
            new = np.flatnonzero(~is_known)
            gathered = segments.gathered(rows[new])
            cosines = np.split(gathered.cosines(query), gathered.firsts[1:])
            for place, close in zip(new.tolist(), cosines, strict=True):
                found[place] = close.tolist()
        return found


def _closest(product: Product, spans: Sequence[Span], cosines: Sequence[float]) -> str:
    """Return the description's closest sentence if it is closer than the title; "" if not, or if spans are not known.

    Args:
        product: of which they are.
        spans: (s,) where its segments stand in its passage.
        cosines: (s,) how close each is.
    """
    passage, begins = passage_and_description(product)
    if spans[0][1] < 0 or begins is None:
        return ""
    said = [place for place, (start, _) in enumerate(spans) if start >= begins]
    least = max((cosines[place] for place, (start, _) in enumerate(spans) if start == 0), default=-1.0)
    if not said:
        return ""
    best = max(said, key=cosines.__getitem__)
    if cosines[best] < least:
        return ""
    start, end = spans[best]
    whole = _sentence_around(passage, begins, start)
    start, end = whole if len(passage[slice(*whole)].split()) <= SNIPPET_WORDS else (start, end)
    is_cut = end == len(passage) and len(product.description.split()) > DESCRIPTION_WORDS
    return passage[start:end].rstrip(_ENDS) + (" …" if is_cut else "")


def _sentence_around(passage: str, begins: int, place: int) -> Span:
    """Return the (start, end) of the sentence at a place of a text that begins somewhere; a segment is a part of it."""
    start = begins
    for found in SENTENCE_END.finditer(passage[begins:]):
        if (end := begins + found.end()) > place:
            return start, end
        start = end
    return start, len(passage)


def _by_words(product: Product, marker: Marker) -> str:
    """Return the sentence of a description that holds the most terms, the first of equals; "" when none holds any."""
    sentences = SENTENCE_END.split(product.description)
    held = [len(marker.terms_in(one)) for one in sentences]
    return sentences[held.index(max(held))].rstrip(_ENDS) if max(held) else ""
