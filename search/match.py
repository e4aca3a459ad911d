"""Why a product is close to a query in meaning: the words of either without which it would be less close.

The vector of a text is the mean of its tokens' vectors, normalised. So what it would be without a word is known from
the one pass that encoded it: the mean of the other tokens, which keep the meaning they have in this text. How far the
cosine then falls ranks the product's words; DESIGN.md, "Explaining a match", compares it with other ways. The few that
weigh most are checked by encoding the text again without them (leave-one-out; Li, Monroe & Jurafsky 2016, arXiv
1612.08220), since the other tokens would have read differently too. A query is short: all its words are left out so.

A word is all its occurrences in all its forms, by the catalog's own stemmer: as long as "mugs" is there, nothing is
lost without "mug".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from search.analysis import Analyzer, folded
from search.arrays import Floats, Rows, unit_rows
from search.passages import DESCRIPTION_WORDS, Part, Texts, blended, passage_parts, text_of, without_sentences
from search.product import Product, lexical_fields
from search.query_encoder import QueryEncoder
from search.release import Release
from search.remembered import remembering
from search.tokens import Tokens

CHECKED = 3  # words of the product that are checked by encoding its text without them
LONG_QUERY = 16  # words from which a query is weighed like a product: leaving each out would take too long
CACHED_MATCHES = 256
_LETTER = r"(?:[^\W_]|[\u0300-\u036f])"  # combining marks belong to the letter before them
_WORD = re.compile(rf"{_LETTER}+(?:[-‐‑'’]{_LETTER}+|[.,]\d+)*")
_POSSESSIVE = re.compile(r"['’]s?$")


@dataclass(frozen=True)
class MatchedWord:
    """A word where it stands, and what it does for the closeness.

    Attributes:
        text: as written; start, end: its characters within the query or the passage.
        term: what it has in common with its other forms and occurrences, which share its weight.
        weight: its share of what pulls query and product together: how far the closeness falls without it, as a share
            of all such falls in the text; those above 0 add up to 1 over the terms. Negative: it pulls them apart.
    """

    text: str
    start: int
    end: int
    term: str
    weight: float


@dataclass(frozen=True)
class Without:
    """How close the product would be without a word, its text encoded again; `forms` are how it is written there."""

    forms: tuple[str, ...]
    closeness: float


@dataclass(frozen=True)
class Match:
    """How a product and a query are close.

    Attributes:
        search_text: what is compared: the query as it was read.
        shared: words of the query that the product's text holds as well, in some form.
        degraded: why nothing can be said by meaning: "encoder_loading" or "encoder_unavailable" as in a search,
            "no_token_vectors" for an encoder that does not pool by the mean; None when all is there.
        closeness: cosine of the two vectors; None when it is not known.
        query_words: the words of `search_text`.
        passage: the product's text, as far as the encoder reads it.
        is_cut: whether the product's text goes on after it.
        parts: where in it each field's values stand.
        words: the words of `passage`.
        without: the heaviest words of the passage, checked; the one that matters most first.
    """

    search_text: str
    shared: list[str]
    degraded: str | None = None
    closeness: float | None = None
    query_words: list[MatchedWord] = field(default_factory=list)
    passage: str = ""
    is_cut: bool = False
    parts: list[Part] = field(default_factory=list)
    words: list[MatchedWord] = field(default_factory=list)
    without: list[Without] = field(default_factory=list)

    def words_of(self, part: Part) -> list[MatchedWord]:
        """Return the words that stand in a part."""
        return [word for word in self.words if part.start <= word.start < part.end]

    def as_json(self) -> dict[str, Any]:
        """Return the API's answer about the match."""
        fields: dict[str, list[dict[str, Any]]] = {}
        for part in self.parts:
            fields.setdefault(part.field, []).extend(map(_word_json, self.words_of(part)))
        return {
            "search_text": self.search_text, "degraded": self.degraded, "closeness": _rounded(self.closeness),
            "query_words": list(map(_word_json, self.query_words)), "passage": self.passage, "truncated": self.is_cut,
            "fields": fields,
            "without": [
                {"word": one.forms[0], "forms": list(one.forms), "closeness": _rounded(one.closeness)}
                for one in self.without
            ],
            "shared": self.shared,
        }  # fmt: skip


