"""What a server holds in memory: python bench/memory.py HOME [HOME ...] [--queries 2000] [--clients 8] [--json FILE]

Resident memory and proportional set size of `python app.py` in MiB, mapped files included, once it is ready, after its
first answer, and after so many searches of different texts, asked in ten ways by --clients at a time; `own` is what no
file stands behind, so what the system cannot drop.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.machine import memory_kb
from bench.served import serving
from bench.synthetic import Synthetic
from bench.traffic import traffic
from search.home import Home
from search.release import read_manifest

VARIED = (
    {}, {"page": "2"}, {"sort": "price:asc"}, {"in_stock": "1"}, {"price_max": "50"}, {"mode": "lexical"},
    {"mode": "dense"}, {"explain": "1"}, {"per_page": "60"}, {"facets": "none"},
)  # fmt: skip
WHEN = ("ready", "first", "later")
FIELDS = {"resident": ("VmRSS", "status"), "pss": ("Pss", "smaps_rollup"), "own": ("RssAnon", "status")}


def memory_of(process: int) -> dict[str, int]:
    """Return a process's `resident`, `pss` and `own` in MiB."""
    return {name: memory_kb(process, file, field) // 1024 for name, (field, file) in FIELDS.items()}


def paths(count: int) -> list[str]:
    """Return so many searches of different texts, asked in ten ways."""
    texts = Synthetic(1).queries(count)
    return [f"/api/v1/search?{urlencode({'q': text, **way})}" for text, way in zip(texts, cycle(VARIED))]


def measured(home: Path, count: int, clients: int) -> dict[str, Any]:
    """Return the memory of a home's server: ready, after its first answer, and after so many by so many clients."""
    with serving(home) as (address, server):
        ready = memory_of(server.pid)
        asked = paths(count)
        traffic(address, asked[:1], 1)
        first = memory_of(server.pid)
        found = traffic(address, asked[1:], clients)
        rows = read_manifest(Home(home).live())["rows"]
        return {"home": home.name, "products": rows, "clients": clients, "traffic": found.as_json(), "ready": ready,
                "first": first, "later": memory_of(server.pid)}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("homes", type=Path, nargs="+")
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    heads = " | ".join(f"{name}, {when}" for when in WHEN for name in FIELDS)
    print(f"| products | {heads} |\n|---:|{'---:|' * len(WHEN) * len(FIELDS)}")
    found = []
    for home in options.homes:
        one = measured(home, options.queries, options.clients)
        found.append(one)
        values = " | ".join(f"{one[when][name]:,}" for when in WHEN for name in FIELDS)
        print(f"| {one['products']:,} | {values} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
