"""The lexical leg: fielded BM25 over titles and everything else.

The arithmetic is bm25s (Lù 2024, arXiv 2407.03618), Lucene's variant of BM25 (Robertson & Zaragoza 2009). What a term
gives a row depends on nothing else in the query, so both fields' weights are added up at build, and a query reads the
rows of its own terms, once, and no others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.analysis import Analyzer, compounds_of, is_identifier
from search.arrays import Floats, Mask, Rows, Sums, common_to, expect, mapped, places_of
from search.errors import ReleaseDamaged
from search.postings import Counted, CountedFields, Postings
from search.remembered import Remembered, remembering
from search.vocabulary import Vocabulary
from search.word_matches import NOTHING, WordMatches

LEAST_HALF = 3  # letters of each half of a query word that no product has
LEAST_TOGETHER = 2  # titles that must hold both halves
IDENTIFIED_LEAST, IDENTIFIED_SHARE = 20, 0.002  # most products an identifier may stand for: a number, or a share
REMEMBERED_QUERIES = 256
# Matches kept, and rows of them, 12 bytes each: of a long query in a large catalog there are a million.
CACHED_MATCHES, CACHED_ROWS = 32, 400_000
SERVED = 4096  # words that the analyzer of a release remembers


@dataclass(frozen=True)
class LexicalSettings:
    """What the BM25 leg was built with; saved beside it and read back with it."""

    k1: float = 0.9  # DESIGN.md, "BM25"
    b: float = 0.6
    rest_weight: float = 0.25  # weight of brand, category, attributes and description against the title's 1
    language: str = "en"  # ISO 639-1, decides stemmer and stop words


@dataclass(frozen=True)
class LexicalIndex:
    """BM25 over two fields that share one vocabulary.

    Attributes:
        settings: weights and language.
        vocabulary: term -> term id, sorted by term.
        holders: the rows that hold each term in either field.
        weights: float32, of the entries of `holders.rows`: title + rest_weight x rest.
        titled: the rows whose titles hold each term.
        rows: how many products.
        title_weights: (rows,) float32 rarity of all terms of each title, together.
        evenly: float32, of the entries of `holders.rows`: title + rest, as products are compared with each other; None
            where the index was not built just now.
    """

    settings: LexicalSettings
    vocabulary: Mapping[str, int]
    holders: Postings
    weights: Floats
    titled: Postings
    rows: int
    analyzer: Analyzer
    title_weights: Floats
    evenly: Floats | None = None

    @classmethod
    def build(cls, fields: Iterable[tuple[str, str]], settings: LexicalSettings) -> LexicalIndex:
        """Index (title, rest) texts, one pair per row, in row order."""
        pairs = list(fields) if iter(fields) is fields else fields  # read twice: titles tell the compounds first
        analyzer = Analyzer(settings.language, compounds_of((title for title, _ in pairs), settings.language))
        return cls.of(CountedFields.of(pairs, analyzer), analyzer, settings)

    @classmethod
    def of(cls, counted: CountedFields, analyzer: Analyzer, settings: LexicalSettings) -> LexicalIndex:
        """Index products by what was counted in them with this analyzer; it is let go of on the way."""
        vocabulary = {term: number for number, term in enumerate(counted.terms)}
        rows = counted.rows
        title, rest = (_bm25(field, len(vocabulary), settings) for field in counted.taken())
        titled, _ = _postings(title)
        evenly = _postings(title + rest)[1]
        rest.data *= np.float32(settings.rest_weight)
        weighed = title + rest
        del title, rest
        holders, weights = _postings(weighed)
        nothing = np.zeros(rows, np.float32)
        index = cls(settings, vocabulary, holders, weights, titled, rows, analyzer, nothing, evenly)
        return replace(index, title_weights=index._title_weights())

    def save(self, folder: Path) -> None:
        """Write the index as .npy arrays and JSON."""
        folder.mkdir(parents=True)
        _dump(folder / "settings.json", {**vars(self.settings), "rows": self.rows})
        _dump(folder / "compounds.json", self.analyzer.compounds)
        Vocabulary.save(self.vocabulary, *_vocabulary_paths(folder))
        self.holders.save(folder, "holders")
        self.titled.save(folder, "titled")
        np.save(folder / "weights.npy", self.weights)
        np.save(folder / "title_weights.npy", self.title_weights)

    @classmethod
    def load(cls, folder: Path) -> LexicalIndex:
        """Open an index, its arrays and its vocabulary memory-mapped.

        Raises:
            ReleaseDamaged: a file is missing or does not fit the others.
        """
        try:
            saved = json.loads((folder / "settings.json").read_text("utf-8"))
            rows = saved.pop("rows")
            settings = LexicalSettings(**saved)
            vocabulary = Vocabulary.load(*_vocabulary_paths(folder))
            saved = json.loads((folder / "compounds.json").read_text("utf-8"))
            compounds = {joined: tuple(parts) for joined, parts in saved.items()}
            analyzer = Analyzer(settings.language, compounds, SERVED)
            terms = max(len(vocabulary), 1)
            holders, titled = (Postings.load(folder, name, terms) for name in ("holders", "titled"))
            weights = expect(mapped(folder / "weights.npy"), holders.rows.shape, np.float32, "weights")
            title_weights = expect(mapped(folder / "title_weights.npy"), (rows,), np.float32, "title_weights")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ReleaseDamaged(f"the lexical index in {folder} cannot be read ({error}); build again") from error
        return cls(settings, vocabulary, holders, weights, titled, rows, analyzer, title_weights)

    def reopened(self, folder: Path) -> LexicalIndex:
        """Return the same over the files that `save` wrote, mapped: held, that of a million rows is a gigabyte."""
        return replace(LexicalIndex.load(folder), evenly=self.evenly)

    def query_terms(self, text: str) -> list[str]:
        """Return a query's distinct terms, in order; an unknown word that is two known ones gives those."""
        return list(self._remembered_terms(text))  # asked several times of one query

    @cached_property
    def _remembered_terms(self) -> Callable[[str], tuple[str, ...]]:
        return remembering(self._query_terms, REMEMBERED_QUERIES)

    def _query_terms(self, text: str) -> tuple[str, ...]:
        terms: dict[str, None] = {}
        for word, term in self.analyzer.words_and_terms(text):
            terms.update(dict.fromkeys([term] if term in self.vocabulary else self.halves(word) or [term]))
        return tuple(terms)

    def halves(self, word: str) -> list[str]:
        """Return the two terms an unknown word is made of, harley and davidson: those that most titles have both."""
        best: list[str] = []
        most = LEAST_TOGETHER - 1
        for cut in range(LEAST_HALF, len(word) - LEAST_HALF + 1) if word.isalpha() else ():
            terms = [self.analyzer.term_of(half) for half in (word[:cut], word[cut:])]
            if all(term in self.vocabulary for term in terms):
                first, second = (self.titled.of(self.vocabulary[term]) for term in terms)
                together = len(common_to(first, second))
                if together > most:
                    best, most = terms, together
        return best

    def term_ids(self, text: str) -> list[int]:
        """Return the ids of a query's distinct known terms, in order of appearance."""
        return [self.vocabulary[term] for term in self.query_terms(text) if term in self.vocabulary]

    def matches(self, text: str) -> WordMatches:
        """Return the rows that hold any of a query's terms, their scores, and how much of the query each holds.

        A term the catalog does not know weighs as much as the rarest one and is held by no row, so that a row
        never covers a query whose main word it lacks.
        """
        return self._matches.made(text, lambda: self._matches_of(text))  # filters ask for them again

    @cached_property
    def _matches(self) -> Remembered[str, WordMatches]:
        return Remembered(CACHED_MATCHES, CACHED_ROWS, len)

    def _matches_of(self, text: str) -> WordMatches:
        terms = self.query_terms(text)
        weights = [self._rarity(term) for term in terms]
        held = [
            (self.vocabulary[term], weight) for term, weight in zip(terms, weights, strict=True)
            if term in self.vocabulary
        ]  # fmt: skip
        if not held:
            return NOTHING
        rows, (scores, shares) = self.sums.of(
            [self.holders.of(term_id) for term_id, _ in held],
            [[self._weights_of(term_id) for term_id, _ in held], [weight for _, weight in held]],
        )
        return WordMatches(rows, scores, shares / np.float32(sum(weights)))

    def scores(self, term_ids: Sequence[int]) -> Floats:
        """Return (rows,) float32 scores of every row, 0 where nothing matches."""
        scores = np.zeros(self.rows, np.float32)
        for term_id in term_ids:
            scores[self.holders.of(term_id)] += self._weights_of(term_id)
        return scores

    def coverage(self, text: str) -> Floats:
        """Return (rows,) float32: the share, by rarity, of the query's terms that every row holds; see `matches`."""
        found = self.matches(text)
        coverage = np.zeros(self.rows, np.float32)
        coverage[found.rows] = found.shares
        return coverage

    def matrix(self) -> Any:
        """Return a (rows, terms) float32 SciPy csc_array: the weight of each term in each product, title plus rest.

        Where these sums are not known, the rest counts less, as in scores.
        """
        from scipy.sparse import csc_array  # for the indexer; a server never needs it

        shape = self.rows, len(self.holders.starts) - 1
        is_known = self.evenly is not None and len(self.evenly) == len(self.weights)
        return csc_array((self.evenly if is_known else self.weights, self.holders.rows, self.holders.starts), shape)

    def title_rows(self, term: str) -> NDArray[np.int32]:
        """Return the rows whose titles hold a term, ascending; none for an unknown term."""
        term_id = self.vocabulary.get(term)
        return np.zeros(0, np.int32) if term_id is None else self.titled.of(term_id)

    def rows_of(self, term: str) -> NDArray[np.int32]:
        """Return the rows that hold a term in either field, ascending; none for an unknown term."""
        term_id = self.vocabulary.get(term)
        return np.zeros(0, np.int32) if term_id is None else self.holders.of(term_id)

    @cached_property
    def sums(self) -> Sums:
        """Adds up what terms and values give to rows."""
        return Sums(self.rows)

    def _weights_of(self, term_id: int) -> Floats:
        return self.weights[self.holders.starts[term_id] : self.holders.starts[term_id + 1]]

    def title_coverage(self, terms: Sequence[str], rows: Rows) -> tuple[Floats, Mask]:
        """Return what these rows' titles hold of a query.

        Args:
            terms: the t distinct terms of the query, in order.
            rows: (m,) int64.

        Returns:
            (m,) share of the terms, by rarity, that each title holds; (t, m) which term it holds.
        """
        holds = np.zeros((len(terms), len(rows)), bool)
        weights = np.array([self._rarity(term) for term in terms], np.float32)
        for place, term in enumerate(terms):
            if len(titled := self.title_rows(term)):
                holds[place] = places_of(titled, rows)[1]
        return weights @ holds / max(float(weights.sum()), 1e-9), holds

    def best_title_coverage(self, terms: Sequence[str]) -> float:
        """Return the largest share of the terms, by rarity, that one title holds; 1 for no terms."""
        weights = {term: self._rarity(term) for term in terms}
        total = sum(weights.values())
        held = {term: rows for term in weights if len(rows := self.title_rows(term))}
        if len(held) < 2:
            return max((weights[term] for term in held), default=0.0) / total if total > 0 else 1.0
        return self.sums.largest(list(held.values()), [weights[term] for term in held]) / total

    def mutual_coverage(self, title: str, rest: str) -> Floats:
        """Return (rows,) float32, 0..1: how much of each other's titles this text and every row hold, by rarity.

        The mean of two shares: of the title's terms that a row holds, and of a row's title's terms that the text holds.

        Args:
            title, rest: the fields of one product, as indexed.
        """
        own = dict.fromkeys(self.analyzer.terms_of(title))
        forward, backward = np.zeros(self.rows, np.float32), np.zeros(self.rows, np.float32)
        total = 0.0
        for term in own | dict.fromkeys(self.analyzer.terms_of(rest)):
            rarity = self._rarity(term)
            if term in own:
                forward[self.rows_of(term)] += rarity
                total += rarity
            backward[self.title_rows(term)] += rarity
        forward /= np.float32(2 * total or 1.0)
        backward /= np.maximum(2 * self.title_weights, np.float32(1e-6))
        return forward + backward

    def _title_weights(self) -> Floats:
        """Return (rows,) float32, see the class."""
        terms = np.arange(len(self.titled.starts) - 1)
        rarities = np.array([self._idf(self.holders.count(term)) for term in terms.tolist()], np.float32)
        added = np.repeat(rarities, np.diff(self.titled.starts))
        return np.bincount(self.titled.rows, added, self.rows).astype(np.float32)

    def identified(self, text: str) -> float:
        """Return the share, by rarity, of the query's terms that are part, model or article numbers of few products."""
        terms = self.query_terms(text)
        if not any(map(is_identifier, terms)):
            return 0.0
        few = max(IDENTIFIED_LEAST, IDENTIFIED_SHARE * self.rows)
        counts = [self.count(term) for term in terms]
        weights = [self._idf(count) for count in counts]
        identifying = [is_identifier(term) and 0 < count <= few for term, count in zip(terms, counts, strict=True)]
        return sum(weight for weight, found in zip(weights, identifying, strict=True) if found) / (sum(weights) or 1.0)

    def count(self, term: str) -> int:
        """Return how many rows hold a term in either field."""
        term_id = self.vocabulary.get(term)
        return 0 if term_id is None else self.holders.count(term_id)

    def _rarity(self, term: str) -> float:
        return self._idf(self.count(term))

    def _idf(self, rows_with: int) -> float:
        return math.log1p((self.rows - rows_with + 0.5) / (rows_with + 0.5))


def _bm25(documents: Counted, terms: int, settings: LexicalSettings) -> Any:
    """Return a (rows, terms) float32 SciPy csc_array: what each term weighs in each document."""
    from scipy.sparse import csc_array

    terms = max(terms, 1)  # a catalog of stop words only still gets one (unused) term
    return csc_array(documents.columns(terms, settings.k1, settings.b), (len(documents.offsets) - 1, terms))


def _postings(matrix: Any) -> tuple[Postings, Floats]:
    """Return the entries of a (rows, terms) csc_array, by term and row, and their weights."""
    matrix.sort_indices()
    starts, rows = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False)
    return Postings(starts, rows), matrix.data.astype(np.float32, copy=False)


def _vocabulary_paths(folder: Path) -> tuple[Path, Path]:
    return folder / "vocabulary.letters.npy", folder / "vocabulary.ends.npy"


def _dump(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")
