"""Which words lie near each other: do synonyms meet, and which words are taken for one another by mistake?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.report.vocabulary import Vocabulary
from indexer.report.wording import counted, verb
from search.arrays import Floats, best_rows, unit_rows

SHOWN_WORDS = 16
SHOWN_NEIGHBORS = 5
SHOWN_PAIRS = 12
CLOSE = 0.7  # cosine of two single words from which a search for one finds the other's products
MISTAKEN = 0.6  # and from which words that begin alike may be taken for one another
SAME_LETTERS = 3  # at the beginning: encoders spell rare words from pieces, and those may be other words
ALIKE_PRODUCTS = 0.5  # share of other words whose products are less alike; below it the meeting is a mistake
TOGETHER = 0.1  # share of the rarer word's titles; words that stand together more often are no synonyms


@dataclass(frozen=True)
class NearWord:
    """A word near another, and how near (cosine)."""

    word: str
    cosine: float


@dataclass(frozen=True)
class WordNeighbors:
    """A frequent word, how many products hold it, and its nearest other words, nearest first."""

    word: str
    count: int
    nearest: tuple[NearWord, ...]


@dataclass(frozen=True)
class WordPair:
    """Two words, one the nearest of the other, seldom in one title.

    Attributes:
        first, second: the words, the more frequent first.
        counts: products that hold them.
        cosine: of the two words.
        products_cosine: of the mean vectors of their products.
    """

    first: str
    second: str
    counts: tuple[int, int]
    cosine: float
    products_cosine: float


@dataclass(frozen=True)
class Words:
    """What lies near the words of the titles.

    Attributes:
        frequent: the most frequent words.
        synonyms: pairs that meet, and whose products are alike too: one finds the other.
        false_friends: words that begin alike and lie near each other, although their products have little in common.
        synonyms_found, false_friends_found: how many there are in all.
    """

    frequent: tuple[WordNeighbors, ...]
    synonyms: tuple[WordPair, ...]
    false_friends: tuple[WordPair, ...]
    synonyms_found: int
    false_friends_found: int

    @property
    def needs_a_look(self) -> bool:
        """Whether there is something to do."""
        return self.false_friends_found > 0

    @property
    def summary(self) -> str:
        """What was found and what to do, in plain words."""
        if not self.frequent:
            return "The titles share too few words to say anything about what the encoder makes of them."
        if not self.synonyms_found and not self.false_friends_found:
            return "No two words of the titles are so near that the encoder would take one for the other."
        met = "No pair of words finds each other’s products"
        if self.synonyms:
            best = self.synonyms[0]
            met = (
                f"{counted(self.synonyms_found, 'pair')} of words {verb(self.synonyms_found, 'finds', 'find')} each "
                f"other’s products, such as “{best.first}” and “{best.second}”: right where they mean the same, but "
                "opposites meet too"
            )
        if not self.false_friends:
            return f"{met}."
        worst = self.false_friends[0]
        return (
            f"{met}. {counted(self.false_friends_found, 'pair')} {verb(self.false_friends_found, 'is', 'are')} taken "
            f"for one another by their letters, such as “{worst.first}” and “{worst.second}”: say in the titles that "
            "hold them what the thing is."
        )


def words_of_catalog(vocabulary: Vocabulary, vectors: Floats) -> Words:
    """Return what lies near the words of the titles.

    Args:
        vocabulary: of w words.
        vectors: (m, d) float32 unit rows of the items.
    """
    if len(vocabulary.words) < 2:
        return Words((), (), (), 0, 0)
    cosines = vocabulary.vectors @ vocabulary.vectors.T  # (w, w)
    np.fill_diagonal(cosines, -1)
    frequent = tuple(
        WordNeighbors(
            vocabulary.words[word],
            len(vocabulary.holders[word]),
            tuple(
                NearWord(vocabulary.words[near], float(cosines[word, near]))
                for near in best_rows(cosines[word], SHOWN_NEIGHBORS)
            ),
        )
        for word in range(min(SHOWN_WORDS, len(vocabulary.words)))
    )
    met, mistaken = _pairs(vocabulary, cosines, vectors)
    return Words(frequent, tuple(met[:SHOWN_PAIRS]), tuple(mistaken[:SHOWN_PAIRS]), len(met), len(mistaken))


def _pairs(vocabulary: Vocabulary, cosines: Floats, vectors: Floats) -> tuple[list[WordPair], list[WordPair]]:
    """Return (synonyms, false friends), the clearest first."""
    centroids = unit_rows(np.stack([vectors[found].sum(axis=0) for found in vocabulary.holders]))
    nearest = cosines.argmax(axis=1)
    met, mistaken = [], []
    for word, near in enumerate(nearest.tolist()):
        first, second = sorted((word, near))
        cosine = float(cosines[word, near])
        if cosine < MISTAKEN:
            continue
        pair = WordPair(
            vocabulary.words[first],
            vocabulary.words[second],
            (len(vocabulary.holders[first]), len(vocabulary.holders[second])),
            cosine,
            float(centroids[first] @ centroids[second]),
        )
        are_alike = _alike(centroids, first, second)
        is_mutual = nearest[near] == word and cosine >= CLOSE
        if are_alike and is_mutual and not _stand_together(vocabulary.holders[first], vocabulary.holders[second]):
            met.append(pair)
        if not are_alike and pair.first[:SAME_LETTERS] == pair.second[:SAME_LETTERS]:
            mistaken.append(pair)
    met = sorted(set(met), key=lambda pair: (-pair.cosine, pair.first))
    return met, sorted(set(mistaken), key=lambda pair: (pair.products_cosine, pair.first))


def _alike(centroids: Floats, first: int, second: int) -> bool:
    """Return whether two words' products are nearer to each other than to those of ALIKE_PRODUCTS of the words."""
    likeness = centroids[first] @ centroids[second]
    nearer = [float(np.mean(centroids @ centroids[word] < likeness)) for word in (first, second)]
    return sum(nearer) / 2 >= ALIKE_PRODUCTS


def _stand_together(first: Sequence[int], second: Sequence[int]) -> bool:
    both = len(np.intersect1d(first, second))
    return both > TOGETHER * min(len(first), len(second))
