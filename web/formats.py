"""Numbers and prices as people write them. The page speaks American English for now."""

from __future__ import annotations

from typing import Any

from babel.numbers import format_currency, format_decimal

LOCALE = "en_US"
STAR_ROW = 1280  # width of five stars in the icon sprite's own units


def price_text(price: float | None, currency: str) -> str:
    """Return "$39.90", "39.90" without a currency, "" without a price."""
    if price is None:
        return ""
    if not currency:
        return format_decimal(price, format="#,##0.00", locale=LOCALE)
    return format_currency(price, currency, locale=LOCALE)


def number_text(number: float) -> str:
    """Return "1,618"."""
    return format_decimal(number, locale=LOCALE)


def counted(number: int, one: str, many: str = "") -> str:
    """Return "1 product" or "1,618 products"."""
    return f"{number_text(number)} {one if number == 1 else many or one + 's'}"


def stars_width(rating: float) -> int:
    """Return how much of the row of five stars is filled, in sprite units."""
    return round(STAR_ROW * min(max(rating, 0), 5) / 5)


FILTERS: dict[str, Any] = {
    "price": price_text, "number": number_text, "counted": counted, "stars_width": stars_width,
}  # fmt: skip
