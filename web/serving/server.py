"""The WSGI server around the app: waitress, told how many may connect, and stopped without dropping a request.

Chosen by measurement (DESIGN.md, "Under load"): its one loop reads every request whole before a thread has it, so
slow clients cost no thread, and refused ones are refused at once.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any

from flask import Flask
from waitress.server import BaseWSGIServer, create_server
from waitress.wasyncore import loop

from web.live import EngineProvider
from web.serving.admission import Admission
from web.serving.metrics import Metrics
from web.serving.punctual import PunctualChannel, make_punctual
from web.serving.security import MAX_BODY_BYTES
from web.serving.stopping import Stopping
from web.serving.workers import Workers

logger = logging.getLogger("aisle.server")
# Threads wait for the interpreter's lock at most this long; at Python's 5 ms suggestions wait so long beside a search,
# each time they let go of it.
SWITCH_SECONDS = 0.0005
# A release is half a million objects that stay; looking through them for garbage stops everybody for .1 s and more.
GARBAGE = (10_000, 20, 50)  # the interpreter's own (700, 10, 10) looks 14 times as often
SETTLED_SECONDS = 5.0  # after which the last requests of the release before are answered
CONNECTIONS = 1000  # open at once; the next wait in the kernel's queue
SILENT_SECONDS = 30  # after which a connection that asks nothing is closed
LAST_ANSWERS_SECONDS = 8.0  # for what was asked before the end; service managers wait 10 s or more
ARRIVING_SECONDS = 0.3  # for what was on its way when the end began
CLOSED_SECONDS = 0.1  # how often a process that takes no connections looks whether it is to
LEFT_SECONDS = 0.02  # how long a connection is left to a process that has fewer, whose threads may keep it busy

ARENAS = 1  # glibc would give every thread its own, and each keeps what it once needed: DESIGN.md, "Under load"
RETURN_SECONDS = 10.0  # between two times that free memory is given back; it takes 5 ms
_M_ARENA_MAX = -8  # mallopt(3)


def share_memory() -> None:
    """Let threads allocate from one arena, where the C library is glibc; those that have begun keep their own."""
    _of_glibc("mallopt")(_M_ARENA_MAX, ARENAS)


def return_memory() -> None:
    """Give the system back what lies free between what is in use, where the C library is glibc."""
    _of_glibc("malloc_trim")(0)


def _of_glibc(name: str) -> Callable[..., Any]:
    """Return a function of the C library, which lets other threads run; where there is none, one that does nothing."""
    return getattr(ctypes.CDLL(None), name, _nothing) if sys.platform == "linux" else _nothing


def _nothing(*_: int) -> None:
    pass


class Keeping:
    """Sees that a release that stays is not looked through for garbage, and that one that went is let go of whole."""

    def __init__(self, engines: EngineProvider):
        self._engines = engines
        self._seen = ""  # name of the release
        self._due: float | None = None  # monotonic, when what is there now is taken as staying
        self._has_settled = False

    def look(self) -> None:
        """Notice a new release, and settle with it once it can answer in full and the one before is idle."""
        engine = self._engines.engine
        is_new = engine is not None and engine.release.name != self._seen
        if engine is not None and is_new and (engine.encoder.is_ready or engine.problem):
            self._seen = engine.release.name
            self._due = time.monotonic() + (SETTLED_SECONDS if self._has_settled else 0.0)
        if self._due is not None and time.monotonic() >= self._due:
            self._due = None
            if self._has_settled:
                gc.unfreeze()
                gc.collect()
            gc.freeze()
            self._has_settled = True


class Server:
    """A waitress server of an app that stops on SIGTERM or SIGINT: first the door, then the queue, then the rest.

    Where several processes serve from the same sockets, each leaves a new connection to those that have fewer, for a
    moment, and one that begins while others answer in full takes none before it does.

    Args:
        app: with its admission and its `web.serving.stopping` installed.
        sockets: that listen.
        is_behind_proxy: whether X-Forwarded-For is let through to the app, which knows how far to believe it.
        adjustments: of waitress, beside ours.
    """

    def __init__(
        self, app: Flask, sockets: Sequence[socket.socket], *, is_behind_proxy: bool = False, **adjustments: Any
    ):
        admission: Admission = app.extensions["aisle.admission"]
        self._metrics: Metrics = app.extensions["aisle.metrics"]
        self._engines: EngineProvider = app.extensions["aisle.engine"]
        self._workers: Workers = app.extensions["aisle.workers"]
        self._stopping: Stopping = app.extensions["aisle.stopping"]
        self._sockets: dict[int, Any] = {}
        self._keeping = Keeping(self._engines)
        self._leaving = (0.0, 0.0)  # since when a connection is left to others, and when that was last so; monotonic
        self._looked = time.monotonic()  # when connections were looked over last
        self._returned = time.monotonic()  # when memory was given back last
        self._server = create_server(
            app, map=self._sockets, sockets=list(sockets), threads=admission.threads, ident="aisle",
            connection_limit=CONNECTIONS, channel_timeout=SILENT_SECONDS, asyncore_use_poll=True,
            max_request_body_size=2 * MAX_BODY_BYTES,  # at most so much is taken in before the app refuses it
            clear_untrusted_proxy_headers=not is_behind_proxy, **adjustments,
        )  # fmt: skip
        make_punctual(self._sockets.values())
        self._doors = [one for one in self._sockets.values() if isinstance(one, BaseWSGIServer)]
        for one in self._doors:
            one.accept = partial(self._accept, one.accept)

    def run(self) -> None:
        """Serve until a signal; return when the last request was answered and everything was put away."""
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.set_threshold(*GARBAGE)
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self._stopping.begun:
                self._pass(1.0)
            self._close_door()
            self._answer_the_rest()
            self._server.task_dispatcher.shutdown(timeout=1)
            self._stopping.finish()
            logger.info("stopped")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Asked twice: at once. One of several may hear it from the terminal too, from systemd and from who watches.
        if self._stopping.begun and self._workers.count == 1:
            os._exit(128 + number)
        self._stopping.begun = True
        for one in self._doors:
            one.pull_trigger()  # wakes the loop

    def _pass(self, seconds: float) -> None:
        """Let the loop read and write what there is, waiting for it at most so long; cut off who reads no answer."""
        is_open = self._workers.is_needed
        for one in self._doors:
            one.accepting = is_open
        loop(timeout=seconds if is_open else min(seconds, CLOSED_SECONDS), use_poll=True, map=self._sockets, count=1)
        engine = self._engines.engine
        self._workers.go_round(
            sum(len(one.active_channels) for one in self._doors), engine is not None and engine.encoder.is_ready
        )
        if time.monotonic() - self._looked > 1:
            self._looked = time.monotonic()
            for channel in [one for one in self._channels() if one.is_unread]:
                channel.handle_close()  # which also wakes a thread that waits for room
            self._keeping.look()
            if self._workers.count > 1:
                self._workers.tell(self._metrics.state())
        if time.monotonic() - self._returned > RETURN_SECONDS:
            self._returned = time.monotonic()
            return_memory()

    def _accept(self, accept: Callable[[], Any]) -> Any:
        """Return a new connection; None where a process with fewer is let go first."""
        if self._workers.count > 1 and not self._stopping.begun and self._workers.has_most:
            now, (since, last) = time.monotonic(), self._leaving
            if now - last > LEFT_SECONDS:
                since = now  # the one before was taken
            if now - since < LEFT_SECONDS:
                time.sleep(0.001)  # else the loop would find it waiting again at once
                self._leaving = since, time.monotonic()
                return None
            self._leaving = 0.0, 0.0
        return accept()

    def _close_door(self) -> None:
        """Take in whoever stands before the door already, and close it."""
        logger.info("stopping: no new connections, %d are open", len(self._channels()))
        doors, self._doors = self._doors, []
        for one in doors:
            for _ in range(one.adj.backlog):
                known = len(self._sockets)
                one.handle_accept()
                if len(self._sockets) == known:
                    break
            one.del_channel(self._sockets)
            one.socket.close()

    def _answer_the_rest(self) -> None:
        """Answer everything that was asked; then close connections as they fall silent."""
        began = time.monotonic()
        while self._channels() and (spent := time.monotonic() - began) < LAST_ANSWERS_SECONDS:
            if spent > ARRIVING_SECONDS:
                for channel in self._channels():
                    channel.will_close |= not channel.requests and not channel.total_outbufs_len
            self._pass(0.05)
        unanswered = sum(len(channel.requests) for channel in self._channels())
        if unanswered:
            logger.warning("stopping: %d requests were not answered in %g s", unanswered, LAST_ANSWERS_SECONDS)

    def _channels(self) -> list[PunctualChannel]:
        return [one for one in self._sockets.values() if isinstance(one, PunctualChannel)]
