"""Queries with known answers: what the merge weight is chosen on and what the gate decides on.

Pseudo-queries come from held-out products and are of a kind the training has not practised: key phrases of the
description whose words the title lacks, or, where a catalog has no descriptions, two rare title words turned round
(the training then only sees title words in order). Judged queries, where given, replace them.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.training.chance import chance
from indexer.training.pairs import words
from indexer.training.settings import TrainingSettings
from search.analysis import Analyzer
from search.passages import DESCRIPTION_WORDS
from search.product import Product, lexical_fields

PHRASES_PER_PRODUCT = 2
COMMON_SHARE = 0.10  # a word in more of the products than this says nothing about one of them
LEAST_JUDGED_PRODUCTS = 5  # judged products a query keeps, however small the corpus
_SENTENCE_END = re.compile(r"[.!?;:•|\n]\s*")

Phrases = Callable[[Product, "WordCounts"], list[str]]


@dataclass(frozen=True)
class Evidence:
    """q queries over a corpus of n products.

    Attributes:
        kind: what the queries are, for people.
        corpus: (n,) the products ranked.
        queries: (q,) query texts.
        grades: (q,) product id -> grade; products not named gain nothing.
        hidden: (q,) places in the corpus left out of this query's ranking: training products with the same
            words, which the training could have learnt by heart.
        units: (q,) queries of one unit (a product, a judged query) are averaged before the bootstrap draws.
        asks_description: whether the queries are made of descriptions; the lexical leg must then not read these,
            or it would answer by construction.
    """

    kind: str
    corpus: tuple[Product, ...]
    queries: tuple[str, ...]
    grades: tuple[Mapping[str, float], ...]
    hidden: tuple[frozenset[int], ...]
    units: tuple[int, ...]
    asks_description: bool = False

    @property
    def strength(self) -> int:
        """How many independent voices there are."""
        return len(set(self.units))

    def lexical_texts(self) -> list[tuple[str, str]]:
        """Return the (title, rest) fields of the corpus that the lexical leg may read."""
        if not self.asks_description:
            return [lexical_fields(product) for product in self.corpus]
        return [lexical_fields(replace(product, description="")) for product in self.corpus]


class WordCounts:
    """In how many products each term occurs; tells key words from common ones."""

    def __init__(self, products: Sequence[Product], analyzer: Analyzer):
        self.analyzer = analyzer
        self.products = len(products)
        self._counts = Counter(
            term for product in products for term in set(analyzer.terms_of(f"{product.title} {product.description}"))
        )

    def term(self, word: str) -> str:
        """Return the term a word is counted under; "" for a stop word."""
        return next(iter(self.analyzer.terms_of(word)), "")

    def rarity(self, word: str) -> float:
        """Return the word's idf; 0.0 when it is of no use: too common, a code, or in this product alone."""
        count = self._counts[self.term(word)]
        if len(word) < 3 or not word.isalpha() or count < 2 or count > max(5, COMMON_SHARE * self.products):
            return 0.0
        return float(np.log(self.products / count))


def description_phrases(product: Product, counts: WordCounts) -> list[str]:
    """Return phrases of 2 to 4 key words that stand together in the description and not in the other fields.

    Best first by tf-idf, summed and divided by the root of the length; phrases do not share words.
    """
    elsewhere = set(counts.analyzer.terms_of(" ".join(lexical_fields(replace(product, description="")))))
    start = " ".join(product.description.split()[:DESCRIPTION_WORDS])
    frequency = Counter(words(start))
    found: dict[str, float] = {}
    for sentence in _SENTENCE_END.split(start):
        content = [word for word in words(sentence) if word not in counts.analyzer.stop_words]
        for length in (4, 3, 2):
            for at in range(len(content) - length + 1):
                phrase = content[at : at + length]
                weights = [counts.rarity(word) * frequency[word] for word in phrase]
                if (
                    min(weights) > 0
                    and len(set(phrase)) == length
                    and not elsewhere.intersection(map(counts.term, phrase))
                ):
                    found[" ".join(phrase)] = sum(weights) / length**0.5
    return _apart(sorted(found, key=lambda phrase: (-found[phrase], phrase)))


def turned_title_pair(product: Product, counts: WordCounts) -> list[str]:
    """Return the two rarest title words, the later one first."""
    content = [word for word in dict.fromkeys(words(product.title)) if counts.rarity(word) > 0]
    rarest = sorted(content, key=lambda word: (-counts.rarity(word), word))[:2]
    return [" ".join(sorted(rarest, key=content.index, reverse=True))] if len(rarest) == 2 else []


