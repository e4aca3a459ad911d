"""Product -> the texts that are embedded."""

from __future__ import annotations

from search.product import Product

DESCRIPTION_WORDS = 60  # DESIGN.md, "Passage length"
KEY_ATTRIBUTES = 6
ATTRIBUTE_CHARACTERS = 40


def title_text(product: Product) -> str:
    """Return the short text: the title alone."""
    return product.title


def passage_of(product: Product) -> str:
    """Return the full text: title, brand, leaf category, key attributes, then the start of the description.

    The encoder truncates from the end, so what tells products apart comes first.
    """
    parts = [product.title]
    if product.brand and product.brand.casefold() not in product.title.casefold():
        parts.append(product.brand)
    if product.category:
        parts.append(product.category[-1])
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
