"""What answers a request, whatever page of it is shown: the relevant set in its order, and every count over it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from search.arrays import Mask, Rows, union_of
from search.clusters import cluster_json
from search.facet_counts import facets_json
from search.folding import Folding
from search.queries import Asked, kept_rows
from search.release import Release
from search.request import SearchRequest
from search.retrieval import RelevantSet, drawn_rows, relevant_set, widened

SHOWN_CLUSTERS = 12
SORTED_BY = {"price:asc": "price", "price:desc": "price", "rating:desc": "rating", "newest": "created"}


@dataclass(frozen=True)
class Answer:
    """What answers a request, whatever page of it is shown.

    Attributes:
        found: the relevant set; rows: the same, in the wanted order.
        ranking: the first row of each product in that order where variants are folded, else `rows`.
        facets, clusters: counted over them, as the API tells them; not to be changed.
    """

    found: RelevantSet
    rows: Rows
    ranking: Rows
    facets: dict[str, dict[str, Any]]
    clusters: list[dict[str, Any]]


def answer_to(release: Release, asked: Asked) -> Answer:
    """Return what answers a request; browsing, which may mean every row, is remembered."""
    if asked.scored is not None:
        return _worked_out(release, asked)
    key = replace(asked.request, q="", page=1, per_page=1, explain=False).key, asked.read.constraints
    return release.browsed.made(key, lambda: _worked_out(release, asked))


def _worked_out(release: Release, asked: Asked) -> Answer:
    found = relevant(release, asked)
    rows = ordered(release, found, asked.request.sort)
    folding = _folding(release, asked.request)
    ranking = rows if folding is None else folding.first_rows(rows)
    facets, clusters = counted_facets(release, asked, found), counted_clusters(release, asked, found)
    return Answer(found, rows, ranking, facets, clusters)


def total_of(release: Release, asked: Asked) -> int:
    """Return how many products or rows answer a request."""
    return _count(release, asked.request, relevant(release, asked).rows)


def less_relevant(release: Release, asked: Asked, found: RelevantSet) -> int:
    """Return how many more products or rows there are below the cut-off; 0 where it is lifted or there is none."""
    if asked.scored is None or not asked.request.cutoff:
        return 0
    allowed = _allowed(release, asked)
    drawn = drawn_rows(asked.scored, allowed)
    if allowed is not None:  # else the relevant rows are all among them
        drawn = union_of(found.rows, drawn)
    return _count(release, asked.request, drawn) - _count(release, asked.request, found.rows)


# -- the one relevant set --


def relevant(release: Release, asked: Asked, without: str = "") -> RelevantSet:
    """Return the relevant set; a query without words to look up browses every allowed row in catalog order.

    Args:
        without: a field ("cluster" too) whose chosen filters are left out.
    """
    allowed = _allowed(release, asked, without)
    if asked.scored is not None:
        found = relevant_set(release, asked.scored, allowed)
        if asked.request.cutoff:
            return found
        return widened(release, asked.scored, found, drawn_rows(asked.scored, allowed))
    rows = np.arange(release.rows) if allowed is None else np.flatnonzero(allowed)
    return RelevantSet(rows.astype(np.int64), np.ones(len(rows), np.float32), True)


def _allowed(release: Release, asked: Asked, without: str = "") -> Mask | None:
    """Return the mask of all filters, those chosen for one field ("cluster" too) left out on demand.

    What the query's own words demand always holds, so that a count is what choosing a value brings. None when
    nothing is chosen and the query was scored among the rows that keep its own conditions.
    """
    request = asked.request
    filters = {name: values for name, values in request.filters.items() if name != without}
    price = (None, None) if without == "price" else (request.price_min, request.price_max)
    rating = None if without == "rating" else request.rating_min
    masks = [release.facets.allowed(filters, *price, request.in_stock, rating)]
    if request.cluster is not None and without != "cluster":
        release.clusters.cluster(request.cluster)
        masks.append(release.clusters.rows_in(request.cluster))
    given = [mask for mask in masks if mask is not None]
    if not given and asked.scored is not None and asked.scored.is_kept:
        return None
    if (kept := kept_rows(release, asked.read)) is not None:
        given.append(kept)
    return np.logical_and.reduce(given) if given else None


def ordered(release: Release, found: RelevantSet, sort: str) -> Rows:
    """Return the rows of a relevant set in the wanted order; unknown values last, ties by relevance."""
    numbers = release.facets.numbers.get(SORTED_BY.get(sort, ""))
    if numbers is None:
        return found.rows
    keys = numbers[found.rows] * (1 if sort == "price:asc" else -1)
    return found.rows[np.argsort(keys, kind="stable")]  # NaN sorts last


# -- counts over it --


def counted_facets(release: Release, asked: Asked, found: RelevantSet) -> dict[str, dict[str, Any]]:
    """Return the facets asked for. A field's own selection does not narrow its own counts (multi-select)."""

    def rows_without(name: str) -> Rows:
        return relevant(release, asked, without=name).rows

    request = asked.request
    return facets_json(release.facets, request, found.rows, rows_without, _folding(release, request))


def counted_clusters(release: Release, asked: Asked, found: RelevantSet) -> list[dict[str, Any]]:
    """Return the leaf clusters of the results with counts, most first; the chosen one does not narrow the list."""
    rows = found.rows if asked.request.cluster is None else relevant(release, asked, without="cluster").rows
    counts = release.clusters.counts(rows, _folding(release, asked.request), SHOWN_CLUSTERS)
    return [cluster_json(*counted) for counted in counts]


def _count(release: Release, request: SearchRequest, rows: Rows) -> int:
    folding = _folding(release, request)
    return len(rows) if folding is None else folding.count(rows)


def _folding(release: Release, request: SearchRequest) -> Folding | None:
    """Return how rows fold into what is counted and shown; None: every row stands for itself."""
    return release.folding if request.fold else None
