"""What the processes of one server share: memory that was there before they parted, and locks that no death holds.

One process alone is the plain case: the same numbers, and nobody else's to look at.
"""

from __future__ import annotations

import atexit
import json
import mmap
import os
import secrets
import shutil
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

from flask import Flask, current_app, g

try:
    import fcntl
except ImportError:  # not a Unix: one process
    fcntl = None  # type: ignore[assignment]

LOCKS = 64
SILENT_SECONDS = 2.0  # a process whose loop did not go round for so long, twice what is usual, is not counted on
COUNTED_BYTES = 1 << 19  # several times what all counters of one kind take
TOLD_BYTES = 8192  # of one process: what it tells about itself, as JSON
_LENGTH = struct.Struct("<I")
_DAY_KEY = struct.Struct("<q32s")


class _Of(IntEnum):
    """The numbers that each process keeps where all can see them; 0 of one that is not there."""

    PID = 0
    SEEN = 1  # monotonic seconds, when its loop last went round
    CONNECTIONS = 2
    IS_READY = 3
    HAS_SERVED = 4


_FIELDS = len(_Of)


class SharedLocks:
    """Locks by number, between threads and, where that is asked for, between processes that come of a fork.

    POSIX record locks: the system takes them from whoever dies. They are a process's own, so that its threads need
    locks beside them.
    """

    def __init__(self, is_shared: bool):
        self._threads = [threading.Lock() for _ in range(LOCKS)]
        self._file = _nameless_file() if is_shared else None

    def held(self, number: int) -> AbstractContextManager[Any]:
        """Hold one of the locks, by any number."""
        place = number % LOCKS
        return self._threads[place] if self._file is None else self._held_by_process(self._file, place)

    @contextmanager
    def _held_by_process(self, file: int, place: int) -> Iterator[None]:
        with self._threads[place]:
            fcntl.lockf(file, fcntl.LOCK_EX, 1, place)
            try:
                yield
            finally:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, place)


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("aisle-locks")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Workers:
    """The processes of a server as each of them sees all; made before they part.

    Args:
        count: how many there are to be.

    Attributes:
        number: which of them this process is, from 1; 0 in the one that watches over several.
        folder: where counters are kept that outlive a process; None for one process alone.

    Raises:
        ValueError: there cannot be several on this system, or there is no room for their counters.
    """

    def __init__(self, count: int = 1):
        if count > 1 and not (hasattr(os, "fork") and fcntl is not None):
            raise ValueError(f"AISLE_PROCESSES is {count}, but this system cannot fork; it must be 1 here")
        self.count = count
        self.number = 1 if count == 1 else 0
        self.locks = SharedLocks(count > 1)
        self.folder: Path | None = None
        if count > 1:
            self._make_room_for_counters()
        # Eight bytes are written at once, so numbers need no lock.
        self._numbers = memoryview(mmap.mmap(-1, (count + 1) * _FIELDS * 8)).cast("d")
        self._told = mmap.mmap(-1, count * TOLD_BYTES)
        self._key = mmap.mmap(-1, _DAY_KEY.size)

    # -- what one is --

    def begin(self, number: int, pid: int) -> None:
        """Note a process that was just made, by whoever made it."""
        self._set(number, _Of.SEEN, time.monotonic())
        self._set(number, _Of.PID, pid)

    def end(self, number: int) -> None:
        """Forget a process that is gone."""
        for field in _Of:
            self._set(number, field, 0)
        _LENGTH.pack_into(self._told, self._place(number), 0)

    def go_round(self, connections: int, is_ready: bool) -> None:
        """Note that this process's loop went round, how many connections it has and whether it answers in full."""
        self._set(self.number, _Of.SEEN, time.monotonic())
        self._set(self.number, _Of.CONNECTIONS, connections)
        self._set(self.number, _Of.IS_READY, is_ready)
        self._set(self.number, _Of.HAS_SERVED, 1)

    def tell(self, state: Mapping[str, Any]) -> None:
        """Let the others know what this process says about itself."""
        content = json.dumps(state).encode()
        if len(content) > TOLD_BYTES - _LENGTH.size:
            return
        with self.locks.held(self.number):
            place = self._place(self.number)
            start = place + _LENGTH.size
            _LENGTH.pack_into(self._told, place, 0)  # nothing half-written is read, should this be its end
            self._told[start : start + len(content)] = content
            _LENGTH.pack_into(self._told, place, len(content))

    # -- what all are --

    @property
    def pids(self) -> list[int]:
        """The processes that are there, the one that watches over them first where there is one."""
        return [pid for number in range(self.count + 1) if (pid := int(self._get(number, _Of.PID)))]

    @property
    def ready(self) -> list[int]:
        """The numbers of those that answer in full."""
        return [number for number in range(1, self.count + 1) if self._get(number, _Of.IS_READY)]

    @property
    def have_served(self) -> bool:
        """Whether the loop of any that is there went round."""
        return any(self._get(number, _Of.HAS_SERVED) for number in range(1, self.count + 1))

    @property
    def is_needed(self) -> bool:
        """Whether this process should take connections: not while it begins and others answer in full."""
        return not (ready := self.ready) or self.number in ready

    @property
    def has_most(self) -> bool:
        """Whether another one that answers in full has fewer connections."""
        own = self._get(self.number, _Of.CONNECTIONS)
        return any(
            self._get(number, _Of.CONNECTIONS) < own and self.silent_seconds(number) < SILENT_SECONDS
            for number in self.ready
        )

    def silent_seconds(self, number: int) -> float:
        """Return for how long a process's loop did not go round."""
        return time.monotonic() - self._get(number, _Of.SEEN)

    def others(self) -> list[dict[str, Any]]:
        """Return what every other process last told."""
        found = []
        for number in range(1, self.count + 1):
            with self.locks.held(number):
                place = self._place(number)
                (length,) = _LENGTH.unpack_from(self._told, place)
                content = self._told[place + _LENGTH.size : place + _LENGTH.size + length]
            if content and number != self.number:
                found.append(json.loads(content))
        return found

    def key_of_day(self, day: int) -> bytes:
        """Return 32 random bytes, the same in all processes until another day is asked for; then they are gone."""
        with self.locks.held(0):
            kept, key = _DAY_KEY.unpack_from(self._key)
            if kept != day or not any(key):
                key = secrets.token_bytes(32)
                _DAY_KEY.pack_into(self._key, 0, day, key)
            return bytes(key)

    def _make_room_for_counters(self) -> None:
        """Make the folder with room for the counters of each process, as prometheus_client names its files."""
        try:
            self.folder = folder = Path(tempfile.mkdtemp(prefix="aisle-metrics-"))
            atexit.register(self._clear_last)
            for number in range(self.count + 1):
                for kind in ("counter", "histogram"):
                    # Written, not only made long: a disk that is full later would end who writes to the mapped file.
                    (folder / f"{kind}_{number}.db").write_bytes(bytes(COUNTED_BYTES))
        except OSError as error:
            raise ValueError(
                f"AISLE_PROCESSES is {self.count}, but their counters find no room ({error}); name a folder for "
                "temporary files in TMPDIR"
            ) from error

    def _clear_last(self) -> None:
        if self.number == 0:  # forks end with this too
            self.clear()

    def clear(self) -> None:
        """Leave no file behind; those that are open go on."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, number: int) -> int:
        return (number - 1) * TOLD_BYTES

    def _get(self, number: int, field: _Of) -> float:
        return self._numbers[number * _FIELDS + field]

    def _set(self, number: int, field: _Of, value: float) -> None:
        self._numbers[number * _FIELDS + field] = value


def follow_others(app: Flask, workers: Workers) -> None:
    """Let an app answer with every change of prices and stock that any of several processes has acknowledged.

    Without it a shop that changes a price and asks for it may be answered by another process as half a second before.
    """

    def catch_up() -> None:
        if "lane" in g:  # what is always let in asks nothing of the catalog
            current_app.extensions["aisle.engine"].catch_up()

    if workers.count > 1:
        app.before_request(catch_up)
