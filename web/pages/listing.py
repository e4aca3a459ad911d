"""A page of results as the templates need it: cards, orders, pages, ways out of nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search.analysis import words_of
from search.engine import Engine
from search.request import SearchRequest, SearchResults
from web.asking import ask
from web.language import gettext as _
from web.pages.cards import Card, card_of_hit
from web.pages.narrowing import Group, groups_of
from web.pages.paging import More, earlier_hits, more_of
from web.pages.readings import FEW, Applied, Spelling, applied_of, spelling_of
from web.pages.related import Link, Related, category_link, related_to
from web.pages.shortcuts import Key, keys_of
from web.urls import PageRequest, address, page_pairs, page_request_of, reachable_pages


@dataclass(frozen=True)
class Page:
    """One entry of the pagination; number None is a gap."""

    number: int | None
    address: str = ""
    is_current: bool = False


@dataclass(frozen=True)
class Listing:
    """Everything the results page shows."""

    path: str
    request: PageRequest
    results: SearchResults
    cards: list[Card]
    groups: list[Group]
    keys: list[Key]
    spelling: Spelling
    applied: list[Applied]
    cleared: str
    cleared_total: int | None
    sorts: list[tuple[str, str]]
    pages: list[Page]
    previous: str
    next: str
    last: str
    more: More
    views: list[tuple[str, str]]
    kept: list[tuple[str, str]]
    in_stock: int | None  # how many are not out of stock; None where all are not
    related: Related

    @property
    def nearby(self) -> list[Link]:
        """The categories nearest to words that found nothing."""
        found = (self.results.rescue or {}).get("categories", [])
        return [category_link(one["category"], one["count"]) for one in found]

    @property
    def relaxing(self) -> list[Applied]:
        """Where few products pass, the filters without which there are more."""
        few = self.results.total
        return [one for one in self.applied if (one.brings or 0) > few] if 0 < few < FEW else []

    @property
    def unknown_words(self) -> list[str]:
        """Words of the search that no product has."""
        return self.results.query["unknown_words"]

    @property
    def known_only(self) -> tuple[str, str] | None:
        """The search without those words, and its address; None when no other words are left."""
        left = [word for word in self.request.q.split() if not set(words_of(word)) & set(self.unknown_words)]
        if not left or not self.unknown_words:
            return None
        return " ".join(left), address(self.path, self.request, q=" ".join(left), page=1)

    @property
    def uncut(self) -> str:
        """The address of these results with the less relevant."""
        return address(self.path, self.request, cutoff=False, page=1)

    @property
    def cut(self) -> str:
        """The address of these results without the less relevant."""
        return address(self.path, self.request, cutoff=True, page=1)

    @property
    def on_map(self) -> str:
        """The address of the map with these results lit; it has no order and no pages."""
        return address("/map", self.request, sort="relevance", page=1, per_page=SearchRequest().per_page, view="grid")

    @property
    def is_past_the_end(self) -> bool:
        """Whether there are results, but not on this page."""
        return self.results.total > 0 and not self.cards


def listing_of(engine: Engine, request: SearchRequest, path: str = "/search") -> Listing:
    """Ask the engine and lay its answer out for a page under `path`; a page folds variants."""
    asked = page_request_of(request)
    request = replace(asked, fold=True, first=0)  # links lead to single pages; only "show more" adds to what is shown
    earlier = earlier_hits(engine, replace(request, first=asked.first))
    results = ask(engine, request, "map" if path == "/map" else "page", earlier)
    last = reachable_pages(results.pages, request.per_page)
    hits = [*earlier, *results.hits]
    is_nothing = results.total == 0
    cluster = request.cluster if path.startswith("/clusters/") else None
    cleared = PageRequest(q=request.q, sort=request.sort, cluster=cluster, fold=True, view=request.view)
    return Listing(
        path=path,
        request=request,
        results=results,
        cards=[card_of_hit(engine, hit, request) for hit in hits],
        groups=groups_of(results, request, path),
        keys=keys_of(results, request, path),
        spelling=spelling_of(results, path),
        applied=applied_of(engine, results, path),
        cleared=address(path, cleared),
        cleared_total=engine.total(cleared) if is_nothing and request != cleared else None,
        sorts=_sorts(engine, request),
        pages=_pages(request, path, last),
        previous=address(path, request, page=min(request.page - 1, last)) if request.page > 1 and last else "",
        next=address(path, request, page=request.page + 1) if request.page < last else "",
        last=address(path, request, page=max(last, 1)),
        more=more_of(results, replace(request, first=asked.first), path, last),
        views=_views(request, path),
        kept=_kept(request, path),
        in_stock=_in_stock(engine, results),
        related=related_to(engine, results),
    )


def _views(request: PageRequest, path: str) -> list[tuple[str, str]]:
    """Return (name, address) of each way to lay the results out."""
    return [(view, address(path, request, view=view)) for view in ("grid", "list")]


def _in_stock(engine: Engine, results: SearchResults) -> int | None:
    """Return how many of the results are not out of stock; None where choosing that changes nothing."""
    if results.request.in_stock:
        return results.total
    rows = results.rows[engine.release.facets.in_stock()[results.rows]]
    folding = engine.release.folding
    count = len(rows) if folding is None else folding.count(rows)
    return count if len(rows) < len(results.rows) else None


def _sorts(engine: Engine, request: SearchRequest) -> list[tuple[str, str]]:
    """Return (value, label) of the orders this catalog has numbers for; "best match" only when something was asked."""
    columns = {"price:asc": "price", "price:desc": "price", "rating:desc": "rating", "newest": "created"}
    labels = {
        "relevance": _("Best match") if request.q else _("Featured"),
        "price:asc": _("Price, low to high"), "price:desc": _("Price, high to low"),
        "rating:desc": _("Best rated"), "newest": _("Newest"),
    }  # fmt: skip
    numbers = engine.release.facets.numbers
    return [(sort, label) for sort, label in labels.items() if sort not in columns or columns[sort] in numbers]


def _kept(request: SearchRequest, path: str) -> list[tuple[str, str]]:
    """Return the parameters that the filter form carries along unseen; those it has fields for are left out."""
    in_form = {"price_min", "price_max", "rating_min", "in_stock", "sort", "page"}
    is_cluster_page = path.startswith("/clusters/")
    in_form |= {f"find.{name}" for name in request.find}
    return [
        (name, value)
        for name, value in page_pairs(request)
        if name not in in_form
        and not (name.startswith("f.") and name != "f.category")
        and not (is_cluster_page and name == "cluster")
    ]


# -- pages --


def _pages(request: SearchRequest, path: str, last: int) -> list[Page]:
    """Return first, last and the pages around the current one, gaps between."""
    if last < 2:
        return []
    near = {number for number in range(request.page - 1, request.page + 2) if 1 <= number <= last}
    entries: list[Page] = []
    before = 0
    for number in sorted({1, last} | near):
        if number - before == 2:
            entries.append(_page(number - 1, request, path))
        elif number - before > 2:
            entries.append(Page(None))
        entries.append(_page(number, request, path))
        before = number
    return entries


def _page(number: int, request: SearchRequest, path: str) -> Page:
    return Page(number, address(path, request, page=number), number == request.page)
