"""Prices, ratings and stock in a query's words.

A number is a price when a currency says so, or when a comparing word stands before it and nothing after it that is
counted or measured: "boots under 80" is about money, "under 30 inches" and "over 40 skincare" are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from search.understanding.constraints import Constraint

_SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000, "grand": 1000}
_NUMBER_WORD = rf"(?:{'|'.join([*_SMALL, *_TENS, *_SCALES])})"
_WORDS = rf"(?:(?:a|half a) (?=hundred|thousand|grand))?{_NUMBER_WORD}(?:(?:[ -]| and ){_NUMBER_WORD})*"
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d+(?:[.,]\d{1,2}(?!\d))?"
_PLAIN = rf"(?:(?:{_DIGITS})(?:\s?k\b)?|\b{_WORDS}\b)"
_SIGN = r"(?:us\s?)?[$€£]|\b(?:usd|eur|gbp)\s"
_AFTER = r"(?:[$€£]|(?:dollars?|bucks?|usd|euros?|eur|gbp|quid)\b)"
_MONEY = rf"(?:(?:{_SIGN})\s*{_PLAIN}(?:\s*{_AFTER})?|{_PLAIN}\s*-?{_AFTER})"
_ANY = rf"(?:{_MONEY}|{_PLAIN})"

_BELOW = (
    r"(?:<=?|(?<!no )(?<!not )(?:under(?:neath)?|below|beneath|less(?:er)? than|cheaper than|lower than)|up to|upto|"
    r"at most|(?:no|not) (?:more|higher|greater) than|not (?:over|above|exceeding)|no(?:t)? (?:costing )?more than|"
    r"(?:can'?t|cannot|won'?t|doesn'?t|don'?t|not|nothing|never)(?: \w+)? (?:more than|over|above|exceed(?:ing)?)|"
    r"max(?:imum|\.)?(?: of| price(?: of)?)?|within|"
    r"(?:my |a |the |on a )?budget(?: is| of| under|:)?|costs? less than|as low as|sub)"
)
_ABOVE = (
    r"(?:>=?|over|above|more than|at least|greater than|higher than|upwards? of|min(?:imum|\.)?(?: of| price(?: of)?)?|"
    r"(?:no|not) (?:less|cheaper|lower) than|not (?:under|below)|starting (?:at|from)|from|exceeding|beyond)"
)
_NEAR = r"(?:~|around|about|roughly|approximately|approx\.?|near(?:ly)?|circa|close to|in the region of)"
_LEAD = r"(?:\b(?:that )?(?:costs?|costing|priced?|prices?|worth|is|are|be|it'?s|for|with a price(?: of)?|at)\s+)*"
_OR_LESS = r"(?:(?:or|and) (?:less|under|below|cheaper|lower)|max(?:imum)?\b|tops\b|at (?:the )?most|and less)"
_OR_MORE = r"(?:(?:or|and) (?:more|up|over|above|higher|upwards?)|\+|plus\b|min(?:imum)?\b|at least)"
# After a number without a currency only these may follow, or its end: anything else may be what is counted.
_CLEAR = (
    r"(?=\s*(?:$|[,.;!?)](?:\s|$)|"
    r"(?:for|with|without|and|but|in|that|which|please|no|not|on|by|size|from|made|rated|or)\b))"
)
_BETWEEN = r"(?:between|priced? from|prices? from)"
_COSTS = r"(?:(?:costs?|costing|priced?|prices?|worth|spend(?:ing)?)\s+(?:at\s+)?)"
_RANGE = r"\s*(?:-|–|—|to|and|through|till|until)\s*"

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (op, re.compile(pattern, re.IGNORECASE))
    for op, pattern in (
        ("range", rf"{_LEAD}(?:between\s+|from\s+)?(?P<low>{_MONEY}){_RANGE}(?P<high>{_ANY})(?!\s*%)"),
        ("range", rf"{_LEAD}(?:between\s+|from\s+)?(?P<low>{_PLAIN}){_RANGE}(?P<high>{_MONEY})"),
        ("range", rf"{_COSTS}(?:between|from)\s+(?P<low>{_PLAIN}){_RANGE}(?P<high>{_PLAIN})\b"),
        ("range", rf"{_LEAD}{_BETWEEN}\s+(?P<low>{_PLAIN}){_RANGE}(?P<high>{_PLAIN})\b{_CLEAR}"),
        ("<=", rf"{_LEAD}(?<!\w){_BELOW}\s*(?P<money>{_MONEY})(?:\s+{_OR_LESS})?"),
        (">=", rf"{_LEAD}(?<!\w){_ABOVE}\s*(?P<money>{_MONEY})(?:\s*{_OR_MORE})?"),
        ("~", rf"{_LEAD}(?<!\w){_NEAR}\s*(?P<money>{_MONEY})"),
        ("<=", rf"{_LEAD}(?P<money>{_MONEY})\s*{_OR_LESS}"),
        (">=", rf"{_LEAD}(?P<money>{_MONEY})\s*{_OR_MORE}"),
        ("~", rf"{_LEAD}(?P<money>{_MONEY})(?:\s+(?:range|each))?"),
        ("<=", rf"{_LEAD}(?<![\w-]){_BELOW}\s+(?P<money>{_PLAIN})(?![\w.,-]?\d)\b{_CLEAR}"),
        ("<=", rf"(?:cheaper than|{_COSTS}{_BELOW})\s*(?P<money>{_PLAIN})(?![\w.,-]?\d)\b"),
        (">=", rf"{_COSTS}{_ABOVE}\s+(?P<money>{_PLAIN})\b{_CLEAR}"),
        (">=", r"(?<![\w-])(?:over|above|more than|at least)\s+(?P<money>\d{2,}(?:[.,]\d+)?)\s*$"),
    )
)  # fmt: skip

_STARS = r"(?P<stars>[1-5](?:[.,]\d)?|one|two|three|four|five)(?:\s*(?:/|out of)\s*5)?"
_STAR = r"[\s-]*(?:stars?\b|★)"
_RATED = r"(?:rat(?:ed|ings?)|reviews?|reviewed|customer rating)(?:\s+(?:of|is|are))?"
_AT_LEAST = (
    r"(?:at least|above|over|more than|better than|higher than|min(?:imum)?(?: of)?|>=?|no less than|"
    r"not (?:less|below|under)(?: than)?|from)"
)
_AND_UP = r"(?:\+|(?:(?:or|and)\s+(?:more|up|above|higher|better|over|upwards?))|plus\b)"
_RATINGS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:with (?:an? )?)?{_RATED}\s+{_AT_LEAST}?\s*{_STARS}(?:{_STAR})?(?:\s*{_AND_UP}(?:{_STAR})?)?(?![\d\"$%])",
        rf"(?:(?:with|rated)\s+)?{_AT_LEAST}\s*(?:an? )?{_STARS}{_STAR}(?:\s+(?:or|and)\s+(?:more|up|above))?"
        rf"(?:\s*{_RATED}|\s+on average)?",
        rf"(?:(?:with|rated)\s+)?{_STARS}\s*{_AND_UP}{_STAR}(?:\s*{_RATED})?",
        rf"(?:(?:with|rated)\s+)?{_STARS}{_STAR}(?:\s*{_RATED})?\s*{_AND_UP}(?:\s*{_RATED})?",
        rf"(?:with (?:an? )?)?{_STARS}{_STAR}\s*{_RATED}",
    )
)  # fmt: skip
_STOCK = re.compile(
    r"\b(?:(?:only |that(?:'s| is| are) |currently )?in[ -]stock(?: only| now)?|available (?:now|today)|"
    r"currently available|ready to ship|must be available)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Found:
    """Constraints and the characters start..end of the text that state them."""

    constraints: tuple[Constraint, ...]
    start: int
    end: int


def prices_in(text: str) -> Iterator[Found]:
    """Yield the prices a text states, each pattern on what the ones before it left over."""
    taken = [False] * len(text)
    for op, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(taken[start:end]) or _inside_a_word(text, match):
                continue
            found = _bounds(op, match)
            if found:
                taken[start:end] = [True] * (end - start)
                yield Found(found, start, end)


def ratings_in(text: str) -> Iterator[Found]:
    """Yield the least ratings a text asks for."""
    for pattern in _RATINGS:
        match = pattern.search(text)
        if match:
            stars = match["stars"].casefold().replace(",", ".")
            least = float(_SMALL[stars]) if stars in _SMALL else float(stars)
            if least <= 5:
                yield Found((Constraint("rating", ">=", least, match[0].strip(), True),), *match.span())
                return


def stock_in(text: str) -> Iterator[Found]:
    """Yield the wish for what is in stock."""
    match = _STOCK.search(text)
    if match:
        yield Found((Constraint("availability", "=", "in_stock", match[0].strip(), True),), *match.span())


def number_of(text: str) -> float:
    """Return the number that digits ("1,299.50", "1.5k") or words ("two hundred and fifty") say."""
    cleaned = re.sub(rf"{_SIGN}|{_AFTER}|-$", " ", text.casefold() + " ", flags=re.IGNORECASE).strip(" -")
    digits = re.fullmatch(rf"({_DIGITS})\s?(k?)", cleaned)
    if digits:
        written = digits[1]
        written = written.replace(",", "") if re.search(r",\d{3}", written) else written.replace(",", ".")
        return float(written) * (1000 if digits[2] else 1)
    total = group = 0.0
    if cleaned.startswith("half a "):
        return number_of(cleaned.removeprefix("half ")) / 2
    for word in re.split(r"[ -]+", cleaned):
        if word in _SCALES:
            group = max(group, 1) * _SCALES[word]
            if _SCALES[word] == 1000:
                total, group = total + group, 0.0
        else:
            group += _SMALL.get(word, 0) + _TENS.get(word, 0)
    return total + group


def _bounds(op: str, match: re.Match[str]) -> tuple[Constraint, ...]:
    said = match[0].strip()
    if op != "range":
        return (Constraint("price", op, number_of(match["money"]), said, True),)
    low, high = number_of(match["low"]), number_of(match["high"])
    if low > high:
        return ()
    return (Constraint("price", ">=", low, said, True), Constraint("price", "<=", high, said, True))


def _inside_a_word(text: str, match: re.Match[str]) -> bool:
    """Return whether the match starts or ends within a word or number."""
    start, end = match.span()
    before = text[start - 1 : start] + text[start : start + 1]
    after = text[end - 1 : end] + text[end : end + 1]
    return bool(re.fullmatch(r"\w\w", before) or re.fullmatch(r"\w\w", after))
