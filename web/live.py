"""The running server follows a release switch: the next engine opens beside the old one, then takes its place."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from flask import current_app, g

from search.arrays import Floats
from search.encoder import Encoder
from search.encoders import find_encoder
from search.engine import Engine
from search.errors import AisleError, ChangesUnavailable, ReleaseMissing
from search.home import Home, Layout
from search.release import expect_readable, open_release
from search.releases import stand_ins
from search.state.changes import ChangeLog
from search.tokens import Tokens
from search.watch import NOBODY, Watch

logger = logging.getLogger("aisle.live")
CHECK_SECONDS = 0.5  # how often `current` is read; a switch is seen within a second
RETRY_SECONDS = 10.0  # how often a release that could not be opened is tried again


class EngineProvider(Protocol):
    """Where views get their engine from; the tests bring one that is always the same."""

    @property
    def engine(self) -> Engine | None:
        """The engine, if it is open already."""
        ...

    @property
    def is_opening(self) -> bool:
        """Whether the first release is just being opened: `get` would wait for it."""
        ...

    @property
    def trouble(self) -> str:
        """Why another release answers than the one that is live; "" when all is well."""
        ...

    @property
    def changes_failure(self) -> str:
        """Why prices and stock may not be up to date; "" when all is well."""
        ...

    def get(self) -> Engine:
        """Return the engine of the live release."""
        ...

    def catch_up(self) -> None:
        """Take up the prices and stock that changed, now."""
        ...


@dataclass(frozen=True)
class FixedEngine:
    """One engine that is never switched."""

    engine: Engine
    is_opening = False
    trouble = ""
    changes_failure = ""

    def get(self) -> Engine:
        """Return it."""
        return self.engine

    def catch_up(self) -> None:
        """Leave it as it is."""


def current_engine() -> Engine:
    """Return the engine that answers this request, one and the same until its end.

    Raises:
        ReleaseError: there is no release, or it is damaged.
    """
    engine: Engine | None = g.get("engine")
    if engine is None:
        g.engine = engine = current_app.extensions["aisle.engine"].get()
    return engine


def let_go_of_engine(error: BaseException | None = None) -> None:
    """Forget, at a request's end, what answered it: a page's template may hold `g` in a circle of its own."""
    g.pop("engine", None)


class LiveEngine:
    """The engine of a home's live release, opened at the first request and replaced when `current` changes.

    A release that cannot be opened is logged, and the one before it keeps answering, or answers where the server has
    only just begun; it is tried again now and then, should someone mend it. Requests in flight keep the engine they
    began with. Changes of prices and stock are followed the same way; when they cannot be read, those read before stay.

    Args:
        home: whose live release is served.
        open_encoder: manifest record and home to encoder; another one in tests.
        watch: is told of switches, of releases that cannot be opened, and what every engine tells.
    """

    def __init__(
        self,
        home: Home,
        open_encoder: Callable[[dict[str, Any], Home], Encoder] = find_encoder,
        watch: Watch = NOBODY,
    ):
        self.home, self.watch = home, watch
        self._encoders = EncoderShelf(home, open_encoder)
        self._engine: Engine | None = None
        self._seen: tuple[str, int] | None = None  # the pointer last acted upon
        self._opening = threading.Lock()
        self._closed = threading.Event()
        self._changes = ChangeLog(home.changes)
        self._changes_seen: tuple[int, int, int] | None = None  # stamp of the log that `_engine` knows
        self._swapping = threading.Lock()  # held while `_engine` is replaced
        self.changes_failure = ""
        self._failure: AisleError | None = None
        self._failed_at = 0.0
        self._trouble = self._told = ""
        self._retry_at = 0.0

    @property
    def engine(self) -> Engine | None:
        """The current engine; None while none is open."""
        return self._engine

    @property
    def is_opening(self) -> bool:
        """Whether the first release is just being opened: `get` would wait for it."""
        return self._engine is None and self._opening.locked()

    @property
    def trouble(self) -> str:
        """Why another release answers than the one that is live; "" when all is well."""
        return self._trouble

    def catch_up(self) -> None:
        """Take up the prices and stock that changed, now; one `stat` when there are none."""
        with self._swapping:
            if self._engine is not None and self._changes.stamp != self._changes_seen:
                self._engine, self._changes_seen = self._up_to_date(self._engine)

    def _up_to_date(self, engine: Engine) -> tuple[Engine, tuple[int, int, int] | None]:
        """Return an engine with what changed meanwhile, and the stamp of the log that it knows.

        As it is, and a word in the log, where that cannot be read.
        """
        stamp, problems = self._changes.stamp, ""  # the stamp first: what is written after it is seen the next time
        try:
            known, reading = engine.release.sequence, self._changes.read(engine.release.sequence)
            problems = " ".join(reading.problems)
            if reading.sequence < known and engine is not engine.as_built:
                problems = (
                    f"{self._changes.path} has lost its changes from {reading.sequence + 1} to {known}, which are only "
                    "served until the next start; send the prices and stock of the shop's own system again"
                )
            engine = engine.up_to_date(reading)
        except ChangesUnavailable as error:
            problems = str(error)
        if problems and problems != self.changes_failure:
            logger.error("prices and stock may not be up to date: %s", problems)
        elif self.changes_failure and not problems:
            logger.info("changes of prices and stock are read again, up to %d", engine.release.sequence)
        self.changes_failure = problems
        return engine, stamp

    def get(self) -> Engine:
        """Return the current engine; the first call opens it and begins to follow the home.

        Raises:
            ReleaseMissing: nothing was published yet.
            ReleaseDamaged: the live release cannot be opened, nor any that was live before.
        """
        if self._engine is None:
            with self._opening:
                if self._engine is None:
                    self._engine = self._first()
                    self._engine.encoder.start()  # meanwhile queries are answered by their words
                    threading.Thread(target=self._follow, name="release-follower", daemon=True).start()
        return self._engine

    def _first(self) -> Engine:
        """Return the first engine; a damaged release is tried again twice a second, not at every request."""
        if self._failure is not None and time.monotonic() < self._failed_at + CHECK_SECONDS:
            raise type(self._failure)(str(self._failure))
        self._seen = self._pointer()
        try:
            engine = self._open(self.home.live())
        except AisleError as error:
            standing_in = self._stand_in(error)
            if standing_in is not None:
                return standing_in
            if isinstance(error, ReleaseMissing):
                raise
            self.watch.not_opened()
            if str(error) != str(self._failure):
                logger.error("nothing is served: %s", error)
            self._failure, self._failed_at = error, time.monotonic()
            raise
        logger.info("release %s answers, %d products", engine.release.name, engine.release.rows)
        return engine

    def _stand_in(self, error: AisleError) -> Engine | None:
        """Return an engine of the last release that was live before and can be opened; None where there is none."""
        for layout in stand_ins(self.home):
            try:
                engine = self._open(layout)
            except AisleError as other:
                logger.error("release %s cannot stand in: %s", layout.name, other)
                continue
            self._not_served(self._seen[0] if self._seen else "", layout.name, error)
            return engine
        return None

    def _not_served(self, name: str, instead: str, error: Exception) -> None:
        """Tell that a release does not answer though it is live, once, and note when to try it again."""
        self._retry_at = time.monotonic() + RETRY_SECONDS
        self._trouble = f"release {name} cannot be opened; {instead or 'the one before'} answers in its place"
        if (told := f"{name}: {error}") == self._told:
            return
        self._told = told
        self.watch.not_opened()
        is_expected = isinstance(error, AisleError)
        logger.error(
            "release %s is not served, %s answers in its place: %s", name, instead or "the one before", error,
            exc_info=None if is_expected else error,
        )  # fmt: skip

    def start(self) -> None:
        """Begin to open the live release in the background, so that the first visitor finds it open."""
        threading.Thread(target=self._open_early, name="release-opening", daemon=True).start()

    def _open_early(self) -> None:
        try:
            self.get()
        except ReleaseMissing as error:
            logger.warning("nothing is served yet: %s", error)
        except AisleError:
            pass  # was logged where it happened
        except Exception:
            logger.exception("nothing is served: the live release cannot be opened")

    def close(self) -> None:
        """Stop following the home."""
        self._closed.set()

    def _pointer(self) -> tuple[str, int] | None:
        """Return what `current` says and when it was written; None while there is none."""
        try:
            return self.home.current.read_text("utf-8").strip(), self.home.current.stat().st_mtime_ns
        except OSError:
            return None

    def _open(self, layout: Layout) -> Engine:
        record = expect_readable(layout)["encoder"]
        self._encoders.fetch(record)  # while the release is opened
        release = open_release(layout)
        engine = Engine(release, partial(self._encoders.encoder_of, record), waits=False, watch=self.watch)
        return self._up_to_date(engine)[0]  # whatever it saw, the one that answers has yet to see

    def _follow(self) -> None:
        while not self._closed.wait(CHECK_SECONDS):
            pointer = self._pointer()
            is_due = bool(self._trouble) and time.monotonic() >= self._retry_at
            if pointer is not None and (pointer != self._seen or is_due):
                self._seen = pointer
                self._swap(pointer[0])
            try:
                self.catch_up()
            except Exception:
                logger.exception("changes of prices and stock are not taken up")

    def _swap(self, name: str) -> None:
        """Open a release and let it answer, or keep the old one and say why."""
        old = self._engine
        if old is not None and old.release.name == name:
            self._trouble = self._told = ""
            return
        try:
            engine = self._open(self.home.live())
            engine.encoder.vectors(["warm-up"])  # the encoder answers before the first visitor asks
        except Exception as error:
            self._not_served(name, old.release.name if old is not None else "", error)
        else:
            with self._swapping:
                self._engine, self._changes_seen = self._up_to_date(engine)  # changes may have come since it was opened
            self._trouble = self._told = ""
            self.watch.switched()
            self._encoders.keep_only(engine.release.manifest["encoder"]["fingerprint"])
            logger.info("release %s answers from now on", engine.release.name)


class EncoderShelf:
    """Encoders by fingerprint, so that two releases built with the same one share it."""

    def __init__(self, home: Home, open_encoder: Callable[[dict[str, Any], Home], Encoder]):
        self._home = home
        self._open = open_encoder
        self._encoders: dict[str, Encoder] = {}
        self._lock = threading.Lock()

    def encoder_of(self, record: dict[str, Any]) -> Encoder:
        """Return the encoder a manifest's record names; opened once.

        Raises:
            EncoderError: it is not where the record says.
        """
        with self._lock:
            fingerprint = record["fingerprint"]
            if fingerprint not in self._encoders:
                encoder = self._open(record, self._home)
                is_shared = getattr(encoder, "bears_threads", False)
                self._encoders[fingerprint] = encoder if is_shared else OneAtATime(encoder)
            return self._encoders[fingerprint]

    def fetch(self, record: dict[str, Any]) -> None:
        """Begin to open an encoder; return at once. What is wrong with it hears who asks for it."""

        def fetching() -> None:
            with suppress(Exception):
                self.encoder_of(record)

        threading.Thread(target=fetching, name="encoder-fetching", daemon=True).start()

    def keep_only(self, fingerprint: str) -> None:
        """Let go of every other encoder."""
        with self._lock:
            self._encoders = {key: encoder for key, encoder in self._encoders.items() if key == fingerprint}


class OneAtATime:
    """A model in torch that two engines may share for the moment of a swap: it does not bear two threads."""

    def __init__(self, encoder: Encoder):
        self._encoder = encoder
        self._lock = threading.Lock()
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint

    @property
    def dim(self) -> int:
        """Length of every vector."""
        return self._encoder.dim

    def encode_queries(self, texts: Any) -> Floats:
        """Return (n, dim) float32 unit rows."""
        with self._lock:
            return self._encoder.encode_queries(texts)

    def encode_passages(self, texts: Any) -> Floats:
        """Return (n, dim) float32 unit rows."""
        with self._lock:
            return self._encoder.encode_passages(texts)

    def encode_segmented(self, passages: Any) -> tuple[Floats, list[Floats]]:
        """Return (n, dim) float32 unit rows, and those of each passage's segments."""
        with self._lock:
            return self._encoder.encode_segmented(passages)

    def segments_read(self, passages: Any) -> list[list[tuple[int, int]]]:
        """Return where in each passage its segments stand."""
        with self._lock:
            return self._encoder.segments_read(passages)

    @property
    def pools_by_mean(self) -> bool:
        """Whether a text's vector is the mean of its tokens'."""
        return self._encoder.pools_by_mean

    def encode_tokens(self, texts: Any) -> list[Tokens]:
        """Return the tokens of each text."""
        with self._lock:
            return self._encoder.encode_tokens(texts)

    def words(self) -> list[str]:
        """Return the words it knows as a whole."""
        return self._encoder.words()
