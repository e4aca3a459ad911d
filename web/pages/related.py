"""Where else to go from a page of results: categories or groups that are close to these."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from search.clusters import Cluster
from search.engine import Engine
from search.naming import PATH_SEPARATOR
from search.related import related_categories, related_groups
from search.request import SearchResults
from web.urls import category_path, cluster_path


@dataclass(frozen=True)
class Link:
    """A way on: what it is called, how many products it leads to (0: not told) and where."""

    name: str
    count: int
    address: str


@dataclass(frozen=True)
class Related:
    """What is close to the results: categories or, in a catalog that hardly has any, groups."""

    categories: list[Link] = field(default_factory=list)
    groups: list[Link] = field(default_factory=list)


def category_link(path: str, count: int, name: str = "") -> Link:
    """Return the link to a category, by its whole path where no name is given."""
    return Link(name or path.replace(PATH_SEPARATOR, " › "), count, category_path(path))


def group_link(cluster: Cluster, count: int) -> Link:
    """Return the link to a cluster."""
    return Link(cluster.label, count, cluster_path(cluster.id))


def related_to(engine: Engine, results: SearchResults) -> Related:
    """Return what is close to the results of a search; nothing for browsing, where the category tree shows the way."""
    if not results.request.q:
        return Related()
    release = engine.release
    if categories := related_categories(release, results.rows):
        counts, named = release.products_in_category, _told_apart(categories)
        return Related([category_link(path, counts[path], named[path]) for path in categories])
    groups = related_groups(release, results.rows)
    return Related(groups=[group_link(one, release.products_in.get(one.id, 0)) for one in groups])


def _told_apart(paths: list[str]) -> dict[str, str]:
    """Return the name of each category: its last level, with the one above where another has the same."""
    names = Counter(path.rpartition(PATH_SEPARATOR)[2] for path in paths)
    return {
        path: " › ".join(path.split(PATH_SEPARATOR)[-2 if names[path.rpartition(PATH_SEPARATOR)[2]] > 1 else -1 :])
        for path in paths
    }
