"""The file of searches and events: SQLite, written by one thread of each process, bounded in days and megabytes."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from search.errors import EventsUnavailable
from search.state.scrubbing import scrubbed

VERSION = 1
DAY_SECONDS = 86_400
BUSY_SECONDS = 5.0  # how long another process may hold the file
CHUNK = 2_000  # rows deleted in one go: some milliseconds
CACHED_NAMES = 200_000

# Names (texts of searches, product ids, releases, sets of filters) are written once and numbered; `day` is the last on
# which one was used. `shown` holds the numbers of the products on the page, little-endian int32, best first.
_SCHEMA = f"""
CREATE TABLE names (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, day INTEGER NOT NULL);
CREATE TABLE searches (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, query_id BLOB NOT NULL, text INTEGER NOT NULL, corrected INTEGER,
    surface TEXT NOT NULL, mode TEXT NOT NULL, page INTEGER NOT NULL, total INTEGER NOT NULL, confidence TEXT NOT NULL,
    degraded TEXT, filters INTEGER, release INTEGER NOT NULL, took_ms REAL NOT NULL, visitor INTEGER,
    first INTEGER NOT NULL, shown BLOB NOT NULL);
CREATE INDEX searches_by_time ON searches (time);
CREATE INDEX searches_by_query ON searches (query_id);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, type TEXT NOT NULL, product INTEGER NOT NULL, query_id BLOB,
    position INTEGER, value REAL, visitor INTEGER, key BLOB UNIQUE);
CREATE INDEX events_by_time ON events (time);
PRAGMA user_version = {VERSION};
"""
_INSERT_SEARCH = "INSERT INTO searches VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OLDEST = "SELECT min(time) FROM (SELECT min(time) AS time FROM searches UNION ALL SELECT min(time) FROM events)"
_CHUNK_END = """
SELECT min(time) FROM (SELECT * FROM (SELECT time FROM searches ORDER BY time LIMIT 1 OFFSET ?)
                       UNION ALL SELECT * FROM (SELECT time FROM events ORDER BY time LIMIT 1 OFFSET ?))
"""


class Searched(NamedTuple):
    """One search that was answered.

    Attributes:
        time: seconds since 1970.
        query_id: 32 hexadecimal digits.
        text: as typed; scrubbed, in small letters and with single blanks once it is written.
        surface: "page", "map", "api", "batch" or "export".
        filters: names of what narrowed or ordered the results, sorted, without their values.
        visitor: see `Visitors`.
        first: the rank of the first product shown, from 1.
        shown: ids of the products on the page.
    """

    time: float
    query_id: str
    text: str
    corrected: str | None
    surface: str
    mode: str
    page: int
    total: int
    confidence: str
    degraded: str | None
    filters: tuple[str, ...]
    release: str
    took_ms: float
    visitor: int | None
    first: int
    shown: tuple[str, ...]


class Event(NamedTuple):
    """What came of a search, or of a visit without one.

    Attributes:
        type: "view", "click", "cart" or "purchase".
        query_id: 32 hexadecimal digits; None outside of a search.
        position: the product's rank, from 1.
        value: what was paid, in the shop's currency.
        event_id: the sender's own; the same one is stored once.
    """

    time: float
    type: str
    product_id: str
    query_id: str | None = None
    position: int | None = None
    value: float | None = None
    event_id: str | None = None
    visitor: int | None = None

    @property
    def key(self) -> bytes | None:
        """What two tellings of one event share: the sender's id, else search, product and type; None without either."""
        if self.event_id is not None:
            said = f"id\0{self.event_id}"
        elif self.query_id is not None:
            said = f"search\0{self.query_id}\0{self.type}\0{self.product_id}"
        else:
            return None
        return hashlib.blake2b(said.encode(), digest_size=16).digest()


def plain(text: str) -> str:
    """Return the form in which texts are kept and compared: scrubbed, small letters, single blanks."""
    return " ".join(scrubbed(text).casefold().split())