def _word_json(word: MatchedWord) -> dict[str, Any]:
    return {"word": word.text, "start": word.start, "end": word.end, "weight": _rounded(word.weight)}


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


@dataclass(frozen=True)
class Word:
    """A word of a text: its characters from `start` to before `end`, and the term of all its forms."""

    start: int
    end: int
    term: str


def words_in(text: str, analyzer: Analyzer) -> list[Word]:
    """Return the words of a text in order, compounds with hyphens and decimals whole, stop words included."""
    return [
        Word(*found.span(), analyzer.term_of(_POSSESSIVE.sub("", folded(found[0])))) for found in _WORD.finditer(text)
    ]


@dataclass(frozen=True)
class TermSums:
    """A text as the sum of its tokens and what each of its terms holds of that.

    Attributes:
        words: that have a token; is_cut: whether others have none, because the encoder stopped before them.
        total: (d,) float32, the sum of all tokens.
        terms: the distinct terms of the words; sums: (m, d) float32, the sum of the tokens of each.
    """

    words: list[Word]
    is_cut: bool
    total: Floats
    terms: list[str]
    sums: Floats

    @classmethod
    def of(cls, text: str, tokens: Tokens, analyzer: Analyzer) -> TermSums:
        """Add up the tokens of each term; those of no word (punctuation, special ones) count in the total alone."""
        words = words_in(text, analyzer)
        word_of = words_of_tokens(words, tokens.places)
        terms = list(dict.fromkeys(words[place].term for place in word_of if place >= 0))
        number = {term: place for place, term in enumerate(terms)}
        sums = np.zeros((len(terms), tokens.vectors.shape[1]), np.float32)
        for place, vector in zip(word_of, tokens.vectors, strict=True):
            if place >= 0:
                sums[number[words[place].term]] += vector
        read = [words[place] for place in np.unique(word_of[word_of >= 0])]
        return cls(read, len(read) < len(words), tokens.vectors.sum(axis=0), terms, sums)

    def without(self, terms: Sequence[str]) -> Floats:
        """Return (len(terms), d) float32 unit rows: where the text would point without each term."""
        number = {term: place for place, term in enumerate(self.terms)}
        rest = np.repeat(self.total[None, :], len(terms), axis=0)
        for row, term in enumerate(terms):
            if term in number:
                rest[row] -= self.sums[number[term]]
        return unit_rows(rest)


def words_of_tokens(words: Sequence[Word], places: Rows) -> Rows:
    """Return (t,) int64: the word in which each token ends, -1 for tokens of none.

    Args:
        words: in order.
        places: (t, 2) int64 characters of each token; it may begin with the blank before its word.
    """
    if not words:
        return np.full(len(places), -1, np.int64)
    starts, ends = np.array([(word.start, word.end) for word in words]).T
    last = places[:, 1] - 1
    found = np.searchsorted(starts, last, side="right") - 1
    return np.where((found >= 0) & (last < ends[found]) & (last >= 0), found, -1).astype(np.int64)


