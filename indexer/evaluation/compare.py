"""Two runs side by side: the mean difference with its interval, wins and losses, the queries that moved most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.evaluation.judgments import Judgments, Run
from indexer.evaluation.measures import (
    RESAMPLES,
    SEED,
    Doubles,
    Evaluation,
    Interval,
    bootstrap_intervals,
    evaluate_run,
)

MOVED = 10  # queries shown as moved most, in each direction
_TIE = 1e-9  # below this a difference is rounding


@dataclass(frozen=True)
class Difference:
    """One measure of B against A, query by query.

    Attributes:
        mean_a, mean_b: means over the queries.
        change: mean of B - A with its 95 % interval; positive is better.
        wins, losses, ties: queries on which B is better, worse, equal.
    """

    mean_a: float
    mean_b: float
    change: Interval
    wins: int
    losses: int
    ties: int

    @property
    def verdict(self) -> str:
        """ "better" or "worse" when the interval excludes 0, else "no clear difference"."""
        if self.change.low > 0:
            return "better"
        return "worse" if self.change.high < 0 else "no clear difference"

    def as_json(self) -> dict[str, Any]:
        """Return the difference as JSON-ready data."""
        return {
            "a": round(self.mean_a, 6),
            "b": round(self.mean_b, 6),
            "change": self.change.as_json(),
            "wins": self.wins,
            "losses": self.losses,
            "ties": self.ties,
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Move:
    """A query's value before (A) and after (B)."""

    query_id: str
    a: float
    b: float

    def as_json(self) -> dict[str, Any]:
        """Return the move as JSON-ready data."""
        return {"query_id": self.query_id, "a": round(self.a, 6), "b": round(self.b, 6)}


@dataclass(frozen=True)
class Comparison:
    """Run B against run A on the same queries.

    Attributes:
        query_ids: the queries scored, in the order of the judgments.
        differences: measure name -> Difference.
        moved_by: the measure, the first, that orders gained and lost.
        gained, lost: the queries that moved most, largest move first.
        left_out: judged queries without a relevant product.
    """

    query_ids: tuple[str, ...]
    differences: dict[str, Difference]
    moved_by: str
    gained: tuple[Move, ...]
    lost: tuple[Move, ...]
    left_out: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as JSON-ready data."""
        return {
            "queries": len(self.query_ids),
            "left_out": len(self.left_out),
            "metrics": {name: difference.as_json() for name, difference in self.differences.items()},
            "moved_by": self.moved_by,
            "gained": [move.as_json() for move in self.gained],
            "lost": [move.as_json() for move in self.lost],
        }

    def as_text(self) -> str:
        """Return a table for people."""
        head = f"{'measure':<18}{'A':>7}{'B':>7}{'B - A':>9}   {'95 % interval':<19}{'wins':>5}{'losses':>7}{'ties':>6}"
        lines = [head, *(_row(name, difference) for name, difference in self.differences.items())]
        for title, moves in (("gained", self.gained), ("lost", self.lost)):
            if moves:
                lines += ["", f"{title} most {self.moved_by}:"]
                lines += [f"  {move.query_id:<24} {move.a:.3f} -> {move.b:.3f}" for move in moves]
        lines += [
            "",
            f"{len(self.query_ids)} queries compared, {len(self.left_out)} without a relevant product left out",
        ]
        return "\n".join(lines)


def compare(
    run_a: Run,
    run_b: Run,
    judgments: Judgments,
    *,
    relevant_from: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Comparison:
    """Compare two runs by a paired bootstrap over the queries: each resample draws the same queries for both.

    Raises:
        EvaluationError: as `evaluate_run`, for either run.
    """
    evaluation_a = evaluate_run(run_a, judgments, relevant_from=relevant_from, resamples=1, seed=seed)
    evaluation_b = evaluate_run(run_b, judgments, relevant_from=relevant_from, resamples=1, seed=seed)
    return compare_evaluations(evaluation_a, evaluation_b, resamples=resamples, seed=seed)


def compare_evaluations(a: Evaluation, b: Evaluation, *, resamples: int = RESAMPLES, seed: int = SEED) -> Comparison:
    """Compare two evaluations made with the same judgments, measures and threshold.

    Raises:
        ValueError: they were not.
    """
    if a.query_ids != b.query_ids or list(a.values) != list(b.values) or a.relevant_from != b.relevant_from:
        raise ValueError("the two evaluations have other queries, measures or thresholds and cannot be paired")
    changes = {name: b.values[name] - a.values[name] for name in a.values}
    intervals = bootstrap_intervals(changes, resamples, seed)
    first = next(iter(changes))
    return Comparison(
        query_ids=a.query_ids,
        differences={name: _difference(a.values[name], b.values[name], intervals[name]) for name in changes},
        moved_by=first,
        gained=_moved(a, b, first, -changes[first]),
        lost=_moved(a, b, first, changes[first]),
        left_out=a.left_out,
    )


def _difference(a: Doubles, b: Doubles, change: Interval) -> Difference:
    wins, losses = int(np.sum(b - a > _TIE)), int(np.sum(a - b > _TIE))
    return Difference(float(a.mean()), float(b.mean()), change, wins, losses, len(a) - wins - losses)


def _moved(a: Evaluation, b: Evaluation, name: str, keys: Doubles) -> tuple[Move, ...]:
    """Return the queries with the smallest keys below zero, smallest first, equal ones in judgment order."""
    order = [place for place in np.argsort(keys, kind="stable")[:MOVED] if keys[place] < -_TIE]
    return tuple(Move(a.query_ids[i], float(a.values[name][i]), float(b.values[name][i])) for i in order)


def _row(name: str, difference: Difference) -> str:
    change = difference.change
    interval = f"{change.low:+.3f} to {change.high:+.3f}"
    return (
        f"{name:<18}{difference.mean_a:7.3f}{difference.mean_b:7.3f}{change.mean:+9.3f}   {interval:<19}"
        f"{difference.wins:5}{difference.losses:7}{difference.ties:6}  {difference.verdict}"
    )
