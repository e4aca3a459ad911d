"""A changed catalog, or new prices and stock: update."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.commands.catalog import is_built, tell
from indexer.commands.options import AS_JSON, FILE, fails_plainly, mapping_of, print_json, share_of

if TYPE_CHECKING:
    from indexer.catalog import Rejection
    from indexer.catalog.price_list import PriceList

SHOWN = 20  # rejected rows and unknown ids that are listed for people
LISTED = 1_000  # and for programs


@click.command()
@click.argument("catalog", type=click.Path(path_type=Path), required=False)
@click.option("--prices", type=FILE, help="Only prices and stock: ids with price, availability or stock.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=HEADER,...", help="Say which column is what.")
@click.option("--max-rejected", default=None, help="The share of bad rows above which nothing happens; default: as the"
              " live release was built.")  # fmt: skip
@click.option("--rejected", type=click.Path(path_type=Path), help="Write the rejected rows of --prices to this CSV.")
@click.option("--train", type=click.Choice(["auto", "always", "never"]), help="Default: as decided; see build.")
@click.option("--judgments", type=FILE, help="Judged queries for the gate and the metrics.")
@click.option("--queries", type=FILE, help="Their texts.")
@click.option("--dim", type=click.IntRange(min=1), help="Default: as the live release has it.")
@click.option("--precision", type=click.Choice(["float32", "float16", "int8", "pq"]), help="Default: likewise.")
@click.option("--keep-changes", is_flag=True, help="Earlier changes of prices and stock stay on top of CATALOG.")
@click.option("--force", is_flag=True, help="Make it live in spite of a refusal.")
@AS_JSON
@fails_plainly
def update(
    catalog: Path | None, prices: Path | None, mapping: tuple[str, ...], rejected: Path | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Bring the live release up to date with CATALOG, built as it was; or only its prices and stock, with --prices."""
    if (catalog is None) == (prices is None):
        raise click.UsageError("give a changed CATALOG, or --prices FILE with new prices and stock")
    share = None if options["max_rejected"] is None else share_of(options.pop("max_rejected"))
    options.pop("max_rejected", None)
    columns = mapping_of(mapping)
    if prices is not None:
        if any(options.values()):
            raise click.UsageError("--prices builds no release; leave out what is said of one")
        _reprice(prices, columns, share, rejected, as_json)
    elif catalog is not None:
        _publish(catalog, as_json, mapping=columns, max_rejected=share, **options)


def _publish(
    catalog: Path, as_json: bool, judgments: Path | None, queries: Path | None, keep_changes: bool, force: bool,
    **options: Any,
) -> None:  # fmt: skip
    from indexer.pipeline import build
    from indexer.progress import Progress
    from indexer.updating import difference, settings_like, share_unchanged
    from search.home import default_home
    from search.release import read_manifest
    from search.store import ProductStore

    home = default_home()
    live = home.live()
    if judgments is None and not any(options.values()) and is_built(catalog):
        told = {"release": live.name, "live": True, "is_new": False}
        print_json(told) if as_json else click.echo("the live release is of this very file; nothing to update")
        return
    settings = settings_like(
        live, catalog, judgments_path=judgments, queries_path=queries, keep_changes=keep_changes, force=force, **options
    )
    if read_manifest(live).get("ranker", {}) and live.ranker.is_file() and judgments is None:
        click.echo("aisle: the live release ranks by what judged queries taught it; to learn that again, give "
                   "--queries and --judgments", err=True)  # fmt: skip
    before = ProductStore(live.products)
    result = build(settings, home, Progress())
    found = difference(before, ProductStore(result.layout.products))
    saved = share_unchanged(live, result.layout, home) if live.manifest.is_file() else 0
    told = {
        **result.as_json(),
        "is_new": True,
        "before": live.name,
        "difference": found.as_json(),
        "shared_bytes": saved,
    }
    if as_json:
        print_json(told)
        return
    tell(told)
    click.echo(
        f"  {found.added:,} added, {found.changed:,} changed, {found.removed:,} removed, {found.repriced:,} with "
        f"another price, {found.restocked:,} with another availability; {saved / 1e6:,.1f} MB shared with the release "
        "before"
    )


def _reprice(path: Path, columns: dict[str, str], share: float | None, rejected: Path | None, as_json: bool) -> None:
    from indexer.catalog import Rejection, write_rejected
    from indexer.catalog.price_list import open_price_list
    from indexer.updating import reprice
    from search.home import default_home
    from search.release import expect_readable

    home = default_home()
    manifest = expect_readable(home.live())
    prices: PriceList = open_price_list(path, columns, manifest["catalog"]["currency"])
    if rejected:
        write_rejected(rejected, (one for one in prices.read() if isinstance(one, Rejection)))
    done = reprice(prices, home, manifest["settings"].get("max_rejected", 0.05) if share is None else share)
    if as_json:
        print_json({
            "release": done.release, "sequence": done.sequence, "rows": done.rows, "accepted": done.accepted,
            "rejected": len(done.rejections), "rejections": [_row(one) for one in done.rejections[:LISTED]],
            "unknown": len(done.unknown), "unknown_ids": list(done.unknown[:LISTED]), "mapping": prices.mapping,
        })  # fmt: skip
        return
    click.echo(f"{done.accepted:,} products of release {done.release} changed, sequence {done.sequence}")
    for one in done.rejections[:SHOWN]:
        click.echo(f'  line {one.line}, {one.column or "row"}: {one.reason} ("{one.value}"); {one.fix}')
    if len(done.rejections) > SHOWN:
        click.echo(f"  and {len(done.rejections) - SHOWN:,} more rows; all of them: --rejected FILE")
    if done.unknown:
        more = f" and {len(done.unknown) - SHOWN:,} more" if len(done.unknown) > SHOWN else ""
        click.echo(f"  {len(done.unknown):,} ids are not in the release: {', '.join(done.unknown[:SHOWN])}{more}")


def _row(one: Rejection) -> dict[str, Any]:
    return {"line": one.line, "column": one.column, "value": one.value, "reason": one.reason, "fix": one.fix}
