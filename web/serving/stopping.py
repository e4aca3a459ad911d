"""An orderly end: who is told that the server stops, and who gets a chance to put things away."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Flask, current_app

logger = logging.getLogger("aisle.server")


class Stopping:
    """Whether the server is stopping, and what is done once the last request was answered."""

    def __init__(self) -> None:
        self.begun = False
        self._closers: list[Callable[[], None]] = []

    def at_stop(self, close: Callable[[], None]) -> None:
        """Have `close` called after the last answer, the latest given first."""
        self._closers.append(close)

    def finish(self) -> None:
        """Call everything that was given; what fails is logged and keeps nobody else from closing."""
        self.begun = True
        while self._closers:
            close = self._closers.pop()
            try:
                close()
            except Exception:
                logger.exception("%s failed while the server stopped", getattr(close, "__qualname__", close))


def install(app: Flask) -> None:
    """Give an app its end."""
    app.extensions["aisle.stopping"] = Stopping()


def at_stop(app: Flask, close: Callable[[], None]) -> None:
    """Have `close` called once, after the last request was answered: to flush what is not on disk yet."""
    app.extensions["aisle.stopping"].at_stop(close)


def is_stopping() -> bool:
    """Return whether the server of the current app takes no new connections any more."""
    stopping: Stopping = current_app.extensions["aisle.stopping"]
    return stopping.begun
