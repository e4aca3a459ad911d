"""STORY 2: query -> results. The page, the API, the command line and the evaluation all ask here."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from search.answer import answer_to, less_relevant, total_of
from search.arrays import Floats, Rows
from search.clusters import Cluster
from search.encoder import Encoder
from search.encoders import find_encoder
from search.errors import AisleError, QueryError
from search.hits import hits_of
from search.home import Home, default_home, layout_of
from search.known_answers import KnownAnswers
from search.likeness import similar_rows
from search.match import Match, Matcher
from search.overlay import with_changes
from search.product import Product
from search.queries import Queries, kept_rows
from search.query_encoder import QueryEncoder
from search.recommend import recommended_rows
from search.release import Release, open_release
from search.request import SearchRequest, SearchResults
from search.rescue import ways_out
from search.retrieval import fused_scores, ranked
from search.scoring import ScoredQuery
from search.sentences import Sentences
from search.state.batches import Change
from search.state.changes import ChangeLog, Reading
from search.suggest import Suggestions, suggestions
from search.understanding import Understood
from search.watch import NOBODY, Watch

# One search at a time but for its encoding: it is hundreds of small steps that let go of the interpreter's lock, and
# threads that fight over it take 20 ms of CPU for an answer of 13 (DESIGN.md, "Under load").
TURN = threading.Lock()


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
        self.queries = Queries(release, encoder, waits=waits, watch=watch)
        self.matcher = Matcher(release, self.encoder)
        self.sentences = Sentences(release)
        self._answers = KnownAnswers(release.products)
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
        new.queries = self.queries.over(new.release)
        new._built, new._answers = self.as_built, KnownAnswers(new.release.products)
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
        request = q if isinstance(q, SearchRequest) else SearchRequest(q=q, **parameters)
        return self.known(request) or self.worked_out(request)

    def known(self, request: SearchRequest) -> SearchResults | None:
        """Return the answer to a search that was asked before and is remembered, else None: it has to be worked out."""
        started = time.perf_counter()
        known = self._answers.get(request)
        self.watch.looked_up("answers", int(known is not None), int(known is None))
        if known is None:
            return None
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        timings = dict.fromkeys(known.timings_ms, 0.0)
        return replace(known, query_id=uuid.uuid4().hex, took_ms=milliseconds, timings_ms=timings)

    def worked_out(self, request: SearchRequest) -> SearchResults:
        """Answer a search, remembered or not.

        Raises:
            QueryError: a parameter that is not understood; it names it.
        """
        started, answers = time.perf_counter(), self._answers
        with self.encoder.coming():
            with TURN:
                readings = self.queries.readings(request)
            if wanted := self.queries.to_encode(request, readings):
                self.encoder.vectors(wanted)  # remembered: meanwhile another search has its turn
        with self.encoder.turn(TURN):
            results = self._answer(request, readings, started)
        if results.degraded is None:  # another time it may be answered in full
            answers.put(results)
        return results

    def _answer(self, request: SearchRequest, readings: Sequence[Understood], started: float) -> SearchResults:
        """Return the results of a request that was read; `started` as `time.perf_counter` told."""
        release, asked = self.release, self.queries.asked(request, readings)
        read, scored = asked.read, asked.scored
        scored_at = time.perf_counter()

        answer = answer_to(release, asked)
        found, rows, ranking = answer.found, answer.rows, answer.ranking
        counted_at = time.perf_counter()

        hits = hits_of(release, self.sentences, request, read, scored, answer)
        done = time.perf_counter()
        milliseconds = {"score": scored_at - started, "count": counted_at - scored_at, "show": done - counted_at}
        return SearchResults(
            request=request,
            query={"text": request.q, "search_text": read.search_text, "corrected": read.corrected,
                   "did_you_mean": read.did_you_mean, "constraints": [one.as_json() for one in read.constraints],
                   "unknown_words": release.interpreter.unknown_words(read.search_text)},
            query_id=uuid.uuid4().hex,
            release=release.name,
            sequence=release.sequence,
            mode=asked.mode,
            total=len(ranking),
            total_relation="exact" if found.is_exact else "at_least",
            confidence="none" if len(rows) == 0 else scored.confidence if scored else "good",
            confidence_score=scored.confidence_score if scored else 1.0,
            degraded=asked.degraded,
            pages=-(-len(ranking) // request.per_page),
            hits=hits,
            facets=answer.facets,
            clusters=answer.clusters,
            less_relevant=less_relevant(release, asked, found),
            rescue=None if len(rows) else ways_out(release, request, read, scored, self.total),
            currency=release.currency,
            took_ms=round((done - started) * 1000, 2),
            timings_ms={stage: round(seconds * 1000, 2) for stage, seconds in milliseconds.items()},
            rows=rows,
            shown=ranking[request.window],
        )  # fmt: skip

    def search_many(self, requests: Sequence[SearchRequest]) -> list[SearchResults]:
        """Answer several searches, in order; all their texts are encoded in one call, which is most of the time saved.

        Raises:
            QueryError: a parameter of one of them is not understood.
        """
        queries = self.queries
        wanted = [text for request in requests for text in queries.to_encode(request, queries.readings(request))]
        if wanted:
            self.encoder.vectors(wanted)  # remembered, so that no search encodes
        return [self.search(request) for request in requests]

    def understood(self, request: SearchRequest) -> Understood:
        """Return what the words of a request mean in this catalog; a part number means itself.

        A correction that spelling alone is not sure of is made if the answer is much surer with it: the catalog
        decides.
        """
        return self.queries.chosen(request, self.queries.readings(request))

    def scored(self, read: Understood, mode: str) -> ScoredQuery:
        """Return a query scored against the whole catalog, remembered for the next page or filter.

        Args:
            read: the query; mode: hybrid, dense or lexical.
        """
        return self.queries.scored(read, mode)

    def total(self, request: SearchRequest) -> int:
        """Return how many products answer a request."""
        return total_of(self.release, self.queries.asked(request, self.queries.readings(request)))

    # -- the other questions --

    def rank(
        self, text: str, mode: str = "hybrid", depth: int = 1000, interpret: bool = True
    ) -> tuple[list[str], Floats]:
        """Return product ids and scores, best first, before the cut-off: what evaluation measures."""
        read, scored = self._read_and_scored(text, mode, interpret)
        rows, scores = ranked(self.release, scored, depth, None if scored.is_kept else kept_rows(self.release, read))
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
        kept = kept_rows(self.release, read)
        return scores if kept is None else np.where(kept[rows], scores, scores - 10).astype(np.float32)

    def _read_and_scored(self, text: str, mode: str, interpret: bool) -> tuple[Understood, ScoredQuery]:
        read = self.understood(SearchRequest(q=text, mode=mode, interpret=interpret, correct=interpret))
        if not read.search_text:  # nothing but filters: the words themselves decide the order
            read = replace(read, search_text=read.text)
        return read, self.queries.scored(read, mode)

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
        _, degraded = self.queries.usable_mode("dense", text)
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
