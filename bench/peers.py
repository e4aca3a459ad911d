"""Aisle beside its peers on one catalog, model, machine and run: python bench/peers.py HOME [--python PATH]

Peers, each as its documentation shows it: the tutorial (Flask, SentenceTransformer.encode, IndexFlatIP), txtai (hybrid,
its own API), Chroma and LanceDB (hybrid) behind Flask and SentenceTransformer.encode. All get the same passages and the
same vectors; none but Aisle counts facets and clusters, folds variants, reads conditions or marks words. Every query
text is new to the system that is asked, but in the last columns: there 20,000 texts are asked as visitors ask, a few
again and again (bench/traffic.py), and were for as long before, for a shop is hardly ever just opened. Aisle lets 32
wait instead of refusing some. It is measured as one process and as one per CPU, or as --processes says. The peers'
environment is made from bench/peers/requirements.txt, once.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.machine import machine, memory_mb
from bench.served import PATIENT, wait_for_all
from bench.synthetic import Synthetic
from bench.traffic import as_shops_are_asked, traffic
from search import Engine
from search.cpus import available_cpus
from search.home import Home
from search.passages import texts_of

ROOT = Path(__file__).resolve().parent.parent
APPS = ROOT / "bench" / "peers"
CLIENTS = 32
NEW, ASKED = 10_000, 20_000  # texts that are asked once, and texts that are asked as shops are
FOUND = 24  # products of a page, as in bench/peers/corpus.py
STARTS_WITHIN = 1800.0  # seconds; the first start of some peers makes their index


@dataclass(frozen=True)
class Peer:
    """One system: the command that serves it, and the address of a search up to the parameter that is its text.

    `processes` is how many Aisle serves with; 0 of every other.
    """

    name: str
    command: tuple[str, ...]
    path: str
    parameter: str
    processes: int = 0

    @property
    def is_ours(self) -> bool:
        """Whether it is Aisle."""
        return self.processes > 0

    def paths(self, texts: list[str]) -> list[str]:
        """Return the address of each search, without host."""
        return [f"{self.path}{urlencode({self.parameter: text})}" for text in texts]


OURS = Peer("Aisle", ("app.py",), "/api/v1/search?", "q", 1)
PEERS = (
    Peer("tutorial", ("tutorial.py",), "/search?", "q"),
    Peer("txtai", ("-m", "uvicorn", "txtai.api:app", "--log-level", "warning"), f"/search?limit={FOUND}&", "query"),
    Peer("Chroma", ("chroma.py",), "/search?", "q"),
    Peer("LanceDB", ("lance.py",), "/search?", "q"),
)


def corpus_of(home: Home, folder: Path) -> None:
    """Write the live release as the peers read it."""
    release = Engine.open(home.root).release
    folder.mkdir(parents=True, exist_ok=True)
    products = list(release.products)
    with (folder / "products.jsonl").open("w", encoding="utf-8") as file:
        for product, text in zip(products, texts_of(products), strict=True):
            record = {"id": product.id, "title": product.title, "text": text.passage}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    np.save(folder / "embeddings.npy", release.dense.embeddings)


def environment() -> Path:
    """Return the Python of the peers' own environment, made if it is not there."""
    folder = ROOT / "instance" / "bench" / "peers" / "venv"
    python = folder / "bin" / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "torch==2.13.0"], check=True)
        subprocess.run([*install, "-r", str(APPS / "requirements.txt")], check=True)
    return python


