"""What a server does when more is asked of it than it can do: python bench/load.py [--home FOLDER] [--minutes 10]

Starts `python app.py` on a home, finds how many searches a second it can serve (clients that ask again as soon as they
are answered), then offers a multiple of that from this other process: arrivals by a Poisson schedule whether or not
earlier ones were answered, each latency counted from when its request was due, so that a server that stalls is not
spared the requests it kept waiting. Then nothing, and probes until answers are as quick as they were before.

Searches are hybrid with facets and clusters, on people's query texts where the shared data is there, else on titles
of the catalog. Some are asked again (page 2, or a filter's worth of counts), as shoppers do. /healthz, /metrics and
suggestions are asked once a second beside them. Memory is what is the server's own, without the files it maps.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
import random
import sqlite3
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.machine import family, own_mb
from bench.served import serving
from search.home import Home

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
QUERY_FILES = ("chorus_icecat/queries.csv", "queries_only/bestbuy_suggestions.csv", "queries_only/esci_us_queries.csv")
AGAIN = 0.2  # share of searches that ask for one of the last fifty again
IN_A_ROW = 5  # probes that are quick again make an end of the trouble
GIVES_UP = 30.0  # seconds until a client stops waiting
BESIDE = ("/healthz", "/metrics", "/api/v1/suggest?q=wire")


@dataclass(frozen=True)
class Answer:
    """One request: when it was due (seconds since the start), its status (0: no answer) and latency in ms."""

    due: float
    status: int
    ms: float
    kind: str = "search"
    retry: bool = False


def query_texts(home: Home, seed: int) -> list[str]:
    """Return people's query texts where the shared data is there, else titles of the live release, shuffled."""
    texts: list[str] = []
    for name in QUERY_FILES:
        if (SHARED / name).is_file():
            with (SHARED / name).open(encoding="utf-8", newline="") as file:
                texts += [row["query"] for row in csv.DictReader(file)]
    if not texts:
        with sqlite3.connect(f"file:{home.live().products}?mode=ro", uri=True) as store:
            texts = [title for (title,) in store.execute("SELECT title FROM products LIMIT 20000")]
    texts = list(dict.fromkeys(text.strip()[:200] for text in texts if text.strip()))
    random.Random(seed).shuffle(texts)
    return texts


class Shoppers:
    """Gives the address of one search after the other: new texts, and some of the last ones again."""

    def __init__(self, texts: list[str], seed: int):
        self._texts, self._next, self._random = texts, 0, random.Random(seed)
        self._recent: list[str] = []

    def address(self) -> str:
        """Return the path and query of the next search."""
        if self._recent and self._random.random() < AGAIN:
            again = {"q": self._random.choice(self._recent), "page": self._random.choice((1, 2))}
            return f"/api/v1/search?{urlencode(again)}"
        text = self._texts[self._next % len(self._texts)]
        self._next += 1
        self._recent = [*self._recent[-49:], text]
        return f"/api/v1/search?{urlencode({'q': text})}"


