"""What was browsed last, kept as long as it is small enough together: it may hold every row."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Browsed(Generic[Value]):
    """Values by key, the least recently used forgotten first. Safe to share between threads.

    Args:
        most: values kept.
        room: sum of their sizes; one alone may be larger.
        size: returns a value's size.
    """

    def __init__(self, most: int, room: int, size: Callable[[Value], int]):
        self.most, self.room, self.size = most, room, size
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value that is kept under a key, else the one that `make` gives, and keep it."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()  # two threads may both; the later value stays
        with self._lock:
            if key in self._values:
                self._held -= self.size(self._values.pop(key))
            self._values[key] = value
            self._held += self.size(value)
            while len(self._values) > 1 and (len(self._values) > self.most or self._held > self.room):
                self._held -= self.size(self._values.popitem(last=False)[1])
        return value
