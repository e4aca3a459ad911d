"""Product -> the texts that are embedded, and where in them each of its fields stands."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from search.arrays import Floats, unit_rows
from search.product import Product

DESCRIPTION_WORDS = 60  # DESIGN.md, "Passage length"
CATEGORY_LEVELS = 2  # the leaf and what it is a part of: "Seating" alone may be indoors or out
CATEGORY_SHARE, TITLE_SHARE = 0.25, 0.15  # of the short text in a vector; DESIGN.md, "Two texts, one vector"
KEY_ATTRIBUTES = 6
ATTRIBUTE_CHARACTERS = 40
_SEPARATOR = ". "
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s*[\n|•]\s*")
SENTENCE_ENDS = ";. \t\n"  # of a sentence that stands alone


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


class Part(NamedTuple):
    """One value of a field within a passage: from character `start` to before `end`."""

    field: str
    start: int
    end: int


def texts_of(products: Sequence[Product]) -> list[Texts]:
    """Return both texts of each product and how they are blended, in order."""
    has_kinds = categories_are_kinds(products)
    return [text_of(product, has_kinds) for product in products]


def categories_are_kinds(products: Sequence[Product]) -> bool:
    """Return whether categories are the kinds of a catalog: only where most products have one.

    Else those few would lie nearer to every query that names their kind than the many like them that have none.
    """
    return 2 * sum(bool(product.category) for product in products) > len(products)


def text_of(product: Product, has_kinds: bool) -> Texts:
    """Return both texts of one product of a catalog whose categories are kinds, or are not."""
    kind = ". ".join(_kind(product))
    if kind and has_kinds:
        return Texts(kind, passage_of(product), CATEGORY_SHARE)
    return Texts(product.title, passage_of(product), TITLE_SHARE)


def blended(kinds: Floats, passages: Floats, texts: Sequence[Texts]) -> Floats:
    """Return (n, d) float32 unit rows: its share of the kind's vector, the rest of the passage's, normalised.

    Args:
        kinds, passages: (n, d) float32 unit rows.
        texts: that they are of, which say the shares.
    """
    shares = np.array([text.kind_share for text in texts], np.float32)[:, None]
    return unit_rows(shares * kinds + (1 - shares) * passages)


def without_sentences(product: Product, dropped: Collection[str]) -> Product:
    """Return a product without the sentences of its description whose `sentence_key` is dropped."""
    sentences = SENTENCE_END.split(product.description)
    kept = [sentence for sentence in sentences if sentence_key(sentence) not in dropped]
    return product if len(kept) == len(sentences) else replace(product, description=" ".join(kept))


def sentence_key(sentence: str) -> str:
    """Return what a sentence has in common with itself in other spacing or capitals."""
    return " ".join(sentence.split()).casefold()


def _kind(product: Product) -> list[str]:
    """Return the last levels of the category, the leaf first."""
    return list(product.category[::-1][:CATEGORY_LEVELS])


def passage_of(product: Product) -> str:
    """Return the full text: title, brand, category, key attributes, then the start of the description.

    The encoder truncates from the end, so what tells products apart comes first.
    """
    return _SEPARATOR.join(text for _, text in _values(product))


def passage_parts(product: Product) -> list[Part]:
    """Return where in `passage_of` each value stands, in order."""
    return passage_and_parts(product)[1]


def passage_and_description(product: Product) -> tuple[str, int | None]:
    """Return `passage_of` and where in it the description begins; None where there is none."""
    values = _values(product)
    passage = _SEPARATOR.join([text for _, text in values])
    field, text = values[-1]
    return passage, len(passage) - len(text) if field == "description" else None


def passage_and_parts(product: Product) -> tuple[str, list[Part]]:
    """Return `passage_of` and where in it each value stands, in order."""
    values = _values(product)
    parts, start = [], 0
    for field, text in values:
        parts.append(Part(field, start, start + len(text)))
        start += len(text) + len(_SEPARATOR)
    return _SEPARATOR.join(text for _, text in values), parts


def _values(product: Product) -> list[tuple[str, str]]:
    """Return (field, text) of what a passage is made of."""
    values = [("title", product.title)]
    if product.brand and product.brand.casefold() not in product.title.casefold():
        values.append(("brand", product.brand))
    values += [("category", name) for name in _kind(product)]
    values += [("attributes", phrase) for phrase in key_attributes(product)]
    values.append(("description", " ".join(product.description.split()[:DESCRIPTION_WORDS])))
    return [(field, text.rstrip(_SEPARATOR)) for field, text in values if text]


def key_attributes(product: Product) -> list[str]:
    """Return up to KEY_ATTRIBUTES phrases such as "color: sage", skipping long values and bare codes."""
    phrases = []
    for name, values in product.attributes.items():
        value = ", ".join(values)
        if len(value) <= ATTRIBUTE_CHARACTERS and any(map(str.isalpha, value)):
            phrases.append(f"{name}: {value}")
            if len(phrases) == KEY_ATTRIBUTES:
                break
    return phrases
