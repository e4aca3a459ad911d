"""The pages of a list under one address each, and "show more": several pages in a row under one address as well.

`page=3&from=1` is pages 1 to 3 at once. That is where "show more" leads, with a script or without, so that reloading,
sharing and coming back all give what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from search.engine import Engine
from search.request import Hit, SearchResults
from web.urls import PageRequest, address

MOST_PAGES, MOST_SHOWN = 10, 240  # pages and products at once; after these, the next page starts afresh


@dataclass(frozen=True)
class More:
    """What is left of a list.

    Attributes:
        reached: how many products have been shown, those of pages that were passed over included.
        total: how many there are.
        count: how many more the next page has; 0 at the end.
        address: of the same list with the next page too, of the next page alone after `most` pages.
        next: of the next page alone.
        restart: of the list from its first page; "" when it is shown.
        first_number: the place in the list of the first product shown, from 1.
        most: pages that are shown at once.
    """

    reached: int
    total: int
    count: int
    address: str
    next: str
    restart: str
    first_number: int
    most: int

    @property
    def grows(self) -> bool:
        """Whether the next page joins those that are shown."""
        return self.address != self.next


def most_pages(per_page: int) -> int:
    """Return how many pages of a size are shown at once."""
    return min(MOST_PAGES, max(1, MOST_SHOWN // per_page))


def first_page(request: PageRequest) -> int:
    """Return the first page that an address shows: at most `most_pages` with the last one."""
    first = request.first or request.page
    return min(max(first, request.page - most_pages(request.per_page) + 1), request.page)


def earlier_hits(engine: Engine, request: PageRequest) -> list[Hit]:
    """Return the hits of the pages that an address shows before its last one; their scores are remembered."""
    numbers = range(first_page(request), request.page)
    alone = replace(request, first=0, facets=())
    return [hit for number in numbers for hit in engine.search(replace(alone, page=number)).hits]


def more_of(results: SearchResults, request: PageRequest, path: str, last: int) -> More:
    """Return what is left after a page.

    Args:
        results: of the last page that is shown.
        request: as asked, with the first page shown.
        path: of the list.
        last: the last page there is.
    """
    first, shown, alone = first_page(request), min(request.page, last), replace(request, first=0)
    reached = min(shown * request.per_page, results.total)
    number, most = (first - 1) * request.per_page + 1, most_pages(request.per_page)
    restart = address(path, alone, page=1) if first > 1 else ""
    if request.page >= last:
        return More(reached, results.total, 0, "", "", restart, number, most)
    count = min(request.per_page, results.total - reached)
    following = address(path, alone, page=request.page + 1)
    grows = request.page - first + 1 < most
    joined = address(path, request, page=request.page + 1, first=first) if grows else following
    return More(reached, results.total, count, joined, following, restart, number, most)
