"""The row above the results: what narrows them best, their groups and the first values of one or two facets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from search.conditions import without_value
from search.request import SearchRequest, SearchResults
from web.language import gettext as _
from web.pages.cards import Trait, trait
from web.pages.readings import FEW, facet_label
from web.urls import address, with_value

SHOWN_CLUSTERS = 4  # above the results
SHOWN_KEYS = 3  # values of a facet there
SEVERAL = 2  # products that a value must have to stand there
KEY_FACETS = 2  # facets there, one fewer beside clusters


@dataclass(frozen=True)
class Chip:
    """One way to narrow the results; chosen already, its address takes it off."""

    trait: Trait
    count: int
    address: str
    is_selected: bool


@dataclass(frozen=True)
class Key:
    """A filter worth its place above the results: its best values."""

    name: str
    label: str
    chips: list[Chip]


def keys_of(results: SearchResults, request: SearchRequest, path: str) -> list[Key]:
    """Return what narrows this result best, for one row above it: the clusters it falls into, then facets.

    None where the results are seen at a glance, and nothing of it is chosen.
    """
    clusters = _clusters(results, request, path)
    facets = [
        (name, facet)
        for name, facet in results.facets.items()
        if facet["type"] == "values" and not facet["is_path"] and _parts(facet, results.total)
    ]
    shown = facets[: KEY_FACETS - bool(clusters)]
    keys = [Key(name, facet_label(name, facet["label"]), _chips(name, facet, request, path)) for name, facet in shown]
    return [*([Key("cluster", _("Narrow to"), clusters)] if clusters else []), *keys]


def _parts(facet: dict[str, Any], total: int) -> bool:
    """Return whether a value of a facet is chosen, or two of them each take several of the results and leave some."""
    telling = [entry for entry in facet["values"] if SEVERAL <= entry["count"] < total]
    return any(entry["selected"] for entry in facet["values"]) or (total >= FEW and len(telling) >= 2)


def _chips(name: str, facet: dict[str, Any], request: SearchRequest, path: str) -> list[Chip]:
    """Return the first values of a facet, those chosen among them."""
    best = [
        entry
        for place, entry in enumerate(facet["values"])
        if entry["selected"] or (place < SHOWN_KEYS and entry["count"] >= SEVERAL)
    ]
    return [
        Chip(trait(name, entry["value"]), entry["count"], _toggled(name, entry, request, path), entry["selected"])
        for entry in best
    ]


def _toggled(name: str, entry: dict[str, Any], request: SearchRequest, path: str) -> str:
    change = without_value if entry["selected"] else with_value
    return address(path, change(request, name, entry["value"]))


def _clusters(results: SearchResults, request: SearchRequest, path: str) -> list[Chip]:
    """Return the clusters the results fall into; none when they all lie in one, or the page is a cluster's own."""
    several = [entry for entry in results.clusters if entry["count"] >= SEVERAL]
    narrows = results.total >= FEW and len(several) > 1
    if path.startswith("/clusters/") or not (narrows or request.cluster is not None):
        return []
    return [
        Chip(
            trait("cluster", entry["label"]),
            entry["count"],
            address(path, request, page=1, cluster=None if entry["id"] == request.cluster else entry["id"]),
            entry["id"] == request.cluster,
        )
        for place, entry in enumerate(results.clusters)
        if entry["id"] == request.cluster or (place < SHOWN_CLUSTERS and entry["count"] >= SEVERAL)
    ]
