"""The lexical leg: fielded BM25 over titles and everything else, one score for every row.

The arithmetic is bm25s (Lù 2024, arXiv 2407.03618), Lucene's variant of BM25 (Robertson & Zaragoza 2009).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from search.analysis import Analyzer, compounds_of, is_identifier
from search.arrays import Floats, Mask, Rows, expect
from search.errors import ReleaseDamaged
from search.postings import Counted, TermCounter

LEAST_HALF = 3  # letters of each half of a query word that no product has
LEAST_TOGETHER = 2  # titles that must hold both halves
IDENTIFIED_LEAST, IDENTIFIED_SHARE = 20, 0.002  # most products an identifier may stand for: a number, or a share
REMEMBERED_TERMS = 64  # whose rows are kept; a query asks for each of its terms several times
REMEMBERED_QUERIES = 256


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
        title, rest: bm25s indexes whose documents are the rows.
        rows: how many products.
        title_weights: (rows,) float32 rarity of all terms of each title, together.
    """

    settings: LexicalSettings
    vocabulary: dict[str, int]
    title: Any
    rest: Any
    rows: int
    analyzer: Analyzer
    title_weights: Floats

    @classmethod
    def build(cls, fields: Iterable[tuple[str, str]], settings: LexicalSettings) -> LexicalIndex:
        """Index (title, rest) texts, one pair per row, in row order."""
        pairs = list(fields) if iter(fields) is fields else fields  # read twice: titles tell the compounds first
        titles = (title for title, _ in pairs)
        analyzer = Analyzer(settings.language, compounds_of(titles, settings.language))
        number_of: dict[str, int] = {}
        counters = TermCounter(number_of), TermCounter(number_of)
        for pair in pairs:
            for counter, text in zip(counters, pair, strict=True):
                counter.add(analyzer.terms_of(text))
        vocabulary = {term: number for number, term in enumerate(sorted(number_of))}
        order = np.array([vocabulary[term] for term in number_of] or [0], np.int32)
        title, rest = (_bm25(counter.counted().renumbered(order), vocabulary, settings) for counter in counters)
        rows = title.scores["num_docs"]
        index = cls(settings, vocabulary, title, rest, rows, analyzer, np.zeros(rows, np.float32))
        return replace(index, title_weights=index._title_weights())

    def save(self, folder: Path) -> None:
        """Write the index as .npy arrays and JSON."""
        folder.mkdir(parents=True)
        _dump(folder / "settings.json", {**vars(self.settings), "rows": self.rows})
        _dump(folder / "vocabulary.json", list(self.vocabulary))
        _dump(folder / "compounds.json", self.analyzer.compounds)
        for name, field in (("title", self.title), ("rest", self.rest)):
            for part in ("data", "indices", "indptr"):
                np.save(folder / f"{name}.{part}.npy", field.scores[part], allow_pickle=False)
        np.save(folder / "title_weights.npy", self.title_weights)

    @classmethod
    def load(cls, folder: Path) -> LexicalIndex:
        """Read an index back, its arrays memory-mapped.

        Raises:
            ReleaseDamaged: a file is missing or does not fit the others.
        """
        try:
            saved = json.loads((folder / "settings.json").read_text("utf-8"))
            rows = saved.pop("rows")
            settings = LexicalSettings(**saved)
            vocabulary = {
                term: number for number, term in enumerate(json.loads((folder / "vocabulary.json").read_text("utf-8")))
            }
            compounds = json.loads((folder / "compounds.json").read_text("utf-8"))
            analyzer = Analyzer(settings.language, {joined: tuple(parts) for joined, parts in compounds.items()})
            title, rest = (_loaded_field(folder, name, rows, len(vocabulary), settings) for name in ("title", "rest"))
            weights = expect(np.load(folder / "title_weights.npy"), (rows,), np.float32, "title_weights")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ReleaseDamaged(f"the lexical index in {folder} cannot be read ({error}); build again") from error
        return cls(settings, vocabulary, title, rest, rows, analyzer, weights)

    def query_terms(self, text: str) -> list[str]:
        """Return a query's distinct terms, in order; an unknown word that is two known ones gives those."""
        return list(self._remembered_terms(text))  # asked several times of one query

    @cached_property
    def _remembered_terms(self) -> Callable[[str], tuple[str, ...]]:
        return lru_cache(maxsize=REMEMBERED_QUERIES)(self._query_terms)

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
                first, second = (self._postings(self.title, self.vocabulary[term]) for term in terms)
                together = len(np.intersect1d(first, second))
                if together > most:
                    best, most = terms, together
        return best

    def term_ids(self, text: str) -> list[int]:
        """Return the ids of a query's distinct known terms, in order of appearance."""
        return [self.vocabulary[term] for term in self.query_terms(text) if term in self.vocabulary]

    def scores(self, term_ids: Sequence[int]) -> Floats:
        """Return (rows,) float32 scores, 0 where nothing matches: title + rest_weight x rest."""
        if not term_ids:
            return np.zeros(self.rows, np.float32)
        ids = list(term_ids)
        title = self.title.get_scores_from_ids(ids)
        return (title + self.settings.rest_weight * self.rest.get_scores_from_ids(ids)).astype(np.float32)

    def weights(self) -> Any:
        """Return a (rows, terms) float32 SciPy csc_array: the weight of each term in each product, title plus rest."""
        from scipy.sparse import csc_array  # for the indexer; a server never needs it

        shape = self.rows, max(len(self.vocabulary), 1)
        title, rest = (
            csc_array((field.scores["data"], field.scores["indices"], field.scores["indptr"]), shape)
            for field in (self.title, self.rest)
        )
        return title + rest

    def title_rows(self, term: str) -> Rows:
        """Return the rows whose titles hold a term, ascending; none for an unknown term."""
        term_id = self.vocabulary.get(term)
        found = np.zeros(0, np.int64) if term_id is None else self._postings(self.title, term_id)
        return np.sort(found).astype(np.int64)

    def rows_with(self, term_id: int) -> Rows:
        """Return the rows that hold a term in either field, ascending; read only, for a query asks several times."""
        return self._remembered_rows(term_id)

    @cached_property
    def _remembered_rows(self) -> Callable[[int], Rows]:
        return lru_cache(maxsize=REMEMBERED_TERMS)(self._rows_with)

    def _rows_with(self, term_id: int) -> Rows:
        return np.union1d(*(self._postings(field, term_id) for field in (self.title, self.rest))).astype(np.int64)

    @staticmethod
    def _postings(field: Any, term_id: int) -> Any:
        start, stop = field.scores["indptr"][term_id : term_id + 2]
        return field.scores["indices"][start:stop]

    def coverage(self, text: str) -> Floats:
        """Return (rows,) float32: the share, by rarity (idf), of the query's terms that each row holds.

        A term the catalog does not know weighs as much as the rarest one and is held by no row, so that a row
        never covers a query whose main word it lacks. All zero when the query has no terms.
        """
        held = np.zeros(self.rows, np.float32)
        total = 0.0
        for term in self.query_terms(text):
            rows = self.rows_of(term)
            held[rows] += self._idf(len(rows))
            total += self._idf(len(rows))
        return held / np.float32(total) if total else held

    def title_coverage(self, terms: Sequence[str], rows: Rows) -> tuple[Floats, Mask]:
        """Return what these rows' titles hold of a query.

        Args:
            terms: the t distinct terms of the query, in order.
            rows: (m,) int64.

        Returns:
            (m,) share of the terms, by rarity, that each title holds; (t, m) which term it holds.
        """
        holds = np.zeros((len(terms), len(rows)), bool)
        weights = np.array([self._idf(len(self.rows_of(term))) for term in terms], np.float32)
        for place, term in enumerate(terms):
            if term in self.vocabulary:
                holds[place] = np.isin(rows, self._postings(self.title, self.vocabulary[term]))
        return weights @ holds / max(float(weights.sum()), 1e-9), holds

    def best_title_coverage(self, terms: Sequence[str]) -> float:
        """Return the largest share of the terms, by rarity, that one title holds; 1 for no terms."""
        weights = {term: self._idf(len(self.rows_of(term))) for term in terms}
        held = np.zeros(self.rows, np.float32)
        for term, weight in weights.items():
            held[self.title_rows(term)] += weight
        return float(held.max(initial=0.0)) / total if (total := sum(weights.values())) > 0 else 1.0

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
            rows = self.rows_of(term)
            rarity = self._idf(len(rows))
            if term in own:
                forward[rows] += rarity
                total += rarity
            if term in self.vocabulary:
                backward[self._postings(self.title, self.vocabulary[term])] += rarity
        forward /= np.float32(2 * total or 1.0)
        backward /= np.maximum(2 * self.title_weights, np.float32(1e-6))
        return forward + backward

    def _title_weights(self) -> Floats:
        weights = np.zeros(self.rows, np.float32)
        for term, term_id in self.vocabulary.items():
            weights[self._postings(self.title, term_id)] += self._idf(len(self.rows_of(term)))
        return weights

    def identified(self, text: str) -> float:
        """Return the share, by rarity, of the query's terms that are part, model or article numbers of few products."""
        terms = self.query_terms(text)
        counts = [len(self.rows_of(term)) for term in terms]
        few = max(IDENTIFIED_LEAST, IDENTIFIED_SHARE * self.rows)
        weights = [self._idf(count) for count in counts]
        identifying = [is_identifier(term) and 0 < count <= few for term, count in zip(terms, counts, strict=True)]
        return sum(weight for weight, found in zip(weights, identifying, strict=True) if found) / (sum(weights) or 1.0)

    def rows_of(self, term: str) -> Rows:
        """Return the rows that hold a term in either field, ascending; none for an unknown term."""
        term_id = self.vocabulary.get(term)
        return self.rows_with(term_id) if term_id is not None else np.zeros(0, np.int64)

    def _idf(self, rows_with: int) -> float:
        return float(np.log1p((self.rows - rows_with + 0.5) / (rows_with + 0.5)))


