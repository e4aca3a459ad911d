"""Searches and events on their way to disk: one writer thread, so that many events share one commit.

An event that was acknowledged is on disk. A search is only queued, for a search must never wait for the log: what is
queued when the process is killed, and what finds the queue full, is lost; the latter is counted.
"""

from __future__ import annotations

import atexit
import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from pathlib import Path

from search.errors import EventsUnavailable
from search.state.database import Event, EventDatabase, Searched, reason_of

logger = logging.getLogger("aisle.events")
GATHER_SECONDS = 1.0  # how long searches wait for others to share their commit; an event takes them along at once
GATHERED = 1_000  # searches that do not wait any longer
MOST_SEARCHES = 10_000  # waiting at once
MOST_WAITING = 1_000  # calls of `store` waiting at once
STORE_SECONDS = 5.0  # how long one waits
RETRY_SECONDS = 5.0  # between two tries after a failure

_Waiting = tuple[Sequence[Event], "Future[list[bool]]"]


class EventLog:
    """Where searches and events go. Safe to share between threads; nothing is opened before the first of them.

    Args:
        path: of the file.
        days, megabytes: how long and how much is kept; see `EventDatabase`.

    Attributes:
        dropped: searches that were not logged, because the queue was full or the file could not be written.
        failure: why nothing can be stored at the moment; "" when all is well.
    """

    def __init__(self, path: Path, days: int, megabytes: int):
        self.path, self.days, self.megabytes = path, days, megabytes
        self.dropped = 0
        self.failure = ""
        self._retry_at = 0.0
        self._database: EventDatabase | None = None
        self._searches: list[Searched] = []
        self._waiting: list[_Waiting] = []
        self._wake = threading.Condition()
        self._writer: threading.Thread | None = None
        self._is_closed = False

    # -- from the threads that serve --

    def note(self, search: Searched) -> None:
        """Queue a search; never waits."""
        with self._wake:
            if len(self._searches) >= MOST_SEARCHES or self._is_closed:
                self.dropped += 1
                return
            self._searches.append(search)
            if len(self._searches) in (1, GATHERED):
                self._start()
                self._wake.notify()

    def store(self, events: Sequence[Event]) -> list[bool]:
        """Store events, all or none, and return once they are on disk: for each whether it is new.

        Raises:
            EventsUnavailable: they are not stored, or, where the disk is slow, not yet; sending them again is safe
                for those that name a search or an id of their own.
        """
        done: Future[list[bool]] = Future()
        with self._wake:
            if self._is_closed:
                raise EventsUnavailable("the server is stopping; send the events again")
            if self.failure and time.monotonic() < self._retry_at:
                raise EventsUnavailable(self.failure)
            if len(self._waiting) >= MOST_WAITING:
                raise EventsUnavailable("too many events come at once; send them again later")
            self._waiting.append((events, done))
            self._start()
            self._wake.notify()
        try:
            return done.result(STORE_SECONDS)
        except Late:
            raise EventsUnavailable(f"the disk of {self.path} is slow; send the events again later") from None

    def close(self) -> None:
        """Write what is queued and stop; what comes later is refused."""
        with self._wake:
            self._is_closed = True
            self._wake.notify()
        if self._writer is not None:
            self._writer.join(STORE_SECONDS)
            atexit.unregister(self.close)

    def _start(self) -> None:
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_on, name="event-writer", daemon=True)
            self._writer.start()
            atexit.register(self.close)

    # -- the writer --

    def _write_on(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._searches or self._waiting or self._is_closed)
                self._wake.wait_for(
                    lambda: self._waiting or self._is_closed or len(self._searches) >= GATHERED, GATHER_SECONDS
                )
                searches, self._searches = self._searches, []
                waiting, self._waiting = self._waiting, []
                is_last = self._is_closed
            self._write(searches, waiting)
            if is_last:
                break
        if self._database is not None:
            self._database.close()

    def _write(self, searches: list[Searched], waiting: list[_Waiting]) -> None:
        if self.failure and time.monotonic() < self._retry_at:
            self._give_up(self.failure, len(searches), waiting)
            return
        try:
            database = self._opened()
            stored = iter(database.write(searches, [event for events, _ in waiting for event in events]))
        except Exception as error:
            self._fail(error, len(searches), waiting)
            return
        if self.failure:
            logger.info("searches and events are kept again in %s", self.path)
        self.failure = ""
        for events, done in waiting:
            done.set_result([next(stored) for _ in events])
        self._prune(database)

    def _opened(self) -> EventDatabase:
        if self._database is not None and not self._database.is_in_place:
            self._database.close()
            self._database = None
        if self._database is None:
            self._database = EventDatabase(self.path, self.days, self.megabytes)
        return self._database

    def _prune(self, database: EventDatabase) -> None:
        try:
            while database.prune(time.time()) and not self._waiting and not self._is_closed:
                pass
        except (sqlite3.Error, OSError) as error:
            logger.warning("old searches and events are not deleted: %s", reason_of(error, self.path))

    def _fail(self, error: Exception, searches: int, waiting: list[_Waiting]) -> None:
        """Tell those who wait, and the log when the reason is new; the file is opened afresh at the next try."""
        reason = str(error) if isinstance(error, EventsUnavailable) else reason_of(error, self.path)
        if reason != self.failure:
            is_expected = isinstance(error, (sqlite3.Error, OSError, EventsUnavailable))
            logger.error("searches and events are not kept: %s", reason, exc_info=None if is_expected else error)
        self.failure = reason
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if self._database is not None:
            self._database.close()
            self._database = None
        self._give_up(reason, searches, waiting)

    def _give_up(self, reason: str, searches: int, waiting: list[_Waiting]) -> None:
        self.dropped += searches
        for _, done in waiting:
            done.set_exception(EventsUnavailable(reason))
