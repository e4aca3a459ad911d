"""Who is let in: so many requests at work, a short queue with a deadline, and everyone else is told to come back.

A server that takes on all it is offered answers nobody in time: at twice what it can do, half of the answers of the
server before this took 12 s. Here a request waits at most `deadline_ms`, and one that finds the queue full is refused
before any work. First come, first served: the queue is short enough that whoever waits is answered in time, so
serving the newest first would only make some wait for nothing (DESIGN.md, "Under load").

Requests are let in after keys and rate limits were checked, so that whoever asks too often takes nobody's place. A
search over the API has to be let in only if its answer is not remembered: what is asked all the time is answered at
once, however many wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

from flask import Flask, Response, g, request
from werkzeug.exceptions import ServiceUnavailable

WAITING_PER_SLOT = 3  # about .3 s of waiting at 45 answers a second; DESIGN.md, "Under load"
LIGHT_SLOTS, LIGHT_WAITING = 2, 6
EVENT_SLOTS, EVENT_WAITING = 4, 4  # they wait for the disk, and go to it together
SPARE_THREADS = 6  # for those that are not let in, and those that always are
RETRY_SECONDS = 1
SEARCH = "/api/v1/search"  # its view lets itself in
SUGGEST, EVENTS = "/api/v1/suggest", "/api/v1/events"  # asked while someone types or leaves: not behind searches
CHANGES = "/api/v1/products"  # waits for the disk as events do
# Never wait: a file, a number, a line. What watches a server must hear from it when it is busy.
FREE = frozenset({"/healthz", "/readyz", "/metrics", "/api/v1/version", "/robots.txt", "/favicon.ico"})


class Overloaded(ServiceUnavailable):
    """More is asked than can be answered in time; `reason` is "queue_full" or "waited_too_long"."""

    problem_code = "overloaded"

    def __init__(self, reason: str):
        super().__init__(
            "More is asked of the server than it can answer in time; ask again in a moment.", retry_after=RETRY_SECONDS
        )
        self.reason = reason


@dataclass
class Lane:
    """So many at work and so many waiting, in the order they came.

    Attributes:
        name: for metrics.
        slots: most requests at work.
        waiting: most requests that wait for a slot.
        deadline: most seconds of waiting.
    """

    name: str
    slots: int
    waiting: int
    deadline: float
    at_work: int = 0
    _queue: deque[threading.Event] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def queued(self) -> int:
        """How many wait."""
        return len(self._queue)

    def enter(self) -> float:
        """Take a slot, waiting for one if need be; return the seconds waited. Each `enter` needs its `leave`.

        Raises:
            Overloaded: too many wait already, or none became free in time.
        """
        with self._lock:
            if self.at_work < self.slots:
                self.at_work += 1
                return 0.0
            if len(self._queue) >= self.waiting:
                raise Overloaded("queue_full")
            turn = threading.Event()
            self._queue.append(turn)
        started = time.perf_counter()
        if not turn.wait(self.deadline):
            with self._lock:
                if not turn.is_set():  # else a slot came at the last moment, and is ours
                    self._queue.remove(turn)
                    raise Overloaded("waited_too_long")
        return time.perf_counter() - started

    def leave(self) -> None:
        """Give the slot to whoever has waited longest, or back."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self.at_work -= 1


class Admission:
    """The lanes of a server.

    Args:
        threads: requests at work at once; what a search costs.
        deadline_ms: most milliseconds a request waits.
    """

    def __init__(self, threads: int, deadline_ms: int):
        seconds = deadline_ms / 1000
        self.searches = Lane("searches", threads, WAITING_PER_SLOT * threads, seconds)
        self.light = Lane("light", LIGHT_SLOTS, LIGHT_WAITING, seconds)
        self.events = Lane("events", EVENT_SLOTS, EVENT_WAITING, seconds)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane."""
        return self.searches, self.light, self.events

    @property
    def threads(self) -> int:
        """How many threads a server needs so that none that need not wait ever does."""
        return sum(lane.slots + lane.waiting for lane in self.lanes) + SPARE_THREADS

    def lane_of(self, path: str) -> Lane | None:
        """Return the lane of a path; None where nothing waits."""
        if path in FREE or path.startswith("/static/"):
            return None
        return {SUGGEST: self.light, EVENTS: self.events, CHANGES: self.events}.get(path, self.searches)


def let_in() -> None:
    """Wait for a slot, where what is asked needs one and has none yet; it is given back after the answer.

    Raises:
        Overloaded: as `Lane.enter`.
    """
    lane: Lane | None = g.pop("outside", None)
    if lane is None:
        return
    try:
        g.waited = lane.enter()
    except Overloaded as refused:
        g.refused = refused.reason
        raise
    g.lane = lane


def install(app: Flask, admission: Admission) -> None:
    """Let requests in by `admission`; after everything that may refuse one for less."""

    def enter() -> None:
        g.outside = admission.lane_of(request.path)
        if request.path != SEARCH:
            let_in()

    def leave(error: BaseException | None) -> None:
        lane: Lane | None = g.pop("lane", None)
        if lane is not None:
            lane.leave()

    def keep(response: Response) -> Response:
        # A streamed body is made after the view: its slot is free once the last of it is sent.
        if response.is_streamed and not response.direct_passthrough:
            lane: Lane | None = g.pop("lane", None)
            if lane is not None:
                response.call_on_close(lane.leave)
        return response

    app.extensions["aisle.admission"] = admission
    app.before_request(enter)
    app.after_request(keep)
    app.teardown_request(leave)
