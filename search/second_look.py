"""The second look at a scored query: its best products in the light of each other, then the ranker, if there is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from search.arrays import Floats, Rows, best_rows
from search.fusion import Scale, fuse
from search.release import Release
from search.rescoring import best_of_each, smoothed, with_feedback
from search.scoring import FirstLook, ScoredQuery, cosines, word_scores

LEAST_SEGMENT_SHARE = 0.01  # below it, segments take no part in the order


def second_look(release: Release, first: FirstLook) -> ScoredQuery:
    """Return the query with its best products in the order of the second look and, where there is one, the ranker."""
    if len(first.scored.near) == 0:
        return first.scored
    scored = _looked_again(release, first)
    if release.ranker is None:
        return scored
    return replace(scored, head_scores=release.ranker.reranked(scored.head_scores, head_features(release, scored)))


def _looked_again(release: Release, first: FirstLook) -> ScoredQuery:
    """Return the query scored again in the light of its best products: feedback first, then smoothing.

    Only the near rows take part, so the cost does not grow with the catalog.
    """
    settings, scored, vectors = release.ranking, first.scored, first.vectors
    rows = scored.near
    words, groups = word_scores(release, scored, rows)[0], release.group_of[rows]
    # A query whose words stand together in a title names a thing, and the title decides; a need meets a sentence.
    share = settings.segment_weight * (1 - scored.title_coverage**2)

    dense = _with_segments(scored.near_cosines, first.places, scored.closest_segments, share)
    fused = fuse(dense, words, _scale_of(dense), scored.lexical_scale, scored.dense_share)
    leaders, _ = best_of_each(fused, groups, settings.feedback_products)
    vector = with_feedback(np.asarray(scored.vector), vectors[leaders], settings.feedback_weight)
    dense = near_cosines = vectors @ vector
    if share >= LEAST_SEGMENT_SHARE:
        dense = _with_segments(dense, first.places, first.segments.closest(vector), share)
    scale = _scale_of(dense)

    fused = fuse(dense, words, scale, scored.lexical_scale, scored.dense_share)
    head = np.sort(best_rows(fused, settings.smoothed_products))
    # A part number singles out one of many near products: where meaning has little say, neighbours have as little.
    strength = min(1.0, scored.dense_share / max(settings.dense_weight, 1e-6))
    return replace(
        scored,
        ranking_vector=vector,
        near_cosines=near_cosines,
        dense_scale=scale,
        head=rows[head],
        head_closeness=np.asarray(dense[head], np.float32),
        head_scores=smoothed(fused[head], vectors[head], groups[head], settings.bandwidth, strength),
    )


def _scale_of(scores: Floats) -> Scale:
    return Scale.of(np.sort(scores)[::-1])


def _with_segments(own: Floats, places: Rows, segments: Floats, share: float) -> Floats:
    """Return (m,) float32: (1 - share) of the cosine of a row and `share` of that of its closest segment.

    Where segments were not read, the closest one is taken to be as much closer than its row as those read are on
    average, so that the scale over all near rows stays what it is when all are read.

    Args:
        own: (m,) float32 cosines of rows.
        places, segments: (r,) where those stand whose segments were read, and (r,) float32 how close their closest are.
        share: 0..1.
    """
    gains = segments - own[places]
    blended = own + share * (gains.sum() / len(gains))
    blended[places] = own[places] + share * gains
    return blended


def head_features(release: Release, scored: ScoredQuery) -> Floats:
    """Return (m, f) float32: what `ranker.FEATURES` names, of every row of a head that no ranker has scored yet."""
    rows, dense = scored.head, scored.head_closeness
    words, shares = word_scores(release, scored, rows)
    in_title, holds = release.lexical.title_coverage(scored.terms, rows)
    columns = (
        scored.head_scores,
        fuse(dense, words, scored.dense_scale, scored.lexical_scale, scored.dense_share),
        cosines(release, scored.vector, rows),
        scored.dense_scale.apply(dense),
        scored.lexical_scale.apply(words),
        shares,
        in_title,
        holds[-1] if len(holds) else np.zeros(len(rows), bool),
        holds.all(axis=0) if len(holds) else np.zeros(len(rows), bool),
    )
    return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)
