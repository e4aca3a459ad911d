"""The encoder on the query side: loaded in the background, as many calls at a time as it bears, vectors remembered.

Texts that come while the encoder is busy go through it together, in its next call (group commit, as databases write
their logs), and so do those that come while searches enough have their vectors and wait for their turn: eight texts
together cost two thirds of what each costs alone. A lone text waits for nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from search.arrays import Floats
from search.cpus import available_cpus
from search.encoder import Encoder
from search.errors import AisleError, EncoderError, EncoderMismatch
from search.reduction import Reduction, reduced
from search.tokens import Tokens
from search.watch import NOBODY, Watch

logger = logging.getLogger("aisle.encoder")
CACHED_QUERIES = 4096  # vectors kept; 6 MB at 384 float32
TOGETHER = 64  # most texts in one call: a whole batch and what waits beside it
ENOUGH = 2  # searches that wait for their turn with their vectors; while they work others may gather
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
        self._calls, self._together = 1, TOGETHER  # how many at a time, and of how many texts
        self._thread = ThreadPoolExecutor(1, "encoder")
        self._lock = threading.Lock()  # guards what follows
        self._waiting: dict[str, Future[Floats]] = {}  # texts without a vector yet
        self._queue: deque[str] = deque()  # those of them that no call has taken
        self._at_work = 0  # calls under way
        self._ready = 0  # searches that have their vectors and wait for their turn
        self._passed = 0  # turns of such searches since the queue was empty
        self._at_turn: int | None = None  # the thread of the search whose turn it is
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
                if getattr(encoder, "bears_threads", False):
                    self._bears_threads, self._calls, self._together = True, available_cpus(), SHARED
                    self._thread = ThreadPoolExecutor(self._calls, "encoder")
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
        missing: dict[str, Future[Floats]] = {}
        with self._lock:
            for text in dict.fromkeys(texts):
                if text in self._vectors:
                    self._vectors.move_to_end(text)
                    found[text] = self._vectors[text]
                else:  # one and the same for all who ask for it meanwhile
                    if text not in self._waiting:
                        self._waiting[text] = Future()
                        self._queue.append(text)
                    missing[text] = self._waiting[text]
            # Those that are ready wait for whoever has the turn, and so they cannot be waited for here.
            begin = self._begun(at_once=self._at_turn == threading.get_ident())
        self.watch.looked_up("query_vectors", len(found), len(missing))
        in_this_thread = begin > 0 and self._bears_threads  # a change of threads would only cost time
        self._submit(begin - in_this_thread)
        if in_this_thread:
            self._encode_waiting()
        found |= {text: vector.result() for text, vector in missing.items()}
        return np.stack([found[text] for text in texts])

    @contextmanager
    def turn(self, turn: threading.Lock) -> Iterator[None]:
        """Hold the turn of a search that has its vectors; where few such wait, the texts that gathered are encoded.

        Args:
            turn: what only one search holds.
        """
        with self._lock:
            self._ready += 1
        with turn:
            with self._lock:
                self._ready -= 1
                self._passed += 1
                self._at_turn = threading.get_ident()
                begin = self._begun()
            if begin > 0:  # beside what this search does
                self._submit(begin)
            try:
                yield
            finally:
                self._at_turn = None

    def _begun(self, *, at_once: bool = False) -> int:
        """Return how many calls are to be made for the queue, under way from now on; only with the lock.

        None while searches enough can work, but no text lets more of them pass than there are texts in one call.

        Args:
            at_once: whatever can work meanwhile.
        """
        if not self._queue:
            self._passed = 0
            return 0
        if not at_once and self._ready >= ENOUGH and self._passed < self._together:
            return 0
        begin = min(self._calls - self._at_work, -(-len(self._queue) // self._together))
        self._at_work += begin
        return begin

    def _submit(self, calls: int) -> None:
        for _ in range(calls):
            self._thread.submit(self._encode_waiting)

    def _encode_waiting(self) -> None:
        """Encode what waits by now; what came meanwhile has a turn of its own, after what else waits for the thread."""
        if together := self._first_waiting():
            self._encode(together)
        with self._lock:
            goes_on = bool(self._queue)
            self._at_work -= not goes_on
        self._submit(int(goes_on))

    def _first_waiting(self) -> dict[str, Future[Floats]]:
        """Take those that have waited longest from the queue, at most as many as one call may have."""
        with self._lock:
            taken = [self._queue.popleft() for _ in range(min(len(self._queue), self._together))]
            return {text: self._waiting[text] for text in taken}

    def _called(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return what the encoder answers, asked in a thread that it bears."""
        return call(*arguments) if self._bears_threads else self._thread.submit(call, *arguments).result()

    def _encode(self, together: dict[str, Future[Floats]]) -> None:
        """Encode texts in one call; an error is the error of each of them."""
        started = time.perf_counter()
        try:
            vectors = self._load().encode_queries(list(together))
        except BaseException as error:
            with self._lock:
                for text in together:
                    del self._waiting[text]
            for waiting in together.values():
                waiting.set_exception(error)
            return
        with self._lock:
            for text, vector in zip(together, vectors, strict=True):
                del self._waiting[text]
                self._vectors[text] = vector.copy()  # a view would keep the whole batch
            while len(self._vectors) > CACHED_QUERIES:
                self._vectors.popitem(last=False)
        for waiting, vector in zip(together.values(), vectors, strict=True):
            waiting.set_result(vector)
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
