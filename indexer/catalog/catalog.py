"""An opened catalog: what was detected about it, and its products and rejections as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from indexer.catalog.columns import Columns, require_columns, with_overrides
from indexer.catalog.conventions import Conventions, conventions_of
from indexer.catalog.delimited import delimited_rows, read_header
from indexer.catalog.outcomes import Notes, Rejection
from indexer.catalog.presets import Preset, columns_for, preset_for, rows_of
from indexer.catalog.prices import ISO_CODES
from indexer.catalog.products import ProductMaker
from indexer.catalog.records import jsonl_rows, parquet_headers, parquet_rows
from indexer.catalog.rows import Blank, Row, main_text
from indexer.catalog.settings import CatalogSettings
from indexer.catalog.sniffing import Sniffed, sniff
from search.errors import CatalogError
from search.product import Product

SAMPLED_CELL_CHARACTERS = 200  # conventions show in the first characters; keeps the sample's memory bounded


@dataclass(frozen=True)
class Catalog:
    """A catalog file that can be read, any number of times; nothing of it is kept in memory.

    Attributes:
        mapping: our field -> its headers; the first filled one wins, category joins its columns.
        preset: "shopify", "woocommerce", "google" or "".
    """

    path: Path
    sniffed: Sniffed
    mapping: Columns
    preset: str
    conventions: Conventions
    settings: CatalogSettings

    @property
    def currency(self) -> str:
        """ISO 4217 code of every price in the catalog; "" when no row says."""
        return self.conventions.currency

    def __iter__(self) -> Iterator[Product | Rejection]:
        return (outcome for _, outcome in self.read(Notes()))

    def read(self, notes: Notes) -> Iterator[tuple[int, Product | Rejection]]:
        """Yield (line, outcome) for every row in file order; `notes` collects counts and warnings on the way.

        Raises:
            CatalogError: the file itself is damaged (a torn gzip or Parquet file); a bad row never raises.
        """
        maker = ProductMaker(self.mapping, self.conventions, self.settings, notes)
        preset = rows_of(self.preset, self.sniffed.headers, self.settings)
        for row in raw_rows(self.path, self.sniffed, self.settings):
            if isinstance(row, Blank):
                notes.blank += 1
                continue
            notes.rows += 1
            outcome = row if isinstance(row, Rejection) else _outcome(row, maker, preset, notes)
            if outcome is not None:
                yield row.line, outcome


def open_catalog(path: str | Path, settings: CatalogSettings) -> Catalog:
    """Detect format, encoding, dialect, columns and conventions from the file's beginning.

    Raises:
        CatalogError: no such file, empty, a header without rows, no id or title column, an unsupported format,
            an unknown field, header, encoding or currency in the settings.
    """
    path = Path(path)
    if settings.currency and settings.currency.upper() not in ISO_CODES:
        raise CatalogError(f"--currency {settings.currency}: not an ISO 4217 code; write one such as USD or EUR")
    sniffed, sample = with_headers(path, sniff(path, settings), settings)
    headers = sniffed.headers
    if not headers and sample and isinstance(sample[0], Rejection):  # JSONL without one good line
        raise CatalogError(f"{path}, line {sample[0].line}: {sample[0].reason}; {sample[0].fix}")
    preset = preset_for(headers)
    columns = with_overrides(columns_for(preset, headers), settings.mapping, headers)
    require_columns(columns, headers, str(path))
    if not sample:
        raise CatalogError(f"{path} has a header ({', '.join(headers)}) but not one row below it; export the products")
    rows = [row for row in sample if isinstance(row, Row)]
    return Catalog(path, sniffed, columns, preset, _conventions(rows, preset, sniffed, columns, settings), settings)


def _outcome(row: Row, maker: ProductMaker, preset: Preset, notes: Notes) -> Product | Rejection | None:
    """Return what becomes of a row; None when the preset set it aside."""
    prepared = maker.unreadable(row) or preset.rewrite(row, notes)
    return maker.product(prepared) if isinstance(prepared, Row) else prepared


def with_headers(path: Path, sniffed: Sniffed, settings: CatalogSettings) -> tuple[Sniffed, list[Row | Rejection]]:
    """Return what was sniffed with its headers, and the sampled rows (cells cut short)."""
    if sniffed.format == "parquet":
        sniffed = replace(sniffed, headers=parquet_headers(path, sniffed.gzipped))
    elif sniffed.format != "jsonl":
        sniffed = replace(sniffed, headers=read_header(path, sniffed, settings))
    rows = (row for row in raw_rows(path, sniffed, settings) if not isinstance(row, Blank))
    sample = [_cut(row) for row in islice(rows, settings.sample_rows)]
    if sniffed.format == "jsonl":
        keys = dict.fromkeys(key for row in sample if isinstance(row, Row) for key in row.cells)
        sniffed = replace(sniffed, headers=tuple(keys))
    return sniffed, sample


def _conventions(
    rows: list[Row], preset: str, sniffed: Sniffed, columns: Columns, settings: CatalogSettings
) -> Conventions:
    rewriter = rows_of(preset, sniffed.headers, settings)
    prepared = (rewriter.rewrite(row, Notes()) for row in rows)
    return conventions_of([row for row in prepared if isinstance(row, Row)], columns, settings)


def _cut(row: Row | Rejection) -> Row | Rejection:
    if isinstance(row, Rejection):
        return row
    return Row(row.line, {header: main_text(cell)[:SAMPLED_CELL_CHARACTERS] for header, cell in row.cells.items()})


def raw_rows(path: Path, sniffed: Sniffed, settings: CatalogSettings) -> Iterator[Row | Rejection | Blank]:
    """Give every row of a file as it stands there, or why it cannot be read as one."""
    if sniffed.format == "parquet":
        return parquet_rows(path, sniffed)
    if sniffed.format == "jsonl":
        return jsonl_rows(path, sniffed, settings)
    return delimited_rows(path, sniffed, settings)
