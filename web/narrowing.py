"""What narrows a page of results: facets to choose from, filters in force, clusters among the results."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

from search.conditions import Condition, conditions_of, without_value
from search.engine import Engine
from search.facets import PATH_SEPARATOR
from search.request import SearchRequest, SearchResults
from web.cards import Trait, trait
from web.formats import price_text
from web.readings import said_of
from web.urls import address, with_value

SHOWN_VALUES = 7  # of a facet, before "show more"
LONG_FACET = 15  # values from which one may look for one by its letters
SHOWN_CHIPS = 10
ENOUGH_TO_NARROW = 8  # fewer results than this are seen at a glance
HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 240, 44


@dataclass(frozen=True)
class Applied:
    """One filter in force, the address without it, and what it would bring back (None: not asked)."""

    label: str
    value: str
    removed: str
    brings: int | None = None


@dataclass(frozen=True)
class Value:
    """One value of a facet."""

    trait: Trait
    count: int
    is_selected: bool


@dataclass(frozen=True)
class Branch:
    """One category in the tree; `address` selects it, or leaves it when it is the selected one."""

    name: str
    depth: int
    count: int
    is_selected: bool
    address: str


@dataclass(frozen=True)
class Bar:
    """One bar of the price histogram, in SVG units."""

    x: float
    y: float
    width: float
    height: float
    is_inside: bool


@dataclass(frozen=True)
class Group:
    """One facet of the sidebar: `branches` of categories, `bars` of prices, or `values` to tick."""

    name: str
    label: str
    values: list[Value] = field(default_factory=list)
    more: list[Value] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    low: float | None = None
    high: float | None = None
    find: str | None = None  # text that the listed values hold; None: too few values to look through


@dataclass(frozen=True)
class Chip:
    """One cluster among the results."""

    label: str
    count: int
    address: str
    is_selected: bool


# -- facets --


def groups_of(results: SearchResults, request: SearchRequest, path: str) -> list[Group]:
    """Return the facets of an answer that have something to choose."""
    return [
        _group(name, facet, request, path)
        for name, facet in results.facets.items()
        if _narrows(name, facet, request, results.total)
    ]


def _narrows(name: str, facet: dict[str, Any], request: SearchRequest, total: int) -> bool:
    """Return whether a facet has something to choose: values that some results lack, or a choice made.

    Every boot may come in every size: then each size has all products, and still narrows what is shown of them.
    """
    if facet["type"] == "range":
        is_bounded = (request.price_min, request.price_max) != (None, None)
        return name == "price" and (facet["min"] != facet["max"] or is_bounded)
    if request.filters.get(name) or (facet["distinct"] > 1 and not facet["is_path"]):
        return True
    return any(entry["count"] < total for entry in facet["values"])


def _group(name: str, facet: dict[str, Any], request: SearchRequest, path: str) -> Group:
    if facet["type"] == "range":
        return Group(name, facet["label"], bars=_bars(facet, request), low=facet["min"], high=facet["max"])
    if facet["is_path"]:
        return Group(name, facet["label"], branches=_branches(name, facet, request, path))
    values = [Value(trait(name, entry["value"]), entry["count"], entry["selected"]) for entry in facet["values"]]
    find = request.find.get(name, "")
    if find:
        return Group(name, facet["label"], values, find=find)
    shown = [value for place, value in enumerate(values) if place < SHOWN_VALUES or value.is_selected]
    rest = [value for value in values if value not in shown]
    # A link that reveals a single value is longer than the value.
    if len(rest) < 2:
        return Group(name, facet["label"], values, [])
    return Group(name, facet["label"], shown, rest, find="" if facet["distinct"] >= LONG_FACET else None)


def _branches(name: str, facet: dict[str, Any], request: SearchRequest, path: str) -> list[Branch]:
    """Return the top categories and, below each selected one and its ancestors, what is in them."""
    counts = {entry["value"]: entry["count"] for entry in facet["values"]}
    selected = set(request.filters.get(name, ()))
    opened = {_ancestor(value, depth) for value in selected for depth in range(1, value.count(PATH_SEPARATOR) + 2)}
    top = [value for value in counts if PATH_SEPARATOR not in value]
    opened |= set(top if len(top) == 1 else ())
    branches: list[Branch] = []

    def walk(parent: str, depth: int) -> None:
        for value in counts:
            if value.rpartition(PATH_SEPARATOR)[0] != parent:
                continue
            is_selected = value in selected
            chosen = without_value(request, name, value) if is_selected else _only(request, name, value)
            leaf = value.rpartition(PATH_SEPARATOR)[2]
            branches.append(Branch(leaf, depth, counts[value], is_selected, address(path, chosen)))
            if value in opened:
                walk(value, depth + 1)

    walk("", 0)
    return branches


def _ancestor(value: str, depth: int) -> str:
    return PATH_SEPARATOR.join(value.split(PATH_SEPARATOR)[:depth])


def _only(request: SearchRequest, field: str, value: str) -> SearchRequest:
    """Return the request with one value of a field in place of those it has."""
    left = {name: values for name, values in request.filters.items() if name != field}
    return with_value(replace(request, filters=left), field, value)


def _bars(facet: dict[str, Any], request: SearchRequest) -> list[Bar]:
    buckets = facet["histogram"]
    if len(buckets) < 3:
        return []
    most = max(bucket["count"] for bucket in buckets) or 1
    low = float("-inf") if request.price_min is None else request.price_min
    high = float("inf") if request.price_max is None else request.price_max
    step = HISTOGRAM_WIDTH / len(buckets)
    bars = []
    for place, bucket in enumerate(buckets):
        height = max(2.0 if bucket["count"] else 0.0, HISTOGRAM_HEIGHT * bucket["count"] / most)
        is_inside = bucket["to"] >= low and bucket["from"] <= high
        x, y = place * step + 1, HISTOGRAM_HEIGHT - height
        bars.append(Bar(round(x, 1), round(y, 1), round(step - 2, 1), round(height, 1), is_inside))
    return bars


# -- filters in force --


def applied_of(engine: Engine, request: SearchRequest, path: str, rescue: dict[str, Any] | None) -> list[Applied]:
    """Return every filter in force, where nothing was found with how many products there are without it."""
    totals = [one["total"] for one in rescue["without"]] if rescue else []  # of the first conditions
    return [
        Applied(*_labelled(one, request, engine), address(path, one.without), total)
        for one, total in itertools.zip_longest(conditions_of(request, engine.understood(request)), totals)
        if not (one.parameter == "cluster" and path.startswith("/clusters/"))
    ]


def _labelled(condition: Condition, request: SearchRequest, engine: Engine) -> tuple[str, str]:
    """Return label and value of a condition, for people."""
    if condition.constraints:
        return said_of(condition.constraints, engine)
    if condition.parameter == "price":
        return "Price", _price_span(request, engine.release.currency)
    if condition.parameter == "in_stock":
        return "Availability", "in stock"
    if condition.parameter == "cluster":
        return "Group", engine.release.clusters.cluster(request.cluster or 0).label
    facet, value = engine.release.facets.values[condition.parameter.removeprefix("f.")], str(condition.value)
    return facet.label, value.replace(PATH_SEPARATOR, " › ") if facet.is_path else value


def _price_span(request: SearchRequest, currency: str) -> str:
    low, high = price_text(request.price_min, currency), price_text(request.price_max, currency)
    if low and high:
        return f"{low} to {high}"
    return f"from {low}" if low else f"up to {high}"


def chips_of(results: SearchResults, path: str) -> list[Chip]:
    """Return the clusters the results fall into; none when they all lie in one, or the page is a cluster's own."""
    request = results.request
    narrows = len(results.clusters) > 1 and results.total >= ENOUGH_TO_NARROW
    if path.startswith("/clusters/") or not (narrows or request.cluster is not None):
        return []
    return [
        Chip(
            entry["label"],
            entry["count"],
            address(path, request, page=1, cluster=None if entry["id"] == request.cluster else entry["id"]),
            entry["id"] == request.cluster,
        )
        for entry in results.clusters[:SHOWN_CHIPS]
    ]
