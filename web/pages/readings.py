"""Every condition of a search in words: read in the query or chosen, each to take off; corrections to undo."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from babel.lists import format_list

from search.conditions import Condition, conditions_of
from search.engine import Engine
from search.facets import ValuesFacet
from search.naming import PATH_SEPARATOR
from search.request import SearchRequest, SearchResults
from search.understanding import Constraint
from web.formats import availability_text, number_text, price_text
from web.language import current_locale
from web.language import gettext as _
from web.urls import address

FEW = 8  # fewer results than this are seen at a glance, and are few
MAX_RELAXED = 4  # filters for which few results are counted again without them


@dataclass(frozen=True)
class Spelling:
    """What was corrected or could be, each text with its address; "" where there is nothing."""

    corrected: str = ""
    literally: str = ""
    offered: str = ""
    offered_address: str = ""


@dataclass(frozen=True)
class Applied:
    """One filter in force, the address without it, and what it would bring back (None: not asked)."""

    label: str
    value: str
    removed: str
    brings: int | None = None


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


def applied_of(engine: Engine, results: SearchResults, path: str) -> list[Applied]:
    """Return every filter in force; where few products or none pass, with how many there are without it."""
    request = results.request
    conditions = list(conditions_of(request, engine.understood(request)))
    totals: list[int] = []  # of the first conditions
    if results.rescue:
        totals = [one["total"] for one in results.rescue["without"]]
    elif results.total < FEW:
        totals = [engine.total(one.without) for one in conditions[:MAX_RELAXED]]
    return [
        Applied(*_labelled(one, request, engine), address(path, one.without), total)
        for one, total in itertools.zip_longest(conditions, totals)
        if not (one.parameter == "cluster" and path.startswith("/clusters/"))
    ]


def _labelled(condition: Condition, request: SearchRequest, engine: Engine) -> tuple[str, str]:
    """Return label and value of a condition, for people."""
    if condition.constraints:
        return said_of(condition.constraints, engine)
    if condition.parameter == "price":
        return facet_label("price"), span_text(request.price_min, request.price_max, engine.release.currency)
    if condition.parameter == "rating":
        return facet_label("rating"), rating_text(request.rating_min or 0)
    if condition.parameter == "in_stock":
        return facet_label("availability"), _("in stock")
    if condition.parameter == "cluster":
        return _("Group"), engine.release.clusters.cluster(request.cluster or 0).label
    facet = engine.release.facets.values[condition.parameter.removeprefix("f.")]
    return facet_label(facet.name, facet.label), value_text(str(condition.value), facet)


def facet_label(name: str, label: str = "") -> str:
    """Return the name of a facet for people: ours in the visitor's language, the catalog's own as the catalog says."""
    ours = {
        "category": _("Category"), "brand": _("Brand"), "price": _("Price"), "rating": _("Rating"),
        "availability": _("Availability"),
    }  # fmt: skip
    return ours.get(name, label)


def value_text(value: str, facet: ValuesFacet) -> str:
    """Return a value for people: a path of categories, a state of the stock, or what the catalog says."""
    if facet.name == "availability":
        return availability_text(value) or value
    return value.replace(PATH_SEPARATOR, " › ") if facet.is_path else value


def span_text(low: float | None, high: float | None, currency: str) -> str:
    """Return a span of prices, one end of which may be open."""
    least, most = price_text(low, currency), price_text(high, currency)
    if least and most:
        return _("%(low)s to %(high)s", low=least, high=most)
    return _("from %(price)s", price=least) if least else _("up to %(price)s", price=most)


def rating_text(stars: float) -> str:
    """Return "4 and up"."""
    return _("%(stars)s and up", stars=number_text(stars))


def said_of(alike: Sequence[Constraint], engine: Engine) -> tuple[str, str]:
    """Return label and value of one constraint, or of the two ends of a range."""
    one = alike[0]
    if one.field == "price":
        return facet_label("price"), _price_said(alike, engine.release.currency)
    if one.field == "rating":
        return facet_label("rating"), rating_text(float(one.value))  # type: ignore[arg-type]
    if one.field == "availability":
        return facet_label("availability"), _("in stock")
    if one.field == "words":
        return _("Without"), str(one.value)
    facet = engine.release.facets.values[one.field]
    values = one.value if isinstance(one.value, tuple) else (str(one.value),)
    label = facet_label(facet.name, facet.label)
    value = format_list([value_text(each, facet) for each in values], style="or", locale=current_locale())
    if one.op == "!=":
        return label, _("not %(value)s", value=value)
    return label if one.is_filter else _("%(field)s preferred", field=label), value


def _price_said(alike: Sequence[Constraint], currency: str) -> str:
    amounts = {each.op: float(each.value) for each in alike}  # type: ignore[arg-type]
    if "~" in amounts:
        return _("around %(price)s", price=price_text(amounts["~"], currency))
    return span_text(amounts.get(">="), amounts.get("<="), currency)
