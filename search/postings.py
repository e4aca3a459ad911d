"""Terms of documents -> postings with BM25 weights, in arrays from the start: a million products fit in memory.

The arithmetic is that of bm25s (Lù 2024, arXiv 2407.03618), Lucene's variant of BM25, to the last bit.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.analysis import Analyzer
from search.arrays import Floats, Rows, expect, mapped

BLOCK = 50_000  # documents whose entries are worked on at a time
MOST_COUNTED = 255  # what a byte holds


@dataclass(frozen=True)
class Counted:
    """How often each document holds each of its terms, as compressed sparse rows.

    Attributes:
        terms, counts: (entries,) int32, a document's terms in order of appearance.
        offsets: (documents + 1,) int64, where each document's entries begin.
    """

    terms: Any
    counts: Any
    offsets: Rows

    def renumbered(self, number_of: Any) -> Counted:
        """Return the same under other term numbers, `number_of[old]`."""
        return Counted(number_of[self.terms], self.counts, self.offsets)

    def lengths(self) -> Rows:
        """Return (documents,) int64: how many terms each document holds, repeats counted."""
        lengths = np.empty(len(self.offsets) - 1, np.int64)
        for start in range(0, len(lengths), BLOCK):
            bounds = self.offsets[start : start + BLOCK + 1]
            ends = np.cumsum(self.counts[bounds[0] : bounds[-1]], dtype=np.int64)
            lengths[start : start + BLOCK] = np.diff(np.concatenate([[0], ends])[bounds - bounds[0]])
        return lengths

    def columns(self, terms: int, k1: float, b: float) -> tuple[Floats, Any, Any]:
        """Return (data float32, indices int32, indptr int32) by term: weights of its documents, ascending.

        Args:
            terms: how many there are.
            k1, b: of BM25.
        """
        from scipy.sparse import csr_array

        documents = len(self.offsets) - 1
        held = np.bincount(self.terms, minlength=terms).tolist()
        idf = np.array([math.log(1 + (documents - df + 0.5) / (df + 0.5)) if df else 0.0 for df in held], np.float32)
        lengths = self.lengths()
        share = b * lengths / lengths.mean() if lengths.any() else np.zeros(documents)
        saturation = k1 * ((1 - b) + share)  # (documents,) float64
        weights = np.empty(len(self.terms), np.float32)
        for start in range(0, documents, BLOCK):
            stop = min(start + BLOCK, documents)
            part = slice(int(self.offsets[start]), int(self.offsets[stop]))
            counts = self.counts[part].astype(np.float32)
            each = np.repeat(saturation[start:stop], np.diff(self.offsets[start : stop + 1]))
            weights[part] = idf[self.terms[part]] * (counts / (each + counts))
        by_term = csr_array((weights, self.terms, self.offsets), (documents, max(terms, 1))).tocsc()
        return by_term.data, by_term.indices.astype(np.int32, copy=False), by_term.indptr.astype(np.int32, copy=False)


class TermCounter:
    """Collects the terms of documents, one after the other.

    Attributes:
        number_of: term -> number in order of appearance; several counters may share it.
    """

    def __init__(self, number_of: dict[str, int]):
        self.number_of = number_of
        self._terms, self._counts, self._offsets = array("i"), array("i"), array("q", [0])

    def add(self, terms: Iterable[str]) -> None:
        """Add a document."""
        number_of = self.number_of
        counted = Counter(terms)
        self._terms.extend([number_of.setdefault(term, len(number_of)) for term in counted])
        self._counts.extend(counted.values())
        self._offsets.append(len(self._terms))

    def counted(self) -> Counted:
        """Return what was collected, without a copy."""
        return Counted(
            np.frombuffer(self._terms, np.int32), np.frombuffer(self._counts, np.int32),
            np.frombuffer(self._offsets, np.int64),
        )  # fmt: skip


class CountedFields:
    """How often each row holds each term in its two fields.

    Attributes:
        terms: ascending; a term's number is its place.
        title, rest: `Counted` of the fields, of as many documents as there are rows; gone once they were taken.
    """

    def __init__(self, terms: Sequence[str], title: Counted, rest: Counted):
        self.terms, self.rows = terms, len(title.offsets) - 1
        self.title, self.rest = title, rest

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]], analyzer: Analyzer) -> CountedFields:
        """Count the terms of (title, rest) texts, one pair per row."""
        number_of: dict[str, int] = {}
        counters = TermCounter(number_of), TermCounter(number_of)
        for pair in fields:
            for counter, text in zip(counters, pair, strict=True):
                counter.add(analyzer.terms_of(text))
        terms = sorted(number_of)
        place_of = {term: place for place, term in enumerate(terms)}
        order = np.array([place_of[term] for term in number_of] or [0], np.int32)
        return cls(terms, *(counter.counted().renumbered(order) for counter in counters))

    def taken(self) -> Iterator[Counted]:
        """Yield title and rest and keep neither: those of a million products are half a gigabyte."""
        for name in ("title", "rest"):
            yield self.__dict__.pop(name)

    def packed(self) -> NDArray[np.uint16]:
        """Return how often a row holds a term, 256 x title + rest, in the order of `LexicalIndex.holders`.

        MOST_COUNTED stands for as many or more.
        """
        from scipy.sparse import csr_array

        shape = self.rows, max(len(self.terms), 1)
        title, rest = (
            csr_array((np.minimum(one.counts, MOST_COUNTED).astype(np.uint16), one.terms, one.offsets), shape).tocsc()
            for one in (self.title, self.rest)
        )
        title.data <<= 8
        return np.asarray((title + rest).data)


@dataclass(frozen=True)
class Postings:
    """Which rows hold each term, as compressed sparse columns.

    Attributes:
        starts: (terms + 1,) int64; rows: int32. The rows of a term, ascending, are rows[starts[term]:starts[term + 1]].
    """

    starts: Rows
    rows: NDArray[np.int32]

    def of(self, term_id: int) -> NDArray[np.int32]:
        """Return the rows that hold a term, ascending; a view."""
        return self.rows[self.starts[term_id] : self.starts[term_id + 1]]

    def count(self, term_id: int) -> int:
        """Return how many rows hold a term."""
        return int(self.starts[term_id + 1]) - int(self.starts[term_id])

    def save(self, folder: Path, name: str) -> None:
        """Write both arrays."""
        np.save(folder / f"{name}.starts.npy", self.starts)
        np.save(folder / f"{name}.rows.npy", self.rows)

    @classmethod
    def load(cls, folder: Path, name: str, terms: int) -> Postings:
        """Open them, memory-mapped.

        Raises:
            ReleaseDamaged, OSError, ValueError: a file is missing, truncated, or they do not fit each other.
        """
        starts = expect(mapped(folder / f"{name}.starts.npy"), (terms + 1,), np.int64, f"{name} starts")
        return cls(starts, expect(mapped(folder / f"{name}.rows.npy"), (int(starts[-1]),), np.int32, f"{name} rows"))
