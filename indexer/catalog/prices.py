"""Prices as people write them: "$1,299.00", "1.299,00 €", "USD 5", "12,-"."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from price_parser import Price
from price_parser.parser import CURRENCY_CODES

# Signs and words -> the currencies they may mean, the likeliest first. A "$" fits a catalog in AUD.
CURRENCY_SIGNS: dict[str, tuple[str, ...]] = {
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "TWD", "ARS", "CLP", "COP"),
    "us$": ("USD",),
    "usd$": ("USD",),
    "ca$": ("CAD",),
    "c$": ("CAD",),
    "au$": ("AUD",),
    "a$": ("AUD",),
    "nz$": ("NZD",),
    "hk$": ("HKD",),
    "s$": ("SGD",),
    "r$": ("BRL",),
    "mx$": ("MXN",),
    "nt$": ("TWD",),
    "dollar": ("USD", "CAD", "AUD", "NZD"),
    "dollars": ("USD", "CAD", "AUD", "NZD"),
    "€": ("EUR",),
    "euro": ("EUR",),
    "euros": ("EUR",),
    "£": ("GBP", "EGP", "LBP"),
    "¥": ("JPY", "CNY"),
    "cn¥": ("CNY",),
    "元": ("CNY",),
    "rmb": ("CNY",),
    "円": ("JPY",),
    "₹": ("INR",),
    "rs": ("INR", "PKR", "LKR", "NPR"),
    "₽": ("RUB",),
    "руб": ("RUB",),
    "zł": ("PLN",),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "kč": ("CZK",),
    "ft": ("HUF",),
    "lei": ("RON",),
    "лв": ("BGN",),
    "₺": ("TRY",),
    "tl": ("TRY",),
    "₴": ("UAH",),
    "грн": ("UAH",),
    "₩": ("KRW",),
    "₪": ("ILS",),
    "₫": ("VND",),
    "đ": ("VND",),
    "฿": ("THB",),
    "₱": ("PHP",),
    "rm": ("MYR",),
    "rp": ("IDR",),
    "r": ("ZAR",),
    "fr": ("CHF",),
    "sfr": ("CHF",),
    "₦": ("NGN",),
    "ksh": ("KES",),
}
ISO_CODES = frozenset(CURRENCY_CODES)

PLAIN = re.compile(r"\d{1,9}(?:\.\d{1,2})?")
SCIENTIFIC = re.compile(r"\d+(?:\.\d+)?[eE][+-]?\d{1,3}")
NUMBER = re.compile(r"[.,]?\d(?:[\d.,' ]*\d)?")
# Thousands in threes (or 1,29,900 as in India), then at most one decimal part; group separators do not mix.
WELL_FORMED = re.compile(
    r"(?:\d+|\d{1,3}(?:,\d{3})+|\d{1,3}(?:\.\d{3})+|\d{1,3}(?: \d{3})+|\d{1,3}(?:'\d{3})+|\d{1,2}(?:,\d{2})+,\d{3})?"
    r"(?:[.,]\d+)?"
)


MAX_PRICE_CHARACTERS = 64


class NotAPrice(ValueError):
    """The text is not one amount of money of zero or more; the message says why."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount, two decimals, and the ISO codes its sign may mean; () when it carries none."""

    amount: float
    currencies: tuple[str, ...] = ()


@lru_cache(maxsize=8192)  # prices repeat, and price-parser takes its time
def parse_price(text: str, decimal: str, max_price: float) -> Money:
    """Return the amount in the text; `decimal` ("." or ",") decides only what the text itself leaves open.

    The amount is read by price-parser. Alone it takes "-5" and "10-20" for 5 and 10, "1e10" for 1, "free" for 0
    and "1 299,00" with "." for 129900, so the shape is checked here first and its decimal separator always given.

    Raises:
        NotAPrice: no number or several, other words, negative, not finite, above max_price.
    """
    if len(text) > MAX_PRICE_CHARACTERS:
        raise NotAPrice("a text, not a price")
    amount: float
    currencies: tuple[str, ...] = ()
    if PLAIN.fullmatch(text) or SCIENTIFIC.fullmatch(text):
        amount = float(text)
    else:
        amount, currencies = _parse_written(_simplified(text), decimal)
    if not math.isfinite(amount) or amount > max_price:
        raise NotAPrice(f"above {max_price:,.0f}")
    return Money(round(amount, 2), currencies)


