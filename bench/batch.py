"""What asking in batches saves: python bench/batch.py [HOME] [QUERIES.csv]

Fifty real queries, one after the other through POST /api/v1/search, then in one POST /api/v1/search:batch, in this
process, in turns, so that what else the machine does falls on both. Before each turn the engine forgets the vectors and
scores of all queries. Prints milliseconds of the clock and of the processor, their ratios, and the encoder's calls.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from app import create_app
from indexer.evaluation.judgments import read_queries
from search.engine import Engine
from search.known_answers import KnownAnswers
from search.remembered import Remembered
from web.api.schemas import MAX_BATCH
from web.live import FixedEngine

QUERIES = Path(__file__).parent.parent / "catalog" / "queries.csv"
ROUNDS = 5


class _Counted:
    """An encoder that counts the calls for queries."""

    def __init__(self, encoder: Any):
        self._encoder, self.calls = encoder, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_queries(self, texts: Any) -> Any:
        """Encode, and count."""
        self.calls += 1
        return self._encoder.encode_queries(texts)


def main() -> None:
    """Measure and print."""
    home, *rest = sys.argv[1:] or [None]
    engine = Engine.open(home)
    engine.encoder.vectors(["warm-up"])
    encoder = engine.encoder._encoder = _Counted(engine.encoder._encoder)
    texts = list(dict.fromkeys(read_queries(rest[0] if rest else QUERIES).values()))[:MAX_BATCH]
    bodies = [{"q": text} for text in texts]
    client = create_app(engine=FixedEngine(engine)).test_client()
    client.post("/api/v1/search:batch", json={"queries": bodies})  # the sentences of what is shown are known from here
    spent: dict[str, list[float]] = {"single": [], "batch": []}
    worked: dict[str, list[float]] = {"single": [], "batch": []}
    calls = dict.fromkeys(spent, 0)
    for _ in range(ROUNDS):
        for name in spent:
            engine.encoder._vectors.clear()
            engine.queries._scored, engine._answers = Remembered(1), KnownAnswers(engine.release.products)
            encoder.calls, started, began = 0, time.perf_counter(), time.process_time()
            if name == "batch":
                assert client.post("/api/v1/search:batch", json={"queries": bodies}).status_code == 200
            else:
                assert all(client.post("/api/v1/search", json=body).status_code == 200 for body in bodies)
            spent[name].append((time.perf_counter() - started) * 1000)
            worked[name].append((time.process_time() - began) * 1000)
            calls[name] = encoder.calls
    print(f"{engine.release.name}: {engine.release.rows:,} products, {len(texts)} queries, {ROUNDS} rounds")
    for kind, of in (("clock", spent), ("processor", worked)):
        single, batch = (np.array(of[name]) for name in spent)
        ratios = single / batch
        print(f"{kind}: single {np.median(single):.0f} ms, batch {np.median(batch):.0f} ms, single / batch "
              f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")  # fmt: skip
    print(f"encoder calls: single {calls['single']}, batch {calls['batch']}")


if __name__ == "__main__":
    main()
