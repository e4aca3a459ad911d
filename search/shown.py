"""What a card shows of each product, as far as it is known before anybody asks: where its words stand, what is told.

Each word of the shown texts has a number of 16 bits for each of its terms, mostly one. Where the terms of a query may
stand in the texts of a page is then one look at a few thousand numbers, and the few words found so are read as they are
written: terms may share a number. Numbers depend on the words alone, so they stay as they are when the catalog changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from search.analysis import Analyzer
from search.arrays import Rows, expect, mapped
from search.errors import ReleaseDamaged
from search.product import Product
from search.scattered import ScatteredFile, array_in_pieces
from search.segments import members_of

SHORT_VALUE = 40  # characters of an attribute's value that a card can show
NO_WORD, MANY, BEGINS = 0, 32_766, 32_767  # of punctuation; of a word with more terms than are told; before each text
MORE = 32_768  # added to what is a further number of the word before
MOST_NUMBERS = 12  # of a word
TITLE, DESCRIPTION, BRAND, LEAF, VALUES = range(5)  # places of the texts of a product; from VALUES on its short values
IS_TITLE, IS_ELSEWHERE, SAYS_NO_MORE = -1, -2, -3  # instead of where a segment's sentence begins

Numbers = NDArray[np.uint16]
Told = NDArray[np.int32]


class Places(NamedTuple):
    """Where terms that were asked for may stand in the shown texts of a product; nowhere else do they.

    Attributes:
        title, description: of words, ascending: between single blanks, between any.
        texts: others that may hold some, such as BRAND.
    """

    title: list[int]
    description: list[int]
    texts: set[int]


NOWHERE = Places([], [], set())


def short_values(product: Product) -> list[tuple[str, str]]:
    """Return (name, value) of the attributes' values that are short enough to be shown."""
    return [
        (name, value) for name, values in product.attributes.items() for value in values if len(value) <= SHORT_VALUE
    ]


def number_of(term: str) -> int:
    """Return the number of a term, between NO_WORD and MANY; others may have the same."""
    return crc32(term.encode("utf-8", "surrogatepass")) % (MANY - 1) + 1


def numbers_of(piece: str, analyzer: Analyzer) -> list[int]:
    """Return the numbers of what stands between two blanks; the analyzer's compounds do not matter."""
    numbers = sorted(map(number_of, analyzer.possible_terms(piece)))
    if len(numbers) > MOST_NUMBERS:
        return [MANY]
    return [numbers[0], *(number + MORE for number in numbers[1:])] if numbers else [NO_WORD]


class ShownTexts:
    """The shown texts of n products, of which there are m segments.

    Args:
        words: (k,) uint16 numbers, the texts of each product in the order above, BEGINS before each text.
        starts: (n + 1,) int64; the words of row r lie from starts[r] to starts[r + 1].
        told: (m, 2) int32, what is told where a segment is the closest: characters of the product's description, the
            end below 0 where the text goes on; or one of the numbers above.
        analyzer: of the release.
        file: where the words lie, and offset: in bytes; None to take them from the array.
    """

    def __init__(
        self,
        words: Numbers,
        starts: Rows,
        told: Told,
        analyzer: Analyzer,
        file: ScatteredFile | None = None,
        offset: int = 0,
    ):
        self.words = expect(words, (None,), np.uint16, "shown words")
        self.starts = expect(starts, (None,), np.int64, "starts of shown words")
        self.told = expect(told, (None, 2), np.int32, "told sentences")
        if len(starts) == 0 or starts[0] != 0 or starts[-1] != len(words) or (np.diff(starts) < 1).any():
            raise ReleaseDamaged("shown words and where they start do not fit each other; build the release again")
        self._file, self._offset = file, offset
        # A word that is a compound holds its parts too, "tshirt" a shirt.
        self._joined: dict[str, list[int]] = defaultdict(list)
        for joined, parts in analyzer.compounds.items():
            for part in parts:
                self._joined[analyzer.term_of(part)].append(number_of(joined))

    @property
    def rows(self) -> int:
        """How many products."""
        return len(self.starts) - 1

    def places(self, rows: Rows, terms: Iterable[str]) -> list[Places]:
        """Return where terms may stand in the texts of each of (k,) rows.

        Raises:
            ReleaseDamaged: a product's words do not begin as they should.
        """
        if len(rows) == 0:
            return []
        wanted = [number for term in terms for number in (number_of(term), *self._joined.get(term, ()))]
        is_wanted = np.zeros(2 * MORE, bool)
        is_wanted[[MANY, *wanted, *(number + MORE for number in wanted)]] = True
        words, firsts = self._read(rows)
        if (words[firsts] != BEGINS).any():
            raise ReleaseDamaged("the words of shown texts are not what the build wrote; build the release again")
        found = [Places([], [], set()) for _ in range(len(rows))]
        at = is_wanted[words].nonzero()[0]
        begins = (words == BEGINS).nonzero()[0]
        products, texts = firsts.searchsorted(at, "right") - 1, begins.searchsorted(at, "right") - 1
        word_of = (words < MORE).cumsum()
        places = word_of[at] - word_of[begins[texts]] - 1
        texts -= begins.searchsorted(firsts)[products]
        for product, text, place in zip(products.tolist(), texts.tolist(), places.tolist(), strict=True):
            if text > DESCRIPTION:
                found[product].texts.add(text)
            elif place not in found[product][text][-1:]:  # a word may have several numbers
                found[product][text].append(place)
        return found

    def _read(self, rows: Rows) -> tuple[Numbers, Rows]:
        """Return the words of (k,) rows, one row's after the other's, and where each row's begin."""
        starts = self.starts[rows]
        counts = self.starts[rows + 1] - starts
        firsts = counts.cumsum() - counts
        if self._file is None:
            return self.words[members_of(self.starts, rows)], firsts
        words = np.empty(int(counts.sum()), np.uint16)
        self._file.read(words, self._offset + starts * words.itemsize, counts * words.itemsize)
        return words, firsts

    @classmethod
    def load(cls, folder: Path, analyzer: Analyzer) -> ShownTexts:
        """Open what `indexer.shown` wrote; words are read piece by piece, the rest is memory-mapped.

        Raises:
            ReleaseDamaged: a file is missing, truncated, or they do not fit each other.
        """
        try:
            words, file, offset = array_in_pieces(folder / "words.npy")
            starts, told = mapped(folder / "starts.npy"), mapped(folder / "told.npy")
        except (OSError, ValueError) as error:
            raise ReleaseDamaged(f"{folder} cannot be read ({error}); build the release again") from error
        return cls(words, starts, told, analyzer, file, offset)
