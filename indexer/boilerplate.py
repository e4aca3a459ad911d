"""Sentences a shop repeats under its products, "Free delivery over $40.": shown, but neither embedded nor matched.

They tell no product from another, and at the start of a description they push out what does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from search.product import Product

SHARE, LEAST = 0.05, 20  # products that must hold a sentence for it to be boilerplate: this share, and this number
LEAST_WORDS = 4  # shorter pieces, "100 % cotton.", are facts
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\s*[\n|•]\s*")


def without_boilerplate(products: Sequence[Product]) -> list[Product]:
    """Return the products, in order, with the sentences that too many of them share taken out of their descriptions."""
    dropped = set(repeated_sentences(products))
    return [_without(product, dropped) for product in products] if dropped else list(products)


def repeated_sentences(products: Sequence[Product]) -> Counter[str]:
    """Return the sentences that too many products share, in lower case, with how many do.

    A group's variants count once: nine sizes of a boot share every sentence.
    """
    holders = Counter(
        sentence for sentence, _ in {
            (sentence, product.group_id or f"row {row}")
            for row, product in enumerate(products)
            for sentence in map(_key, _SENTENCE.split(product.description))
            if sentence.count(" ") + 1 >= LEAST_WORDS
        }
    )  # fmt: skip
    groups = len({product.group_id or f"row {row}" for row, product in enumerate(products)})
    least = max(LEAST, SHARE * groups)
    return Counter({sentence: holders[sentence] for sentence in sorted(holders) if holders[sentence] >= least})


def _without(product: Product, dropped: set[str]) -> Product:
    sentences = _SENTENCE.split(product.description)
    kept = [sentence for sentence in sentences if _key(sentence) not in dropped]
    return product if len(kept) == len(sentences) else replace(product, description=" ".join(kept))


def _key(sentence: str) -> str:
    return " ".join(sentence.split()).casefold()
