"""The API under many more invented requests than the tests send: schemathesis, other seeds, a catalog of your own.

    python bench/fuzz.py --examples 1000 --seeds 5
    python bench/fuzz.py --home instance --examples 300      # a real release, its real encoder

Prints what was asked, what was answered, and every failure; exit code 1 when there is one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent))

from api_fuzzing import WORDS, fuzzed
from conftest import SHOP, open_engine, write_release
from release_homes import ONE, THREE, TWO, home_of_three

from app import create_app
from search.engine import Engine
from search.state.keys import SCOPES, KeyFile
from web.live import FixedEngine
from web.settings import Settings


def main() -> int:
    """Fuzz and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="a home with a live release; the tests' small shop when left out")
    parser.add_argument("--examples", type=int, default=500, help="of each operation, valid and invalid ones each")
    parser.add_argument("--seeds", type=int, default=1, help="runs, each with another seed")
    asked = parser.parse_args()
    failures: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine.open(asked.home) if asked.home else open_engine(write_release(Path(folder) / "shop", SHOP))
        engine.encoder.vectors(["ready"])
        first = engine.release.products.products([0])[0]
        words = (*WORDS, first.id, first.title[:100], engine.release.name, ONE, TWO, THREE)
        home = home_of_three(Path(folder) / "home")  # whose releases the admin routes switch; events are kept there
        key = KeyFile(home.keys).create("fuzz", list(SCOPES))[1]
        app = create_app(Settings(home=home.root, rate_limit=None), FixedEngine(engine))
        for seed in range(1, asked.seeds + 1):
            started = time.perf_counter()
            run = fuzzed(app, asked.examples, seed, words, key=key)
            took = time.perf_counter() - started
            statuses = ", ".join(f"{status}: {count}" for status, count in sorted(run.statuses.items()))
            print(f"seed {seed}: {sum(run.cases.values())} requests, {sum(run.checks.values())} checks, {took:.0f} s")
            print(f"  {dict(run.cases)}; {statuses}; {len(run.failures)} failures", flush=True)
            failures.update(run.failures)
    for text, times in failures.items():
        print(f"\n{times} times: {text:.2000}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