@contextmanager
def running(peer: Peer, python: Path, home: Path, corpus: Path) -> Iterator[tuple[str, int, float]]:
    """Serve a peer; gives its address, its process and the seconds until its first answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    variables = {**PATIENT, "AISLE_HOME": str(home.resolve()), "AISLE_RATE_LIMIT": "off", "PORT": port,
                 "AISLE_PROCESSES": str(peer.processes or 1),
                 "CORPUS": str(corpus), "CONFIG": str(corpus / "txtai.yml"), "HF_HUB_OFFLINE": "1"}  # fmt: skip
    command = [sys.executable if peer.is_ours else str(python), *peer.command]
    command += ["--port", port] if peer.is_ours or peer.name == "txtai" else []
    started = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=ROOT if peer.is_ours else APPS, env={**os.environ, **variables},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(peer, server, address)
        start = time.perf_counter() - started
        if peer.is_ours:
            wait_for_all(address, peer.processes)
        yield address, server.pid, start
    finally:
        server.terminate()
        server.wait()


def _wait(peer: Peer, server: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until:
        if server.poll() is not None:
            raise SystemExit(f"{peer.name} ended with code {server.returncode} before it answered")
        try:
            with urllib.request.urlopen(address + peer.paths(["warm-up"])[0]) as answer:  # noqa: S310 - our own server
                if not peer.is_ours or json.load(answer)["degraded"] is None:
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    raise SystemExit(f"{peer.name} did not answer in {STARTS_WITHIN} s")


def measured(peer: Peer, server: tuple[str, int, float], texts: list[str], seconds: float) -> dict[str, Any]:
    """Return what one client and CLIENTS clients get, and what the server took to start and holds in memory."""
    address, pid, start = server
    paths = peer.paths(texts)
    new, known = paths[:NEW], paths[NEW:]
    traffic(address, new[:50], 4)  # warm
    alone = traffic(address, new[50:350], 1)
    many = traffic(address, new[350:], CLIENTS, seconds)
    traffic(address, as_shops_are_asked(known, 20 * NEW, seed=1), CLIENTS, seconds)
    shop = traffic(address, as_shops_are_asked(known, 20 * NEW, seed=2), CLIENTS, seconds)
    return {"name": peer.name, "processes": peer.processes, "start_s": round(start, 2), **memory_mb(pid),
            "alone": alone.as_json(), "many": many.as_json(), "shop": shop.as_json()}  # fmt: skip


def table(report: dict[str, Any]) -> str:
    """Return the report as a Markdown table; ratios are to Aisle's first row with the most processes."""
    best = max(report["peers"], key=lambda one: int(one["processes"]))  # the first of them
    lines = [
        "| system | start s | memory MB, proportional | 1 client p50 / p99 ms | "
        f"{CLIENTS} clients per s | p50 / p99 ms | {best['name']} is | "
        f"{CLIENTS} as shops are asked per s | p50 / p99 ms | {best['name']} is |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in report["peers"]:
        alone, many, shop = one["alone"], one["many"], one["shop"]
        lines.append(
            f"| {one['name']} | {one['start_s']} | {one['resident_mb']:.0f}, {one['proportional_mb']:.0f} | "
            f"{alone['p50_ms']} / {alone['p99_ms']} | "
            + " | ".join(
                f"{got['per_s']} | {got['p50_ms']:.0f} / {got['p99_ms']:.0f} | "
                f"{best[kind]['per_s'] / max(got['per_s'], 1e-9):.1f} x"
                for kind, got in (("many", many), ("shop", shop))
            )
            + " |"
        )
    return "\n".join(lines)


def peers(
    home: Path, python: Path | None, seconds: float, only: tuple[str, ...], processes: tuple[int, ...]
) -> dict[str, Any]:
    """Measure every peer one after the other, Aisle first and once more at the end."""
    interpreter = python or environment()
    live = Home(home).live().name
    corpus = (ROOT / "instance" / "bench" / "peers" / live).resolve()
    if not (corpus / "embeddings.npy").is_file():
        corpus_of(Home(home), corpus)
    index = [str(interpreter), "txtai_index.py"]
    subprocess.run(index, cwd=APPS, env={**os.environ, "CORPUS": str(corpus)}, check=True, stdout=subprocess.DEVNULL)
    ours = [replace(OURS, name=f"Aisle, {count} processes" if count > 1 else "Aisle", processes=count)
            for count in processes]  # fmt: skip
    theirs = [peer for peer in PEERS if not only or peer.name in only]
    with running(ours[0], interpreter, home, corpus):
        pass  # makes what a first start makes, and reads the files once
    results = []
    for number, peer in enumerate([*ours, *theirs, *ours]):
        print(f"  {peer.name}", file=sys.stderr)
        if peer.name in ("Chroma", "LanceDB"):
            with running(peer, interpreter, home, corpus):
                pass  # the first start makes its index
        texts = Synthetic(1).queries(NEW + ASKED, seed=10 + number)
        with running(peer, interpreter, home, corpus) as server:
            results.append(measured(peer, server, texts, seconds))
    return {"machine": machine(), "release": live, "peers": results}


@click.command(help=(__doc__ or "").split("\n")[0])
@click.argument("home", type=click.Path(path_type=Path, exists=True))
@click.option("--python", type=click.Path(path_type=Path), help="of an environment with bench/peers/requirements.txt")
@click.option("--seconds", default=15.0, show_default=True, help="of the load by many clients")
@click.option("--only", multiple=True, help="names of peers beside Aisle")
@click.option("--processes", multiple=True, type=int, help="of Aisle; 1 and one per CPU when left out")
@click.option("--json", "as_json", is_flag=True)
def main(
    home: Path, python: Path | None, seconds: float, only: tuple[str, ...], processes: tuple[int, ...], as_json: bool
) -> None:
    """Measure and print."""
    report = peers(home, python, seconds, only, processes or tuple(sorted({1, available_cpus()})))
    print(json.dumps(report, indent=1) if as_json else f"{report['machine']}\n\n{table(report)}")


if __name__ == "__main__":
    main()
