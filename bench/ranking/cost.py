"""What ranking costs beyond its two legs, on one release and its queries.

Usage: python bench/ranking/cost.py --queries FILE [--index FOLDER] [--count 300]

Prints medians and 95th percentiles in milliseconds: the two legs (exact FAISS search to depth 1,000; BM25 scores and
coverage of every row), everything the ranking adds to them (identifiers, fusion, segments, feedback, smoothing), and
apart from it the look at the encoder's vocabulary that confidence is calibrated against. One query
at a time, one thread, vectors encoded beforehand; legs and ranking alternate query by query, so that noise of the
machine falls on both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from indexer.evaluation.judgments import read_queries
from search.arrays import best_positive
from search.engine import Engine
from search.release import Release
from search.request import SearchRequest
from search.retrieval import ranked
from search.scoring import first_look
from search.second_look import second_look


def milliseconds(call: Callable[[], object]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def legs(release: Release, text: str, vector: np.ndarray) -> None:
    """Run both legs as plain hybrid search would: both score every row and hand on their best."""
    release.dense.search(vector, release.ranking.pool)
    lexical = release.lexical.scores(release.lexical.term_ids(text))
    release.lexical.coverage(text)
    best_positive(lexical, release.ranking.pool)


def whole(release: Release, text: str, vector: np.ndarray) -> None:
    """Score and rank, as a search does."""
    ranked(release, second_look(release, first_look(release, text, vector, "hybrid")), 1000)


@click.command()
@click.option("--queries", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--index", type=click.Path(exists=True, path_type=Path), default=None)
@click.option("--count", default=300, show_default=True)
def main(queries: Path, index: Path | None, count: int) -> None:
    """Print the cost of the legs and of the whole ranking."""
    engine = Engine.open(index)
    release = engine.release
    texts = [SearchRequest(q=text).q for text in list(read_queries(queries).values())[:count]]
    vectors = engine.encoder.vectors(texts)
    times: dict[str, list[float]] = {"legs": [], "whole ranking": [], "confidence": []}
    for text, vector in zip(texts, vectors, strict=True):
        times["legs"].append(milliseconds(lambda t=text, v=vector: legs(release, t, v)))  # type: ignore[misc]
        times["whole ranking"].append(milliseconds(lambda t=text, v=vector: whole(release, t, v)))  # type: ignore[misc]
        times["confidence"].append(milliseconds(lambda v=vector: release.confidence.margin(v, 0.0, 0.0, 0.0)))  # type: ignore[misc]
    print(f"{release.rows:,} products, {len(texts)} queries")
    for name, values in times.items():
        print(f"{name:<14} median {np.median(values):7.2f} ms   p95 {np.percentile(values, 95):7.2f} ms")
    added = np.array(times["whole ranking"]) - np.array(times["legs"]) - np.array(times["confidence"])
    print(f"{'ranking adds':<14} median {np.median(added):7.2f} ms   p95 {np.percentile(added, 95):7.2f} ms")


if __name__ == "__main__":
    main()
