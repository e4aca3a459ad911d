"""Proof on unseen queries: every judged query is answered once by what the other four fifths taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.evaluation.compare import Comparison, compare_evaluations
from indexer.evaluation.engine_run import EngineRun, evaluate_engine
from indexer.evaluation.measures import evaluate_run
from indexer.training import JudgedQueries
from indexer.training.chance import chance
from search.engine import Engine

FOLDS = 5
SEED = 20_261_124
LEAST_QUERIES = 50  # judged queries with a relevant product; fewer cannot prove anything


@dataclass(frozen=True)
class Trial:
    """One learner's answers to queries it had not learnt from, beside those without it.

    Attributes:
        run: its answers; comparison: against those before.
        adopted: whether the paired bootstrap's interval of the change in nDCG@10 lies above 0 and that of judged-only
            nDCG@10 does not lie below it.
    """

    run: EngineRun
    comparison: Comparison
    adopted: bool

    @property
    def said(self) -> str:
        """The figures as half a sentence."""
        change, among_judged = (self.comparison.differences[name].change for name in ("nDCG@10", "nDCG@10(judged)"))
        return (
            f"on judged queries it had not learnt from, nDCG@10 changed by {change.mean:+.3f} ({change.low:+.3f} to "
            f"{change.high:+.3f}), among judged products by {among_judged.mean:+.3f} ({among_judged.low:+.3f} to "
            f"{among_judged.high:+.3f})"
        )

    def report(self, reason: str, judged: JudgedQueries) -> dict[str, Any]:
        """Return the trial as JSON-ready data, with the texts of the queries it moved."""
        moved = (*self.comparison.gained, *self.comparison.lost)
        return {
            "adopted": self.adopted, "reason": reason, "queries": len(self.comparison.query_ids), "folds": FOLDS,
            "comparison": self.comparison.as_json(),
            "texts": {move.query_id: judged.queries[move.query_id] for move in moved},
        }  # fmt: skip


def tried(
    before: EngineRun,
    judged: JudgedQueries,
    taught: Callable[[Sequence[str]], Engine],
    on_progress: Callable[[int, int], None],
) -> Trial:
    """Return how a learner does on queries it has not seen.

    Args:
        before: the answers without it.
        judged: the shop's judgments.
        taught: returns an engine that has learnt from these query ids.
        on_progress: called with (fold, folds).
    """
    query_ids = before.evaluation.query_ids
    order = list(range(len(query_ids)))
    chance(SEED, "folds").shuffle(order)
    run, judged_run = dict(before.run), dict(before.judged_run)
    for fold in range(FOLDS):
        on_progress(fold, FOLDS)
        unseen = {query_ids[place]: judged.judgments[query_ids[place]] for place in order[fold::FOLDS]}
        answers = evaluate_engine(taught([one for one in query_ids if one not in unseen]), judged.queries, unseen)
        run |= answers.run
        judged_run |= answers.judged_run
    on_progress(FOLDS, FOLDS)
    learnt = EngineRun(run, judged_run, evaluate_run(run, judged.judgments, judged_run=judged_run))
    comparison = compare_evaluations(before.evaluation, learnt.evaluation)
    change, among_judged = (comparison.differences[name].change for name in ("nDCG@10", "nDCG@10(judged)"))
    return Trial(learnt, comparison, change.low > 0 and among_judged.high >= 0)
