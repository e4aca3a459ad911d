"""STORY 2: query -> results. The page, the API, the command line and the evaluation all ask here."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from search.arrays import Floats, Mask, Rows, union_of
from search.clusters import Cluster, cluster_json
from search.codes import NO_MATCH, codes_in
from search.encoder import Encoder
from search.encoders import find_encoder
from search.errors import AisleError, QueryError
from search.facet_counts import facets_json
from search.folding import Folding
from search.hits import hits_of
from search.home import Home, default_home, layout_of
from search.likeness import similar_rows
from search.match import Match, Matcher
from search.overlay import CHANGING, with_changes
from search.product import Product
from search.query_encoder import QueryEncoder
from search.recommend import recommended_rows
from search.release import Release, open_release
from search.remembered import Remembered
from search.request import Hit, SearchRequest, SearchResults
from search.rescue import ways_out
from search.retrieval import (
    RelevantSet,
    drawn_rows,
    fused_scores,
    ranked,
    relevant_set,
    widened,
)
from search.scoring import NO_BOOST, Boost, FirstLook, ScoredQuery, first_look
from search.second_look import second_look
from search.sentences import Sentences
from search.state.batches import Change
from search.state.changes import ChangeLog, Reading
from search.suggest import Suggestions, suggestions
from search.understanding import Understood
from search.watch import NOBODY, Watch

SHOWN_CLUSTERS = 12
# One search at a time but for its encoding: it is hundreds of small steps that let go of the interpreter's lock, and
# threads that fight over it take 20 ms of CPU for an answer of 13 (DESIGN.md, "Under load").
TURN = threading.Lock()
SURER = 0.2  # gain in confidence that makes an offered correction a made one; DESIGN.md, "Reading a query"
CACHED_SCORES = 32  # scored queries kept: page 2 and every filter of a query reuse them
# A good part of what a shop is asked is the same again. An answer of 24 hits takes 120 kB, its products above all.
CACHED_ANSWERS, CACHED_ANSWERS_BYTES, HIT_BYTES = 64, 8_000_000, 5_000
CACHED_ROWS = 400_000  # rows that they hold words of, 12 bytes each: a long query in a large catalog has a million


@dataclass(frozen=True)
class _Asked:
    """One request, read and scored; `scored` is None when there are no words to look up."""

    request: SearchRequest
    read: Understood
    scored: ScoredQuery | None


@dataclass(frozen=True)
class _Answer:
    """What answers a request, whatever page of it is shown.

    Attributes:
        found: the relevant set; rows: the same, in the wanted order.
        ranking: the first row of each product in that order where variants are folded, else `rows`.
        facets, clusters: counted over them, as the API tells them; not to be changed.
    """

    found: RelevantSet
    rows: Rows
    ranking: Rows
    facets: dict[str, dict[str, Any]]
    clusters: list[dict[str, Any]]


def _is_scored_alike(one: Understood, other: Understood) -> bool:
    """Return whether two readings are scored alike but for the boost: the words and the filters in them decide."""
    if one.search_text != other.search_text:
        return False
    filters, others = ({each for each in read.constraints if each.is_filter} for read in (one, other))
    return filters == others


def _key_of(request: SearchRequest) -> str:
    """Return what two requests have in common if they ask the same."""
    return json.dumps(vars(request), default=list, sort_keys=True)


def _new_answers() -> Remembered[str, SearchResults]:
    return Remembered(
        CACHED_ANSWERS, CACHED_ANSWERS_BYTES, lambda answer: HIT_BYTES * len(answer.hits) + answer.rows.nbytes
    )


class Engine:
    """Answers questions about one release. Safe to share between threads.

    Args:
        release: an open release.
        encoder: returns the encoder it was built with (checked by fingerprint at first use); or another engine's, of
            the same release, whose vectors are remembered.
        waits: whether a query waits for an encoder that is still loading; a server answers lexically instead.
        watch: is told of encoded texts and of the caches.
    """

    def __init__(
        self,
        release: Release,
        encoder: Callable[[], Encoder] | QueryEncoder,
        *,
        waits: bool = True,
        watch: Watch = NOBODY,
    ):
        self.release, self.watch = release, watch
        if not isinstance(encoder, QueryEncoder):
            fingerprint = release.manifest["encoder"]["fingerprint"]
            encoder = QueryEncoder(encoder, fingerprint, release.dense.dim, release.reduction, watch)
        self.encoder = encoder
        self.waits = waits
        self.matcher = Matcher(release, self.encoder)
        self.sentences = Sentences(release)
        self._scored: OrderedDict[tuple[Understood, str], ScoredQuery] = OrderedDict()
        self._confidences: Remembered[tuple[Understood, str], float] = Remembered(CACHED_SCORES)  # of offered ones
        self._lock = threading.Lock()
        self._answers = _new_answers()
        self._built: Engine | None = None

    @property
    def as_built(self) -> Engine:
        """The engine of the same release without the changes of prices and stock on top of it."""
        return self._built or self

    def with_changes(self, changes: Mapping[str, Change], sequence: int) -> Engine:
        """Return an engine of the same release with other prices and stock; all that does not depend on them is shared.

        Args:
            changes: by product id, later than those it has.
            sequence: number of the last of them.
        """
        new = copy(self)
        new.release = with_changes(self.release, changes, sequence)
        new._built, new._lock, new._answers = self.as_built, threading.Lock(), _new_answers()
        new._confidences = Remembered(CACHED_SCORES)
        with self._lock:
            new._scored = OrderedDict(
                (key, scored) for key, scored in self._scored.items()
                if not any(one.field in CHANGING for one in key[0].constraints)
            )  # fmt: skip
        return new

    @classmethod
    def open(cls, path: Path | str | None = None, *, home: Home | None = None, waits: bool = True) -> Engine:
        """Open the live release of a home (default: `AISLE_HOME` or ./instance), or a release folder.

        Raises:
            ReleaseError: there is none, or it is damaged.
            ChangesUnavailable: what changed since cannot be read.
        """
        home = home or (Home(Path(path)) if path and (Path(path) / "index").is_dir() else default_home())
        layout = layout_of(path if path is not None else home.root)
        release = open_release(layout)
        engine = cls(release, partial(find_encoder, release.manifest["encoder"], home), waits=waits)
        is_of_home = layout.folder.parent == home.releases
        return engine.up_to_date(ChangeLog(home.changes).read(release.sequence)) if is_of_home else engine

    def up_to_date(self, reading: Reading) -> Engine:
        """Return an engine with the changes of prices and stock that were read after the last it knows, if any."""
        is_later = reading.sequence > self.release.sequence
        return self.with_changes(reading.changes, reading.sequence) if is_later else self

    # -- the story --

    def search(self, q: str | SearchRequest = "", **parameters: Any) -> SearchResults:
        """Answer a search: `search("red dress", price_max=50)` or `search(SearchRequest(...))`.

        Raises:
            QueryError: a parameter that is not understood; it names it.
        """
        started = time.perf_counter()
        request = q if isinstance(q, SearchRequest) else SearchRequest(q=q, **parameters)
        key, answers = _key_of(request), self._answers
        known = answers.get(key)
        self.watch.looked_up("answers", int(known is not None), int(known is None))
        if known is not None:
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            timings = dict.fromkeys(known.timings_ms, 0.0)
            return replace(known, query_id=uuid.uuid4().hex, took_ms=milliseconds, timings_ms=timings)
        with TURN:
            readings = self._readings(request)
        if wanted := self._to_encode(request, readings):
            self.encoder.vectors(wanted)  # remembered: meanwhile another search has its turn
        with TURN:
            results = self._answer(request, readings, started)
        if results.degraded is None:  # another time it may be answered in full
            answers.put(key, results)
        return results

    def _answer(self, request: SearchRequest, readings: Sequence[Understood], started: float) -> SearchResults:
        """Return the results of a request that was read; `started` as `time.perf_counter` told."""
        asked, mode, degraded = self._asked(request, readings)
        read, scored = asked.read, asked.scored
        scored_at = time.perf_counter()

        answer = self._answered(asked)
        found, rows, ranking = answer.found, answer.rows, answer.ranking
        counted_at = time.perf_counter()

        hits = self._hits(asked, ranking, rows)
        done = time.perf_counter()
        milliseconds = {"score": scored_at - started, "count": counted_at - scored_at, "show": done - counted_at}
        return SearchResults(
            request=request,
            query={"text": request.q, "search_text": read.search_text, "corrected": read.corrected,
                   "did_you_mean": read.did_you_mean, "constraints": [one.as_json() for one in read.constraints],
                   "unknown_words": self.release.interpreter.unknown_words(read.search_text)},
            query_id=uuid.uuid4().hex,
            release=self.release.name,
            sequence=self.release.sequence,
            mode=mode,
            total=len(ranking),
            total_relation="exact" if found.is_exact else "at_least",
            confidence="none" if len(rows) == 0 else scored.confidence if scored else "good",
            confidence_score=scored.confidence_score if scored else 1.0,
            degraded=degraded,
            pages=-(-len(ranking) // request.per_page),
            hits=hits,
            facets=answer.facets,
            clusters=answer.clusters,
            less_relevant=self._less_relevant(asked, found),
            rescue=None if len(rows) else ways_out(self.release, request, read, scored, self.total),
            currency=self.release.currency,
            took_ms=round((done - started) * 1000, 2),
            timings_ms={stage: round(seconds * 1000, 2) for stage, seconds in milliseconds.items()},
            rows=rows,
        )  # fmt: skip

    def _answered(self, asked: _Asked) -> _Answer:
        """Return what answers a request; browsing, which may mean every row, is remembered."""
        if asked.scored is not None:
            return self._worked_out(asked)
        key = _key_of(replace(asked.request, q="", page=1, per_page=1, explain=False)), asked.read.constraints
        return self.release.browsed.made(key, lambda: self._worked_out(asked))

    def _worked_out(self, asked: _Asked) -> _Answer:
        found = self._relevant(asked)
        rows = self._sorted(found, asked.request.sort)
        folding = self._folding(asked.request)
        ranking = rows if folding is None else folding.first_rows(rows)
        return _Answer(found, rows, ranking, self._facets(asked, found), self._clusters(asked, found))

    def search_many(self, requests: Sequence[SearchRequest]) -> list[SearchResults]:
        """Answer several searches, in order; all their texts are encoded in one call, which is most of the time saved.

        Raises:
            QueryError: a parameter of one of them is not understood.
        """
        wanted = [text for request in requests for text in self._to_encode(request, self._readings(request))]
        if wanted:
            self.encoder.vectors(wanted)  # remembered, so that no search encodes
        return [self.search(request) for request in requests]

    def understood(self, request: SearchRequest) -> Understood:
        """Return what the words of a request mean in this catalog; a part number means itself.

        A correction that spelling alone is not sure of is made if the answer is much surer with it: the catalog
        decides.
        """
        return self._chosen(request, self._readings(request))

    def _chosen(self, request: SearchRequest, readings: Sequence[Understood]) -> Understood:
        read, *offered = readings
        if not offered:
            return read
        mode, _ = self._usable_mode(request.mode, read.search_text)
        return offered[0] if self._is_surer(offered[0], read, mode) else read

    def _is_surer(self, offered: Understood, read: Understood, mode: str) -> bool:
        """Return whether an offered correction is to be made; only then is it scored to the end."""
        sure = self.scored(read, mode).confidence_score
        if sure > 1 - SURER:  # nothing can be so much surer
            return False
        confidence = self._confidences.get((offered, mode))
        if confidence is None:
            first = self._first_look(offered, mode)
            confidence = first.scored.confidence_score
            self._confidences.put((offered, mode), confidence)
            if confidence - sure >= SURER:
                self.scored(offered, mode, first)  # remembered
        return confidence - sure >= SURER

    def _readings(self, request: SearchRequest) -> list[Understood]:
        """Return a request as it is read and, where meaning can choose between them, as it may be meant."""
        if codes_in(request.q, self.release.products).is_whole:
            return [Understood(request.q, request.q)]
        reader, literal = self.release.interpreter, tuple(request.literal)
        read = reader.understood(request.q, interpret=request.interpret, correct=request.correct, literal=literal)
        mode, degraded = self._usable_mode(request.mode, read.search_text)
        if read.did_you_mean is None or mode == "lexical" or degraded or not read.search_text:
            return [read]
        offered = reader.understood(read.did_you_mean, interpret=request.interpret, correct=False, literal=literal)
        return [read, replace(offered, corrected=read.did_you_mean)]

    def _to_encode(self, request: SearchRequest, readings: Sequence[Understood]) -> list[str]:
        """Return the texts whose vectors an answer will ask for."""
        texts = [read.search_text for read in readings if read.search_text]
        return [text for text in texts if self._usable_mode(request.mode, text)[0] != "lexical"]

    def _asked(self, request: SearchRequest, readings: Sequence[Understood]) -> tuple[_Asked, str, str | None]:
        """Return a request read and scored, the mode it is answered in, and why that is not the one asked for."""
        read = self._chosen(request, readings)
        mode, degraded = self._usable_mode(request.mode, read.search_text)
        return _Asked(request, read, self.scored(read, mode) if read.search_text else None), mode, degraded

    def _usable_mode(self, mode: str, text: str) -> tuple[str, str | None]:
        """Return (mode, degraded): words only while the encoder is not there."""
        if mode == "lexical" or not text or self.encoder.is_ready:
            return mode, None
        if self.encoder.failure:
            return "lexical", "encoder_unavailable"
        return (mode, None) if self.waits else ("lexical", "encoder_loading")

    def scored(self, read: Understood, mode: str, first: FirstLook | None = None) -> ScoredQuery:
        """Return a query scored against the whole catalog, remembered for the next page or filter.

        Args:
            read: the query; mode: hybrid, dense or lexical.
            first: its first look, where there was one.
        """
        key = (read, mode)
        with self._lock:
            found, alike = self._scored.get(key), None
            if found is not None:
                self._scored.move_to_end(key)
            else:
                alike = next((one for (other, how), one in self._scored.items()
                              if how == mode and _is_scored_alike(other, read)), None)  # fmt: skip
        self.watch.looked_up("scored_queries", int(found is not None), int(found is None))
        if found is not None:
            return found
        if alike is None:
            scored = second_look(self.release, first or self._first_look(read, mode))
        else:
            scored = replace(alike, boost=self._boost(read))
        with self._lock:
            self._scored[key] = scored
            held = sum(len(one.words) for one in self._scored.values())
            while len(self._scored) > CACHED_SCORES or (held > CACHED_ROWS and len(self._scored) > 1):
                held -= len(self._scored.popitem(last=False)[1].words)
        return scored

    def _first_look(self, read: Understood, mode: str) -> FirstLook:
        text = read.search_text
        vector = None if mode == "lexical" else self.encoder.vectors([text])[0]
        codes = NO_MATCH if mode == "dense" else codes_in(text, self.release.products)
        return first_look(self.release, text, vector, mode, self._boost(read), codes, self._kept(read))

    def _boost(self, read: Understood) -> Boost:
        """Return what each row gains by the values the query names."""
        named = [one for one in read.constraints if not one.is_filter]
        if not named:
            return NO_BOOST
        keeping = [np.flatnonzero(self.release.interpreter.kept_by(one)).astype(np.int32) for one in named]
        rows, (kept,) = self.release.lexical.sums.of(keeping, [[1.0] * len(named)])
        return Boost(rows, (self.release.ranking.boost * (kept / len(named))).astype(np.float32))

    def _kept(self, read: Understood) -> Mask | None:
        """Return the rows that keep every filter in the query's words."""
        filters = [one for one in read.constraints if one.is_filter]
        kept = [self.release.interpreter.kept_by(one) for one in filters]
        return np.logical_and.reduce(kept) if kept else None

    def _allowed(self, asked: _Asked, without: str = "") -> Mask | None:
        """Return the mask of all filters, those chosen for one field ("cluster" too) left out on demand.

        What the query's own words demand always holds, so that a count is what choosing a value brings. None when
        nothing is chosen and the query was scored among the rows that keep its own conditions.
        """
        request = asked.request
        filters = {name: values for name, values in request.filters.items() if name != without}
        price = (None, None) if without == "price" else (request.price_min, request.price_max)
        rating = None if without == "rating" else request.rating_min
        masks = [self.release.facets.allowed(filters, *price, request.in_stock, rating)]
        if request.cluster is not None and without != "cluster":
            self.release.clusters.cluster(request.cluster)
            masks.append(self.release.clusters.rows_in(request.cluster))
        given = [mask for mask in masks if mask is not None]
        if not given and asked.scored is not None and asked.scored.is_kept:
            return None
        if (kept := self._kept(asked.read)) is not None:
            given.append(kept)
        return np.logical_and.reduce(given) if given else None

    def _relevant(self, asked: _Asked, without: str = "") -> RelevantSet:
        """Return the relevant set; a query without words to look up browses every allowed row in catalog order."""
        allowed = self._allowed(asked, without)
        if asked.scored is not None:
            found = relevant_set(self.release, asked.scored, allowed)
            if asked.request.cutoff:
                return found
            return widened(self.release, asked.scored, found, drawn_rows(asked.scored, allowed))
        rows = np.arange(self.release.rows) if allowed is None else np.flatnonzero(allowed)
        return RelevantSet(rows.astype(np.int64), np.ones(len(rows), np.float32), True)

    def _less_relevant(self, asked: _Asked, found: RelevantSet) -> int:
        """Return how many more products or rows there are below the cut-off; 0 where it is lifted or there is none."""
        if asked.scored is None or not asked.request.cutoff:
            return 0
        drawn = union_of(found.rows, drawn_rows(asked.scored, self._allowed(asked)))
        return self._count(asked.request, drawn) - self._count(asked.request, found.rows)

    def _count(self, request: SearchRequest, rows: Rows) -> int:
        folding = self._folding(request)
        return len(rows) if folding is None else folding.count(rows)

    def _sorted(self, found: RelevantSet, sort: str) -> Rows:
        """Return the rows of a relevant set in the wanted order; unknown values last, ties by relevance."""
        column = {"price:asc": "price", "price:desc": "price", "rating:desc": "rating", "newest": "created"}.get(sort)
        numbers = self.release.facets.numbers.get(column or "")
        if numbers is None:
            return found.rows
        keys = numbers[found.rows] * (1 if sort == "price:asc" else -1)
        return found.rows[np.argsort(keys, kind="stable")]  # NaN sorts last

    def _folding(self, request: SearchRequest) -> Folding | None:
        """Return how rows fold into what is counted and shown; None: every row stands for itself."""
        return self.release.folding if request.fold else None

    # -- counts over the one relevant set --

    def _facets(self, asked: _Asked, found: RelevantSet) -> dict[str, dict[str, Any]]:
        """Return the facets asked for. A field's own selection does not narrow its own counts (multi-select)."""

        def rows_without(name: str) -> Rows:
            return self._relevant(asked, without=name).rows

        request = asked.request
        return facets_json(self.release.facets, request, found.rows, rows_without, self._folding(request))

    def _clusters(self, asked: _Asked, found: RelevantSet) -> list[dict[str, Any]]:
        """Return the leaf clusters of the results with counts, most first; the chosen one does not narrow the list."""
        rows = found.rows if asked.request.cluster is None else self._relevant(asked, without="cluster").rows
        counts = self.release.clusters.counts(rows, self._folding(asked.request))
        return [cluster_json(*counted) for counted in counts[:SHOWN_CLUSTERS]]

    def total(self, request: SearchRequest) -> int:
        """Return how many products answer a request."""
        return self._count(request, self._relevant(self._asked(request, self._readings(request))[0]).rows)

    # -- what is shown --

    def _hits(self, asked: _Asked, ranking: Rows, relevant: Rows) -> list[Hit]:
        request, read, scored = asked.request, asked.read, asked.scored
        return hits_of(self.release, self.sentences, request, read, scored, ranking, relevant)

    # -- the other questions --

    def rank(
        self, text: str, mode: str = "hybrid", depth: int = 1000, interpret: bool = True
    ) -> tuple[list[str], Floats]:
        """Return product ids and scores, best first, before the cut-off: what evaluation measures."""
        read, scored = self._read_and_scored(text, mode, interpret)
        rows, scores = ranked(self.release, scored, depth, None if scored.is_kept else self._kept(read))
        return [product.id for product in self.release.products.products(rows)], scores

    def scores_of(self, text: str, product_ids: Sequence[str], mode: str = "hybrid", interpret: bool = True) -> Floats:
        """Return the scores `rank` would compare these products by, candidates or not.

        What breaks a filter in the query's words, and is never ranked, scores below everything that keeps it.

        Raises:
            NotFound: an id is not in the release.
        """
        read, scored = self._read_and_scored(text, mode, interpret)
        rows = np.asarray([self.release.products.row_of(product_id) for product_id in product_ids], np.int64)
        scores = fused_scores(self.release, scored, rows)
        kept = self._kept(read)
        return scores if kept is None else np.where(kept[rows], scores, scores - 10).astype(np.float32)

    def _read_and_scored(self, text: str, mode: str, interpret: bool) -> tuple[Understood, ScoredQuery]:
        read = self.understood(SearchRequest(q=text, mode=mode, interpret=interpret, correct=interpret))
        if not read.search_text:  # nothing but filters: the words themselves decide the order
            read = replace(read, search_text=read.text)
        return read, self.scored(read, mode)

    def product(self, product_id: str) -> Product:
        """Return a product by the shop's id.

        Raises:
            NotFound: no product has it.
        """
        return self.release.products.products([self.release.products.row_of(product_id)])[0]

    def variants(self, product: Product) -> list[Product]:
        """Return every product of the same group, itself included, in catalog order; [] when it stands alone."""
        return self.release.products.products(self.release.products.group_rows(product.group_id))

    def similar(self, product_id: str, limit: int = 12) -> list[tuple[Product, float]]:
        """Return the products most alike with their likeness, one per group, the product's own group left out.

        Raises:
            NotFound: no product has the id.
            QueryError: limit is outside 1..100.
        """
        return self._scored_products(*similar_rows(self.release, product_id, limit))

    def match(self, product_id: str, q: str) -> Match:
        """Return which words of a query and of a product make them close; by words alone while the encoder loads.

        Raises:
            NotFound: no product has the id.
            QueryError: the query is empty or too long.
            EncoderError: an encoder that the engine waits for cannot be loaded.
        """
        row, request = self.release.products.row_of(product_id), SearchRequest(q=q)
        if not request.q:
            raise QueryError("q", "q is empty; give the words that the product is to be compared with")
        text = self.understood(request).search_text
        _, degraded = self._usable_mode("dense", text)
        is_by_words = degraded or not text
        return self.matcher.by_words(row, text, degraded) if is_by_words else self.matcher.match(row, text)

    def recommend(
        self,
        liked: Sequence[str],
        disliked: Sequence[str] = (),
        filters: Mapping[str, Sequence[str]] | None = None,
        limit: int = 12,
    ) -> list[tuple[Product, float]]:
        """Return products like those liked and unlike those disliked, with their closeness; one of each group.

        Raises:
            NotFound: an id is not in the release.
            QueryError: nothing is liked, an id is on both sides, there are too many, a filter is unknown, or limit is
                outside 1..100.
        """
        return self._scored_products(*recommended_rows(self.release, liked, disliked, filters or {}, limit))

    def _scored_products(self, rows: Rows, scores: Floats) -> list[tuple[Product, float]]:
        products = self.release.products.products(rows)
        return [(product, round(float(score), 4)) for product, score in zip(products, scores, strict=True)]

    def clusters(self) -> list[Cluster]:
        """Return every cluster, largest first within its level, parents before their children."""
        index = self.release.clusters
        return [one for top in index.children(None) for one in (top, *index.children(top.id))]

    def suggest(self, prefix: str, limit: int = 5) -> Suggestions:
        """Return suggestions for what was typed so far, by kind, or for its right spelling; without the encoder.

        Raises:
            QueryError: the prefix is too long, or limit is outside 1..20.
        """
        return suggestions(self.release, prefix, limit)

    @property
    def problem(self) -> AisleError | None:
        """Why meaning cannot be searched, None while it can or may."""
        return self.encoder.failure
