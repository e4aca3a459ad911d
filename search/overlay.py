"""A release with other prices and stock than it was built with: only what tells of these is made anew.

A release never changes. What answers from it with changes on top is another `Release` that shares every part but three:
the facets' column of prices and their availability, and the products as they are shown. Copying those is a few
milliseconds at a million products (DESIGN.md, "Prices and stock").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from search.arrays import Floats
from search.entries import Entries
from search.facets import APART as AVAILABILITY
from search.facets import FacetIndex, ValuesFacet
from search.release import Release
from search.state.batches import Change

CHANGING = frozenset({"price", AVAILABILITY})  # fields; what is remembered of others stays right
_SHARED = ("ranking", "folding", "products_in", "products_in_category")  # properties that a release works out once
_FIRST = ("category", "brand")  # facets that stand before availability, as in indexer/facets.py


def with_changes(release: Release, changes: Mapping[str, Change], sequence: int) -> Release:
    """Return a release with changes on top of those it has.

    Args:
        release: as built, or with earlier changes.
        changes: by product id, later than those it has; ids that it does not know are passed over.
        sequence: number of the last of them.
    """
    rows = release.products.known_rows(list(changes))
    by_row = {rows[one]: change for one, change in changes.items() if one in rows}
    if not by_row:
        return _sharing(release, replace(release, sequence=sequence))
    prices = {row: change.price for row, change in by_row.items() if change.price is not None}
    stock = {row: change.availability for row, change in by_row.items() if change.availability is not None}
    facets = release.facets
    if prices:
        facets = replace(facets, numbers=_numbers(facets, prices))
    if stock:
        facets = replace(facets, values=_values(facets, stock))
    new = replace(
        release,
        products=release.products.with_changes(by_row),
        facets=facets,
        interpreter=release.interpreter.over(facets),
        sequence=sequence,
    )
    return _sharing(release, new)


def _sharing(old: Release, new: Release) -> Release:
    """Give a release what another one of the same products has worked out already."""
    new.__dict__.update({name: old.__dict__[name] for name in _SHARED if name in old.__dict__})
    return new


def _numbers(facets: FacetIndex, prices: dict[int, float]) -> dict[str, Floats]:
    before = facets.numbers.get("price")
    column = np.full(facets.rows, np.nan, np.float32) if before is None else np.array(before, np.float32)
    column[list(prices)] = list(prices.values())
    return {"price": column, **{name: one for name, one in facets.numbers.items() if name != "price"}}


def _values(facets: FacetIndex, stock: dict[int, str]) -> dict[str, ValuesFacet]:
    """Return the facets with availability as indexer/facets.py would make it: the most frequent value first."""
    before = facets.values.get(AVAILABILITY)
    values = list(before.values) if before else []
    code_of = {value: code for code, value in enumerate(dict.fromkeys([*values, *stock.values()]))}
    codes = np.full(facets.rows, -1, np.int32)  # one value a product, or none
    if before is not None:
        codes[before.entries.rows] = np.repeat(
            np.arange(len(values), dtype=np.int32), np.diff(before.entries.value_starts)
        )
    codes[list(stock)] = [code_of[value] for value in stock.values()]
    counts = np.bincount(codes[codes >= 0], minlength=len(code_of)).tolist()
    order = sorted((value for value in code_of if counts[code_of[value]]), key=lambda one: (-counts[code_of[one]], one))
    new_code = np.full(len(code_of) + 1, -1, np.int32)
    new_code[[code_of[value] for value in order]] = np.arange(len(order))
    rows = np.flatnonzero(codes >= 0).astype(np.int32)
    entries = Entries.of(rows, new_code[codes[rows]], facets.rows, len(order))
    label = before.label if before else AVAILABILITY.capitalize()
    facet = ValuesFacet(AVAILABILITY, label, tuple(order), entries, 0)
    first = {name: facets.values[name] for name in _FIRST if name in facets.values}
    return {**first, AVAILABILITY: facet, **{name: one for name, one in facets.values.items()
                                             if name not in (*first, AVAILABILITY)}}  # fmt: skip
