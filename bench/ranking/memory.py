"""What remembering judged queries gives on queries that are not among them.

Usage: python bench/ranking/memory.py --queries FILE --judgments FILE [--index FOLDER] [--strength 1.0 ...]

Five folds by query: each is answered with the memory of the other four (indexer/learning). Prints the change of every
measure with its interval.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import search.scoring
from indexer.evaluation.engine_run import evaluate_engine
from indexer.evaluation.judgments import read_judgments, read_queries
from indexer.learning import with_learnt
from indexer.learning.folds import tried
from indexer.learning.memory import memory_of
from indexer.progress import Progress
from indexer.training import JudgedQueries
from search.engine import Engine
from search.memory import STRENGTH


@click.command()
@click.option("--queries", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--judgments", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--index", type=click.Path(exists=True, path_type=Path), default=None)
@click.option("--strength", type=float, multiple=True, default=(STRENGTH,), show_default=True)
def main(queries: Path, judgments: Path, index: Path | None, strength: tuple[float, ...]) -> None:
    """Print what memory changes."""
    engine = with_learnt(Engine.open(index), None, None)
    judged = JudgedQueries(read_queries(queries), read_judgments(judgments))
    progress = Progress()
    plain = evaluate_engine(engine, judged.queries, judged.judgments, on_progress=progress.step)
    print(plain.evaluation.as_text())
    for value in strength:
        search.scoring.STRENGTH = value  # type: ignore[attr-defined]  # the trial of another setting
        trial = tried(
            plain,
            judged,
            lambda seen: with_learnt(engine, memory_of(engine, judged, seen), None),
            lambda done, folds: progress.step("folds", done, folds),
        )
        print(f"strength {value:g}\n{trial.comparison.as_text()}", flush=True)


if __name__ == "__main__":
    main()
