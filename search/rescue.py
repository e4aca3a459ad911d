"""Ways out of no results: what each condition keeps out, and the categories nearest to the words."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from search.conditions import conditions_of
from search.release import Release
from search.request import SearchRequest
from search.scoring import ScoredQuery
from search.understanding import Understood

MAX_RESCUES = 8  # conditions whose price is told when nothing keeps them all
CATEGORIES = 4


def ways_out(
    release: Release,
    request: SearchRequest,
    read: Understood,
    scored: ScoredQuery | None,
    total: Callable[[SearchRequest], int],
) -> dict[str, Any]:
    """Return the contract's `rescue`.

    Args:
        release: that found nothing.
        request: as asked; read: what was understood; scored: None where there were no words to look up.
        total: returns how many products answer a request.
    """
    conditions = itertools.islice(conditions_of(request, read), MAX_RESCUES)
    without = [condition.as_json(total(condition.without)) for condition in conditions]
    facet = release.facets.values.get("category")
    if facet is None or scored is None:
        return {"without": without, "categories": []}
    if scored.vector is not None:
        paths = release.categories.closest(scored.vector, CATEGORIES)
    else:
        paths = release.categories.of_rows(release.facets, release.lexical.matches(scored.text).rows, CATEGORIES)
    if request.fold:
        counts = release.products_in_category
    else:
        counts = {path: len(facet.entries.holders(facet.first + facet.code_of[path])) for path in paths}
    categories = [{"category": path, "count": counts[path]} for path in paths]
    return {"without": without, "categories": categories}
