"""What a card shows of each product, written down at build: see search/shown.py.

What did not change since the live release is taken from there: a product's words where its description is the same,
and what is told of it where it also stands in the same segments and its terms are read alike (see
indexer/counted_words.py).
"""

from __future__ import annotations

import hashlib
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import search.passages
import search.shown
import search.wording
from indexer.vector_files import HASH_BYTES, Hashes
from search.analysis import Analyzer
from search.arrays import Rows, expect, mapped
from search.encoder import file_sha256
from search.errors import ReleaseDamaged
from search.home import Layout
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
from search.release import expect_readable
from search.segments import members_of
from search.shown import (
    BEGINS,
    IS_ELSEWHERE,
    IS_TITLE,
    SAYS_NO_MORE,
    Numbers,
    Told,
    numbers_of,
    short_values,
)
from search.wording import says_more

HASHES, CODE = "hashes.npy", "written_by"
READ = ("words.npy", "starts.npy", "told.npy", HASHES)
BLOCK = 8192  # products copied at a time
WORDS_KEPT = 500_000  # whose numbers are remembered, 150 bytes each
_BEGINS = np.uint16(BEGINS).tobytes()
_WORD = re.compile(r"\S+")
_first: Callable[[tuple[int, int]], int] = itemgetter(0)
Span = tuple[int, int]
Spans = NDArray[np.int32]


def write_shown(
    layout: Layout,
    products: Sequence[Product],
    dropped: Collection[str],
    analyzer: Analyzer,
    borrowed: Rows,
    live: Layout | None,
) -> None:
    """Write what is shown of the products of a release whose segments and spans are there.

    Args:
        layout: of the release in the making.
        products: in row order, as they are shown.
        dropped: sentences that are no part of a passage.
        analyzer: of the release.
        borrowed: (n,) int64, the row of the live release whose words were counted alike, -1 for none.
        live: the live release.
    """
    starts, spans = np.load(layout.segments / "starts.npy"), mapped(layout.spans)
    lender = _Lender.of(live) if live is not None and (borrowed >= 0).any() else None
    lent = np.full(len(borrowed), -1, np.int64)
    hashes = np.empty((len(borrowed), HASH_BYTES), np.uint8)
    fresh = _Fresh(dropped, analyzer)
    for row, (product, known) in enumerate(zip(products, borrowed.tolist(), strict=True)):
        own = spans[starts[row] : starts[row + 1]]
        text = product.description.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(own.tobytes() + text, digest_size=HASH_BYTES).digest()
        hashes[row] = np.frombuffer(digest, np.uint8)
        if lender is not None and known >= 0 and lender.hashes[known].tobytes() == digest:
            lent[row] = known
        else:
            fresh.add(product, own.tolist())
    folder = layout.shown
    folder.mkdir()
    arrays: tuple[NDArray[Any], ...] = (*fresh.together(lent, starts, lender), hashes)
    for name, content in zip(READ, arrays, strict=True):
        np.save(folder / name, content)
    (folder / CODE).write_text(_code_digest(), "utf-8")


@cache
def _code_digest() -> str:
    """Return what changes whenever the same product might be written otherwise."""
    code = [file_sha256(Path(str(module.__file__))) for module in (search.passages, search.shown, search.wording)]
    return hashlib.sha256("\n".join([*code, file_sha256(Path(__file__))]).encode()).hexdigest()


@dataclass(frozen=True)
class _Lender:
    """What is shown of the products of another release, see `ShownTexts`."""

    words: Numbers
    starts: Rows
    told: Told
    segments: Rows
    hashes: Hashes

    @classmethod
    def of(cls, live: Layout) -> _Lender | None:
        """Return that of a release; None where other code wrote it, or a file is damaged."""
        folder = live.shown
        try:
            known = expect_readable(live)["files"]
            names = [f"{folder.name}/{name}" for name in READ] + [f"{live.segments.name}/starts.npy"]
            is_same = (folder / CODE).read_text("utf-8") == _code_digest()
            if not is_same or any(file_sha256(live.folder / name) != known[name] for name in names):
                return None
            words, starts, told, hashes = (mapped(folder / name) for name in READ)
            segments = mapped(live.segments / "starts.npy")
            expect(hashes, (len(starts) - 1, HASH_BYTES), np.uint8, HASHES)
            expect(segments, starts.shape, np.int64, "starts of segments")
        except (ReleaseDamaged, OSError, ValueError, EOFError, KeyError):
            return None
        return cls(words, starts, told, segments, hashes)


