"""Numbers and prices as people write them, in the locale of the request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal
from markupsafe import Markup

from web.language import current_locale, ngettext
from web.language import gettext as _

STAR_ROW = 1280  # width of five stars in the icon sprite's own units


def price_text(price: float | None, currency: str) -> str:
    """Return "$39.90", "39.90" without a currency, "" without a price."""
    if price is None:
        return ""
    return _decimal(price, "#,##0.00", current_locale()) if not currency else _amount(price, currency, current_locale())


# A page writes a hundred numbers, mostly the same small counts as the page before it.
@lru_cache(8192)
def _decimal(number: float, form: str | None, locale: Locale) -> str:
    return format_decimal(number, format=form, locale=locale)


@lru_cache(8192)
def _amount(price: float, currency: str, locale: Locale) -> str:
    return format_currency(price, currency, locale=locale)


def round_price_text(price: float, currency: str) -> str:
    """Return "$40" for a whole amount, as `price_text` otherwise."""
    if price % 1 or not currency:
        return price_text(price, currency)
    pattern = current_locale().currency_formats["standard"].pattern.replace(".00", "")
    return format_currency(price, currency, pattern, locale=current_locale(), currency_digits=False)


def number_text(number: float) -> str:
    """Return "1,618"."""
    return _decimal(number, None, current_locale())


def rating_text(rating: float) -> str:
    """Return "4.0"."""
    return _decimal(rating, "0.0#", current_locale())


def hundredths(number: float) -> str:
    """Return "0.62"."""
    return _decimal(number, "0.00", current_locale())


def date_text(day: date) -> str:
    """Return "Mar 2, 2026"."""
    return format_date(day, "medium", locale=current_locale())


def counted(number: int, noun: str) -> str:
    """Return "1 product" or "1,618 products", for the nouns that the shop counts."""
    count = number_text(number)
    if noun == "product":
        return ngettext("%(count)s product", "%(count)s products", number, count=count)
    if noun == "option":
        return ngettext("%(count)s option", "%(count)s options", number, count=count)
    if noun == "rating":
        return ngettext("%(count)s rating", "%(count)s ratings", number, count=count)
    raise ValueError(f"nothing says how to count {noun}")


def availability_text(availability: str) -> str:
    """Return the availability for people; "" when unknown."""
    words = {"in_stock": _("In stock"), "out_of_stock": _("Out of stock"), "preorder": _("Preorder")}
    return words.get(availability, "")


def commas(words: Iterable[str]) -> str:
    """Return "red, blue, cream"."""
    return _(", ").join(words)


def listed(words: Sequence[str]) -> Markup:
    """Return "<b>tea</b>, <b>red</b>, and <b>dress</b>", joined as the locale joins a list."""
    bold = [str(Markup("<b>{}</b>").format(word)) for word in words]
    return Markup(format_list(bold, locale=current_locale()))  # noqa: S704  # each word has been escaped


def stars_width(rating: float) -> int:
    """Return how much of the row of five stars is filled, in sprite units."""
    return round(STAR_ROW * min(max(rating, 0), 5) / 5)


FILTERS: dict[str, Any] = {
    "price": price_text, "number": number_text, "rating": rating_text,
    "counted": counted, "commas": commas, "listed": listed, "stars_width": stars_width,
}  # fmt: skip
