"""The sentence of a product that comes closest to a query: what a shopper is told when the title does not say it.

Every sentence has a vector (see search/segments.py), so the closest one costs a product of a few rows. What is told
where a segment is the closest does not depend on the query: the build has settled it (see search/shown.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.arrays import Floats, Rows, places_of
from search.marking import Marker
from search.passages import SENTENCE_END, SENTENCE_ENDS, without_sentences
from search.product import Product
from search.release import Release
from search.scoring import ScoredQuery
from search.segments import members_of
from search.shown import IS_ELSEWHERE, IS_TITLE, SAYS_NO_MORE, Places
from search.wording import HELD, says_more, shows_all

Span = tuple[int, int]
_NOTHING = (0, 0)


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
        places: Sequence[Places],
        marker: Marker,
    ) -> list[str]:
        """Return for each row the sentence of its description that comes closest to a query, plain text.

        "" where title, brand and attributes hold every word of the query, where no sentence is closer than the title
        and none holds a word of it, and where that sentence only says the title again.

        Args:
            scored: the query.
            rows: (k,) int64 that are shown; products: (k,) of these rows; held: (k,) see `shares_held`.
            places: (k,) where their texts may hold the query's terms.
            marker: of these terms.
        """
        analyzer = self.release.lexical.analyzer
        found = [""] * len(products)
        # A card shows the title, and gives short attributes as reasons.
        open_places = [
            place for place, (product, share) in enumerate(zip(products, held, strict=True))
            if (share is not None and share < HELD) or not shows_all(product, places[place], marker, analyzer)
        ]  # fmt: skip
        if not open_places:
            return found
        for place, (start, end) in zip(open_places, self._by_meaning(scored, rows[open_places]), strict=True):
            if start != SAYS_NO_MORE:
                product = products[place]
                found[place] = _cut(product, start, end) or self._by_words(product, places[place], marker)
        return found

    def _by_meaning(self, scored: ScoredQuery, rows: Rows) -> list[Span]:
        """Return what is told for the closest sentence of each description, see `ShownTexts.told`.

        An empty span where the title is closer, or nothing is known.
        """
        if scored.vector is None:
            return [_NOTHING] * len(rows)
        told = self.release.shown.told[members_of(self.release.segments.starts, rows)].tolist()
        spans, first = [], 0
        for cosines in self._cosines(scored, scored.vector, rows):
            spans.append(_closest(told[first : first + len(cosines)], cosines))
            first += len(cosines)
        return spans

    def _by_words(self, product: Product, places: Places, marker: Marker) -> str:
        """Return the sentence of a description that holds the most terms, the first of equals.

        "" when none holds any, or that one only says the title again.
        """
        words = product.description.split()
        if marker.stand_alone and not marker.terms_in(words, places.description):
            return ""
        if self._boilerplate:
            product = without_sentences(product, self._boilerplate)
        sentences = SENTENCE_END.split(product.description)
        held = [len(terms) for terms in marker.terms_of_parts(sentences, words, places.description)]
        told = sentences[held.index(max(held))].rstrip(SENTENCE_ENDS) if max(held) else ""
        return told if says_more(told, product, self.release.lexical.analyzer) else ""

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


def _closest(told: Sequence[Sequence[int]], cosines: Sequence[float]) -> Span:
    """Return what is told for the closest of a product's segments if it is closer than the title, else _NOTHING.

    Args:
        told: (s, 2), see `ShownTexts`.
        cosines: (s,) how close each is.
    """
    best, least, found = -2.0, -1.0, _NOTHING
    for (start, end), cosine in zip(told, cosines, strict=True):
        if start == IS_TITLE:
            least = cosine
        elif start != IS_ELSEWHERE and cosine > best:
            best, found = cosine, (start, end)
    return found if best >= least else _NOTHING


def _cut(product: Product, start: int, end: int) -> str:
    """Return characters of a description in one line; an end below 0 stands for a text that goes on."""
    return " ".join(product.description[start : abs(end)].split()) + (" …" if end < 0 else "")
