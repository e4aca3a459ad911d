"""What is told of a product where a segment of its passage is the closest to a query: the sentence around it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter

from search.analysis import Analyzer
from search.marking import SNIPPET_WORDS
from search.passages import (
    DESCRIPTION_WORDS,
    SENTENCE_END,
    SENTENCE_ENDS,
    passage_and_description,
    sentence_key,
    without_sentences,
)
from search.product import Product
from search.shown import IS_ELSEWHERE, IS_TITLE, SAYS_NO_MORE
from search.wording import says_more

_WORD = re.compile(r"\S+")
Span = tuple[int, int]
_first: Callable[[Span], int] = itemgetter(0)


def told_of(product: Product, dropped: Collection[str], spans: Sequence[Span], analyzer: Analyzer) -> list[Span]:
    """Return what is told of a product where each of its segments is the closest: see `ShownTexts`.

    That is the sentence around the segment, unless it is long; and of a sentence that only came together because one
    between was dropped the segment alone, or nothing.

    Args:
        product: as it is shown.
        dropped: sentences that are no part of its passage.
        spans: (s,) of its segments in the passage; -1 where that is not known.
        analyzer: of the release.
    """
    own = without_sentences(product, dropped) if dropped else product
    passage, begins = passage_and_description(own)
    if begins is None or spans[0][1] < 0:
        return [(IS_ELSEWHERE, 0)] * len(spans)
    told = _Telling(product, own, passage, begins, dropped, analyzer)
    return [
        told.of(start, end) if start >= begins else (IS_ELSEWHERE if start else IS_TITLE, 0) for start, end in spans
    ]


class _Telling:
    """Tells a product's segments; sentences that several are parts of are looked at once."""

    def __init__(
        self, product: Product, own: Product, passage: str, begins: int, dropped: Collection[str], analyzer: Analyzer
    ):
        self._product, self._analyzer = product, analyzer
        self._passage, self._begins = passage, begins
        text = passage[begins:]
        self._cuts = [begins, *(begins + found.end() for found in SENTENCE_END.finditer(text)), len(passage)]
        self._goes_on = len(own.description.split()) > DESCRIPTION_WORDS
        self._places: list[Span] = [(begins, 0)]  # in the passage and in the description, of the same words
        if own is not product or not product.description.startswith(text):
            origins = _origins(product.description, dropped if own is not product else ())
            self._places = list(zip((begins + found.start() for found in _WORD.finditer(text)), origins, strict=False))
        self._known: dict[Span, Span | None] = {}

    def of(self, start: int, end: int) -> Span:
        """Return what is told for the segment from `start` to before `end` of the passage."""
        place = bisect_right(self._cuts, start)
        whole = (self._cuts[place - 1], self._cuts[min(place, len(self._cuts) - 1)])
        is_short = len(self._passage[slice(*whole)].split()) <= SNIPPET_WORDS
        found = self._looked_up(whole) if is_short else None
        return found or self._looked_up((start, end)) or (0, 0)

    def _looked_up(self, span: Span) -> Span | None:
        if span not in self._known:
            self._known[span] = self._told(*span)
        return self._known[span]

    def _told(self, start: int, end: int) -> Span | None:
        """Return where part of the passage stands in the description; None where it does not in one piece."""
        text = self._passage[start:end].rstrip(SENTENCE_ENDS)
        if not text:
            return 0, 0
        first, last = self._origin(start), self._origin(start + len(text) - 1) + 1
        if " ".join(self._product.description[first:last].split()) != text:
            return None
        if not says_more(text, self._product, self._analyzer):
            return SAYS_NO_MORE, 0
        return first, -last if self._goes_on and end == len(self._passage) else last

    def _origin(self, place: int) -> int:
        """Return where a character of the passage stands in the description."""
        before, origin = self._places[bisect_right(self._places, place, key=_first) - 1]
        return origin + place - before


def _origins(description: str, dropped: Collection[str]) -> list[int]:
    """Return where the words of a description begin, without those of dropped sentences."""
    if not dropped:
        return [word.start() for word in _WORD.finditer(description)]
    origins, start = [], 0
    for end in (*SENTENCE_END.finditer(description), None):
        stop = len(description) if end is None else end.start()
        if sentence_key(description[start:stop]) not in dropped:
            origins += [word.start() for word in _WORD.finditer(description, start, stop)]
        start = stop if end is None else end.end()
    return origins
