"""What a server holds in memory: python bench/memory.py HOME [HOME ...] [--queries N] [--json FILE]

Resident memory and proportional set size of `python app.py` in MiB, mapped files included, once it is ready and after
so many varied queries; `own` is what no file stands behind, so what the system cannot drop.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.served import ROOT, serving
from indexer.evaluation.judgments import read_queries

QUERIES = ROOT / "catalog" / "queries.csv"
VARIED = (
    {}, {"page": "2"}, {"sort": "price:asc"}, {"in_stock": "1"}, {"price_max": "50"}, {"mode": "lexical"},
    {"mode": "dense"}, {"explain": "1"}, {"per_page": "60"}, {"facets": "none"},
)  # fmt: skip
FIELDS = {"resident": ("VmRSS", "status"), "pss": ("Pss", "smaps_rollup"), "own": ("RssAnon", "status")}


def memory_of(process: int) -> dict[str, int]:
    """Return a process's `resident`, `pss` and `own` in MiB."""
    found = {}
    for name, (field, file) in FIELDS.items():
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
        found[name] = next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) // 1024
    return found


def queries() -> Iterator[str]:
    """Yield query strings, the sample's queries asked in every way, without end."""
    texts = list(read_queries(QUERIES).values())
    for number, (way, text) in enumerate(product(VARIED, texts)):
        # Every other text is a new one, so that vectors are encoded and caches fill.
        yield urlencode({"q": text if number % 2 else f"{text} {number}", **way})


def measured(home: Path, count: int) -> dict[str, Any]:
    """Return the memory of a home's server, ready and after so many queries."""
    with serving(home) as (address, server):
        ready = memory_of(server.pid)
        answered = 0
        for query in islice(queries(), count):
            with urllib.request.urlopen(f"{address}/api/v1/search?{query}") as answer:  # noqa: S310 - our own server
                answered += bool(json.load(answer)["hits"])
        with urllib.request.urlopen(f"{address}/api/v1/search") as answer:  # noqa: S310 - our own server
            rows = json.load(answer)["total"]
        return {"home": home.name, "products": rows, "answered": answered, "ready": ready,
                "later": memory_of(server.pid)}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("homes", type=Path, nargs="+")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    heads = " | ".join(f"{name}, {when}" for when in ("ready", "later") for name in FIELDS)
    print(f"| products | {heads} |\n|---:|{'---:|' * 2 * len(FIELDS)}")
    found = []
    for home in options.homes:
        one = measured(home, options.queries)
        found.append(one)
        values = " | ".join(f"{one[when][name]:,}" for when in ("ready", "later") for name in FIELDS)
        print(f"| {one['products']:,} | {values} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
