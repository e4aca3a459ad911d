"""What rows answer a scored query, in which order, under which filters: the one set everything is counted over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.arrays import Floats, Mask, Rows, best_first, common_places, looked_up, places_of, union_of
from search.fusion import fuse
from search.release import Release
from search.scoring import ScoredQuery, cosines, matches_of, word_scores


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


def dense_scores(release: Release, scored: ScoredQuery, rows: Rows) -> Floats:
    """Return (len(rows),) float32 exact cosines; zeros in lexical mode."""
    if len(scored.known) == 0:
        return cosines(release, scored.vector, rows)
    places, is_known = places_of(scored.known, rows)
    found = scored.known_cosines[places]
    if not is_known.all():
        missing = np.flatnonzero(~is_known)
        found[missing] = cosines(release, scored.vector, rows[missing])
    return found


def closeness(release: Release, scored: ScoredQuery, rows: Rows) -> Floats:
    """Return (len(rows),) float32: the cosine of the product or, where it was looked at, of its closest segment."""
    close = dense_scores(release, scored, rows)
    if len(scored.inspected) == 0:
        return close
    return np.maximum(close, looked_up(scored.inspected, scored.closest_segments, rows))


def fused_scores(release: Release, scored: ScoredQuery, rows: Rows) -> Floats:
    """Return (len(rows),) float32 scores by which any rows, candidates or not, are compared under this query.

    Rows of the head have their smoothed score, a mean of the head's own, and all others their fused one; feedback
    counts for the near rows alone, for it was taken from the best of them.
    """
    return _fused(scored, rows, dense_scores(release, scored, rows), word_scores(release, scored, rows)[0])


def _fused(scored: ScoredQuery, rows: Rows, dense: Floats, lexical: Floats) -> Floats:
    """Return `fused_scores` of rows whose cosines and lexical scores are known."""
    if len(scored.near_cosines):
        places, is_near = places_of(scored.near, rows)
        dense = np.where(is_near, scored.near_cosines[places], dense)
    fused = fuse(dense, lexical, scored.dense_scale, scored.lexical_scale, scored.dense_share)
    if len(scored.head):
        places, is_head = places_of(scored.head, rows)
        fused = np.where(is_head, scored.head_scores[places], fused)
    if len(scored.codes.rows):
        fused = fused + looked_up(scored.codes.rows, scored.codes.gains, rows)
    if len(scored.boost.rows):
        fused = fused + looked_up(scored.boost.rows, scored.boost.gains, rows)
    return fused


def candidates(release: Release, scored: ScoredQuery, allowed: Mask) -> tuple[Rows, Rows]:
    """Return the pools of the dense leg, best first, and of the lexical leg under a filter, each up to `pool` rows.

    Products whose numbers the query names join the lexical pool.
    """
    pool, dense_rows = release.ranking.pool, np.zeros(0, np.int64)
    if scored.vector is not None:
        dense_rows = release.dense.search(scored.vector, pool, allowed)[0]
    lexical_rows = matches_of(release, scored.text, scored.mode).among(allowed).best(pool).rows.astype(np.int64)
    named = scored.codes.rows[allowed[scored.codes.rows]]
    return dense_rows, union_of(lexical_rows, named) if len(named) else lexical_rows


def ranked(release: Release, scored: ScoredQuery, depth: int, allowed: Mask | None = None) -> tuple[Rows, Floats]:
    """Return the best `depth` allowed rows before any cut-off and their scores: what evaluation measures.

    Args:
        allowed: (n,) bool; None: the rows that the query was scored among. So in all that follows.
    """
    rows = scored.drawn if allowed is None else union_of(*candidates(release, scored, allowed))
    scores = fused_scores(release, scored, rows)
    order = best_first(scores)[:depth]  # of ascending rows
    return rows[order], scores[order]


def relevant_set(release: Release, scored: ScoredQuery, allowed: Mask | None) -> RelevantSet:
    """Return the rows that are relevant to the query under the filter, best first, equal scores in row order."""
    if allowed is None:
        rows, is_exact = scored.drawn, _has_all_near(release, scored, scored.known) and scored.has_all_covering
    else:
        dense_rows, lexical_rows = candidates(release, scored, allowed)
        rows = union_of(dense_rows, lexical_rows)
        is_exact = _has_all_near(release, scored, dense_rows)
        is_exact = is_exact and _has_all_covering(release, scored, allowed, lexical_rows)
    lexical, shares = word_scores(release, scored, rows)
    is_relevant = shares >= scored.coverage_min
    is_relevant[common_places(rows, scored.codes.rows)] = True
    is_relevant[common_places(rows, scored.inspected[scored.closest_segments >= scored.dense_min])] = True
    dense = None
    if scored.known_cosines.min(initial=np.inf) >= scored.dense_min < np.inf:
        dense = dense_scores(release, scored, rows)
        is_relevant |= dense >= scored.dense_min
    else:  # the dense leg drew rows beyond the cut-off, so what it did not draw is beyond it too
        is_relevant[common_places(rows, scored.known[scored.known_cosines >= scored.dense_min])] = True
    relevant = is_relevant.nonzero()[0]
    rows = rows[relevant]
    dense = dense_scores(release, scored, rows) if dense is None else dense[relevant]
    scores = _fused(scored, rows, dense, lexical[relevant])
    order = best_first(scores)  # of ascending rows
    return RelevantSet(rows[order], scores[order], is_exact)


def drawn_rows(scored: ScoredQuery, allowed: Mask | None) -> Rows:
    """Return the rows that the legs drew for the words, relevant or not, that pass the filters; ascending.

    They are drawn before filters are chosen, so that a facet's count is again what choosing it brings.

    Args:
        allowed: rows that keep the conditions in the query's own words, among which it was scored, and every filter.
    """
    return scored.drawn if allowed is None else scored.drawn[allowed[scored.drawn]]


def widened(release: Release, scored: ScoredQuery, found: RelevantSet, drawn: Rows) -> RelevantSet:
    """Return a relevant set together with rows drawn below its cut-off, best first, equal scores in row order."""
    rows = union_of(found.rows, drawn)
    scores = fused_scores(release, scored, rows)
    order = best_first(scores)  # of ascending rows
    return RelevantSet(rows[order], scores[order], found.is_exact and scored.is_whole)


def _has_all_near(release: Release, scored: ScoredQuery, drawn: Rows) -> bool:
    """Return whether the dense leg, which drew these rows, left out none above the cut-off.

    Args:
        drawn: best first; or those that are known of the query.
    """
    if not len(drawn) == release.ranking.pool < release.rows:
        return True
    cosines = scored.known_cosines if drawn is scored.known else dense_scores(release, scored, drawn[-1:])
    return bool(cosines.min() < scored.dense_min)


def _has_all_covering(release: Release, scored: ScoredQuery, allowed: Mask, drawn: Rows) -> bool:
    """Return whether the lexical leg, which drew these rows, left out none that is relevant by its words."""
    if len(drawn) < release.ranking.pool:
        return True
    matches = matches_of(release, scored.text, scored.mode)
    covering = int(np.count_nonzero(allowed[matches.rows[matches.shares >= scored.coverage_min]]))
    return covering == int(np.count_nonzero(word_scores(release, scored, drawn)[1] >= scored.coverage_min))
