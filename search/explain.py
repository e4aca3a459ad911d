"""Why a product is shown: highlighted words, and short reasons a shopper can check."""

from __future__ import annotations

import html
import string
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from search.analysis import Analyzer
from search.arrays import Rows, looked_up
from search.product import Product
from search.release import Release
from search.retrieval import closeness, dense_scores, fused_scores
from search.scoring import ScoredQuery
from search.understanding import Understood
from search.wording import SHORT_VALUE

SNIPPET_WORDS = 26
MOST_REASONS = 3
_AROUND = "".join(c for c in string.punctuation if c not in "%+") + "“”‘’…–—"


class Marker:
    """Finds and marks the words of an answer's texts that were asked for.

    Texts of one answer share most of their words, so each different one is looked up once.

    Args:
        terms: that were asked for.
        analyzer: of the release.
    """

    def __init__(self, terms: set[str], analyzer: Analyzer):
        self.terms, self._analyzer = terms, analyzer
        self.stand_alone = all(map(analyzer.stands_alone, terms))
        self._known: set[str] = set()
        self._wanted: set[str] = set()  # of these, those of which a term was asked for

    def places(self, words: Sequence[str]) -> list[int]:
        """Return which of these words, as written, hold a term that was asked for, in order."""
        if not self.terms:
            return []
        new = set(words).difference(self._known)
        self._known |= new
        is_missed = map(self.terms.isdisjoint, map(self._analyzer.terms_of_word, new))
        self._wanted.update([word for word, one in zip(new, is_missed, strict=True) if not one])
        wanted = self._wanted
        return [] if wanted.isdisjoint(words) else [place for place, word in enumerate(words) if word in wanted]

    def terms_in(self, text: str) -> set[str]:
        """Return the terms of a text that were asked for."""
        if not self.stand_alone:
            return self.terms.intersection(self._analyzer.terms_of(text))
        words = text.split()
        found = [self._analyzer.terms_of_word(words[place]) for place in self.places(words)]
        return self.terms.intersection(set().union(*found))

    def words_in(self, text: str) -> list[str]:
        """Return the different words of a text that are those asked for, compounds and quantities not looked at."""
        if self.stand_alone and not self.places(text.split()):
            return []
        return list(dict.fromkeys(word for word, term in self._analyzer.plain_terms(text) if term in self.terms))

    def highlight(self, text: str) -> str:
        """Return the text as HTML: escaped, each word whose term was asked for inside <mark>."""
        words = text.split(" ")
        return _highlighted(text, words, self.places(words))

    def snippet(self, text: str) -> str:
        """Return the stretch of the text that holds most of the terms, highlighted, with … where it was cut."""
        words = text.split()
        places = self.places(words)
        start = _fullest(places, len(words))
        end = start + SNIPPET_WORDS
        shown = words[start:end]
        body = _highlighted(" ".join(shown), shown, [place - start for place in places if start <= place < end])
        return f"{'… ' if start else ''}{body}{'' if end >= len(words) else ' …'}"


def _highlighted(text: str, words: Sequence[str], places: Sequence[int]) -> str:
    """Return the text, whose words these are with single blanks between, as HTML, those at some places marked."""
    escaped = html.escape(text)
    if not places:
        return escaped
    pieces = escaped.split(" ")  # escaping neither makes blanks nor takes them away
    for place in places:
        pieces[place] = _marked(words[place])
    return " ".join(pieces)


def _marked(piece: str) -> str:
    """Return the piece escaped, its core inside <mark>, the punctuation around it outside."""
    core = piece.strip(_AROUND)
    before, _, after = piece.partition(core)
    return f"{html.escape(before)}<mark>{html.escape(core)}</mark>{html.escape(after)}"


def _fullest(places: Sequence[int], count: int) -> int:
    """Return where the first of the stretches of SNIPPET_WORDS of `count` words begins that holds the most places."""
    if count <= SNIPPET_WORDS or not places:
        return 0
    # The first stretch with as many places as any ends with the last of them, or stands at the beginning.
    starts = [max(0, place - SNIPPET_WORDS + 1) for place in places]
    return max(starts, key=lambda start: bisect_left(places, start + SNIPPET_WORDS) - bisect_left(places, start))


def reasons(product: Product, marker: Marker, analyzer: Analyzer) -> list[str]:
    """Return up to three reasons such as "color: red" or "title: dress"; "close in meaning" when no word is shared."""
    terms = marker.terms

    def is_shared(text: str) -> bool:
        return not terms.isdisjoint(analyzer.terms_of_value(text))

    def phrase(label: str, text: str) -> list[str]:
        shared = marker.words_in(text)
        return [f"{label}: {' '.join(shared)}"] if shared else []

    if not terms:
        return ["close in meaning"]
    found = [
        f"{label}: {value}"
        for label, values in product.attributes.items()
        for value in values
        if len(value) <= SHORT_VALUE and is_shared(value)
    ]
    if product.brand and is_shared(product.brand):
        found.append(f"brand: {product.brand}")
    if len(found) < MOST_REASONS:
        found += phrase("title", product.title)
    if not found and product.category and is_shared(product.category[-1]):
        found.append(f"category: {product.category[-1]}")
    return found[:MOST_REASONS] or phrase("description", product.description) or ["close in meaning"]


def explanations(release: Release, rows: Rows, read: Understood, scored: ScoredQuery) -> list[dict[str, Any]]:
    """Return what each row's place is made of: both legs with whole-catalog ranks, boosts, constraints it keeps."""
    dense, fused = dense_scores(release, scored, rows), fused_scores(release, scored, rows)
    words, shares = scored.words.scores_of(rows), scored.words.shares_of(rows)
    boosts = looked_up(scored.boost.rows, scored.boost.gains, rows)
    close = closeness(release, scored, rows)
    ranks = [None] * len(rows) if scored.vector is None else release.dense.ranks(scored.vector, rows)
    kept = {one.text: release.interpreter.kept_by(one) for one in read.constraints}
    explained = []
    for place, row in enumerate(rows):
        lexical = float(words[place])
        explained.append(
            {
                "dense_score": None if scored.vector is None else round(float(dense[place]), 4),
                "dense_rank": ranks[place],
                "closest_sentence": None if scored.vector is None else round(float(close[place]), 4),
                "lexical_score": round(lexical, 4),
                "lexical_rank": int((scored.words.scores > words[place]).sum()) + 1 if lexical > 0 else None,
                "coverage": round(float(shares[place]), 4),
                "dense_share": round(scored.dense_share, 4),
                "boost": round(float(boosts[place]), 4),
                "constraints": [text for text, mask in kept.items() if mask[row]],
                "fused": round(float(fused[place]), 4),
            }
        )
    return explained
