"""A product as the page shows it: on a card, as a picture, as choices among its variants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup, escape

from search.engine import Engine
from search.product import Product
from search.request import Hit
from search.variants import Variants, alone, variants_of
from web.formats import counted, number_text, price_text
from web.illustrations import PALETTE
from web.urls import product_path

TINTS = 8  # of the tiles of products without a picture
_VARYING = ("color", "colour", "size")  # attributes that tell the rows of one group apart
_AVAILABILITY = {"in_stock": "In stock", "out_of_stock": "Out of stock", "preorder": "Preorder"}


@dataclass(frozen=True)
class Picture:
    """What stands in a product's frame.

    Attributes:
        url: of the image; "" when there is none.
        letter: shown instead of a missing image.
        tint: 0..TINTS - 1, the frame's color then.
    """

    url: str
    letter: str
    tint: int


@dataclass(frozen=True)
class Trait:
    """A value that tells variants apart, with a swatch class suffix when it is a color we know ("" otherwise)."""

    label: str
    value: str
    swatch: str


@dataclass(frozen=True)
class Card:
    """One product in a grid.

    Attributes:
        product: the variant that is shown, and that the card leads to.
        price: "$39.90", or what its variants cost, "$39.90 to $54.90"; "" when unknown.
        options: "9 options", "4 of 9 options"; "" when it stands alone.
        traits: what tells the variant from its others, where it is the only one that answers.
        availability: "in_stock", ... of the product: out of stock when every variant is.
    """

    product: Product
    path: str
    title: Markup
    picture: Picture
    price: str
    options: str
    traits: list[Trait]
    availability: str
    why: list[str] = field(default_factory=list)

    @property
    def flag(self) -> str:
        """What is told over the picture: that it cannot be had, or not yet."""
        return availability_text(self.availability) if self.availability in ("out_of_stock", "preorder") else ""


def picture_of(product: Product, cluster: int) -> Picture:
    """Return a product's picture; products of one cluster share their tint."""
    name = product.category[-1] if product.category else product.title
    letter = next((sign for sign in name if sign.isalnum()), "·").upper()
    return Picture(product.image_url, letter, cluster % TINTS)


def availability_text(availability: str) -> str:
    """Return the availability for people; "" when unknown."""
    return _AVAILABILITY.get(availability, "")


def trait(label: str, value: str) -> Trait:
    """Return one value of an attribute with its swatch."""
    swatch = value.casefold() if label.casefold() in ("color", "colour") and value.casefold() in PALETTE else ""
    return Trait(label, value, swatch)


def traits_of(product: Product) -> list[Trait]:
    """Return color and size of a product, for telling variants apart."""
    found = [
        trait(label, value)
        for label, values in product.attributes.items()
        if label.casefold() in _VARYING
        for value in values[:2]
    ]
    return sorted(found, key=lambda one: _VARYING.index(one.label.casefold()))


def card_of_hit(hit: Hit, q: str) -> Card:
    """Return the card of a hit of a search."""
    # The engine's highlights are escaped HTML whose only tag is <mark>.
    title = Markup(hit.highlights["title"])  # noqa: S704
    why = [reason for reason in hit.why if not reason.startswith("title:")]
    return _card(hit.product, hit.variants or alone(hit.product), title, hit.cluster, why, q)


def cards_of(engine: Engine, products: Sequence[Product]) -> list[Card]:
    """Return the cards of products that no query asked for."""
    release = engine.release
    rows = np.array([release.products.row_of(product.id) for product in products], np.int64)
    clusters = release.clusters.cluster_of[rows].tolist()
    return [
        _card(product, variants, escape(product.title), cluster, [])
        for product, variants, cluster in zip(products, variants_of(release, rows, products), clusters, strict=True)
    ]


def _card(product: Product, variants: Variants, title: Markup, cluster: int, why: list[str], q: str = "") -> Card:
    is_one = variants.matching == 1
    is_elsewhere = product.availability == "out_of_stock" and variants.available > 0  # in another variant
    return Card(
        product,
        product_path(product.id, q),
        title,
        picture_of(product, cluster),
        _span(variants, product.currency),
        _options(variants),
        traits_of(product) if is_one else [],
        "" if is_elsewhere else product.availability,
        why,
    )


def _span(variants: Variants, currency: str) -> str:
    low, high = price_text(variants.price_min, currency), price_text(variants.price_max, currency)
    return low if low == high else f"{low} to {high}"


def _options(variants: Variants) -> str:
    if variants.count == 1:
        return ""
    several = counted(variants.count, "option")
    return several if variants.matching == variants.count else f"{number_text(variants.matching)} of {several}"


def one_per_group(products: Iterable[Product], count: int) -> list[Product]:
    """Return the first `count` products, one variant of each group."""
    found: dict[str, Product] = {}
    for product in products:
        found.setdefault(product.group_id or product.id, product)
    return list(found.values())[:count]


@dataclass(frozen=True)
class Choice:
    """One value of an attribute in which variants differ, and the variant that it leads to."""

    trait: Trait
    path: str
    is_current: bool
    is_available: bool


def choices_of(product: Product, variants: Sequence[Product], q: str = "") -> dict[str, list[Choice]]:
    """Return, for each attribute in which the variants differ, its values in catalog order.

    A value leads to the variant that has it and otherwise is most like the product being looked at.
    """
    labels = dict.fromkeys(label for variant in variants for label in variant.attributes)
    choices: dict[str, list[Choice]] = {}
    for label in labels:
        values = dict.fromkeys(_value(variant, label) for variant in variants)
        if len(values) < 2:
            continue
        choices[label] = []
        for value in filter(None, values):
            having = [variant for variant in variants if _value(variant, label) == value]
            target = max(having, key=lambda variant: _alike(variant, product))
            is_current = _value(product, label) == value
            path = product_path(product.id if is_current else target.id, q)
            is_available = any(variant.availability != "out_of_stock" for variant in having)
            choices[label].append(Choice(trait(label, value), path, is_current, is_available))
    return choices


def _value(product: Product, label: str) -> str:
    return ", ".join(product.attributes.get(label, ()))


def _alike(one: Product, other: Product) -> int:
    return sum(other.attributes.get(label) == values for label, values in one.attributes.items())
