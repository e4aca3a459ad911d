"""What was worked out and may be asked for again: the newest of it, so that memory stays bounded."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """Keeps what was put in last; safe between threads, and reading takes no lock.

    Args:
        most: entries; beyond it the oldest go first, asked for or not: to keep account of every question would cost
            more than a wrong guess.
    """

    def __init__(self, most: int):
        self._most = most
        self._entries: dict[Key, Value] = {}
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return what is kept under a key; None when nothing is."""
        return self._entries.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Keep something."""
        with self._lock:
            self._entries[key] = value
            while len(self._entries) > self._most:
                del self._entries[next(iter(self._entries))]

    def __len__(self) -> int:
        return len(self._entries)
