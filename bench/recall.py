"""What the dense index finds and costs: python bench/recall.py [--rows 20000 --rows 50000 ...] [--home HOME ...]

For synthetic catalogs of some sizes, and for the vectors of real homes, the index is built as a release's would be,
saved, opened in a process of its own and asked for the pool of 1,000, without and with filters: such that allow rows at
random, and such that allow a neighbourhood which most queries are far from, as a category does. The truth is the exact
scan, whose time on one thread stands beside. Queries are texts, encoded by the base encoder: those of the synthetic
catalog, or a file's (--texts, with a column `query`).
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import faiss
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.machine import machine, resident_mb
from bench.synthetic import Synthetic
from indexer.dense_index import RECALL, dense_index, queries_like
from indexer.neighbors import threads
from search.arrays import Floats, Mask, Rows
from search.dense import PRECISIONS, DenseIndex
from search.encoder import cpu_threads, open_encoder
from search.home import Home, Layout
from search.store import ProductStore

COUNT = 1000  # the pool of a release
DEPTHS = (10, 100, 1000)
FILTERS = (1.0, 0.5, 0.1, 0.01, 0.001)  # share of the rows that pass, at random
NEAR = (0.1, 0.01)  # the same, a neighbourhood
ASKED = 100


def masks(embeddings: Floats) -> dict[str, Mask | None]:
    """Return the filters by name; None allows every row."""
    rows = len(embeddings)
    random = np.random.default_rng(3)
    found: dict[str, Mask | None] = {"none": None}
    found |= {f"{share:.1%} at random": random.random(rows) < share for share in FILTERS[1:]}
    nearness = embeddings @ embeddings[rows // 3]
    return found | {f"{share:.1%} near": nearness >= np.quantile(nearness, 1 - share) for share in NEAR}


def truth(embeddings: Floats, queries: Floats, allowed: Mask | None) -> Rows:
    """Return (q, COUNT) int64: the exact search's rows, fewer where fewer are allowed."""
    rows = np.arange(len(embeddings)) if allowed is None else np.flatnonzero(allowed)
    among = embeddings if allowed is None else embeddings[rows]
    with threads(cpu_threads()):
        found = faiss.knn(queries, among, min(COUNT, len(rows)), metric=faiss.METRIC_INNER_PRODUCT)[1]
    return np.asarray(rows[found], np.int64)


def milliseconds(ask: Callable[[Floats], Any], queries: Floats) -> tuple[float, float]:
    """Return the median and the 99th percentile of asking each query once, after ten to warm up."""
    for query in queries[:10]:
        ask(query)
    spent = []
    for query in queries:
        started = time.perf_counter()
        ask(query)
        spent.append((time.perf_counter() - started) * 1000)
    return round(float(np.median(spent)), 3), round(float(np.quantile(spent, 0.99)), 3)


def asked(folder: Path) -> dict[str, Any]:
    """Open the index of a folder and ask it everything; in a process of its own, so that memory is its own."""
    queries, record = np.load(folder / "queries.npy"), json.loads((folder / "record.json").read_text())
    before = resident_mb("self")
    started = time.perf_counter()
    index = DenseIndex.load(Layout(folder), record)
    told: dict[str, Any] = {"open_ms": round((time.perf_counter() - started) * 1000, 1), "filters": {}}
    for path in sorted(folder.glob("truth-*.npy")):
        name, expected = path.stem.removeprefix("truth-"), np.load(path)
        allowed = None if name == "none" else np.load(folder / f"mask-{name}.npy")
        found = [index.search(query, COUNT, allowed)[0] for query in queries]
        p50, p99 = milliseconds(lambda query, allowed=allowed: index.search(query, COUNT, allowed), queries)
        told["filters"][name] = {"p50_ms": p50, "p99_ms": p99}
        for depth in DEPTHS:
            shares = [np.isin(best[:depth], rows[:depth]).mean() for best, rows in zip(expected, found, strict=True)]
            told["filters"][name][f"recall@{depth}"] = round(float(np.mean(shares)), 4)
    told["resident_mb"] = round(resident_mb("self") - before, 1)
    return told


