"""The second look: feedback and smoothing over the head of the ranking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from search.arrays import best_rows, unit_rows
from search.engine import Engine
from search.rescoring import first_of_each, smoothed, with_feedback
from search.retrieval import fused_scores
from search.second_look import _with_segments
from search.understanding import Understood


def test_feedback_moves_the_query_towards_the_best_products():
    query = np.array([1, 0, 0], np.float32)
    best = np.array([[0, 1, 0], [0, 0, 1]], np.float32)
    moved = with_feedback(query, best, 0.3)
    np.testing.assert_allclose(moved, unit_rows(np.array([[1, 0.15, 0.15]]))[0], atol=1e-6)
    np.testing.assert_array_equal(with_feedback(query, best[:0], 0.3), query)
    np.testing.assert_array_equal(with_feedback(query, best, 0.0), query)


def test_a_product_feeds_back_once_however_many_variants_it_has():
    assert first_of_each(np.array([7, 7, 3, 7, 9, 3]), 3).tolist() == [0, 2, 4]
    assert first_of_each(np.array([7, 7]), 3).tolist() == [0]


def test_neighbours_share_their_scores_and_a_product_apart_keeps_its_own():
    vectors = unit_rows(np.array([[1, 0.01, 0], [1, 0.02, 0], [0, 0, 1]]))
    found = smoothed(np.array([0.9, 0.1, 0.5], np.float32), vectors, np.arange(3), 0.1)
    np.testing.assert_allclose(found, [0.5, 0.5, 0.5], atol=1e-3)
    alone = smoothed(np.array([0.9, 0.5], np.float32), vectors[[0, 2]], np.arange(2), 0.1)
    np.testing.assert_allclose(alone, [0.9, 0.5], atol=1e-3)


def test_without_strength_every_product_keeps_its_score():
    vectors = np.repeat(unit_rows(np.array([[1.0, 0.1]])), 2, axis=0)
    found = smoothed(np.array([0.8, 0.2], np.float32), vectors, np.arange(2), 0.1, strength=0.0)
    np.testing.assert_allclose(found, [0.8, 0.2], atol=1e-6)


def test_variants_lend_each_other_nothing_and_together_weigh_as_one_product():
    vectors = np.repeat(unit_rows(np.array([[1.0, 0.1]])), 4, axis=0)
    own = smoothed(np.array([0.8, 0.2], np.float32), vectors[:2], np.array([5, 5]), 0.1)
    np.testing.assert_allclose(own, [0.8, 0.2], atol=1e-6)
    mixed = smoothed(np.array([0.6, 0.0, 0.0, 0.0], np.float32), vectors, np.array([1, 2, 2, 2]), 0.1)
    np.testing.assert_allclose(mixed, [0.3, 0.3, 0.3, 0.3], atol=1e-6)


def test_rows_whose_segments_were_not_read_gain_by_them_what_the_others_do_on_average():
    own = np.array([0.5, 0.4, 0.3, 0.2], np.float32)
    read, segments = np.array([0, 2]), np.array([0.7, 0.3], np.float32)
    np.testing.assert_allclose(_with_segments(own, read, segments, 0.5), [0.6, 0.45, 0.3, 0.25], atol=1e-6)
    np.testing.assert_array_equal(_with_segments(own, read, segments, 0.0), own)


@pytest.mark.parametrize("inspected", [1, 2, 100])
def test_segments_are_read_of_the_first_of_each_leg(
    shop: Engine, monkeypatch: pytest.MonkeyPatch, inspected: int
) -> None:
    monkeypatch.setattr("search.scoring.INSPECTED", inspected)
    engine = Engine(shop.release, shop.encoder)  # of its own, so that it remembers no query
    scored = engine.scored(Understood("travel mug", "travel mug"), "hybrid")
    closest = scored.known[best_rows(scored.known_cosines, inspected)]
    first = {*closest.tolist(), *shop.release.lexical.matches("travel mug").best(inspected).rows.tolist()}
    assert scored.inspected.tolist() == sorted(first)
    found = shop.release.segments.closest(scored.vector, scored.inspected)
    np.testing.assert_array_equal(scored.closest_segments, found)
    assert len(scored.near_cosines) == len(scored.near) >= len(scored.inspected)


def test_a_row_has_one_score_whatever_is_asked_about_it(shop: Engine):
    scored = shop.scored(Understood("travel mug", "travel mug"), "hybrid")
    rows = np.arange(shop.release.rows)
    everything = fused_scores(shop.release, scored, rows)
    assert len(scored.head) > 0
    for row in rows:
        assert fused_scores(shop.release, scored, rows[row : row + 1])[0] == pytest.approx(everything[row], abs=1e-6)


@pytest.mark.parametrize("mode", ["dense", "lexical"])
def test_a_single_leg_is_shown_as_it_is(shop: Engine, mode: str):
    scored = shop.scored(Understood("travel mug", "travel mug"), mode)
    assert len(scored.head) == 0
    assert scored.ranking_vector is scored.vector


def test_both_can_be_turned_off(shop: Engine):
    settings = shop.release.manifest["settings"]
    ranking = {**settings["ranking"], "feedback_products": 0, "smoothed_products": 0}
    manifest = {**shop.release.manifest, "settings": {**settings, "ranking": ranking}}
    plain = Engine(replace(shop.release, manifest=manifest), shop.encoder._open)
    scored = plain.scored(Understood("travel mug", "travel mug"), "hybrid")
    np.testing.assert_array_equal(scored.ranking_vector, scored.vector)
    assert len(scored.head) == 0


def test_equal_products_stay_equal_wherever_they_stand():
    random = np.random.default_rng(3)
    vectors = unit_rows(random.standard_normal((40, 16)))
    scores = random.random(40).astype(np.float32)
    vectors[[5, 31]], scores[[5, 31]] = vectors[0], scores[0]
    found = smoothed(scores, vectors, np.arange(40), 0.1)
    assert found[0] == found[5] == found[31]
