"""Aisle's ranking beside the plain parts it is made of, on every judged catalog at hand.

Usage: python bench/ranking/table.py [--data FOLDER] [--work FOLDER] [--only NAME] [--train never|auto|always]

FOLDER of --data (default: ../shared/data) holds `<name>/products.csv.gz, queries.csv, judgments.csv`; catalogs that
are not there are skipped, saying so; the sample catalog is always measured. Releases are built once under --work
(default: instance/bench) and kept. Prints a Markdown table per catalog: nDCG@10 over the whole catalog (unjudged gains
nothing), over the judged products only, judged@10, and each system's change against Aisle's own ranking with its 95 %
paired bootstrap interval. The baselines use the untuned encoder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from indexer.evaluation.compare import compare_evaluations
from indexer.evaluation.engine_run import evaluate_engine
from indexer.evaluation.judgments import Judgments, Queries, read_judgments, read_kinds, read_queries
from indexer.evaluation.measures import Evaluation, by_kind, evaluate_run
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.settings import BuildSettings
from search.arrays import Floats, best_rows, unit_rows
from search.encoder import Encoder, open_encoder
from search.encoders import find_encoder
from search.engine import Engine
from search.fusion import DEPTH, Scale
from search.home import Home
from search.lexical import LexicalIndex
from search.passages import passage_of
from search.request import SearchRequest

ROOT = Path(__file__).resolve().parents[2]
CATALOGS = ("crowdflower", "chorus_icecat")
PARTS = ("queries", "judgments")
RANKED = 1_000
RRF_K = 60
Scores = Callable[[str], Floats]  # query text -> (n,) float32


@dataclass(frozen=True)
class JudgedCatalog:
    """Where a catalog and its judgments lie."""

    name: str
    products: Path
    queries: Path
    judgments: Path


@dataclass(frozen=True)
class Bench:
    """What every system of one catalog is measured with.

    Attributes:
        engine: of the release, tuned or not.
        base: the untuned encoder.
        titles, passages: (n, d) float32 unit rows of the untuned encoder.
        ids: product ids by row.
        home: where the release and its encoder lie.
    """

    engine: Engine
    base: Encoder
    titles: Floats
    passages: Floats
    ids: list[str]
    queries: Queries
    judgments: Judgments
    home: Home

    def measured(self, scores: Scores) -> Evaluation:
        """Return the evaluation of a system that scores every row."""
        row_of = {product_id: row for row, product_id in enumerate(self.ids)}
        run: dict[str, list[tuple[str, float]]] = {}
        judged: dict[str, list[tuple[str, float]]] = {}
        for query_id in self.judgments:
            found = scores(SearchRequest(q=self.queries[query_id]).q)
            run[query_id] = [(self.ids[row], float(found[row])) for row in best_rows(found, RANKED)]
            rows = np.array([row_of[p] for p in self.judgments[query_id] if p in row_of], np.int64)
            judged[query_id] = sorted(
                ((self.ids[row], float(found[row])) for row in rows), key=lambda pair: (-pair[1], pair[0])
            )
        return evaluate_run(run, self.judgments, judged_run=judged)

    def shipped(self, mode: str = "hybrid", **changes: float) -> Evaluation:
        """Return the evaluation of the engine, some of its ranking settings changed."""
        release = self.engine.release
        settings = release.manifest["settings"]
        ranking = {**settings["ranking"], **changes}
        changed = replace(release, manifest={**release.manifest, "settings": {**settings, "ranking": ranking}})
        engine = Engine(changed, lambda: find_encoder(release.manifest["encoder"], self.home))
        return evaluate_engine(engine, self.queries, self.judgments, mode=mode).evaluation


def scaled(scores: Floats) -> Floats:
    """Return scores as 0..1 over their own top 200."""
    return Scale.of(scores[best_rows(scores, DEPTH)]).apply(scores)


def reciprocal_ranks(scores: Floats) -> Floats:
    """Return (n,) 1 / (60 + rank) of the first 1,000 rows with a score, else 0 (Cormack et al. 2009)."""
    found = np.zeros(len(scores), np.float32)
    rows = best_rows(scores, RANKED)
    rows = rows[scores[rows] > 0]
    found[rows] = 1 / (RRF_K + 1 + np.arange(len(rows)))
    return found


def systems(bench: Bench) -> dict[str, Callable[[], Evaluation]]:
    """Return name -> measurement: plain parts first, Aisle's own ranking last."""
    lexical = bench.engine.release.lexical
    of_titles = LexicalIndex.build([(product.title, "") for product in bench.engine.release.products], lexical.settings)
    texts = [SearchRequest(q=bench.queries[query_id]).q for query_id in bench.judgments]
    vector_of = dict(zip(texts, bench.base.encode_queries(texts), strict=True))  # one batch for all systems

    def bm25(text: str) -> Floats:
        return lexical.scores(lexical.term_ids(text))

    def bm25_titles(text: str) -> Floats:
        return of_titles.scores(of_titles.term_ids(text))

    def titles(text: str) -> Floats:
        return bench.titles @ vector_of[text]

    def passages(text: str) -> Floats:
        return bench.passages @ vector_of[text]

    means = unit_rows(bench.titles + bench.passages)

    def mean(text: str) -> Floats:
        return means @ vector_of[text]

    plain = {"feedback_products": 0, "smoothed_products": 0}
    return {
        "BM25, titles": lambda: bench.measured(bm25_titles),
        "BM25, fields": lambda: bench.measured(bm25),
        "MiniLM, titles": lambda: bench.measured(titles),
        "MiniLM, passages": lambda: bench.measured(passages),
        "MiniLM, mean of both": lambda: bench.measured(mean),
        "RRF of BM25 and MiniLM titles": lambda: bench.measured(
            lambda text: reciprocal_ranks(bm25(text)) + reciprocal_ranks(titles(text))
        ),
        "RRF of BM25 and MiniLM mean": lambda: bench.measured(
            lambda text: reciprocal_ranks(bm25(text)) + reciprocal_ranks(mean(text))
        ),
        "convex .5 of BM25 and MiniLM mean": lambda: bench.measured(
            lambda text: scaled(bm25(text)) + scaled(mean(text))
        ),
        "Aisle, dense leg": lambda: bench.shipped("dense"),
        "Aisle without second look": lambda: bench.shipped(**plain),
        "Aisle": lambda: bench.shipped(),
    }