async def fetch(host: str, port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of a GET on a connection of its own; status 0 where there was no answer."""
    writer = None
    try:
        async with asyncio.timeout(GIVES_UP):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: */*\r\n"
                "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n".encode()
            )
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    except (OSError, TimeoutError):
        return 0, {}, b""
    finally:
        if writer is not None:
            writer.close()
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    is_whole = len(body) == int(headers.get("content-length", len(body)))
    return (int(parts[1]) if len(parts) > 1 and is_whole else 0), headers, body


def body_json(headers: dict[str, str], body: bytes) -> Any:
    """Return a JSON body, unpacked."""
    return json.loads(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)


class Load:
    """Everything asked of one server, and what it answered."""

    def __init__(self, address: str, pid: int, shoppers: Shoppers, seed: int):
        parts = urlsplit(address)
        self.host, self.port, self.pid = str(parts.hostname), int(parts.port or 80), pid
        self.shoppers, self.random = shoppers, random.Random(seed)

    async def ask(self, start: float, due: float, path: str, kind: str = "search") -> Answer:
        """Ask once; the latency counts from when the request was due."""
        status, headers, _ = await fetch(self.host, self.port, path)
        return Answer(due, status, (time.perf_counter() - start - due) * 1000, kind, "retry-after" in headers)

    async def closed(self, clients: int, seconds: float) -> list[Answer]:
        """Return what so many clients got that ask again at once."""
        start, answers = time.perf_counter(), []

        async def client() -> None:
            while (now := time.perf_counter() - start) < seconds:
                answers.append(await self.ask(start, now, self.shoppers.address()))

        await asyncio.gather(*(client() for _ in range(clients)))
        return answers

    async def offered(self, rate: float, seconds: float) -> tuple[list[Answer], list[tuple[float, float]]]:
        """Offer `rate` searches a second; returns the answers, and (seconds, MB) of the server's memory."""
        start, due, tasks, memory = time.perf_counter(), 0.0, [], []
        end = asyncio.Event()

        async def beside() -> None:
            at = 0.0
            while at < seconds:
                await asyncio.sleep(max(0.0, at - (time.perf_counter() - start)))
                memory.append((round(at, 1), memory_of(self.pid)))
                tasks.extend(asyncio.create_task(self.ask(start, at, path, path.split("?")[0])) for path in BESIDE)
                at += 1.0
            end.set()

        watcher = asyncio.create_task(beside())
        while (due := due + self.random.expovariate(rate)) < seconds:
            await asyncio.sleep(max(0.0, due - (time.perf_counter() - start)))
            tasks.append(asyncio.create_task(self.ask(start, due, self.shoppers.address())))
        await end.wait()
        await watcher
        return list(await asyncio.gather(*tasks)), memory

    async def recovery(self, normal_ms: float, seconds: float = 10.0) -> tuple[float | None, list[Answer]]:
        """Return how many seconds after the load's end answers are quick again (None: not in time), and the probes."""
        start, probes = time.perf_counter(), []
        while (now := time.perf_counter() - start) < seconds:
            probes.append(await self.ask(start, now, self.shoppers.address()))
        is_normal = [probe.status == 200 and probe.ms <= normal_ms for probe in probes]
        for place in range(len(probes) - IN_A_ROW + 1):
            if all(is_normal[place : place + IN_A_ROW]):
                return round(probes[place].due, 2), probes
        return None, probes


def memory_of(pid: int) -> float:
    """Return the memory that is a server's own in MB: resident, without the files of the release that it maps."""
    return round(sum(own_mb(one) for one in family(pid)), 1)


def percentiles(answers: list[Answer]) -> dict[str, float] | None:
    """Return count, p50, p90, p99 and max in ms; None of nothing."""
    if not answers:
        return None
    found = np.percentile([answer.ms for answer in answers], [50, 90, 99, 100])
    return {"count": len(answers)} | {
        name: round(float(value), 1) for name, value in zip(("p50", "p90", "p99", "max"), found, strict=True)
    }


def described(answers: list[Answer], memory: list[tuple[float, float]], seconds: float) -> dict[str, Any]:
    """Return counts, latencies and memory of one stretch of load."""
    searches = [answer for answer in answers if answer.kind == "search"]
    refused = [answer for answer in searches if answer.status == 503]
    sizes = [size for _, size in memory]
    thirds = np.array_split(sizes, 3) if len(sizes) >= 3 else []
    return {
        "seconds": seconds,
        "offered_per_s": round(len(searches) / seconds, 1),
        "accepted_per_s": round(sum(answer.status == 200 for answer in searches) / seconds, 1),
        "statuses": dict(sorted(Counter(answer.status for answer in searches).items())),
        "accepted": percentiles([answer for answer in searches if answer.status == 200]),
        "refused": percentiles(refused),
        "refused_without_retry_after": sum(not answer.retry for answer in refused),
        "beside": {
            path: {"statuses": dict(Counter(one.status for one in answers if one.kind == path)),
                   **(percentiles([one for one in answers if one.kind == path]) or {})}
            for path in sorted({answer.kind for answer in answers} - {"search"})
        },
        "memory_mb": {"first": sizes[0], "last": sizes[-1], "max": max(sizes),
                      "mean_of_thirds": [round(float(third.mean()), 1) for third in thirds],
                      "over_time": memory[:: max(1, len(memory) // 60)]} if sizes else None,
    }  # fmt: skip


async def measured(load: Load, multiples: list[float], seconds: float, clients: int, saturating: float) -> dict:
    """Return what a warmed server does alone, saturated, and offered each multiple of what it can serve."""
    await load.closed(4, 5)  # warm
    alone = percentiles(await load.closed(1, 5))
    saturated = [one for one in await load.closed(clients, saturating) if one.status == 200]
    capacity = len(saturated) / max(one.due + one.ms / 1000 for one in saturated)
    report: dict[str, Any] = {
        "alone": alone, "clients": clients, "capacity_per_s": round(capacity, 1), "saturated": percentiles(saturated),
        "memory_mb_before": memory_of(load.pid), "offered": [],
    }  # fmt: skip
    assert alone is not None
    for multiple in multiples:
        print(f"offering {multiple:g} x {capacity:.1f} = {multiple * capacity:.1f}/s for {seconds:.0f} s",
              file=sys.stderr)  # fmt: skip
        answers, memory = await load.offered(multiple * capacity, seconds)
        recovered, probes = await load.recovery(2 * alone["p90"])
        told = described(answers, memory, seconds)
        report["offered"].append({"multiple": multiple, **told, "recovered_s": recovered, "after": percentiles(probes)})
    return report


def table(report: dict[str, Any]) -> str:
    """Return a report as a table for people."""

    def line(name: str, told: dict[str, float] | None) -> str:
        return f"  {name:22}" + ("none" if told is None else "".join(
            f"{told[key]:>10,.1f}" if key != "count" else f"{told[key]:>8,.0f}"
            for key in ("count", "p50", "p90", "p99", "max")))  # fmt: skip

    lines = [
        f"one client {report['alone']}",
        f"capacity {report['capacity_per_s']}/s with {report['clients']} clients, {report['saturated']}",
        f"  {'ms':22}{'count':>8}{'p50':>10}{'p90':>10}{'p99':>10}{'max':>10}",
    ]
    for one in report["offered"]:
        memory = one["memory_mb"]
        lines += [
            f"{one['multiple']:g} x capacity: {one['offered_per_s']}/s offered, {one['accepted_per_s']}/s accepted, "
            f"statuses {one['statuses']}, 503 without Retry-After: {one['refused_without_retry_after']}",
            line("accepted", one["accepted"]), line("refused (503)", one["refused"]),
            *(line(path, told) + f"   {told['statuses']}" for path, told in one["beside"].items()),
            f"  normal again after {one['recovered_s']} s; memory {memory['first']} -> {memory['last']} MB "
            f"(max {memory['max']}, thirds {memory['mean_of_thirds']})",
        ]  # fmt: skip
    return "\n".join(lines)


@click.command(help=__doc__.split("\n")[0])
@click.option("--home", type=click.Path(path_type=Path), default=ROOT / "instance", show_default=True)
@click.option("--minutes", default=0.5, show_default=True, help="of each multiple")
@click.option("--multiple", "multiples", multiple=True, type=float, default=(2.0,), help="of capacity; may be repeated")
@click.option("--clients", default=8, show_default=True, help="that saturate the server to find its capacity")
@click.option("--saturating", default=15.0, show_default=True, help="seconds of that")
@click.option("--setting", "settings", multiple=True, help="of the server, such as AISLE_THREADS=4")
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(home: Path, minutes: float, multiples: tuple[float, ...], clients: int, saturating: float,
         settings: tuple[str, ...], seed: int, as_json: bool) -> None:  # fmt: skip
    """Serve, measure, print."""
    shoppers = Shoppers(query_texts(Home(home), seed), seed)
    with serving(home, **dict(one.split("=", 1) for one in settings)) as (address, process):
        load = Load(address, process.pid, shoppers, seed)
        report = asyncio.run(measured(load, list(multiples), minutes * 60, clients, saturating))
    print(json.dumps(report, indent=1) if as_json else table(report))


if __name__ == "__main__":
    main()
