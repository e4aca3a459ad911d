"""One query text scored against one release: both legs, their scales, cut-off and confidence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, Mask, Rows, places_of, union_of
from search.codes import NO_MATCH, CodeMatch
from search.fusion import DEPTH, Scale, dense_share
from search.release import Release
from search.segments import GatheredSegments
from search.understanding.constraints import Constraint
from search.word_matches import NOTHING, WordMatches

INSPECTED = 100  # rows of each leg whose segments are read
NO_VECTORS = np.zeros((0, 0), np.float32)
NO_SEGMENTS = GatheredSegments(np.zeros((0, 0), np.int8), np.zeros(0, np.float32), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Boost:
    """What products gain by the values that a query names.

    Attributes:
        rows: (m,) ascending, those that gain; gains: (m,) float32.
        named: the values.
    """

    rows: NDArray[np.integer[Any]]
    gains: Floats
    named: tuple[Constraint, ...] = ()


NO_BOOST = Boost(np.zeros(0, np.int64), np.zeros(0, np.float32))


@dataclass(frozen=True)
class ScoredQuery:
    """A query text scored against the whole, unfiltered catalog.

    Scales and thresholds are taken here once, before any filter, so that whether a product is relevant depends on the
    query and the product alone: a facet's count is then what choosing that facet brings.

    Attributes:
        mode: hybrid, dense or lexical, as really used.
        terms: the query's distinct lexical terms, in order.
        vector: (d,) float32, or None in lexical mode.
        text: what was looked up word by word.
        dense_scale, lexical_scale: of each leg, over its best rows.
        dense_share: share of the dense leg in the fused score, 0..1.
        is_kept: whether the rows below are among those that keep the conditions in the query's own words; not where no
            row keeps them.
        named: (c,) int64 ascending, products whose numbers the query names.
        has_all_covering: whether the lexical leg drew every row that holds enough of the terms to be relevant by words.
        title_coverage: the largest share of the terms, by rarity, that one title holds, 0..1.
        near: (m,) int64 ascending, what either leg ranks among its first DEPTH. Empty but in hybrid mode.
        inspected: (r,) int64 ascending, those of the near rows that a leg ranks among its first INSPECTED.
        closest_segments: (r,) float32, the cosine of the closest segment of each.
        of_segments: (k,) float32, the cosine of every segment of these rows, one row's after the other's.
        near_cosines: (m,) float32, of the near rows with the ranking vector.
        known: (k,) int64 ascending, the rows that the dense leg ranks first, and known_cosines: (k,) float32, theirs
            with `vector`, which saves gathering these rows again.
        drawn: (k,) int64 ascending, what the legs drew and what the codes name, relevant or not.
        drawn_words, drawn_shares: (k,) float32 lexical scores of these rows, and shares of the terms that they hold.
        is_whole: whether nothing that has any score is missing from `drawn`.
        dense_min: least cosine to be relevant by meaning; +inf in lexical mode.
        coverage_min: least share of the terms to be relevant by words; +inf in dense mode.
        confidence: "good", "weak" (only closest matches) or "none".
        confidence_score: 0..1, how sure it is that something here fits; see search/confidence.py.
        boost: what is added to the score of each row.
        codes: products whose numbers the query names; they are relevant, and first.
        ranking_vector: (d,) float32, what products are ranked by: `vector` after feedback in hybrid mode.
        head: (m,) int64 ascending, the best rows; head_closeness: (m,) float32 how near the ranking vector is to them
            and their segments; head_scores: (m,) float32 their smoothed scores. Empty but in hybrid mode.
    """

    mode: str
    text: str
    terms: tuple[str, ...]
    vector: Floats | None
    dense_scale: Scale
    lexical_scale: Scale
    dense_share: float
    is_kept: bool
    named: Rows
    has_all_covering: bool
    title_coverage: float
    near: Rows
    inspected: Rows
    closest_segments: Floats
    of_segments: Floats
    near_cosines: Floats
    known: Rows
    known_cosines: Floats
    drawn: Rows
    drawn_words: Floats
    drawn_shares: Floats
    is_whole: bool
    dense_min: float
    coverage_min: float
    confidence: str
    confidence_score: float
    boost: Boost
    codes: CodeMatch
    ranking_vector: Floats | None
    head: Rows
    head_closeness: Floats
    head_scores: Floats

    @cached_property
    def nbytes(self) -> int:
        """Bytes of its arrays, but for those that belong to the release."""
        held = (*vars(self).values(), self.boost.rows, self.boost.gains)
        return sum([one.nbytes for one in held if isinstance(one, np.ndarray) and one.flags.owndata])


@dataclass(frozen=True)
class FirstLook:
    """A query scored but for the order of its best products; its cut-off and confidence are settled.

    Attributes:
        scored: its head is empty.
        vectors: (m, d) float32 unit rows of the near rows; segments: of those inspected; places: (r,) where these are
            among the near ones. Empty without a second look.
    """

    scored: ScoredQuery
    vectors: Floats
    segments: GatheredSegments
    places: Rows


def first_look(
    release: Release,
    text: str,
    vector: Floats | None,
    mode: str,
    boost: Boost = NO_BOOST,
    codes: CodeMatch = NO_MATCH,
    kept: Mask | None = None,
) -> FirstLook:
    """Score a text against every row and settle scales, cut-off and confidence.

    Args:
        release: the open release.
        text: what is looked up word by word.
        vector: (d,) float32 unit vector of the text; None in lexical mode.
        mode: hybrid, dense or lexical.
        boost: to add to the scores.
        codes: products whose numbers the text names.
        kept: (n,) bool, rows that keep the conditions in the query's own words ("under $20"); scales, cut-off and
            second look are taken among them. None, or no row at all: among all.
    """
    settings, words = release.ranking, release.lexical
    no_rows, no_scores = np.zeros(0, np.int64), np.zeros(0, np.float32)
    terms = tuple(words.query_terms(text))
    matches = matches_of(release, text, mode)
    allowed = kept if kept is not None and kept.any() else None
    among = matches.among(allowed)
    top = among.best(settings.pool)
    lexical_pool = top.rows.astype(np.int64)
    lexical_rows = lexical_pool[:DEPTH]
    dense_pool, dense_top = no_rows, no_scores
    if vector is not None:
        dense_pool, dense_top = release.dense.search(vector, settings.pool, allowed)
    by_row = np.argsort(dense_pool)
    known, known_cosines = dense_pool[by_row], dense_top[by_row]
    dense_top = dense_top[:DEPTH]
    near, inspected, closest_segments, of_segments = no_rows, no_rows, no_scores, no_scores
    closest, near_cosines, vectors, segments, places = dense_top[::-1], no_scores, NO_VECTORS, NO_SEGMENTS, no_rows
    if mode == "hybrid" and vector is not None:
        near = union_of(dense_pool[:DEPTH], lexical_rows)
        inspected = union_of(dense_pool[:INSPECTED], lexical_rows[:INSPECTED])
        vectors, segments = release.dense.gathered(near), release.segments.gathered(inspected)
        of_segments = segments.cosines(vector)
        closest_segments = segments.best_of_each(of_segments)
        near_cosines = vectors @ vector
        if len(near):
            places = places_of(near, inspected)[0]
            closest = near_cosines.copy()
            closest[places] = np.maximum(closest[places], closest_segments)
            closest.sort()

    identified = words.identified(text)
    best_coverage = float(among.shares.max(initial=0.0))
    title_coverage = words.best_title_coverage(terms) if terms else 0.0
    share = float(mode == "dense")
    if mode == "hybrid":
        share = dense_share(settings.dense_weight, title_coverage, identified)
    # Where a leg has fewer products than a scale reaches, the scale begins at 0.
    reached = np.zeros(min(DEPTH, release.rows), np.float32)
    reached[: len(lexical_rows)] = top.scores[:DEPTH]
    lexical_scale = Scale.of(reached)
    named = codes.rows if allowed is None else codes.rows[allowed[codes.rows]]
    cut_off = _cut_off(release, mode, closest, best_coverage, codes)
    confidence, sureness = "good", 1.0  # a part number is sure
    if identified == 0 and len(codes.rows) == 0:
        confidence, sureness = _confidence_of(release, vector, closest, title_coverage, best_coverage)
    by_words = union_of(lexical_pool, named) if len(named) else lexical_pool
    covering = top.shares if len(named) == 0 else matches.scores_and_shares_of(by_words)[1]
    least = cut_off["coverage_min"]
    has_all_covering = len(by_words) < settings.pool or among.covering(least) == np.count_nonzero(covering >= least)
    drawn = union_of(known, by_words)
    drawn_words, drawn_shares = matches.scores_and_shares_of(drawn)
    scored = ScoredQuery(
        mode=mode, text=text, terms=terms, vector=vector,
        dense_scale=Scale.of(dense_top), lexical_scale=lexical_scale, dense_share=share,
        is_kept=kept is None or allowed is not None, named=named,
        has_all_covering=has_all_covering,
        title_coverage=title_coverage, near=near, inspected=inspected, closest_segments=closest_segments,
        of_segments=of_segments, near_cosines=near_cosines, known=known, known_cosines=known_cosines,
        drawn=drawn, drawn_words=drawn_words, drawn_shares=drawn_shares,
        is_whole=len(known) < settings.pool and len(matches) <= settings.pool,
        **cut_off,
        confidence=confidence, confidence_score=round(sureness, 4), boost=boost, codes=codes, ranking_vector=vector,
        head=no_rows, head_closeness=no_scores, head_scores=no_scores,
    )  # fmt: skip
    return FirstLook(scored, vectors, segments, places)


def _cut_off(release: Release, mode: str, closest: Floats, best_coverage: float, codes: CodeMatch) -> dict[str, float]:
    """Return `dense_min` and `coverage_min`.

    Args:
        closest: (m,) float32 ascending, how close the best products or their segments are; empty in lexical mode.
        best_coverage: the largest share of the terms one product holds.
    """
    settings = release.ranking
    # By words alone (no vector to help), a product must hold most of what the best one holds.
    coverage_min = {"hybrid": settings.covers, "lexical": max(0.8 * best_coverage, 1e-6)}.get(mode, float("inf"))
    if len(closest) == 0 or codes.is_whole:  # of a part number alone an encoder knows nothing
        return {"dense_min": float("inf"), "coverage_min": coverage_min}
    best = float(closest[-1])
    dense_min = max(release.confidence.noise, best - settings.dense_margin)
    if best < dense_min and best_coverage < coverage_min:  # nothing fits: the closest few are shown, marked as such
        dense_min = float(closest[-settings.closest :][0])
    return {"dense_min": dense_min, "coverage_min": coverage_min}


def _confidence_of(
    release: Release, vector: Floats | None, closest: Floats, title_coverage: float, covered: float
) -> tuple[str, float]:
    """Return the confidence and its score: that of the words without a vector, else see search/confidence.py.

    Args:
        vector, title_coverage: as in `ScoredQuery`.
        closest: as for `_cut_off`.
        covered: the largest share of the terms one product holds.
    """
    if vector is None:
        return "good" if covered >= release.ranking.covers else "weak" if covered > 0 else "none", covered
    best = float(closest[-1]) if len(closest) else 0.0
    score = release.confidence.score(vector, best, title_coverage, covered)
    return "good" if score >= 0.5 else "weak", score


def matches_of(release: Release, text: str, mode: str) -> WordMatches:
    """Return every row that holds any of the terms of a text; none in dense mode."""
    return NOTHING if mode == "dense" else release.lexical.matches(text)


def word_scores(release: Release, scored: ScoredQuery, rows: Rows) -> tuple[Floats, Floats]:
    """Return (len(rows),) float32 lexical scores of any rows, and shares of the terms that they hold."""
    if rows is scored.drawn:
        return scored.drawn_words, scored.drawn_shares
    if len(scored.drawn):
        places, are_drawn = places_of(scored.drawn, rows)
        if are_drawn.all():  # what holds a term in the whole catalog need not be known
            return scored.drawn_words[places], scored.drawn_shares[places]
    return matches_of(release, scored.text, scored.mode).scores_and_shares_of(rows)


def cosines(release: Release, vector: Floats | None, rows: Rows) -> Floats:
    """Return (len(rows),) float32 exact cosines with a vector; zeros without one."""
    return np.zeros(len(rows), np.float32) if vector is None else release.dense.scores_of(vector, rows)
