"""Catalog health: what is missing, too short, shouted or repeated, with counts and examples."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from indexer.boilerplate import boilerplate_of
from search.product import Product

EXAMPLES = 4
SHORT_WORDS = 8  # of a description; fewer seldom say more than the title
LONG_TITLE = 150  # characters; more is cut on every page, and drowns what the thing is
REPEATED_DESCRIPTION = 3  # products, not variants of one another, that share one
SHOWN_SENTENCES = 5
LOOK = 0.02  # share of the rows from which a finding is worth a look


@dataclass(frozen=True)
class Finding:
    """One kind of trouble.

    Attributes:
        name: what it is, "without a picture".
        advice: what to do about it.
        count: how many products have it.
        share: of all, 0..1.
        examples: titles of a few of them.
    """

    name: str
    advice: str
    count: int
    share: float
    examples: tuple[str, ...]


@dataclass(frozen=True)
class RepeatedSentence:
    """A sentence that many products share, and how many."""

    text: str
    count: int


@dataclass(frozen=True)
class Health:
    """What could be better in the catalog itself.

    Attributes:
        products: rows of the catalog, variants counted one by one.
        findings: the most frequent first; only those that occur.
        sentences: the most frequent sentences that were left out of the embedding because too many products share them.
        sentences_found: how many there are.
    """

    products: int
    findings: tuple[Finding, ...]
    sentences: tuple[RepeatedSentence, ...]
    sentences_found: int

    @property
    def needs_a_look(self) -> bool:
        """Whether there is something to do."""
        return bool(self.findings) and self.findings[0].share >= LOOK

    @property
    def summary(self) -> str:
        """What was found and what to do, in plain words."""
        if not self.findings:
            return "Every product has a title, a description, a category, a brand, a price and a picture."
        worst = self.findings[0]
        told = f"{worst.count:,} of {self.products:,}" if worst.share < 1 else f"All {worst.count:,}"
        return f"{told} rows are {worst.name}. {worst.advice}"


def health_of(products: Sequence[Product]) -> Health:
    """Return what could be better in n products, as the catalog has them."""
    repeated = _repeated_descriptions(products)
    checks: list[tuple[str, str, Callable[[Product], bool]]] = [
        ("without a description", "It is what a search by meaning reads after the title: write two sentences.",
         lambda product: not product.description),
        (f"with a description of fewer than {SHORT_WORDS} words", "Say what it is, what it is for and of what.",
         lambda product: 0 < len(product.description.split()) < SHORT_WORDS),
        ("with a description that others have word for word", "Say what is particular to each.",
         lambda product: bool(product.description) and _digest(product.description) in repeated),
        ("without a category", "A category says what a thing is when its name does not.",
         lambda product: not product.category),
        ("without a brand", "Shoppers search and filter by it.", lambda product: not product.brand),
        ("without a price", "They are left out when a shopper asks for a price.",
         lambda product: product.price is None),
        ("with a price of zero", "They come first when sorted by price.", lambda product: product.price == 0),
        ("without a picture", "A letter stands in its place.", lambda product: not product.image_url),
        ("with a shouting title", "Capitals are hard to read, and names cannot be told from words.",
         lambda product: is_shouting(product.title)),
        (f"with a title of more than {LONG_TITLE} characters", "The page cuts it; move the rest to the description.",
         lambda product: len(product.title) > LONG_TITLE),
        ("with a title of a single word", "Say what it is.", lambda product: len(product.title.split()) == 1),
    ]  # fmt: skip
    counts, examples = [0] * len(checks), [dict[str, None]() for _ in checks]
    for product in products:
        for place, (_, _, has) in enumerate(checks):
            if has(product):
                counts[place] += 1
                if counts[place] <= 10 * EXAMPLES:
                    examples[place][product.title] = None
    findings = [
        Finding(name, advice, count, count / max(len(products), 1), tuple(titles)[:EXAMPLES])
        for (name, advice, _), count, titles in zip(checks, counts, examples, strict=True)
    ]
    sentences = boilerplate_of(products).most_common()
    return Health(
        len(products),
        tuple(sorted((one for one in findings if one.count), key=lambda one: -one.count)),
        tuple(RepeatedSentence(text, count) for text, count in sentences[:SHOWN_SENTENCES]),
        len(sentences),
    )


def is_shouting(title: str) -> bool:
    """Return whether a title of two words or more is written in capitals, codes and short acronyms aside."""
    words = [word for word in title.split() if sum(map(str.isalpha, word)) > 3 and not any(map(str.isdigit, word))]
    return len(words) >= 2 and sum(word.isupper() for word in words) > 0.8 * len(words)


def _repeated_descriptions(products: Sequence[Product]) -> frozenset[bytes]:
    """Return the digests of descriptions that several products share; the variants of one count once."""
    holders: Counter[bytes] = Counter()
    seen: set[tuple[bytes, str]] = set()
    for product in products:
        if product.description:
            digest, group = _digest(product.description), product.group_id
            if group and (digest, group) in seen:
                continue
            holders[digest] += 1
            if group:
                seen.add((digest, group))
    return frozenset(digest for digest, count in holders.items() if count >= REPEATED_DESCRIPTION)


def _digest(text: str) -> bytes:
    """Return what stands for a text: a million descriptions would not fit."""
    return hashlib.blake2b(text.encode(), digest_size=12).digest()
