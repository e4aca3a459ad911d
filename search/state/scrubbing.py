"""Texts without what tells who wrote them: e-mail addresses, phone and card numbers give way to a word."""

from __future__ import annotations

import re
from itertools import cycle

_EMAIL = re.compile(r"[^\s@<>]{1,64}(?:@|\(at\)|\[at\])[^\s@<>]{1,255}\.[^\s@<>]{2,}", re.IGNORECASE)
# Digits with at most two signs between each other, not part of a word such as OUT-2252-TEA.
_NUMBER = re.compile(r"(?<![\w.,/-])[+(]?\d(?:[ ().\-/]{0,2}\d){7,}(?![\w-])")
_AMERICAN = re.compile(r"\(?\d{3}[) .\-]{1,2}\d{3}[ .\-]\d{4}")
CARD_DIGITS = 15  # from here on a number is one of a card or an account


def scrubbed(text: str) -> str:
    """Return a text with [email], [phone] and [card] in place of what looks like one.

    A number that a shop sells by stays: one whose check digit makes it a GTIN (EAN, UPC) or an ISBN. Local numbers of
    seven digits and fewer cannot be told from part numbers and stay too.
    """
    return _NUMBER.sub(lambda found: _said(found[0]), _EMAIL.sub("[email]", text))


def _said(written: str) -> str:
    digits = "".join(sign for sign in written if sign.isdigit())
    if len(digits) >= CARD_DIGITS:
        return "[card]"
    if _is_article_number(digits):
        return written
    is_bare = written == digits and len(digits) >= 9
    is_dialled = written[0] in "+(0" and len(digits) >= 8
    return "[phone]" if is_bare or is_dialled or _AMERICAN.fullmatch(written) else written


def _is_article_number(digits: str) -> bool:
    """Return whether the last digit is the check digit of a GTIN of 12 to 14 digits, or of an ISBN of ten."""
    values = [int(sign) for sign in digits]
    if len(values) == 10:
        return sum(weight * value for weight, value in zip(range(10, 0, -1), values, strict=True)) % 11 == 0
    weighted = sum(value * weight for value, weight in zip(reversed(values), cycle((1, 3)), strict=False))
    return len(values) in (12, 13, 14) and weighted % 10 == 0
