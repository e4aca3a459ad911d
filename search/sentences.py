"""The sentence of a product that comes closest to a query: what a shopper is told when the title does not say it.

Every sentence has a vector (see search/segments.py), so the closest one costs a product of a few rows. What is told
where a segment is the closest does not depend on the query: the build has settled it (see search/shown.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.arrays import Floats, Rows, places_of, runs
from search.marking import Marker
from search.passages import SENTENCE_END, SENTENCE_ENDS, without_sentences
from search.product import Product
from search.release import Release
from search.scoring import ScoredQuery
from search.shown import IS_TITLE, SAYS_NO_MORE, Places, Told
from search.wording import HELD, says_more, shows_all

_FARTHEST = np.float32(-2)  # below any cosine


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
    ) -> list[list[str]]:
        """Return for each row the words of the sentence of its description that comes closest to a query.

        No words where title, brand and attributes hold every word of the query, where no sentence is closer than the
        title and none holds a word of it, and where that sentence only says the title again.

        Args:
            scored: the query.
            rows: (k,) int64 that are shown; products: (k,) of these rows; held: (k,) see `shares_held`.
            places: (k,) where their texts may hold the query's terms.
            marker: of these terms.
        """
        analyzer = self.release.lexical.analyzer
        found: list[list[str]] = [[] for _ in products]
        # A card shows the title, and gives short attributes as reasons.
        open_places = [
            place for place, (product, share) in enumerate(zip(products, held, strict=True))
            if (share is not None and share < HELD) or not shows_all(product, places[place], marker, analyzer)
        ]  # fmt: skip
        if not open_places:
            return found
        told = self._by_meaning(scored, rows[open_places]).tolist()
        for place, (start, end) in zip(open_places, told, strict=True):
            product = products[place]
            if start != SAYS_NO_MORE:
                found[place] = _cut(product, start, end)
                if not found[place] and held[place] != 0:
                    found[place] = self._by_words(product, places[place], marker)
        return found

    def _by_meaning(self, scored: ScoredQuery, rows: Rows) -> Told:
        """Return (k, 2) int32: what is told for the closest segment of each description, see `ShownTexts`.

        (0, 0), nothing, where the title is closer, or nothing is known.
        """
        if scored.vector is None:
            return np.zeros((len(rows), 2), np.int32)
        starts = self.release.segments.starts[rows]
        counts = self.release.segments.starts[rows + 1] - starts
        firsts = counts.cumsum() - counts
        told = self.release.shown.told[runs(starts, counts)]
        cosines = self._cosines(scored, scored.vector, rows, counts)
        begins = told[:, 0]
        said = np.where((begins >= 0) | (begins == SAYS_NO_MORE), cosines, _FARTHEST)
        best = np.maximum.reduceat(said, firsts)
        of_title = np.maximum.reduceat(np.where(begins == IS_TITLE, cosines, _FARTHEST), firsts)
        is_closer = (best > _FARTHEST) & (best >= of_title)
        bests = (said == best.repeat(counts)).nonzero()[0]
        return told[bests[bests.searchsorted(firsts)]] * is_closer[:, None]

    def _by_words(self, product: Product, places: Places, marker: Marker) -> list[str]:
        """Return the words of the sentence of a description that holds the most terms, the first of equals.

        No words when none holds any, or that one only says the title again.
        """
        if not marker.joined and not places.description:
            return []
        words = product.description.split()
        if not marker.joined and not any(marker.held_in(words, places.description)):
            return []
        if self._boilerplate:
            product = without_sentences(product, self._boilerplate)
        sentences = SENTENCE_END.split(product.description)
        held = [len(terms) for terms in marker.terms_of_parts(sentences, words, places.description)]
        told = sentences[held.index(max(held))].rstrip(SENTENCE_ENDS) if max(held) else ""
        return told.split() if says_more(told, product, self.release.lexical.analyzer) else []

    def _cosines(self, scored: ScoredQuery, query: Floats, rows: Rows, counts: Rows) -> Floats:
        """Return how close each segment of each row is; most rows that are shown were inspected, so it is known.

        Args:
            scored: the query; query: its vector.
            rows: (k,) int64; counts: (k,) of their segments.
        """
        segments, inspected = self.release.segments, scored.inspected
        if len(inspected) == 0:
            return segments.gathered(rows).cosines(query)
        places, is_known = places_of(inspected, rows)
        if not is_known.all():
            cosines = np.empty(int(counts.sum()), np.float32)
            of_known = is_known.repeat(counts)
            cosines[of_known] = self._cosines(scored, query, rows[is_known], counts[is_known])
            cosines[~of_known] = segments.gathered(rows[~is_known]).cosines(query)
            return cosines
        ends = (segments.starts[inspected + 1] - segments.starts[inspected]).cumsum()
        return scored.of_segments[runs(ends[places] - counts, counts)]


def _cut(product: Product, start: int, end: int) -> list[str]:
    """Return the words of a part of a description; an end below 0 stands for a text that goes on."""
    words = product.description[start : abs(end)].split()
    return [*words, "…"] if end < 0 else words
