"""Numbers as people write them: digits, thousands, words; with a currency or without."""

from __future__ import annotations

import re

from search.analysis import plain_number

MOST_NUMBERS = 12  # of a query that are looked at; more are neither prices nor ratings
_SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000, "grand": 1000}
_NUMBER_WORD = rf"(?:{'|'.join([*_SMALL, *_TENS, *_SCALES])})"
_WORDS = rf"(?:(?:an?|half an?) (?=hundred|thousand|grand))?{_NUMBER_WORD}(?:(?:[ -]| and ){_NUMBER_WORD})*"
_DIGITS = r"(?<!\d)(?:\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d+(?:[.,]\d{1,2}(?!\d))?)"
_SIGN = r"(?:us\s?)?[$€£]|\b(?:usd|eur|gbp)\s"
_AFTER = r"(?:[$€£]|(?:us )?(?:dollars?|bucks?|usd|euros?|eur|gbp|quid)\b)"
PLAIN = rf"(?:(?:{_DIGITS})(?:\s?k\b)?|\b{_WORDS}\b)"
MONEY = rf"(?:(?:{_SIGN})\s*{PLAIN}(?:\s*{_AFTER}|-?ish\b)?|{PLAIN}\s*-?(?:ish\s+)?{_AFTER})"
NUMBER_WORDS = re.compile(rf"\b{_WORDS}\b", re.IGNORECASE)
_SAYING = frozenset((*_SMALL, *_TENS, *_SCALES))
_DIGIT, _TOKEN = re.compile(r"\d"), re.compile(r"\w+")


def has_digit(text: str) -> bool:
    """Return whether a text holds any digit; most queries do not, and need not be searched for quantities."""
    return _DIGIT.search(text) is not None


def has_number(text: str) -> bool:
    """Return whether a text holds any digit or number word; without one it states neither prices nor ratings."""
    return has_digit(text) or not _SAYING.isdisjoint(_TOKEN.findall(text.casefold()))


def number_of(text: str) -> float:
    """Return the number that digits ("1,299.50", "1.5k") or words ("two hundred and fifty") say."""
    cleaned = re.sub(rf"{_SIGN}|{_AFTER}|(?<=\d)-?ish\b|-$", " ", text.casefold() + " ", flags=re.IGNORECASE).strip(
        " -"
    )
    digits = re.fullmatch(rf"({_DIGITS})\s?(k?)", cleaned)
    if digits:
        return float(plain_number(digits[1])) * (1000 if digits[2] else 1)
    total = group = 0.0
    if cleaned.startswith("half a"):
        return number_of(cleaned.removeprefix("half ")) / 2
    for word in re.split(r"[ -]+", cleaned):
        if word in _SCALES:
            group = max(group, 1) * _SCALES[word]
            if _SCALES[word] == 1000:
                total, group = total + group, 0.0
        else:
            group += _SMALL.get(word, 0) + _TENS.get(word, 0)
    return total + group


def with_digits(text: str) -> str:
    """Return a text of the same length whose numbers in words are digits, blanks before them: "six" -> "  6"."""

    def digits(match: re.Match[str]) -> str:
        is_pronoun = match[0].casefold() == "one"
        return match[0] if is_pronoun else f"{number_of(match[0]):g}".rjust(len(match[0]))

    return NUMBER_WORDS.sub(digits, text) if has_number(text) else text


def is_inside_a_word(text: str, start: int, end: int) -> bool:
    """Return whether start..end begins or ends within a word or number."""
    edges = (text[start - 1 : start] + text[start : start + 1], text[end - 1 : end] + text[end : end + 1])
    return any(re.fullmatch(r"\w\w", edge) for edge in edges)
