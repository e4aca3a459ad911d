"""Rows of JSONL and Parquet files, streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from indexer.catalog.files import MAX_RATIO, most_unpacked, opened_seekable, opened_text
from indexer.catalog.lines import NumberedLines, RowTooLong
from indexer.catalog.outcomes import Rejection, shortened
from indexer.catalog.rows import BLANK, Blank, Row, cell_of, header_name
from indexer.catalog.settings import CatalogSettings
from indexer.catalog.sniffing import Sniffed
from search.errors import CatalogError

BATCH_ROWS = 1024  # Parquet rows turned into Python objects at a time; bounds memory
LONG_CHARACTERS = 1 << 18  # rows with a longer text are turned one at a time: it may be repeated in each of them


def jsonl_rows(path: Path, sniffed: Sniffed, settings: CatalogSettings) -> Iterator[Row | Rejection | Blank]:
    """Give one row per line; a line that is not one JSON object is rejected, blank lines are skipped."""
    with opened_text(path, sniffed.gzipped, sniffed.encoding) as text:
        lines = NumberedLines(text, settings.max_row_characters, settings.max_reread_characters)
        while True:
            lines.start_row()
            try:
                line = next(lines)
            except StopIteration:
                return
            except RowTooLong:
                yield _rejected(lines.number, lines.taken[0], "the line is longer than any product")
                continue
            if line.strip():
                yield _json_row(lines.number, line)


def _json_row(number: int, line: str) -> Row | Rejection | Blank:
    try:
        value = json.loads(line)
        if not isinstance(value, dict):
            return _rejected(number, line, "the line is JSON but not an object")
        return _record(number, value)
    except RecursionError:
        return _rejected(number, line, "the JSON is nested too deeply")
    except ValueError as error:
        return _rejected(number, line, f"not valid JSON ({error})")


def _record(number: int, values: dict[str, Any]) -> Row | Blank:
    cells = {header_name(str(key)): cell_of(value) for key, value in values.items()}
    return Row(number, cells) if any(cells.values()) else BLANK


def _rejected(number: int, line: str, reason: str) -> Rejection:
    return Rejection(number, "", shortened(line), reason, "write one complete JSON object a line", "not a JSON object")


def parquet_rows(path: Path, sniffed: Sniffed) -> Iterator[Row | Rejection | Blank]:
    """Give every row with its number + 1 as line, so that the first row is line 2 as in a CSV."""
    number = 1
    with _parquet_file(path, sniffed.gzipped) as file:
        _refuse_bomb(path, file.metadata)
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            step = 1 if any(_longest(column) > LONG_CHARACTERS for column in batch.columns) else BATCH_ROWS
            for start in range(0, batch.num_rows, step):
                for values in batch.slice(start, step).to_pylist():
                    number += 1
                    yield _record(number, values)


def _refuse_bomb(path: Path, metadata: Any) -> None:
    """Raise CatalogError for a file that says of itself that it unpacks to far more than its size."""
    size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if max(size, metadata.num_rows) > most_unpacked(path):  # a repeated row may take no byte, but it takes its time
        raise CatalogError(
            f"{path} unpacks to over {MAX_RATIO} times its size, as a decompression bomb does; "
            "if it is meant, write it again as CSV"
        )


def _longest(column: Any) -> int:
    """Return the length of the longest text in a column's dictionary; 0 where it has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_text = isinstance(column, pa.DictionaryArray) and pa.types.is_string(column.type.value_type)
    return (pc.max(pc.binary_length(column.dictionary)).as_py() or 0) if is_text else 0


def parquet_headers(path: Path, gzipped: bool) -> tuple[str, ...]:
    """Return the column names of a Parquet file."""
    with _parquet_file(path, gzipped) as file:
        return tuple(header_name(name) for name in file.schema_arrow.names)


@contextmanager
def _parquet_file(path: Path, gzipped: bool) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with opened_seekable(path, gzipped) as file:
        try:
            schema = pq.read_schema(file)
            texts = [one.name for one in schema if pa.types.is_string(one.type) or pa.types.is_dictionary(one.type)]
            # Texts as dictionaries: a value that a small file repeats a million times is held once.
            yield pq.ParquetFile(file, read_dictionary=texts)
        except (pa.ArrowException, OSError) as error:
            raise CatalogError(f"{path} is a damaged Parquet file ({shortened(str(error))}); write it again") from error
