"""What a catalog file is, before any row is read: format, compression, encoding, dialect."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import clevercsv

from indexer.catalog.encoding import encoding_of
from indexer.catalog.files import PARQUET, SURROGATE, is_gzipped, opened, opened_text, refuse_foreign
from indexer.catalog.rows import header_name
from indexer.catalog.settings import CatalogSettings
from search.errors import CatalogError

DELIMITERS = [",", ";", "\t", "|"]
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*$', re.IGNORECASE)  # Excel's own hint above the header


@dataclass(frozen=True)
class Sniffed:
    """What was detected; delimiter, quotechar and escapechar are "" outside CSV and TSV.

    Attributes:
        format: "csv", "tsv", "jsonl" or "parquet".
        headers: as in the file, made unique and named where blank; for JSONL the keys of the sampled rows.
        header_line: the physical line of the header (1, or 2 below a "sep=;" line).
    """

    format: str
    gzipped: bool
    encoding: str
    delimiter: str = ""
    quotechar: str = ""
    escapechar: str = ""
    headers: tuple[str, ...] = ()
    header_line: int = 1


def sniff(path: Path, settings: CatalogSettings) -> Sniffed:
    """Detect everything but the headers; raises CatalogError for missing, empty and foreign files."""
    if not path.exists():
        raise CatalogError(f"no catalog at {path}; check the path")
    if not path.is_file():
        raise CatalogError(f"{path} is not a file; name the catalog file itself")
    gzipped = is_gzipped(path)
    with opened(path, gzipped) as file:
        head = file.read(4096)
    if not head.strip():
        raise CatalogError(f"{path} is empty; export the products again")
    if head.startswith(PARQUET):
        return Sniffed("parquet", gzipped, "utf-8")
    refuse_foreign(path, head)
    return _sniff_text(path, Sniffed("csv", gzipped, encoding_of(path, gzipped, settings.encoding)), settings)


def _sniff_text(path: Path, sniffed: Sniffed, settings: CatalogSettings) -> Sniffed:
    with opened_text(path, sniffed.gzipped, sniffed.encoding) as text:
        sample = text.read(settings.dialect_characters)
    if not sample.strip():
        raise CatalogError(f"{path} is empty; export the products again")
    if _is_json_object(sample):
        return replace(sniffed, format="jsonl")
    hint = SEPARATOR_LINE.match(sample.splitlines(keepends=True)[0])
    if hint:
        return _with_delimiter(replace(sniffed, quotechar='"', header_line=2), hint[1])
    return _with_dialect(sniffed, sample)


def _is_json_object(sample: str) -> bool:
    first = next(line for line in sample.splitlines() if line.strip()).strip()
    if not first.startswith("{"):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return first.startswith('{"')  # a damaged or cut first line must not hide the other lines
    return True


def _with_dialect(sniffed: Sniffed, sample: str) -> Sniffed:
    # clevercsv, not csv.Sniffer: tried on twenty messy samples and ten real exports, the Sniffer found no delimiter
    # where rows were ragged and took ' for the quote in a catalog full of inch and foot marks; clevercsv named
    # the delimiter right every time. Its empty quote and rare escape are weighed below.
    complete = SURROGATE.sub("?", sample[: sample.rfind("\n") + 1] or sample)  # on surrogates clevercsv raises
    try:
        dialect = clevercsv.Sniffer().sniff(complete, delimiters=DELIMITERS)
    except clevercsv.Error:
        dialect = None
    header = next(line for line in sample.splitlines() if line.strip())
    delimiter = dialect.delimiter if dialect else ""
    if not delimiter or delimiter not in header:
        delimiter = max(DELIMITERS, key=header.count)  # ties: the comma
    single_quotes = dialect is not None and dialect.quotechar == "'" and '"' not in complete
    escapes = dialect is not None and dialect.escapechar == "\\" and _escapes_quotes(complete, delimiter)
    return _with_delimiter(
        replace(sniffed, quotechar="'" if single_quotes else '"', escapechar="\\" if escapes else ""), delimiter
    )


def _escapes_quotes(sample: str, delimiter: str) -> bool:
    # A backslash before a quote that does not end a cell. Without this proof a path such as C:\new would lose its \.
    return re.search(rf'\\"(?!["\r\n{re.escape(delimiter)}]|$)', sample) is not None


def _with_delimiter(sniffed: Sniffed, delimiter: str) -> Sniffed:
    return replace(sniffed, delimiter=delimiter, format="tsv" if delimiter == "\t" else "csv")


def dialect_of(sniffed: Sniffed) -> dict[str, Any]:
    """Return the keyword arguments of csv.reader.

    Strict, because the lenient reader glues `"17" wide` silently; spaces before a quote are skipped, because
    `1, "a, b"` is common and every cell is stripped anyway.
    """
    return {
        "delimiter": sniffed.delimiter,
        "quotechar": sniffed.quotechar,
        "escapechar": sniffed.escapechar or None,
        "doublequote": True,
        "skipinitialspace": True,
        "strict": True,
    }


def unique_headers(cells: list[str]) -> tuple[str, ...]:
    """Name blank headers "column 3" and repeated ones "Colour (2)"; trailing blanks are dropped.

    >>> unique_headers(["id", "Colour", "", "Colour", ""])
    ('id', 'Colour', 'column 3', 'Colour (2)')
    """
    names = [header_name(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    seen: set[str] = set()
    headers = []
    for position, name in enumerate(names, 1):
        base = header = name or f"column {position}"
        copy = 2
        while header in seen:
            header, copy = f"{base} ({copy})", copy + 1
        seen.add(header)
        headers.append(header)
    return tuple(headers)
