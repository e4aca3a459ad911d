"""Requests that never finish arriving are cut off, however busily they trickle.

Waitress closes connections that fall silent. One byte a second is not silence, and enough such connections would keep
everyone else out (the attack is called Slowloris). So each request must have arrived within a fixed time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer

ARRIVAL_SECONDS = 20.0  # for the largest body, 64 KiB, 3.2 KiB a second


class StrictParser(HTTPRequestParser):
    """Refuses a request that gives its length in two ways: a proxy might believe the other (RFC 9112, 6.3)."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head of a request.

        Raises:
            ParsingError: it cannot be read, or not in one way only; answered 400.
        """
        head = b"\n" + header_plus.lower()
        if b"\ntransfer-encoding:" in head and b"\ncontent-length:" in head:
            raise ParsingError("both Transfer-Encoding and Content-Length are given")
        super().parse_header(header_plus)


class PunctualChannel(HTTPChannel):
    """A connection that is closed when a request on it has been arriving for too long."""

    parser_class = StrictParser
    seconds = ARRIVAL_SECONDS
    _began: float | None = None  # when the request that is arriving began to; monotonic

    def received(self, data: bytes) -> bool:
        """Take in what arrived, and note whether a request is still incomplete."""
        kept: bool = super().received(data)
        if self.request is None:
            self._began = None
        elif self._began is None:
            self._began = time.monotonic()
        return kept

    def readable(self) -> bool:
        """Return whether more is wanted; asked by the server's loop at each of its rounds."""
        if self.requests:
            self._began = None  # it cannot go on arriving while one before it is answered
        elif self._began is not None and time.monotonic() - self._began > self.seconds:
            self.will_close = True
        wanted: bool = super().readable()
        return wanted


def make_punctual(sockets: Iterable[Any]) -> None:
    """Let servers accept connections as `PunctualChannel`.

    Args:
        sockets: the values of the map that waitress' `create_server` was given; what is no server is passed over.
    """
    for one in sockets:
        if isinstance(one, BaseWSGIServer):
            one.channel_class = PunctualChannel
