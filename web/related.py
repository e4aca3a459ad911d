"""Where else to go from a page of results: searches and categories that are close to these."""

from __future__ import annotations

from dataclasses import dataclass, field

from search.engine import Engine
from search.facets import PATH_SEPARATOR
from search.request import SearchRequest, SearchResults
from web.urls import address


@dataclass(frozen=True)
class Link:
    """A way on: what it is called, how many products it leads to (0: not told) and where."""

    name: str
    count: int
    address: str


@dataclass(frozen=True)
class Related:
    """Searches and categories close to the results."""

    queries: list[Link] = field(default_factory=list)
    categories: list[Link] = field(default_factory=list)


def category_link(path: str, count: int) -> Link:
    """Return the link to a category."""
    return Link(
        path.replace(PATH_SEPARATOR, " › "), count, address("/search", SearchRequest(filters={"category": (path,)}))
    )


def related_to(engine: Engine, results: SearchResults) -> Related:
    """Return what is close to the results of a search; nothing for browsing."""
    return Related()
