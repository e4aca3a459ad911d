"""What a build makes of its products alone, no encoder asked: ahead, by a second process, where that saves time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from indexer.ahead import Ahead
from indexer.counted_words import read_titles
from indexer.facets import facets_of
from indexer.grouping import fold_variants
from indexer.rows import StoredProducts
from indexer.suggestions import suggestions_of
from indexer.training.language import main_language
from search.arrays import Rows
from search.facets import FacetIndex
from search.product import Product
from search.understanding.spelling import word_counts
from search.understanding.stated import stated_text

UNTOLD = "en"  # the language of a catalog whose language cannot be told
LEAST = 5_000  # products: the parts of fewer are made before a second process has begun


def groundwork(products: Sequence[Product], listed: Sequence[Product]) -> Ahead:
    """Return the parts, to be taken by name, once each.

    * "language": see `main_language`;
    * "facets": `FacetIndex`, and (n,) int64, the product that each row is a variant of;
    * "titles": `Titles`;
    * "words": see `word_counts`;
    * "suggestions": see `suggestions_of`.

    Products that stay in the store are too many for all parts of them to be held at once, and a store must not be read
    by a fork of the process that opened it: then each part is made when it is taken.

    Args:
        products: in row order, as they are searched.
        listed: the same as they are shown.
    """

    @cache
    def language() -> tuple[str, float]:
        return main_language(products)

    def facets() -> tuple[FacetIndex, Rows]:
        found, group_of = facets_of(products), fold_variants(products)
        found.count_products(group_of)
        return found, group_of

    parts: dict[str, Callable[[], Any]] = {
        "language": language,
        "facets": facets,
        "titles": lambda: read_titles(products, language()[0] or UNTOLD),
        "words": lambda: word_counts((stated_text(one), one.description) for one in products),
        "suggestions": lambda: suggestions_of(listed, language()[0] or UNTOLD),
    }
    return Ahead(parts, is_worthwhile=not isinstance(products, StoredProducts) and len(products) >= LEAST)
