"""How often one asker may ask: an amount in a span of time."""

from __future__ import annotations

import re
from dataclasses import dataclass

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_FORM = re.compile(r"([1-9][0-9]{0,8})\s*(?:/|per)\s*(second|minute|hour|day)")


@dataclass(frozen=True)
class Rate:
    """So many requests in so many seconds."""

    amount: int
    seconds: int

    def __str__(self) -> str:
        """Return it as `rate_of` reads it."""
        return f"{self.amount}/{next(name for name, length in SECONDS.items() if length == self.seconds)}"


def rate_of(text: str) -> Rate:
    """Return the rate of "600/minute" or "10 per second".

    Raises:
        ValueError: it is not of that form.
    """
    found = _FORM.fullmatch(text.strip().lower())
    if not found:
        raise ValueError(f'"{text}" is no rate; write it like 600/minute (second, minute, hour or day)')
    return Rate(int(found[1]), SECONDS[found[2]])
