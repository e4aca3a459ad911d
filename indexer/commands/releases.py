"""Which releases there are and which is live: releases, rollback, verify, export."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indexer.commands.options import AS_JSON, INDEX, fails_plainly, print_json

if TYPE_CHECKING:
    from search.home import Layout


@click.command()
@AS_JSON
@fails_plainly
def releases(as_json: bool) -> None:
    """List the releases kept, the live one marked."""
    from search.errors import ReleaseDamaged
    from search.home import default_home
    from search.release import read_manifest
    from search.releases import live_or_none

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
             "sequence": manifest.get("sequence", 0),
             "catalog": manifest["catalog"]["name"], "encoder": manifest["encoder"]["name"],
             "adopted": manifest["training"]["adopted"], "nDCG@10": metrics.get("nDCG@10", {}).get("mean")}
        )  # fmt: skip
    if as_json:
        print_json(listing)
        return
    for entry in listing:
        score = "" if entry["nDCG@10"] is None else f"  nDCG@10 {entry['nDCG@10']:.3f}"
        mark = "*" if entry["live"] else " "
        click.echo(
            f"{mark} {entry['release']}  {entry['rows']:,} products  {entry['catalog']}  {entry['encoder']}{score}"
        )


@click.command()
@click.argument("name", default="")
@AS_JSON
@fails_plainly
def rollback(name: str, as_json: bool) -> None:
    """Switch the live release to NAME, or to the one before it."""
    from search.home import default_home
    from search.releases import rollback as roll_back

    live = roll_back(default_home(), name)
    print_json({"live": live}) if as_json else click.echo(f"live: {live}")


@click.command()
@click.argument("name", default="")
@AS_JSON
@fails_plainly
def verify(name: str, as_json: bool) -> None:
    """Check every file of a release (default: the live one) and of its encoder, and what changed since."""
    from search.encoders import encoder_damage
    from search.errors import ChangesUnavailable
    from search.home import default_home
    from search.release import read_manifest
    from search.release import verify as problems_of
    from search.state.batches import Batch
    from search.state.changes import ChangeLog

    home = default_home()
    layout = home.release(name) if name else home.live()
    manifest = read_manifest(layout)
    problems = problems_of(layout) + encoder_damage(manifest.get("encoder", {}), home)
    log = ChangeLog(home.changes)
    problems += log.problems()
    sequence, changes = int(manifest.get("sequence", 0)), Batch()
    try:
        reading = log.read(sequence)
        sequence, changes = max(sequence, reading.sequence), reading.changes
    except ChangesUnavailable:
        pass  # is among the problems
    unknown = _unknown(layout, list(changes))
    if as_json:
        print_json({
            "release": layout.name, "problems": problems, "sequence": sequence, "changed": len(changes),
            "unknown": unknown,
        })  # fmt: skip
    else:
        fine = f"{layout.name}: every checksum fits; {len(changes):,} products changed since, sequence {sequence}"
        click.echo("\n".join(problems) if problems else fine)
        if unknown:
            click.echo(
                f"  {len(unknown):,} changed products are not in this release, which is no fault: "
                f"{', '.join(unknown[:20])}{', ...' if len(unknown) > 20 else ''}"
            )
    sys.exit(1 if problems else 0)


def _unknown(layout: Layout, product_ids: list[str]) -> list[str]:
    """Return which products a release does not have; [] where its products cannot be read, which was told."""
    from search.errors import ReleaseDamaged
    from search.store import ProductStore

    try:
        known = ProductStore(layout.products).known_rows(product_ids) if product_ids else {}
    except (ReleaseDamaged, sqlite3.Error):
        return []
    return [one for one in product_ids if one not in known]


@click.command()
@click.option("--embeddings", type=click.Path(path_type=Path), required=True, help="(n, d) float32 .npy to write.")
@click.option("--ids", type=click.Path(path_type=Path), required=True, help="Product ids, one a line, in row order.")
@INDEX
@AS_JSON
@fails_plainly
def export(embeddings: Path, ids: Path, index: Path | None, as_json: bool) -> None:
    """Write a release's embeddings and product ids for use elsewhere."""
    import numpy as np

    from search.home import default_home, layout_of
    from search.release import open_release

    release = open_release(layout_of(index or default_home().root))
    with embeddings.open("wb") as file:
        np.save(file, np.asarray(release.dense.embeddings))
    ids.write_text("".join(f"{product.id}\n" for product in release.products), "utf-8")
    if as_json:
        print_json({"release": release.name, "rows": release.rows, "dim": release.dense.dim})
    else:
        click.echo(f"{release.rows:,} x {release.dense.dim} of release {release.name}")
