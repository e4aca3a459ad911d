"""Two runs compared query by query."""

from __future__ import annotations

import pytest

from indexer.evaluation.compare import compare, compare_evaluations
from indexer.evaluation.measures import evaluate_run
from search.errors import EvaluationError

# Twelve queries with one relevant product "r" each (grade 3): RR and nDCG depend on its rank alone.
QUERIES = [f"q{number:02}" for number in range(12)]
JUDGMENTS = {query: {"r": 3.0, "n": 0.0} for query in QUERIES} | {"hopeless": {"n": 0.0}}


def run_with(ranks: dict[str, int]) -> dict[str, list[tuple[str, float]]]:
    """Return a run whose relevant product stands at the given rank of each query."""
    return {
        query: [("r" if place == rank else f"x{place}", -float(place)) for place in range(1, 6)]
        for query, rank in ranks.items()
    }


FIRST = run_with(dict.fromkeys(QUERIES, 1))
SECOND = run_with(dict.fromkeys(QUERIES, 2))
# q00 falls from rank 2 to 4, q01 rises to 1, q02 to q11 stay
MIXED = run_with(dict.fromkeys(QUERIES, 2) | {"q00": 4, "q01": 1})


def test_a_run_against_itself_shows_no_difference():
    comparison = compare(SECOND, SECOND, JUDGMENTS)
    assert comparison.left_out == ("hopeless",)
    assert comparison.gained == comparison.lost == ()
    for difference in comparison.differences.values():
        assert (difference.wins, difference.losses, difference.ties) == (0, 0, 12)
        assert difference.change.low == difference.change.mean == difference.change.high == 0.0
        assert difference.verdict == "no clear difference"


def test_wins_losses_and_mean_are_those_worked_by_hand():
    comparison = compare(SECOND, MIXED, JUDGMENTS)
    difference = comparison.differences["RR@10"]
    assert (difference.wins, difference.losses, difference.ties) == (1, 1, 10)
    assert difference.mean_a == pytest.approx(0.5)
    # q00: 1/4 - 1/2 = -1/4;  q01: 1 - 1/2 = 1/2;  sum 1/4 over 12
    assert difference.change.mean == pytest.approx(1 / 48)
    assert difference.verdict == "no clear difference"
    assert comparison.moved_by == "nDCG@10"
    (gained,), (lost,) = comparison.gained, comparison.lost
    # one relevant product: nDCG is 1 / log2(rank + 1): rank 1 -> 1, rank 2 -> 0.630930, rank 4 -> 0.430677
    assert (gained.query_id, gained.a, gained.b) == ("q01", pytest.approx(0.630930, abs=1e-6), 1.0)
    assert (lost.query_id, lost.b) == ("q00", pytest.approx(0.430677, abs=1e-6))


def test_the_same_change_on_every_query_is_a_clear_verdict_both_ways():
    assert compare(SECOND, FIRST, JUDGMENTS).differences["nDCG@10"].verdict == "better"
    assert compare(FIRST, SECOND, JUDGMENTS).differences["nDCG@10"].verdict == "worse"


def test_pairing_sees_what_separate_intervals_cannot():
    # A ranks vary widely between queries, and B is one rank better on each: separate intervals overlap.
    ranks = {query: 2 + place % 4 for place, query in enumerate(QUERIES)}
    a, b = run_with(ranks), run_with({query: rank - 1 for query, rank in ranks.items()})
    apart_a, apart_b = (evaluate_run(run, JUDGMENTS).intervals["nDCG@10"] for run in (a, b))
    assert apart_b.low < apart_a.high
    assert compare(a, b, JUDGMENTS).differences["nDCG@10"].verdict == "better"


def test_the_largest_moves_come_first_and_ten_are_shown():
    after = run_with({query: 1 if place % 2 else 2 for place, query in enumerate(QUERIES)} | {"q03": 2})
    before = run_with(dict.fromkeys(QUERIES, 3))
    gained = compare(before, after, JUDGMENTS).gained
    # rank 1 for q01, q05, q07, q09, q11, then rank 2 for the rest, each in judgment order, cut at ten
    assert [move.query_id for move in gained] == ["q01", "q05", "q07", "q09", "q11", "q00", "q02", "q03", "q04", "q06"]


def test_json_and_text_tell_the_same():
    comparison = compare(SECOND, MIXED, JUDGMENTS)
    data = comparison.as_json()
    assert data["queries"] == 12
    assert data["metrics"]["RR@10"]["wins"] == 1
    assert data["metrics"]["RR@10"]["change"]["mean"] == round(1 / 48, 6)
    assert data["gained"][0]["query_id"] == "q01"
    text = comparison.as_text()
    assert "+0.021" in text and "no clear difference" in text
    assert "q01" in text and "0.631 -> 1.000" in text
    assert compare(SECOND, MIXED, JUDGMENTS) == comparison


def test_evaluations_over_other_queries_cannot_be_paired():
    fewer = {query: JUDGMENTS[query] for query in QUERIES[:3]}
    with pytest.raises(ValueError, match="cannot be paired"):
        compare_evaluations(evaluate_run(FIRST, JUDGMENTS), evaluate_run(FIRST, fewer))


def test_a_run_over_other_queries_is_refused():
    with pytest.raises(EvaluationError, match="same query ids"):
        compare(FIRST, {"other": [("r", 1.0)]}, JUDGMENTS)
