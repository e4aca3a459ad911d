"""What a whole column agrees on, decided from the first rows: decimals, currency, category separator, day order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from indexer.catalog.cleaning import plain_text
from indexer.catalog.columns import Columns
from indexer.catalog.prices import NotAPrice, currencies_of, decimal_separator, parse_price
from indexer.catalog.rows import Row
from indexer.catalog.settings import CatalogSettings
from indexer.catalog.values import is_day_first

# ">" hardly occurs in a category's name, "/" and "|" do ("Audio/Video"): those must be in most of the values.
NEEDED_SHARE = {">": 0.05, "|": 0.5, "/": 0.5}


@dataclass(frozen=True)
class Conventions:
    """How the catalog writes things.

    Attributes:
        decimal: "." or ",", for prices that could be read both ways.
        currency: ISO 4217 code of the catalog; "" when no row says.
        category_separator: ">", "|", "/" or "" when categories are single names.
        day_first: 10/12/2009 is in December.
    """

    decimal: str
    currency: str
    category_separator: str
    day_first: bool


def conventions_of(rows: list[Row], columns: Columns, settings: CatalogSettings) -> Conventions:
    """Decide from sampled rows; `settings.currency` wins over what they say."""
    prices = [text for row in rows if (text := _text(row, columns.get("price", ())))]
    decimal = decimal_separator(prices)
    return Conventions(
        decimal=decimal,
        currency=settings.currency.upper() or _most_frequent_currency(rows, columns, decimal, settings.max_price),
        category_separator=category_separator(
            plain_text(text) for row in rows if (text := _text(row, columns.get("category", ())))
        ),
        day_first=is_day_first(text for row in rows if (text := _text(row, columns.get("created_at", ())))),
    )


@lru_cache(maxsize=8192)  # a catalog has far fewer categories than products
def category_levels(text: str, separator: str) -> tuple[str, ...]:
    """Return the cleaned names of a category path, from the department down."""
    text = plain_text(text)
    return tuple(name for level in (text.split(separator) if separator else [text]) if (name := level.strip()))


def category_separator(texts: Iterable[str]) -> str:
    """Return the separator the distinct, filled values use consistently; "" for none."""
    values = set(texts)
    for separator, share in NEEDED_SHARE.items():
        using = sum(1 for value in values if separator in value.strip(separator))
        if using and using >= share * len(values):
            return separator
    return ""


def _most_frequent_currency(rows: list[Row], columns: Columns, decimal: str, max_price: float) -> str:
    counts: Counter[str] = Counter()
    for row in rows:
        meant = currencies_of(_text(row, columns.get("currency", ())))
        if not meant:
            try:
                meant = parse_price(_text(row, columns.get("price", ())), decimal, max_price).currencies
            except NotAPrice:
                continue
        if meant:
            counts[meant[0]] += 1
    return counts.most_common(1)[0][0] if counts else ""


def _text(row: Row, headers: tuple[str, ...]) -> str:
    """Return the first filled text cell; nested cells have no part in a convention."""
    cells = (row.cells.get(header, "") for header in headers)
    return next((text for cell in cells if isinstance(cell, str) and (text := cell.strip())), "")
