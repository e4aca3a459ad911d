"""Why a product is shown: short reasons a shopper can check, and what its place is made of."""

from __future__ import annotations

from typing import Any

from search.analysis import Analyzer
from search.arrays import Rows, looked_up
from search.marking import Marker
from search.product import Product
from search.release import Release
from search.retrieval import closeness, dense_scores, fused_scores
from search.scoring import ScoredQuery, matches_of, word_scores
from search.shown import BRAND, LEAF, Places
from search.understanding import Understood
from search.wording import held_values

MOST_REASONS = 3


def reasons(product: Product, places: Places, marker: Marker, analyzer: Analyzer) -> list[str]:
    """Return up to three reasons such as "color: red" or "title: dress"; "close in meaning" when no word is shared.

    Args:
        product: that is shown.
        places: where its texts may hold terms that were asked for.
        marker: of these terms.
        analyzer: of the release.
    """
    found = []
    if places.texts:
        terms, terms_of = marker.terms, analyzer.terms_of_value
        found = [
            f"{label}: {value}"
            for label, value in held_values(product, places)
            if not terms.isdisjoint(terms_of(value))
        ]
        if BRAND in places.texts and not terms.isdisjoint(terms_of(product.brand)):
            found.append(f"brand: {product.brand}")
    if places.title and len(found) < MOST_REASONS:
        found += _phrase("title", marker.words_in(product.title.split(" "), places.title))
    if not found and LEAF in places.texts and not terms.isdisjoint(terms_of(product.category[-1])):
        found.append(f"category: {product.category[-1]}")
    if not found and places.description:
        found = _phrase("description", marker.words_in(product.description.split(), places.description))
    return found[:MOST_REASONS] or ["close in meaning"]


def _phrase(label: str, words: list[str]) -> list[str]:
    return [f"{label}: {' '.join(words)}"] if words else []


def explanations(release: Release, rows: Rows, read: Understood, scored: ScoredQuery) -> list[dict[str, Any]]:
    """Return what each row's place is made of: both legs with whole-catalog ranks, boosts, constraints it keeps."""
    dense, fused = dense_scores(release, scored, rows), fused_scores(release, scored, rows)
    matches, (words, shares) = matches_of(release, scored.text, scored.mode), word_scores(release, scored, rows)
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
                "lexical_rank": int((matches.scores > words[place]).sum()) + 1 if lexical > 0 else None,
                "coverage": round(float(shares[place]), 4),
                "dense_share": round(scored.dense_share, 4),
                "boost": round(float(boosts[place]), 4),
                "constraints": [text for text, mask in kept.items() if mask[row]],
                "fused": round(float(fused[place]), 4),
            }
        )
    return explained
