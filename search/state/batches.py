"""Batches of changed prices and stock, as they are put together and as a line of the log holds them."""

from __future__ import annotations

import json
import secrets
import zlib
from collections.abc import Mapping
from typing import NamedTuple

VERSION = 1
MAX_PRICE = 1e9  # as in a catalog: above is a typo, or what an overflow leaves


class Change(NamedTuple):
    """What is new of one product; None is as before.

    Attributes:
        price: in the catalog's currency, 0..MAX_PRICE.
        availability: one of `search.product.AVAILABILITIES`, not "".
    """

    price: float | None = None
    availability: str | None = None

    def after(self, earlier: Change | None) -> Change:
        """Return this change made on top of an earlier one."""
        if earlier is None:
            return self
        return Change(
            earlier.price if self.price is None else self.price,
            earlier.availability if self.availability is None else self.availability,
        )

    def without(self, later: Change) -> Change:
        """Return what is left of this change once a later one was made."""
        return Change(
            self.price if later.price is None else None, self.availability if later.availability is None else None
        )


Batch = dict[str, Change]


def availability_of_stock(stock: int) -> str:
    """Return what a number in stock means, as in a catalog: anything above none is there."""
    return "in_stock" if stock > 0 else "out_of_stock"


def distinct(batches: list[tuple[int, Batch]]) -> list[tuple[int, Batch]]:
    """Return the batches without what later ones undid, nor those that are empty then."""
    later: Batch = {}
    kept: list[tuple[int, Batch]] = []
    for number, batch in reversed(batches):
        left: Batch = {}
        for one, change in batch.items():
            known = later.get(one, Change())
            new = change.without(known)
            if new != Change():
                left[one] = new
                later[one] = known.after(change)
        if left:
            kept.append((number, left))
    return kept[::-1]


def header_of(length: int) -> bytes:
    """Return the first line of a log: its version, its length when it was written, and a name of its own."""
    return b"aisle-changes %d %d %s\n" % (VERSION, length, secrets.token_hex(8).encode())


def line_of(number: int, changes: Mapping[str, Change]) -> bytes:
    """Return a batch as a line of the log: checksum, number and changes."""
    told = json.dumps({one: list(change) for one, change in changes.items()}, separators=(",", ":"))
    content = b"%d %s" % (number, told.encode("ascii"))
    return b"%08x %s\n" % (zlib.crc32(content), content)


def batch_of(line: bytes, last: int) -> tuple[int, Batch] | None:
    """Return the number and changes of a line; None when it is not as it was written, or not after batch `last`."""
    if not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    content = line[9:-1]
    try:
        if int(line[:8], 16) != zlib.crc32(content):
            return None
        number, _, told = content.partition(b" ")
        batch = {str(one): Change(*change) for one, change in json.loads(told).items()}
        return (int(number), batch) if int(number) > last else None
    except (ValueError, TypeError, AttributeError):
        return None
