"""Prices in a query's words.

A number is a price when a currency says so, or when comparing words stand by it and nothing after it that is counted
or measured: "boots under 80" is about money, "under 30 inches" and "over 40 skincare" are not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from search.understanding.amounts import MONEY, MOST_NUMBERS, PLAIN, has_number, is_inside_a_word, number_of
from search.understanding.comparing import compared
from search.understanding.constraints import Constraint, Found

_COSTS = re.compile(
    r"(?:\b(?:that(?:['’]?s)?|which|it(?:['’]?s)?|will|costs?|costing|priced?|prices?|worth|is|are|be|for|at|runs?|goes|go|"
    r"sells?|with|an?|in|the|of|my|our|total)\s+)++$",
    re.IGNORECASE,
)
_TO = r"\s*(?:-|–|—|to|and|through|till|until|up to|and up to|or)\s*"
_RANGES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:(?:any|some)where )?(?:between\s+|"
        rf"from\s+)?(?P<low>{MONEY}){_TO.replace('|or', '')}(?P<high>{MONEY}|{PLAIN})"
        r"(?!\s*%)(?:\s+(?:price\s+)?range)?",
        rf"(?:(?:any|some)where )?(?:between\s+|"
        rf"from\s+)?(?P<low>{PLAIN}){_TO}(?P<high>{MONEY})(?:\s+(?:price\s+)?range)?",
        rf"(?:costs?|costing|priced?|prices?|worth|spend(?:ing)?)\s+(?:at\s+)?(?:(?:any|some)where )?(?:between|"
        rf"from)\s+"
        rf"(?P<low>{PLAIN}){_TO.replace('|or', '')}(?P<high>{PLAIN})\b",
        rf"\b(?:between|priced? from|prices? from)\s+(?P<low>{PLAIN}){_TO.replace('|or', '')}(?P<high>{PLAIN})\b"
        r"(?=\s*(?:$|[,.;!?)](?:\s|$)|(?:for|with|without|and|but|in|that|which|please|no|not|on|by)\b))",
    )
)
_MONEY = re.compile(MONEY, re.IGNORECASE)
_PLAIN = re.compile(PLAIN, re.IGNORECASE)
# After a number without a currency only these may follow, or its end: anything else may be what is counted.
_CLEAR = re.compile(
    r"\s*(?:$|[,.;!?)](?:\s|$)|"
    r"(?:for|with|without|and|but|in|that|which|please|no|not|on|by|size|from|made|rated|or)\b)",
    re.IGNORECASE,
)
_ABOUT_MONEY = re.compile(
    r"(?:cheaper than|less expensive than|more expensive than|pricier than|"
    r"\b(?:costs?|costing|priced?|prices?|spend(?:ing)?|pay(?:ing)?|budget|afford)\b.*)",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\b(?:size|age|ages|aged|type|model|no\.?|number|grade|level|part|step|of|kids?|child|children|toddlers?|bab(?:y|ies)|"
    r"infants?|boys?|girls?|people|persons?|adults?|teens?|anyone|someone|those|players?|is|are|turning|turns?)\s*$",
    re.IGNORECASE,
)
# A sum without comparing words is the most there is to spend when the text speaks of a purse.
_PURSE = re.compile(
    r"\b(?:(?:with|on|within|for|at)\s+)?(?:my|our|the|his|her|their|a|an|total)\s+(?:[a-z]+\s+)?"
    r"(?:budget|limit|max(?:imum)?|allowance|ceiling|cap|upper limit)\b(?:\s+(?:is|of|for|at|on|being)\b|\s*:)?|"
    r"\bbudget\b(?=\s*(?:is|of|:|,|-|\$|\d))(?:\s+(?:is|of)\b|\s*[:,-])?|"
    r"\b(?:i|we)?(?:['’]ve)?\s*(?:only\s+|just\s+)?(?:have|has|got|have got)\s+(?:only\s+|"
    r"just\s+)?(?=\S+(?:\s\S+){0,4}?\s+to\s+"
    r"(?:spend|work with)|[$€£\d])|\b(?:only|just)\s+(?:have|has|got)\b|"
    r"\bto\s+(?:spend|work with|play with)\b(?:\s+on\b)?|\b(?:can|could|i['’]?d|would|want to|like to|"
    r"will)\s+(?:only\s+)?"
    r"(?:spend|afford|pay)\b|\b(?:spend(?:ing)?|afford)\b",
    re.IGNORECASE,
)
_PURSE_BEFORE = re.compile(
    r"(?:\b(?:i|we|and|he|she|they)\s+)?(?:\b(?:i|we)['’]ve\s+)?\b(?:only |just )?(?:have|has|got|have got|"
    r"saved(?: up)?|set aside|put aside|"
    r"budgeted|spend|pay|afford)(?: only| just| about)?\s+$",
    re.IGNORECASE,
)
_PURSE_AFTER = re.compile(
    r"\s*(?:is|as|being)?\s*(?:my|our|the|a|an)?\s*(?:absolute |upper |top |spending |hard |price )?"
    r"(?:limit|budget|cap|ceiling|is the most|is all (?:i|we)(?:['’]ve got| have| can (?:spend|afford)| got)?|to spend|"
    r"to work with|is what i have|in (?:my|the) (?:pocket|wallet)|gift card|voucher|is where i (?:draw the line|stop)|"
    r"is as (?:far|high|much) as i(?:['’]?ll| will| can| would)? go|is (?:the|my) (?:max(?:imum)?|top|highest))\b|"
    r"\s*,?\s*(?:and )?that(?:['’]?s| is) (?:all|it|my|the most|as much|as high)\b(?: there is| i have| we have|"
    r" i['’]?ve got)?",
    re.IGNORECASE,
)


def prices_in(text: str) -> Iterator[Found]:
    """Yield the prices a text states: ranges, sums with a currency, then plain numbers that can be nothing else."""
    if not has_number(text):
        return
    taken: list[tuple[int, int]] = []

    def is_free(start: int, end: int) -> bool:
        return not any(start < stop and begin < end for begin, stop in taken)

    for pattern in _RANGES:
        for match in pattern.finditer(text):
            low, high = number_of(match["low"]), number_of(match["high"])
            if is_free(*match.span()) and not is_inside_a_word(text, *match.span()) and low < high:
                start = _with_costs(text, match.start())
                taken.append((start, match.end()))
                said = text[start : match.end()].strip()
                bounds = (Constraint("price", ">=", low, said, True), Constraint("price", "<=", high, said, True))
                yield Found(bounds, start, match.end())
    for numbers, is_money in ((_MONEY, True), (_PLAIN, False)):
        for match in itertools.islice(numbers.finditer(text), MOST_NUMBERS):
            if not is_free(*match.span()) or is_inside_a_word(text, *match.span()):
                continue
            earlier = max((stop for _, stop in taken if stop <= match.start()), default=0)
            found = (
                _sum(text, *match.span(), earlier) if is_money else _plain(text, *match.span(), earlier, bool(taken))
            )
            if found:
                taken.append((found.start, found.end))
                yield found


def _sum(text: str, start: int, end: int, earlier: int) -> Found:
    """Return what is asked of an amount of money."""
    number = number_of(text[start:end])
    found = compared(text, start, end, earlier)
    op, start, end = found.op, found.start, found.end
    also: tuple[tuple[int, int], ...] = ()
    if not op:
        op, end, also = _purse(text, start, end)
    start = _with_costs(text, start, earlier)
    return Found((Constraint("price", op, number, text[start:end].strip(), True),), start, end, also)


def _purse(text: str, start: int, end: int) -> tuple[str, int, tuple[tuple[int, int], ...]]:
    """Return (op, end, other spans): at most, where the text speaks of what there is to spend, else around."""
    before = _PURSE_BEFORE.search(text[:start])
    after = _PURSE_AFTER.match(text, end)
    end = after.end() if after else end
    also = tuple(one.span() for one in _PURSE.finditer(text) if one.end() <= start or one.start() >= end)
    also += (before.span(),) if before else ()
    return ("<=" if after or also else "~"), end, also


def _plain(text: str, start: int, end: int, earlier: int, is_known: bool) -> Found | None:
    """Return what is asked of a number that may be a price, None where it may be something else.

    Args:
        is_known: whether the text states a price already.
    """
    found = compared(text, start, end, earlier)
    if found.op in ("", "~") or not _CLEAR.match(text, found.end):
        return None
    words = text[found.start : start]
    is_priced = bool(_ABOUT_MONEY.search(text[earlier:start]))
    if not is_priced and _COUNTED.search(text[: found.start]):  # "kids under 7"
        return None
    if found.start == start and found.op == ">=":  # "3+"
        return None
    if found.op == ">=" and not (is_priced or is_known):
        # "over 60" at the end is money; "over 40 skincare", "from 5 to 9" are not.
        if text[found.end :].strip(" .!?") or not re.search(r"\b(?:over|above|more than|at least)\b", words, re.I):
            return None
        if len(text[start:end]) < 2:
            return None
    from_words = re.fullmatch(r"\s*(?:within|inside|past|from)\s*", words, re.IGNORECASE)
    if from_words and not (is_priced or is_known):
        return None
    number = number_of(text[start:end])
    begin = _with_costs(text, found.start, earlier)
    return Found((Constraint("price", found.op, number, text[begin : found.end].strip(), True),), begin, found.end)


def _with_costs(text: str, start: int, earlier: int = 0) -> int:
    """Return where the words that lead to a price begin: "that costs" of "that costs under $20"."""
    lead = _COSTS.search(text[earlier:start])
    return earlier + lead.start() if lead else start
