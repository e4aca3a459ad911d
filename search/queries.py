"""A request's words read and scored: what they mean in this catalog, and what every row scores under them.

Scored queries are remembered: page 2, every filter and every other preference of a query reuse them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from search.arrays import Mask
from search.codes import NO_MATCH, codes_in
from search.overlay import CHANGING
from search.query_encoder import QueryEncoder
from search.release import Release
from search.remembered import Remembered
from search.request import SearchRequest
from search.scoring import NO_BOOST, Boost, FirstLook, ScoredQuery, first_look
from search.second_look import second_look
from search.understanding import Understood
from search.understanding.constraints import Constraint
from search.watch import NOBODY, Watch

SURER = 0.2  # gain in confidence that makes an offered correction a made one; DESIGN.md, "Reading a query"
CACHED_SCORES, CACHED_SCORES_BYTES = 128, 8_000_000  # scored queries kept; one takes some 60 kB
Words = tuple[str, str, frozenset[Constraint]]  # text looked up, mode, filters in the query's words


@dataclass(frozen=True)
class Asked:
    """One request, read and scored.

    Attributes:
        request: as asked; read: what its words mean.
        scored: None when there are no words to look up.
        mode: hybrid, dense or lexical, as really used.
        degraded: why that is not the mode asked for, None when it is.
    """

    request: SearchRequest
    read: Understood
    scored: ScoredQuery | None
    mode: str
    degraded: str | None


def kept_rows(release: Release, read: Understood) -> Mask | None:
    """Return (n,) bool: the rows that keep every filter in a query's words; None when there is no filter in them."""
    filters = [one for one in read.constraints if one.is_filter]
    kept = [release.interpreter.kept_by(one) for one in filters]
    return np.logical_and.reduce(kept) if kept else None


def boost_of(release: Release, read: Understood) -> Boost:
    """Return what each row gains by the values a query names."""
    named = _named(read)
    if not named:
        return NO_BOOST
    boost = np.float32(release.ranking.boost)
    if len(named) == 1:  # all gain alike
        rows = _carriers(release, named[0])
        return Boost(rows, np.broadcast_to(boost, rows.shape), named)
    rows, (kept,) = release.lexical.sums.of([_carriers(release, one) for one in named], [[1.0] * len(named)])
    return Boost(rows, boost * (kept / np.float32(len(named))), named)


def _named(read: Understood) -> tuple[Constraint, ...]:
    """Return the values that a query names and that no product must have."""
    return tuple([one for one in read.constraints if not one.is_filter])


def _carriers(release: Release, named: Constraint) -> NDArray[np.int32]:
    """Return the rows that carry a value, or one of several, ascending."""
    if isinstance(named.value, str):
        return release.facets.values[named.field].holders(named.value)
    return np.flatnonzero(release.interpreter.kept_by(named)).astype(np.int32)


def _words_of(read: Understood, mode: str) -> Words:
    """Return what decides every score but the boost."""
    return read.search_text, mode, frozenset([one for one in read.constraints if one.is_filter])


