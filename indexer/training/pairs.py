"""Product -> pseudo-queries: what a shopper might type to find it, made from its title, category, brand, attributes.

Each kind is a function (product, rng, stop words) -> queries, [] when the product lacks what it needs. Descriptions
are never used here: the gate asks from them, and must ask what the training has not practised.
"""

from __future__ import annotations

import random
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from indexer.training.chance import chance
from indexer.training.settings import TrainingSettings
from search.analysis import words_of
from search.passages import ATTRIBUTE_CHARACTERS
from search.product import Product

QueryKind = Callable[[Product, random.Random, frozenset[str]], list[str]]

TYPO_SHARE = 0.10
DROPOUT = 0.25  # chance that a word of a title piece is left out
SHUFFLE_SHARE = 0.3
TITLE_SHARE = 0.55  # of the pairs come from titles when the product also offers other kinds
ROUNDS = 16  # passes over the products; a small catalog is asked about again, each time in other words
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
# What follows these tells what the thing has or is for; what stands before ends with the thing itself.
_AFTER_THE_NOUN = re.compile(r"\s[-–—|/]\s|[,(\[|:;]|\b(?:with|for|by|from|in)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Pair:
    """One training example: this query should find the product of this row.

    Attributes:
        query: the pseudo-query.
        row: row of the product.
        kind: name of the function that made it.
        cloze: whether the product's text is read without the query's words, so that the rest of the text has to
            carry the meaning; with the words left in, matching them would be all there is to learn. The idea is
            the inverse cloze task of Lee, Chang and Toutanova 2019, arXiv 1906.00300.
    """

    query: str
    row: int
    kind: str
    cloze: bool = False


def title_words(product: Product, rng: random.Random, stop_words: frozenset[str]) -> list[str]:
    """Return 2 to 4 words of a title piece, some dropped, sometimes out of order, one in ten with a typo."""
    kept = [word for word in _title_piece(product, rng, stop_words, 5) if rng.random() >= DROPOUT][:4]
    if len(kept) < 2:
        kept = _title_piece(product, rng, stop_words, 2)
    if rng.random() < SHUFFLE_SHARE:
        rng.shuffle(kept)
    return _joined(with_typo(kept, rng) if rng.random() < TYPO_SHARE else kept)


def title_run(product: Product, rng: random.Random, stop_words: frozenset[str]) -> list[str]:
    """Return 2 to 4 neighbouring title words, in order, one in ten with a typo."""
    kept = _title_piece(product, rng, stop_words, rng.randint(2, 4))
    return _joined(with_typo(kept, rng) if rng.random() < TYPO_SHARE else kept)


def category_leaf(product: Product, rng: random.Random, stop_words: frozenset[str]) -> list[str]:
    """Return the leaf category alone, or with the brand or an attribute value."""
    if not product.category:
        return []
    leaf = product.category[-1]
    beside = [leaf]
    if product.brand:
        beside.append(f"{product.brand} {leaf}")
    beside += [f"{value} {leaf}" for value in _short_values(product)[:3]]
    return _joined(words(rng.choice(beside)))


def brand_and_noun(product: Product, rng: random.Random, stop_words: frozenset[str]) -> list[str]:
    """Return the brand and the head noun of the title."""
    noun = head_noun(product.title)
    return _joined([*words(product.brand), noun]) if product.brand and noun else []


def attribute_and_noun(product: Product, rng: random.Random, stop_words: frozenset[str]) -> list[str]:
    """Return an attribute value and the head noun of the title."""
    noun, values = head_noun(product.title), _short_values(product)
    return _joined([*words(rng.choice(values)), noun]) if noun and values else []


OTHER_KINDS: tuple[QueryKind, ...] = (category_leaf, brand_and_noun, attribute_and_noun)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, accents kept, hyphens and decimal points inside words kept."""
    return _WORD.findall(text.lower())


def head_noun(title: str) -> str:
    """Return the word that probably names the thing: the last one before "with", "for", a comma or a bracket.

    Made for languages whose head comes last; elsewhere it is just one more title word.
    """
    first = next((part for part in _AFTER_THE_NOUN.split(title) if words(part)), "")
    candidates = [word for word in words(first) if word.replace("-", "").isalpha() and len(word) > 2]
    return candidates[-1] if candidates else ""


def with_typo(kept: Sequence[str], rng: random.Random) -> list[str]:
    """Return the words with one edit (drop, double or swap a letter) in one word of five letters or more."""
    long_enough = [place for place, word in enumerate(kept) if len(word) >= 5 and word.isalpha()]
    edited = list(kept)
    if long_enough:
        place = rng.choice(long_enough)
        word = edited[place]
        at = rng.randrange(1, len(word) - 1)  # the first letter is seldom mistyped
        edited[place] = rng.choice(
            (
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            )
        )
    return edited


def _title_piece(product: Product, rng: random.Random, stop_words: frozenset[str], length: int) -> list[str]:
    content = [word for word in words(product.title) if word not in stop_words]
    start = rng.randrange(max(1, len(content) - length + 1))
    return content[start : start + length]


def _short_values(product: Product) -> list[str]:
    """Return attribute values a shopper could type: short and with letters."""
    values = [value for several in product.attributes.values() for value in several]
    return [v for v in values if len(v) <= ATTRIBUTE_CHARACTERS // 2 and any(letter.isalpha() for letter in v)]


def _joined(kept: Sequence[str]) -> list[str]:
    query = " ".join(dict.fromkeys(kept))
    return [query] if len(query) > 2 else []


class VerbatimTexts:
    """The word sequences of some texts: a pseudo-query found in a held-out product's text would leak the answer."""

    def __init__(self, texts: Sequence[str], longest: int = 6):
        self._longest = longest
        self._runs: set[tuple[str, ...]] = set()
        for text in texts:
            found = words_of(text)
            for length in range(1, longest + 1):
                self._runs.update(tuple(found[at : at + length]) for at in range(len(found) - length + 1))

    def hold(self, query: str) -> bool:
        """Return whether the query occurs word for word; of a longer one, whether its first words do."""
        return tuple(words_of(query)[: self._longest]) in self._runs


def training_pairs(
    products: Sequence[Product],
    rows: Sequence[int],
    leaks: VerbatimTexts,
    wanted: int,
    settings: TrainingSettings,
    *,
    stop_words: frozenset[str] = frozenset(),
    title_kind: QueryKind = title_words,
) -> tuple[list[Pair], int]:
    """Return (up to `wanted` pairs, how many were dropped because they leak), drawn round by round over the rows.

    A query may belong to many products ("mugs"): each pair is right for its own product, and the loss leaves
    the others out of the negatives (`finetune.negatives_to_skip`).
    """
    pairs: list[Pair] = []
    seen: set[tuple[str, int]] = set()
    leaked = 0
    for turn in range(ROUNDS):
        order = list(rows)
        chance(settings.seed, f"order {turn}").shuffle(order)
        for row in order:
            if len(pairs) == wanted:
                return pairs, leaked
            rng = chance(settings.seed, f"{turn} {products[row].id}")
            for kind, query in _drawn(products[row], rng, stop_words, title_kind):
                if (query, row) in seen:
                    continue
                seen.add((query, row))
                if leaks.hold(query):
                    leaked += 1
                else:
                    pairs.append(Pair(query, row, kind, rng.random() < settings.cloze_share))
    return pairs, leaked


def _drawn(
    product: Product, rng: random.Random, stop_words: frozenset[str], title_kind: QueryKind
) -> Iterator[tuple[str, str]]:
    """Yield (kind, query): one from the title, or one of another kind that the product offers."""
    if rng.random() >= TITLE_SHARE:
        offered = [(kind.__name__, query) for kind in OTHER_KINDS for query in kind(product, rng, stop_words)]
        if offered:
            yield rng.choice(offered)
            return
    for query in title_kind(product, rng, stop_words):
        yield title_kind.__name__, query


def in_batches(pairs: Sequence[Pair], group_of: Mapping[int, int], batch: int) -> list[Pair]:
    """Return the pairs so ordered that no `batch` in a row holds a query or a product group twice.

    What finds no place is left out, so the length is a multiple of `batch`.
    """
    waiting = deque(pairs)
    ordered: list[Pair] = []
    while len(waiting) >= batch:
        chosen: list[Pair] = []
        passed: list[Pair] = []
        queries: set[str] = set()
        groups: set[int] = set()
        while waiting and len(chosen) < batch:
            pair = waiting.popleft()
            if pair.query in queries or group_of[pair.row] in groups:
                passed.append(pair)
                continue
            chosen.append(pair)
            queries.add(pair.query)
            groups.add(group_of[pair.row])
        waiting.extendleft(reversed(passed))
        if len(chosen) < batch:
            break
        ordered += chosen
    return ordered


def kinds_of(pairs: Sequence[Pair]) -> dict[str, int]:
    """Return kind -> number of pairs, most frequent first."""
    return dict(Counter(pair.kind for pair in pairs).most_common())
