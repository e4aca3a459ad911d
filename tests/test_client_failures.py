"""The Python client when things fail, against a server that answers as it is told to, and how it keeps its key."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aisle_client import Aisle, AisleError, AisleProblem, AisleUnreachable, connection
from aisle_client.problems import seconds_of


class Scripted(ThreadingHTTPServer):
    """Gives its answers one after the other, the last for ever; remembers what it was asked, over how many wires."""

    daemon_threads = True

    def __init__(self, *script: Any):
        self.script = list(script)
        self.asked: list[tuple[str, str, dict[str, str], float]] = []
        self.bodies: list[bytes] = []
        self.wires = 0
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def setup(self) -> None:
        super().setup()
        self.server.wires += 1

    def _answer(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.server.asked.append((self.command, self.path, dict(self.headers), time.monotonic()))
        script = self.server.script
        status, headers, body = script.pop(0) if len(script) > 1 else script[0]
        if status == 0:  # the wire breaks
            self.close_connection = True
            self.wfile.write(body)
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def scripted(*script: Any, **options: Any) -> Iterator[tuple[Scripted, Aisle]]:
    server = Scripted(*script)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with Aisle(f"http://127.0.0.1:{server.server_port}", **{"key": "", **options}) as aisle:
        yield server, aisle
    server.shutdown()
    server.server_close()


FINE = (200, {}, b'{"name": "aisle"}')
BUSY = (503, {"Retry-After": "0"}, b'{"code": "overloaded", "detail": "too much", "request_id": "r1"}')
BROKEN = (0, {}, b"")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.01)


def test_connections_are_kept() -> None:
    with scripted(FINE) as (server, aisle):
        for _ in range(5):
            aisle.version()
    assert (len(server.asked), server.wires) == (5, 1)


@pytest.mark.parametrize(
    "trouble", [BUSY, (429, {}, b"{}"), BROKEN, (0, {}, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")]
)
def test_what_only_reads_is_tried_again(trouble: Any) -> None:
    with scripted(trouble, trouble, FINE) as (server, aisle):
        assert aisle.version()["name"] == "aisle"
    assert len(server.asked) == 3


def test_a_server_is_not_asked_before_the_time_it_names() -> None:
    with scripted((429, {"Retry-After": "1"}, b"{}"), FINE) as (server, aisle):
        aisle.version()
    assert server.asked[1][3] - server.asked[0][3] >= 1


@pytest.mark.parametrize("named", ["31", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_server_that_asks_for_too_much_patience_is_left(named: str) -> None:
    with scripted((503, {"Retry-After": named}, b"{}"), FINE) as (server, aisle):
        with pytest.raises(AisleProblem) as caught:
            aisle.version()
        assert caught.value.retry_after and caught.value.retry_after > 30
    assert len(server.asked) == 1


def test_tries_come_to_an_end_and_the_last_answer_is_told() -> None:
    told = pytest.raises(AisleProblem, match=r"503 overloaded: too much \(request r1\)")
    with scripted(BUSY, retries=2) as (server, aisle), told:
        aisle.version()
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 502])
def test_other_problems_are_not_tried_again(status: int) -> None:
    with scripted((status, {}, b"<html>"), FINE) as (server, aisle):
        with pytest.raises(AisleProblem) as caught:
            aisle.version()
        assert (caught.value.status, caught.value.code, caught.value.detail) == (status, f"http_{status}", "<html>")
    assert len(server.asked) == 1


@pytest.mark.parametrize("trouble", [BUSY, BROKEN])
def test_what_would_do_more_a_second_time_is_sent_once(trouble: Any) -> None:
    with scripted(trouble, FINE) as (server, aisle), pytest.raises(AisleError):
        aisle.rollback()
    assert len(server.asked) == 1


def test_events_sent_again_are_the_same_events() -> None:
    mine = {"type": "view", "product_id": "2", "event_id": "mine"}
    with scripted(BROKEN, BUSY, FINE) as (server, aisle):
        aisle.send_events([{"type": "click", "product_id": "1"}, mine])
    first, second, third = server.bodies
    assert first == second == third
    given = json.loads(first)
    assert given[1] == mine
    assert given[0].keys() == {"type", "product_id", "event_id"} and len(given[0]["event_id"]) == 16


def test_an_answer_that_does_not_come_ends_with_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        aisle = Aisle(f"http://127.0.0.1:{silent.getsockname()[1]}", key="", timeout=0.2)
        started = time.monotonic()
        with pytest.raises(AisleUnreachable, match="timed out"):
            aisle.version()
        assert time.monotonic() - started < 1  # one try, not three


def test_a_connection_closed_meanwhile_is_opened_anew_even_for_what_is_sent_once() -> None:
    with scripted((200, {"Keep": "1"}, b"{}")) as (server, aisle):
        aisle.version()
        kept = aisle._connection._own.connection
        kept.sock.shutdown(socket.SHUT_RDWR)  # as after a server's idle time
        aisle.rollback()
    assert (len(server.asked), server.wires) == (2, 2)


def test_compressed_answers_are_read_and_cut_ones_told() -> None:
    lines = b'{"id": "a"}\n' * 2000
    packed = gzip.compress(lines)
    as_gzip = {"Content-Encoding": "gzip"}
    with scripted((200, as_gzip, packed)) as (_, aisle):
        assert len(list(aisle.export())) == 2000
    longer = {"Content-Length": "99999", "Connection": "close"}
    for headers, body in ((as_gzip | longer, packed[:-9]), (longer, lines), ({"Connection": "close"}, lines[:-3])):
        with scripted((200, headers, body)) as (_, aisle), pytest.raises(AisleUnreachable):
            list(aisle.export())


def test_a_server_that_is_no_shop_is_told_apart() -> None:
    with (
        scripted((200, {}, b"<html>welcome")) as (_, aisle),
        pytest.raises(AisleProblem, match="not answered by Aisle"),
    ):
        aisle.version()


# -- keys --


def test_the_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("AISLE_KEY", "of-the-environment\n")
    with scripted(FINE, key=None) as (server, aisle):
        aisle.version()
    assert server.asked[0][2]["Authorization"] == "Bearer of-the-environment"
    with scripted((403, {}, b"{}"), key="secret-one") as (server, aisle):
        with pytest.raises(AisleProblem) as caught:
            aisle.version()
        assert server.asked[0][2]["Authorization"] == "Bearer secret-one"
        shown = f"{aisle!r} {aisle} {caught.value!r} {caught.value} {caught.traceback} {caplog.text}"
        assert "secret-one" not in shown
    monkeypatch.delenv("AISLE_KEY")
    with scripted(FINE, key=None) as (server, aisle):
        aisle.version()
    assert "Authorization" not in server.asked[0][2]


@pytest.mark.parametrize("key", ["two words", "a\r\nX-Admin: 1", "schlüssel"])
def test_a_key_that_cannot_be_one_is_refused_without_being_told(key: str) -> None:
    with pytest.raises(ValueError) as caught:
        Aisle(key=key)
    assert key not in str(caught.value)


def test_a_key_stays_with_its_server() -> None:
    with scripted(FINE) as (other, _):
        elsewhere = {"Location": f"http://127.0.0.1:{other.server_port}/"}
        with scripted((302, elsewhere, b""), key="secret-one") as (_, aisle), pytest.raises(AisleProblem, match="302"):
            aisle.version()
        assert other.asked == []


@pytest.mark.parametrize(
    "url", ["shop.example", "ftp://shop.example", "http://", "http://a:b@shop.example", "http://a?b"]
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url is"):
        Aisle(url)


def test_a_shop_may_live_under_a_path() -> None:
    with scripted(FINE) as (server, aisle):
        Aisle(f"{aisle._connection.url}/shop/", key="").version()
    assert server.asked[0][1] == "/shop/api/v1/version"


@pytest.mark.parametrize(("text", "seconds"), [("5", 5.0), (None, None), ("soon", None), ("-1", None)])
def test_retry_after_is_read(text: str | None, seconds: float | None) -> None:
    assert seconds_of(text) == seconds
    assert seconds_of("Fri, 01 Jan 1999 00:00:00 GMT") == 0
