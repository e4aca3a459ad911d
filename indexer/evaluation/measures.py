"""Measures of a ranking against judgments, named and defined as the field does, with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.evaluation.judgments import Judgments, Run
from search.errors import EvaluationError

K = 10  # depth of nDCG, RR and judged: about what the first page shows
RECALL_K = 100
RESAMPLES = 2_000  # 95 % limits are steady to about a tenth of the interval's width
SEED = 20_240_601
_BLOCK = 4_000_000  # resampled values held in memory at a time

Doubles = NDArray[np.float64]
Grades = Mapping[str, float]  # product id -> grade, of one query


def ndcg(ranked: Sequence[str], grades: Grades, k: int = K) -> float:
    """Return nDCG@k: gain 2^grade - 1, discount log2(rank + 1), unjudged products gain nothing.

    The ideal ranking holds all judged products. 0.0 when nothing has a positive grade. Negative grades (spam in
    some qrels) count as 0. Discounted gain: Jarvelin & Kekalainen, "Cumulated gain-based evaluation of IR
    techniques", TOIS 2002; exponential gain: Burges et al., "Learning to rank using gradient descent", ICML 2005.
    """
    return _normalised([_gain(grades.get(product_id, 0.0)) for product_id in ranked[:k]], grades, k)


def judged_ndcg(ranked: Sequence[str], grades: Grades, k: int = K) -> float:
    """Return nDCG@k of the ranking without its unjudged products (the "condensed list").

    Judged products missing from the ranking follow in unknown order, so each of those places gains their mean:
    the expected value over all orders, as for ties in McSherry & Najork, "Computing information retrieval
    performance measures efficiently in the presence of tied scores", ECIR 2008. Condensed lists: Sakai,
    "Alternatives to Bpref", SIGIR 2007.
    """
    gains = [_gain(grades[product_id]) for product_id in ranked if product_id in grades]
    present = set(ranked)
    missing = [_gain(grade) for product_id, grade in grades.items() if product_id not in present]
    if missing:
        gains += [sum(missing) / len(missing)] * len(missing)
    return _normalised(gains[:k], grades, k)


def recall(ranked: Sequence[str], grades: Grades, k: int = RECALL_K, relevant_from: float = 1.0) -> float:
    """Return Recall@k: the share of the relevant products (grade >= relevant_from) among the first k ranks."""
    relevant = {product_id for product_id, grade in grades.items() if grade >= relevant_from}
    return len(relevant.intersection(ranked[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranked: Sequence[str], grades: Grades, k: int = K, relevant_from: float = 1.0) -> float:
    """Return RR@k: 1 / rank of the first relevant product, 0.0 when none is among the first k ranks.

    Source: Kantor & Voorhees, "The TREC-5 confusion track", 2000.
    """
    for rank, product_id in enumerate(ranked[:k], 1):
        if grades.get(product_id, -np.inf) >= relevant_from:
            return 1.0 / rank
    return 0.0


def judged_share(ranked: Sequence[str], grades: Grades, k: int = K) -> float:
    """Return judged@k: how many of the first k products shown were judged at all; 0.0 when none is shown."""
    shown = ranked[:k]
    return sum(product_id in grades for product_id in shown) / len(shown) if shown else 0.0


def relevant_from_of(judgments: Judgments) -> float:
    """Return the grade from which a product counts as relevant where relevance is yes or no.

    2 when grades reach 3; 1.33 when they reach 2 (a mean of three raters, two of whom agree); else the smallest
    grade above 0.
    """
    grades = [grade for graded in judgments.values() for grade in graded.values()]
    largest = max(grades, default=0.0)
    if largest >= 3:
        return 2.0
    if largest >= 2:
        return 1.33
    return min((grade for grade in grades if grade > 0), default=1.0)


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """Return {"mean", "low", "high"}, rounded to six digits."""
        return {"mean": round(self.mean, 6), "low": round(self.low, 6), "high": round(self.high, 6)}


@dataclass(frozen=True)
class Kind:
    """The queries of one kind: how many, and their mean."""

    queries: int
    interval: Interval

    def as_json(self) -> dict[str, float]:
        """Return {"queries", "mean", "low", "high"}."""
        return {"queries": self.queries, **self.interval.as_json()}


@dataclass(frozen=True)
class Evaluation:
    """A run measured against judgments.

    Attributes:
        query_ids: the q queries scored, in the order of the judgments.
        values: measure name -> (q,) float64, one value per query.
        intervals: measure name -> mean over the queries with its interval.
        relevant_from: grade from which a product is relevant for Recall, RR and for being scored at all.
        left_out: judged queries without a relevant product; they can tell no ranking from another.
        unanswered: queries scored 0 because the run holds nothing for them.
    """

    query_ids: tuple[str, ...]
    values: dict[str, Doubles]
    intervals: dict[str, Interval]
    relevant_from: float
    left_out: tuple[str, ...]
    unanswered: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return counts and metrics as JSON-ready data."""
        return {
            "queries": len(self.query_ids),
            "left_out": len(self.left_out),
            "unanswered": len(self.unanswered),
            "relevant_from": self.relevant_from,
            "metrics": {name: interval.as_json() for name, interval in self.intervals.items()},
        }

    def as_text(self) -> str:
        """Return a table for people."""
        lines = [f"{'measure':<18}{'mean':>7}   95 % interval"]
        lines += [f"{name:<18}{i.mean:7.3f}   {i.low:.3f} to {i.high:.3f}" for name, i in self.intervals.items()]
        lines.append(
            f"{len(self.query_ids)} queries scored ({len(self.unanswered)} without an answer); {len(self.left_out)} "
            f"left out: nothing of grade {self.relevant_from:g} or more was judged for them"
        )
        return "\n".join(lines)