def _apart(phrases: Sequence[str]) -> list[str]:
    kept: list[str] = []
    used: set[str] = set()
    for phrase in phrases:
        if used.isdisjoint(phrase.split()):
            kept.append(phrase)
            used.update(phrase.split())
    return kept


def pseudo_evidence(
    products: Sequence[Product],
    asked: Sequence[int],
    others: Sequence[int],
    trained: frozenset[int],
    counts: WordCounts,
    phrases: Phrases,
    settings: TrainingSettings,
) -> Evidence:
    """Return the pseudo-queries of held-out products.

    Every product of the corpus that holds all words of a query answers it, with grade 1; a query answered by more
    than `most_relevant` is left out as ambiguous; of the answers, training products are hidden.

    Args:
        products: the catalog.
        asked: held-out rows that queries are made of.
        others: rows that only stand in the way.
        trained: rows seen in training.
        counts: word counts of the catalog or of a sample.
        phrases: the kind of query.
        settings: bounds.
    """
    rows = [*asked, *others]
    holders = _holders(products, rows, counts.analyzer)
    queries: list[str] = []
    grades: list[Mapping[str, float]] = []
    hidden: list[frozenset[int]] = []
    units: list[int] = []
    for unit, row in enumerate(asked):
        made = 0
        for query in phrases(products[row], counts):
            held = frozenset.intersection(*(holders.get(t, frozenset()) for t in counts.analyzer.terms_of(query)))
            if made == PHRASES_PER_PRODUCT or len(held) > settings.most_relevant or query in queries:
                continue
            unseen = {place for place in held if rows[place] not in trained}
            queries.append(query)
            grades.append({products[rows[place]].id: 1.0 for place in sorted(unseen)})
            hidden.append(held - unseen)
            units.append(unit)
            made += 1
    return Evidence(
        kind=phrases.__name__.replace("_", " "),
        corpus=tuple(products[row] for row in rows),
        queries=tuple(queries),
        grades=tuple(grades),
        hidden=tuple(hidden),
        units=tuple(units),
        asks_description=phrases is description_phrases,
    )


def _holders(products: Sequence[Product], rows: Sequence[int], analyzer: Analyzer) -> dict[str, frozenset[int]]:
    """Return term -> places (in `rows`) of the products whose texts hold it."""
    places: dict[str, set[int]] = {}
    for place, row in enumerate(rows):
        for term in analyzer.terms_of(" ".join(lexical_fields(products[row]))):
            places.setdefault(term, set()).add(place)
    return {term: frozenset(held) for term, held in places.items()}


def judged_evidence(
    products: Sequence[Product],
    queries: Mapping[str, str],
    judgments: Mapping[str, Mapping[str, float]],
    corpus: int,
    seed: int,
) -> Evidence:
    """Return judged queries over a corpus of about `corpus` products: theirs, filled up with random others.

    Where the judged products are more than the corpus, each query keeps an equal random share of its own, at
    least one of them relevant. Queries without a relevant product in the catalog are left out.
    """
    row_of = {product.id: row for row, product in enumerate(products)}
    known = {query: {p: g for p, g in judgments.get(query, {}).items() if p in row_of} for query in queries}
    asked = [query for query in queries if max(known[query].values(), default=0.0) > 0]
    quota = max(LEAST_JUDGED_PRODUCTS, corpus // max(len(asked), 1))
    kept = {query: _drawn(known[query], quota, chance(seed, query)) for query in asked}
    rows = sorted({row_of[product_id] for grades in kept.values() for product_id in grades})
    others = sorted(set(range(len(products))) - set(rows))
    chance(seed, "judged corpus").shuffle(others)
    rows += others[: max(0, corpus - len(rows))]
    return Evidence(
        kind="judged queries",
        corpus=tuple(products[row] for row in rows),
        queries=tuple(queries[query] for query in asked),
        grades=tuple(kept[query] for query in asked),
        hidden=(frozenset(),) * len(asked),
        units=tuple(range(len(asked))),
    )


def _drawn(grades: Mapping[str, float], quota: int, rng: random.Random) -> dict[str, float]:
    """Return a random `quota` of the judged products, one of which is relevant."""
    drawn = sorted(grades)
    rng.shuffle(drawn)
    relevant = next(product_id for product_id in drawn if grades[product_id] > 0)
    drawn.remove(relevant)
    return {product_id: grades[product_id] for product_id in [relevant, *drawn][:quota]}
