"""How often one key or one address may ask: GCRA, the leaky bucket as a meter, told in the IETF's fields RateLimit and
RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11).

One number is kept of each asker: when everything asked so far will have been paid off, at one request each
seconds/amount (ITU-T I.371, "generic cell rate algorithm"). So the whole amount may come at once, and later as much as
has been paid off since. A log of moments would be exact over every window and cost an entry a request.

The numbers lie in memory that all processes of a server share, so that several do not give several times as much.

Flask-Limiter and its core were measured before (DESIGN.md, "Who may ask"): ten times the time, memory without bound.
"""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from flask import Flask, Request, Response, g, request

from search.state.rates import Rate
from web.serving.access import need_of
from web.serving.problems import Problem, Refused
from web.serving.workers import SharedLocks, Workers

MAX_ASKERS = 131_072  # 2 MB, of which the system gives what is used (DESIGN.md, "Who may ask")
ALIKE = 16  # askers that may lie in the same place
IPV6_PREFIX = 64  # what one household or server gets: its addresses are one asker


class Standing(NamedTuple):
    """Where an asker stands after a request.

    Attributes:
        remaining: requests that may follow at once.
        wait: seconds until the next one is answered; 0 when this one is.
    """

    remaining: int
    wait: float


class Accounts:
    """When what each asker asked is paid off: a table of fixed size, in memory that processes which fork share.

    An asker is looked for among a few that lie where its hash says. Who has paid off everything is as good as not
    there, and a new one takes the place of whoever owes least: mostly nothing. In a flood of fresh addresses that is
    one of the flood, so it cannot clear the account of who asked much.

    Args:
        most: askers that are kept, rounded up.
        locks: the table's own where left out.
    """

    def __init__(self, most: int = MAX_ASKERS, locks: SharedLocks | None = None):
        self._locks = SharedLocks(False) if locks is None else locks
        self._places = -(-most // ALIKE)
        # A lookup reads the keys of one place, 128 bytes, and what they owe.
        self._keys = memoryview(mmap.mmap(-1, self._places * ALIKE * 8)).cast("q")
        self._paid = memoryview(mmap.mmap(-1, self._places * ALIKE * 8)).cast("d")

    def __len__(self) -> int:
        return sum(1 for paid in self._paid if paid)

    def alone_with(self, key: int) -> AbstractContextManager[Any]:
        """Hold the account of a key, a signed 64-bit hash, so that nobody else changes it."""
        return self._locks.held(key % self._places)

    def find(self, key: int) -> tuple[int, float]:
        """Return where an account is, or may be kept, and when all it asked is paid off: 0 of one that is new."""
        start = key % self._places * ALIKE
        keys, paid = self._keys[start : start + ALIKE].tolist(), self._paid[start : start + ALIKE].tolist()
        if key in keys:
            at = keys.index(key)
            return start + at, paid[at]
        return start + paid.index(min(paid)), 0.0

    def keep(self, at: int, key: int, paid: float) -> None:
        """Note when all that a key asked is paid off, monotonic seconds: one clock for all processes."""
        self._paid[at], self._keys[at] = paid, key


class Meter:
    """Counts requests against one rate, each asker alone; safe between threads, and processes that share accounts."""

    def __init__(self, rate: Rate, accounts: Accounts | None = None, clock: Callable[[], float] = time.monotonic):
        self.rate = rate
        self._each = rate.seconds / rate.amount  # seconds that pay off one request
        self._accounts, self._clock = Accounts() if accounts is None else accounts, clock

    def hit(self, asker: str, requests: int = 1) -> Standing:
        """Count a request, or one that is worth so many, unless it is too many; return where the asker stands."""
        # Python's hash of a text has a secret of the process, the same in its forks.
        key = hash((self.rate.amount, self.rate.seconds, asker))
        with self._accounts.alone_with(key):
            now = self._clock()
            at, known = self._accounts.find(key)
            paid = max(known, now) + requests * self._each
            owed = paid - now
            wait = owed - self.rate.seconds
            if wait > self._each * 1e-6:  # more than rounding
                return Standing(0, wait)
            self._accounts.keep(at, key, paid)
        return Standing(int((self.rate.seconds - owed) / self._each + 1e-6), 0.0)


_UNCOUNTED = Standing(0, 0.0)


@dataclass
class _Account:
    """Who asks, by what policy, and where they stand."""

    policy: str
    meter: Meter
    asker: str
    standing: Standing = _UNCOUNTED

    def charge(self, requests: int) -> None:
        """Count so many requests.

        Raises:
            Refused: they are too many.
        """
        most = max(self.meter.rate.amount - 1, 1)  # one was counted; a batch beyond the whole amount takes all of it
        self.standing = self.meter.hit(self.asker, min(requests, most))
        if self.standing.wait:
            seconds = math.ceil(self.standing.wait)
            detail = f"more than {self.meter.rate} from this {self.policy}; ask again in {seconds} s"
            headers = {"Retry-After": str(seconds)}
            raise Refused(Problem(429, "too_many_requests", "Too many requests", detail, headers=headers))


def count_as(requests: int) -> None:
    """Count the request at hand, which was counted once already, as so many: what it costs is what is limited.

    Raises:
        Refused: they are too many.
    """
    if "account" in g and requests > 1:
        g.account.charge(requests - 1)


@lru_cache(8192)
def asker_of(address: str) -> str:
    """Return whom an address stands for: an IPv4 address itself, of IPv6 the /64; all that is neither is one asker."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ip_network((found, IPV6_PREFIX), strict=False))


def install(app: Flask, rate: Rate | None, workers: Workers) -> None:
    """Count an app's requests by key, else by address, and tell each where it stands.

    Args:
        rate: of every address, and of keys without their own; None for no limit to these.
        workers: all of whose requests are counted together.
    """
    accounts = Accounts(locks=workers.locks)
    meters: dict[Rate, Meter] = {}
    by_address = Meter(rate, accounts) if rate else None

    def meter_of(own: Rate) -> Meter:
        return meters.setdefault(own, Meter(own, accounts)) if own not in meters else meters[own]

    def count() -> None:
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]
        if (asked.method == "OPTIONS" and asked.url_rule) or not need_of(asked).is_counted:
            return
        key = g.key
        if key is not None:
            policy, own = "key", key.own_rate() or rate
            meter, asker = meter_of(own) if own else None, key.id
        else:
            policy, meter, asker = "address", by_address, asker_of(asked.remote_addr or "")
        if meter is None:
            return
        g.account = account = _Account(policy, meter, asker)
        account.charge(1)

    def tell(response: Response) -> Response:
        account: _Account | None = g.get("account")
        if account is not None:
            policy, own, standing = account.policy, account.meter.rate, account.standing
            # Who spreads r requests over t seconds is never turned away, and r/t is never above the policy's q/w.
            seconds = max(1, math.ceil(standing.wait or standing.remaining * own.seconds / own.amount))
            response.headers.add("RateLimit-Policy", f'"{policy}";q={own.amount};w={own.seconds}')
            response.headers.add("RateLimit", f'"{policy}";r={standing.remaining};t={seconds}')
        return response

    app.before_request(count)
    app.after_request(tell)
