"""What was worked out and may be asked for again: the newest of it, so that memory stays bounded."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
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


class Remembered(Generic[Key, Value]):
    """Keeps what was put in last; safe between threads, and reading takes no lock.

    Args:
        most: values; beyond it the oldest go first, asked for or not: to keep account of every question would cost more
            than a wrong guess.
        room: sum of their sizes, kept in the same way; one alone may be larger.
        size: returns a value's size.
    """

    def __init__(self, most: int, room: int = 0, size: Callable[[Value], int] = lambda _: 0):
        self._most, self._room, self._size = most, room, size
        # Unlike a dict's, its first entry is found at once however many were taken away before it.
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return what is kept under a key; None when nothing is."""
        return self._values.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Keep something."""
        self.put_all({key: value})

    def put_all(self, values: Mapping[Key, Value]) -> None:
        """Keep several things, the last of them longest."""
        with self._lock:
            for key, value in values.items():
                if key in self._values:
                    self._held -= self._size(self._values[key])
                self._values[key] = value
                self._held += self._size(value)
            while len(self._values) > self._most or (self._held > self._room and len(self._values) > 1):
                self._held -= self._size(self._values.popitem(last=False)[1])

    def made(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return what is kept under a key, else what `make` gives, and keep it; two threads may both make it."""
        found = self._values.get(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found

    def __len__(self) -> int:
        return len(self._values)
