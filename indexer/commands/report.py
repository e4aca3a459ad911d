"""What a release's embedding knows, and how much more data would bring: report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from indexer.commands.options import AS_JSON, FILE, INDEX, fails_plainly, print_json


@click.command()
@INDEX
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the whole page to this file.")
@click.option("--shares", default="", metavar="10,30,100",
              help="Also train on these shares (percent) of the pairs and measure each; minutes.")  # fmt: skip
@click.option("--catalog", type=FILE, help="Measure the shares on this catalog, not the release's own products.")
@click.option("--judgments", type=FILE, help="Judged queries, for the shares to be measured on.")
@click.option("--queries", type=FILE, help="Their texts.")
@AS_JSON
@fails_plainly
def report(index: Path | None, out: Path | None, shares: str, as_json: bool, **files: Path | None) -> None:
    """Say what a release's embedding knows of its catalog, and what to do about it."""
    from indexer.progress import Progress
    from indexer.report.of_release import kept_curve, knowledge_of_release
    from indexer.report.page import report_page, sections_of
    from search.home import Home, default_home, layout_of
    from search.release import open_release

    wanted = shares_of(shares)
    if out:
        _refuse_release(out)
    release = open_release(layout_of(index or default_home().root))
    # Encoders lie in the home that was named; a folder that is a release has none of its own.
    home = default_home() if index is None or (index / "manifest.json").is_file() else Home(index)
    progress = Progress()
    if wanted:
        measure_shares(release, home, wanted, progress, **files)
    knowledge, curve = knowledge_of_release(release, home, progress.step), kept_curve(home, release.name)
    sections = sections_of(release.manifest, knowledge, curve)
    if out:
        _write(out, report_page(release.manifest, knowledge, curve, has_query_report=False))
    page = str(out or release.layout.report)
    if as_json:
        print_json({
            "release": release.name, "page": page, **knowledge.as_json(),
            "curve": None if curve is None else curve.as_json(),
            "summary": {section.name: section.summary for section in sections},
        })  # fmt: skip
        return
    for section in sections:
        click.echo(f"{section.question}{'  (look)' if section.needs_a_look else ''}\n  {section.summary}")
    click.echo(f"The page: {page}")


def _refuse_release(path: Path) -> None:
    """Refuse to write into a release.

    Raises:
        AisleError: the file would lie in one.
    """
    from search.errors import AisleError

    if any((folder / "manifest.json").is_file() for folder in path.resolve().parents):
        raise AisleError(f"{path} lies in a release, and a release never changes; name a file elsewhere")


def _write(path: Path, page: str) -> None:
    """Write a page.

    Raises:
        AisleError: it cannot be written.
    """
    from search.errors import AisleError

    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise AisleError(f"{path} cannot be written ({error}); name another file with --out") from error


def shares_of(text: str) -> list[float]:
    """Return 0..1 of "10,30,100", [] of "".

    Raises:
        BadParameter: a part is no percentage above 0.
    """
    try:
        shares = [float(part.strip(" %")) / 100 for part in text.split(",") if part.strip()]
    except ValueError:
        shares = [0.0]
    if not all(0 < share <= 1 for share in shares):
        raise click.BadParameter(f'"{text}" are no shares; write them like 10,30,100', param_hint="--shares")
    return shares


def measure_shares(
    release: Any,
    home: Any,
    shares: list[float],
    progress: Any,
    catalog: Path | None,
    queries: Path | None,
    judgments: Path | None,
) -> None:
    """Train on each share of the pairs, measure, and keep the curve in the home's state.

    Raises:
        AisleError: a file cannot be read, or the catalog gives too little to measure anything.
    """
    import tempfile

    from indexer.boilerplate import boilerplate_of, without_boilerplate
    from indexer.catalog import CatalogSettings, Rejection, open_catalog
    from indexer.reading import read_judged
    from indexer.report.of_release import keep_curve
    from indexer.training import TrainingSettings
    from indexer.training.curve import learning_curve
    from indexer.training.plan import Refused
    from search.encoder import open_encoder
    from search.errors import EvaluationError

    built = release.manifest["settings"]
    listed = list(release.products)
    if catalog:
        listed = [row for row in open_catalog(catalog, CatalogSettings()) if not isinstance(row, Rejection)]
    settings = TrainingSettings(**{**built["training"], "merge_weights": tuple(built["training"]["merge_weights"])})
    judged = read_judged(queries, judgments)
    with tempfile.TemporaryDirectory(prefix="aisle-shares-") as work:
        try:
            products = without_boilerplate(listed, boilerplate_of(listed))
            base = open_encoder(built["model"])
            curve = learning_curve(products, base, Path(work), settings, shares, judged, progress.step)
        except Refused as refused:
            raise EvaluationError(f"the shares cannot be measured: {refused}") from refused
    keep_curve(home, release.name, curve)
