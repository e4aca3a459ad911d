"""What is told of a facet over a set of rows: its values or numbers with their counts, and how well it narrows them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.analysis import folded
from search.arrays import Floats, Rows
from search.facets import FacetIndex, Tally, ValuesFacet
from search.folding import Counted, Folding
from search.naming import PATH_SEPARATOR, ancestors
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
    if request.facets == ():
        return {}
    counted = Counted(rows, folding)
    tally = index.tally(counted)
    told: dict[str, dict[str, Any]] = {}
    for name in _wanted(index, request, len(rows), tally):
        is_chosen = _is_chosen(name, request)
        among = Counted(rows_without(name), folding) if is_chosen else counted
        if name in index.numbers:
            told[name] = range_json(name.capitalize(), index.numbers[name], among)
            if name == "rating":
                told[name]["thresholds"] = thresholds_json(index.numbers[name], among, request.rating_min)
            continue
        facet, selected, find = index.values[name], request.filters.get(name, ()), request.find.get(name, "")
        counts = index.counts(name, among, None if is_chosen else tally)
        told[name] = facet_json(facet, counts, selected, SHOWN_VALUES, find)
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


def _wanted(index: FacetIndex, request: SearchRequest, rows: int, tally: Tally) -> list[str]:
    """Return the names of the facets to tell: category, price and rating first, then the chosen and the most useful."""
    if request.facets is not None:
        expect_known(index, request.facets)
        return list(request.facets)
    fixed = [name for name in ("category", *NUMBER_FACETS) if name in index.values or name in index.numbers]
    other = {name: place for name, place in index.places.items() if name != "category"}
    chosen = [name for name in other if request.filters.get(name)]
    carried = {name: int(tally.carried[place]) for name, place in other.items() if name not in chosen}
    least = max(1, FACET_SHARE * rows)
    common = [name for name in carried if carried[name] >= least]
    weighed = sorted(common, key=lambda name: -carried[name])[:WEIGHED_FACETS]
    useful = usefulness(*index.best_of_each(tally, SEEN_VALUES), tally.carried / max(rows, 1)).tolist()
    worth = {name: useful[other[name]] for name in weighed}
    telling = [name for name in weighed if worth[name] > 0]
    best = [*chosen, *sorted(telling, key=lambda name: -worth[name])][: max(SHOWN_FACETS, len(chosen))]
    brand = ["brand"] if "brand" in other and "brand" not in best else []  # told always, as programs expect it
    return [*fixed, *best, *brand]


def usefulness(seen: Rows, sums: Rows, carried: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (f,) 0..1, how well each facet narrows a result, the product of three shares.

    How much of the result has it (frequency), how much of that has one of the values seen at a glance (cardinality:
    nearly unique values are another list of the products), and how evenly these part it (balance: the entropy, as a
    share of the most there can be). After Oren, Delbru & Decker 2006, "Extending faceted navigation for RDF data".

    Args:
        seen: (f, k) int64, how many of the results have each of the values seen at a glance, at least 2 each, falling;
            0 where there are fewer.
        sums: (f,) int64, of the counts of all values.
        carried: (f,) share of the results that have any.
    """
    held, values = seen.sum(axis=1), (seen > 0).sum(axis=1)
    having = carried * held / np.maximum(sums, 1)
    shares = seen / np.maximum(held, 1)[:, None]
    alone = (values == 1).nonzero()[0]  # one value parts those that have it from all others
    shares[alone, 0], shares[alone, 1] = having[alone], 1 - having[alone]
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    return having * (entropy / np.log(np.maximum(values, 2)))


def facet_json(
    facet: ValuesFacet,
    counts: Rows,
    selected: Sequence[str],
    limit: int,
    find: str = "",
) -> dict[str, Any]:
    """Return `{"type": "values", ...}`: values by frequency, selected ones always among them.

    Up to `limit` values; of paths up to `limit` below each open branch, a branch being open at the top and where it,
    or something below it, is selected.

    Args:
        facet: to tell.
        counts: (len(values),) int64, how many have each value.
        selected: values chosen.
        limit: most values listed.
        find: only values with this text in them are listed, however deep; the others count as before.
    """
    names, codes = facet.values, counts.nonzero()[0]
    codes = codes[(-counts[codes]).argsort(kind="stable")]
    if find:
        shown = np.array([code for code in codes.tolist() if folded(find) in folded(names[code])][:limit], np.int64)
    else:
        shown = _open_branches(facet, codes, selected, limit) if facet.is_path else codes[:limit]
    if selected:
        others = codes[~np.isin(codes, shown)].tolist()
        shown = np.append(shown, np.array([code for code in others if names[code] in selected], np.int64))
    values = [
        {"value": names[code], "count": count, "selected": names[code] in selected}
        for code, count in zip(shown.tolist(), counts[shown].tolist(), strict=True)
    ]
    if selected:
        told = {entry["value"] for entry in values}
        values += [{"value": value, "count": 0, "selected": True} for value in selected if value not in told]
    return {
        "type": "values", "label": facet.label, "is_path": facet.is_path, "distinct": len(codes), "values": values,
    }  # fmt: skip