class EventDatabase:
    """An open file of events, for one thread.

    A commit is on disk when it returns (WAL, synchronous=FULL): it survives a killed process and a power cut. With
    NORMAL it would survive the first only.

    Args:
        path: made when it is not there, in a folder that is made too; the folder above that must be there.
        days: what is older is deleted.
        megabytes: of 1,000,000 bytes; beyond it the oldest is deleted. The write-ahead log beside it stays below 8.

    Raises:
        sqlite3.Error, OSError: it cannot be opened or written.
        EventsUnavailable: it is of another version.
    """

    def __init__(self, path: Path, days: int, megabytes: int):
        self.path, self.days, self.most_bytes = path, days, megabytes * 1_000_000
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)  # what people look for is nobody else's on this machine; the log beside it follows
        # Only one thread uses it, but not the one that closes it at exit.
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._numbers: dict[str, int] = {}
        self._numbers_day = 0
        self._names_since = 0
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise
        self._inode = path.stat().st_ino

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table, and never again
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA journal_size_limit = 8000000")
        with self._transaction():
            (version,) = execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    execute(statement)
        _check_version(self.path, version or VERSION)
        if version == 0:
            _sync_folder(self.path.parent)
        self._seen = self._data_version()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._numbers.clear()  # some may never have been written
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @property
    def is_in_place(self) -> bool:
        """Whether the path still leads to the open file; a file that was moved away is not written to any more."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it, also where it was moved away: SQLite would not then."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.close()

    # -- writing --

    def write(self, searches: Iterable[Searched], events: Sequence[Event]) -> list[bool]:
        """Write all of them or none; once it returns they are on disk.

        Returns:
            for each event whether it is new; False for one that was stored before.

        Raises:
            sqlite3.Error: nothing was written.
        """
        with self._transaction():
            if (now := self._data_version()) != self._seen:  # another process may have deleted names
                self._numbers.clear()
                self._seen = now
            self._connection.executemany(_INSERT_SEARCH, [self._search_row(one) for one in searches])
            return [self._insert(one) for one in events]

    def _data_version(self) -> int:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _search_row(self, one: Searched) -> tuple[object, ...]:
        day = int(one.time // DAY_SECONDS)
        shown = np.array([self._number(name, day) for name in one.shown], "<i4").tobytes()
        return (
            one.time, bytes.fromhex(one.query_id), self._number(plain(one.text), day),
            None if one.corrected is None else self._number(plain(one.corrected), day), one.surface, one.mode, one.page,
            one.total, one.confidence, one.degraded, self._number(",".join(one.filters), day) if one.filters else None,
            self._number(one.release, day), one.took_ms, one.visitor, one.first, shown,
        )  # fmt: skip

    def _insert(self, one: Event) -> bool:
        row = (
            one.time, one.type, self._number(one.product_id, int(one.time // DAY_SECONDS)),
            bytes.fromhex(one.query_id) if one.query_id else None, one.position, one.value, one.visitor, one.key,
        )  # fmt: skip
        statement = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
        return self._connection.execute(statement, row).rowcount == 1

    def _number(self, name: str, day: int) -> int:
        """Return the number of a name, written when it is new or was last used on an earlier day."""
        if day != self._numbers_day or len(self._numbers) > CACHED_NAMES:
            self._numbers.clear()
            self._numbers_day = day
        if name not in self._numbers:
            statement = (
                "INSERT INTO names (name, day) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET day = max(day, excluded.day) RETURNING n"
            )
            (self._numbers[name],) = self._connection.execute(statement, (name, day)).fetchone()
        return self._numbers[name]

    # -- forgetting --

    def prune(self, now: float) -> bool:
        """Delete some of what is too old or too much, and give its room back to the disk.

        Returns:
            whether there is more to delete.

        Raises:
            sqlite3.Error: nothing was deleted.
        """
        too_old = now - self.days * DAY_SECONDS
        is_full = self._bytes() > self.most_bytes
        oldest = self._oldest()
        if not is_full and (oldest is None or oldest >= too_old):
            return False
        with self._transaction():
            self._delete_before(self._chunk_end() if is_full else min(self._chunk_end(), too_old))
            self._delete_names()
        # By execute() it would free one page: each step frees one, and a statement without columns is stepped once.
        self._connection.executescript("PRAGMA incremental_vacuum")
        if is_full and self._oldest() is None:  # nothing is left
            return False
        return self._bytes() > self.most_bytes or (self._oldest() or now) < too_old

    def _bytes(self) -> int:
        """Return the size of the file, as it will be once the write-ahead log is folded in."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (page_size,) = self._connection.execute("PRAGMA page_size").fetchone()
        return int(pages * page_size)

    def _oldest(self) -> float | None:
        """Return the time of the oldest row; None where there is none."""
        found: float | None = self._connection.execute(_OLDEST).fetchone()[0]
        return found

    def _chunk_end(self) -> float:
        """Return the time before which some CHUNK rows lie; infinite where there are fewer."""
        (found,) = self._connection.execute(_CHUNK_END, (CHUNK, CHUNK)).fetchone()
        return float("inf") if found is None else float(found)

    def _delete_before(self, time: float) -> None:
        self._connection.execute("DELETE FROM searches WHERE time <= ?", (time,))
        self._connection.execute("DELETE FROM events WHERE time <= ?", (time,))

    def _delete_names(self) -> None:
        """Delete the names that no row uses any more: those of days of which no row is left."""
        oldest = self._oldest()
        since = self._names_since if oldest is None else int(oldest // DAY_SECONDS)
        if oldest is None:
            self._connection.execute("DELETE FROM names")
        elif since != self._names_since:
            self._connection.execute("DELETE FROM names WHERE day < ?", (since,))
        else:
            return
        self._names_since = since
        self._numbers.clear()


def _sync_folder(folder: Path) -> None:
    """Put the names of new files on disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_empty() -> sqlite3.Connection:
    """Return a connection to tables in memory in which nothing is."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(_SCHEMA)
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write, with a busy time of five seconds.

    Raises:
        EventsUnavailable: there is no such file, it is damaged, or of another version.
    """
    if not path.is_file():
        raise EventsUnavailable(f"no searches are kept in {path} yet; serve the shop with AISLE_EVENTS=on")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    except sqlite3.Error as error:
        raise EventsUnavailable(reason_of(error, path)) from error
    try:
        _check_version(path, connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        connection.close()
        raise EventsUnavailable(reason_of(error, path)) from error
    except EventsUnavailable:
        connection.close()
        raise
    return connection


def _check_version(path: Path, version: int) -> None:
    if version != VERSION:
        raise EventsUnavailable(
            f"{path} is of version {version}, this program reads version {VERSION}; move it away to begin a new one"
        )


def reason_of(error: Exception, path: Path) -> str:
    """Return what is wrong with the file, and what to do, for the person who runs the shop."""
    text = str(error)
    if "malformed" in text or "not a database" in text:
        return f"{path} is damaged ({text}); move it away and a new one begins, or mend it with sqlite3's .recover"
    if "full" in text or "disk I/O" in text:
        return f"{path} cannot grow ({text}); free some room on its disk"
    if "locked" in text or "busy" in text:
        return f"{path} is held by another program ({text}); close what has it open"
    return f"{path} cannot be written ({text}); see that its folder is there and may be written to"
