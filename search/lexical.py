"""The lexical leg: fielded BM25 over titles and everything else, one score for every row.

The arithmetic is bm25s (Lù 2024, arXiv 2407.03618), Lucene's variant of BM25 (Robertson & Zaragoza 2009).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from search.arrays import Floats, Rows
from search.errors import ReleaseDamaged

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s?$|['’]")
# ISO 639-1 code -> (Snowball stemmer, bm25s stop-word list); other languages are matched word for word.
_LANGUAGES = {
    "en": ("english", "EN"), "de": ("german", "GERMAN"), "fr": ("french", "FRENCH"), "es": ("spanish", "SPANISH"),
    "pt": ("portuguese", "PORTUGUESE"), "it": ("italian", "ITALIAN"), "nl": ("dutch", "DUTCH"),
    "sv": ("swedish", "SWEDISH"), "no": ("norwegian", "NORWEGIAN"), "da": ("danish", "DANISH"),
    "ru": ("russian", "RUSSIAN"), "tr": ("turkish", "TURKISH"), "fi": ("finnish", ""), "hu": ("hungarian", ""),
    "ro": ("romanian", ""), "cs": ("czech", ""), "pl": ("polish", ""),
}  # fmt: skip


@dataclass(frozen=True)
class LexicalSettings:
    """What the BM25 leg was built with; saved beside it and read back with it."""

    k1: float = 0.9  # DESIGN.md, "BM25"
    b: float = 0.6
    rest_weight: float = 0.25  # weight of brand, category, attributes and description against the title's 1
    language: str = "en"  # ISO 639-1, decides stemmer and stop words


def words_of(text: str) -> list[str]:
    """Return the words of a text: case-folded, accents off, possessive 's off, in order."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return [_POSSESSIVE.sub("", word) for word in _WORD.findall(plain)]


class Analyzer:
    """Text -> terms, the same way for passages and queries of one language."""

    def __init__(self, language: str = "en"):
        import Stemmer
        from bm25s import stopwords

        self.language = language
        stemmer, stop_list = _LANGUAGES.get(language, ("", ""))
        self._stemmer = Stemmer.Stemmer(stemmer) if stemmer else None
        self.stop_words = frozenset(getattr(stopwords, f"STOPWORDS_{stop_list}", ()))
        self._term = lru_cache(maxsize=100_000)(self._stem)

    def _stem(self, word: str) -> str:
        return self._stemmer.stemWord(word) if self._stemmer else word

    def term_of(self, word: str) -> str:
        """Return the term a word is indexed under (its stem)."""
        return self._term(word)

    def terms_of(self, text: str) -> list[str]:
        """Return the terms of a text, stop words left out, repeats kept, in order."""
        return [self._term(word) for word in words_of(text) if word and word not in self.stop_words]


@dataclass(frozen=True)
class LexicalIndex:
    """BM25 over two fields that share one vocabulary.

    Attributes:
        settings: weights and language.
        vocabulary: term -> term id, sorted by term.
        title, rest: bm25s indexes whose documents are the rows.
        rows: how many products.
    """

    settings: LexicalSettings
    vocabulary: dict[str, int]
    title: Any
    rest: Any
    rows: int
    analyzer: Analyzer

    @classmethod
    def build(cls, fields: Iterable[tuple[str, str]], settings: LexicalSettings) -> LexicalIndex:
        """Index (title, rest) texts, one pair per row, in row order."""
        analyzer = Analyzer(settings.language)
        documents = [(analyzer.terms_of(title), analyzer.terms_of(rest)) for title, rest in fields]
        terms = sorted({term for document in documents for field in document for term in field})
        vocabulary = {term: number for number, term in enumerate(terms)}
        title, rest = (
            _bm25([[vocabulary[term] for term in document[field]] for document in documents], vocabulary, settings)
            for field in (0, 1)
        )
        return cls(settings, vocabulary, title, rest, len(documents), analyzer)

    def save(self, folder: Path) -> None:
        """Write the index as .npy arrays and JSON."""
        folder.mkdir(parents=True)
        _dump(folder / "settings.json", {**vars(self.settings), "rows": self.rows})
        _dump(folder / "vocabulary.json", list(self.vocabulary))
        for name, field in (("title", self.title), ("rest", self.rest)):
            for part in ("data", "indices", "indptr"):
                np.save(folder / f"{name}.{part}.npy", field.scores[part], allow_pickle=False)

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
            title, rest = (_loaded_field(folder, name, rows, len(vocabulary), settings) for name in ("title", "rest"))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ReleaseDamaged(f"the lexical index in {folder} cannot be read ({error}); build again") from error
        return cls(settings, vocabulary, title, rest, rows, Analyzer(settings.language))

    def term_ids(self, text: str) -> list[int]:
        """Return the ids of a query's distinct known terms, in order of appearance."""
        known = (self.vocabulary.get(term) for term in dict.fromkeys(self.analyzer.terms_of(text)))
        return [term for term in known if term is not None]

    def scores(self, term_ids: Sequence[int]) -> Floats:
        """Return (rows,) float32 scores, 0 where nothing matches: title + rest_weight x rest."""
        if not term_ids:
            return np.zeros(self.rows, np.float32)
        ids = list(term_ids)
        title = self.title.get_scores_from_ids(ids)
        return (title + self.settings.rest_weight * self.rest.get_scores_from_ids(ids)).astype(np.float32)

    def rows_with(self, term_id: int) -> Rows:
        """Return the rows that hold a term in either field, ascending."""
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
        terms = dict.fromkeys(self.analyzer.terms_of(text))
        held = np.zeros(self.rows, np.float32)
        total = 0.0
        for term in terms:
            term_id = self.vocabulary.get(term)
            rows = self.rows_with(term_id) if term_id is not None else np.zeros(0, np.int64)
            idf = float(np.log1p((self.rows - len(rows) + 0.5) / (len(rows) + 0.5)))
            held[rows] += idf
            total += idf
        return held / np.float32(total) if total else held


def _bm25(documents: list[list[int]], vocabulary: dict[str, int], settings: LexicalSettings) -> Any:
    import bm25s

    # bm25s cannot index an empty vocabulary; a catalog of stop words only still gets one (unused) term.
    field = bm25s.BM25(k1=settings.k1, b=settings.b, method="lucene", csc_backend="scipy")
    with np.errstate(invalid="ignore"):  # a field that is empty throughout has mean length 0
        field.index((documents, vocabulary or {"": 0}), create_empty_token=False, show_progress=False)
    return field


def _loaded_field(folder: Path, name: str, rows: int, terms: int, settings: LexicalSettings) -> Any:
    import bm25s

    parts = {part: np.load(folder / f"{name}.{part}.npy", mmap_mode="r") for part in ("data", "indices", "indptr")}
    if len(parts["indptr"]) != max(terms, 1) + 1 or len(parts["data"]) != len(parts["indices"]):
        raise ValueError(f"{name} does not fit the vocabulary")
    field = bm25s.BM25(k1=settings.k1, b=settings.b, method="lucene")
    field.scores = {**parts, "num_docs": rows}
    field.nonoccurrence_array = None  # only BM25L, BM25+ and TF-IDF have one
    return field


def _dump(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")