def _bm25(documents: Counted, vocabulary: dict[str, int], settings: LexicalSettings) -> Any:
    # A catalog of stop words only still gets one (unused) term.
    parts = documents.columns(max(len(vocabulary), 1), settings.k1, settings.b)
    return _field(dict(zip(("data", "indices", "indptr"), parts, strict=True)), len(documents.offsets) - 1, settings)


def _loaded_field(folder: Path, name: str, rows: int, terms: int, settings: LexicalSettings) -> Any:
    # As plain arrays over the mapped memory: every slice of a memmap is a Python object of its own, and slow.
    parts = {
        part: np.asarray(np.load(folder / f"{name}.{part}.npy", mmap_mode="r"))
        for part in ("data", "indices", "indptr")
    }
    if len(parts["indptr"]) != max(terms, 1) + 1 or len(parts["data"]) != len(parts["indices"]):
        raise ValueError(f"{name} does not fit the vocabulary")
    return _field(parts, rows, settings)


def _field(parts: dict[str, Any], rows: int, settings: LexicalSettings) -> Any:
    import bm25s

    field = bm25s.BM25(k1=settings.k1, b=settings.b, method="lucene")
    field.scores = {**parts, "num_docs": rows}
    field.nonoccurrence_array = None  # only BM25L, BM25+ and TF-IDF have one
    return field


def _dump(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")
