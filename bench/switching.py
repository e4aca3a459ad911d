"""Releases switched and rolled back under load: python bench/switching.py [HOME] [OTHER_HOME] [--switches 20]

Serves a home made of two live releases of different sizes (linked, not copied), asks each for the answers to the same
searches while it is quiet, then switches back and forth while clients keep asking. Every answer must come (status 200),
name one release, and be that release's: total, products, facet counts and groups as they were when it was quiet.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.load import ROOT, body_json, fetch, percentiles, query_texts
from bench.load import Answer as Asked
from bench.served import serving
from search.home import Home

SEARCHES = 40  # asked again and again, the first of them of everything


def joined(target: Home, homes: list[Home]) -> list[str]:
    """Fill a home with links to the live releases of others; returns the releases' names, the first one live."""
    target.releases.mkdir(parents=True)
    target.encoders.mkdir()
    names = []
    for home in homes:
        live = home.live()
        (target.releases / live.name).symlink_to(live.folder.resolve())
        for encoder in home.encoders.glob("*"):
            if not (target.encoders / encoder.name).exists():
                (target.encoders / encoder.name).symlink_to(encoder.resolve())
        names.append(live.name)
    point(target, names[0])
    return names


def point(home: Home, name: str) -> None:
    """Make a release the live one, as `indexer rollback` does."""
    aside = home.current.with_suffix(".new")
    aside.write_text(f"{name}\n")
    aside.replace(home.current)


def told(answer: dict[str, Any]) -> str:
    """Return what must be the same each time: counts of every kind and which products, not how close calls fell."""
    facets = {name: facet.get("values") or facet.get("histogram") for name, facet in answer["facets"].items()}
    return json.dumps([answer["total"], sorted(hit["id"] for hit in answer["hits"]), facets, answer["clusters"]])


class Shop:
    """A served home, asked the same searches in turn."""

    def __init__(self, address: str, home: Home, texts: list[str]):
        self.host, port = address.removeprefix("http://").split(":")
        self.port, self.home = int(port), home
        self.paths = [f"/api/v1/search?{urlencode({'q': text, 'per_page': 10})}" for text in ["", *texts]]

    async def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of one answer."""
        status, headers, body = await fetch(self.host, self.port, path)
        return status, body_json(headers, body) if body else {}

    async def live(self, name: str) -> float:
        """Switch to a release; return the seconds until it answers."""
        started = time.perf_counter()
        point(self.home, name)
        while (await self.ask("/api/v1/version"))[1].get("release") != name:
            await asyncio.sleep(0.05)
        return time.perf_counter() - started

    async def quiet(self, names: list[str]) -> dict[tuple[str, str], str]:
        """Return what each release tells of each search while nobody else asks."""
        found = {}
        for name in names:
            await self.live(name)
            for path in self.paths:
                _, answer = await self.ask(path)
                found[name, path] = told(answer)
        return found


async def switched(shop: Shop, names: list[str], switches: int, clients: int) -> dict[str, Any]:
    """Return what clients were answered while releases were switched."""
    expected = await shop.quiet(names)
    is_over, answers, wrong, of = False, [], [], Counter()
    start = time.perf_counter()

    async def client(first: int) -> None:
        turn = first
        while not is_over:
            path = shop.paths[turn % len(shop.paths)]
            turn += 1
            due = time.perf_counter() - start
            status, answer = await shop.ask(path)
            answers.append(Asked(due, status, (time.perf_counter() - start - due) * 1000))
            of[answer.get("release")] += 1
            if status == 200 and told(answer) != expected[answer["release"], path]:
                wrong.append({"path": path, "release": answer["release"], "total": answer["total"]})

    asking = [asyncio.create_task(client(place * 7)) for place in range(clients)]
    seconds = []
    for turn in range(switches):
        await asyncio.sleep(0.5)
        seconds.append(round(await shop.live(names[turn % len(names)]), 2))
    is_over = True
    await asyncio.gather(*asking)
    return {
        "switches": switches,
        "seconds_until_it_answers": {"median": sorted(seconds)[len(seconds) // 2], "max": max(seconds)},
        "answers": len(answers), "statuses": dict(Counter(one.status for one in answers)), "of_release": dict(of),
        "latency_ms": percentiles(answers), "not_as_when_quiet": len(wrong), "first_wrong": wrong[:5],
    }  # fmt: skip


@click.command(help=__doc__.split("\n")[0])
@click.argument("homes", nargs=-1, type=click.Path(path_type=Path))
@click.option("--switches", default=20, show_default=True)
@click.option("--clients", default=4, show_default=True)
def main(homes: tuple[Path, ...], switches: int, clients: int) -> None:
    """Serve two releases in turn, and exit with 1 if an answer failed or was of both."""
    chosen = [Home(path) for path in homes] or [
        Home(ROOT / "instance" / "bench" / name) for name in ("chorus_icecat-auto", "sample-auto")
    ]
    texts = query_texts(chosen[0], 1)[: SEARCHES - 1]
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        names = joined(home, chosen)
        with serving(home.root) as (address, _):
            report = asyncio.run(switched(Shop(address, home, texts), names, switches, clients))
    print(json.dumps(report, indent=1))
    sys.exit(0 if set(report["statuses"]) == {200} and not report["not_as_when_quiet"] else 1)


if __name__ == "__main__":
    main()
