"""Asking a catalog what it cannot answer, so that its release knows what a hopeless query looks like here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from search.arrays import Floats, best_rows
from search.confidence import Calibration, Confidence
from search.dense import DenseIndex
from search.encoder import Encoder
from search.errors import ReleaseDamaged
from search.home import Home
from search.lexical import LexicalIndex
from search.reduction import ReducedEncoder, space_of
from search.release import read_manifest
from search.scoring import INSPECTED
from search.segments import SegmentIndex

FOREIGN = Path(__file__).with_name("foreign.txt")  # services, questions, live animals, gibberish: no shop's goods
BACKGROUND_WORDS = 12000
LEAST_LETTERS = 3
MANY_WORDS = 4096  # from which two passes are faster than one
DIMENSIONS_A_PART, REFINED = 4, 64.0  # of the first pass: four in four bits; and the words that it names
LEAST_QUERIES = 30
ANSWERED = 0.95  # title coverage from which this catalog does answer a foreign query
PASSING, NOISE = 0.9, 0.25  # quantiles over the foreign queries: of the margin at .5, of the closeness that is noise


def foreign_queries() -> list[str]:
    """Return the queries that come with Aisle and that no catalog of goods answers."""
    return FOREIGN.read_text("utf-8").splitlines()


def calibrate(
    queries: Sequence[str],
    encoder: Encoder,
    dense: DenseIndex,
    segments: SegmentIndex,
    lexical: LexicalIndex,
    background: Any,
) -> Confidence:
    """Return how sure a release can be, from what unanswerable queries reach in it.

    Queries whose words stand together in a title are left out: this catalog does answer them. With fewer than
    LEAST_QUERIES left, the defaults of `Calibration` stay.

    Args:
        queries: unanswerable ones.
        encoder: of the release.
        dense, segments, lexical: of the release.
        background: see `background_of`.
    """
    confidence = Confidence(Calibration(), background)
    closest, margins = [], []
    for text, vector in zip(queries, encoder.encode_queries(queries), strict=True):
        terms = tuple(lexical.query_terms(text))
        title_coverage = lexical.best_title_coverage(terms) if terms else 0.0
        if title_coverage >= ANSWERED:
            continue
        rows, cosines = dense.search(vector, INSPECTED)
        scores = lexical.scores(lexical.term_ids(text))
        words = best_rows(scores, INSPECTED)
        near = np.union1d(rows, words[scores[words] > 0])
        closest.append(float(max(cosines[0], segments.closest(vector, near).max())))
        coverage = float(lexical.coverage(text).max(initial=0.0))
        margins.append(confidence.margin(vector, closest[-1], title_coverage, coverage))
    if len(closest) < LEAST_QUERIES:
        return confidence
    half, center = np.quantile(margins, [0.5, PASSING])
    scale = max(float(center - half) / math.log(PASSING / (1 - PASSING)), 1e-3)
    noise = float(np.quantile(closest, NOISE))
    return Confidence(Calibration(float(center), scale, noise, len(closest)), background)


def background_of(encoder: Encoder, home: Home) -> Any:
    """Return a FAISS index of the encoder's most common words, 8 bits a value; a kept release lends it.

    To an encoder whose vectors are cut, a release that takes them whole lends its words to be cut.
    """
    if (lent := _lent(encoder.fingerprint, home)) is not None:
        return _in_two_passes(lent)  # releases of earlier versions read it in one
    if isinstance(encoder, ReducedEncoder) and (lent := _lent(encoder.encoder.fingerprint, home)) is not None:
        return word_index(encoder.reduction.of(lent.reconstruct_n(0, lent.ntotal)))
    words = background_words(encoder)
    return word_index(encoder.encode_queries(words)) if words else None


def _lent(space: str, home: Home) -> Any:
    for layout in home.all_releases():
        try:
            if space_of(read_manifest(layout)) == space:
                return Confidence.load(layout.confidence).background
        except (ReleaseDamaged, KeyError):
            continue
    return None


def background_words(encoder: Encoder) -> list[str]:
    """Return the encoder's most common words; word i is vector i of `background_of`."""
    return [word for word in encoder.words() if len(word) >= LEAST_LETTERS and word.isalpha()][:BACKGROUND_WORDS]


def word_index(vectors: Floats) -> Any:
    """Return a FAISS index of (n, d) float32 unit rows, 8 bits a value."""
    import faiss

    index = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    return _in_two_passes(index)


def _in_two_passes(words: Any) -> Any:
    """Return an index of the same vectors and scores that reads an eighth of the bytes where there are many words.

    One bit a dimension names REFINED words, which are scored again: of 2,500 queries each kept its nearest word.
    """
    import faiss

    if words.ntotal < MANY_WORDS or words.d % DIMENSIONS_A_PART or isinstance(words, faiss.IndexRefine):
        return words
    first = faiss.IndexPQFastScan(words.d, words.d // DIMENSIONS_A_PART, 4, words.metric_type)
    vectors = words.reconstruct_n(0, words.ntotal)
    first.train(vectors)
    first.add(vectors)
    index = faiss.IndexRefine(first, words)
    index.k_factor = REFINED
    return index
