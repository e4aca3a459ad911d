"""Least ratings and stock in a query's words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from search.understanding.amounts import MOST_NUMBERS, has_number, is_inside_a_word, number_of
from search.understanding.comparing import NEGATION, compared
from search.understanding.constraints import Constraint, Found

_NUMBER = re.compile(
    r"(?P<number>[1-5](?:[.,]\d{1,2})?|\b(?:one|two|three|four|five))(?P<half>(?: and a half|"
    r"[- ]and[- ]a[- ]half))?(?![.,]?\d)"
    r"(?P<of>\s*(?:/|out of|of)\s*(?:5|five)\b)?(?P<plus>\s*\+)?(?P<star>[\s-]*(?:stars?\b|★+))?(?P<up>\s*\+)?",
    re.IGNORECASE,
)
_RATED = r"(?:rat(?:ed?|ings?|es)|review(?:s|ed|ers)?|scor(?:es?|ed|ing)|stars|average[sd]?|averaging)"
_SPEAKS = re.compile(rf"\b(?:{_RATED}|customers?|buyers?|shoppers|people|gave|give)\b", re.IGNORECASE)
_LEAD = re.compile(
    rf"(?:\b(?:with|that|which|have|has|having|an?|the|is|are|of|its|whose|at|customer|user|average|avg|only|must|be|"
    rf"should|to|in|by|from|on|get|gets|got|i|want|need|{_RATED})\s+)++$",
    re.IGNORECASE,
)
_RATED_BEFORE = re.compile(
    rf"\b{_RATED}\b(?:\s+(?:of|is|are|at|an?|to|be|should|must|on|it|its|in|the|that|average[sd]?|averaging|score)\b)*+\s*:?\s*$",
    re.IGNORECASE,
)
_RATED_AFTER = re.compile(rf"\s*(?:(?:customer|user|average|avg|or higher|or better)\s+)*+{_RATED}\b", re.IGNORECASE)
_OR_BETTER = re.compile(
    r"\b(?:(?:or|and) (?:better|higher|above|more|up(?:wards?)?|over)|upwards|minimum|at least|at the least)\b",
    re.IGNORECASE,
)
_NOT_GOODS = re.compile(r"\s*(?:hotels?|restaurants?|general|resorts?|review system)\b", re.IGNORECASE)
_STOCK = re.compile(
    r"\b(?:in[ -]stock|available (?:now|today|immediately|right (?:now|away)|straight away)|"
    r"(?:currently|still|must be|only|if) available|on the shel(?:f|ves) (?:right )?now|ready to ship|"
    r"ships? (?:today|now|immediately|right away)|on hand)"
    r"(?: only| now| today| right now| at the moment| please| items?)*+(?!\w)",
    re.IGNORECASE,
)
_STOCK_LEAD = re.compile(
    r"(?:\b(?:only|just|that(?:['’]s)?|which|is|are|be|you|have|has|to|must|currently|actually)\s+)++$", re.IGNORECASE
)
_GONE = (
    r"(?:sold[ -]out|out[ -]of[ -]stock|unavailable|(?:on )?back[ -]?order(?:ed)?s?|(?:on )?pre[ -]?orders?(?:ed)?|"
    r"not available|discontinued)"
)
_NOT_GONE = re.compile(
    rf"\b(?:{NEGATION}|hide|skip(?:ping)?|exclud(?:e|ing)|leave out|leaving out|omit(?:ting)?|except|filter out|remove|"
    rf"ignore|drop|minus|other than|but)\s+(?:[\w'’]+\s+){{0,5}}?{_GONE}"
    rf"(?:(?:,| or| and|,? nor)\s+(?:[\w'’]+\s+){{0,2}}?{_GONE})*(?:\s+(?:ones?|items?|things?|products?|stuff))?",
    re.IGNORECASE,
)


def ratings_in(text: str) -> Iterator[Found]:
    """Yield the least rating a text asks for, once."""
    if not has_number(text):
        return
    for match in itertools.islice(_NUMBER.finditer(text), MOST_NUMBERS):
        found = _rating(text, match)
        if found:
            yield found
            return


def _rating(text: str, match: re.Match[str]) -> Found | None:
    start, end = match.span()
    stars = number_of(match["number"]) + (0.5 if match["half"] else 0)
    if stars > 5 or is_inside_a_word(text, start, end) or _NOT_GOODS.match(text, end):
        return None
    has_star, has_plus = bool(match["star"] or match["of"]), bool(match["plus"] or match["up"])
    found = compared(text, start, end)
    before = _RATED_BEFORE.search(text[: found.start]) or _RATED_BEFORE.search(text[:start])
    is_rated = bool(before) or bool(re.search(rf"\b{_RATED}\b", text[found.start : start], re.IGNORECASE))
    after = _RATED_AFTER.match(text, found.end)
    if not (has_star or is_rated or after):
        return None
    if after:
        found = compared(text, start, after.end()) if found.end == end else found
        end = max(found.end, after.end())
    else:
        end = found.end
    also: tuple[tuple[int, int], ...] = ()
    is_asked = found.op == ">=" or has_plus or is_rated or bool(after)
    if not is_asked and not found.op:
        tail = _OR_BETTER.search(text, end)
        speaks = _SPEAKS.search(text)
        is_asked = bool(tail or speaks)
        also = (tail.span(),) if tail else ()
    if not is_asked or (found.op == "<=" and not is_rated):
        return None
    again = _OR_BETTER.match(text, end + len(text[end:]) - len(text[end:].lstrip()))
    end = again.end() if again else end
    start = min(found.start, before.start() if before else found.start)
    lead = _LEAD.search(text[:start])
    start = lead.start() if lead else start
    said = text[start:end].strip()
    return Found((Constraint("rating", ">=", stars, said, True),), start, end, also)


def stock_in(text: str) -> Iterator[Found]:
    """Yield the wish for what is in stock."""
    match = _NOT_GONE.search(text) or _STOCK.search(text)
    if match:
        lead = _STOCK_LEAD.search(text[: match.start()])
        start, end = lead.start() if lead else match.start(), match.end()
        yield Found((Constraint("availability", "=", "in_stock", text[start:end].strip(), True),), start, end)
