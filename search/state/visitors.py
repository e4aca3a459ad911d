"""Who asked, for one day and without a name: a keyed hash whose key is thrown away."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

DAY_SECONDS = 86_400


class Visitors:
    """Gives each address and browser a number that lasts until midnight (UTC), or until the server stops.

    The key lives in memory alone. Once it is renewed nothing can tell whose number it was, nor that two numbers of two
    days are one person's. Two people behind one address with the same browser are one visitor.

    Args:
        clock: seconds since 1970.
        key_of: returns the 32 random bytes of a day, counted since 1970, the same wherever numbers are to be the same;
            asked for once a day, as a rule.
    """

    def __init__(self, clock: Callable[[], float] = time.time, key_of: Callable[[int], bytes] | None = None):
        self._clock, self._key_of = clock, key_of or _new_key
        self._key: tuple[int, bytes] = (-1, b"")

    def number(self, address: str, agent: str) -> int:
        """Return the number of today, a signed 64-bit integer."""
        today = int(self._clock() // DAY_SECONDS)
        day, key = self._key
        if day != today:  # also when the clock went back
            key = self._key_of(today)
            self._key = (today, key)
        hashed = hashlib.blake2b(f"{address}\0{agent}".encode("utf-8", "replace"), key=key, digest_size=8)
        return int.from_bytes(hashed.digest(), "big", signed=True)


def _new_key(_: int) -> bytes:
    return secrets.token_bytes(32)
