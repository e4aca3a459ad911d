"""HTTP as far as it is needed: kept connections, timeouts, and another try where that can do no harm."""

from __future__ import annotations

import io
import json
import random
import selectors
import threading
import time
from collections.abc import Iterator
from gzip import GzipFile
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from aisle_client.problems import AisleProblem, AisleUnreachable, problem_of

BUSY = (429, 503)  # worth another try
FIRST_PAUSE = 0.25  # seconds; doubles with every try the server says nothing about
LONGEST_PAUSE = 30.0  # seconds; a server that asks for more is not waited for
_FAULTS = (OSError, HTTPException, EOFError)


class Connection:
    """Requests to one server. Safe to share between threads: each has a connection of its own, kept open.

    Args:
        url: the server's root, with a path where it lives under one.
        key: sent with every request, and never shown; "" for none.
        timeout: seconds without a sign of life.
        retries: further tries of what only reads.

    Raises:
        ValueError: the address or the key cannot be used.
    """

    def __init__(self, url: str, key: str, timeout: float, retries: int, agent: str):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError(f'url is "{url}"; it must be like https://shop.example, the key apart')
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("the key holds a space or a sign that no key has")  # which one is nobody's business
        self.url = url.rstrip("/")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port, self._root = parts.hostname, parts.port, parts.path.rstrip("/")
        self._timeout, self._retries = timeout, retries
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": agent}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._own = threading.local()

    def ask(self, method: str, target: str, body: Any = None, *, is_safe: bool = True) -> bytes:
        """Return the body of a good answer.

        Args:
            method, target: of the request; the target is path and query.
            body: sent as JSON; None for none.
            is_safe: whether it may be asked twice.

        Raises:
            AisleProblem: the server says no.
            AisleUnreachable: no whole answer came.
        """
        sent = None if body is None else json.dumps(body).encode()
        for attempt in range(self._retries + 1):
            is_last = attempt == self._retries or not is_safe
            try:
                return self._once(method, target, sent)
            except AisleProblem as problem:
                pause = _pause(attempt) if problem.retry_after is None else problem.retry_after
                if is_last or problem.status not in BUSY or pause > LONGEST_PAUSE:
                    raise
            except AisleUnreachable as error:
                if is_last or isinstance(error.__cause__, TimeoutError):
                    raise
                pause = _pause(attempt)
            time.sleep(pause * (1 + random.random() / 4))  # noqa: S311 - so that not all come back at once
        raise AssertionError("unreachable")

    def lines(self, target: str) -> Iterator[bytes]:
        """Yield the lines of a good answer as they come, over a connection of their own.

        Raises:
            AisleProblem, AisleUnreachable: as `ask`; there is no other try.
        """
        connection = self._opened()
        try:
            response = self._sent(connection, "GET", target, None)
            try:
                if response.status >= 300:
                    raise problem_of(response.status, response.headers, _body(response).read())
                for line in _body(response):
                    if not line.endswith(b"\n"):
                        raise EOFError("the answer breaks off")
                    yield line
                if response.length:
                    raise EOFError("the answer breaks off")
            except _FAULTS as error:
                raise self._lost("GET", target, error) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Close this thread's connection; the next request opens another."""
        if (connection := getattr(self._own, "connection", None)) is not None:
            connection.close()

    def _once(self, method: str, target: str, body: bytes | None) -> bytes:
        connection = self._kept()
        response = self._sent(connection, method, target, body)
        try:
            answer = _body(response).read()
        except _FAULTS as error:
            connection.close()
            raise self._lost(method, target, error) from error
        if response.status >= 300:
            raise problem_of(response.status, response.headers, answer)
        return answer

    def _sent(self, connection: HTTPConnection, method: str, target: str, body: bytes | None) -> HTTPResponse:
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        try:
            connection.request(method, self._root + target, body, headers)
            return connection.getresponse()
        except _FAULTS as error:
            connection.close()
            raise self._lost(method, target, error) from error

    def _lost(self, method: str, target: str, error: Exception) -> AisleUnreachable:
        path = target.partition("?")[0]
        return AisleUnreachable(f"{method} {self.url}{path}: {str(error) or type(error).__name__}")

    def _kept(self) -> HTTPConnection:
        """Return this thread's connection; one that the server has closed meanwhile is opened anew."""
        connection: HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._opened()
        elif connection.sock is not None and _has_something_to_say(connection):
            connection.close()
        return connection

    def _opened(self) -> HTTPConnection:
        return self._kind(self._host, self._port, timeout=self._timeout)


def _has_something_to_say(connection: HTTPConnection) -> bool:
    """Return whether there is something to read before anything was asked: the end, most likely."""
    with selectors.DefaultSelector() as ready:
        ready.register(connection.sock, selectors.EVENT_READ)
        return bool(ready.select(0))


def _body(response: HTTPResponse) -> io.BufferedIOBase:
    if response.headers.get("Content-Encoding") == "gzip":
        return GzipFile(fileobj=response, mode="rb")
    return io.BufferedReader(response)


def _pause(attempt: int) -> float:
    return float(FIRST_PAUSE * 2**attempt)
