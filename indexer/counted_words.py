"""The words of a catalog, counted: products whose text did not change are counted as they were in the live release.

Reading the words of a product takes longer than all else that is done with them. What a text holds depends on it, on
the code that reads it and on the compounds of the catalog, "t-shirt" being one: so a count is lent under a hash of the
text, by a release that the same code wrote, and where a compound came or went all products that may hold it are read
anew.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from indexer.rows import FieldsOf, products_at
from indexer.vector_files import HASH_BYTES, Hashes, keys_of
from search import analysis, product
from search.analysis import MOST_PARTS, Analyzer, compounds_of
from search.arrays import Mask, Rows, common_to, expect
from search.encoder import file_sha256
from search.errors import ReleaseDamaged
from search.home import Layout
from search.lexical import LexicalIndex, LexicalSettings
from search.postings import MOST_COUNTED, Counted, CountedFields
from search.product import Product, title_field
from search.release import expect_readable
from search.understanding import stated as stated_terms
from search.understanding.stated import UNKNOWN, StatedTerms

COUNTS, HASHES, CODE = "counts.npy", "hashes.npy", "counted_by"
READ = (  # files of a release
    *(f"lexical/{name}" for name in (COUNTS, HASHES, CODE, "compounds.json", "holders.rows.npy", "holders.starts.npy")),
    *("lexical/vocabulary.letters.npy", "lexical/vocabulary.ends.npy"),
    *("understanding/stated.offsets.npy", "understanding/stated.rows.npy"),
)


@dataclass(frozen=True)
class Titles:
    """What must be known of all products before the words of any are counted.

    Attributes:
        compounds: of the titles, see `compounds_of`.
        hashes: (n, 16) uint8, of all that is read of each product.
    """

    compounds: dict[str, tuple[str, ...]]
    hashes: Hashes


def read_titles(products: Iterable[Product], language: str) -> Titles:
    """Return what their titles tell; language: ISO 639-1."""
    digests: list[bytes] = []
    compounds = compounds_of(_titles(products, digests), language)
    return Titles(compounds, np.frombuffer(bytearray(b"".join(digests)), np.uint8).reshape(-1, HASH_BYTES))


def counted_words(
    products: Sequence[Product], settings: LexicalSettings, lender: Lender | None, titles: Titles | None = None
) -> tuple[LexicalIndex, StatedTerms, CountedWords]:
    """Return the index of the products' words, what they state, and what the next build may borrow of it.

    Args:
        products: in row order.
        settings: of the index.
        lender: of the live release's; None to count all.
        titles: of the products, where they are known.
    """
    titles = titles or read_titles(products, settings.language)
    analyzer, hashes = Analyzer(settings.language, titles.compounds), titles.hashes
    rows = np.full(len(hashes), -1, np.int64) if lender is None else lender.rows_with(hashes, analyzer)
    new = np.flatnonzero(rows < 0)
    lender = lender if len(new) < len(rows) else None
    read = products if lender is None else products_at(products, new)
    counted = CountedFields.of(FieldsOf(read), analyzer)
    counted = counted if lender is None else _together(counted, lender, rows)
    counts = counted.packed()
    index = LexicalIndex.of(counted, analyzer, settings)
    stated = StatedTerms.build(read, analyzer, index.vocabulary)
    stated = stated if lender is None else _stated_together(stated, lender, rows, index)
    hashes[stated.partly] = 0  # what they state may be a word of tomorrow's catalog: nobody borrows it
    return index, stated, CountedWords(counts, hashes, rows)


@dataclass(frozen=True)
class CountedWords:
    """What a release keeps for the next one.

    Attributes:
        counts: (entries,) uint16, see `CountedFields.packed`.
        hashes: (n, 16) uint8, of the text that was counted; 0 where it is not lent.
        borrowed: (n,) int64, the row of the lender that holds the same text read alike, -1 for none.
    """

    counts: Any
    hashes: Hashes
    borrowed: Rows

    def save(self, folder: Path) -> None:
        """Write them beside the lexical index."""
        np.save(folder / COUNTS, self.counts)
        np.save(folder / HASHES, self.hashes)
        (folder / CODE).write_text(code_digest(), "utf-8")


@dataclass(frozen=True)
class Lender:
    """The counted words of a release.

    Attributes:
        index: its lexical index.
        stated: what its products state.
        counts: (rows, terms) SciPy csr_array of uint16, see `CountedFields.packed`.
        hashes: (rows, 16) uint8.
    """

    index: LexicalIndex
    stated: StatedTerms
    counts: Any
    hashes: Hashes

    @classmethod
    def of(cls, layout: Layout | None, settings: LexicalSettings) -> Lender | None:
        """Return those of a release; None where it has none, other code counted them, or a file is damaged."""
        if layout is None:
            return None
        folder = layout.lexical
        try:
            known = expect_readable(layout)["files"]
            is_same = (folder / CODE).read_text("utf-8") == code_digest()
            if not is_same or any(file_sha256(layout.folder / name) != known[name] for name in READ):
                return None
            index = LexicalIndex.load(folder)
            stated = StatedTerms.load(layout.understanding, len(index.vocabulary), index.rows)
            counts = expect(np.load(folder / COUNTS), index.holders.rows.shape, np.uint16, COUNTS)
            hashes = expect(np.load(folder / HASHES), (index.rows, HASH_BYTES), np.uint8, HASHES)
        except (ReleaseDamaged, OSError, ValueError, EOFError, KeyError):
            return None
        is_same = index.settings.language == settings.language
        counted = CountedWords(counts, hashes, np.full(index.rows, -1))
        return cls.lending(index, stated, counted) if is_same else None

    @classmethod
    def lending(cls, index: LexicalIndex, stated: StatedTerms, counted: CountedWords) -> Lender:
        """Return what `counted_words` gave for another catalog as it can be borrowed from."""
        from scipy.sparse import csc_array

        shape = index.rows, len(index.holders.starts) - 1
        by_term = csc_array((counted.counts, index.holders.rows, index.holders.starts), shape)
        return cls(index, stated, by_term.tocsr(), counted.hashes)

    @cached_property
    def terms(self) -> list[str]:
        """The terms of its vocabulary by number."""
        return list(self.index.vocabulary)

    def rows_with(self, hashes: Hashes, analyzer: Analyzer) -> Rows:
        """Return (n,) int64: a row with this text whose terms an analyzer would count alike; -1 where there is none.

        Args:
            hashes: (n, 16) uint8 of texts.
            analyzer: of the new release.
        """
        keys, wanted = keys_of(self.hashes), keys_of(hashes)
        order = np.argsort(keys, kind="stable")
        places = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(order) - 1)]
        found = np.where(keys[places] == wanted, places, -1)
        usable = ~self._reads_otherwise(analyzer)
        full = (self.counts.data >> 8 == MOST_COUNTED) | (self.counts.data & 255 == MOST_COUNTED)
        usable[np.searchsorted(self.counts.indptr, np.flatnonzero(full), side="right") - 1] = False
        return np.where((found >= 0) & usable[found], found, -1).astype(np.int64)

    def _reads_otherwise(self, analyzer: Analyzer) -> Mask:
        """Return (rows,) bool: which products may hold a compound that came, went or has other parts.

        A compound is found in one word, or in words side by side that are its parts or others it can be cut into; and
        where the last of them ends any compound.
        """
        before, after = self.index.analyzer.compounds, analyzer.compounds
        stopped = {analyzer.term_of(word) for word in analyzer.stop_words}
        ends = [{analyzer.term_of(parts[-1]) for parts in compounds.values()} for compounds in (before, after)]
        signs: set[tuple[str, ...]] = {(end,) for end in ends[0] ^ ends[1]}
        for compound in (one for one in {**before, **after} if before.get(one) != after.get(one)):
            signs |= {tuple(map(analyzer.term_of, parts[compound])) for parts in (before, after) if compound in parts}
            signs |= {(compound,), *self._cuts(compound, stopped, MOST_PARTS)}
        mask = np.zeros(self.index.rows, bool)
        for terms in signs:
            told = [term for term in dict.fromkeys(terms) if term not in stopped]
            if not told:  # stop words are not counted: any product may hold them
                return np.ones_like(mask)
            mask[reduce(common_to, map(self.index.rows_of, told))] = True
        return mask

    def _cuts(self, text: str, stopped: set[str], most: int) -> Iterator[tuple[str, ...]]:
        """Yield the ways to cut a text into two or more terms, at most `most`."""
        for place in range(1, len(text)) if most > 1 else ():
            first, rest = text[:place], text[place:]
            if first in stopped or first in self.index.vocabulary:
                if rest in stopped or rest in self.index.vocabulary:
                    yield first, rest
                yield from ((first, *others) for others in self._cuts(rest, stopped, most - 1))


def code_digest() -> str:
    """Return what changes whenever the same text might be counted otherwise."""
    libraries = [f"{name} {version(name)}" for name in ("PyStemmer", "bm25s")]
    code = [file_sha256(Path(str(module.__file__))) for module in (analysis, product, stated_terms)]
    told = "\n".join([*libraries, unicodedata.unidata_version, *code])
    return hashlib.sha256(told.encode()).hexdigest()


def _titles(products: Iterable[Product], digests: list[bytes]) -> Iterator[str]:
    """Yield the titles as they are counted, and note a digest of all that is read of each product."""
    for one in products:
        told = (one.id, one.title, one.brand, one.category, one.attributes, one.description)
        digests.append(hashlib.blake2b(repr(told).encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest())
        yield title_field(one)


def _together(fresh: CountedFields, lender: Lender, rows: Rows) -> CountedFields:
    """Return the counts of all products.

    Args:
        fresh: of those that are in no row of the lender, in order.
        lender: of the others.
        rows: (n,) int64, the row of each there; -1 for a fresh one.
    """
    lent = lender.counts[rows[rows >= 0]]
    used = np.flatnonzero(np.bincount(lent.indices, minlength=lent.shape[1]))
    names = lender.terms
    old = [names[number] for number in used.tolist()]
    terms = sorted({*old, *fresh.terms})
    place_of = {term: place for place, term in enumerate(terms)}
    old_places = np.zeros(len(names) or 1, np.int32)
    old_places[used] = [place_of[term] for term in old]
    new_places = np.array([place_of[term] for term in fresh.terms] or [0], np.int32)
    order = np.empty(len(rows), np.int64)
    order[np.concatenate([np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)])] = np.arange(len(rows))
    title, rest = (
        _in_order(lent, counts, old_places, one.renumbered(new_places), len(terms), order)
        for one, counts in zip(fresh.taken(), (lent.data >> 8, lent.data & 255), strict=True)
    )
    return CountedFields(terms, title, rest)


def _in_order(lent: Any, counts: Any, places: Any, fresh: Counted, terms: int, order: Rows) -> Counted:
    """Return one field's counts, row by row: of the rows of a matrix, then fresh ones, put into an order."""
    from scipy.sparse import csr_array, vstack

    width = max(terms, 1)
    old = csr_array((counts.astype(np.int32), places[lent.indices], lent.indptr.copy()), (lent.shape[0], width))
    old.eliminate_zeros()
    new = csr_array((fresh.counts, fresh.terms, fresh.offsets), (len(fresh.offsets) - 1, width))
    both = vstack([old, new], format="csr")[order]
    return Counted(both.indices, both.data, both.indptr.astype(np.int64))


def _stated_together(fresh: StatedTerms, lender: Lender, rows: Rows, index: LexicalIndex) -> StatedTerms:
    """Return what all products state; see `_together`."""
    from scipy.sparse import csc_array

    lent, new = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
    ones = np.ones(len(lender.stated.rows), np.int8)
    by_term = csc_array((ones, lender.stated.rows, lender.stated.offsets), (lender.index.rows, len(lender.terms)))
    borrowed = by_term.tocsr()[rows[lent]]
    number_of = np.array([index.vocabulary.get(term, UNKNOWN) for term in lender.terms] or [0], np.int32)
    terms = len(index.vocabulary)
    numbers = np.concatenate([number_of[borrowed.indices], np.repeat(np.arange(terms), np.diff(fresh.offsets))])
    of_rows = np.concatenate([np.repeat(lent, np.diff(borrowed.indptr)), new[fresh.rows]])
    partly = np.unique(np.concatenate([of_rows[numbers == UNKNOWN], new[fresh.partly]]))
    order = np.argsort(of_rows, kind="stable")
    order = order[numbers[order] != UNKNOWN]
    found = StatedTerms.of(numbers[order].astype(np.int32), of_rows[order], terms, len(rows))
    return replace(found, partly=partly)