def evaluate_run(
    run: Run,
    judgments: Judgments,
    *,
    judged_run: Run | None = None,
    relevant_from: float | None = None,
    k: int = K,
    recall_k: int = RECALL_K,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Evaluation:
    """Measure a run; every judged query with a relevant product counts, answered or not.

    Args:
        run: per query the products best first; the order decides, the scores are not read.
        judgments: query id -> product id -> grade.
        judged_run: rankings for judged-only nDCG, which may hold every judged product; default: `run`.
        relevant_from: see `relevant_from_of`, the default.
        k: depth of nDCG, RR and judged.
        recall_k: depth of Recall.
        resamples: bootstrap samples of the queries.
        seed: of the bootstrap.

    Raises:
        EvaluationError: no judged query has a relevant product, the run answers none of them, or it holds a
            product twice for a query.
    """
    relevant_from = relevant_from_of(judgments) if relevant_from is None else relevant_from
    scored = [query_id for query_id, grades in judgments.items() if _has_relevant(grades, relevant_from)]
    if not scored:
        raise EvaluationError(
            f"none of the {len(judgments)} judged queries has a product of grade {relevant_from:g} or more; "
            "judge some relevant products or lower the threshold"
        )
    if not any(run.get(query_id) for query_id in scored):
        raise EvaluationError(
            f'the run answers none of the {len(scored)} judged queries (the judgments have "{scored[0]}", the run '
            f'"{next(iter(run), "nothing")}"); do both use the same query ids?'
        )
    rankings = {query_id: _product_ids(run, query_id) for query_id in scored}
    judged = rankings if judged_run is None else {query_id: _product_ids(judged_run, query_id) for query_id in scored}
    pairs = [(rankings[query_id], judgments[query_id]) for query_id in scored]
    values = {
        f"nDCG@{k}": [ndcg(ranked, grades, k) for ranked, grades in pairs],
        f"nDCG@{k}(judged)": [judged_ndcg(judged[query_id], judgments[query_id], k) for query_id in scored],
        f"Recall@{recall_k}": [recall(ranked, grades, recall_k, relevant_from) for ranked, grades in pairs],
        f"RR@{k}": [reciprocal_rank(ranked, grades, k, relevant_from) for ranked, grades in pairs],
        f"judged@{k}": [judged_share(ranked, grades, k) for ranked, grades in pairs],
    }
    arrays = {name: np.array(column, np.float64) for name, column in values.items()}
    return Evaluation(
        query_ids=tuple(scored),
        values=arrays,
        intervals=bootstrap_intervals(arrays, resamples, seed),
        relevant_from=relevant_from,
        left_out=tuple(query_id for query_id in judgments if query_id not in rankings),
        unanswered=tuple(query_id for query_id in scored if not rankings[query_id]),
    )


def by_kind(evaluation: Evaluation, kinds: Mapping[str, str], measure: str = f"nDCG@{K}") -> dict[str, Kind]:
    """Return kind -> its count and mean, in alphabetical order; queries without a kind are left out.

    Args:
        evaluation: of all queries together.
        kinds: query id -> kind.
        measure: one of `evaluation.values`.
    """
    values: dict[str, list[float]] = {}
    for query_id, value in zip(evaluation.query_ids, evaluation.values[measure], strict=True):
        if query_id in kinds:
            values.setdefault(kinds[query_id], []).append(float(value))
    return {
        kind: Kind(len(of_kind), bootstrap_intervals({kind: np.array(of_kind)})[kind])
        for kind, of_kind in sorted(values.items())
    }


def bootstrap_intervals(
    values: Mapping[str, Doubles], resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Interval]:
    """Return per column the mean over queries and its 95 % percentile bootstrap interval.

    All columns are (q,) and see the same resampled queries. Source: Efron & Tibshirani, "An introduction to the
    bootstrap", 1993, chapter 13; for queries: Sakai, "Evaluating evaluation metrics based on the bootstrap",
    SIGIR 2006.
    """
    matrix = np.stack(list(values.values()))  # (measures, q)
    count = matrix.shape[1]
    random = np.random.default_rng(seed)
    block = max(1, _BLOCK // matrix.size)
    means = np.concatenate(
        [
            matrix[:, random.integers(0, count, (min(block, resamples - start), count))].mean(axis=2)
            for start in range(0, resamples, block)
        ],
        axis=1,
    )  # (measures, resamples)
    lows, highs = np.percentile(means, (2.5, 97.5), axis=1)
    return {
        name: Interval(float(column.mean()), float(low), float(high))
        for name, column, low, high in zip(values, matrix, lows, highs, strict=True)
    }


def _gain(grade: float) -> float:
    return 2.0 ** max(grade, 0.0) - 1.0


def _normalised(gains: Sequence[float], grades: Grades, k: int) -> float:
    """Return DCG of the gains over the DCG of the best possible k."""
    ideal = _dcg(sorted(map(_gain, grades.values()), reverse=True)[:k])
    return _dcg(gains) / ideal if ideal > 0 else 0.0


def _dcg(gains: Sequence[float]) -> float:
    # fsum: exact, so that gains of 0 at the end never change the last digit.
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _has_relevant(grades: Grades, relevant_from: float) -> bool:
    return any(grade >= relevant_from for grade in grades.values())


def _product_ids(run: Run, query_id: str) -> list[str]:
    """Return the run's products for a query, best first, each once."""
    product_ids = [product_id for product_id, _ in run.get(query_id, ())]
    if len(set(product_ids)) < len(product_ids):
        raise EvaluationError(f'query "{query_id}": the run ranks a product twice; keep its best place only')
    return product_ids