def _open_branches(facet: ValuesFacet, codes: Rows, selected: Sequence[str], limit: int) -> Rows:
    if not selected:
        return codes[facet.is_top[codes]][:limit]
    opened = {""}
    for path in selected:
        levels = tuple(path.split(PATH_SEPARATOR))
        opened.update(ancestors(levels))
    taken: Counter[str] = Counter()
    shown = []
    for code in codes.tolist():
        parent = facet.parents[code]
        if parent in opened and taken[parent] < limit:
            taken[parent] += 1
            shown.append(code)
    return np.array(shown, np.int64)


def range_json(label: str, numbers: Floats, among: Counted, buckets: int = 12) -> dict[str, Any]:
    """Return `{"type": "range", min, max, histogram}` of the rows' known numbers; min and max None when none is known.

    The histogram counts rows or, where they are folded, products.

    Buckets are equal in width between min and the 98th percentile; the last one takes the rest, so that one
    expensive thing does not flatten all others into a single bar. `from` is inclusive, `to` exclusive but in the last.
    """
    own = numbers[among.rows]
    known = own[is_known := ~np.isnan(own)]
    summary: dict[str, Any] = {"type": "range", "label": label, "min": None, "max": None, "histogram": []}
    if len(known) == 0:
        return summary
    ordered = np.sort(known)
    low, high, most = float(ordered[0]), float(ordered[-1]), _percentile(ordered, 0.98)
    summary |= {"min": round(low, 2), "max": round(high, 2)}
    edges = _edges(low, most, high, buckets)
    if among.folding is None:
        starts = [0, *ordered.astype(np.float64).searchsorted(edges[1:-1]).tolist(), len(ordered)]
        counts = [end - start for start, end in itertools.pairwise(starts)]
    else:
        bucket_of = np.minimum(np.searchsorted(edges, known.astype(np.float64), side="right") - 1, len(edges) - 2)
        counts = among.counts(bucket_of, len(edges) - 1, np.flatnonzero(is_known)).tolist()
    ends = itertools.pairwise([summary["min"], *edges[1:-1], summary["max"]])
    summary["histogram"] = [
        {"from": start, "to": end, "count": count} for (start, end), count in zip(ends, counts, strict=True)
    ]
    return summary


def _edges(low: float, most: float, high: float, buckets: int) -> list[float]:
    """Return the edges of the buckets, ascending, those within in whole hundredths."""
    if high <= low:
        return [low, high]
    width = (most - low) / (buckets - 1)
    inner = {round(edge * 100) / 100 for edge in (*(low + width * place for place in range(buckets - 1)), most, high)}
    return [low, *sorted(inner)[1:-1], high]


def _percentile(ordered: Floats, share: float) -> float:
    """Return the number below which a share of these ascending ones lies, interpolated; np.percentile takes longer."""
    place = share * (len(ordered) - 1)
    below = int(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    after = place - below  # from the nearer end, as numpy does: so a sum is as exact as single precision allows
    return float(low + (high - low) * np.float32(after) if after < 0.5 else high - (high - low) * np.float32(1 - after))


def thresholds_json(numbers: Floats, among: Counted, selected: float | None) -> list[dict[str, Any]]:
    """Return `[{"from": 4.0, "count", "selected"}]`, highest first: how many rows, or products, have at least that.

    Those that nothing reaches are left out, the selected one never.
    """
    known = among.reaching(numbers[among.rows])
    steps = sorted({*RATING_STEPS, *([] if selected is None else [selected])}, reverse=True)
    counts = (len(known) - known.searchsorted(np.array(steps, np.float32))).tolist()
    return [
        {"from": step, "count": count, "selected": step == selected}
        for step, count in zip(steps, counts, strict=True)
        if count or step == selected
    ]
