"""The encoder on the query side: loaded in the background, one caller at a time through it, vectors remembered."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from search.arrays import Floats
from search.encoder import Encoder, Tokens
from search.errors import AisleError, EncoderError, EncoderMismatch
from search.reduction import Reduction, reduced

CACHED_QUERIES = 4096  # vectors kept; 6 MB at 384 float32


class QueryEncoder:
    """Turns query texts into vectors with the encoder that built the release, and with no other.

    Args:
        open_encoder: returns the encoder; called once, in the background after `start` or at the first text.
        fingerprint: of the release's encoder; another is refused.
        dim: length of the release's vectors; an encoder that gives another is refused.
        reduction: the release's, which every vector goes through; None for none.
    """

    def __init__(self, open_encoder: Callable[[], Encoder], fingerprint: str, dim: int, reduction: Reduction | None):
        self.fingerprint, self.dim, self.reduction = fingerprint, dim, reduction
        self._open = open_encoder
        self._encoder: Encoder | None = None
        self._failure: AisleError | None = None
        self._loading = threading.Lock()
        self._encoding = threading.Lock()
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
        try:
            self._load()
        except AisleError as error:
            self._failure = error
        except Exception as error:  # whatever a model library throws must not leave the page waiting for ever
            self._failure = EncoderError(f"the encoder cannot be loaded: {error}")

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
        with self._encoding:
            missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
            fresh = dict(zip(missing, encoder.encode_queries(missing), strict=True)) if missing else {}
            rows = [fresh[text] if text in fresh else self._vectors[text] for text in texts]
            for text, row in zip(texts, rows, strict=True):
                self._vectors[text] = row
                self._vectors.move_to_end(text)
            while len(self._vectors) > CACHED_QUERIES:
                self._vectors.popitem(last=False)
        return np.stack(rows)

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
        with self._encoding:
            return encoder.encode_tokens([text])[0]

    def passages(self, texts: Sequence[str]) -> Floats:
        """Return (len(texts), d) float32 unit rows of passages, not remembered.

        Raises:
            EncoderError: it cannot be loaded, or is not the release's.
        """
        encoder = self._encoder or self._load()
        with self._encoding:
            return encoder.encode_passages(texts)

    def segments_read(self, passages: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return for each passage the (start, end) of its segments: where the vectors of the release stand for text.

        Raises:
            EncoderError: it cannot be loaded, or is not the release's.
        """
        encoder = self._encoder or self._load()
        with self._encoding:
            return encoder.segments_read(passages)
