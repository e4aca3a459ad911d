"""A server under mixed load while releases change: python bench/soak.py [HOME] [--minutes 10] [--clients 4]

Serves a copy of a home (that of the sample catalog by default) and asks it all at once: searches whose words are drawn
by Zipf's law from the catalog's titles, filters, later pages, suggestions, product pages, similar products, pages for
people, and events. Meanwhile its catalog is built again with other prices, switched to, and rolled back, in turn, and
prices are changed by PATCH, each of which must be answered with at once.

Every answer must be a success. By minute: answers, median and 99th percentile, and of the server's process the memory
that is its own and all that is resident, open files and threads; and what the home takes on the disk. The last line is
the verdict, with growth by thirds of the time. Exits with 1 when an answer failed, an acknowledged event is not in the
file, a changed price was not answered with, the process holds another release than the live one at the end, or the last
third holds more files or threads than the second, or more than `GROWTH` times its memory: the first is for warming up.
"""

from __future__ import annotations

import csv
import http.client
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.served import serving  # noqa: E402
from search.home import Home  # noqa: E402
from search.state.keys import KeyFile  # noqa: E402
from search.store import ProductStore  # noqa: E402

SAMPLE = ROOT / "catalog" / "products.csv"
GROWTH = 1.05
WARM_SECONDS = 300.0  # a shorter run still fills the caches, some 30 s for the first 350 MB, so its memory is only told
FIRST_USES = 4  # files and threads that a shorter run may come to need late: each thread has connections of its own
SAMPLE_SECONDS = 1.0  # between two looks at the process
PRICE_SECONDS = 1.0  # between two changes of prices
IDLE_SECONDS = 10.0  # for the server to let go of what the last requests were answered with
SHARES = {
    "search": 50, "filtered": 12, "page": 8, "suggest": 12, "product": 6, "similar": 3, "html": 5, "event": 4,
}  # fmt: skip
PAUSE = 0.02  # seconds between two requests of a client: a shop at work, not one that is overrun


@dataclass
class Seen:
    """What a window of time saw; latencies in ms."""

    latencies: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    releases: set[str] = field(default_factory=set)


