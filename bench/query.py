"""How long an answer takes beside the least it could: python bench/query.py HOME... [--texts 300] [--seconds 10]

For each home a server of its own, asked over HTTP on connections that stay open: hybrid, facets and clusters on, 24
hits. Cold: texts that were never asked. Again: the same, three times as many others asked since. Cached: the same texts
once more with 23 hits; their vectors are remembered, but no answer is and the scores are forgotten, so all else is done
again. Next page: the second page of what was just asked, whose scores are remembered. Filtered: new texts under one
filter. The floor, measured bare in a process of its own right
before and after, is one encoding in ONNX Runtime and one exact scan on one thread (bench/floor.py). The server lets 32
wait instead of refusing some; what 8 and 32 clients get of texts that are all new, and 32 of texts that are asked as
visitors ask (bench/traffic.py), is measured with one process and with one per CPU, or with --processes. Homes of
synthetic catalogs: bench/synthetic.py.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.floor import floor
from bench.machine import machine, memory_mb
from bench.served import PATIENT, serving
from bench.synthetic import Synthetic
from bench.traffic import Traffic, as_shops_are_asked, traffic
from search.cpus import available_cpus
from search.home import Home
from search.release import read_manifest

FILTERS = {
    "in stock": {"in_stock": "1"},
    "a rare colour": {"f.color": "pink"},  # of .8 % of the products
    "under a price": {"price_max": 9},
}
CLIENTS = (8, 32)
ASKED = 20_000  # texts that are asked as shops are
LAST = 32  # of the texts asked last: the server still has their scores
_STAGE = re.compile(r"([\w-]+);dur=([\d.]+)")


def paths(texts: list[str], **parameters: Any) -> list[str]:
    """Return the address of each search, without host."""
    return [f"/api/v1/search?{urlencode({'q': text, **parameters})}" for text in texts]


def stages_ms(measured: Traffic) -> dict[str, float]:
    """Return the median milliseconds that `Server-Timing` tells of each stage."""
    told: dict[str, list[float]] = {}
    for exchange in measured.exchanges:
        for name, spent in _STAGE.findall(exchange.headers.get("server-timing", "")):
            told.setdefault(name, []).append(float(spent))
    return {name: _median(spent) for name, spent in told.items()}


def many_clients(home: Path, processes: int, texts: list[str], seconds: float) -> dict[str, Any]:
    """Return what many clients get of a server of so many processes, and what it holds in memory then."""
    with serving(home, AISLE_PROCESSES=str(processes), **PATIENT) as (address, server):
        traffic(address, paths(texts[:200]), 8)  # warm
        new, known = texts[200:-ASKED], paths(texts[-ASKED:])
        told = [
            traffic(address, paths(new[place :: len(CLIENTS)]), clients, seconds).as_json()
            for place, clients in enumerate(CLIENTS)
        ]
        shop = traffic(address, as_shops_are_asked(known, 10 * ASKED), CLIENTS[-1], seconds).as_json()
        return {"processes": processes, "clients": told, "shop": shop, **memory_mb(server.pid)}


def queries(home: Path, count: int, seconds: float, processes: tuple[int, ...]) -> dict[str, Any]:
    """Measure one home; see the module."""
    texts = Synthetic(1).queries(count * (3 + len(FILTERS)) + len(processes) * (ASKED + 20_000))
    parts = [texts[start : start + count] for start in range(0, len(texts), count)]
    before = floor(home, parts[0])
    with serving(home, **PATIENT) as (address, _):
        traffic(address, paths(parts[1]), 4)  # warm
        cold = traffic(address, paths(parts[2]), 1)
        filtered = {
            name: traffic(address, paths(texts_of, **parameters), 1)
            for (name, parameters), texts_of in zip(FILTERS.items(), parts[3:], strict=False)
        }
        again = traffic(address, paths(parts[2]), 1)
        cached = traffic(address, paths(parts[2], per_page=23), 1)
        next_page = traffic(address, paths(parts[2][-LAST:], page=2, per_page=23), 1)
    rest = texts[count * (3 + len(FILTERS)) :]
    many = [many_clients(home, each, rest[place :: len(processes)], seconds) for place, each in enumerate(processes)]
    least = np.concatenate([before, floor(home, parts[0])])
    floor_told = {
        "encode_ms": _median(least[:, 0]),
        "scan_ms": _median(least[:, 1]),
        "p50_ms": _median(least.sum(axis=1)),
    }
    told = cold.as_json()
    return {
        "rows": read_manifest(Home(home).live())["rows"], "floor": floor_told, "cold": told,
        "ratio_p50": round(told["p50_ms"] / floor_told["p50_ms"], 2),
        "ratio_p99": round(told["p99_ms"] / floor_told["p50_ms"], 2),
        "stages_ms": stages_ms(cold), "cached": cached.as_json(), "cached_stages_ms": stages_ms(cached),
        "next_page": next_page.as_json(), "again": again.as_json(),
        "filtered": {name: one.as_json() for name, one in filtered.items()},
        "many": many,
    }  # fmt: skip


def _median(numbers: Any) -> float:
    return round(float(np.median(numbers)), 2)


def table(report: dict[str, Any]) -> str:
    """Return the report as a Markdown table."""
    lines = [
        "| products | floor p50 ms | cold p50 / p99 ms | to the floor | cached p50 / p99 ms | next page p50 / p99 ms | "
        "again p50 ms | filtered p50 ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in report["homes"]:
        filtered = ", ".join(f"{name} {told['p50_ms']}" for name, told in one["filtered"].items())
        lines.append(
            f"| {one['rows']:,} | {one['floor']['p50_ms']} | {one['cold']['p50_ms']} / {one['cold']['p99_ms']} | "
            f"{one['ratio_p50']} x / {one['ratio_p99']} x | {one['cached']['p50_ms']} / {one['cached']['p99_ms']} | "
            f"{one['next_page']['p50_ms']} / {one['next_page']['p99_ms']} | {one['again']['p50_ms']} | {filtered} |"
        )
    lines += [
        "",
        "| products | processes | " + " | ".join(f"{clients} clients per s, p50 / p99 ms" for clients in CLIENTS)
        + f" | {CLIENTS[-1]} as shops are asked | resident MB | proportional MB |",
        "|---|---|" + "---|" * (len(CLIENTS) + 3),
    ]  # fmt: skip
    for one in report["homes"]:
        for each in one["many"]:
            got = " | ".join(
                f"{told['per_s']}, {told['p50_ms']:.0f} / {told['p99_ms']:.0f}"
                for told in (*each["clients"], each["shop"])
            )
            memory = f"{each['resident_mb']:.0f} | {each['proportional_mb']:.0f}"
            lines.append(f"| {one['rows']:,} | {each['processes']} | {got} | {memory} |")
    return "\n".join(lines)


@click.command(help=(__doc__ or "").split("\n")[0])
@click.argument("homes", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--texts", default=300, show_default=True, help="asked in each condition")
@click.option("--seconds", default=10.0, show_default=True, help="of the load by 8 and by 32 clients")
@click.option("--processes", multiple=True, type=int, help="of the server under load; 1 and one per CPU when left out")
@click.option("--json", "as_json", is_flag=True)
def main(homes: tuple[Path, ...], texts: int, seconds: float, processes: tuple[int, ...], as_json: bool) -> None:
    """Measure and print."""
    numbers = processes or tuple(sorted({1, available_cpus()}))
    report = {"machine": machine(), "homes": [queries(home, texts, seconds, numbers) for home in homes]}
    print(json.dumps(report, indent=1) if as_json else f"{report['machine']}\n\n{table(report)}")


if __name__ == "__main__":
    main()
