"""A search as an address and back: one canonical spelling, so that equal searches have equal addresses and ETags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from search.request import MAX_WINDOW, SearchRequest

_DEFAULTS = SearchRequest()
MOST_POINTED = 12  # products liked or disliked in one address; the API reads more


@dataclass(frozen=True)
class PageRequest(SearchRequest):
    """A search and how a page shows its answer.

    Attributes:
        view: "grid" or "list".
        first: the first page shown, `from` in an address; those up to `page` follow. 0: only `page`.
    """

    view: str = "grid"
    first: int = 0


def page_request_of(request: SearchRequest, view: str = "grid", first: int = 0) -> PageRequest:
    """Return a search as a page asks for it; one that a page asked for already stays as it is."""
    if isinstance(request, PageRequest):
        return request
    return PageRequest(**{one.name: getattr(request, one.name) for one in fields(request)}, view=view, first=first)


def query_pairs(request: SearchRequest, *, tells_fold: bool = True, page: int | None = None) -> list[tuple[str, str]]:
    """Return the parameters that differ from their defaults, in one fixed order, values sorted within a filter.

    Args:
        request: the search.
        tells_fold: whether variants are folded is one of them.
        page: in place of the request's own.
    """
    pairs: list[tuple[str, str]] = [("q", request.q)] if request.q else []
    for name in sorted(request.filters):
        pairs += [(f"f.{name}", value) for value in sorted(set(request.filters[name]))]
    for name in ("price_min", "price_max", "rating_min"):
        bound = getattr(request, name)
        if bound is not None:
            pairs.append((name, f"{bound:.10g}"))
    if request.in_stock:
        pairs.append(("in_stock", "1"))
    if request.cluster is not None:
        pairs.append(("cluster", str(request.cluster)))
    pairs += [(f"find.{name}", request.find[name]) for name in sorted(request.find)]
    if request.facets is not None:
        pairs.append(("facets", ",".join(request.facets) or "none"))
    if request.mode != _DEFAULTS.mode:
        pairs.append(("mode", request.mode))
    if request.sort != _DEFAULTS.sort:
        pairs.append(("sort", request.sort))
    if request.per_page != _DEFAULTS.per_page:
        pairs.append(("per_page", str(request.per_page)))
    if (page := page or request.page) != _DEFAULTS.page:
        pairs.append(("page", str(page)))
    if request.explain:
        pairs.append(("explain", "1"))
    if request.fold and tells_fold:
        pairs.append(("fold", "1"))
    pairs += [("literal", text) for text in sorted(set(request.literal))]
    pairs += [(name, "0") for name in ("interpret", "correct", "cutoff") if not getattr(request, name)]
    return pairs


def page_pairs(request: SearchRequest) -> list[tuple[str, str]]:
    """Return the parameters of a page's address: pages fold variants always, so theirs do not say it."""
    pairs = query_pairs(request, tells_fold=False)
    if isinstance(request, PageRequest):
        pairs += [("view", request.view)] if request.view != "grid" else []
        pairs += [("from", str(request.first))] if 0 < request.first < request.page else []
    return pairs


def address(path: str, request: SearchRequest, **changes: Any) -> str:
    """Return the address of a search under a path, e.g. "/search?q=red+dress&page=2".

    A cluster that is part of the path ("/clusters/12") is not repeated as a parameter.
    """
    changed = replace(request, **changes) if changes else request
    pairs = query_pairs(changed) if path.startswith("/api/") else page_pairs(changed)
    if path.startswith("/clusters/"):
        pairs = [(name, value) for name, value in pairs if name != "cluster"]
    return with_pairs(path, pairs)


def with_pairs(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return a path with parameters, as `urlencode` writes them in twice the time."""
    if not pairs:
        return path
    return f"{path}?{'&'.join([f'{_quoted_name(name)}={quote_plus(value)}' for name, value in pairs])}"


_quoted_name = lru_cache(256)(quote_plus)  # those of parameters and of the catalog's facets: few


def with_value(request: SearchRequest, field: str, value: str) -> SearchRequest:
    """Return the request, from its first page, with one more value of a filter."""
    values = (*request.filters.get(field, ()), value)
    return replace(request, filters={**request.filters, field: tuple(dict.fromkeys(values))}, page=1)


def product_path(product_id: str, q: str = "") -> str:
    """Return the path of a product's page; ids may hold any character. With a search it says why it matches."""
    path = f"/products/{quote(product_id, safe='')}"
    return f"{path}?{urlencode({'q': q})}" if q else path


def search_path(q: str) -> str:
    """Return the address of the results of a text."""
    return address("/search", SearchRequest(q=q))


def category_path(path: str) -> str:
    """Return the address of a category's products; `path` as the category facet has it."""
    return address("/search", SearchRequest(filters={"category": (path,)}))


def cluster_path(cluster_id: int) -> str:
    """Return the path of a group's page."""
    return f"/clusters/{cluster_id}"


def taste_path(liked: Sequence[str], disliked: Sequence[str] = ()) -> str:
    """Return the address of products like some and unlike others; "" when nothing is liked, or too much on a side."""
    if not liked or max(len(liked), len(disliked)) > MOST_POINTED:
        return ""
    pairs = [("liked", one) for one in liked] + [("disliked", one) for one in disliked]
    return f"/similar?{urlencode(pairs)}"


def reachable_pages(pages: int, per_page: int) -> int:
    """Return how many pages can be asked for: the window of a search ends at 10,000 products."""
    return min(pages, MAX_WINDOW // per_page)
