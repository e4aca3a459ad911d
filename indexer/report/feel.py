"""Words the encoder has no feel for: their own vector does not find the products whose titles hold them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.report.vocabulary import Vocabulary
from indexer.report.wording import counted, verb
from search.arrays import Floats, Rows, best_rows, unit_rows

LEAST_COUNT = 5  # products; with fewer, one more or less found would move a word's share by a quarter
SHOWN = 15
GAP = 0.3  # of what its products allow, a word must fall short by this share to be called unknown
KIN = 0.25  # of a word's holders are less like the others of them than any product that counts as their kin
_BLOCK = 128  # words scored at a time

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class UnknownWord:
    """A word that finds too few of the products that hold it.

    Attributes:
        word: as the titles write it.
        pieces: how the encoder spells it; empty when it knows the word as a whole.
        is_brand: whether it is the name of a brand.
        count: products whose titles hold it.
        found: of these, how many are among the `count` products nearest to the word's own vector.
        kin: of the others found there, how many are as like the holders as most of these are: shoes without “shoe”.
        possible: how many of them lie so near to the mean of the others that a word that meant them would find them.
    """

    word: str
    pieces: tuple[str, ...]
    is_brand: bool
    count: int
    found: int
    kin: int
    possible: int


@dataclass(frozen=True)
class KindOfWord:
    """Some words and the mean share of their products that they find."""

    kind: str
    words: int
    found: float


@dataclass(frozen=True)
class Feel:
    """How well single words find the products that hold them.

    Attributes:
        words: how many were asked.
        kinds: words known as a whole, spelled from pieces, brands.
        spelled: unknown words that the encoder spells from pieces, those that touch most products first.
        meant: unknown words that it knows, but as something else.
        spelled_found, meant_found: how many there are in all.
        touched: products whose titles hold at least one unknown word.
        products: of how many.
    """

    words: int
    kinds: tuple[KindOfWord, ...]
    spelled: tuple[UnknownWord, ...]
    meant: tuple[UnknownWord, ...]
    spelled_found: int
    meant_found: int
    touched: int
    products: int

    @property
    def needs_a_look(self) -> bool:
        """Whether there is something to do."""
        return self.spelled_found + self.meant_found > 0

    @property
    def summary(self) -> str:
        """What was found and what to do, in plain words."""
        if not self.words:
            return f"No word stands in {LEAST_COUNT} titles or more, so nothing can be said about single words."
        unknown = self.spelled_found + self.meant_found
        if not unknown:
            return (
                f"{counted(self.words, 'frequent word')} {verb(self.words, 'finds', 'find')} the products that hold "
                "them about as well as these lie together."
            )
        worst = max((*self.spelled[:1], *self.meant[:1]), key=lambda one: one.possible - one.found)
        return (
            f"{unknown:,} of {counted(self.words, 'frequent word')} {verb(unknown, 'is', 'are')} hardly understood, "
            f"such as “{worst.word}”: alone it finds {worst.found:,} of the {worst.count:,} products that hold it. "
            "Such words are found by their letters; beside them, say in plain words what the thing is."
        )


def feel_of(vocabulary: Vocabulary, vectors: Floats, known: Collection[str]) -> Feel:
    """Return how well each frequent word finds its products.

    Args:
        vocabulary: of w words.
        vectors: (m, d) float32 unit rows of the items.
        known: the words and pieces the encoder knows as a whole.
    """
    asked = [word for word, found in enumerate(vocabulary.holders) if len(found) >= LEAST_COUNT]
    holders = [vocabulary.holders[word] for word in asked]
    counts = np.array([len(found) for found in holders])
    if not asked:
        return Feel(0, (), (), (), 0, 0, 0, len(vectors))
    found, kin, possible = _hits(vocabulary.vectors[asked], holders, vectors)
    known = frozenset(known)
    spelled = np.array([vocabulary.words[word] not in known for word in asked])
    unknown = [
        place
        for place in np.argsort(found - possible, kind="stable")
        if possible[place] - found[place] - kin[place] > GAP * counts[place]
    ]
    listed = [
        UnknownWord(
            vocabulary.words[asked[place]],
            pieces_of(vocabulary.words[asked[place]], known) if spelled[place] else (),
            bool(vocabulary.is_brand[asked[place]]),
            int(counts[place]),
            int(found[place]),
            int(kin[place]),
            int(possible[place]),
        )
        for place in unknown
    ]
    in_pieces = [word for word, place in zip(listed, unknown, strict=True) if spelled[place]]
    whole = [word for word, place in zip(listed, unknown, strict=True) if not spelled[place]]
    brand = vocabulary.is_brand[asked]
    kinds = (
        ("known as a whole", ~spelled & ~brand),
        ("spelled from pieces", spelled & ~brand),
        ("names of brands", brand),
    )
    return Feel(
        len(asked),
        tuple(KindOfWord(kind, int(of.sum()), float(np.mean((found / counts)[of]))) for kind, of in kinds if of.any()),
        tuple(in_pieces[:SHOWN]),
        tuple(whole[:SHOWN]),
        len(in_pieces),
        len(whole),
        len(np.unique(np.concatenate([holders[place] for place in unknown]))) if unknown else 0,
        len(vectors),
    )


def _hits(words: Floats, holders: Sequence[Rows], vectors: Floats) -> tuple[Ints, Ints, Ints]:
    """Return found, kin and possible of each word, (w,) each; see `UnknownWord`.

    Args:
        words: (w, d) float32 unit rows.
        holders: of each word, its N items.
        vectors: (m, d) float32 unit rows of the items.
    """
    found, kin, possible = np.zeros((3, len(words)), np.int64)
    for start in range(0, len(words), _BLOCK):
        sums = np.stack([vectors[rows].sum(axis=0) for rows in holders[start : start + _BLOCK]])
        scores = words[start : start + _BLOCK] @ vectors.T  # (block, m)
        likeness = unit_rows(sums) @ vectors.T  # (block, m)
        for place in range(start, start + len(sums)):
            rows, like = holders[place], likeness[place - start]
            best = best_rows(scores[place - start], len(rows))
            others = best[np.isin(best, rows, assume_unique=True, invert=True)]
            own = (unit_rows(sums[place - start] - vectors[rows]) * vectors[rows]).sum(axis=1)  # without themselves
            found[place] = len(best) - len(others)
            kin[place] = (like[others] >= np.quantile(own, KIN)).sum()
            possible[place] = (own >= np.partition(like, len(like) - len(rows))[len(like) - len(rows)]).sum()
    return found, kin, possible


def pieces_of(word: str, known: Collection[str]) -> tuple[str, ...]:
    """Return how a WordPiece tokenizer spells a word: the longest known piece first, then on from there.

    Pieces after the first lose their "##". Empty when there is no such spelling, or the tokenizer is of another kind.
    Wu et al. 2016, arXiv 1609.08144, as BERT uses it.
    """
    pieces: list[str] = []
    start = 0
    while start < len(word):
        mark = "##" if start else ""
        end = next((end for end in range(len(word), start, -1) if mark + word[start:end] in known), None)
        if end is None:
            return ()
        pieces.append(word[start:end])
        start = end
    return tuple(pieces)
