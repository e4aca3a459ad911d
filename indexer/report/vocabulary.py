"""The words a catalog's titles are made of, each asked of the encoder as a query, all in one batch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.calibration import background_words
from search.analysis import Analyzer, words_of
from search.arrays import Floats, Mask, Rows, unit_rows
from search.encoder import Encoder
from search.product import Product

MOST_WORDS = 1_000  # asked of the encoder, the most frequent ones; most of their vectors are lent by the background
LEAST_HOLDERS = 3  # titles; rarer words say more about one product than about the encoder
LONGEST_WORD = 40  # letters; longer ones are not words


@dataclass(frozen=True)
class Vocabulary:
    """The w most frequent title words, one a stem, most frequent first.

    Attributes:
        words: as most titles write them, in lower case and without accents.
        holders: of each word, the items (ascending) whose titles hold it or another form of it.
        is_brand: (w,) bool, whether most of the word's titles are of a brand of that name.
        vectors: (w, d) float32 unit rows, encoded as queries.
        left_out: how many more words LEAST_HOLDERS titles hold.
    """

    words: tuple[str, ...]
    holders: tuple[Rows, ...]
    is_brand: Mask
    vectors: Floats
    left_out: int

    @classmethod
    def of(cls, items: Sequence[Product], analyzer: Analyzer, encoder: Encoder, background: Any) -> Vocabulary:
        """Collect the words of m items' titles and encode them.

        Args:
            items: m products.
            analyzer: of the titles' language.
            encoder: of the release.
            background: see `calibration.background_of`; it lends the vectors of common words.
        """
        forms, holders, branded = _counted(items, analyzer)
        frequent = [stem for stem, found in holders.items() if len(found) >= LEAST_HOLDERS]
        frequent.sort(key=lambda stem: (-len(holders[stem]), stem))
        stems = frequent[:MOST_WORDS]
        words = tuple(min(forms[stem], key=lambda form: (-forms[stem][form], form)) for stem in stems)
        return cls(
            words,
            tuple(np.array(holders[stem], np.int64) for stem in stems),
            np.array([branded[stem] > len(holders[stem]) / 2 for stem in stems], bool),
            word_vectors(words, encoder, background),
            len(frequent) - len(stems),
        )

    @property
    def counts(self) -> list[int]:
        """How many items hold each word."""
        return [len(found) for found in self.holders]


def word_vectors(words: Sequence[str], encoder: Encoder, background: Any) -> Floats:
    """Return (w, d) float32 unit rows of the words as queries; those of the background come from there, in 8 bits.

    Three in four words of a catalog's titles are common ones, and a cosine of them is right to two digits.
    """
    place = {word: number for number, word in enumerate(background_words(encoder))} if background is not None else {}
    rare = [word for word in words if word not in place]
    encoded = dict(zip(rare, encoder.encode_queries(rare), strict=True)) if rare else {}
    if not words:
        return np.zeros((0, encoder.dim), np.float32)
    return unit_rows(
        np.stack([encoded[word] if word in encoded else background.reconstruct(place[word]) for word in words])
    )


def _counted(
    items: Sequence[Product], analyzer: Analyzer
) -> tuple[dict[str, Counter[str]], dict[str, list[int]], Counter[str]]:
    """Return stem -> its forms with their counts, stem -> items, and stem -> titles of a brand of that name."""
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    holders: dict[str, list[int]] = defaultdict(list)
    branded: Counter[str] = Counter()
    for item, product in enumerate(items):
        brand = {analyzer.term_of(word) for word in words_of(product.brand)}
        seen = set()
        for word in words_of(product.title):
            if not _is_word(word, analyzer):
                continue
            stem = analyzer.term_of(word)
            forms[stem][word] += 1
            if stem not in seen:
                seen.add(stem)
                holders[stem].append(item)
                branded[stem] += stem in brand
    return forms, holders, branded


def _is_word(word: str, analyzer: Analyzer) -> bool:
    return 2 < len(word) <= LONGEST_WORD and word.isalpha() and word not in analyzer.stop_words
