"""Where else to look from a result: the categories and groups closest to its best products."""

from __future__ import annotations

from collections import Counter

from search.arrays import Rows, unit_rows
from search.clusters import Cluster
from search.release import Release

BEST = 12  # products that stand for a result
CATEGORIES = 6
GROUPS, NEIGHBORS = 2, 2  # groups that the best products lie in, and for each how many of those beside it


def related_categories(release: Release, rows: Rows) -> list[str]:
    """Return the leaf categories whose products' mean is closest to the mean of the best products, closest first.

    None where most products have no category: the few that have one do not stand for the others.

    Args:
        release: that answered.
        rows: of the result, best first.
    """
    if len(rows) == 0 or not release.manifest["passages"]["categories_are_kinds"]:
        return []
    middle = unit_rows(release.dense.gathered(rows[:BEST]).mean(axis=0, keepdims=True))[0]
    return release.categories.closest(middle, CATEGORIES)


def related_groups(release: Release, rows: Rows) -> list[Cluster]:
    """Return the clusters that most of the best products lie in, each followed by its nearest neighbors.

    Args:
        release: that answered.
        rows: of the result, best first.
    """
    index = release.clusters
    leading = Counter(index.cluster_of[rows[:BEST]].tolist()).most_common(GROUPS)
    found = [near for leaf, _ in leading for near in (index.clusters[leaf], *index.neighbors(leaf)[:NEIGHBORS])]
    return list({cluster.id: cluster for cluster in found}.values())
