"""How long an answer takes on the live release: python bench/latency.py [QUERIES.csv]

Every query is asked once cold (its text was never encoded) and once warm (vector and scores remembered), through
Engine.search with facets, clusters and a page of hits, one after the other on one thread.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from indexer.evaluation.judgments import read_queries
from search import Engine

QUERIES = Path(__file__).parent.parent / "catalog" / "queries.csv"


def milliseconds(engine: Engine, texts: list[str]) -> np.ndarray:
    """Return (n,) milliseconds of one search each."""
    spent = []
    for text in texts:
        started = time.perf_counter()
        engine.search(text)
        spent.append((time.perf_counter() - started) * 1000)
    return np.array(spent)


def main() -> None:
    """Print p50, p95 and the slowest, cold and warm."""
    texts = list(read_queries(sys.argv[1] if len(sys.argv) > 1 else QUERIES).values())
    engine = Engine.open()
    started = time.perf_counter()
    engine.encoder.vectors(["warm-up"])
    ready = time.perf_counter() - started
    print(f"{engine.release.name}: {engine.release.rows:,} products; encoder ready in {ready:.1f} s")
    for name, chosen in (("cold", texts), ("warm", texts[-16:])):
        spent = milliseconds(engine, chosen)
        p50, p95 = np.percentile(spent, [50, 95])
        print(f"{name}: {len(chosen)} queries, p50 {p50:.1f} ms, p95 {p95:.1f} ms, slowest {spent.max():.1f} ms")


if __name__ == "__main__":
    main()
