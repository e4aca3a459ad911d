"""What was read in a query's words, for people: chips to take off, corrections to undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.engine import Engine
from search.request import SearchResults
from search.understanding import Constraint
from web.formats import price_text
from web.urls import address


@dataclass(frozen=True)
class Spelling:
    """What was corrected or could be, each text with its address; "" where there is nothing."""

    corrected: str = ""
    literally: str = ""
    offered: str = ""
    offered_address: str = ""


def spelling_of(results: SearchResults, path: str) -> Spelling:
    """Return the corrections of an answer."""
    request, query = results.request, results.query
    offered = query["did_you_mean"] or ""
    return Spelling(
        corrected=query["corrected"] or "",
        literally=address(path, request, correct=False, page=1) if query["corrected"] else "",
        offered=offered,
        offered_address=address(path, request, q=offered, page=1) if offered else "",
    )


def said_of(alike: Sequence[Constraint], engine: Engine) -> tuple[str, str]:
    """Return label and value of one constraint, or of the two ends of a range."""
    one = alike[0]
    if one.field == "price":
        amounts = [price_text(float(each.value), engine.release.currency) for each in alike]  # type: ignore[arg-type]
        words = {"<=": "up to", ">=": "from", "~": "around"}
        return "Price", " to ".join(amounts) if len(alike) > 1 else f"{words[one.op]} {amounts[0]}"
    if one.field == "rating":
        return "Rating", f"{one.value:g} and up"
    if one.field == "availability":
        return "Availability", "in stock"
    if one.field == "words":
        return "Without", str(one.value)
    value = " or ".join(one.value) if isinstance(one.value, tuple) else str(one.value)
    label = engine.release.facets.values[one.field].label
    if one.op == "!=":
        return label, f"not {value}"
    return label if one.is_filter else f"{label} preferred", value
