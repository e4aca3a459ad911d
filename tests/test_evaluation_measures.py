"""Measures against examples small enough to work by hand, and what must hold for any ranking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.evaluation.measures import (
    bootstrap_intervals,
    by_kind,
    evaluate_run,
    judged_ndcg,
    judged_share,
    ndcg,
    recall,
    reciprocal_rank,
    relevant_from_of,
)
from search.errors import EvaluationError

# Six judgments. Gains 2^grade - 1:   q1: a 7, b 1, c 0    q2: d 3, e 7    q3: f 0 (nothing relevant)
JUDGMENTS = {"q1": {"a": 3.0, "b": 1.0, "c": 0.0}, "q2": {"d": 2.0, "e": 3.0}, "q3": {"f": 0.0}}
RUN = {"q1": [("b", 0.9), ("x", 0.8), ("a", 0.7)], "q2": [("e", 0.5)], "q3": [("f", 0.4)]}
# Discounts log2(rank + 1): 1, 1.584963, 2
#   q1  DCG 1/1 + 0/1.584963 + 7/2 = 4.5           ideal 7 + 1/1.584963 = 7.630930   nDCG 0.589705
#       judged only b, a, then c: 1 + 7/1.584963 = 5.416508                         nDCG 0.709810
#   q2  DCG 7                                      ideal 7 + 3/1.584963 = 8.892789   nDCG 0.787155
#       judged only e, then d, which is missing: the ideal                          nDCG 1
EXPECTED = {
    "nDCG@10": [0.589705, 0.787155],
    "nDCG@10(judged)": [0.709810, 1.0],
    "Recall@100": [1.0, 0.5],  # relevant from grade 2: a, found; d and e, of which e is found
    "RR@10": [1 / 3, 1.0],
    "judged@10": [2 / 3, 1.0],
}


def test_six_judgments_give_the_values_worked_by_hand():
    evaluation = evaluate_run(RUN, JUDGMENTS)
    assert evaluation.query_ids == ("q1", "q2")
    assert evaluation.left_out == ("q3",)
    assert evaluation.relevant_from == 2.0
    assert list(evaluation.values) == list(EXPECTED)
    for name, values in EXPECTED.items():
        assert evaluation.values[name] == pytest.approx(values, abs=1e-6), name
        assert evaluation.intervals[name].mean == pytest.approx(sum(values) / 2, abs=1e-6), name


def test_the_json_has_the_shape_programs_rely_on():
    data = evaluate_run(RUN, JUDGMENTS).as_json()
    assert (data["queries"], data["left_out"], data["unanswered"]) == (2, 1, 0)
    assert list(data["metrics"]) == list(EXPECTED)
    for values in data["metrics"].values():
        assert list(values) == ["mean", "low", "high"]
        assert values["low"] <= values["mean"] <= values["high"]


def test_the_text_names_every_measure_and_what_was_left_out():
    text = evaluate_run(RUN, JUDGMENTS).as_text()
    assert all(name in text for name in EXPECTED)
    assert "0.688" in text  # mean nDCG@10
    assert "2 queries scored (0 without an answer); 1 left out" in text


def test_a_query_without_an_answer_scores_zero_and_is_counted():
    evaluation = evaluate_run({"q2": RUN["q2"]}, JUDGMENTS)
    assert evaluation.unanswered == ("q1",)
    assert evaluation.values["nDCG@10"] == pytest.approx([0.0, 0.787155], abs=1e-6)
    assert evaluation.values["judged@10"].tolist() == [0.0, 1.0]


def test_judged_products_missing_from_the_run_gain_their_mean():
    # a (gain 7) and c (gain 0) in unknown order: 3.5 + 3.5/1.584963 = 5.708254; ideal 7
    assert judged_ndcg(["x", "y"], {"a": 3.0, "c": 0.0}) == pytest.approx(5.708254 / 7, abs=1e-6)


def test_judged_only_rankings_may_come_from_a_deeper_run():
    # q1 in the order a, c, b: 7 + 0 + 1/2 = 7.5 of 7.630930; the other measures still read RUN
    deeper = {"q1": [("a", 3.0), ("c", 2.0), ("b", 1.0)], "q2": RUN["q2"]}
    evaluation = evaluate_run(RUN, JUDGMENTS, judged_run=deeper)
    assert evaluation.values["nDCG@10(judged)"][0] == pytest.approx(7.5 / 7.630930, abs=1e-6)
    assert evaluation.values["nDCG@10"][0] == pytest.approx(0.589705, abs=1e-6)


def test_depth_cuts_the_ranking_and_the_ideal():
    grades = {"a": 1.0, "b": 1.0, "c": 1.0}
    assert ndcg(["x", "a", "b"], grades, k=2) == pytest.approx((1 / 1.584963) / (1 + 1 / 1.584963), abs=1e-6)
    assert recall(["x", "a", "b"], grades, k=2) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x", "a"], grades, k=1) == 0.0
    assert judged_share(["x", "a", "b"], grades, k=2) == 0.5


def test_negative_grades_gain_nothing_and_fractional_grades_gain_between():
    assert ndcg(["spam", "a"], {"spam": -2.0, "a": 1.0}) == pytest.approx(1 / 1.584963, abs=1e-6)
    # gain 2^1.5 - 1 = 1.828427
    assert ndcg(["b"], {"a": 1.0, "b": 1.5}) == pytest.approx(1.828427 / (1.828427 + 1 / 1.584963), abs=1e-6)


@pytest.mark.parametrize(
    ("grades", "expected"),
    [([0, 1, 2, 3], 2.0), ([0, 4], 2.0), ([0, 1.67, 2], 1.33), ([0, 1], 1.0), ([0, 0.4, 1], 0.4)],
)
def test_relevance_starts_where_the_scale_says(grades, expected):
    assert relevant_from_of({"q": {str(place): float(grade) for place, grade in enumerate(grades)}}) == expected


def test_judgments_without_any_relevant_product_are_refused():
    with pytest.raises(EvaluationError, match="none of the 1 judged queries"):
        evaluate_run(RUN, {"q3": {"f": 0.0}})


def test_a_run_over_other_queries_is_refused():
    with pytest.raises(EvaluationError, match="same query ids"):
        evaluate_run({"other": [("a", 1.0)]}, JUDGMENTS)


def test_a_product_ranked_twice_is_refused():
    with pytest.raises(EvaluationError, match='"q1": the run ranks a product twice'):
        evaluate_run({"q1": [("a", 1.0), ("a", 0.5)]}, JUDGMENTS)


def test_the_interval_of_equal_values_is_a_point_and_the_seed_decides_the_rest():
    values = {"same": np.full(20, 0.5), "mixed": np.arange(20) / 20}
    intervals = bootstrap_intervals(values)
    assert intervals["same"].low == intervals["same"].mean == intervals["same"].high == 0.5
    assert bootstrap_intervals(values) == intervals
    assert bootstrap_intervals(values, seed=7) != intervals


def test_the_interval_agrees_with_the_normal_approximation():
    # 400 values, standard error s / sqrt(400): the bootstrap must come within a tenth of mean +- 1.96 errors.
    values = np.random.default_rng(1).random(400)
    half = 1.96 * values.std() / 20
    interval = bootstrap_intervals({"x": values})["x"]
    assert interval.low == pytest.approx(values.mean() - half, abs=half / 10)
    assert interval.high == pytest.approx(values.mean() + half, abs=half / 10)


products = st.sampled_from([f"p{number}" for number in range(12)])
gradings = st.dictionaries(products, st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0]), min_size=1).filter(
    lambda grades: max(grades.values()) > 0
)
rankings = st.lists(products, unique=True)


@given(gradings)
def test_the_perfect_ranking_scores_one(grades):
    ranked = sorted(grades, key=lambda product: -grades[product])
    assert ndcg(ranked, grades) == pytest.approx(1.0)
    assert judged_ndcg(ranked, grades) == pytest.approx(1.0)
    assert judged_share(ranked, grades) == 1.0
    assert reciprocal_rank(ranked, grades, relevant_from=max(grades.values())) == 1.0
    assert recall(ranked, grades, relevant_from=0.5) == 1.0


@given(gradings, rankings)
def test_every_value_lies_between_zero_and_one(grades, ranked):
    for value in (
        ndcg(ranked, grades),
        judged_ndcg(ranked, grades),
        recall(ranked, grades),
        judged_share(ranked, grades),
    ):
        assert 0.0 <= value <= 1.0 + 1e-12


@given(gradings, rankings)
def test_an_unjudged_product_at_the_end_changes_no_gain(grades, ranked):
    longer = [*ranked, "unjudged"]
    assert ndcg(longer, grades) == ndcg(ranked, grades)
    assert judged_ndcg(longer, grades) == judged_ndcg(ranked, grades)
    assert recall(longer, grades) == recall(ranked, grades)
    assert reciprocal_rank(longer, grades) == reciprocal_rank(ranked, grades)


@given(gradings, rankings)
def test_unjudged_products_anywhere_leave_the_judged_only_value(grades, ranked):
    mixed = [product for place, name in enumerate(ranked) for product in (f"unjudged{place}", name)]
    assert judged_ndcg(mixed, grades) == judged_ndcg(ranked, grades)


@given(gradings, rankings, st.data())
def test_moving_a_better_product_up_never_lowers_ndcg(grades, ranked, data):
    if len(ranked) < 2:
        return
    place = data.draw(st.integers(0, len(ranked) - 2))
    if grades.get(ranked[place], 0.0) >= grades.get(ranked[place + 1], 0.0):
        return
    swapped = [*ranked[:place], ranked[place + 1], ranked[place], *ranked[place + 2 :]]
    assert ndcg(swapped, grades) >= ndcg(ranked, grades)


def test_kinds_have_their_own_means_and_queries_without_one_are_left_out() -> None:
    judgments = {"a": {"x": 1.0}, "b": {"x": 1.0}, "c": {"x": 1.0}}
    run = {"a": [("x", 1.0)], "b": [("y", 1.0)], "c": [("x", 1.0)]}
    kinds = by_kind(evaluate_run(run, judgments), {"a": "sku", "b": "sku"})
    assert list(kinds) == ["sku"]
    assert (kinds["sku"].queries, kinds["sku"].interval.mean) == (2, 0.5)
