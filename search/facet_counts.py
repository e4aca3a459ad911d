"""What is told of a facet over a set of rows: its values or numbers with their counts, and how well it narrows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.analysis import folded
from search.arrays import Floats, Rows
from search.facets import PATH_SEPARATOR, FacetIndex, ValuesFacet, ancestors
from search.folding import Folding
from search.request import SearchRequest

RATING_STEPS = (4.5, 4.0, 3.0, 2.0)
NUMBER_FACETS = ("price", "rating")
SHOWN_FACETS = 9
SHOWN_VALUES = 30
FACET_SHARE = 0.2  # a facet is offered when at least this share of the results carries it
WEIGHED_FACETS = 20  # of those, the most carried, are weighed against each other
SEEN_VALUES = 7  # of a facet that a reader takes in at once


def facets_json(
    index: FacetIndex,
    request: SearchRequest,
    rows: Rows,
    rows_without: Callable[[str], Rows],
    folding: Folding | None,
) -> dict[str, dict[str, Any]]:
    """Return the contract's `facets`: those asked for, or those that narrow this result best.

    Args:
        index: of the release.
        request: as asked.
        rows: of the results.
        rows_without: returns the rows of the results without what was chosen for one field.
        folding: counts products in place of rows.

    Raises:
        QueryError: a facet is asked for that this catalog does not have.
    """
    told: dict[str, dict[str, Any]] = {}
    for name in _wanted(index, request, rows, folding):
        counted = rows_without(name) if _is_chosen(name, request) else rows
        if name not in index.numbers:
            selected, find = request.filters.get(name, ()), request.find.get(name, "")
            told[name] = facet_json(index.values[name], counted, selected, SHOWN_VALUES, find, folding)
            continue
        told[name] = range_json(name.capitalize(), index.numbers[name], counted, folding)
        if name == "rating":
            told[name]["thresholds"] = thresholds_json(index.numbers[name], counted, request.rating_min, folding)
    return told


def expect_known(index: FacetIndex, names: Sequence[str]) -> None:
    """Check that facets can be told.

    Raises:
        QueryError: this catalog does not have one of them; the nearest is suggested.
    """
    for name in names:
        if name not in NUMBER_FACETS or name not in index.numbers:
            index.facet(name, "facets")


def _is_chosen(name: str, request: SearchRequest) -> bool:
    if name == "price":
        return request.price_min is not None or request.price_max is not None
    return request.rating_min is not None if name == "rating" else bool(request.filters.get(name))


def _wanted(index: FacetIndex, request: SearchRequest, rows: Rows, folding: Folding | None) -> list[str]:
    """Return the names of the facets to tell: category, price and rating first, then the chosen and the most useful."""
    if request.facets is not None:
        expect_known(index, request.facets)
        return list(request.facets)
    fixed = [name for name in ("category", *NUMBER_FACETS) if name in index.values or name in index.numbers]
    other = {name: facet for name, facet in index.values.items() if name not in ("category", "availability")}
    chosen = [name for name in other if request.filters.get(name)]
    carried = {name: facet.carried(rows) for name, facet in other.items() if name not in chosen}
    least = max(1, FACET_SHARE * len(rows))
    common = [name for name in carried if carried[name] >= least]
    weighed = sorted(common, key=lambda name: -carried[name])[:WEIGHED_FACETS]
    worth = {name: usefulness(other[name].counts(rows, folding), carried[name] / len(rows)) for name in weighed}
    telling = [name for name in weighed if worth[name] > 0]
    best = [*chosen, *sorted(telling, key=lambda name: -worth[name])][: max(SHOWN_FACETS, len(chosen))]
    brand = ["brand"] if "brand" in other and "brand" not in best else []  # told always, as programs expect it
    return [*fixed, *best, *brand]


def usefulness(counts: NDArray[np.int64], carried: float) -> float:
    """Return 0..1, how well a facet narrows a result, the product of three shares.

    How much of the result has it (frequency), how much of that has one of the values seen at a glance (cardinality:
    nearly unique values are another list of the products), and how evenly these part it (balance: the entropy, as a
    share of the most there can be). After Oren, Delbru & Decker 2006, "Extending faceted navigation for RDF data".

    Args:
        counts: (v,) how many of the results have each value.
        carried: share of the results that have any.
    """
    seen = np.sort(counts[counts > 1])[::-1][:SEEN_VALUES]
    if len(seen) == 0:
        return 0.0
    shares = seen / seen.sum()
    if len(seen) == 1:  # it parts those that have it from all others
        having = carried * seen[0] / counts.sum()
        shares = np.array([having, 1 - having])
    shares = shares[shares > 0]
    balance = -(shares * np.log(shares)).sum() / np.log(max(len(seen), 2))
    return float(carried * seen.sum() / counts.sum() * balance)


def facet_json(
    facet: ValuesFacet,
    rows: Rows,
    selected: Sequence[str],
    limit: int,
    find: str = "",
    folding: Folding | None = None,
) -> dict[str, Any]:
    """Return `{"type": "values", ...}`: values by frequency, selected ones always among them.

    Up to `limit` values; of paths up to `limit` below each open branch, a branch being open at the top and where it,
    or something below it, is selected.

    Args:
        facet: to count.
        rows: that it is counted over.
        selected: values chosen.
        limit: most values listed.
        find: only values with this text in them are listed, however deep; the others count as before.
        folding: counts products in place of rows.
    """
    counts = facet.counts(rows, folding)
    present = np.flatnonzero(counts)
    codes = present[np.argsort(-counts[present], kind="stable")].tolist()
    if find:
        listed = [code for code in codes if folded(find) in folded(facet.values[code])][:limit]
    else:
        listed = _open_branches(facet, codes, selected, limit) if facet.is_path else codes[:limit]
    chosen = {facet.code_of[value] for value in selected if value in facet.code_of}
    shown = listed + [code for code in codes if code in chosen and code not in listed]
    values = [
        {"value": facet.values[code], "count": int(counts[code]), "selected": facet.values[code] in selected}
        for code in shown
    ]
    told = {entry["value"] for entry in values}
    values += [{"value": value, "count": 0, "selected": True} for value in selected if value not in told]
    return {
        "type": "values", "label": facet.label, "is_path": facet.is_path, "distinct": len(codes), "values": values,
    }  # fmt: skip


def _open_branches(facet: ValuesFacet, codes: list[int], selected: Sequence[str], limit: int) -> list[int]:
    opened = {""}
    for path in selected:
        levels = tuple(path.split(PATH_SEPARATOR))
        opened.update(ancestors(levels))
    taken: Counter[str] = Counter()
    shown = []
    for code in codes:
        parent = facet.values[code].rpartition(PATH_SEPARATOR)[0]
        if parent in opened and taken[parent] < limit:
            taken[parent] += 1
            shown.append(code)
    return shown


def range_json(
    label: str, numbers: Floats, rows: Rows, folding: Folding | None = None, buckets: int = 12
) -> dict[str, Any]:
    """Return `{"type": "range", min, max, histogram}` of the rows' known numbers; min and max None when none is known.

    The histogram counts rows or, with a folding, products.

    Buckets are equal in width between min and the 98th percentile; the last one takes the rest, so that one
    expensive thing does not flatten all others into a single bar. `from` is inclusive, `to` exclusive but in the last.
    """
    rows = rows[~np.isnan(numbers[rows])]
    known = numbers[rows]
    summary: dict[str, Any] = {"type": "range", "label": label, "min": None, "max": None, "histogram": []}
    if len(known) == 0:
        return summary
    low, high, most = float(known.min()), float(known.max()), float(np.percentile(known, 98))
    summary |= {"min": round(low, 2), "max": round(high, 2)}
    edges = np.unique(np.round([*np.linspace(low, most, buckets), high], 2)) if high > low else np.array([low, high])
    edges[0], edges[-1] = low, high
    bucket_of = np.minimum(np.searchsorted(edges, known.astype(np.float64), side="right") - 1, len(edges) - 2)
    if folding is not None:
        counts = folding.bucket_counts(rows, bucket_of, len(edges) - 1)
    else:
        counts = np.bincount(bucket_of, minlength=len(edges) - 1).tolist()
    summary["histogram"] = [
        {"from": round(float(edges[i]), 2), "to": round(float(edges[i + 1]), 2), "count": counts[i]}
        for i in range(len(edges) - 1)
    ]
    return summary


def thresholds_json(
    numbers: Floats, rows: Rows, selected: float | None, folding: Folding | None = None
) -> list[dict[str, Any]]:
    """Return `[{"from": 4.0, "count", "selected"}]`, highest first: how many rows, or products, have at least that.

    Those that nothing reaches are left out, the selected one never.
    """
    known = numbers[rows]
    steps = sorted({*RATING_STEPS, *([] if selected is None else [selected])}, reverse=True)
    told = []
    for step in steps:
        reaching = rows[known >= np.float32(step)]  # NaN compares false
        count = len(reaching) if folding is None else folding.count(reaching)
        if count or step == selected:
            told.append({"from": step, "count": count, "selected": step == selected})
    return told
