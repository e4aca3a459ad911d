"""What was worked out and may be asked for again: so much of it that memory stays bounded."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Method = TypeVar("Method", bound=Callable[..., Any])


def remembering(method: Method, most: int) -> Method:
    """Return a method that remembers its latest answers, and that its object may hold: it does not hold the object.

    `lru_cache` over a bound method, held by the object, is a circle: what it belongs to, a release with its files and
    mapped memory, would stay after its last use until Python's collector comes to it, hours later or never.

    Args:
        method: of an object that lives as long as it is called.
        most: answers; beyond it those that were not asked for longest go.
    """
    owner, function = weakref.ref(method.__self__), method.__func__  # type: ignore[attr-defined]
    return lru_cache(most)(lambda *arguments: function(owner(), *arguments))  # type: ignore[return-value]


class _Entry(Generic[Value]):
    """A value, its size, and whether it was asked for since the hand last passed it."""

    __slots__ = ("asked", "size", "value")

    def __init__(self, value: Value, size: int):
        self.value, self.size, self.asked = value, size, False


class Remembered(Generic[Key, Value]):
    """Keeps what is asked for again and again; safe between threads, and reading takes no lock.

    What goes is chosen as SIEVE chooses (Zhang et al., NSDI 2024): a hand goes round from the oldest value on, spares
    those that were asked for since it last passed, and takes the first that was not. A shop's queries, most of which
    are asked once, so do not push out the few that are asked all the time (DESIGN.md, "What is remembered").

    Args:
        most: values.
        room: sum of their sizes; one alone may be larger.
        size: returns a value's size.
    """

    def __init__(self, most: int, room: int = 0, size: Callable[[Value], int] = lambda _: 0):
        self._most, self._room, self._size = most, room, size
        self._entries: dict[Key, _Entry[Value]] = {}
        # From the oldest to the newest; the hand stands between the two.
        self._passed: deque[Key] = deque()
        self._ahead: deque[Key] = deque()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return what is kept under a key; None when nothing is."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.asked = True
        return entry.value

    def put(self, key: Key, value: Value) -> None:
        """Keep something."""
        entry = _Entry(value, self._size(value))
        with self._lock:
            known = self._entries.get(key)
            if known is None:
                while self._entries and self._is_full(entry.size):
                    self._forget_one()
                self._ahead.append(key)
            else:  # stands where it stood; if it has grown, the next one makes room
                self._held -= known.size
                entry.asked = known.asked
            self._entries[key] = entry
            self._held += entry.size

    @property
    def is_full(self) -> bool:
        """Whether one more, as large as those that are kept, would push one out."""
        count = len(self._entries)
        return self._is_full(self._held // count) if count else False

    def _is_full(self, size: int) -> bool:
        return len(self._entries) >= self._most or self._held + size > self._room

    def _forget_one(self) -> None:
        """Move the hand to the next value that nobody asked for, and forget it."""
        while True:
            if not self._ahead:
                self._ahead, self._passed = self._passed, self._ahead
            key = self._ahead.popleft()
            if not self._entries[key].asked:
                break
            self._entries[key].asked = False
            self._passed.append(key)
        self._held -= self._entries.pop(key).size

    def made(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return what is kept under a key, else what `make` gives, and keep it; two threads may both make it."""
        found = self.get(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found

    def items(self) -> list[tuple[Key, Value]]:
        """Return what is kept, the oldest first."""
        with self._lock:
            return [(key, self._entries[key].value) for key in (*self._passed, *self._ahead)]

    def __len__(self) -> int:
        return len(self._entries)
