"""What a change of prices costs: python bench/changes.py [HOME] [--json]

Links the live release of a home into a temporary one and changes prices and stock there: writing a batch (to the disk
it lies on, one thread), taking it up in a server (CPU of the thread), a log that holds every product, read at start.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.switching import joined
from search.engine import Engine
from search.home import Home, default_home
from search.state.batches import Change
from search.state.changes import ChangeLog

TIMES = 200
BATCHES = (1, 1_000)


def timed(act: Callable[[int], Any], clock: Callable[[], float]) -> dict[str, float]:
    """Return median and p99 of TIMES calls, in milliseconds; each is told its number."""
    took = []
    for number in range(TIMES):
        started = clock()
        act(number)
        took.append((clock() - started) * 1000)
    return {"median_ms": round(float(np.median(took)), 3), "p99_ms": round(float(np.percentile(took, 99)), 3)}


def measured(home: Home) -> dict[str, Any]:
    """Return what changes cost on the live release of a home."""
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="aisle-changes-") as folder:
        own = Home(Path(folder))
        joined(own, [home])
        engine = Engine.open(own.root)
        ids = engine.release.products.ids()
        told["rows"] = engine.release.facets.rows
        log, chance = ChangeLog(own.changes), np.random.default_rng(5)

        def batch(size: int) -> dict[str, Change]:
            stock = ("in_stock", "out_of_stock")
            return {ids[row]: Change(float(row % 997) + 0.5, stock[row % 2])
                    for row in chance.integers(0, len(ids), size).tolist()}  # fmt: skip

        for size in BATCHES:
            batches = [batch(size) for _ in range(TIMES)]
            told[f"write_{size}"] = timed(lambda number, batches=batches: log.write(batches[number]), time.perf_counter)
            state = engine

            def take(number: int, batches: list[dict[str, Change]] = batches) -> None:
                nonlocal state
                state = state.with_changes(batches[number], number + 1)

            told[f"take_up_{size}"] = timed(take, time.thread_time)
        everything = {one: Change(float(place), "in_stock") for place, one in enumerate(ids)}
        started = time.perf_counter()
        log.write(everything)
        told["write_all_s"] = round(time.perf_counter() - started, 2)
        told["log_mb"] = round(own.changes.stat().st_size / 1e6, 2)
        started = time.thread_time()
        reading = ChangeLog(own.changes).read()
        told["read_all_s"] = round(time.thread_time() - started, 2)
        started = time.thread_time()
        engine.up_to_date(reading)
        told["take_up_all_s"] = round(time.thread_time() - started, 2)
        told["products"] = len(ids)
    return told


@click.command()
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True)
def main(home: Path | None, as_json: bool) -> None:
    """Measure, and print a table or JSON."""
    told = measured(Home(home) if home else default_home())
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for name, value in told.items():
        shown = (
            f"{value['median_ms']:.2f} ms, p99 {value['p99_ms']:.2f} ms" if isinstance(value, dict) else f"{value:,}"
        )
        click.echo(f"{name:14} {shown}")


if __name__ == "__main__":
    main()
