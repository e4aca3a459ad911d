"""Rows of CSV and TSV files, streamed, with true line numbers; a broken row never stops the reading."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.catalog.files import opened_text
from indexer.catalog.lines import NumberedLines, RowTooLong
from indexer.catalog.outcomes import Rejection, shortened
from indexer.catalog.rows import BLANK, Blank, Row
from indexer.catalog.settings import CatalogSettings
from indexer.catalog.sniffing import Sniffed, dialect_of, unique_headers
from search.errors import CatalogError
from search.export import unguarded

QUOTE_FIX = 'double every quote inside a quoted cell ("17"" screen") and close the quote at the end of the cell'


def read_header(path: Path, sniffed: Sniffed, settings: CatalogSettings) -> tuple[str, ...]:
    """Return the header's cells, unique and none blank; raises CatalogError when the line cannot be read."""
    with _lines(path, sniffed, settings) as lines:
        for line, cells in _cell_lists(lines, sniffed, 0):
            if isinstance(cells, Rejection):
                raise CatalogError(f"{path}, line {line}: the header cannot be read: {cells.reason}; {cells.fix}")
            headers = unique_headers(cells)
            if headers:
                return headers
    raise CatalogError(f"{path} is empty; export the products again")


def delimited_rows(path: Path, sniffed: Sniffed, settings: CatalogSettings) -> Iterator[Row | Rejection | Blank]:
    """Give every row below the header, in file order."""
    headers = sniffed.headers
    with _lines(path, sniffed, settings) as lines:
        header_met = False
        for line, cells in _cell_lists(lines, sniffed, len(headers)):
            if isinstance(cells, Rejection):
                yield cells
            elif not any(cell and not cell.isspace() for cell in cells):
                if header_met and cells:
                    yield BLANK
            elif not header_met:
                header_met = True
            else:
                yield _row(line, cells, headers)


@contextmanager
def _lines(path: Path, sniffed: Sniffed, settings: CatalogSettings) -> Iterator[NumberedLines]:
    with opened_text(path, sniffed.gzipped, sniffed.encoding) as text:
        lines = NumberedLines(text, settings.max_row_characters, settings.max_reread_characters)
        for _ in range(sniffed.header_line - 1):
            next(lines)
        # One limit for the whole process; NumberedLines is the bound that counts.
        csv.field_size_limit(max(csv.field_size_limit(), 2 * settings.max_row_characters))
        yield lines


def _cell_lists(lines: NumberedLines, sniffed: Sniffed, width: int) -> Iterator[tuple[int, list[str] | Rejection]]:
    reader = csv.reader(lines, **dialect_of(sniffed))
    while True:
        lines.start_row()
        line = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except RowTooLong:
            lines.hand_back()
            yield line, _too_long(line, lines.taken)
        except csv.Error as error:
            lines.hand_back()
            yield line, _literally(lines.taken[0], sniffed, width) or _misquoted(line, lines.taken[0], str(error))
        else:
            yield line, cells


def _literally(text: str, sniffed: Sniffed, width: int) -> list[str] | None:
    # Tab-separated exports often do not quote at all: `"Best" shirt` is then just text. Commas occur in prose, tabs
    # hardly ever, so only a tabbed line whose cells fit the header is read this way.
    if sniffed.delimiter != "\t":
        return None
    cells = next(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE), [])
    return cells if len(cells) == width else None


def _misquoted(line: int, text: str, error: str) -> Rejection:
    if "unexpected end" in error:
        return Rejection(line, "", shortened(text), "a quote is opened and never closed", QUOTE_FIX, "quoting fault")
    return Rejection(line, "", shortened(text), f"broken quoting ({error})", QUOTE_FIX, "quoting fault")


def _too_long(line: int, taken: list[str]) -> Rejection:
    if len(taken) == 1:
        reason, fix = "the line is longer than any product", "split the line or shorten its cells"
    else:
        reason, fix = "a quote is opened and not closed for millions of characters", QUOTE_FIX
    return Rejection(line, "", shortened(taken[0]), reason, fix, "row too long")


def _row(line: int, cells: list[str], headers: tuple[str, ...]) -> Row | Rejection:
    while len(cells) > len(headers) and not cells[-1].strip():
        cells.pop()  # surplus empty cells at the end lose nothing; spreadsheets write them
    if len(cells) > len(headers):
        return Rejection(
            line,
            "",
            shortened(cells[len(headers)]),
            f"{len(cells)} cells, the header has {len(headers)}",
            "quote the cell that holds the delimiter",
            "too many cells",
        )
    if len(cells) < len(headers):
        return Rejection(
            line,
            headers[len(cells)],
            shortened(cells[-1]),
            f"{len(cells)} cells, the header has {len(headers)}: missing {shortened(', '.join(headers[len(cells) :]))}",
            "look for an unclosed quote or a line break in this row; write empty cells out",
            "too few cells",
        )
    return Row(line, dict(zip(headers, map(unguarded, cells), strict=True)))
