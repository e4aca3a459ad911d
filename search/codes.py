"""The code lane: article, model and part numbers typed as a query come first, with or without their separators.

An encoder reads nothing in OUT-2252-TEA, and words match only what is written the same. So the codes of every product
lie in the store, reduced to letters and digits, and a query is looked up there before anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from search.analysis import folded, is_identifier
from search.arrays import Floats, Rows
from search.product import Product
from search.store import ProductStore

CODE_FIELDS = re.compile(
    r"^(?:sku|ean|upc|gtin|isbn|asin|mpn|barcode|(?:part|model|article|item|product) ?(?:no|nr|number|code|id)?\.?)$"
)
LEAST_LENGTH, LEAST_PREFIX, MOST_LENGTH = 4, 5, 40
MOST_WORDS = 4  # of a query that may be one code: "kit 0226"
MOST_ROWS = 200  # of one code or prefix
MOST_NAMED = 10  # products that a code among other words may name
LEAST_DIGITS = 6  # of a number among other words: "windows 2000" is no article number
EXACT, VARIANT, PREFIX = 3.0, 2.0, 1.0  # added to a score, which is at most a little over 1 without


@dataclass(frozen=True)
class CodeMatch:
    """What the codes in a query name.

    Attributes:
        rows: (m,) int64 ascending; gains: (m,) float32, what each row's score gains.
        is_whole: whether the query is one code and nothing else.
    """

    rows: Rows
    gains: Floats
    is_whole: bool


NO_MATCH = CodeMatch(np.zeros(0, np.int64), np.zeros(0, np.float32), False)


def code_of(text: str) -> str:
    """Return a text as a code: letters and digits alone, folded, without leading zeros, which spreadsheets eat."""
    return "".join(filter(str.isalnum, folded(text))).lstrip("0")


def codes_of(product: Product) -> Iterator[tuple[str, bool]]:
    """Yield a product's (code, is its own): its id, group and code-like attributes, then model numbers in its title."""
    values = [value for name, texts in product.attributes.items() if CODE_FIELDS.match(folded(name)) for value in texts]
    for text in (product.id, product.group_id, *values):
        if LEAST_LENGTH <= len(code := code_of(text)) <= MOST_LENGTH:
            yield code, True
    for word in product.title.split():
        if is_identifier(folded(word).strip("()[],.;:\"'")) and len(code := code_of(word)) >= LEAST_LENGTH:
            yield code, False


def codes_in(text: str, store: ProductStore) -> CodeMatch:
    """Return the products whose codes a query names: the whole of it, exactly or as a beginning, or a word of it.

    What stands in the titles of more than MOST_NAMED products, 1080p, tells no product from another.
    """
    words = text.split()
    if not any(character.isdigit() for character in text):
        return NO_MATCH
    whole = code_of(text)
    if len(words) <= MOST_WORDS and LEAST_LENGTH <= len(whole) <= MOST_LENGTH:
        own = store.code_rows(whole, MOST_ROWS, own=True)
        longer = store.code_rows(whole, MOST_ROWS, own=True, is_prefix=True) if len(whole) >= LEAST_PREFIX else []
        if own or longer:
            return _matched(own, longer, store, is_whole=True)
    named = [code_of(word) for word in words if is_identifier(folded(word))]
    found = [store.code_rows(code, MOST_NAMED + 1) for code in named if not code.isdigit() or len(code) >= LEAST_DIGITS]
    return _matched([row for rows in found if len(rows) <= MOST_NAMED for row in rows], [], store)


def _matched(exact: list[int], longer: list[int], store: ProductStore, is_whole: bool = False) -> CodeMatch:
    """Return the match with the variants of exact products between these and the longer codes."""
    groups = {product.group_id for product in store.products(exact)}
    gains = dict.fromkeys(longer, PREFIX)
    gains |= dict.fromkeys((row for group in groups for row in store.group_rows(group)), VARIANT)
    gains |= dict.fromkeys(exact, EXACT)
    rows = np.array(sorted(gains), np.int64)
    return CodeMatch(rows, np.array([gains[row] for row in rows], np.float32), is_whole and len(rows) > 0)
