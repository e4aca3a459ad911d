"""What a card shows of each product, written down at build: see search/shown.py.

What is shown of a product is taken from the live release where its terms are read alike there (see
indexer/counted_words.py), its description is the same, and the same segments stand in it.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import search.passages
import search.shown
import search.wording
from indexer import telling
from indexer.telling import Span, told_of
from indexer.vector_files import HASH_BYTES, Hashes
from search.analysis import Analyzer
from search.arrays import Rows, expect, mapped
from search.encoder import file_sha256
from search.errors import ReleaseDamaged
from search.home import Layout
from search.product import Product
from search.release import expect_readable
from search.segments import members_of
from search.shown import BEGINS, Numbers, Told, numbers_of, short_values

HASHES, CODE = "hashes.npy", "written_by"
READ = ("words.npy", "starts.npy", "told.npy", HASHES)
BLOCK = 8192  # products copied at a time
WORDS_KEPT = 500_000  # whose numbers are remembered, 150 bytes each
_BEGINS = np.uint16(BEGINS).tobytes()


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
    modules = (search.passages, search.shown, search.wording, telling)
    code = [file_sha256(Path(path)) for path in (__file__, *(str(module.__file__) for module in modules))]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()


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