def _parse_written(text: str, decimal: str) -> tuple[float, tuple[str, ...]]:
    numbers = list(NUMBER.finditer(text))
    if not numbers:
        raise NotAPrice("no number in it")
    if len(numbers) > 1:
        raise NotAPrice("more than one number in it")
    before, number, after = text[: numbers[0].start()], numbers[0][0], text[numbers[0].end() :]
    if not WELL_FORMED.fullmatch(number):
        raise NotAPrice("the digits are not grouped like one number")
    if _is_negative(before, after):
        raise NotAPrice("negative")
    separator = own_decimal(number) or decimal
    amount = Price.fromstring(number, decimal_separator=separator).amount
    if amount is None:
        raise NotAPrice("not a number")
    return float(amount), _currencies(before, after)


def _simplified(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).replace("−", "-").replace("–", "-").replace("’", "'")
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)
        text = text.replace("٫", ".").replace("٬", ",")
    return " ".join(text.split())


def _is_negative(before: str, after: str) -> bool:
    # "12,-" and "12.-" mean "12 and no cents"; "12-" is how SAP writes -12; "(12)" is how accountants do.
    return "-" in before or after.startswith("-") or (before.endswith("(") and after.startswith(")"))


def _currencies(before: str, after: str) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for mark in (before, after.removeprefix(",-").removeprefix(".-").removeprefix(".")):
        if not mark.strip(" :.*"):
            continue
        meant = currencies_of(mark)
        if not meant:
            raise NotAPrice(f"{mark.strip()!r} is no currency")
        found = tuple(code for code in found if code in meant) if found else meant
        if not found:
            raise NotAPrice("two currencies in it")
    return found


def currencies_of(mark: str) -> tuple[str, ...]:
    """Return the ISO codes a sign, word or code may mean, the likeliest first; () when it is no currency.

    >>> currencies_of("eur"), currencies_of("kr."), currencies_of("pcs")
    (('EUR',), ('SEK', 'NOK', 'DKK', 'ISK'), ())
    """
    name = " ".join(mark.strip(" :.*").split())
    if name.upper() in ISO_CODES:
        return (name.upper(),)
    return CURRENCY_SIGNS.get(name.casefold(), ())


def own_decimal(number: str) -> str:
    """Return the decimal separator the number itself proves, or "" when it has none or could go either way.

    "1.299,00" proves ",". "19.99" proves ".". "1.299" and "1,299" prove nothing: three digits may be thousands.
    """
    signs = [sign for sign in number if sign in ".,"]
    if not signs:
        return ""
    last = signs[-1]
    if len(set(signs)) == 2:
        return last
    other = "," if last == "." else "."
    if len(signs) > 1:
        return other  # a separator that repeats groups thousands
    whole, digits = number.rsplit(last, 1)
    if len(digits) != 3 or not 1 <= len(whole) <= 3 or whole.startswith("0"):
        return last
    return "" if " " not in whole and "'" not in whole else last


def decimal_separator(texts: Iterable[str]) -> str:
    """Return the decimal separator of a price column, decided from a sample of its cells.

    Cells that prove one ("19.99", "1.299,00") vote; the majority wins, "." at a tie. When none proves anything,
    "1.299" counts as thousands, and so for ",": a column whose every dot has three digits behind it holds no cents.
    """
    proofs: Counter[str] = Counter()
    hints: Counter[str] = Counter()
    for text in texts:
        for number in NUMBER.findall(_simplified(text)):
            proved = own_decimal(number)
            if proved:
                proofs[proved] += 1
            elif "." in number or "," in number:
                hints["," if "." in number else "."] += 1
    votes = proofs or hints
    return "," if votes[","] > votes["."] else "."
