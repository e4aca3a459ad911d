"""Where the time of an answer goes: python bench/stages.py [--index FOLDER] [--queries CSV] [--rounds N] [--json FILE]

Every query is asked for the first time as far as words and scores go (what the engine remembers of it is dropped), its
vector is remembered. Times are of the thread alone (`time.thread_time`), so that other work on the machine counts for
little; a stage's time is its own, without that of the stages within it.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import search.answer
import search.engine
import search.queries
from indexer.evaluation.judgments import read_queries
from search.engine import Engine
from search.known_answers import KnownAnswers
from search.lexical import LexicalIndex
from search.remembered import Remembered
from search.request import SearchRequest

QUERIES = Path(__file__).parents[1] / "catalog" / "queries.csv"


class Clock:
    """Tells how long each stage took, without the stages inside it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inside = [0.0]  # time of the stages within each open one

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, its time told under this stage."""

        def timed(*args: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            started = time.thread_time()
            try:
                return function(*args, **named)
            finally:
                whole = time.thread_time() - started
                self.spent[stage] += whole - self._inside.pop()
                self._inside[-1] += whole

        return timed


def watched(engine: Engine, clock: Clock) -> None:
    """Put the clock around the stages of an engine."""
    release = engine.release
    parts: list[tuple[str, Any, Sequence[str]]] = [
        ("understanding", engine.queries, ["readings"]),
        ("dense", release.dense, ["search", "gathered", "scores_of"]),
        ("segments", release.segments, ["gathered"]),
        ("confidence", release.confidence, ["score"]),
        ("second look", search.queries, ["second_look"]),
        ("scoring, the rest", engine.queries, ["scored"]),
        ("relevant set", search.answer, ["relevant", "ordered"]),
        ("relevant set", search.engine, ["less_relevant"]),
        ("facets", search.answer, ["counted_facets"]),
        ("clusters", search.answer, ["counted_clusters"]),
        ("hits", search.engine, ["hits_of"]),
        ("the rest", engine, ["search"]),
    ]
    for stage, owner, names in parts:
        for name in names:
            setattr(owner, name, clock.timed(stage, getattr(owner, name)))
    for name in ("matches", "scores", "coverage", "best_title_coverage", "identified"):
        if hasattr(LexicalIndex, name):  # frozen, so on the class
            setattr(LexicalIndex, name, clock.timed("words", getattr(LexicalIndex, name)))


def forgotten(engine: Engine) -> None:
    """Drop what the engine remembers of queries, but not their vectors."""
    engine._answers, engine.queries._scored = KnownAnswers(engine.release.products), Remembered(1)
    for name in ("_matches", "_remembered_terms"):
        engine.release.lexical.__dict__.pop(name, None)


def measured(engine: Engine, texts: Sequence[str], rounds: int, **parameters: Any) -> dict[str, np.ndarray]:
    """Return stage -> (n,) milliseconds of each query, the least of some rounds; "total" is their sum."""
    engine.encoder.vectors(list(texts))
    clock = Clock()
    watched(engine, clock)
    spent: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in texts])
    for _ in range(rounds):
        for place, text in enumerate(texts):
            forgotten(engine)
            clock.spent.clear()
            engine.search(SearchRequest(q=text, **parameters))
            for stage, seconds in clock.spent.items():
                spent[stage][place].append(seconds * 1000)
            spent["total"][place].append(sum(clock.spent.values()) * 1000)
    return {stage: np.array([min(one, default=0.0) for one in each]) for stage, each in spent.items()}


def table(stages: dict[str, np.ndarray]) -> str:
    """Return the median and the 99th percentile of every stage, as text."""
    lines = [f"{'stage':<20}{'p50 ms':>9}{'p99 ms':>9}"]
    for stage, each in sorted(stages.items(), key=lambda one: one[0] == "total"):
        lines.append(f"{stage:<20}{np.median(each):9.3f}{np.percentile(each, 99):9.3f}")
    return "\n".join(lines)


@click.command()
@click.option("--index", type=click.Path(exists=True, path_type=Path), default=None, help="A home or release folder.")
@click.option("--queries", type=click.Path(exists=True, path_type=Path), default=QUERIES)
@click.option("--limit", default=100, show_default=True, help="Most queries.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--fold", is_flag=True, help="Count products in place of rows.")
@click.option("--json", "out", type=click.Path(path_type=Path), default=None, help="Where to write every number.")
def main(index: Path | None, queries: Path, limit: int, rounds: int, fold: bool, out: Path | None) -> None:
    """Print where the time of an answer goes."""
    engine = Engine.open(index)
    texts = list(read_queries(queries).values())[:limit]
    stages = measured(engine, texts, rounds, fold=fold)
    print(f"{engine.release.name}: {engine.release.rows:,} products, {len(texts)} queries, best of {rounds} rounds")
    print(table(stages))
    if out:
        found = {stage: [round(ms, 4) for ms in each.tolist()] for stage, each in stages.items()}
        out.write_text(json.dumps({"rows": engine.release.rows, "queries": texts, "ms": found}), "utf-8")


if __name__ == "__main__":
    main()
