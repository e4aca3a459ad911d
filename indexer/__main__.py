"""The command line: python -m indexer check, build, evaluate, compare, search, export, releases, rollback, verify.

Exit codes: 0 fine, 1 the answer is no (a refusal, errors found), 2 bad usage or input.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

# Set before any library starts its threads: a fork afterwards would hang, and models are local.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
MODE = click.option("--mode", type=click.Choice(["hybrid", "dense", "lexical"]), default="hybrid", show_default=True)
INDEX = click.option("--index", "index", type=click.Path(exists=True, path_type=Path), default=None,
                     help="A release folder or home; default: the live release.")  # fmt: skip


def _fails_plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Turn expected errors into one sentence on stderr (or one JSON object) and the right exit code."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        from search.errors import AisleError, BuildRefused, TooManyRejected

        try:
            command(*args, **options)
        except AisleError as error:
            if options.get("as_json"):
                _print({"error": type(error).__name__, "detail": str(error)})
            click.echo(f"aisle: {error}", err=True)
            sys.exit(1 if isinstance(error, (BuildRefused, TooManyRejected)) else 2)

    return wrapped


def _print(data: Any) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def _mapping(text: tuple[str, ...]) -> dict[str, str]:
    """Return {our field: their header} of --map options such as "title=Name,id=SKU"."""
    pairs = [pair for part in text for pair in part.split(",") if pair.strip()]
    mapping = {}
    for pair in pairs:
        name, sign, header = pair.partition("=")
        if not sign or not name.strip():
            raise click.BadParameter(f'"{pair}" is not of the form field=Header, e.g. --map title=Name')
        mapping[name.strip()] = header.strip()
    return mapping


def _share(text: str) -> float:
    """Return 0..1 of "5%", "5 %" or "0.05"."""
    try:
        share = float(text.replace("%", "").strip()) / (100 if "%" in text else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise click.BadParameter(f'"{text}" is not a share; write it like 5% or 0.05', param_hint="--max-rejected")
    return share


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Aisle's indexer: a catalog file in, a checked, fine-tuned, searchable release out."""


@main.command()
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option("--map", "mapping", multiple=True, metavar="FIELD=HEADER,...", help="Say which column is what.")
@click.option("--currency", default="", help="Keep only rows in this currency (ISO code).")
@click.option("--max-rejected", default="5%", show_default=True, help="The share above which the answer is no.")
@click.option("--rejected", type=click.Path(path_type=Path), default=None, help="Write the rejected rows to this CSV.")
@AS_JSON
@_fails_plainly
def check(
    catalog: Path, mapping: tuple[str, ...], currency: str, max_rejected: str, rejected: Path | None, as_json: bool
) -> None:
    """Dry run: what CATALOG is, how it will be read, and every row that will not be."""
    from indexer.catalog import CatalogSettings, Rejection, check_catalog, open_catalog, write_rejected

    settings = CatalogSettings(mapping=_mapping(mapping), currency=currency)
    report = check_catalog(catalog, settings)
    if rejected:
        rows = (row for row in open_catalog(catalog, settings) if isinstance(row, Rejection))
        write_rejected(rejected, rows)
    _print(report.as_json()) if as_json else click.echo(report.as_text())
    sys.exit(0 if report.rejected <= _share(max_rejected) * max(report.rows_read, 1) and report.accepted else 1)


def _is_built(catalog: Path | None) -> bool:
    """Return whether a release this version reads is live; with a catalog, whether it is of exactly that file."""
    from search.encoder import file_sha256
    from search.errors import ReleaseDamaged, ReleaseMissing
    from search.home import default_home
    from search.release import expect_readable

    try:
        manifest = expect_readable(default_home().live())
    except (ReleaseMissing, ReleaseDamaged):
        return False
    return catalog is None or (catalog.is_file() and manifest["catalog"]["sha256"] == file_sha256(catalog))


