"""How an answer leaves: its head with the first of its body, and nothing else than the app said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.wasyncore import loop

from web.serving.processes import listening
from web.serving.punctual import make_punctual


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/streamed":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"one, ", b"two"])
    if path == "/unchanged":
        start_response("304 Not Modified", [])
        return []
    pieces = {"/": [b"whole"], "/pieces": [b"who", b"le"], "/excess": [b"whole", b"more"], "/blank": [b"", b"whole"]}
    start_response("200 OK", [("Content-Length", "5")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else pieces[path]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Ask the server for an address; return what it wrote to the connection, one entry for each time."""
    sockets: dict[int, Any] = {}
    server = create_server(app, map=sockets, sockets=listening("127.0.0.1", 0), threads=1)
    make_punctual(sockets.values())
    written: list[bytes] = []
    real = HTTPChannel.write_soon

    def write_soon(channel: HTTPChannel, data: bytes) -> Any:
        written.append(data)
        return real(channel, data)

    monkeypatch.setattr(HTTPChannel, "write_soon", write_soon)
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            loop(timeout=0.05, map=sockets, count=1)

    thread = threading.Thread(target=serve)
    thread.start()

    def ask(path: str, method: str = "GET") -> list[bytes]:
        written.clear()
        with socket.create_connection(("127.0.0.1", server.effective_port)) as connection:
            connection.settimeout(10)
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            received = b"".join(iter(lambda: connection.recv(65_536), b""))
        assert received == b"".join(written)
        return list(written)

    yield ask
    stopped.set()
    thread.join(5)
    server.task_dispatcher.shutdown()
    server.close()


def test_an_answer_whose_length_is_known_leaves_in_one_piece(sent: Any) -> None:
    (answer,) = sent("/")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 5\r\n" in head
    assert body == b"whole"


@pytest.mark.parametrize("path", ["/pieces", "/blank"])
def test_the_head_goes_with_the_first_piece_that_is_not_empty(sent: Any, path: str) -> None:
    first, *rest = sent(path)
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"".join([first.partition(b"\r\n\r\n")[2], *rest]) == b"whole"
    assert not first.endswith(b"\r\n\r\n")


def test_no_more_is_sent_than_was_said(sent: Any) -> None:
    assert b"".join(sent("/excess")).endswith(b"\r\n\r\nwhole")


def test_what_is_streamed_is_sent_in_chunks(sent: Any) -> None:
    answer = b"".join(sent("/streamed"))
    assert answer.endswith(b"\r\n\r\n5\r\none, \r\n3\r\ntwo\r\n0\r\n\r\n")


def test_an_answer_without_a_body_is_its_head(sent: Any) -> None:
    for answer in (b"".join(sent("/unchanged")), b"".join(sent("/", "HEAD"))):
        assert answer.endswith(b"\r\n\r\n")
        assert answer.count(b"\r\n\r\n") == 1
