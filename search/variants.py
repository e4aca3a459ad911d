"""What a shopper can choose behind one hit: how many variants, how many of them answer, and between which prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.arrays import Rows
from search.naming import field_name
from search.product import Product
from search.release import Release

MOST_COMPARED = 100  # variants of one product
COLORS = ("color", "colour")  # names of the facet whose values can be shown as swatches


@dataclass(frozen=True)
class Variants:
    """The variants of a product.

    Attributes:
        count: how many there are in the catalog.
        matching: how many of them are in the relevant set; the members below are about these.
        available: how many are not out of stock.
        price_min, price_max: None when no price is known.
        colors: values of the facet "color" or "colour", the shown variant's first; () where they do not differ in it.
        differ_in: names of the facets in which they differ.
    """

    count: int
    matching: int
    available: int
    price_min: float | None
    price_max: float | None
    colors: tuple[str, ...] = ()
    differ_in: tuple[str, ...] = ()


def variants_of(
    release: Release, rows: Rows, products: Sequence[Product], relevant: Rows | None = None
) -> list[Variants]:
    """Return the variants behind each shown row.

    Args:
        release: they are of.
        rows: (k,) that are shown, each of another product.
        products: (k,) of these rows.
        relevant: (m,) the relevant set, all variants; None: every variant answers.
    """
    if release.folding is None:
        return [alone(product) for product in products]
    is_relevant = np.zeros(release.rows, bool)
    is_relevant[slice(None) if relevant is None else relevant] = True
    every = [release.folding.rows_of(int(release.folding.product_of[row])) for row in rows]
    matching = [members[is_relevant[members]] for members in every]
    ends = [_ends(release, members) if len(members) > 1 else None for members in matching]
    # The facet's prices are float32: they tell which row is an end, the product itself what it costs.
    asked = sorted({row for pair in ends if pair for row in pair} - set(rows.tolist()))
    exact = dict(zip(rows.tolist(), products, strict=True)) | dict(
        zip(asked, release.products.products(asked), strict=True)
    )
    found = []
    for place, pair in enumerate(ends):
        low, high = (exact[row].price for row in pair) if pair else (products[place].price,) * 2
        available = _available(release, matching[place])
        differences = _differences(release, matching[place], products[place])
        found.append(Variants(len(every[place]), len(matching[place]), available, low, high, *differences))
    return found


def alone(product: Product) -> Variants:
    """Return the variants of a product that has no others."""
    return Variants(1, 1, int(product.availability != "out_of_stock"), product.price, product.price)


def _differences(release: Release, rows: Rows, product: Product) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return `colors` and `differ_in` of these variants of a product."""
    if len(rows) < 2:
        return (), ()
    colors: tuple[str, ...] = ()
    differ_in = []
    for label, own in product.attributes.items():
        name = field_name(label)
        facet = release.facets.values.get(name)
        held = facet.values_of(rows[:MOST_COMPARED]) if facet is not None else []
        if len(set(held)) < 2:
            continue
        differ_in.append(name)
        if name in COLORS:
            every = dict.fromkeys(value for values in held for value in values)
            colors = tuple(dict.fromkeys((*[value for value in own if value in every], *every)))
    return colors, tuple(differ_in)


def _ends(release: Release, rows: Rows) -> tuple[int, int] | None:
    """Return the cheapest and the dearest row; None when no price is known."""
    prices = release.facets.numbers.get("price")
    known = rows[:0] if prices is None else rows[~np.isnan(prices[rows])]
    if prices is None or len(known) == 0:
        return None
    return int(known[prices[known].argmin()]), int(known[prices[known].argmax()])


def _available(release: Release, rows: Rows) -> int:
    facet = release.facets.values.get("availability")
    gone = None if facet is None else facet.code_of.get("out_of_stock")
    return len(rows) if facet is None or gone is None else len(rows) - int(facet.counts(rows)[gone])
