"""Words the catalog does not know -> the catalog's own words that are nearest, changed silently only when sure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from search.analysis import words_of
from search.arrays import common_to
from search.errors import ReleaseDamaged
from search.lexical import LexicalIndex

LEAST_LETTERS = 4  # shorter words have too many neighbours
LEAST_FOR_SURE = 5  # letters from which a word is changed silently
ENDINGS = ("er", "ers", "ie", "ies", "ing", "ings", "ed", "ly", "y", "ness", "ful", "less", "able", "s", "es", "ish")
PREFIXES = ("un", "re", "non", "pre", "anti", "over", "under", "mini", "multi", "semi", "super")
LEAST_FOR_TWO = 8  # letters from which two edits are looked for
CLEARLY_MORE = 5  # times as frequent as the next best, to be sure without help from the other words
LONGEST = 30
DESCRIPTIONS = 100  # whose words are known: a product's variants follow each other, and mostly share one


@dataclass(frozen=True)
class Correction:
    """What became of one word.

    Attributes:
        word: as typed, folded.
        best: the catalog's nearest word.
        is_sure: whether it may be put in silently; otherwise it is only offered.
    """

    word: str
    best: str
    is_sure: bool


def word_counts(texts: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Return how many products have each word that may be meant where another was typed.

    Args:
        texts: of each product what it states of itself, and its description. A word of descriptions alone counts from
            the second product on: prose has misspellings of its own.
    """
    stated: set[str] = set()
    counts: Counter[str] = Counter()
    words_in = lru_cache(DESCRIPTIONS)(lambda text: frozenset(words_of(text)))
    for own, description in texts:
        words = frozenset(words_of(own))
        stated |= words
        counts.update(words | words_in(description))
    return {
        word: count
        for word, count in counts.items()
        if word.isalpha() and LEAST_LETTERS - 1 <= len(word) <= LONGEST and (count > 1 or word in stated)
    }


@dataclass(frozen=True)
class Speller:
    """The catalog's words and how many products have each.

    Attributes:
        counts: word -> products; folded, letters only.
        common: words the encoder knows as a whole. Such a word is right, even if the catalog lacks it: "slate" must
            not become "plate", for the encoder may find what is meant.
    """

    counts: dict[str, int]
    common: frozenset[str]

    @classmethod
    def of(cls, counts: dict[str, int], words: Iterable[str]) -> Speller:
        """Return the speller of a catalog's `word_counts` and the words that the encoder knows as a whole."""
        return cls(counts, frozenset(word for word in words if word.isalpha() and len(word) >= LEAST_LETTERS))

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        data = {"counts": dict(sorted(self.counts.items())), "common": sorted(self.common)}
        path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Speller:
        """Read it back.

        Raises:
            ReleaseDamaged: the file is missing or not what `save` wrote.
        """
        try:
            data = json.loads(path.read_text("utf-8"))
            return cls({str(word): int(count) for word, count in data["counts"].items()}, frozenset(data["common"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReleaseDamaged(f"{path} cannot be read ({error!r}); build the release again") from error

    @cached_property
    def _by_length(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Length -> the words of that length and the letters each of them has, see `letters_of`."""
        lengths: dict[int, list[str]] = {}
        for word in self.counts:
            lengths.setdefault(len(word), []).append(word)
        return {length: (np.array(words, object), letters_of(words)) for length, words in lengths.items()}

    def correction(self, word: str, others: Sequence[str], lexical: LexicalIndex) -> Correction | None:
        """Return the nearest word of the catalog for one that it does not know, None when nothing is near.

        Nearness is the number of edits (insert, delete, replace, swap neighbours: optimal string alignment); among
        equals the word that stands in one product with the query's other words, then the most frequent.

        Args:
            word: folded, letters only.
            others: the other terms of the query.
            lexical: tells which products hold which terms.
        """
        if len(word) < LEAST_LETTERS or len(word) > LONGEST or self._is_a_word(word):
            return None
        near = self._near(word, 2 if len(word) >= LEAST_FOR_TWO else 1)
        if not near:
            return None
        held = self._held_together(others, lexical)

        def evidence(candidate: str) -> tuple[bool, bool]:
            """Return what speaks for a word besides its frequency: a mere swap of letters, and its company."""
            rows = lexical.rows_of(lexical.analyzer.term_of(candidate))
            return sorted(candidate) == sorted(word), held is not None and len(common_to(held, rows)) > 0

        known = {candidate: evidence(candidate) for candidate in near}
        ranked = sorted(near, key=lambda one: (near[one], *(not each for each in known[one]), -self.counts[one], one))
        best, *others_near = ranked
        stem = lexical.analyzer.term_of(best)
        rivals = [one for one in others_near if near[one] == near[best] and lexical.analyzer.term_of(one) != stem]
        clear = all(known[best] > known[one] or self.counts[best] >= CLEARLY_MORE * self.counts[one] for one in rivals)
        # Of two words that differ in one letter both may be right, spuds and studs: the query's other words decide.
        is_other_word = len(best) == len(word) and known[best] == (False, False) and held is not None
        return Correction(word, best, clear and not is_other_word and len(word) >= LEAST_FOR_SURE)

    def _is_a_word(self, word: str) -> bool:
        """Return whether the encoder knows the word, or one that it is a form of: filler of fill."""
        if word in self.common:
            return True

        def is_known(stem: str) -> bool:
            return stem in self.common or stem in self.counts

        if any(word.startswith(prefix) and is_known(word.removeprefix(prefix)) for prefix in PREFIXES):
            return True
        stems = [(word.removesuffix(ending), ending) for ending in ENDINGS if word.endswith(ending)]
        if any(f"{stem}{stem[-1:]}{ending}" in self.counts for stem, ending in stems if is_known(stem)):
            return False  # runing, where the catalog writes running
        return any(is_known(stem) or (ending[0] in "aeiouy" and is_known(f"{stem}e")) for stem, ending in stems)

    def _near(self, word: str, most: int) -> dict[str, int]:
        """Return the words within so many edits -> edits."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        own = letters_of([word])[0]
        choices: list[str] = []
        for length in range(len(word) - most, len(word) + most + 1):
            if length in self._by_length:
                words, letters = self._by_length[length]
                # One edit takes at most one letter away and brings at most one new one.
                choices += words[np.bitwise_count(letters ^ own) <= 2 * most].tolist()
        found = process.extract(word, choices, scorer=OSA.distance, score_cutoff=most, limit=24, processor=None)
        return {known: int(edits) for known, edits, _ in found if known != word}

    @staticmethod
    def _held_together(others: Sequence[str], lexical: LexicalIndex) -> np.ndarray | None:
        """Return the rows that hold two of the other terms, or the only one; None when none is in the catalog."""
        rows = [found for term in dict.fromkeys(others) if len(found := lexical.rows_of(term))]
        if not rows:
            return None
        held, (counts,) = lexical.sums.of(rows, [[1.0] * len(rows)])
        return held[counts >= min(2, len(rows))]


def letters_of(words: Sequence[str]) -> np.ndarray:
    """Return (n,) uint64: one bit for each letter that a word has, letters beyond a to z sharing the bits above."""
    points = np.array(words, str)[:, None].view(np.uint32).reshape(len(words), -1).astype(np.uint64)
    bits = np.where(points < 97, 0, np.uint64(1) << ((points - np.uint64(97)) % np.uint64(64)))
    return np.bitwise_or.reduce(bits, axis=1)
