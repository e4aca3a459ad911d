"""The encoder on the query side: loaded in the background, as many calls at a time as it bears, vectors remembered."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from search.arrays import Floats
from search.cpus import available_cpus
from search.encoder import Encoder
from search.errors import AisleError, EncoderError, EncoderMismatch
from search.gathering import Gathering
from search.reduction import Reduction, reduced
from search.tokens import Tokens
from search.watch import NOBODY, Watch

logger = logging.getLogger("aisle.encoder")
CACHED_QUERIES = 4096  # vectors kept; 6 MB at 384 float32
SHARED = 8  # of an encoder that bears threads: more gain nothing, and another CPU may take them (DESIGN.md, "Encoder")


class QueryEncoder:
    """Turns query texts into vectors with the encoder that built the release, and with no other.

    Args:
        open_encoder: returns the encoder; called once, in the background after `start` or at the first text.
        fingerprint: of the release's encoder; another is refused.
        dim: length of the release's vectors; an encoder that gives another is refused.
        reduction: the release's, which every vector goes through; None for none.
        watch: is told of encoded texts and of the cache.
    """

    def __init__(
        self,
        open_encoder: Callable[[], Encoder],
        fingerprint: str,
        dim: int,
        reduction: Reduction | None,
        watch: Watch = NOBODY,
    ):
        self.fingerprint, self.dim, self.reduction, self.watch = fingerprint, dim, reduction, watch
        self._open = open_encoder
        self._encoder: Encoder | None = None
        self._failure: AisleError | None = None
        self._loading = threading.Lock()
        # Of torch all calls go through one thread: its tokenizers do not bear two, and it keeps buffers for each it ran
        # in. An encoder that bears threads runs in those of its callers, on as many CPUs as there are.
        self._bears_threads = False
        self._thread = ThreadPoolExecutor(1, "encoder")
        self._gathering = Gathering(self._submit)
        # The newest, for every vector is asked for once, by the search that it was made for.
        self._vectors: OrderedDict[str, Floats] = OrderedDict()

    @property
    def is_ready(self) -> bool:
        """Whether a text would be encoded at once."""
        return self._encoder is not None

    @property
    def failure(self) -> AisleError | None:
        """Why the encoder cannot be used, None while it can or may."""
        return self._failure

    def start(self) -> None:
        """Begin loading in a background thread; return at once."""
        threading.Thread(target=self._load_quietly, name="encoder-loading", daemon=True).start()

    def _load_quietly(self) -> None:
        started = time.perf_counter()
        try:
            encoder = self._load()
        except AisleError as error:
            self._failure = error
            logger.error("searches are answered by their words alone: %s", error)
        except Exception as error:  # whatever a model library throws must not leave the page waiting for ever
            self._failure = EncoderError(f"the encoder cannot be loaded: {error}")
            logger.exception("searches are answered by their words alone: the encoder cannot be loaded")
        else:
            logger.info('encoder "%s" was ready after %.1f s', encoder.name, time.perf_counter() - started)

    def _load(self) -> Encoder:
        with self._loading:
            if self._encoder is None:
                encoder = self._open()
                cpus = available_cpus()
                self._gathering.has_own_cpu = cpus > 1
                if getattr(encoder, "bears_threads", False):
                    self._bears_threads, self._thread = True, ThreadPoolExecutor(cpus, "encoder")
                    self._gathering.calls, self._gathering.together = cpus, SHARED
                if encoder.fingerprint != self.fingerprint:
                    raise EncoderMismatch(
                        f'this release was built with encoder {self.fingerprint}, but "{encoder.name}" is '
                        f"{encoder.fingerprint}; build the release again, or put the right encoder back"
                    )
                encoder = reduced(encoder, self.reduction)
                given = self._called(encoder.encode_queries, ["warm-up"]).shape[1]
                if given != self.dim:
                    raise EncoderMismatch(
                        f'this release has vectors of {self.dim} dimensions, but encoder "{encoder.name}" gives '
                        f"{given}; build the release again, or put the right encoder back"
                    )
                self._encoder = encoder
            return self._encoder

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Return (len(texts), d) float32 unit rows; waits for the encoder when it is not loaded yet.

        Raises:
            EncoderError: it cannot be loaded, or is not the release's.
        """
        self._load()
        found: dict[str, Floats] = {}
        with self._gathering.lock:
            for text in texts:
                if text in self._vectors:
                    self._vectors.move_to_end(text)
                    found[text] = self._vectors[text]
            asked, returns, begun = self._gathering.queued(text for text in texts if text not in found)
        self.watch.looked_up("query_vectors", len(found), len(asked))
        in_this_thread = begun > 0 and self._bears_threads  # a change of threads would only cost time
        self._submit(begun - in_this_thread)
        if in_this_thread:
            self._encode_waiting()
        try:
            found |= {text: vector.result() for text, vector in asked.items()}
        finally:
            if returns:
                self._gathering.returned()
        return np.stack([found[text] for text in texts])

    def coming(self) -> AbstractContextManager[None]:
        """Read a search in this context, and ask for its vectors: those of others wait for it, for a moment."""
        return self._gathering.coming()

    def turn(self, turn: threading.Lock) -> AbstractContextManager[None]:
        """Hold the turn of a search that has its vectors; where few such wait, the texts that gathered are encoded.

        Args:
            turn: what only one search holds.
        """
        return self._gathering.turn(turn)

    def _submit(self, calls: int) -> None:
        for _ in range(calls):
            self._thread.submit(self._encode_waiting)

    def _encode_waiting(self) -> None:
        """Encode what waits by now."""
        if together := self._gathering.taken():
            self._encode(together)
        self._gathering.ended()

    def _called(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return what the encoder answers, asked in a thread that it bears."""
        return call(*arguments) if self._bears_threads else self._thread.submit(call, *arguments).result()

    def _encode(self, together: Sequence[str]) -> None:
        """Encode texts in one call; an error is the error of each of them."""
        started = time.perf_counter()
        try:
            vectors = self._load().encode_queries(together)
        except BaseException as error:
            with self._gathering.lock:
                waiting = self._gathering.delivered(together)
            for one in waiting:
                one.set_exception(error)
            return
        with self._gathering.lock:
            waiting = self._gathering.delivered(together)
            for text, vector in zip(together, vectors, strict=True):
                self._vectors[text] = vector.copy()  # a view would keep the whole batch
            while len(self._vectors) > CACHED_QUERIES:
                self._vectors.popitem(last=False)
        for one, vector in zip(waiting, vectors, strict=True):
            one.set_result(vector)
        self.watch.encoded(len(together), time.perf_counter() - started)

    @property
    def pools_by_mean(self) -> bool:
        """Whether `tokens` can be asked; waits for the encoder when it is not loaded yet."""
        return (self._encoder or self._load()).pools_by_mean

    def tokens(self, text: str) -> Tokens:
        """Return the tokens of a query or a passage; waits for the encoder when it is not loaded yet.

        Raises:
            EncoderError: it cannot be loaded, is not the release's, or does not pool by the mean.
        """
        encoder = self._encoder or self._load()
        found: list[Tokens] = self._called(encoder.encode_tokens, [text])
        return found[0]

    def passages(self, texts: Sequence[str]) -> Floats:
        """Return (len(texts), d) float32 unit rows of passages, not remembered.

        Raises:
            EncoderError: it cannot be loaded, or is not the release's.
        """
        encoder = self._encoder or self._load()
        vectors: Floats = self._called(encoder.encode_passages, texts)
        return vectors
