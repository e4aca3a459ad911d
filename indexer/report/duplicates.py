"""Products listed twice, and products that are variants of one another without the catalog saying so."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from indexer.neighbors import Neighbors
from indexer.report.wording import verb
from search.analysis import Analyzer, is_identifier
from search.arrays import Floats
from search.product import Product

SHOWN_GROUPS = 12
SHOWN_MEMBERS = 4
SAME_WORDS = 0.6  # cosine from which two products with the same title words are one; below, the texts tell of two
SAME_CODE = 0.7  # the same, of two whose titles share a rare part number; DESIGN.md, "What the embedding knows"
CODE_HOLDERS = 3  # titles that may hold a part number; one held by more is a series
VARIANT = 0.95  # cosine from which titles that differ in one place are of one product in two sizes or colours
REWORDED = 3  # terms: titles of one part number that differ by fewer on each side are variants, not rewordings
SAME_PRICE = 0.05  # share by which the prices of one thing may differ
VARIANT_WORDS = 4  # title terms both must share: "mug, red" and "mug, blue" yes, "red" and "blue" no

_SIDES = re.compile(r"\d+x\d+.*")  # 14x72, a size
Terms = Counter[str]


@dataclass(frozen=True)
class Group:
    """Products that belong together.

    Attributes:
        products: its first SHOWN_MEMBERS, in catalog order.
        size: how many there are.
        cosine: the lowest of the pairs that made the group.
        told_apart: what differs between them: words of the titles, or the names of attributes and fields.
    """

    products: tuple[Product, ...]
    size: int
    cosine: float
    told_apart: tuple[str, ...]


@dataclass(frozen=True)
class Groups:
    """The first SHOWN_GROUPS of some groups, and how many groups and products there are in all."""

    shown: tuple[Group, ...]
    count: int
    products: int


@dataclass(frozen=True)
class Duplicates:
    """Products that may be one.

    Attributes:
        twice: probably one product listed twice; the most alike first.
        same_title: the titles say the same, but not the other fields; the largest first.
        variants: groups whose titles differ in one word or number; the largest first.
    """

    twice: Groups
    same_title: Groups
    variants: Groups

    @property
    def needs_a_look(self) -> bool:
        """Whether there is something to do."""
        return self.twice.count + self.same_title.count + self.variants.count > 0

    @property
    def summary(self) -> str:
        """What was found and what to do, in plain words."""
        parts = []
        if self.twice.count:
            parts.append(
                f"{self.twice.products:,} products seem to be {self.twice.count:,} that "
                f"{verb(self.twice.count, 'is', 'are')} listed more than once: keep one of each."
            )
        if self.same_title.count:
            parts.append(
                f"{self.same_title.products:,} share their title with another that differs elsewhere: say in the title "
                "how."
            )
        if self.variants.count:
            parts.append(
                f"{self.variants.products:,} differ from another in one word or size: variants, it seems. Give them a "
                "common group_id, and results show one of each instead of all."
            )
        return " ".join(parts) or "No product seems to be listed twice, and no variants are undeclared."


def duplicates_of(items: Sequence[Product], vectors: Floats, neighbors: Neighbors, analyzer: Analyzer) -> Duplicates:
    """Return which of m products may be one; declared variants are folded and never compared.

    Args:
        items: m products, variants folded.
        vectors: (m, d) float32 unit rows.
        neighbors: of the items.
        analyzer: makes terms of titles: 12 oz, 12oz and 12-ounce are one.
    """
    titles = [list(analyzer.words_and_terms(product.title)) for product in items]
    terms = [Counter(term for _, term in title) for title in titles]
    written = {term: word for title in titles for word, term in title}
    twice, same_title, variants = _Links(), _Links(), _Links()
    for first, second in _same_title(terms):
        cosine = float(vectors[first] @ vectors[second])
        told = _conflicts(items[first], items[second])
        if told or cosine < SAME_WORDS:
            same_title.join(first, second, cosine, told or ("description",))
        else:
            twice.join(first, second, cosine, ())
    for first, second in _same_code(terms):
        cosine = float(vectors[first] @ vectors[second])
        told = _conflicts(items[first], items[second])
        if cosine >= SAME_CODE and not told and _is_reworded(terms[first], terms[second]):
            twice.join(first, second, cosine, ())
    for first, second, cosine in _close_pairs(neighbors):
        told = _difference(terms[first], terms[second])
        if told:
            variants.join(first, second, cosine, tuple(written[term] for term in told))
    return Duplicates(
        _listed(twice.groups(items), lambda group: -group.cosine),
        _listed(same_title.groups(items), lambda group: -group.size),
        _listed(variants.groups(items), lambda group: -group.size),
    )


def _listed(groups: Sequence[Group], order: Callable[[Group], float]) -> Groups:
    ordered = sorted(groups, key=lambda group: (order(group), group.products[0].id))
    return Groups(tuple(ordered[:SHOWN_GROUPS]), len(ordered), sum(group.size for group in ordered))


def _same_title(terms: Sequence[Terms]) -> Iterable[tuple[int, int]]:
    """Yield neighbouring pairs of items whose titles have the same terms, in any order."""
    by_title: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for item, counted in enumerate(terms):
        if counted:
            by_title[tuple(sorted(counted))].append(item)
    for found in by_title.values():
        yield from itertools.pairwise(found)


def _same_code(terms: Sequence[Terms]) -> Iterable[tuple[int, int]]:
    """Yield pairs of items whose titles share a rare part number."""
    holders: dict[str, list[int]] = defaultdict(list)
    for item, counted in enumerate(terms):
        for term in counted:
            if is_code(term):
                holders[term].append(item)
    for found in holders.values():
        if 2 <= len(found) <= CODE_HOLDERS:
            yield from itertools.combinations(found, 2)


def _is_reworded(first: Terms, second: Terms) -> bool:
    """Return whether two titles with one part number say the same in other words, not the same of another size."""
    only_first, only_second = first - second, second - first
    if not only_first or not only_second:
        return True
    numbers = [any(any(map(str.isdigit, term)) for term in only) for only in (only_first, only_second)]
    return not all(numbers) and max(len(only_first), len(only_second)) >= REWORDED


def is_code(term: str) -> bool:
    """Return whether a term is a part number: letters and at least two digits, long enough to be no accident."""
    is_mixed = any(map(str.isalpha, term)) and sum(map(str.isdigit, term)) > 1
    return len(term) >= 5 and is_mixed and is_identifier(term) and not _SIDES.fullmatch(term)


def _close_pairs(neighbors: Neighbors) -> Iterable[tuple[int, int, float]]:
    """Yield (item, later item, cosine) of every pair of neighbours at least VARIANT close."""
    for first, (near, cosines) in enumerate(zip(neighbors.items, neighbors.cosines, strict=True)):
        for second, cosine in zip(near[cosines >= VARIANT].tolist(), cosines[cosines >= VARIANT].tolist(), strict=True):
            if first < second or first not in neighbors.items[second]:
                yield first, second, cosine


def _difference(first: Terms, second: Terms) -> tuple[str, ...]:
    """Return the terms that tell two titles apart when that is one word or size on each side, else ()."""
    only_first, only_second = first - second, second - first
    shared = sum((first & second).values())
    # A quantity, 3.5ft, comes with the numbers it is written with: 3, 5.
    told = [[term for term in only if not term.isdigit()] or list(only) for only in (only_first, only_second)]
    if shared < VARIANT_WORDS or any(len(terms) != 1 or is_code(terms[0]) for terms in told):
        return ()
    pair = told[0][0], told[1][0]
    are_models = all(map(str.isdigit, pair)) and max(map(len, pair)) > 2  # 585 and 650; 9 and 10 are sizes
    return () if are_models else pair


def _conflicts(first: Product, second: Product) -> tuple[str, ...]:
    """Return the names of attributes and fields in which two products say different things."""
    shared = first.attributes.keys() & second.attributes.keys()
    told = [name for name in sorted(shared) if first.attributes[name] != second.attributes[name]]
    if first.category and second.category and first.category != second.category:
        told.append("category")
    if first.brand and second.brand and first.brand.casefold() != second.brand.casefold():
        told.append("brand")
    if first.price and second.price and abs(first.price - second.price) > SAME_PRICE * max(first.price, second.price):
        told.append("price")
    return tuple(told)


class _Links:
    """Items joined pair by pair, and what was said of each pair."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}
        self._pairs: list[tuple[int, float, tuple[str, ...]]] = []

    def _root(self, item: int) -> int:
        self._parents.setdefault(item, item)
        while self._parents[item] != item:
            self._parents[item] = self._parents[self._parents[item]]
            item = self._parents[item]
        return item

    def join(self, first: int, second: int, cosine: float, told_apart: tuple[str, ...]) -> None:
        """Note that two items belong together."""
        first, second = sorted((self._root(first), self._root(second)))
        self._parents[second] = first
        self._pairs.append((first, cosine, told_apart))

    def groups(self, items: Sequence[Product]) -> list[Group]:
        """Return every group, its members in catalog order."""
        members: dict[int, list[int]] = defaultdict(list)
        for item in sorted(self._parents):
            members[self._root(item)].append(item)
        found = {
            root: Group(tuple(items[item] for item in those[:SHOWN_MEMBERS]), len(those), 1.0, ())
            for root, those in members.items()
        }
        for item, cosine, told in self._pairs:
            root = self._root(item)
            group = found[root]
            apart = tuple(dict.fromkeys((*group.told_apart, *told)))
            found[root] = replace(group, cosine=min(group.cosine, cosine), told_apart=apart)
        return list(found.values())