@main.command()
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Write the release here, not in the home."
)
@click.option("--train", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
@click.option("--train-minutes", type=click.FloatRange(min=0.1), help="Stop fine-tuning after this long (a ceiling).")
@click.option("--model", default="", help="A sentence-transformers folder or id; default: the pinned base.")
@click.option("--judgments", type=FILE, help="Judged queries for the gate and the metrics.")
@click.option("--queries", type=FILE, help="Their texts.")
@click.option("--max-rejected", default="5%", show_default=True)
@click.option("--map", "mapping", multiple=True, metavar="FIELD=HEADER,...")
@click.option("--currency", default="")
@click.option("--publish/--no-publish", default=True, help="Make the release live.")
@click.option("--force", is_flag=True, help="Make it live in spite of a refusal.")
@click.option("--if-none", is_flag=True, help="Do nothing when any release is live.")
@click.option("--if-changed", is_flag=True, help="Do nothing when the live release is of this very file.")
@AS_JSON
@_fails_plainly
def build(catalog: Path, as_json: bool, mapping: tuple[str, ...], **options: Any) -> None:
    """Build a release of CATALOG and make it live."""
    from indexer.catalog import CatalogSettings
    from indexer.pipeline import build as build_release
    from indexer.progress import Progress
    from indexer.settings import BuildSettings
    from indexer.training import TrainingSettings
    from search.home import default_home

    if (options["if_none"] or options["if_changed"]) and _is_built(catalog if options["if_changed"] else None):
        click.echo("the live release is up to date; nothing to build")
        return
    settings = BuildSettings(
        catalog_path=catalog,
        catalog=CatalogSettings(mapping=_mapping(mapping), currency=options["currency"]),
        training=TrainingSettings(time_ceiling_minutes=options["train_minutes"]),
        train=options["train"],
        model=options["model"],
        judgments_path=options["judgments"],
        queries_path=options["queries"],
        max_rejected=_share(options["max_rejected"]),
        out=options["out"],
        publish=options["publish"],
        force=options["force"],
    )
    result = build_release(settings, default_home(), Progress()).as_json()
    if as_json:
        _print(result)
        return
    state = "live" if result["live"] else "not live"
    click.echo(f"release {result['release']} ({state}) in {result['folder']}")
    click.echo(
        f"  {result['accepted']:,} products, {result['rejected']:,} rows rejected, {result['encoded']:,} encoded"
    )
    click.echo(f"  encoder: {result['encoder']['name']} ({result['encoder']['fingerprint']})")
    click.echo(f"  {result['training']['reason']}")
    for warning in result["warnings"]:
        click.echo(f"  warning: {warning}")


@main.command()
@click.option("--queries", type=FILE, required=True)
@click.option("--judgments", type=FILE, required=True)
@INDEX
@MODE
@click.option("--run", "run_path", type=click.Path(path_type=Path), help="Write the ranking as a TREC run.")
@click.option("--cutoff", is_flag=True, help="Measure what the page shows, after the relevance cut-off.")
@click.option("--interpret", type=click.IntRange(0, 1), default=1, show_default=True,
              help="0: read no constraints and correct no words.")  # fmt: skip
@AS_JSON
@_fails_plainly
def evaluate(
    queries: Path,
    judgments: Path,
    index: Path | None,
    mode: str,
    run_path: Path | None,
    cutoff: bool,
    interpret: int,
    as_json: bool,
) -> None:
    """Measure the ranking against judged queries."""
    from dataclasses import asdict

    from indexer.evaluation.engine_run import evaluate_engine
    from indexer.evaluation.judgments import read_judgments, read_kinds, read_queries, write_run
    from indexer.evaluation.measures import by_kind
    from indexer.progress import Progress
    from search.engine import Engine

    engine = Engine.open(index)
    answers = evaluate_engine(
        engine, read_queries(queries), read_judgments(judgments), mode=mode, cutoff=cutoff, interpret=bool(interpret),
        on_progress=Progress().step,
    )  # fmt: skip
    if run_path:
        write_run(run_path, answers.run, engine.release.name)
    settings = {"ranking": asdict(engine.release.ranking), "lexical": asdict(engine.release.lexical.settings),
                "encoder": engine.release.manifest["encoder"], "cutoff": cutoff,
                "interpret": bool(interpret)}  # fmt: skip
    kinds = by_kind(answers.evaluation, read_kinds(queries))
    data = {**answers.evaluation.as_json(), "kinds": {name: kind.as_json() for name, kind in kinds.items()},
            "mode": mode, "release": engine.release.name, "settings": settings}  # fmt: skip
    if as_json:
        _print(data)
        return
    click.echo(f"release {engine.release.name}, mode {mode}\n{answers.evaluation.as_text()}")
    for name, kind in kinds.items():
        found = kind.interval
        click.echo(
            f"{name:<18}{found.mean:7.3f}   {found.low:.3f} to {found.high:.3f}   {kind.queries} queries, nDCG@10"
        )


@main.command()
@click.argument("run_a", type=FILE)
@click.argument("run_b", type=FILE)
@click.option("--judgments", type=FILE, required=True)
@AS_JSON
@_fails_plainly
def compare(run_a: Path, run_b: Path, judgments: Path, as_json: bool) -> None:
    """Compare two TREC runs: paired bootstrap, wins and losses per query."""
    from indexer.evaluation.compare import compare as compare_runs
    from indexer.evaluation.judgments import read_judgments, read_run

    comparison = compare_runs(read_run(run_a), read_run(run_b), read_judgments(judgments))
    _print(comparison.as_json()) if as_json else click.echo(comparison.as_text())


@main.command()
@click.argument("query")
@INDEX
@MODE
@click.option("--per-page", default=10, show_default=True)
@click.option("--explain", is_flag=True, help="Show each leg's score and rank.")
@AS_JSON
@_fails_plainly
def search(query: str, index: Path | None, mode: str, per_page: int, explain: bool, as_json: bool) -> None:
    """Ask the live release; the same answer as the API."""
    from search.engine import Engine

    results = Engine.open(index).search(query, mode=mode, per_page=per_page, explain=explain)
    if as_json:
        _print(results.as_json())
        return
    more = "at least " if results.total_relation == "at_least" else ""
    click.echo(f"{more}{results.total:,} products ({results.confidence}), {results.took_ms} ms")
    for hit in results.hits:
        price = "" if hit.product.price is None else f"{hit.product.price:,.2f} {hit.product.currency}".strip()
        click.echo(f"{hit.rank:3} {hit.score:.3f}  {hit.product.title}  {price}  [{hit.id}]  {'; '.join(hit.why)}")
        if hit.explain:
            click.echo(f"           {', '.join(f'{key} {value}' for key, value in hit.explain.items())}")


@main.command()
@click.option("--embeddings", type=click.Path(path_type=Path), required=True, help="(n, d) float32 .npy to write.")
@click.option("--ids", type=click.Path(path_type=Path), required=True, help="Product ids, one a line, in row order.")
@INDEX
@AS_JSON
@_fails_plainly
def export(embeddings: Path, ids: Path, index: Path | None, as_json: bool) -> None:
    """Write a release's embeddings and product ids for use elsewhere."""
    import numpy as np

    from search.home import default_home, layout_of
    from search.release import open_release

    release = open_release(layout_of(index or default_home().root))
    with embeddings.open("wb") as file:
        np.save(file, np.asarray(release.dense.embeddings))
    ids.write_text("".join(f"{product.id}\n" for product in release.products), "utf-8")
    dim = release.dense.embeddings.shape[1]
    if as_json:
        _print({"release": release.name, "rows": release.rows, "dim": dim})
    else:
        click.echo(f"{release.rows:,} x {dim} of release {release.name}")


@main.command()
@AS_JSON
@_fails_plainly
def releases(as_json: bool) -> None:
    """List the releases kept, the live one marked."""
    from indexer.releases import live_or_none
    from search.errors import ReleaseDamaged
    from search.home import default_home
    from search.release import read_manifest

    home = default_home()
    live = live_or_none(home)
    listing = []
    for layout in home.all_releases():
        try:
            manifest = read_manifest(layout)
        except ReleaseDamaged as error:
            click.echo(f"! {layout.name}  {error}", err=True)
            continue
        metrics = (manifest["metrics"] or {}).get("metrics", {})
        listing.append(
            {"release": layout.name, "live": live is not None and layout.name == live.name, "rows": manifest["rows"],
             "catalog": manifest["catalog"]["name"], "encoder": manifest["encoder"]["name"],
             "adopted": manifest["training"]["adopted"], "nDCG@10": metrics.get("nDCG@10", {}).get("mean")}
        )  # fmt: skip
    if as_json:
        _print(listing)
        return
    for entry in listing:
        score = "" if entry["nDCG@10"] is None else f"  nDCG@10 {entry['nDCG@10']:.3f}"
        mark = "*" if entry["live"] else " "
        click.echo(
            f"{mark} {entry['release']}  {entry['rows']:,} products  {entry['catalog']}  {entry['encoder']}{score}"
        )


@main.command()
@click.argument("name", default="")
@AS_JSON
@_fails_plainly
def rollback(name: str, as_json: bool) -> None:
    """Switch the live release to NAME, or to the one before it."""
    from indexer.releases import rollback as roll_back
    from search.home import default_home

    live = roll_back(default_home(), name)
    _print({"live": live}) if as_json else click.echo(f"live: {live}")


@main.command()
@click.argument("name", default="")
@AS_JSON
@_fails_plainly
def verify(name: str, as_json: bool) -> None:
    """Check every file of a release (default: the live one) against its manifest."""
    from search.home import default_home
    from search.release import verify as problems_of

    home = default_home()
    layout = home.release(name) if name else home.live()
    problems = problems_of(layout)
    if as_json:
        _print({"release": layout.name, "problems": problems})
    else:
        click.echo("\n".join(problems) if problems else f"{layout.name}: every checksum fits")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
