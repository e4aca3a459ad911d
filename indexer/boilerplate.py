"""Sentences a shop repeats under its products, "Free delivery over $40.": shown, but neither embedded nor matched.

They tell no product from another, and at the start of a description they push out what does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from search.passages import SENTENCE_END, sentence_key, without_sentences
from search.product import Product

SHARE, LEAST = 0.05, 20  # products that must hold a sentence for it to be boilerplate: this share, and this number
LEAST_WORDS = 4  # shorter pieces, "100 % cotton.", are facts


def boilerplate_of(products: Sequence[Product]) -> Counter[str]:
    """Return the sentences, as `sentence_key` gives them, that too many products share, with how many do.

    A group's variants count once: nine sizes of a boot share every sentence.
    """
    holders = Counter(
        sentence for sentence, _ in {
            (sentence, product.group_id or f"row {row}")
            for row, product in enumerate(products)
            for sentence in map(sentence_key, SENTENCE_END.split(product.description))
            if sentence.count(" ") + 1 >= LEAST_WORDS
        }
    )  # fmt: skip
    groups = len({product.group_id or f"row {row}" for row, product in enumerate(products)})
    least = max(LEAST, SHARE * groups)
    return Counter({sentence: holders[sentence] for sentence in sorted(holders) if holders[sentence] >= least})


def without_boilerplate(products: Sequence[Product], boilerplate: Collection[str]) -> list[Product]:
    """Return the products, in order, without those sentences in their descriptions."""
    return [without_sentences(product, boilerplate) for product in products] if boilerplate else list(products)
