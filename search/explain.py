"""Why a product is shown: highlighted words, and short reasons a shopper can check."""

from __future__ import annotations

import html
import string
from collections.abc import Iterable
from typing import Any

from search.analysis import Analyzer, words_of
from search.arrays import Rows, looked_up
from search.product import Product
from search.release import Release
from search.retrieval import closeness, dense_scores, fused_scores
from search.scoring import ScoredQuery
from search.understanding import Understood

SNIPPET_WORDS = 26
_AROUND = "".join(c for c in string.punctuation if c not in "%+") + "“”‘’…–—"


def highlight(text: str, terms: set[str], analyzer: Analyzer) -> str:
    """Return the text as HTML: escaped, each word whose term was asked for inside <mark>."""
    if not terms:
        return html.escape(text)
    return " ".join(
        _marked(piece) if terms & analyzer.terms_of_word(piece) else html.escape(piece) for piece in text.split(" ")
    )


def _marked(piece: str) -> str:
    """Return the piece escaped, its core inside <mark>, the punctuation around it outside."""
    core = piece.strip(_AROUND)
    before, _, after = piece.partition(core)
    return f"{html.escape(before)}<mark>{html.escape(core)}</mark>{html.escape(after)}"


def snippet(text: str, terms: set[str], analyzer: Analyzer) -> str:
    """Return the stretch of the text that holds most of the terms, highlighted, with … where it was cut."""
    words = text.split()
    if len(words) <= SNIPPET_WORDS:
        return highlight(" ".join(words), terms, analyzer)
    if not terms:
        return html.escape(" ".join(words[:SNIPPET_WORDS])) + " …"
    hits = [bool(terms & analyzer.terms_of_word(word)) for word in words]
    starts = range(len(words) - SNIPPET_WORDS + 1)
    start = max(starts, key=lambda at: (sum(hits[at : at + SNIPPET_WORDS]), -at))
    body = highlight(" ".join(words[start : start + SNIPPET_WORDS]), terms, analyzer)
    ends = start + SNIPPET_WORDS >= len(words)
    return f"{'… ' if start else ''}{body}{'' if ends else ' …'}"


def reasons(product: Product, terms: set[str], analyzer: Analyzer) -> list[str]:
    """Return up to three reasons such as "color: red" or "title: dress"; "close in meaning" when no word is shared."""

    def shared(text: str) -> list[str]:
        return [word for word in words_of(text) if word not in analyzer.stop_words and analyzer.term_of(word) in terms]

    def phrase(label: str, words: Iterable[str]) -> list[str]:
        return [f"{label}: {' '.join(dict.fromkeys(words))}"]

    found: list[str] = []
    for label, values in product.attributes.items():
        for value in values:
            if len(value) <= 40 and shared(value):
                found.append(f"{label}: {value}")
    if product.brand and shared(product.brand):
        found.append(f"brand: {product.brand}")
    if in_title := shared(product.title):
        found += phrase("title", in_title)
    if not found and product.category and shared(product.category[-1]):
        found.append(f"category: {product.category[-1]}")
    if not found and (in_description := shared(product.description)):
        found += phrase("description", in_description)
    return found[:3] or ["close in meaning"]


def explanations(release: Release, rows: Rows, read: Understood, scored: ScoredQuery) -> list[dict[str, Any]]:
    """Return what each row's place is made of: both legs with whole-catalog ranks, boosts, constraints it keeps."""
    dense, fused = dense_scores(release, scored, rows), fused_scores(release, scored, rows)
    words, shares = scored.words.scores_of(rows), scored.words.shares_of(rows)
    boosts = looked_up(scored.boost.rows, scored.boost.gains, rows)
    close = closeness(release, scored, rows)
    all_dense = None if scored.vector is None else release.dense.scores(scored.vector)
    kept = {one.text: release.interpreter.kept_by(one) for one in read.constraints}
    explained = []
    for place, row in enumerate(rows):
        lexical = float(words[place])
        explained.append(
            {
                "dense_score": None if all_dense is None else round(float(dense[place]), 4),
                "dense_rank": None if all_dense is None else int((all_dense > all_dense[row]).sum()) + 1,
                "closest_sentence": None if all_dense is None else round(float(close[place]), 4),
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
