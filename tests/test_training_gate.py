"""The gate's scores, its bootstrap and its verdict."""

from __future__ import annotations

from itertools import product as every

import numpy as np
import pytest

from indexer.training.evidence import Evidence
from indexer.training.gate import Examiner, bm25_scores, compare, per_unit, refusal, served_hybrid
from search.product import Product

CORPUS = tuple(Product(name, f"thing {name}") for name in "abcdefghijklmn")


def examiner(grades: dict[str, float], hidden: frozenset[int] = frozenset()) -> Examiner:
    evidence = Evidence("made by hand", CORPUS, ("q",), (grades,), (hidden,), (0,))
    return Examiner(
        evidence, lambda fields, queries: (np.zeros((1, 14), np.float32), np.zeros(1, np.float32)), served_hybrid, 32
    )


def dense(**scores: float) -> np.ndarray:
    row = np.zeros((1, 14), np.float32)
    for name, score in scores.items():
        row[0, "abcdefghijklmn".index(name)] = score
    return row


def test_the_dense_score_is_ndcg_with_exponential_gain() -> None:
    found = examiner({"a": 2.0, "b": 1.0}).scores_of(dense(c=0.9, a=0.8, b=0.7))
    # gains 0, 3, 1 at ranks 1..3 over the ideal 3, 1: (3/log2 3 + 1/2) / (3 + 1/log2 3)
    assert found["dense"] == pytest.approx([(3 / np.log2(3) + 0.5) / (3 + 1 / np.log2(3))])


def test_a_hidden_product_neither_helps_nor_stands_in_the_way() -> None:
    scores = dense(c=0.9, a=0.8)
    assert examiner({"a": 1.0}).scores_of(scores)["dense"] == pytest.approx([1 / np.log2(3)])
    assert examiner({"a": 1.0}, frozenset({2})).scores_of(scores)["dense"] == pytest.approx([1.0])


def test_hidden_products_leave_ten_others_ranked() -> None:
    scores = np.linspace(1, 0, 14, dtype=np.float32)[None]
    found = examiner({"l": 1.0}, frozenset({0, 1})).scores_of(scores)  # l is at place 11, so rank 10 of the others
    assert found["dense"] == pytest.approx([1 / np.log2(11)])


def test_the_hybrid_leg_uses_words_and_meaning() -> None:
    evidence = Evidence("by hand", CORPUS, ("thing b",), ({"b": 1.0},), (frozenset(),), (0,))
    found = Examiner(evidence, bm25_scores("en"), served_hybrid, 32).scores_of(dense(a=0.52, b=0.5, c=0.1))
    assert found["dense"] == pytest.approx([1 / np.log2(3)])  # a is first by meaning
    assert found["hybrid"] == pytest.approx([1.0])  # b holds both words, and its meaning is nearly as close


def test_queries_of_one_product_count_as_one_voice() -> None:
    assert per_unit([1.0, 0.0, 0.5, 0.25], [7, 7, 9, 9]).tolist() == [0.5, 0.375]


def test_the_bootstrap_agrees_with_every_resample_counted_by_hand() -> None:
    base = np.array([0.2, 0.5, 0.4])
    tuned = np.array([0.5, 0.5, 0.3])  # changes +0.3, 0, -0.1; wins 1, losses 1
    means = np.sort([np.mean(sample) for sample in every([0.3, 0.0, -0.1], repeat=3)])  # all 27, equally likely
    found = compare({"dense": base, "hybrid": base}, {"dense": tuned, "hybrid": tuned}, 20_000, seed=3)["dense"]
    assert found.change.mean == pytest.approx(0.2 / 3)
    # 1 of 27 resamples (3.7 %) is the lowest, -0.1, and 1 of 27 the highest, +0.3: both hold the 2.5 % points.
    assert (found.change.low, found.change.high) == pytest.approx((means[0], means[-1]))
    assert (found.base, found.tuned, found.wins, found.losses) == (pytest.approx(1.1 / 3), pytest.approx(1.3 / 3), 1, 1)


def test_a_change_on_every_unit_is_sure_and_one_that_leans_on_few_is_not() -> None:
    zero = np.zeros(60)
    everywhere, few = np.full(60, 0.01), np.zeros(60)
    few[0] = 0.6  # the same mean, from one unit
    assert (
        refusal(compare({"dense": zero, "hybrid": zero}, {"dense": everywhere, "hybrid": everywhere}, 2_000, 1)) == ""
    )
    said = refusal(compare({"dense": zero, "hybrid": zero}, {"dense": few, "hybrid": few}, 2_000, 1))
    assert "dense +0.0100" in said and "hybrid +0.0100" in said


def test_a_gain_by_meaning_alone_is_refused_when_the_hybrid_does_not_gain() -> None:
    zero, gain = np.zeros(60), np.full(60, 0.02)
    said = refusal(compare({"dense": zero, "hybrid": zero}, {"dense": gain, "hybrid": zero}, 2_000, 1))
    assert "hybrid +0.0000" in said and "dense" not in said


def test_two_comparisons_with_one_seed_are_equal() -> None:
    rng = np.random.default_rng(0)
    base, tuned = ({"dense": rng.random(50), "hybrid": rng.random(50)} for _ in range(2))
    assert compare(base, tuned, 500, 4) == compare(base, tuned, 500, 4)
