"""What is told of a product where a segment of its passage is the closest to a query: the sentence around it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
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

    That is the sentence around the segment, unless it is long: the segment then; and of what only came together because
    a sentence between was dropped, the part in which the segment begins.

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
        self._goes_on = len(own.description.split()) > DESCRIPTION_WORDS
        self._places = [(begins, 0)]  # of the same words in the passage and in the description
        self._gaps: list[int] = []  # where the passage goes on elsewhere in the description
        if own is not product or not product.description.startswith(text):
            self._place(text, _origins(product.description, dropped if own is not product else ()))
        ends = (begins + found.end() for found in SENTENCE_END.finditer(text))
        self._cuts = sorted({begins, *ends, *self._gaps, len(passage)})
        self._known: dict[Span, Span] = {}

    def _place(self, text: str, origins: list[int]) -> None:
        """Note where the words of the passage's description come from, and between which of them there is more."""
        words = list(zip(_WORD.finditer(text), origins, strict=False))  # the passage may end before the description
        self._places = [(self._begins + word.start(), origin) for word, origin in words]
        for (before, origin), (word, next_origin) in pairwise(words):
            if self._product.description[origin + len(before[0]) : next_origin].strip():
                self._gaps.append(self._begins + word.start())

    def of(self, start: int, end: int) -> Span:
        """Return what is told for the segment from `start` to before `end` of the passage."""
        place = bisect_right(self._cuts, start)
        span = (self._cuts[place - 1], self._cuts[min(place, len(self._cuts) - 1)])
        if len(self._passage[slice(*span)].split()) > SNIPPET_WORDS:
            span = (start, min((gap for gap in self._gaps if start < gap < end), default=end))
        if span not in self._known:
            self._known[span] = self._told(*span)
        return self._known[span]

    def _told(self, start: int, end: int) -> Span:
        text = self._passage[start:end].rstrip(SENTENCE_ENDS)
        if not text:
            return 0, 0
        if not says_more(text, self._product, self._analyzer):
            return SAYS_NO_MORE, 0
        first, last = self._origin(start), self._origin(start + len(text) - 1) + 1
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
