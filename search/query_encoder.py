"""The encoder on the query side: loaded in the background, one call at a time through it, vectors remembered.

Texts that wait while the encoder is busy go through it together, in one call by whoever is next (group commit, as
databases write their logs): nobody waits for others to come, and a lone text waits for nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from search.arrays import Floats
from search.encoder import Encoder, Tokens
from search.errors import AisleError, EncoderError, EncoderMismatch
from search.reduction import Reduction, reduced
from search.watch import NOBODY, Watch

logger = logging.getLogger("aisle.encoder")
CACHED_QUERIES = 4096  # vectors kept; 6 MB at 384 float32
TOGETHER = 32  # most texts in one call; more would keep the first of them waiting


@dataclass(eq=False)
class _Waiting:
    """A text on its way through the encoder: then it has a vector, or the error that stopped it."""

    text: str
    vector: Floats | None = None
    error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        return self.vector is not None or self.error is not None


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
        self._turn = threading.Condition()  # guards all below
        self._is_busy = False
        self._queue: list[_Waiting] = []
        self._on_their_way: dict[str, _Waiting] = {}
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
                if encoder.fingerprint != self.fingerprint:
                    raise EncoderMismatch(
                        f'this release was built with encoder {self.fingerprint}, but "{encoder.name}" is '
                        f"{encoder.fingerprint}; build the release again, or put the right encoder back"
                    )
                encoder = reduced(encoder, self.reduction)
                given = encoder.encode_queries(["warm-up"]).shape[1]
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
        encoder = self._encoder or self._load()
        found: dict[str, Floats] = {}
        missing: list[_Waiting] = []
        with self._turn:
            for text in dict.fromkeys(texts):
                if text in self._vectors:
                    self._vectors.move_to_end(text)
                    found[text] = self._vectors[text]
                else:
                    missing.append(self._waiting_for(text))
        self.watch.looked_up("query_vectors", len(found), len(missing))
        for waiting in missing:
            found[waiting.text] = self._encoded(waiting, encoder)
        return np.stack([found[text] for text in texts])

    def _waiting_for(self, text: str) -> _Waiting:
        """Return what stands for a text in the queue: one and the same for all who ask for it meanwhile."""
        if text not in self._on_their_way:
            self._on_their_way[text] = _Waiting(text)
            self._queue.append(self._on_their_way[text])
        return self._on_their_way[text]

    def _encoded(self, waiting: _Waiting, encoder: Encoder) -> Floats:
        """Return a text's vector: another caller's turn makes it, or our own, with all that wait by then."""
        while waiting.vector is None:
            if waiting.error is not None:
                raise waiting.error
            with self._turn:
                self._turn.wait_for(lambda: waiting.is_done or not self._is_busy)
                if waiting.is_done:
                    continue
                self._is_busy = True
                together, self._queue = self._queue[:TOGETHER], self._queue[TOGETHER:]
            self._encode(together, encoder)
        return waiting.vector

    def _encode(self, together: list[_Waiting], encoder: Encoder) -> None:
        """Encode queued texts in one call and end the turn; an error is the error of each of them."""
        started = time.perf_counter()
        vectors, failure = None, None
        try:
            vectors = encoder.encode_queries([waiting.text for waiting in together])
        except BaseException as error:
            failure = error
        with self._turn:
            for place, waiting in enumerate(together):
                del self._on_their_way[waiting.text]
                waiting.error = failure
                if vectors is not None:
                    self._vectors[waiting.text] = waiting.vector = vectors[place].copy()  # a view would keep the batch
            while len(self._vectors) > CACHED_QUERIES:
                self._vectors.popitem(last=False)
            self._is_busy = False
            self._turn.notify_all()
        self.watch.encoded(len(together), time.perf_counter() - started)

    @contextmanager
    def _alone(self) -> Iterator[Encoder]:
        """Give the encoder for one call that is not of query texts."""
        encoder = self._encoder or self._load()
        with self._turn:
            self._turn.wait_for(lambda: not self._is_busy)
            self._is_busy = True
        try:
            yield encoder
        finally:
            with self._turn:
                self._is_busy = False
                self._turn.notify_all()

    @property
    def pools_by_mean(self) -> bool:
        """Whether `tokens` can be asked; waits for the encoder when it is not loaded yet."""
        return (self._encoder or self._load()).pools_by_mean

    def tokens(self, text: str) -> Tokens:
        """Return the tokens of a query or a passage; waits for the encoder when it is not loaded yet.

        Raises:
            EncoderError: it cannot be loaded, is not the release's, or does not pool by the mean.
        """
        with self._alone() as encoder:
            return encoder.encode_tokens([text])[0]

    def passages(self, texts: Sequence[str]) -> Floats:
        """Return (len(texts), d) float32 unit rows of passages, not remembered.

        Raises:
            EncoderError: it cannot be loaded, or is not the release's.
        """
        with self._alone() as encoder:
            return encoder.encode_passages(texts)

    def segments_read(self, passages: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return for each passage the (start, end) of its segments: where the vectors of the release stand for text.

        Raises:
            EncoderError: it cannot be loaded, or is not the release's.
        """
        with self._alone() as encoder:
            return encoder.segments_read(passages)
