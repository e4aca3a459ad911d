"""What keeping searches and events costs, and whether an acknowledged event outlives kill -9.

Usage: python bench/events.py [--searches 200000] [--kills 30]

* store: acknowledged events a second from 1 and from 8 threads, each waiting for the disk; for comparison the same with
  synchronous=NORMAL, which a power cut may undo;
* note: microseconds on the thread of a request to log a search of 24 products, while the writer writes;
* insights, judgments: seconds over a simulated log of so many searches, and its size;
* kills: processes that store events from four threads, killed at random; every acknowledged event is looked for.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from click_traffic import simulate  # noqa: E402
from test_events import killed  # noqa: E402

from indexer.evaluation.clicks import judgments_of  # noqa: E402
from search.state import database  # noqa: E402
from search.state.database import Event, Searched, open_for_reading  # noqa: E402
from search.state.events import EventLog  # noqa: E402
from search.state.insights import insights_of  # noqa: E402
from search.state.visitors import Visitors  # noqa: E402

SECONDS = 4.0


@contextmanager
def syncing(mode: str) -> Iterator[None]:
    """Open files with another synchronous mode meanwhile."""
    prepare = database.EventDatabase._prepare

    def prepared(self: database.EventDatabase) -> None:
        prepare(self)
        self._connection.execute(f"PRAGMA synchronous = {mode}")

    database.EventDatabase._prepare = prepared  # type: ignore[method-assign]
    yield
    database.EventDatabase._prepare = prepare  # type: ignore[method-assign]


def stored_a_second(path: Path, threads: int) -> float:
    """Return acknowledged events a second."""
    log = EventLog(path, days=90, megabytes=1000)
    ends = time.perf_counter() + SECONDS
    counts = [0] * threads

    def send(thread: int) -> None:
        while time.perf_counter() < ends:
            log.store([Event(time.time(), "click", f"product {counts[thread] % 500}", uuid.uuid4().hex, 3, visitor=7)])
            counts[thread] += 1

    working = [threading.Thread(target=send, args=(thread,)) for thread in range(threads)]
    for one in working:
        one.start()
    for one in working:
        one.join()
    log.close()
    return sum(counts) / SECONDS


def note_microseconds(path: Path) -> tuple[float, float, int]:
    """Return median and 99th percentile of logging a search, its visitor's number included, and how many were lost."""
    log, visitors = EventLog(path, days=90, megabytes=1000), Visitors()
    shown = [[f"product {(number * 7 + place) % 20_000}" for place in range(24)] for number in range(1000)]
    took = []
    for number in range(20_000):
        started = time.perf_counter()
        log.note(
            Searched(
                time.time(), uuid.UUID(int=number).hex, f"query {number % 3000}", None, "page", "hybrid", 1, 100,
                "good", None, (), "release", 5.0, visitors.number("192.0.2.1", "Mozilla/5.0 (X11; Linux x86_64)"), 1,
                tuple(shown[number % 1000]),
            )
        )  # fmt: skip
        took.append(time.perf_counter() - started)
        if number % 100 == 0:
            time.sleep(0.01)
    log.close()
    return float(np.median(took)) * 1e6, float(np.percentile(took, 99)) * 1e6, log.dropped


def lost_by_kills(path: Path, kills: int) -> tuple[int, int, int]:
    """Return how many events were acknowledged, and how many of these are missing or there twice."""
    moment = random.Random(11)
    acknowledged = [one for run in range(kills) for one in killed(path, str(run), moment.uniform(0, 0.5))]
    keys = [Event(0, "click", "x", event_id=one).key for one in acknowledged]
    with closing(open_for_reading(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = [connection.execute("SELECT count(*) FROM events WHERE key = ?", (key,)).fetchone()[0] for key in keys]
        (all_of_them,) = connection.execute("SELECT count(*) FROM events").fetchone()
        (distinct,) = connection.execute("SELECT count(DISTINCT key) FROM events").fetchone()
    return len(acknowledged), found.count(0), all_of_them - distinct


@click.command()
@click.option("--searches", default=200_000, show_default=True, help="Of the simulated log; 0: none.")
@click.option("--kills", default=30, show_default=True)
def main(searches: int, kills: int) -> None:
    """Measure, and print a line for each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for mode in ("FULL", "NORMAL", "FULL", "NORMAL"):
            with syncing(mode):
                rates = [stored_a_second(folder / mode / f"{uuid.uuid4()}.sqlite", threads) for threads in (1, 8)]
            click.echo(f"store, {mode:<6} {rates[0]:8,.0f} events/s from 1 thread, {rates[1]:8,.0f} from 8")
        median, high, dropped = note_microseconds(folder / "note" / "events.sqlite")
        click.echo(f"note          {median:.1f} us median, {high:.1f} us at the 99th percentile, {dropped} dropped")
        if kills:
            acknowledged, missing, twice = lost_by_kills(folder / "kills" / "events.sqlite", kills)
            click.echo(f"kills         {kills} times: {acknowledged:,} acknowledged, {missing} missing, {twice} twice")
        if searches:
            path = folder / "traffic" / "events.sqlite"
            started = time.perf_counter()
            simulate(path, queries=5_000, searches=searches)
            written = time.perf_counter()
            found = insights_of(path, days=30, now=1_750_000_000.0 + 86_400 * 21)
            told = time.perf_counter()
            judged = judgments_of(path, now=1_750_000_000.0 + 86_400 * 21)
            done = time.perf_counter()
            click.echo(
                f"traffic       {found.searches:,} searches, {found.events['click']:,} clicks, "
                f"{path.stat().st_size / 1e6:.0f} MB, written in {written - started:.0f} s (simulation included)\n"
                f"insights      {told - written:.1f} s\n"
                f"judgments     {done - told:.1f} s, {sum(map(len, judged.grades.values())):,} of "
                f"{len(judged.grades):,} queries, eta {judged.eta:.2f} +- {judged.eta_error:.2f} (.80 simulated)"
            )


if __name__ == "__main__":
    main()
