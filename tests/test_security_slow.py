"""A client that dawdles is cut off by the server as app.py sets it up, and keeps nobody waiting."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Response
from test_web_live import eventually

from app import create_app
from search.engine import Engine
from web.live import FixedEngine
from web.serving.processes import listening
from web.serving.punctual import PunctualChannel
from web.serving.server import Server
from web.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 1.5
# The real front door, with less patience.
PROGRAM = f"""
import app, web.serving.punctual
web.serving.punctual.PunctualChannel.seconds = {SECONDS}
app.main(['--port', '0'])
"""
HEAD = b"POST /api/v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        chosen = free.getsockname()[1]
    program = PROGRAM.replace("'0'", f"'{chosen}'")
    environment = {**os.environ, "AISLE_HOME": str(tmp_path_factory.mktemp("empty")), "AISLE_RATE_LIMIT": "off"}
    server = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    assert server.stdout is not None
    assert re.search(rf":{chosen} ", server.stdout.readline())
    yield chosen
    server.terminate()
    server.wait(10)


def trickle(port: int, start: bytes) -> float:
    """Send a start, then a byte every 0.2 s; return after how many seconds the server closed the connection."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(start)
        connection.settimeout(0.2)
        while time.monotonic() - began < 10:
            try:
                connection.sendall(b"a")
                if connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    return time.monotonic() - began


@pytest.mark.parametrize(
    "start",
    [
        HEAD + b"Content-Length: 1000\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"GET /heal",
    ],
)
def test_a_request_that_trickles_in_is_cut_off_and_keeps_nobody_waiting(port: int, start: bytes) -> None:
    slow = [0.0] * 12
    threads = [
        threading.Thread(target=lambda place=place: slow.__setitem__(place, trickle(port, start)))
        for place in range(len(slow))
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    asked = time.monotonic()
    assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).status == 200
    assert time.monotonic() - asked < 1  # four threads serve, twelve dawdle
    for thread in threads:
        thread.join()
    assert min(slow) > SECONDS - 0.1
    assert max(slow) < SECONDS + 3


def test_a_body_far_too_large_is_refused_without_being_taken_in(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000000000\r\n\r\n")
        assert b" 413 " in connection.recv(1000).split(b"\r\n")[0]


def test_a_chunked_body_that_never_ends_is_refused(port: int) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 50_000_000:
                connection.sendall(b"10000\r\n" + b"a" * 65_536 + b"\r\n")
                sent += 65_536
        except OSError:
            pass
    assert sent < 20_000_000


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"GET /\r\nX HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n X-Folded: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * 40_000 + b"\r\n",
    ],
)
def test_a_request_made_to_confuse_servers_is_refused_or_answered_once(port: int, request_bytes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        answer = b""
        try:
            connection.sendall(request_bytes)
            while part := connection.recv(65_536):
                answer += part
        except OSError:
            pass
    assert b"smuggled" not in answer
    assert re.match(rb"HTTP/1\.[01] (400|413|431|503) ", answer) or answer == b""


def test_who_reads_no_answer_is_cut_off_and_keeps_no_thread(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(Settings(rate_limit=None, events=False), FixedEngine(shop))
    left = threading.Event()

    @app.get("/large")
    def large() -> Response:
        """Answer with more than waitress holds back for a slow reader."""

        def pieces() -> Iterator[bytes]:
            try:
                yield from (b"x" * 1_000_000 for _ in range(40))
            finally:
                left.set()

        return Response(pieces())

    monkeypatch.setattr(PunctualChannel, "seconds", SECONDS)
    server = Server(app, listening("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            server._pass(0.1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with socket.create_connection(("127.0.0.1", server._server.effective_port)) as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not left.wait(SECONDS - 0.5)  # the thread waits for the reader
            assert left.wait(10)
        assert eventually(lambda: app.extensions["aisle.admission"].searches.at_work == 0)
    finally:
        stopped.set()
        thread.join(5)
        server._server.task_dispatcher.shutdown()
        server._server.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"Content-Length: 200000\r\n\r\n", 413),
        (b"GET /api/v1/version HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 300_000 + b"\r\n\r\n", 431),
        (HEAD + b"Content-Length: many\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_answered_as_a_problem_too(port: int, sent: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        connection.sendall(sent)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        told = json.loads(answer.read())
    assert (answer.status, told["status"], told["code"]) == (status, status, f"http_{status}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-ID"] == told["request_id"]
