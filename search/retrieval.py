"""What rows answer a scored query, in which order, under which filters: the one set everything is counted over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.arrays import Floats, Mask, Rows, best_positive, union_of
from search.fusion import fuse
from search.release import Release
from search.scoring import ScoredQuery, cosines


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
    places = np.minimum(np.searchsorted(scored.known, rows), len(scored.known) - 1)
    found = scored.known_cosines[places]
    missing = np.flatnonzero(scored.known[places] != rows)
    found[missing] = cosines(release, scored.vector, rows[missing])
    return found


def closeness(release: Release, scored: ScoredQuery, rows: Rows) -> Floats:
    """Return (len(rows),) float32: the cosine of the product or, where it was looked at, of its closest segment."""
    close = dense_scores(release, scored, rows)
    if len(scored.near) == 0:
        return close
    return np.maximum(close, _among(scored.near, scored.near_segments, rows))


def fused_scores(release: Release, scored: ScoredQuery, rows: Rows) -> Floats:
    """Return (len(rows),) float32 scores by which any rows, candidates or not, are compared under this query.

    Rows of the head have their smoothed score, a mean of the head's own, and all others their fused one; feedback
    counts for the near rows alone, for it was taken from the best of them.
    """
    dense = dense_scores(release, scored, rows)
    if len(scored.near_cosines):
        places = np.minimum(np.searchsorted(scored.near, rows), len(scored.near) - 1)
        dense = np.where(scored.near[places] == rows, scored.near_cosines[places], dense)
    fused = fuse(dense, scored.lexical[rows], scored.dense_scale, scored.lexical_scale, scored.dense_share)
    if len(scored.head):
        places = np.minimum(np.searchsorted(scored.head, rows), len(scored.head) - 1)
        fused = np.where(scored.head[places] == rows, scored.head_scores[places], fused)
    if len(scored.codes.rows):
        fused = fused + _among(scored.codes.rows, scored.codes.gains, rows)
    return fused if scored.boost is None else fused + scored.boost[rows]


def _among(members: Rows, values: Floats, rows: Rows) -> Floats:
    """Return (len(rows),) float32: the value of each row that is a member, 0 for the others."""
    places = np.minimum(np.searchsorted(members, rows), len(members) - 1)
    return np.where(members[places] == rows, values[places], 0).astype(np.float32)


def candidates(release: Release, scored: ScoredQuery, allowed: Mask | None) -> tuple[Rows, Rows]:
    """Return the pools of the dense and the lexical leg under a filter, each up to `pool` rows, best first.

    Products whose numbers the query names join the lexical pool.
    """
    pool = release.ranking.pool
    dense_rows = np.zeros(0, np.int64)
    if allowed is None and scored.dense_pool is not None:
        dense_rows = scored.dense_pool
    elif scored.vector is not None:
        dense_rows = release.dense.search(scored.vector, pool, allowed)[0]
    if allowed is None and scored.lexical_pool is not None:
        lexical_rows = scored.lexical_pool
    else:
        lexical_rows = best_positive(scored.lexical, pool, allowed)
    named = scored.codes.rows if allowed is None else scored.codes.rows[allowed[scored.codes.rows]]
    return dense_rows, np.concatenate([named, np.setdiff1d(lexical_rows, named)]) if len(named) else lexical_rows


def ranked(release: Release, scored: ScoredQuery, depth: int, allowed: Mask | None = None) -> tuple[Rows, Floats]:
    """Return the best `depth` allowed rows before any cut-off and their scores: what evaluation measures."""
    rows = union_of(*candidates(release, scored, allowed), release.rows)
    scores = fused_scores(release, scored, rows)
    order = np.lexsort((rows, -scores))[:depth]
    return rows[order], scores[order]


def relevant_set(release: Release, scored: ScoredQuery, allowed: Mask | None) -> RelevantSet:
    """Return the rows that are relevant to the query under the filter, best first, equal scores in row order."""
    dense_rows, lexical_rows = candidates(release, scored, allowed)
    rows = union_of(dense_rows, lexical_rows, release.rows)
    by_meaning = closeness(release, scored, rows) >= scored.dense_min
    by_words = scored.coverage[rows] >= scored.coverage_min
    rows = rows[by_meaning | by_words | np.isin(rows, scored.codes.rows)]
    scores = fused_scores(release, scored, rows)
    order = np.lexsort((rows, -scores))
    return RelevantSet(rows[order], scores[order], _is_exact(release, scored, allowed, dense_rows, lexical_rows))


def drawn_rows(release: Release, scored: ScoredQuery, kept: Mask | None, allowed: Mask | None) -> Rows:
    """Return the rows that the legs drew for the words, relevant or not, that pass the filters; ascending.

    They are drawn before filters are chosen, so that a facet's count is again what choosing it brings.

    Args:
        kept: rows that keep the conditions in the query's own words, among which the query was scored.
        allowed: rows that pass these and every filter.
    """
    among = kept if kept is not None and kept.any() else None
    lexical_rows = best_positive(scored.lexical, release.ranking.pool, among)
    drawn = union_of(union_of(scored.known, lexical_rows, release.rows), scored.codes.rows, release.rows)
    return drawn if allowed is None else drawn[allowed[drawn]]


def widened(release: Release, scored: ScoredQuery, found: RelevantSet, drawn: Rows) -> RelevantSet:
    """Return a relevant set together with rows drawn below its cut-off, best first, equal scores in row order."""
    rows = union_of(found.rows, drawn, release.rows)
    scores = fused_scores(release, scored, rows)
    order = np.lexsort((rows, -scores))
    pool = release.ranking.pool
    is_whole = len(scored.known) < pool and int(np.count_nonzero(scored.lexical)) <= pool
    return RelevantSet(rows[order], scores[order], found.is_exact and is_whole)


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
