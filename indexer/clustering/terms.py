"""The words and two-word phrases of product titles: who holds them, how specific they are, how people write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.analysis import Analyzer, words_of
from search.arrays import Floats
from search.product import Product

Term = tuple[str, ...]  # one or two stems
Rows = NDArray[np.int64]

_TOKEN = re.compile(r"[^\W_]+(?:['’‑-][^\W_]+)*")
_SHORT_CODE = re.compile(r"[^\W\d_]{2,}\d{1,2}")  # MP3, DDR4: words with a digit that people say
_INSIDE_SENTENCE = re.compile(r"(?<=[^\W\d_][ ,] )[^\W\d_]{3,}|(?<=[^\W\d_] )[^\W\d_]{3,}")
_COHERENCE_ROWS = 100  # rows from which a term's coherence is judged
_SPELLING_ROWS = 40
PROSE_TEXTS = 5_000  # descriptions read to learn which words keep their capital
PROSE_CHARACTERS = 400
CANDIDATES = 60  # strongest terms of a cluster that are looked at
LONGEST_ACRONYM = 4  # longer words in capitals are shouting
# Colours say nothing about what a thing is. Stems would merge too much: exact words, by ISO 639-1.
_COLOURS = {
    "en": "black white red green blue yellow grey gray brown pink purple orange silver gold beige cyan magenta navy",
    "de": "schwarz weiß weiss rot grün blau gelb grau braun rosa lila orange silber gold beige",
    "fr": "noir noire blanc blanche rouge vert verte bleu bleue jaune gris grise marron rose violet orange beige",
    "es": "negro negra blanco blanca rojo roja verde azul amarillo amarilla gris marrón rosa morado naranja beige",
    "it": "nero nera bianco bianca rosso rossa verde blu giallo gialla grigio marrone rosa viola arancione beige",
    "pt": "preto preta branco branca vermelho vermelha verde azul amarelo amarela cinza marrom rosa roxo laranja",
    "nl": "zwart zwarte wit witte rood rode groen groene blauw blauwe geel gele grijs bruin roze paars oranje",
}
_CAPITAL_NOUNS = {"de"}
_HEAD_FIRST = {"fr", "es", "it", "pt", "ro", "ca"}  # "tasse rouge"; elsewhere the modifier comes first: "red cup"


@dataclass(frozen=True)
class _Word:
    """One kind of token as it stands in titles."""

    folded: str
    stem: str
    is_number: bool


class TitleTerms:
    """Every word and pair of neighbouring words of the titles, reduced to stems.

    Left out: stop words, numbers and codes, units (words that mostly follow a number), single letters. A pair
    never spans one of these, nor punctuation.

    Attributes:
        terms: by term id.
        frequency: (t,) how many titles hold the term.
        is_brand: (t,) whether one of its words is mostly seen on products of the brand of that name.
        is_colour: (t,) whether it names a colour and nothing else.
    """

    def __init__(self, products: Sequence[Product], language: str):
        self._analyzer = Analyzer(language)
        self._words: dict[str, _Word] = {}
        self._titles = [product.title for product in products]
        self._colours = set(words_of(_COLOURS.get(language, "")))
        self._head_first = language in _HEAD_FIRST
        self._keeps_capitals = language in _CAPITAL_NOUNS
        self._ignored, brands = self._survey([product.brand for product in products])
        self._proper = brands | _proper_nouns(product.description for product in products[:PROSE_TEXTS])
        ids: dict[Term, int] = {}
        rows_terms = [
            sorted({ids.setdefault(term, len(ids)) for term, _ in self._phrases(title)}) for title in self._titles
        ]
        self.terms = list(ids)
        self._ids = ids
        self._starts = np.concatenate([[0], np.cumsum([len(found) for found in rows_terms])]).astype(np.int64)
        self._flat = np.array([term for found in rows_terms for term in found], np.int64)
        self.frequency = np.bincount(self._flat, minlength=len(ids))
        brand_stems = {self._analyzer.term_of(word) for word in brands}
        self.is_brand = np.array([not brand_stems.isdisjoint(term) for term in self.terms], bool)
        self.is_colour = np.array([self._names_a_colour(term) for term in self.terms], bool)
        by_term = np.argsort(self._flat, kind="stable")
        self._rows_by_term = np.repeat(np.arange(len(rows_terms)), np.diff(self._starts))[by_term]
        self._term_starts = np.concatenate([[0], np.cumsum(self.frequency)])

    def in_row(self, row: int) -> NDArray[np.int64]:
        """Return the term ids of one title, ascending."""
        return self._flat[self._starts[row] : self._starts[row + 1]]

    def rows_with(self, term: int) -> Rows:
        """Return the rows whose title holds the term, ascending."""
        return self._rows_by_term[self._term_starts[term] : self._term_starts[term + 1]]

    def counts_in(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (term ids ascending, how many of the rows' titles hold each)."""
        return np.unique(np.concatenate([self.in_row(int(row)) for row in rows]), return_counts=True)

    def held_by(self, rows: Rows, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (rows, ids) bool: which of the titles holds which of the terms."""
        found = [self.in_row(int(row)) for row in rows]
        flat = np.concatenate(found)
        places = np.repeat(np.arange(len(rows)), [len(terms) for terms in found])
        order = np.argsort(ids)
        slots = np.searchsorted(ids, flat, sorter=order)
        known = slots < len(ids)
        known[known] = ids[order[slots[known]]] == flat[known]
        held = np.zeros((len(rows), len(ids)), bool)
        held[places[known], order[slots[known]]] = True
        return held

    def stem(self, word: str) -> str:
        """Return the stem of a case-folded word."""
        return self._analyzer.term_of(word)

    def coherence(self, term: int, embeddings: Floats) -> float:
        """Return the mean cosine between two titles that hold the term: high for "sofa", low for "chic"."""
        return coherence(embeddings, self.rows_with(term)[:_COHERENCE_ROWS])

    def written(self, term: int, rows: Rows) -> str:
        """Return the term as the rows' titles write it most often; "" when none holds it.

        Words are written small but for brands, proper nouns, German nouns, and spellings such as USB or iPod.
        """
        stems = self.terms[term]
        holders = rows[np.isin(rows, self.rows_with(term))][:_SPELLING_ROWS]
        seen = Counter(raw for row in holders for found, raw in self._phrases(self._titles[row]) if found == stems)
        if not seen:
            return ""
        spellings: Counter[str] = Counter()
        for raw, count in seen.items():
            spellings[raw.casefold()] += count
        spelling = min(spellings, key=lambda text: (-spellings[text], text))
        raw = min((text for text in seen if text.casefold() == spelling), key=lambda text: (-seen[text], text))
        return " ".join(self._cased(word) for word in raw.split(" "))

    def _word(self, raw: str) -> _Word:
        word = self._words.get(raw)
        if word is None:
            folded = "-".join(words_of(raw))
            is_number = any(letter.isdigit() for letter in raw) and not _SHORT_CODE.fullmatch(raw)
            word = self._words[raw] = _Word(folded, self._analyzer.term_of(folded), is_number)
        return word

    def _tokens(self, title: str) -> Iterator[tuple[_Word, str, bool]]:
        """Yield (word, as written, whether only blanks stand between it and the token before)."""
        end = 0
        for match in _TOKEN.finditer(title):
            yield self._word(match[0]), match[0], end > 0 and title[end : match.start()].isspace()
            end = match.end()

    def _survey(self, brands: Sequence[str]) -> tuple[set[str], set[str]]:
        """Return (units, brand words), told by where words stand; note whether the catalog shouts."""
        seen, after_number, branded = Counter[str](), Counter[str](), Counter[str]()
        uppers, words = 0, 0
        for title, brand in zip(self._titles, brands, strict=True):
            own, follows_number = set(words_of(brand)), False
            for word, raw, joined in self._tokens(title):
                if not word.is_number:
                    seen[word.folded] += 1
                    after_number[word.folded] += follows_number
                    branded[word.folded] += word.folded in own
                    if joined and len(raw) > 3:
                        words, uppers = words + 1, uppers + raw.isupper()
                follows_number = word.is_number
        self._is_upper_case = uppers > 0.5 * words
        units = {word for word, count in after_number.items() if count > 0.5 * seen[word]}
        return units, {word for word, count in branded.items() if count > 0.5 * seen[word]}

    def _phrases(self, title: str) -> Iterator[tuple[Term, str]]:
        """Yield (term, as written) for every word and pair of neighbours that can be part of a label."""
        before: tuple[str, str] | None = None
        for word, raw, joined in self._tokens(title):
            if word.is_number or not self._is_telling(word.folded):
                before = None
                continue
            yield (word.stem,), raw
            if before and joined and before[0] != word.stem:
                yield (before[0], word.stem), f"{before[1]} {raw}"
            before = (word.stem, raw)

    def _is_telling(self, folded: str) -> bool:
        return len(folded) > 1 and folded not in self._ignored and folded not in self._analyzer.stop_words

    def _names_a_colour(self, term: Term) -> bool:
        """Return whether the head of the term is a colour: "black", "original black", but not "black tea"."""
        return (term[0] if self._head_first else term[-1]) in {self._analyzer.term_of(word) for word in self._colours}

    def _cased(self, raw: str) -> str:
        """Return a word as it stands inside a sentence."""
        if self._is_upper_case:
            return raw.lower()
        if raw[1:] != raw[1:].lower() and not (raw.isupper() and raw.isalpha() and len(raw) > LONGEST_ACRONYM):
            return raw.lower() if "-" in raw and raw.istitle() else raw
        kept = self._keeps_capitals or self._word(raw).folded in self._proper
        return raw if kept else raw.lower()


def _proper_nouns(texts: Iterable[str]) -> set[str]:
    """Return the words, case-folded, that running text writes with a capital inside sentences: "Christmas".

    Texts in which most words have a capital are lists or headlines and tell nothing.
    """
    small, capital = Counter[str](), Counter[str]()
    for text in texts:
        inner = _INSIDE_SENTENCE.findall(text[:PROSE_CHARACTERS])
        capitals = [word for word in inner if word[0].isupper()]
        if len(capitals) < 0.3 * len(inner):
            capital.update(word.casefold() for word in capitals)
            small.update(word for word in inner if word[0].islower())
    return {word for word, count in capital.items() if count >= 3 and count > 9 * small[word]}


@dataclass(frozen=True)
class ClusterTerms:
    """A cluster's strongest title terms, strongest first.

    Attributes:
        ids: (c,) term ids.
        weights: (c,) see `strongest_terms`.
        held: (rows, c) bool: which title holds which term.
    """

    ids: NDArray[np.int64]
    weights: NDArray[np.float64]
    held: NDArray[np.bool_]


def strongest_terms(titles: TitleTerms, embeddings: Floats, members: Sequence[Rows]) -> list[ClusterTerms]:
    """Return each cluster's terms by class-based TF-IDF, tf * log(1 + A / f).

    tf is the share of the cluster's titles that hold the term, f the term's count over all clusters, A the mean
    count of terms per cluster (Grootendorst 2022, "BERTopic", arXiv 2203.05794). The weight is then scaled by how
    alike all titles with the term are, so that "sofa" beats "chic".
    """
    counts = [titles.counts_in(rows) for rows in members]
    average = sum(int(held.sum()) for _, held in counts) / max(len(members), 1)
    rarity = np.log1p(average / np.maximum(titles.frequency, 1))
    scattered = coherence(embeddings, np.arange(len(embeddings)))
    found = []
    for rows, (ids, held) in zip(members, counts, strict=True):
        known = (held >= min(2, len(rows))) & ~titles.is_colour[ids]
        ids, weights = ids[known], (held / len(rows) * rarity[ids])[known]
        strongest = np.lexsort((ids, -weights))[:CANDIDATES]
        ids, weights = ids[strongest], weights[strongest]
        span = max(coherence(embeddings, rows) - scattered, 1e-6)
        alike = np.array([titles.coherence(int(term), embeddings) for term in ids])
        weights = weights * np.clip((alike - scattered) / span, 0.1, 1.0)
        order = np.lexsort((ids, -weights))
        ids = ids[order]
        found.append(ClusterTerms(ids, weights[order], titles.held_by(rows, ids)))
    return found


def coherence(embeddings: Floats, rows: Rows) -> float:
    """Return the mean cosine between two different rows; 1.0 for a single row."""
    count = len(rows)
    if count < 2:
        return 1.0
    vectors = embeddings[rows]
    total = vectors.sum(axis=0, dtype=np.float64)
    return (float(total @ total) - float(np.vdot(vectors, vectors))) / (count * (count - 1))