class _Fresh:
    """Collects what is shown of products, one after the other.

    Args:
        dropped: sentences that are no part of a passage.
        analyzer: of the release.
    """

    def __init__(self, dropped: Collection[str], analyzer: Analyzer):
        self._dropped, self._analyzer = dropped, analyzer
        self._numbers_of = _NumbersOf(analyzer)
        self._words, self._sizes, self._told = bytearray(), array("q"), array("i")

    def add(self, product: Product, spans: list[Span]) -> None:
        """Add a product.

        Args:
            product: as it is shown.
            spans: of its segments in its passage.
        """
        leaf = product.category[-1] if product.category else ""
        texts = (product.description, product.brand, leaf, *(value for _, value in short_values(product)))
        words = b"".join(
            [
                _BEGINS + b"".join(map(self._numbers_of.__getitem__, pieces))
                for pieces in (product.title.split(" "), *map(str.split, texts))
            ]
        )
        self._words += words
        self._sizes.append(len(words) // 2)
        for span in told_of(product, self._dropped, spans, self._analyzer):
            self._told.extend(span)

    def together(self, lent: Rows, segments: Rows, lender: _Lender | None) -> tuple[Numbers, Rows, Told]:
        """Return words, starts and what is told of all products.

        Args:
            lent: (n,) int64, which row of the lender holds each; -1 for those that were added, in order.
            segments: (n + 1,) int64, where the segments of each begin.
            lender: of the others.
        """
        words, sizes = np.frombuffer(self._words, np.uint16), np.frombuffer(self._sizes, np.int64)
        told = np.frombuffer(self._told, np.int32).reshape(-1, 2)
        new, old = np.flatnonzero(lent < 0), np.flatnonzero(lent >= 0)
        counts = np.empty(len(lent), np.int64)
        counts[new] = sizes
        if lender is not None:
            counts[old] = lender.starts[lent[old] + 1] - lender.starts[lent[old]]
        starts, own, own_segments = map(_starts, (counts, sizes, np.diff(segments)[new]))
        every_word, all_told = np.empty(int(starts[-1]), np.uint16), np.empty((int(segments[-1]), 2), np.int32)
        _copy(every_word, starts, new, words, own, np.arange(len(new)))
        _copy(all_told, segments, new, told, own_segments, np.arange(len(new)))
        if lender is not None:
            _copy(every_word, starts, old, lender.words, lender.starts, lent[old])
            _copy(all_told, segments, old, lender.told, lender.segments, lent[old])
        return every_word, starts, all_told


def _starts(counts: Rows) -> Rows:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _copy(into: NDArray[Any], starts: Rows, rows: Rows, source: NDArray[Any], own: Rows, own_rows: Rows) -> None:
    """Copy what belongs to some rows of one array of parts to rows of another, whose parts are as long."""
    for at in range(0, len(rows), BLOCK):
        part = slice(at, at + BLOCK)
        into[members_of(starts, rows[part])] = source[members_of(own, own_rows[part])]


class _NumbersOf(dict[str, bytes]):
    """Piece of a text between blanks -> its numbers, as bytes.

    Args:
        analyzer: of the release.
    """

    def __init__(self, analyzer: Analyzer):
        super().__init__()
        self._analyzer = analyzer

    def __missing__(self, piece: str) -> bytes:
        if len(self) >= WORDS_KEPT:
            self.clear()
        found = self[piece] = np.array(numbers_of(piece, self._analyzer), np.uint16).tobytes()
        return found


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
        self._places: list[tuple[int, int]] = [(begins, 0)]  # in the passage and in the description, of the same words
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
