"""One query text against one release: both legs, their fusion, and the relevant set everything is counted over."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from search.arrays import Floats, Mask, Rows, best_rows
from search.fusion import DEPTH, Scale, dense_share, fuse
from search.release import Release
from search.rescoring import first_of_each, smoothed, with_feedback

LEAST_SEGMENT_SHARE = 0.01  # below it, segments are not looked at
MOST_VARIANTS = 20  # rows looked through for each product that feeds back


@dataclass(frozen=True)
class ScoredQuery:
    """A query text scored against the whole, unfiltered catalog.

    Scales and thresholds are taken here once, before any filter, so that whether a product is relevant depends on the
    query and the product alone: a facet's count is then what choosing that facet brings.

    Attributes:
        mode: hybrid, dense or lexical, as really used.
        terms: the query's distinct lexical terms, in order.
        vector: (d,) float32, or None in lexical mode.
        lexical, coverage: (n,) float32; zero in dense mode.
        dense_min: least cosine to be relevant by meaning; +inf in lexical mode.
        coverage_min: least share of the terms to be relevant by words; +inf in dense mode.
        dense_share: share of the dense leg in the fused score, 0..1.
        confidence: "good", "weak" (only closest matches) or "none".
        ranking_vector: (d,) float32, what products are ranked by: `vector` after feedback in hybrid mode.
        boost: (n,) float32, added to the score of each row; None adds nothing.
        head: (m,) int64 ascending, the best rows; head_closeness: (m,) float32 how near the ranking vector is to them
            and their segments; head_scores: (m,) float32 their smoothed scores. Empty but in hybrid mode.
    """

    mode: str
    terms: tuple[str, ...]
    vector: Floats | None
    lexical: Floats
    coverage: Floats
    dense_scale: Scale
    lexical_scale: Scale
    dense_min: float
    coverage_min: float
    dense_share: float
    confidence: str
    ranking_vector: Floats | None
    head: Rows
    head_closeness: Floats
    head_scores: Floats
    boost: Floats | None = None


@dataclass(frozen=True)
class RelevantSet:
    """Rows that answer a query under its filters, best first.

    Attributes:
        rows: (m,) int64; scores: (m,) float32 fused scores.
        is_exact: False when a leg filled its pool above the cut-off, so that there may be more.
    """

    rows: Rows
    scores: Floats
    is_exact: bool


def score_query(
    release: Release, text: str, vector: Floats | None, mode: str, boost: Floats | None = None
) -> ScoredQuery:
    """Score a text against every row and settle scales, cut-off and confidence.

    Args:
        release: the open release.
        text: what is looked up word by word.
        vector: (d,) float32 unit vector of the text; None in lexical mode.
        mode: hybrid, dense or lexical.
        boost: (n,) float32 to add to the scores.
    """
    settings = release.ranking
    empty = np.zeros(release.rows, np.float32)
    use_lexical = mode != "dense"
    lexical = release.lexical.scores(release.lexical.term_ids(text)) if use_lexical else empty
    coverage = release.lexical.coverage(text) if use_lexical else empty
    dense_rows, dense_top = np.zeros(0, np.int64), np.zeros(0, np.float32)
    if vector is not None:
        dense_rows, dense_top = release.dense.search(vector, DEPTH)
    lexical_rows = best_rows(lexical, DEPTH)
    best_dense = float(dense_top[0]) if len(dense_top) else 0.0
    best_coverage = float(coverage.max(initial=0))

    dense_min: float = float("inf") if vector is None else max(settings.dense_floor, best_dense - settings.dense_margin)
    # By words alone (no vector to help), a product must hold most of what the best one holds.
    coverage_min: float = settings.covers if mode == "hybrid" else max(0.8 * best_coverage, 1e-6)
    coverage_min = coverage_min if use_lexical else np.inf
    confidence = "good" if best_dense >= settings.good_cosine or best_coverage >= settings.covers else "weak"
    if best_dense < dense_min and best_coverage < coverage_min:
        # Nothing fits: the closest few by meaning, marked as such; by words alone there is nothing to show.
        confidence = "weak" if len(dense_top) else "none"
        dense_min = float(dense_top[: settings.closest][-1]) if len(dense_top) else np.inf
    share = float(mode == "dense")
    if mode == "hybrid":
        share = dense_share(settings.dense_weight, best_coverage, release.lexical.identified(text))
    scored = ScoredQuery(
        mode,
        tuple(release.lexical.query_terms(text)),
        vector,
        lexical,
        coverage,
        Scale.of(dense_top),
        Scale.of(lexical[lexical_rows]),
        dense_min,
        coverage_min,
        share,
        confidence,
        vector,
        np.zeros(0, np.int64),
        np.zeros(0, np.float32),
        np.zeros(0, np.float32),
        boost,
    )
    if mode != "hybrid" or vector is None:
        return scored
    scored = _second_look(release, scored, vector, np.union1d(dense_rows, lexical_rows[lexical[lexical_rows] > 0]))
    if release.ranker is None:
        return scored
    return replace(scored, head_scores=release.ranker.reranked(scored.head_scores, head_features(release, scored)))


def head_features(release: Release, scored: ScoredQuery) -> Floats:
    """Return (m, f) float32: what `ranker.FEATURES` names, of every row of a head that no ranker has scored yet."""
    rows, dense = scored.head, scored.head_closeness
    in_title, holds = release.lexical.title_coverage(scored.terms, rows)
    columns = (
        scored.head_scores,
        fuse(dense, scored.lexical[rows], scored.dense_scale, scored.lexical_scale, scored.dense_share),
        _cosines(release, scored.vector, rows),
        scored.dense_scale.apply(dense),
        scored.lexical_scale.apply(scored.lexical[rows]),
        scored.coverage[rows],
        in_title,
        holds[-1] if len(holds) else np.zeros(len(rows), bool),
        holds.all(axis=0) if len(holds) else np.zeros(len(rows), bool),
    )
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)


def _second_look(release: Release, scored: ScoredQuery, vector: Floats, rows: Rows) -> ScoredQuery:
    """Return the query scored again in the light of its best products: feedback first, then smoothing.

    Args:
        vector: (d,) float32 unit vector of the text.
        rows: those that either leg ranks among its first DEPTH; no other takes part, so the cost does not grow with
            the catalog.
    """
    settings = release.ranking
    vectors, groups = np.asarray(release.dense.embeddings[rows]), release.group_of[rows]
    share = settings.segment_weight * (1 - release.lexical.best_title_coverage(scored.terms) ** 2)

    dense = _closeness(release, vector, rows, vectors, share)
    fused = fuse(
        dense, scored.lexical[rows], Scale.of(dense[best_rows(dense, DEPTH)]), scored.lexical_scale, scored.dense_share
    )
    leaders = best_rows(fused, settings.feedback_products * MOST_VARIANTS)
    leaders = leaders[first_of_each(groups[leaders], settings.feedback_products)]
    vector = with_feedback(vector, vectors[leaders], settings.feedback_weight)
    dense = _closeness(release, vector, rows, vectors, share)
    scored = replace(scored, ranking_vector=vector, dense_scale=Scale.of(dense[best_rows(dense, DEPTH)]))

    fused = fuse(dense, scored.lexical[rows], scored.dense_scale, scored.lexical_scale, scored.dense_share)
    head = np.sort(best_rows(fused, settings.smoothed_products))
    # A part number singles out one of many near products: where meaning has little say, neighbours have as little.
    strength = min(1.0, scored.dense_share / max(settings.dense_weight, 1e-6))
    return replace(
        scored,
        head=rows[head],
        head_closeness=dense[head],
        head_scores=smoothed(fused[head], vectors[head], groups[head], settings.bandwidth, strength),
    )


def _closeness(release: Release, vector: Floats, rows: Rows, vectors: Floats, share: float) -> Floats:
    """Return (m,) float32: the cosines with whole products, and by `share` those with their closest segments.

    Args:
        vector: (d,) float32 unit vector.
        rows: (m,) int64, and vectors: (m, d) float32 of the same products.
        share: 0..1; a query whose words stand together in a title names a thing, and the title decides.
    """
    cosines = vectors @ vector
    if share < LEAST_SEGMENT_SHARE:
        return cosines
    return ((1 - share) * cosines + share * release.segments.closest(vector, rows)[0]).astype(np.float32)


def dense_scores(release: Release, scored: ScoredQuery, rows: Rows) -> Floats:
    """Return (len(rows),) float32 exact cosines; zeros in lexical mode."""
    return _cosines(release, scored.vector, rows)


def _cosines(release: Release, vector: Floats | None, rows: Rows) -> Floats:
    return np.zeros(len(rows), np.float32) if vector is None else release.dense.scores_of(vector, rows)


def fused_scores(release: Release, scored: ScoredQuery, rows: Rows) -> Floats:
    """Return (len(rows),) float32 scores by which any rows, candidates or not, are compared under this query.

    Rows of the head have their smoothed score, a mean of the head's own, and all others their fused one.
    """
    dense = _cosines(release, scored.ranking_vector, rows)
    fused = fuse(dense, scored.lexical[rows], scored.dense_scale, scored.lexical_scale, scored.dense_share)
    if len(scored.head):
        places = np.minimum(np.searchsorted(scored.head, rows), len(scored.head) - 1)
        fused = np.where(scored.head[places] == rows, scored.head_scores[places], fused)
    return fused if scored.boost is None else fused + scored.boost[rows]


def candidates(release: Release, scored: ScoredQuery, allowed: Mask | None) -> tuple[Rows, Rows]:
    """Return the pools of the dense and the lexical leg under a filter, each up to `pool` rows, best first."""
    pool = release.ranking.pool
    dense_rows = np.zeros(0, np.int64)
    if scored.vector is not None:
        dense_rows = release.dense.search(scored.vector, pool, allowed)[0]
    lexical = scored.lexical if allowed is None else np.where(allowed, scored.lexical, 0)
    lexical_rows = best_rows(lexical, pool)
    return dense_rows, lexical_rows[lexical[lexical_rows] > 0]


def ranked(release: Release, scored: ScoredQuery, depth: int, allowed: Mask | None = None) -> tuple[Rows, Floats]:
    """Return the best `depth` allowed rows before any cut-off and their scores: what evaluation measures."""
    rows = np.union1d(*candidates(release, scored, allowed)).astype(np.int64)
    scores = fused_scores(release, scored, rows)
    order = np.lexsort((rows, -scores))[:depth]
    return rows[order], scores[order]


def relevant_set(release: Release, scored: ScoredQuery, allowed: Mask | None) -> RelevantSet:
    """Return the rows that are relevant to the query under the filter, best first, equal scores in row order."""
    dense_rows, lexical_rows = candidates(release, scored, allowed)
    rows = np.union1d(dense_rows, lexical_rows).astype(np.int64)
    by_meaning = dense_scores(release, scored, rows) >= scored.dense_min
    by_words = scored.coverage[rows] >= scored.coverage_min
    rows = rows[by_meaning | by_words]
    scores = fused_scores(release, scored, rows)
    order = np.lexsort((rows, -scores))
    return RelevantSet(rows[order], scores[order], _is_exact(release, scored, allowed, dense_rows, lexical_rows))


def _is_exact(
    release: Release, scored: ScoredQuery, allowed: Mask | None, dense_rows: Rows, lexical_rows: Rows
) -> bool:
    """Return whether no leg left out a row above the cut-off."""
    pool = release.ranking.pool
    if len(dense_rows) == pool < release.rows:
        worst = dense_scores(release, scored, dense_rows[-1:])[0]
        if worst >= scored.dense_min:
            return False
    if len(lexical_rows) < pool:
        return True
    covering = scored.coverage >= scored.coverage_min
    total = int((covering if allowed is None else covering & allowed).sum())
    return total == int(covering[lexical_rows].sum())
