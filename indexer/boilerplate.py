"""Sentences a shop repeats under its products, "Free delivery over $40.": shown, but neither embedded nor matched.

They tell no product from another, and at the start of a description they push out what does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache

from indexer.grouping import fold_variants
from indexer.rows import HELD, StoredProducts, products_at, sampled
from search.passages import SENTENCE_END, sentence_key, without_sentences
from search.product import Product

SHARE, LEAST = 0.05, 20  # products that must hold a sentence for it to be boilerplate: this share, and this number
DESCRIPTIONS = 100  # whose sentences are known: variants follow each other, and mostly share one
LEAST_WORDS = 4  # shorter pieces, "100 % cotton.", are facts
SAMPLE = 20_000  # of more than HELD products: a sentence that so few of these hold as SAMPLE_SHARE, 400 where 1,000 are
SAMPLE_SHARE = 0.02  # expected of the rarest boilerplate, is none; the others are counted in all products


def boilerplate_of(products: Sequence[Product]) -> Counter[str]:
    """Return the sentences, as `sentence_key` gives them, that too many products share, with how many do.

    A group's variants count once: nine sizes of a boot share every sentence.
    """
    groups = fold_variants(products)
    wanted = _candidates(products) if len(products) > HELD else None
    last: dict[str, int] = {}
    seen: set[tuple[str, int]] = set()
    holders: Counter[str] = Counter()
    sentences_of = lru_cache(DESCRIPTIONS)(_sentences)
    for product, group in zip(products, groups.tolist(), strict=True):
        for sentence in sentences_of(product.description):
            if wanted is not None and sentence not in wanted:
                continue
            # Variants mostly follow each other; only a group that comes again needs to be remembered.
            if last.get(sentence) == group or (product.group_id and (sentence, group) in seen):
                continue
            last[sentence] = group
            holders[sentence] += 1
            if product.group_id:
                seen.add((sentence, group))
    least = max(LEAST, SHARE * (int(groups.max(initial=-1)) + 1))
    return Counter({sentence: holders[sentence] for sentence in sorted(holders) if holders[sentence] >= least})


def without_boilerplate(products: Sequence[Product], boilerplate: Collection[str]) -> Sequence[Product]:
    """Return the products, in order, without those sentences in their descriptions."""
    if isinstance(products, StoredProducts):
        return StoredProducts(products.store, boilerplate, products.rows)
    return [without_sentences(product, boilerplate) for product in products] if boilerplate else list(products)


def _sentences(description: str) -> frozenset[str]:
    """Return the sentences of a description that are long enough, as `sentence_key` gives them."""
    found = map(sentence_key, SENTENCE_END.split(description))
    return frozenset(sentence for sentence in found if sentence.count(" ") + 1 >= LEAST_WORDS)


def _candidates(products: Sequence[Product]) -> set[str]:
    """Return the sentences that may be boilerplate of many products."""
    looked_at = products_at(products, sampled(len(products), SAMPLE))
    holders = Counter(sentence for product in looked_at for sentence in _sentences(product.description))
    return {sentence for sentence, count in holders.items() if count >= SAMPLE_SHARE * len(looked_at)}
