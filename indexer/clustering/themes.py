"""A better word for a leaf than its titles have: the one in its descriptions that comes closest to what is meant.

Titles name each thing ("broccoli", "wrench"), descriptions often say what all of them are ("vegetable", "tool"). Which
word is meant, the encoder tells: of the words that many of a leaf's products share and few others have, the one whose
vector is nearest to the products' mean (the idea of KeyBERT, Grootendorst 2020).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from search.analysis import Analyzer
from search.arrays import Floats, Rows, unit_rows
from search.product import Product

SHARED = 0.3  # least share of a leaf's products that hold the word
LIFT = 5.0  # least ratio of that share to the share of all products
LEAST_LETTERS = 3
LEAST_NEARNESS = 0.45  # of a word to the products' mean; what is further off names nothing
CANDIDATES = 12  # words of a leaf that are compared, those that tell most of it
DESCRIPTION_WORDS = 60  # read of each description, as many as a passage holds

Encode = Callable[[Sequence[str]], Floats]


def closest_words(
    products: Sequence[Product],
    embeddings: Floats,
    members: Mapping[int, Rows],
    names: Mapping[int, tuple[str, ...]],
    language: str,
    encode: Encode,
) -> dict[int, str]:
    """Return, by leaf, the word that comes closest to its products, where that is closer than each part of its name.

    Args:
        products: by row.
        embeddings: (n, d) float32 unit rows.
        members: leaf -> its rows, for the leaves whose names come from titles.
        names: leaf -> the parts of its name.
        language: ISO 639-1.
        encode: texts -> (t, d) float32 unit rows.
    """
    candidates = _telling_words(products, members, language)
    texts = sorted({text for leaf in members for text in (*names[leaf], *candidates[leaf])})
    if not texts:
        return {}
    vectors = dict(zip(texts, encode(texts), strict=True))
    found = {}
    for leaf, rows in members.items():
        mean = unit_rows(embeddings[rows].mean(axis=0)[None, :])[0]
        nearness = {text: float(vectors[text] @ mean) for text in (*names[leaf], *candidates[leaf])}
        named = max(nearness[part] for part in names[leaf])
        best = max(candidates[leaf], key=lambda word: (nearness[word], word), default="")
        if best and nearness[best] > max(named, LEAST_NEARNESS):
            found[leaf] = best
    return found


def _telling_words(products: Sequence[Product], members: Mapping[int, Rows], language: str) -> dict[int, list[str]]:
    """Return, by leaf, the words as written that many of its products hold and few others."""
    if not members:
        return {}
    analyzer = Analyzer(language)
    looked_at = set(np.concatenate(list(members.values())).tolist())
    held: dict[int, dict[str, str]] = {}
    overall: Counter[str] = Counter()
    for row, product in enumerate(products):
        words = _words_of(product, analyzer)
        overall.update(words.keys())
        if row in looked_at:
            held[row] = words
    telling = {}
    for leaf, rows in members.items():
        counts = Counter(term for row in rows for term in held[row])
        lifts = {
            term: count / len(rows) * len(products) / overall[term]
            for term, count in counts.items()
            if count >= max(SHARED * len(rows), 2)
        }
        usable = [term for term, lift in lifts.items() if lift >= LIFT]
        usable.sort(key=lambda term: (-counts[term] * np.log(lifts[term]), term))
        written = Counter((term, held[row][term]) for row in rows for term in usable[:CANDIDATES] if term in held[row])
        best: dict[str, str] = {}
        for (term, word), _ in sorted(written.items(), key=lambda entry: (-entry[1], entry[0])):
            best.setdefault(term, word)
        telling[leaf] = [best[term] for term in usable[:CANDIDATES]]
    return telling


def _words_of(product: Product, analyzer: Analyzer) -> dict[str, str]:
    """Return term -> word, folded, of a product's title and the start of its description."""
    text = " ".join([product.title, *product.description.split()[:DESCRIPTION_WORDS]])
    words: dict[str, str] = {}
    for word, term in analyzer.words_and_terms(text):
        if len(word) >= LEAST_LETTERS and word.isalpha():
            words.setdefault(term, word)
    return words
