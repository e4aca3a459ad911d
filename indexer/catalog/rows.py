"""One row of any catalog format, before it is understood."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from indexer.catalog.cleaning import INVISIBLE
from indexer.catalog.files import SURROGATE

# A cell is text, several values, or named values (a nested object); nothing deeper than JSON allows.
Cell = str | list[Any] | dict[str, Any]


@dataclass(slots=True)
class Row:
    """A row's cells by header, in header order; `line` is the physical line where it begins."""

    line: int
    cells: dict[str, Cell]


# Where a nested object stands for one value, the keys that hold it: {"amount": 5, "currency": "EUR"}, {"name": "Acme"}.
MAIN_KEYS = ("value", "name", "title", "amount", "price", "rate", "average", "url", "src", "id", "@value")


@lru_cache(maxsize=4096)  # the same few headers, row after row
def header_name(text: str) -> str:
    """Return a header as it is shown: one line, without control characters or what could not be decoded."""
    return " ".join(INVISIBLE.sub("", SURROGATE.sub("\ufffd", text)).split())


class Blank:
    """A row of nothing but empty cells, as spreadsheets leave at the end."""


BLANK: Final = Blank()


def cell_of(value: Any) -> Cell:
    """Turn a JSON or Parquet value into a cell: numbers as the shop would write them, None and NaN as "".

    >>> cell_of(7.0), cell_of(19.9), cell_of(True), cell_of([1, None, "a"])
    ('7', '19.9', 'true', ['1', 'a'])
    """
    if isinstance(value, dict):
        return {str(key): cell for key, inner in value.items() if (cell := cell_of(inner))}
    if isinstance(value, (list, tuple)):
        return [cell for inner in value if (cell := cell_of(inner))]
    return _scalar_text(value)


def _scalar_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (float, decimal.Decimal)):
        return _number_text(value)
    if isinstance(value, (datetime.date, datetime.time)):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="aisle.mark")
    return str(value)


def _number_text(number: float | decimal.Decimal) -> str:
    if math.isnan(number):
        return ""  # how pandas writes an empty cell
    # Ids and counts come as 7.0 when a column had gaps. 2**53: beyond, a float no longer tells integers apart.
    if abs(float(number)) < 2**53 and float(number).is_integer():
        return str(int(number))
    return str(number)


def as_object(text: str) -> Cell | None:
    """Return the object or list a cell's JSON text holds, or None when it is ordinary text."""
    if not (text.startswith("{") and text.endswith("}")) and not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cell_of(value) if isinstance(value, (dict, list)) else None


def main_text(cell: Cell) -> str:
    """Return the one text a list or object stands for; several paragraphs of a list are joined."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, list):
        return " ".join(filter(None, map(main_text, cell)))
    main = next((text for key in MAIN_KEYS if (text := main_text(cell.get(key, "")))), "")
    currency = cell.get("currency", "")
    return f"{main} {currency}" if main and isinstance(currency, str) and currency else main
