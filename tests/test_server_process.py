"""The server as a process: answers by words while the encoder loads, releases switched under load, an orderly end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import SHOP, write_release
from test_web_live import eventually, point

from search.home import Home


@dataclass
class Running:
    """A server process and where it is."""

    process: subprocess.Popen[str]
    port: int
    home: Home
    gate: Path
    log: Path

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        """Return the exit code and what was logged."""
        code = self.process.wait(timeout=20)
        return code, [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with started(tmp_path) as server:
        yield server


@contextlib.contextmanager
def started(tmp_path: Path, *more: str) -> Iterator[Running]:
    """Start a server of two releases on a free port; `more` goes to tests/server_process.py."""
    home = Home(tmp_path / "home")
    write_release(home.releases / "one", SHOP)
    write_release(home.releases / "two", SHOP[:4])
    point(home, "one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gate = tmp_path / "gate"
    program = str(Path(__file__).with_name("server_process.py"))
    command = [sys.executable, program, str(home.root), str(port), str(gate), *more]
    log = tmp_path / "log"  # a file: a pipe that nobody empties would stop the server when it is full
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        yield Running(process, port, home, gate, log)
    finally:
        process.kill()
        process.communicate()


def test_until_the_encoder_is_there_answers_are_by_words_and_say_so(running: Running) -> None:
    _, answer = running.get("/api/v1/search?q=espresso+cup")
    assert (answer["mode"], answer["degraded"]) == ("lexical", "encoder_loading")
    assert answer["hits"][0]["id"] == "0003"
    assert running.get("/healthz")[0] == 200
    status, problem = running.get("/readyz")
    assert (status, problem["code"]) == (503, "encoder_loading")
    running.gate.touch()
    assert eventually(running.is_ready)
    _, answer = running.get("/api/v1/search?q=espresso+cup")
    assert (answer["mode"], answer["degraded"]) == ("hybrid", None)


def test_an_encoder_that_cannot_be_loaded_keeps_the_server_from_being_ready_and_is_logged_once(
    running: Running,
) -> None:
    running.gate.write_text("broken")
    assert eventually(lambda: running.get("/readyz")[1]["code"] == "encoder_unavailable")
    assert running.get("/api/v1/search?q=cup")[1]["degraded"] == "encoder_unavailable"
    running.process.terminate()
    code, records = running.end()
    told = [record for record in records if record["logger"] == "aisle.encoder"]
    assert (code, len(told), told[0]["level"]) == (0, 1, "error")
    assert "no such weights" in told[0]["error"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_answers_what_it_was_asked_puts_things_away_and_ends_well(
    running: Running, number: signal.Signals
) -> None:
    running.gate.touch()
    assert eventually(running.is_ready)
    kept = socket.create_connection(("127.0.0.1", running.port))  # asks while the server stops
    with ThreadPoolExecutor(8) as clients:
        # Two at work, six in the queue; each text of its own, so that they are encoded in turns of a second.
        asked = [clients.submit(running.get, f"/api/v1/search?q=slow+cup+{place}") for place in range(8)]
        time.sleep(0.5)
        running.process.send_signal(number)
        time.sleep(0.1)
        kept.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = http.client.HTTPResponse(kept)
        answer.begin()
        assert (answer.status, json.load(answer)["code"]) == (503, "stopping")
        assert eventually(lambda: refuses(running.port), 1)
        answers = [one.result() for one in asked]
    assert {status for status, _ in answers} <= {200, 503}
    assert sum(status == 200 for status, _ in answers) >= 2
    assert all(answer["degraded"] is None for status, answer in answers if status == 200)
    assert all(answer["code"] == "overloaded" for status, answer in answers if status == 503)
    code, records = running.end()
    assert code == 0
    assert running.gate.with_suffix(".closed").exists()
    assert records[-1]["message"] == "stopped"
    assert not [record for record in records if record["level"] == "error"]


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return True
    return False


def test_a_second_signal_ends_it_at_once(running: Running) -> None:
    running.gate.touch()
    assert eventually(running.is_ready)
    threading.Thread(target=lambda: suppressed(running, "/api/v1/search?q=slow+cup"), daemon=True).start()
    time.sleep(0.3)
    running.process.terminate()
    time.sleep(0.1)
    running.process.terminate()
    assert running.process.wait(20) == 128 + signal.SIGTERM


def suppressed(running: Running, path: str) -> None:
    with contextlib.suppress(OSError):
        running.get(path)


def test_releases_switch_under_load_and_every_answer_is_of_one(running: Running) -> None:
    running.gate.touch()
    assert eventually(running.is_ready)
    products = {"one": 8, "two": 4}
    answers: list[tuple[int, Any]] = []
    is_over = threading.Event()

    def shopper() -> None:
        while not is_over.is_set():
            answers.append(running.get("/api/v1/search?facets=availability"))

    shoppers = [threading.Thread(target=shopper) for _ in range(3)]
    for one in shoppers:
        one.start()
    for name in ("two", "one", "two", "one"):
        point(running.home, name)
        assert eventually(lambda name=name: answers and answers[-1][1]["release"] == name)
    is_over.set()
    for one in shoppers:
        one.join()
    assert {status for status, _ in answers} == {200}
    for _, answer in answers:
        in_stock = {"one": 7, "two": 3}[answer["release"]]
        assert answer["total"] == len(answer["hits"]) == products[answer["release"]]
        assert {one["value"]: one["count"] for one in answer["facets"]["availability"]["values"]}[
            "in_stock"
        ] == in_stock
        assert sum(one["count"] for one in answer["clusters"]) == products[answer["release"]]


def test_a_client_that_dawdles_keeps_nobody_waiting(running: Running) -> None:
    dawdlers = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(60)]
    for one in dawdlers:
        one.sendall(b"POST /api/v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
    started = time.monotonic()
    assert running.get("/api/v1/search?q=cup")[0] == 200
    assert time.monotonic() - started < 2
    for one in dawdlers:
        one.close()