def measured(name: str, embeddings: Floats, titles: list[str], texts: list[str], precision: str) -> dict[str, Any]:
    """Build, save and ask the index of one catalog; see the module."""
    encoder = open_encoder()
    queries = encoder.encode_queries(texts[:ASKED])
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        started = time.perf_counter()
        index = dense_index(embeddings, precision, lambda: encoder.encode_queries(queries_like(titles)), RECALL)
        index.save(Layout(folder))
        took = time.perf_counter() - started
        plan = None if index.plan is None else index.plan.as_json()
        (folder / "record.json").write_text(json.dumps({"precision": precision, "search": plan}))
        np.save(folder / "queries.npy", queries)
        for mask, allowed in masks(embeddings).items():
            np.save(folder / f"truth-{mask}.npy", truth(embeddings, queries, allowed))
            if allowed is not None:
                np.save(folder / f"mask-{mask}.npy", allowed)
        command = [sys.executable, str(Path(__file__).resolve()), "--asked", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        with threads(1):
            exact = milliseconds(
                lambda query: faiss.knn(query[None], embeddings, COUNT, metric=faiss.METRIC_INNER_PRODUCT), queries[:20]
            )
    return {
        "vectors": name, "rows": len(embeddings), "precision": precision, "plan": plan, "build_seconds": round(took, 1),
        "exact_p50_ms": exact[0], **json.loads(done.stdout),
    }  # fmt: skip


def as_text(found: dict[str, Any]) -> str:
    """Return one catalog's figures as a table."""
    plan = found["plan"]
    how = "read whole" if plan is None else (
        f"{plan['probes']} (filtered {plan['filtered_probes']}) of {plan['cells']} cells, surplus {plan['surplus']}, "
        f"measured at build: {plan['recall']}"
    )  # fmt: skip
    lines = [
        f"{found['vectors']}, {found['rows']:,} rows, {found['precision']}: {how}",
        f"  built in {found['build_seconds']} s, opened in {found['open_ms']} ms, {found['resident_mb']} MB resident "
        f"after all queries; exact scan p50 {found['exact_p50_ms']} ms",
        f"  {'filter':<18}{'p50 ms':>9}{'p99 ms':>9}" + "".join(f"{f'R@{depth}':>9}" for depth in DEPTHS),
    ]
    for name, one in found["filters"].items():
        recalls = "".join(f"{one[f'recall@{depth}']:>9.4f}" for depth in DEPTHS)
        lines.append(f"  {name:<18}{one['p50_ms']:>9.2f}{one['p99_ms']:>9.2f}{recalls}")
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--rows", multiple=True, type=int, default=(20_000, 50_000, 200_000, 1_000_000), show_default=True)
@click.option("--home", "homes", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("--texts", type=click.Path(exists=True, path_type=Path), help="Queries for the homes.")
@click.option("--precision", type=click.Choice(PRECISIONS), default="float32")
@click.option("--json", "as_json", is_flag=True)
@click.option("--asked", "folder", type=click.Path(path_type=Path), hidden=True)
def main(
    rows: tuple[int, ...],
    homes: tuple[Path, ...],
    texts: Path | None,
    precision: str,
    as_json: bool,
    folder: Path | None,
) -> None:
    if folder is not None:
        print(json.dumps(asked(folder)))
        return
    found = []
    for home in homes:
        layout = Home(home).live()
        titles = [product.title for product in ProductStore(layout.products)]
        with (texts or layout.folder / "queries.csv").open(encoding="utf-8") as file:
            questions = [line["query"] for line in csv.DictReader(file)]
        embeddings = np.asarray(np.load(layout.embeddings, mmap_mode="r"))
        found.append(measured(home.name, embeddings, titles, questions, precision))
        print(as_text(found[-1]), file=sys.stderr)
    for count in rows:
        catalog = Synthetic(count)
        titles = [catalog.record(number)["title"] for number in range(0, count, max(1, count // 200))]
        embeddings = np.concatenate(
            [catalog.vectors(np.arange(start, min(start + 1000, count))) for start in range(0, count, 1000)]
        )
        found.append(measured("synthetic", embeddings, titles, catalog.queries(ASKED), precision))
        print(as_text(found[-1]), file=sys.stderr)
    if as_json:
        print(json.dumps({"machine": machine(), "indexes": found}, indent=1))


if __name__ == "__main__":
    main()
