"""How often one key or one address may ask: GCRA, the leaky bucket as a meter, told in the IETF's fields RateLimit and
RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11).

One number is kept of each asker: when everything asked so far will have been paid off, at one request each
seconds/amount (ITU-T I.371, "generic cell rate algorithm"). So the whole amount may come at once, and later as much as
has been paid off since. A log of moments would be exact over every window and cost an entry a request.

Flask-Limiter and its core were measured before (DESIGN.md, "Who may ask"): ten times the time, memory without bound.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network

from flask import Flask, Response, g, request

from search.state.rates import Rate
from web.serving.access import need_of_request
from web.serving.problems import Problem, Refused

MAX_ASKERS = 65_536  # of one generation; two are kept: about 20 MB at most (DESIGN.md, "Who may ask")
IPV6_PREFIX = 64  # what one household or server gets: its addresses are one asker


@dataclass(frozen=True)
class Standing:
    """Where an asker stands after a request.

    Attributes:
        remaining: requests that may follow at once.
        wait: seconds until the next one is answered; 0 when this one is.
    """

    remaining: int
    wait: float


class Meter:
    """Counts requests against one rate, each asker alone; safe between threads.

    What is kept is bounded: who has not asked for a whole window is forgotten without loss, and beyond `most` askers
    in a window the newest gives way, so that a flood of fresh addresses cannot clear the account of an old one.
    """

    def __init__(self, rate: Rate, most: int = MAX_ASKERS, clock: Callable[[], float] = time.monotonic):
        self.rate = rate
        self._each = rate.seconds / rate.amount  # seconds that pay off one request
        self._most, self._clock = most, clock
        self._now: dict[str, float] = {}  # asker -> when all it asked is paid off
        self._before: dict[str, float] = {}  # the same, of those who did not ask since _turn
        self._turn = clock() + rate.seconds
        self._lock = threading.Lock()

    def hit(self, asker: str, requests: int = 1) -> Standing:
        """Count a request, or one that is worth so many, unless it is too many; return where the asker stands."""
        now = self._clock()
        with self._lock:
            if now >= self._turn:
                # Nothing is paid off later than one window after it was asked, so `_before` owes nothing by now.
                self._before, self._now, self._turn = self._now, {}, now + self.rate.seconds
            known = self._now.get(asker) or self._before.get(asker, 0.0)
            paid = max(known, now) + requests * self._each
            owed = paid - now
            wait = owed - self.rate.seconds
            if wait > self._each * 1e-6:  # more than rounding
                return Standing(0, wait)
            if asker not in self._now and len(self._now) >= self._most:
                self._now.popitem()
            self._now[asker] = paid
        return Standing(int((self.rate.seconds - owed) / self._each + 1e-6), 0.0)


@dataclass
class _Account:
    """Who asks, by what policy, and where they stand."""

    policy: str
    meter: Meter
    asker: str
    standing: Standing = Standing(0, 0.0)

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


def install(app: Flask, rate: Rate | None) -> None:
    """Count an app's requests by key, else by address, and tell each where it stands.

    Args:
        rate: of every address, and of keys without their own; None for no limit to these.
    """
    meters: dict[Rate, Meter] = {}
    by_address = Meter(rate) if rate else None

    def meter_of(own: Rate) -> Meter:
        return meters.setdefault(own, Meter(own)) if own not in meters else meters[own]

    def count() -> None:
        if (request.method == "OPTIONS" and request.url_rule) or not need_of_request().is_counted:
            return
        if g.key is not None:
            policy, own = "key", g.key.own_rate() or rate
            meter, asker = meter_of(own) if own else None, g.key.id
        else:
            policy, meter, asker = "address", by_address, asker_of(request.remote_addr or "")
        if meter is None:
            return
        g.account = _Account(policy, meter, asker)
        g.account.charge(1)

    def tell(response: Response) -> Response:
        if "account" in g:
            policy, own, standing = g.account.policy, g.account.meter.rate, g.account.standing
            # Who spreads r requests over t seconds is never turned away, and r/t is never above the policy's q/w.
            seconds = max(1, math.ceil(standing.wait or standing.remaining * own.seconds / own.amount))
            response.headers["RateLimit-Policy"] = f'"{policy}";q={own.amount};w={own.seconds}'
            response.headers["RateLimit"] = f'"{policy}";r={standing.remaining};t={seconds}'
        return response

    app.before_request(count)
    app.after_request(tell)
