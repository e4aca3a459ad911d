"""The sentence of a product that comes closest to a query: what a shopper is told when the title does not say it.

Every sentence has a vector (see search/segments.py), so the closest one costs a product of a few rows. Which sentence a
vector is of is not stored: short ones have none, and how long one is only the encoder's tokenizer knows. It is asked
once for each product that is shown.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from search.analysis import Analyzer
from search.arrays import Floats, Rows
from search.explain import SNIPPET_WORDS
from search.passages import DESCRIPTION_WORDS, SENTENCE_END, Part, passage_and_parts, without_sentences
from search.product import Product
from search.query_encoder import QueryEncoder
from search.release import Release
from search.scoring import ScoredQuery
from search.segments import segment_spans

REMEMBERED = 8192  # products whose sentences are known; about 1 kB each
LEAST_NEW = 2  # terms of a sentence that the title does not have
Span = tuple[int, int]
_ENDS = ";. \t\n"  # of a sentence that stands alone


class Sentences:
    """Finds sentences in the products of one release. Safe to share between threads.

    Args:
        release: an open release.
        encoder: the one that built it.
    """

    def __init__(self, release: Release, encoder: QueryEncoder):
        self.release, self.encoder = release, encoder
        self._boilerplate = frozenset(release.manifest["passages"]["boilerplate"])
        self._read: OrderedDict[int, list[Span]] = OrderedDict()
        self._lock = threading.Lock()

    def closest(self, scored: ScoredQuery, rows: Rows, products: Sequence[Product]) -> list[str]:
        """Return for each row the sentence of its description that comes closest to a query, plain text.

        "" where title, brand and attributes hold every word of the query, where no sentence is closer than the title
        and none holds a word of it, and where that sentence only says the title again.

        Args:
            scored: the query.
            rows: (k,) int64 that are shown; products: (k,) of these rows.
        """
        analyzer, terms = self.release.lexical.analyzer, set(scored.terms)
        found = [""] * len(products)
        open_places = [place for place, one in enumerate(products) if not _is_seen(one, terms, analyzer)]
        if not open_places:
            return found
        own = [without_sentences(products[place], self._boilerplate) for place in open_places]
        by_meaning = self._by_meaning(scored.vector, rows[open_places], own)
        for place, product, sentence in zip(open_places, own, by_meaning, strict=True):
            told = sentence or _by_words(product, terms, analyzer)
            found[place] = told if _says_more(told, product, analyzer) else ""
        return found

    def _by_meaning(self, query: Floats | None, rows: Rows, products: Sequence[Product]) -> list[str]:
        """Return the closest sentence of each description; "" where the title is closer, or nothing is known."""
        if query is None or not self.encoder.is_ready:
            return [""] * len(products)
        passages, parts = zip(*map(passage_and_parts, products), strict=True)
        spans = self._spans(rows, passages)
        gathered = self.release.segments.gathered(rows)
        cosines = np.split((gathered.codes @ query) * gathered.scales, gathered.firsts[1:])
        return [
            _closest(product, passage, last, of_passage, close)
            for product, passage, (*_, last), of_passage, close in zip(
                products, passages, parts, spans, cosines, strict=True
            )
        ]

    def _spans(self, rows: Rows, passages: Sequence[str]) -> list[list[Span]]:
        """Return the (start, end) that each row's segments stand for; the tokenizer is asked where it is in doubt."""
        counts = np.diff(self.release.segments.starts)[rows].tolist()
        keys = rows.tolist()
        with self._lock:
            known = {row: self._read[row] for row in keys if row in self._read}
        doubtful = []
        for row, passage, count in zip(keys, passages, counts, strict=True):
            if row not in known:
                known[row] = segment_spans(passage)
                if len(known[row]) != count:
                    doubtful.append((row, passage))
        if doubtful:
            read = self.encoder.segments_read([passage for _, passage in doubtful])
            known |= dict(zip([row for row, _ in doubtful], read, strict=True))
        with self._lock:
            self._read |= known
            while len(self._read) > REMEMBERED:
                self._read.popitem(last=False)
        return [known[row] for row in keys]


def _is_seen(product: Product, terms: set[str], analyzer: Analyzer) -> bool:
    """Return whether title, brand and short attributes, which a card shows or gives as reasons, hold every term."""
    left = terms.difference(analyzer.terms_of(f"{product.title} {product.brand}"))
    for values in product.attributes.values():
        if not left:
            break
        for value in values:
            if len(value) <= 40:
                left = left.difference(*map(analyzer.terms_of_word, value.split()))
    return not left


def _says_more(sentence: str, product: Product, analyzer: Analyzer) -> bool:
    """Return whether a sentence is more than the title again."""
    known = set(analyzer.terms_of(f"{product.title} {product.brand}"))
    return len(set().union(*map(analyzer.terms_of_word, sentence.split())) - known) >= LEAST_NEW


def _closest(product: Product, passage: str, last: Part, spans: Sequence[Span], cosines: Floats) -> str:
    """Return the description's closest sentence if it is closer than the title; "" if not, or if segments are unknown.

    Args:
        product, passage: and its text, which ends with `last`.
        spans: (s,) where its segments stand in the passage.
        cosines: (s,) float32, how close each is.
    """
    if len(spans) != len(cosines) or last.field != "description":
        return ""
    said = [place for place, (start, _) in enumerate(spans) if start >= last.start]
    least = max((float(cosines[place]) for place, (start, _) in enumerate(spans) if start == 0), default=-1.0)
    if not said:
        return ""
    best = max(said, key=lambda place: float(cosines[place]))
    if float(cosines[best]) < least:
        return ""
    start, end = spans[best]
    whole = _sentence_around(passage, last.start, start)
    start, end = whole if len(passage[slice(*whole)].split()) <= SNIPPET_WORDS else (start, end)
    is_cut = end == len(passage) and len(product.description.split()) > DESCRIPTION_WORDS
    return passage[start:end].rstrip(_ENDS) + (" …" if is_cut else "")


def _sentence_around(passage: str, begins: int, place: int) -> Span:
    """Return the (start, end) of the sentence at a place of a text that begins somewhere; a segment is a part of it."""
    ends = [begins + found.end() for found in SENTENCE_END.finditer(passage[begins:])]
    before, after = [end for end in ends if end <= place], [end for end in ends if end > place]
    return (before[-1] if before else begins), (after[0] if after else len(passage))


def _by_words(product: Product, terms: set[str], analyzer: Analyzer) -> str:
    """Return the sentence of a description that holds the most terms, the first of equals; "" when none holds any."""
    sentences = SENTENCE_END.split(product.description)
    held = [len(terms.intersection(analyzer.terms_of(one))) for one in sentences]
    return sentences[int(np.argmax(held))].rstrip(_ENDS) if max(held) else ""
