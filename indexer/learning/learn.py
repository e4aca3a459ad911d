"""The story of what judgments teach: first a memory of queries, then a ranker beside it, each on trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.evaluation.engine_run import EngineRun
from indexer.learning.folds import LEAST_QUERIES, tried
from indexer.learning.memory import memory_of
from indexer.learning.ranker import examples_of, fitted
from indexer.training import JudgedQueries
from search.engine import Engine
from search.memory import QueryMemory
from search.ranker import FEATURES, Ranker


@dataclass(frozen=True)
class Learnt:
    """What is kept, None where the trial was lost, and what the trials showed."""

    memory: QueryMemory | None
    memory_report: dict[str, Any]
    ranker: Ranker | None
    ranker_report: dict[str, Any]


def with_learnt(engine: Engine, memory: QueryMemory | None, ranker: Ranker | None) -> Engine:
    """Return an engine of the same release that uses these, and nothing else that judgments taught."""
    return Engine(replace(engine.release, memory=memory, ranker=ranker), engine.encoder)


def learn(
    engine: Engine, judged: JudgedQueries, plain: EngineRun, on_progress: Callable[[str, int, int], None]
) -> Learnt:
    """Return what these judgments teach this release.

    Args:
        engine: of the new release, without anything learnt.
        judged: the shop's judgments.
        plain: what the engine answers to them.
        on_progress: called with (what, done, total).
    """
    query_ids = plain.evaluation.query_ids
    if len(query_ids) < LEAST_QUERIES:
        reason = f"{len(query_ids)} judged queries have a relevant product; at least {LEAST_QUERIES} can prove anything"
        refused = {"adopted": False, "reason": reason}
        return Learnt(None, refused, None, refused)

    def remembering(seen: Sequence[str]) -> Engine:
        return with_learnt(engine, memory_of(engine, judged, seen), None)

    first = tried(plain, judged, remembering, lambda done, all_: on_progress("remembering, folds", done, all_))
    remembers = first.adopted
    examples = {one: examples_of(engine, judged, one, plain.evaluation.relevant_from) for one in query_ids}

    def ranking(seen: Sequence[str]) -> Engine:
        memory = memory_of(engine, judged, seen) if remembers else None
        return with_learnt(engine, memory, fitted([examples[one] for one in seen]))

    before = first.run if remembers else plain
    second = tried(before, judged, ranking, lambda done, all_: on_progress("learning to rank, folds", done, all_))
    ranker = fitted(list(examples.values()))
    weights = {name: round(float(weight), 4) for name, weight in zip(FEATURES, ranker.weights, strict=True)}
    return Learnt(
        memory_of(engine, judged, query_ids) if remembers else None,
        first.report(
            f"Past queries are remembered: {first.said}." if remembers else f"No query is remembered: {first.said}.",
            judged,
        ),
        ranker if second.adopted else None,
        second.report(
            f"The learnt ranker was adopted: {second.said}."
            if second.adopted
            else f"The ranking stays as it is: {second.said}.",
            judged,
        )
        | {"weights": weights},
    )
