"""Requests that never finish arriving are cut off, however busily they trickle, and so is who reads no answer.

Waitress closes connections that fall silent. One byte a second is not silence, and enough such connections would keep
everyone else out (the attack is called Slowloris). So each request must have arrived within a fixed time. An answer
that nobody reads would keep a thread waiting for room; a connection that takes nothing for as long is closed.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Iterable
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask, WSGITask

logger = logging.getLogger("aisle.server")
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


class ProblemTask(ErrorTask):
    """What is no request is answered as the app answers errors (RFC 9457); the app never sees it."""

    def execute(self) -> None:
        """Write the answer and close."""
        error = self.request.error
        told = {
            "type": f"urn:aisle:problem:http_{error.code}", "title": error.reason, "status": error.code,
            "detail": str(error.body), "instance": "", "code": f"http_{error.code}", "request_id": uuid.uuid4().hex,
            "errors": [],
        }  # fmt: skip
        body = json.dumps(told).encode()
        self.status = f"{error.code} {error.reason}"
        self.content_length = len(body)
        self.response_headers = [
            ("Content-Type", "application/problem+json"), ("X-Content-Type-Options", "nosniff"),
            ("X-Request-ID", told["request_id"]), ("Connection", "close"),
        ]  # fmt: skip
        self.set_close_on_finish()
        logger.info("%d %s: %s", error.code, error.reason, error.body)
        self.write(body)


class OnePieceTask(WSGITask):
    """Sends the head of an answer and the first of its body together: one call of the system, one packet less."""

    def write(self, data: bytes) -> None:
        """Send a part of the body; the first takes the head along where the length of the whole is known."""
        length = self.content_length
        has_begun = bool(self.wrote_header)  # type: ignore[has-type]
        is_whole = self.complete and length is not None and 0 < len(data) <= length
        if has_begun or not is_whole or not self.has_body:
            super().write(data)
            return
        head = self.build_response_header()
        self.wrote_header = True
        self.content_bytes_written += len(data)
        self.channel.write_soon(head + data)


class PunctualChannel(HTTPChannel):
    """A connection that is closed when a request has been arriving, or an answer not been read, for too long."""

    parser_class = StrictParser
    task_class = OnePieceTask
    error_task_class = ProblemTask
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

    @property
    def is_unread(self) -> bool:
        """Whether nothing of its answer was taken for too long."""
        return bool(self.total_outbufs_len) and time.time() - self.last_activity > self.seconds


def make_punctual(sockets: Iterable[Any]) -> None:
    """Let servers accept connections as `PunctualChannel`.

    Args:
        sockets: the values of the map that waitress' `create_server` was given; what is no server is passed over.
    """
    for one in sockets:
        if isinstance(one, BaseWSGIServer):
            one.channel_class = PunctualChannel
