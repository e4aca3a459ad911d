"""Products as a catalog file again, CSV or JSONL, line by line: what `python -m indexer check` and `build` read."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence

from search.arrays import Rows
from search.product import Product
from search.store import ProductStore

COLUMNS = (
    "id", "title", "description", "category", "brand", "price", "currency", "image_url", "more_image_urls", "url",
    "rating", "rating_count", "availability", "group_id", "created_at", "attributes",
)  # fmt: skip
# Excel takes a CSV file for UTF-8 only when it begins so; pandas, LibreOffice and our reader pass over it.
BYTE_ORDER_MARK = "\ufeff"
_AT_ONCE = 500  # products in memory
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
# Where a spreadsheet would start a formula: at a cell's beginning, and behind a ";", which ends a cell wherever the
# comma is the decimal sign. The apostrophes are part of it, so that the guard can be taken off again.
_FORMULA = re.compile(r"(^(?='*\s*[=+\-@＝＋－＠])|^(?='*[\t\r])|;(?='*[=+\-@＝＋－＠\t\r]))")
_GUARDED = re.compile(r"(^|;)'(?='*[=+\-@＝＋－＠\t\r])|^()'(?='*\s*[=+\-@＝＋－＠])")


def guarded(cell: str) -> str:
    """Return a cell's text with an apostrophe where a spreadsheet would start a formula; plain numbers stay.

    Source: OWASP, "CSV Injection". `unguarded` gives the text back letter for letter.

    >>> guarded("=1+1"), guarded("-5"), guarded("x;=1+1")
    ("'=1+1", '-5', "x;'=1+1")
    """
    return cell if _NUMBER.fullmatch(cell) else _FORMULA.sub(r"\1'", cell)


def unguarded(cell: str) -> str:
    """Return what `guarded` was given; other shops' exports guard their cells in the same way.

    >>> unguarded("'=1+1"), unguarded("'90s lamp")
    ('=1+1', "'90s lamp")
    """
    return _GUARDED.sub(r"\1", cell) if "'" in cell else cell


def products_of(store: ProductStore, rows: Rows) -> Iterator[Product]:
    """Yield the products of these rows in this order, some hundreds in memory at a time."""
    for start in range(0, len(rows), _AT_ONCE):
        yield from store.products(rows[start : start + _AT_ONCE])


def csv_lines(products: Iterable[Product]) -> Iterator[str]:
    """Yield a header and a line for each product (RFC 4180, CRLF), every text cell guarded against formulas.

    Attributes are one JSON object: columns of their own would need every product to be read before the first line.
    """
    yield BYTE_ORDER_MARK + _csv_line(COLUMNS)
    for product in products:
        yield _csv_line([guarded(cell) for cell in _cells(product)])


def jsonl_lines(products: Iterable[Product]) -> Iterator[str]:
    """Yield one JSON object for each product: its fields as the API has them."""
    for product in products:
        yield product.as_line().decode() + "\n"


LINES = {"csv": csv_lines, "jsonl": jsonl_lines}


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cells(product: Product) -> list[str]:
    told = {
        **product.as_json(),
        "price": "" if product.price is None else f"{product.price:.2f}",
        "category": " > ".join(product.category),
        "more_image_urls": " | ".join(product.more_image_urls),
        "attributes": json.dumps(product.attributes, ensure_ascii=False) if product.attributes else "",
    }
    return ["" if told[name] is None else str(told[name]) for name in COLUMNS]
