"""What a build reads: the products of a catalog, streamed into the release, and judged queries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from indexer.catalog import Catalog, Notes, Rejection, write_rejected
from indexer.evaluation.judgments import read_judgments, read_queries
from indexer.progress import Progress
from indexer.rows import HELD
from indexer.training import JudgedQueries
from search.errors import AisleError, CatalogError, TooManyRejected
from search.home import Layout
from search.product import Product
from search.store import ProductStore


def read_products(
    catalog: Catalog,
    store: ProductStore,
    staging: Layout,
    max_rejected: float,
    progress: Progress,
    held: list[Product],
) -> dict[str, Any]:
    """Stream the catalog into the release's product store and rejected.csv; return the manifest's `catalog` entry.

    Args:
        catalog: to read.
        store: to write to.
        staging: the release in the making.
        max_rejected: the largest share of rows that may be unusable, 0..1.
        progress: told of every thousandth row.
        held: takes the products too, unless there are more than HELD.

    Raises:
        CatalogError: no row is usable.
        TooManyRejected: more than `max_rejected` of the rows were rejected; rejected.csv is kept beside the index.
    """
    notes = Notes()
    rejections: list[Rejection] = []
    origins: set[str] = set()

    def accepted() -> Iterator[Product]:
        for _, outcome in catalog.read(notes):
            if isinstance(outcome, Rejection):
                rejections.append(outcome)
                continue
            for url in (outcome.image_url, *outcome.more_image_urls):
                if url.startswith("http"):
                    origins.add("{0.scheme}://{0.netloc}".format(urlsplit(url)))
            if store.count % 1000 == 0:
                progress.step("reading rows", store.count, 0)
            if store.count < HELD:
                held.append(outcome)
            yield outcome

    store.append(accepted())
    if store.count > HELD:
        held.clear()
    write_rejected(staging.rejected, rejections)
    rows = notes.rows
    if len(rejections) > max_rejected * rows:
        kept = staging.folder.parent / "rejected.csv"
        kept.write_bytes(staging.rejected.read_bytes())
        first = rejections[0]
        raise TooManyRejected(
            f"{len(rejections):,} of {rows:,} rows were rejected, more than --max-rejected {max_rejected:.0%} allows; "
            f"the first: line {first.line}, {first.column or 'row'}: {first.reason}. All are in {kept}; mend them, or "
            "raise --max-rejected"
        )
    if store.count == 0:
        raise CatalogError(f"{catalog.path} has no usable row; see what is wrong with: python -m indexer check")
    return {
        "rows": rows, "accepted": store.count, "rejected": len(rejections),
        "folded": notes.folded, "unpublished": notes.unpublished, "currency": catalog.currency,
        "mapping": catalog.mapping, "preset": catalog.preset, "image_origins": sorted(origins),
    }  # fmt: skip


def read_judged(queries: Path | None, judgments: Path | None) -> JudgedQueries | None:
    """Return the judged queries of two files, None without any.

    Raises:
        AisleError: only one of the two files was given.
    """
    if judgments is None and queries is None:
        return None
    if judgments is None or queries is None:
        raise AisleError("--judgments and --queries belong together; give both files")
    return JudgedQueries(read_queries(queries), read_judgments(judgments))
