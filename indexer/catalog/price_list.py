"""A list of prices and stock: an id and any of price, availability and stock, read as strictly as a catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.catalog.catalog import raw_rows, with_headers
from indexer.catalog.columns import ALIASES, Columns, guess_columns, normalised, with_overrides
from indexer.catalog.conventions import Conventions, conventions_of
from indexer.catalog.outcomes import Notes, Rejection
from indexer.catalog.products import ProductMaker, Rejected
from indexer.catalog.rows import Blank, Row
from indexer.catalog.settings import CatalogSettings
from indexer.catalog.sniffing import Sniffed, sniff
from indexer.catalog.values import availability_of
from search.errors import CatalogError
from search.state.batches import Change

WANTED = ("id", "price", "currency", "availability")


@dataclass(frozen=True)
class PriceList:
    """A file that can be read, any number of times."""

    path: Path
    sniffed: Sniffed
    mapping: Columns
    conventions: Conventions
    settings: CatalogSettings

    def read(self) -> Iterator[tuple[str, Change] | Rejection]:
        """Yield (id, what is new) or why not, of every row in file order.

        Raises:
            CatalogError: the file itself is damaged.
        """
        maker = _ChangeMaker(self.mapping, self.conventions, self.settings, Notes())
        for row in raw_rows(self.path, self.sniffed, self.settings):
            if isinstance(row, Row):
                yield maker.unreadable(row) or maker.change(row)
            elif not isinstance(row, Blank):
                yield row


def open_price_list(path: Path, mapping: Mapping[str, str], currency: str) -> PriceList:
    """Detect a file's format, encoding, dialect and columns.

    Args:
        path: CSV, TSV, JSONL or Parquet, also gzipped.
        mapping: our field -> its header, as --map has it; the rest is guessed.
        currency: of the release; a price that says another one is refused.

    Raises:
        CatalogError: no such file, empty, no column of ids, or none of prices and stock.
    """
    settings = CatalogSettings(currency=currency)
    sniffed, sample = with_headers(path, sniff(path, settings), settings)
    headers = sniffed.headers
    guessed = guess_columns(headers)
    stock = tuple(one for alias in ALIASES["availability"] for one in headers if normalised(one) == alias)
    if stock:
        guessed["availability"] = stock  # the first that is filled: a word decides over a number
    columns = {name: found for name, found in with_overrides(guessed, mapping, headers).items() if name in WANTED}
    told = ", ".join(headers) or "(none)"
    if "id" not in columns:
        raise CatalogError(f"{path}: no column of ids among the headers: {told}; name it: --map id=HEADER")
    if not {"price", "availability"} & columns.keys():
        raise CatalogError(
            f"{path}: no column of prices, availability or stock among the headers: {told}; name it: "
            "--map price=HEADER or --map availability=HEADER"
        )
    if not sample:
        raise CatalogError(f"{path} has a header ({told}) but not one row below it")
    rows = [row for row in sample if isinstance(row, Row)]
    conventions = replace(conventions_of(rows, columns, settings), currency=currency)
    return PriceList(path, sniffed, columns, conventions, settings)


class _ChangeMaker(ProductMaker):
    """Makes the changes of one reading; ids and prices are read as a catalog's."""

    def change(self, row: Row) -> tuple[str, Change] | Rejection:
        """Return (id, what is new), or why the row cannot be used."""
        try:
            product_id, (price, _), availability = self._id(row), self._price(row), self._availability(row)
            if price is None and availability is None:
                fix = "give a price, an availability or a stock, or leave the row out"
                raise Rejected("", product_id, "nothing is to change", fix, "nothing to change")
        except Rejected as rejected:
            return Rejection(row.line, *rejected.parts)
        self._take(product_id, row.line)
        return product_id, Change(price, availability)

    def _availability(self, row: Row) -> str | None:
        column, text = self._text(row, "availability")
        if not text:
            return None
        found = availability_of(" ".join(text.split()))
        if found is None:
            fix = "write in_stock, out_of_stock, preorder or a number in stock"
            raise Rejected(column, text, "availability is not understood", fix, "availability not understood")
        return found