def open_bench(catalog: JudgedCatalog, work: Path, train: str) -> Bench:
    """Return what a catalog's systems are measured with, its release built and its texts encoded where they are not."""
    home = Home(work / f"{catalog.name}-{train}")
    progress = Progress()
    if not home.current.exists():
        build(BuildSettings(catalog.products, train=train), home, progress)
    engine = Engine.open(home.root, home=home)
    products = list(engine.release.products)
    base = open_encoder("")
    vectors = []
    for name, text_of in (("titles", lambda product: product.title), ("passages", passage_of)):
        path = work / f"{catalog.name}.{base.fingerprint}.{name}.npy"
        if not path.is_file():
            progress.say(f"encoding {len(products):,} {name} with the untuned encoder ...")
            np.save(path, base.encode_passages([text_of(product) for product in products]))
        vectors.append(np.load(path))
    return Bench(
        engine=engine,
        base=base,
        titles=vectors[0],
        passages=vectors[1],
        ids=[product.id for product in products],
        queries=read_queries(catalog.queries),
        judgments=read_judgments(catalog.judgments),
        home=home,
    )


def kinds_table(measured: dict[str, Evaluation], kinds: dict[str, str]) -> str:
    """Return a Markdown table of nDCG@10 by kind of query; "" when the queries have no kinds."""
    found = {system: by_kind(evaluation, kinds) for system, evaluation in measured.items()}
    own = list(found.values())[-1]
    if not own:
        return ""
    lines = [
        "| system | " + " | ".join(f"{kind} ({own[kind].queries})" for kind in own) + " |",
        "|---" * (len(own) + 1) + "|",
    ]
    lines += [
        f"| {system} | " + " | ".join(f"{row[k].interval.mean:.2f}" for k in own) + " |"
        for system, row in found.items()
    ]
    return "\n".join([*lines, ""])


def table(name: str, measured: dict[str, Evaluation]) -> str:
    """Return a Markdown table; the last system is the one all are compared with."""
    own = list(measured.values())[-1]
    lines = [
        f"### {name}: {len(own.query_ids)} queries",
        "",
        "| system | nDCG@10 | judged only | judged@10 | Aisle's gain, nDCG@10 | judged only |",
        "|---|---|---|---|---|---|",
    ]
    for system, evaluation in measured.items():
        means = [f"{evaluation.intervals[m].mean:.3f}" for m in ("nDCG@10", "nDCG@10(judged)", "judged@10")]
        differences = compare_evaluations(evaluation, own).differences
        gains = [
            "" if evaluation is own else f"{change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
            for change in (differences[m].change for m in ("nDCG@10", "nDCG@10(judged)"))
        ]
        lines.append(f"| {system} | " + " | ".join([*means, *gains]) + " |")
    return "\n".join([*lines, ""])


def found_catalogs(data: Path) -> list[JudgedCatalog]:
    """Return the catalogs that are there, naming those that are not."""
    found = [JudgedCatalog("sample", *(ROOT / "catalog" / f"{part}.csv" for part in ("products", *PARTS)))]
    for name in CATALOGS:
        folder = data / name
        if (folder / "judgments.csv").is_file():
            found.append(JudgedCatalog(name, folder / "products.csv.gz", *(folder / f"{part}.csv" for part in PARTS)))
        else:
            print(f"{name}: skipped, {folder} is not there", file=sys.stderr)
    return found


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=ROOT.parent / "shared" / "data")
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / "instance" / "bench")
@click.option("--only", default="", help="one catalog's name")
@click.option("--train", type=click.Choice(["never", "auto", "always"]), default="auto")
def main(data: Path, work: Path, only: str, train: str) -> None:
    """Print a table for every judged catalog at hand."""
    work.mkdir(parents=True, exist_ok=True)
    for catalog in found_catalogs(data):
        if only in ("", catalog.name):
            bench = open_bench(catalog, work, train)
            measured = {name: measure() for name, measure in systems(bench).items()}
            print(table(catalog.name, measured), flush=True)
            print(kinds_table(measured, read_kinds(catalog.queries)), flush=True)


if __name__ == "__main__":
    main()
