"""Product -> the texts that are embedded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from search.product import Product

DESCRIPTION_WORDS = 60  # DESIGN.md, "Passage length"
CATEGORY_LEVELS = 2  # the leaf and what it is a part of: "Seating" alone may be indoors or out
CATEGORY_SHARE, TITLE_SHARE = 0.25, 0.15  # of the short text in a vector; DESIGN.md, "Two texts, one vector"
KEY_ATTRIBUTES = 6
ATTRIBUTE_CHARACTERS = 40


class Texts(NamedTuple):
    """What is embedded of a product.

    Attributes:
        kind: the short text, what kind of thing it is: its category, or its title where the shop has none.
        passage: the full text.
        kind_share: share of the kind in the product's vector, 0..1.
    """

    kind: str
    passage: str
    kind_share: float


def texts_of(products: Sequence[Product]) -> list[Texts]:
    """Return both texts of each product and how they are blended, in order.

    Categories are kinds only where most products have one. Else those few would lie nearer to every query that names
    their kind than the many like them that have none.
    """
    has_kinds = 2 * sum(bool(product.category) for product in products) > len(products)
    return [_texts(product, has_kinds) for product in products]


def _texts(product: Product, has_kinds: bool) -> Texts:
    kind = ". ".join(_kind(product))
    if kind and has_kinds:
        return Texts(kind, passage_of(product), CATEGORY_SHARE)
    return Texts(product.title, passage_of(product), TITLE_SHARE)


def _kind(product: Product) -> list[str]:
    """Return the last levels of the category, the leaf first."""
    return list(product.category[::-1][:CATEGORY_LEVELS])


def passage_of(product: Product) -> str:
    """Return the full text: title, brand, category, key attributes, then the start of the description.

    The encoder truncates from the end, so what tells products apart comes first.
    """
    parts = [product.title]
    if product.brand and product.brand.casefold() not in product.title.casefold():
        parts.append(product.brand)
    parts += _kind(product)
    parts += key_attributes(product)
    parts.append(" ".join(product.description.split()[:DESCRIPTION_WORDS]))
    return ". ".join(part.rstrip(". ") for part in parts if part)


def key_attributes(product: Product) -> list[str]:
    """Return up to KEY_ATTRIBUTES phrases such as "color: sage", skipping long values and bare codes."""
    phrases = []
    for name, values in product.attributes.items():
        value = ", ".join(values)
        if len(value) <= ATTRIBUTE_CHARACTERS and any(letter.isalpha() for letter in value):
            phrases.append(f"{name}: {value}")
    return phrases[:KEY_ATTRIBUTES]
