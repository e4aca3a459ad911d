"""How well a release knows that nothing fits: real queries against ones that the catalog cannot answer.

Usage: python bench/confidence.py --queries FILE --judgments FILE --negatives FILE [--negatives FILE] [--index FOLDER]

Real queries are those with a product of grade 2 or more. The negatives in bench/confidence/ are ours: `common.txt`
holds services, questions, food, animals and gibberish for every catalog, the other files goods that the named catalog
lacks; each was read beside what the catalog shows for it before it was scored, and those that something answers were
taken out. Prints the area under the ROC curve of `confidence_score` with a 95 % bootstrap interval, and how many of
either side are called good. Judged queries without any answer are counted apart.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.evaluation.judgments import read_judgments, read_queries
from search.engine import Engine

RELEVANT_FROM = 2.0
SAMPLES = 2000


def confidence_of(engine: Engine, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) float64 confidence scores and (n,) bool, whether the answer is called good."""
    answers = [engine.search(text[:512], per_page=1) for text in texts]
    return np.array([one.confidence_score for one in answers]), np.array([one.confidence == "good" for one in answers])


def auc_interval(real: np.ndarray, negative: np.ndarray) -> tuple[float, float, float]:
    """Return the area under the ROC curve and its 95 % bootstrap interval over the queries of both sides."""

    def area(a: np.ndarray, b: np.ndarray) -> float:
        return float(roc_auc_score(np.r_[np.ones(len(a)), np.zeros(len(b))], np.r_[a, b]))

    chance = np.random.default_rng(7)
    drawn = [area(chance.choice(real, len(real)), chance.choice(negative, len(negative))) for _ in range(SAMPLES)]
    return area(real, negative), *np.quantile(drawn, [0.025, 0.975])


@click.command()
@click.option("--queries", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--judgments", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--negatives", type=click.Path(exists=True, path_type=Path), required=True, multiple=True)
@click.option("--index", type=click.Path(exists=True, path_type=Path), default=None)
def main(queries: Path, judgments: Path, negatives: tuple[Path, ...], index: Path | None) -> None:
    """Print the area under the ROC curve and the operating point."""
    engine = Engine.open(index)
    texts, grades = read_queries(queries), read_judgments(judgments)
    best = {query: max(found.values(), default=0.0) for query, found in grades.items() if query in texts}
    real, real_good = confidence_of(engine, [texts[query] for query, grade in best.items() if grade >= RELEVANT_FROM])
    unanswered = [texts[query] for query in texts if best.get(query, 0.0) <= 0]
    asked = [line for path in negatives for line in path.read_text("utf-8").splitlines() if line]
    negative, negative_good = confidence_of(engine, asked)
    area, low, high = auc_interval(real, negative)
    click.echo(f"release {engine.release.name}: {len(real)} real queries, {len(negative)} negatives")
    click.echo(f"AUC {area:.3f} ({low:.3f} to {high:.3f})")
    click.echo(f"called good: {real_good.mean():.1%} of the real ones, {negative_good.mean():.1%} of the negatives")
    if unanswered:
        _, good = confidence_of(engine, unanswered)
        click.echo(f"judged queries without any answer: {len(unanswered)}, of which {good.sum()} are called good")


if __name__ == "__main__":
    main()
