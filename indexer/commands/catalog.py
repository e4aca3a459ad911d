"""Catalog -> release: check and build."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from indexer.commands.options import AS_JSON, FILE, fails_plainly, mapping_of, print_json, share_of


@click.command()
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option("--map", "mapping", multiple=True, metavar="FIELD=HEADER,...", help="Say which column is what.")
@click.option("--currency", default="", help="Keep only rows in this currency (ISO code).")
@click.option("--max-rejected", default="5%", show_default=True, help="The share above which the answer is no.")
@click.option("--rejected", type=click.Path(path_type=Path), default=None, help="Write the rejected rows to this CSV.")
@AS_JSON
@fails_plainly
def check(
    catalog: Path, mapping: tuple[str, ...], currency: str, max_rejected: str, rejected: Path | None, as_json: bool
) -> None:
    """Dry run: what CATALOG is, how it will be read, and every row that will not be."""
    from indexer.catalog import CatalogSettings, Rejection, check_catalog, open_catalog, write_rejected

    settings = CatalogSettings(mapping=mapping_of(mapping), currency=currency)
    report = check_catalog(catalog, settings)
    if rejected:
        rows = (row for row in open_catalog(catalog, settings) if isinstance(row, Rejection))
        write_rejected(rejected, rows)
    print_json(report.as_json()) if as_json else click.echo(report.as_text())
    sys.exit(0 if report.rejected <= share_of(max_rejected) * max(report.rows_read, 1) and report.accepted else 1)


def is_built(catalog: Path | None) -> bool:
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


@click.command()
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
@click.option("--dim", type=click.IntRange(min=1), help="Dimensions of the stored vectors; default: the encoder's own.")
@click.option("--precision", type=click.Choice(["float32", "float16", "int8", "pq"]), default="float32",
              show_default=True, help="What they are stored in; see: python -m indexer dimensions.")  # fmt: skip
@click.option("--recall", type=click.FloatRange(min=0.5, max=1), default=0.99, show_default=True,
              help="Of an exact search's first hundred, what the index of a large catalog must find.")  # fmt: skip
@click.option("--publish/--no-publish", default=True, help="Make the release live.")
@click.option("--force", is_flag=True, help="Make it live in spite of a refusal.")
@click.option("--keep-changes", is_flag=True, help="Earlier changes of prices and stock stay on top of CATALOG.")
@click.option("--if-none", is_flag=True, help="Do nothing when any release is live.")
@click.option("--if-changed", is_flag=True, help="Do nothing when the live release is of this very file.")
@AS_JSON
@fails_plainly
def build(catalog: Path, as_json: bool, mapping: tuple[str, ...], **options: Any) -> None:
    """Build a release of CATALOG and make it live."""
    from indexer.catalog import CatalogSettings
    from indexer.pipeline import build as build_release
    from indexer.progress import Progress
    from indexer.settings import BuildSettings
    from indexer.training import TrainingSettings
    from search.home import default_home

    if (options["if_none"] or options["if_changed"]) and is_built(catalog if options["if_changed"] else None):
        click.echo("the live release is up to date; nothing to build")
        return
    settings = BuildSettings(
        catalog_path=catalog,
        catalog=CatalogSettings(mapping=mapping_of(mapping), currency=options["currency"]),
        training=TrainingSettings(time_ceiling_minutes=options["train_minutes"]),
        train=options["train"],
        model=options["model"],
        judgments_path=options["judgments"],
        queries_path=options["queries"],
        max_rejected=share_of(options["max_rejected"]),
        out=options["out"],
        publish=options["publish"],
        dim=options["dim"],
        precision=options["precision"],
        recall=options["recall"],
        force=options["force"],
        keep_changes=options["keep_changes"],
    )
    result = build_release(settings, default_home(), Progress()).as_json()
    print_json(result) if as_json else tell(result)


def tell(result: dict[str, Any]) -> None:
    """Print what a build did, for people."""
    state = "live" if result["live"] else "not live"
    click.echo(f"release {result['release']} ({state}) in {result['folder']}")
    click.echo(
        f"  {result['accepted']:,} products, {result['rejected']:,} rows rejected, {result['encoded']:,} encoded"
    )
    click.echo(f"  encoder: {result['encoder']['name']} ({result['encoder']['fingerprint']})")
    if (vectors := result["vectors"])["rotation"] or vectors["precision"] != "float32":
        click.echo(f"  vectors: {vectors['dim']} of {vectors['of']} dimensions, {vectors['precision']}")
    click.echo(f"  {result['training']['reason']}")
    for warning in result["warnings"]:
        click.echo(f"  warning: {warning}")
