"""The terms of a catalog and their numbers, on disk: one text of all terms in order, looked up by bisection.

A dictionary of a million terms takes 200 MB and most of a second to read; this is mapped and takes neither.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.arrays import Rows, expect, mapped
from search.remembered import remembering

REMEMBERED = 8192  # look-ups; a query asks for each of its words several times


class Vocabulary(Mapping[str, int]):
    """Term -> its place among all terms, which ascend.

    Args:
        letters: (bytes,) uint8, all terms in UTF-8, one after the other.
        ends: (terms,) int64, where each ends.

    Raises:
        ReleaseDamaged: they do not fit each other.
    """

    def __init__(self, letters: NDArray[np.uint8], ends: Rows):
        expect(letters, (int(ends[-1]) if len(ends) else 0,), np.uint8, "letters of the vocabulary")
        self._letters, self._ends = letters.data, expect(ends, (None,), np.int64, "ends of terms").data
        self._places = range(len(ends))
        self._found = remembering(self._find, REMEMBERED)

    @staticmethod
    def save(terms: Iterable[str], letters: Path, ends: Path) -> None:
        """Write terms, which ascend, as two arrays."""
        encoded = [_bytes_of(term) for term in terms]
        np.save(letters, np.frombuffer(b"".join(encoded), np.uint8))
        np.save(ends, np.cumsum([len(one) for one in encoded], dtype=np.int64))

    @classmethod
    def load(cls, letters: Path, ends: Path) -> Vocabulary:
        """Open what `save` wrote, memory-mapped.

        Raises:
            ReleaseDamaged, OSError, ValueError: a file is missing, truncated, or they do not fit each other.
        """
        return cls(mapped(letters), mapped(ends))

    def _term(self, place: int) -> bytes:
        return bytes(self._letters[self._ends[place - 1] if place else 0 : self._ends[place]])

    def _find(self, term: str) -> int:
        """Return a term's place, -1 for none."""
        wanted = _bytes_of(term)
        place = bisect_left(self._places, wanted, key=self._term)
        return place if place < len(self._places) and self._term(place) == wanted else -1

    def __getitem__(self, term: str) -> int:
        if (place := self._found(term)) < 0:
            raise KeyError(term)
        return place

    def __contains__(self, term: object) -> bool:
        return isinstance(term, str) and self._found(term) >= 0

    def __iter__(self) -> Iterator[str]:
        return (self._term(place).decode("utf-8", "surrogatepass") for place in self._places)

    def __len__(self) -> int:
        return len(self._places)


def _bytes_of(term: str) -> bytes:
    return term.encode("utf-8", "surrogatepass")  # as texts may hold halves of a pair; the order stays that of str
