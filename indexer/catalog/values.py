"""Optional values of a product, each from a cell's text: None says "not understood", never an error.

A bad optional value must not cost the shop a product, so the caller drops the value and counts a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, urlsplit

from dateutil import parser as dateutil_parser

RATING = re.compile(
    r"(?P<value>\d{1,6}(?:[.,]\d{1,20})?)(?:\s*(?:/|out of|of|von|sur)\s*(?P<scale>\d{1,6}))?\s*(?:stars?|★+)?", re.I
)
COUNT = re.compile(
    r"\(?\s*(?P<count>\d{1,3}(?:[., ]\d{3})+|\d{1,9})(?:\.0+)?\s*\)?\s*(?:global )?(?:ratings?|reviews?)?", re.I
)
QUANTITY = re.compile(r"[+-]?\d{1,12}(?:[.,]\d{1,12})?")
SEVERAL_URLS = re.compile(r" ?\| ?|[,;]? (?=https?://|/)|,(?=https?://|//)")
SAFE_URL = re.compile(r"[A-Za-z0-9%/:?#\[\]@!$&()*+,;=~._-]*")
MAX_URL_CHARACTERS = 2_048  # what browsers and proxies agree on

AVAILABILITY_WORDS = {
    **dict.fromkeys(
        [
            "instock",
            "onstock",
            "available",
            "availablenow",
            "inventory",
            "yes",
            "y",
            "true",
            "t",
            "on",
            "limitedavailability",
            "limitedstock",
            "lowstock",
            "onlineonly",
            "instoreonly",
            "readytoship",
        ],
        "in_stock",
    ),
    **dict.fromkeys(
        [
            "outofstock",
            "notinstock",
            "notavailable",
            "unavailable",
            "currentlyunavailable",
            "soldout",
            "no",
            "n",
            "false",
            "f",
            "off",
            "discontinued",
            "outstock",
            "nostock",
        ],
        "out_of_stock",
    ),
    # Orderable now, delivered later: what a shopper needs to know is the same.
    **dict.fromkeys(
        [
            "preorder",
            "presale",
            "backorder",
            "backordered",
            "onbackorder",
            "availableonbackorder",
            "comingsoon",
            "madetoorder",
        ],
        "preorder",
    ),
}


@lru_cache(512)  # few texts, again and again
def availability_of(text: str) -> str | None:
    """Return "in_stock", "out_of_stock" or "preorder" from words, yes/no, stock counts or schema.org addresses."""
    if QUANTITY.fullmatch(text):
        return "in_stock" if float(text.replace(",", ".")) > 0 else "out_of_stock"
    word = text.rsplit("/", 1)[-1] if "schema.org" in text.casefold() else text
    return AVAILABILITY_WORDS.get(re.sub(r"[\W_]+", "", word.casefold()))


@lru_cache(512)  # few texts, again and again
def rating_of(text: str) -> float | None:
    """Return a rating on 0..5; "8/10" and "4 out of 5 stars" are brought to that scale."""
    match = RATING.fullmatch(text)
    if not match:
        return None
    value, scale = float(match["value"].replace(",", ".")), float(match["scale"] or 5)
    return round(value * 5 / scale, 2) if scale > 0 and value <= scale else None


@lru_cache(512)  # few texts, again and again
def rating_count_of(text: str) -> int | None:
    """Return a count from "1,234", "(87)", "12.0" or "12 reviews"."""
    match = COUNT.fullmatch(text)
    return int(re.sub(r"\D", "", match["count"])) if match else None


def url_of(text: str) -> str | None:
    """Return the first address in the text if it is http(s) or site-relative ("/..."), ready for an HTML attribute."""
    first = SEVERAL_URLS.split(text.strip(), maxsplit=1)[0]
    if first.startswith("//"):
        first = "https:" + first
    # Browsers read "/\evil.example" as "//evil.example".
    if len(first) > MAX_URL_CHARACTERS or "\\" in first or not first.isprintable():
        return None
    try:
        parts = urlsplit(first)
    except ValueError:
        return None
    absolute = parts.scheme in ("http", "https") and parts.netloc and " " not in parts.netloc
    if not absolute and not (first.startswith("/") and not parts.netloc):
        return None
    return first if SAFE_URL.fullmatch(first) else quote(first, safe="%/:?#[]@!$&()*+,;=~-._")


def urls_of(text: str) -> list[str]:
    """Return every address in the text that `url_of` takes."""
    return [url for one in SEVERAL_URLS.split(text.strip()) if (url := url_of(one))]


@lru_cache(maxsize=8192)  # release dates repeat, and dateutil takes 0.1 ms
def date_of(text: str, day_first: bool) -> str | None:
    """Return an ISO 8601 date, or date-time where the text has a time; a lone year is its first of January.

    `day_first` reads 10/12/2009 as the 10th of December. Unix times count in seconds or milliseconds.
    """
    if not 4 <= len(text) <= 40:
        return None
    try:
        moment = _moment(text, day_first)
    except (ValueError, OverflowError, OSError):
        return None
    if moment is None or not 1900 <= moment.year <= 2100:
        return None
    has_time = ":" in text or re.fullmatch(r"\d{9,13}", text)
    return moment.isoformat(timespec="seconds") if has_time else moment.date().isoformat()


def _moment(text: str, day_first: bool) -> datetime | None:
    if re.fullmatch(r"\d{4}(?:\.0)?", text):
        return datetime(int(text[:4]), 1, 1)
    if re.fullmatch(r"\d{9,10}|\d{12,13}", text):
        return datetime.fromtimestamp(int(text) / (1 if len(text) <= 10 else 1000), tz=UTC)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    # dateutil fills what is missing from a default: with two of them, a text without a year gives two answers.
    first, second = (
        dateutil_parser.parse(text, dayfirst=day_first, default=datetime(year, 1, 1)) for year in (2001, 2005)
    )
    return first if first.year == second.year else None


def is_day_first(texts: Iterable[str]) -> bool:
    """Tell from a sample whether 10/12/2009 is a day before a month; dots say so, and a first number above 12."""
    numbers = [match for text in texts if (match := re.match(r"(\d{1,2})([./-])(\d{1,2})[./-]\d{2,4}\b", text))]
    return any(int(match[1]) > 12 for match in numbers) or (
        any(match[2] == "." for match in numbers) and not any(int(match[3]) > 12 for match in numbers)
    )
