"""The facets of the sidebar as the templates need them: values to tick, branches, bars of prices, steps of ratings."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from search.conditions import without_value
from search.facet_counts import FACET_SHARE
from search.naming import PATH_SEPARATOR
from search.request import SearchRequest, SearchResults
from web.pages.cards import Trait, trait
from web.pages.readings import facet_label
from web.urls import address, with_value

SHOWN_VALUES = 6  # of a facet, before "show more"
LONG_FACET = 15  # values from which one may look for one by its letters
WHOLE_AMOUNTS = 20  # a slider over dearer things than this goes by whole amounts
HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 240, 44


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
class Step:
    """A least rating to choose; None is any."""

    stars: float | None
    count: int
    is_selected: bool


@dataclass(frozen=True)
class Group:
    """One facet of the sidebar: `branches` of categories, `bars` of prices, `steps` of ratings, or `values` to tick.

    Attributes:
        edges: JSON list of prices, the places of the slider from its start to its end; "" without a slider.
        is_whole: whether every value there is stands in `values` and `more`.
    """

    name: str
    label: str
    values: list[Value] = field(default_factory=list)
    more: list[Value] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    edges: str = ""
    steps: list[Step] = field(default_factory=list)
    low: float | None = None
    high: float | None = None
    find: str | None = None  # text that the listed values hold; None: too few values to look through
    is_whole: bool = False


def groups_of(results: SearchResults, request: SearchRequest, path: str) -> list[Group]:
    """Return the facets of an answer that have something to choose."""
    return [
        _group(name, facet, request, results.total, path)
        for name, facet in results.facets.items()
        if _narrows(name, facet, request, results.total)
    ]


def _narrows(name: str, facet: dict[str, Any], request: SearchRequest, total: int) -> bool:
    """Return whether a facet has something to choose: values that some results lack, or a choice made.

    Every boot may come in every size: then each size has all products, and still narrows what is shown of them. Values
    that one product each has are not a filter but another list of the products.
    """
    if name == "price":
        return facet["min"] != facet["max"] or (request.price_min, request.price_max) != (None, None)
    if name == "rating":
        return request.rating_min is not None or bool(_steps(facet, total))
    if request.filters.get(name) or request.find.get(name):
        return True
    if facet["is_path"]:
        within = sum(entry["count"] for entry in facet["values"] if PATH_SEPARATOR not in entry["value"])
        return within >= FACET_SHARE * total and any(entry["count"] < total for entry in facet["values"])
    several = [entry["count"] for entry in facet["values"] if entry["count"] > 1]
    return bool(several) and (facet["distinct"] > 1 or several[0] < total)


def _group(name: str, facet: dict[str, Any], request: SearchRequest, total: int, path: str) -> Group:
    label = facet_label(name, facet["label"])
    if name == "price":
        bars, edges = _bars(facet, request), _edges(facet)
        return Group(name, label, bars=bars, edges=edges, low=facet["min"], high=facet["max"])
    if name == "rating":
        everyone = Step(None, total, request.rating_min is None)
        return Group(name, label, steps=[*_steps(facet, total), everyone])
    if facet["is_path"]:
        return Group(name, label, branches=_branches(name, facet, request, path))
    values = [Value(trait(name, entry["value"]), entry["count"], entry["selected"]) for entry in facet["values"]]
    find = request.find.get(name, "")
    if find:
        return Group(name, label, values, find=find)
    is_whole = facet["distinct"] <= len(values)
    shown = [value for place, value in enumerate(values) if place < SHOWN_VALUES or value.is_selected]
    rest = [value for value in values if value not in shown]
    looked_through = "" if facet["distinct"] >= LONG_FACET else None
    # A link that reveals a single value is longer than the value.
    if len(rest) < 2:
        return Group(name, label, values, [], find=looked_through, is_whole=is_whole)
    return Group(name, label, shown, rest, find=looked_through, is_whole=is_whole)


def _steps(facet: dict[str, Any], total: int) -> list[Step]:
    """Return the least ratings that leave something out, each at its highest, and the chosen one."""
    steps: list[Step] = []
    for step in facet["thresholds"]:
        if step["selected"] or (step["count"] < total and step["count"] != (steps[-1].count if steps else 0)):
            steps.append(Step(step["from"], step["count"], step["selected"]))
    return steps


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


def _edges(facet: dict[str, Any]) -> str:
    """Return the prices a slider's places stand for, evenly spaced under each bar of the histogram."""
    buckets = facet["histogram"]
    if len(buckets) < 3:
        return ""
    inner = [
        bucket["from"] + (bucket["to"] - bucket["from"]) * part for bucket in buckets for part in (0, 0.25, 0.5, 0.75)
    ]
    # Whole amounts but for the ends, which must let the cheapest and the dearest thing in.
    digits = 0 if facet["max"] >= WHOLE_AMOUNTS else 2
    return json.dumps([facet["min"], *(round(price, digits) for price in inner[1:]), facet["max"]])


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