class Matcher:
    """Explains matches in one release; the latest are remembered. Safe to share between threads.

    Args:
        release: an open release.
        encoder: the one that built it.
    """

    def __init__(self, release: Release, encoder: QueryEncoder):
        self.release, self.encoder = release, encoder
        self.analyzer = release.lexical.analyzer
        self._boilerplate = frozenset(release.manifest["passages"]["boilerplate"])
        self._remembered = remembering(self._explained, CACHED_MATCHES)

    def match(self, row: int, text: str) -> Match:
        """Return how the product of a row and a query text are close; waits for the encoder.

        Raises:
            EncoderError: it cannot be loaded.
        """
        return self._remembered(row, text)

    def by_words(self, row: int, text: str, degraded: str | None = None) -> Match:
        """Return what can be said without the encoder: the words that both hold."""
        held = set(self.analyzer.terms_of(" ".join(lexical_fields(self._product(row)))))
        shared = [word for word, term in self.analyzer.words_and_terms(text) if term in held]
        return Match(text, list(dict.fromkeys(shared)), degraded)

    def _product(self, row: int) -> Product:
        return without_sentences(self.release.products.products([row])[0], self._boilerplate)

    def texts(self, row: int) -> Texts:
        """Return what was embedded of a row's product."""
        return text_of(self._product(row), self.release.manifest["passages"]["categories_are_kinds"])

    def _explained(self, row: int, text: str) -> Match:
        plain, own = self.by_words(row, text), self._product(row)
        if not self.encoder.pools_by_mean:
            closeness = float(self.release.dense.scores_of(self.encoder.vectors([text])[0], np.array([row]))[0])
            return Match(text, plain.shared, "no_token_vectors", closeness)
        texts = self.texts(row)
        asked, passage, kind = map(self._sums, (text, texts.passage, texts.kind))
        query = unit_rows(asked.total[None, :])[0]
        product = blended(unit_rows(kind.total[None, :]), unit_rows(passage.total[None, :]), [texts])[0]
        closeness = float(product @ query)
        terms = passage.terms
        left = blended(kind.without(terms), passage.without(terms), [texts] * len(terms)) @ query
        words = _weighted(texts.passage, passage.words, dict(zip(terms, closeness - left, strict=True)))
        is_long = len(asked.terms) >= LONG_QUERY
        queries = asked.without(asked.terms) if is_long else self._encoded_without(text, asked.terms)
        asked_falls = dict(zip(asked.terms, closeness - queries @ product, strict=True))
        read = passage.words[-1].end if passage.words else 0
        parts = [part._replace(end=min(part.end, read)) for part in passage_parts(own)]
        return Match(
            search_text=text,
            shared=plain.shared,
            closeness=closeness,
            query_words=_weighted(text, asked.words, asked_falls),
            passage=texts.passage[:read],
            is_cut=passage.is_cut or len(own.description.split()) > DESCRIPTION_WORDS,
            parts=[part for part in parts if part.start < part.end],
            words=words,
            without=self._checked(texts, query, words),
        )

    def _sums(self, text: str) -> TermSums:
        return TermSums.of(text, self.encoder.tokens(text), self.analyzer)

    def _encoded_without(self, text: str, terms: Sequence[str]) -> Floats:
        """Return (len(terms), d) float32 unit rows: the text encoded again without each term."""
        left = [without_term(text, term, self.analyzer) for term in terms]
        texts = list(dict.fromkeys(left))
        if not texts:
            return np.zeros((0, self.release.dense.dim), np.float32)
        vectors = self.encoder.passages(texts)
        return vectors[[texts.index(one) for one in left]]

    def _checked(self, texts: Texts, query: Floats, words: Sequence[MatchedWord]) -> list[Without]:
        """Return the heaviest words, but for stop words, with the closeness of the texts encoded without them."""
        telling = [one for one in words if one.weight > 0 and folded(one.text) not in self.analyzer.stop_words]
        weight_of = {one.term: one.weight for one in telling}
        heaviest = sorted(weight_of, key=lambda term: -weight_of[term])[:CHECKED]
        left = self.closeness_without(texts, heaviest, query)
        found = [
            Without(tuple(dict.fromkeys(one.text.lower() for one in telling if one.term == term)), closeness)
            for term, closeness in zip(heaviest, left.tolist(), strict=True)
        ]
        return sorted(found, key=lambda one: one.closeness)

    def closeness_without(self, texts: Texts, terms: Sequence[str], query: Floats) -> Floats:
        """Return (len(terms),) float32: the cosine of a query's vector and a product encoded again without each."""
        if not terms:
            return np.zeros(0, np.float32)
        kinds = self._encoded_without(texts.kind, terms)
        # One at a time, which costs no more: a search that comes meanwhile waits for one passage, not for all.
        passages = np.concatenate([self._encoded_without(texts.passage, [term]) for term in terms])
        return np.asarray(blended(kinds, passages, [texts] * len(terms)) @ query, np.float32)


def without_term(text: str, term: str, analyzer: Analyzer) -> str:
    """Return a text without any word of a term."""
    for word in reversed(words_in(text, analyzer)):
        if word.term == term:
            text = text[: word.start] + text[word.end :]
    return text


def _weighted(text: str, words: Sequence[Word], fall_of: dict[str, float]) -> list[MatchedWord]:
    """Return the words with their terms' shares of all falls."""
    fallen = sum(fall for fall in fall_of.values() if fall > 0) or 1.0
    return [
        MatchedWord(text[one.start : one.end], one.start, one.end, one.term, float(fall_of[one.term] / fallen))
        for one in words
    ]