class Queries:
    """Reads and scores queries against one release. Safe to share between threads.

    Args:
        release: an open release.
        encoder: of it.
        waits: whether a query waits for an encoder that is still loading; else it is answered lexically.
        watch: is told of the scored queries that were remembered.
    """

    def __init__(self, release: Release, encoder: QueryEncoder, *, waits: bool = True, watch: Watch = NOBODY):
        self.release, self.encoder, self.waits, self.watch = release, encoder, waits, watch
        self._scored: Remembered[Words, ScoredQuery] = Remembered(
            CACHED_SCORES, CACHED_SCORES_BYTES, lambda scored: scored.nbytes
        )
        self._confidences: Remembered[Words, float] = Remembered(CACHED_SCORES)  # of offered ones

    def over(self, release: Release) -> Queries:
        """Return the same over a release with other prices and stock; scores that do not depend on these are shared."""
        new = Queries(release, self.encoder, waits=self.waits, watch=self.watch)
        for key, scored in self._scored.items():
            if not any(one.field in CHANGING for one in (*key[2], *scored.boost.named)):
                new._scored.put(key, scored)
        return new

    # -- what is meant --

    def readings(self, request: SearchRequest) -> list[Understood]:
        """Return a request as it is read and, where meaning can choose between them, as it may be meant."""
        if codes_in(request.q, self.release.products).is_whole:
            return [Understood(request.q, request.q)]
        reader, literal = self.release.interpreter, tuple(request.literal)
        read = reader.understood(request.q, interpret=request.interpret, correct=request.correct, literal=literal)
        mode, degraded = self.usable_mode(request.mode, read.search_text)
        if read.did_you_mean is None or mode == "lexical" or degraded or not read.search_text:
            return [read]
        offered = reader.understood(read.did_you_mean, interpret=request.interpret, correct=False, literal=literal)
        return [read, replace(offered, corrected=read.did_you_mean)]

    def to_encode(self, request: SearchRequest, readings: Sequence[Understood]) -> list[str]:
        """Return the texts whose vectors an answer will ask for."""
        texts = [read.search_text for read in readings if read.search_text]
        return [text for text in texts if self.usable_mode(request.mode, text)[0] != "lexical"]

    def asked(self, request: SearchRequest, readings: Sequence[Understood]) -> Asked:
        """Return a request scored by the one of its readings that is meant."""
        read = self.chosen(request, readings)
        mode, degraded = self.usable_mode(request.mode, read.search_text)
        return Asked(request, read, self.scored(read, mode) if read.search_text else None, mode, degraded)

    def chosen(self, request: SearchRequest, readings: Sequence[Understood]) -> Understood:
        """Return which of a request's readings is meant: the other one if the answer is much surer with it."""
        read, *offered = readings
        if not offered:
            return read
        mode, _ = self.usable_mode(request.mode, read.search_text)
        return offered[0] if self._is_surer(offered[0], read, mode) else read

    def _is_surer(self, offered: Understood, read: Understood, mode: str) -> bool:
        """Return whether an offered correction is to be made; only then is it scored to the end."""
        sure = self.scored(read, mode).confidence_score
        if sure > 1 - SURER:  # nothing can be so much surer
            return False
        words = _words_of(offered, mode)
        confidence = self._confidences.get(words)
        if confidence is None:
            first = self._first_look(offered, mode)
            confidence = first.scored.confidence_score
            self._confidences.put(words, confidence)
            if confidence - sure >= SURER:
                self.scored(offered, mode, first)  # remembered
        return confidence - sure >= SURER

    def usable_mode(self, mode: str, text: str) -> tuple[str, str | None]:
        """Return (mode, degraded): words only while the encoder is not there."""
        if mode == "lexical" or not text or self.encoder.is_ready:
            return mode, None
        if self.encoder.failure:
            return "lexical", "encoder_unavailable"
        return (mode, None) if self.waits else ("lexical", "encoder_loading")

    # -- what it scores --

    def scored(self, read: Understood, mode: str, first: FirstLook | None = None) -> ScoredQuery:
        """Return a query scored against the whole catalog, remembered for the next page or filter.

        Args:
            read: the query; mode: hybrid, dense or lexical.
            first: its first look, where there was one.
        """
        words, named = _words_of(read, mode), _named(read)
        known = self._scored.get(words)
        is_whole = known is not None and known.boost.named == named
        self.watch.looked_up("scored_queries", int(is_whole), int(not is_whole))
        if known is None:
            scored = second_look(self.release, first or self._first_look(read, mode))
        elif is_whole:
            return known
        else:
            scored = replace(known, boost=boost_of(self.release, read))
        self._scored.put(words, scored)
        return scored

    def _first_look(self, read: Understood, mode: str) -> FirstLook:
        text, release = read.search_text, self.release
        vector = None if mode == "lexical" else self.encoder.vectors([text])[0]
        codes = NO_MATCH if mode == "dense" else codes_in(text, release.products)
        return first_look(release, text, vector, mode, boost_of(release, read), codes, kept_rows(release, read))