class Shoppers:
    """Clients that ask a server of everything, each over a connection of its own.

    Args:
        address: of the server.
        titles, ids: of its products.
    """

    def __init__(self, address: str, titles: Sequence[str], ids: Sequence[str]):
        self.host = urlsplit(address).netloc
        words = sorted({word.strip(".,()").lower() for title in titles for word in title.split() if word.isalpha()})
        random.Random(1).shuffle(words)
        self.words, self.ids = words, list(ids)
        self.weights = (1 / np.arange(1, len(words) + 1)).tolist()
        self.window = Seen()
        self.acknowledged: list[str] = []
        self.repriced = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def asked(self, draw: random.Random, event: str) -> tuple[str, str, dict[str, Any] | None]:
        """Return the kind, path and body of a request."""
        kind = draw.choices(list(SHARES), list(SHARES.values()))[0]
        text = " ".join(draw.choices(self.words, self.weights, k=draw.randint(1, 4)))
        product = draw.choice(self.ids)
        paths = {
            "search": "/api/v1/search?" + urlencode({"q": text}),
            "filtered": "/api/v1/search?"
            + urlencode({"q": text, "price_max": draw.randint(5, 300), "sort": "price:asc"}),
            "page": "/api/v1/search?" + urlencode({"q": text, "page": draw.randint(1, 3)}),
            "suggest": "/api/v1/suggest?" + urlencode({"q": text[: draw.randint(2, 8)]}),
            "product": f"/api/v1/products/{quote(product, safe='')}",
            "similar": f"/api/v1/products/{quote(product, safe='')}/similar",
            "html": draw.choice(("/", "/search?" + urlencode({"q": text}), f"/products/{quote(product, safe='')}")),
            "event": "/api/v1/events",
        }
        body = {"type": "click", "product_id": product, "event_id": event} if kind == "event" else None
        return kind, paths[kind], body

    def shop(self, number: int) -> None:
        """Ask on until told to stop."""
        draw, connection = random.Random(number), http.client.HTTPConnection(self.host, timeout=30)
        asked = 0
        while not self._stop.wait(PAUSE):
            asked += 1
            kind, path, body = self.asked(draw, f"soak.{number}.{asked}")
            started = time.perf_counter()
            try:
                data = None if body is None else json.dumps(body)
                connection.request("GET" if body is None else "POST", path, data, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                status, said = str(answer.status), answer.read()
            except (OSError, http.client.HTTPException) as error:
                status, said = repr(error), b""
                connection.close()
            took = (time.perf_counter() - started) * 1000
            with self._lock:
                self.window.latencies.append(took)
                if not status.startswith("2"):
                    self.window.failures[f"{kind} {status}"] += 1
                elif body is not None:
                    self.acknowledged.append(body["event_id"])
                elif kind in ("search", "filtered", "page"):
                    self.window.releases.add(json.loads(said)["release"])

    def keep_prices(self, key: str) -> None:
        """Change prices until told to stop, and see each answered with at once."""
        draw, connection = random.Random(0), http.client.HTTPConnection(self.host, timeout=30)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        while not self._stop.wait(PRICE_SECONDS):
            prices = {one: draw.randint(100, 99_999) / 100 for one in draw.sample(self.ids, min(5, len(self.ids)))}
            body = {"products": [{"id": one, "price": price} for one, price in prices.items()]}
            wrong = ""
            try:
                connection.request("PATCH", "/api/v1/products", json.dumps(body), headers)
                answer = connection.getresponse()
                done = json.loads(answer.read())
                if answer.status != 200:
                    wrong = f"patch {answer.status} {done.get('detail')}"
                elif (one := next(iter(prices))) not in done["unknown"]:
                    connection.request("GET", f"/api/v1/products/{quote(one, safe='')}")
                    answer = connection.getresponse()
                    shown = json.loads(answer.read())
                    # A release that was published in between may know a later price of its own.
                    is_same = shown.get("release") == done["release"]
                    if answer.status != 200 or (is_same and shown["product"]["price"] != prices[one]):
                        wrong = f"patch {answer.status}: {one} does not cost {prices[one]}"
            except (OSError, http.client.HTTPException) as error:
                wrong = f"patch {error!r}"
                connection.close()
            with self._lock:
                self.repriced += 1
                if wrong:
                    self.window.failures[wrong] += 1

    def cut(self) -> Seen:
        """Return what was seen since the last time."""
        with self._lock:
            seen, self.window = self.window, Seen()
        return seen

    @contextmanager
    def shopping(self, clients: int, key: str):
        """Let so many clients ask meanwhile, and one change prices."""
        threads = [threading.Thread(target=self.shop, args=(number,), daemon=True) for number in range(clients)]
        threads.append(threading.Thread(target=self.keep_prices, args=(key,), daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()


def state_of(pid: int, home: Path) -> dict[str, float]:
    """Return what a process holds and its home takes: MB of its own and resident, open files, threads, MB on disk."""
    told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    disk = 0
    for path in home.rglob("*"):
        try:
            disk += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # was just removed
    own, resident = (round(int(told[name].split()[0]) / 1024, 1) for name in ("RssAnon", "VmRSS"))
    files, threads = len(list(Path(f"/proc/{pid}/fd").iterdir())), int(told["Threads"])
    return {"own_mb": own, "resident_mb": resident, "files": files, "threads": threads, "disk_mb": round(disk / 1e6, 1)}


@contextmanager
def sampled(pid: int, home: Path):
    """Give a list that gets the state of a process every so often meanwhile."""
    samples: list[dict[str, float]] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(SAMPLE_SECONDS):
            samples.append(state_of(pid, home))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def releases_held(pid: int, home: Home) -> list[str]:
    """Return the releases of a home that a process has files of, open or mapped."""
    names = Path(f"/proc/{pid}/maps").read_text().splitlines()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # was just closed
            names.append(str(path.readlink()))
    mark = f"{home.index.resolve()}/"
    parts = (name.split(mark, 1)[1].split("/") for name in names if mark in name)
    return sorted({part[1] for part in parts if part[0] in ("releases", "removed")})


def _let_go(pid: int, home: Home) -> list[str]:
    """Return what a process that is asked nothing holds beside the live release, after some time for letting go."""
    until = time.monotonic() + IDLE_SECONDS
    while (more := [one for one in releases_held(pid, home) if one != home.live().name]) and time.monotonic() < until:
        time.sleep(0.2)
    return more


def soaked(
    address: str, pid: int, home: Home, change: Callable[[int], None], seconds: float, clients: int, windows: int
) -> dict[str, Any]:
    """Let clients ask for some time while releases change.

    Args:
        address, pid, home: of the server.
        change: is called once in each window with its number, and builds or switches.
        seconds: altogether.
        windows: to tell of, each of the same length.
    """
    _, key = KeyFile(home.keys).create("soak", ["admin"])
    store = ProductStore(home.live().products)
    products = store.products(range(min(store.count, 5000)))
    shoppers = Shoppers(address, [one.title for one in products], [one.id for one in products])
    told: list[dict[str, Any]] = []
    failed: list[str] = []
    started = time.monotonic()
    with shoppers.shopping(clients, key), sampled(pid, home.root) as samples:
        for number in range(windows):
            try:
                change(number)
            except Exception as error:
                failed.append(f"window {number}: {error}")
            time.sleep(max(0.0, started + seconds * (number + 1) / windows - time.monotonic()))
            seen = shoppers.cut()
            p50, p99 = np.percentile(seen.latencies or [0.0], [50, 99]).round(1).tolist()
            told.append(
                {"window": number + 1, "answers": len(seen.latencies), "p50_ms": p50, "p99_ms": p99,
                 "failures": dict(seen.failures), "releases": len(seen.releases), **state_of(pid, home.root)}
            )  # fmt: skip
            print("  ".join(f"{key} {value}" for key, value in told[-1].items()), file=sys.stderr, flush=True)
    lost, held = _lost(home.events, shoppers.acknowledged), _let_go(pid, home)
    return {
        "seconds": round(time.monotonic() - started, 1), "clients": clients,
        "answers": sum(one["answers"] for one in told),
        "failures": sum(sum(one["failures"].values()) for one in told), "failed_changes": failed,
        "events_acknowledged": len(shoppers.acknowledged), "events_lost": lost, "price_changes": shoppers.repriced,
        "releases_held": held, "thirds": _thirds(samples), "windows": told,
    }  # fmt: skip


def _lost(path: Path, acknowledged: Sequence[str]) -> int:
    """Return how many acknowledged events are not in the file."""
    from search.state.database import Event

    if not acknowledged:
        return 0
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        kept = {key for (key,) in connection.execute("SELECT key FROM events")}
    return sum(Event(0, "click", "", event_id=one).key not in kept for one in acknowledged)


def _thirds(samples: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Return of each third of the time the median memory in MB and threads, and the fewest files.

    While releases change two of them are open; what is left over afterwards is in the fewest too.
    """
    parts = [samples[len(samples) * part // 3 : len(samples) * (part + 1) // 3] for part in range(3)]
    return {
        name: [round(float(of([one[name] for one in part or samples])), 1) for part in parts]
        for name, of in (("own_mb", np.median), ("files", min), ("threads", np.median))
    }


def faults_of(report: dict[str, Any]) -> list[str]:
    """Return what is wrong with a soak, a few words each; [] when all is well."""
    thirds = report["thirds"]
    found = [f"{report[name]} {told}" for name, told in (
        ("failures", "answers failed"), ("events_lost", "events lost")) if report[name]]  # fmt: skip
    found += [f"change failed: {one}" for one in report["failed_changes"]]
    found += [f"release {one} is still held" for one in report["releases_held"]]
    is_warm = report["seconds"] >= WARM_SECONDS
    spare = 0 if is_warm else FIRST_USES
    found += [f"{name} grew: {of}" for name, of in thirds.items() if name != "own_mb" and of[2] > of[1] + spare]
    _, second, third = thirds["own_mb"]
    return found + ([f"memory grew: {thirds['own_mb']}"] if is_warm and third > second * GROWTH else [])


def builder(home: Home, catalog: Path, folder: Path) -> Callable[[int], None]:
    """Return what changes the releases of a home: builds with other prices, and every third time goes back."""

    def command(*arguments: str) -> None:
        environment = {**os.environ, "AISLE_HOME": str(home.root), "AISLE_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "indexer", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])

    def change(number: int) -> None:
        if number % 3 == 2:
            command("rollback")
            return
        changed = folder / catalog.name
        with catalog.open(newline="", encoding="utf-8") as old, changed.open("w", newline="", encoding="utf-8") as new:
            rows = csv.DictReader(old)
            writer = csv.DictWriter(new, rows.fieldnames or [])
            writer.writeheader()
            for place, row in enumerate(rows):
                if row.get("price") and place % 7 == number % 7:
                    row["price"] = f"{5 + (place * 31 + number) % 400}.00"
                writer.writerow(row)
        command("build", str(changed), "--train", "never")

    return change


@click.command(help=__doc__.split("\n")[0])
@click.argument("home", required=False, type=click.Path(path_type=Path))
@click.option(
    "--catalog", default=ROOT / "catalog" / "products.csv", type=click.Path(path_type=Path), help="Of the home."
)
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--clients", default=4, show_default=True)
def main(home: Path | None, catalog: Path, minutes: float, clients: int) -> None:
    """Serve a copy, ask, change, and tell."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy = Home(folder / "home")
        change = builder(copy, catalog, folder)
        if home is None:
            change(0)
        else:
            shutil.copytree(home, copy.root)
        with serving(copy.root) as (address, server):
            windows = max(round(minutes), 4)  # a build, another, back, and a build
            report = soaked(address, server.pid, copy, change, minutes * 60, clients, windows)
    print(json.dumps(report, indent=1))
    faults, thirds = faults_of(report), report["thirds"]
    print(
        f"{'FAILED: ' + '; '.join(faults) if faults else 'passed'} ({report['seconds']:.0f} s, {report['answers']:,} "
        f"answers, {report['failures']} failures, {report['price_changes']} price changes; by thirds: memory "
        f"{thirds['own_mb']} MB, files {thirds['files']}, threads {thirds['threads']})"
    )
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
