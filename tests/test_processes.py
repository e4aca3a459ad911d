"""Several processes behind one port are one server: to who asks, who counts, who is limited and who stops it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from test_server_process import Running, refuses, started
from test_web_live import eventually, point

from search.state.keys import KeyFile
from search.state.rates import Rate
from search.state.visitors import Visitors
from web.serving.limits import Accounts, Meter
from web.serving.workers import Workers

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Running]:
    """A server of two processes that answer in full."""
    with started(tmp_path, "2") as server:
        server.gate.touch()
        assert eventually(lambda: ready(server) == 2, 10)
        yield server


def ready(server: Running) -> float:
    with suppress(OSError):
        return numbers(server).get("aisle_processes_ready", 0)
    return 0


def numbers(server: Running) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def processes(server: Running) -> list[int]:
    """The processes that serve."""
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True)
    return [int(pid) for pid in done.stdout.split()]


def records(server: Running, logger: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in server.log.read_text().splitlines()]
    return [one for one in found if one["logger"] == logger]


def sent(server: Running, method: str, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def test_a_client_gets_its_rate_once_and_not_from_each_process(tmp_path: Path) -> None:
    with started(tmp_path, "2", "40/hour") as server:
        server.gate.touch()
        assert eventually(lambda: ready(server) == 2, 10)
        with ThreadPoolExecutor(4) as clients:  # so few are never refused for want of room
            answers = list(clients.map(lambda _: server.get("/api/v1/search?q=cup")[0], range(60)))
        assert Counter(answers) == {200: 40, 429: 20}
        asked = [one for one in records(server, "aisle.requests") if one["path"] == "/api/v1/search"]
        assert {one["process"] for one in asked} == set(processes(server))  # both took part


def test_numbers_are_of_all_processes_whoever_is_asked(two: Running) -> None:
    for _ in range(20):
        assert two.get("/api/v1/search?q=cup")[0] == 200
    for _ in range(6):
        found = numbers(two)
        assert found['aisle_requests_total{operation="search",status="2xx"}'] == 20
        assert found['aisle_request_seconds_count{operation="search"}'] == 20
        assert found["aisle_encoder_ready"] == 1
        assert found['aisle_release_info{encoder="fake",release="one"}'] == 1
        assert found["aisle_release_products"] == 8
        assert found['aisle_requests_at_work{lane="searches"}'] == 0
    resident = 0
    for pid in (two.process.pid, *processes(two)):
        status = Path(f"/proc/{pid}/status").read_text()
        resident += int(status.partition("VmRSS:")[2].split()[0]) * 1024
    assert numbers(two)["process_resident_memory_bytes"] == pytest.approx(resident, rel=0.1)


def test_connections_that_stay_open_are_spread_evenly(two: Running) -> None:
    connections = [http.client.HTTPConnection("127.0.0.1", two.port, timeout=20) for _ in range(24)]
    for number, one in enumerate(connections):
        one.request("GET", "/healthz", headers={"X-Request-ID": f"kept-{number}"})
        assert one.getresponse().read()
    kept = [one for one in records(two, "aisle.requests") if one["request_id"].startswith("kept-")]
    spread = Counter(one["process"] for one in kept)
    assert sum(spread.values()) == 24
    assert min(spread.values()) >= 10 and len(spread) == 2, spread
    for one in connections:
        one.close()


def test_a_process_that_is_killed_is_replaced_and_costs_nobody_else_an_answer_nor_an_event(two: Running) -> None:
    victim, other = processes(two)
    acknowledged: list[str] = []
    failed: list[Exception] = []
    is_over = threading.Event()

    def shopper(name: int) -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            event = {"type": "click", "product_id": "0001", "event_id": f"{name}.{number}"}
            try:
                assert two.get("/api/v1/search?q=cup")[0] == 200
                assert sent(two, "POST", "/api/v1/events", event)[0] == 202
                acknowledged.append(event["event_id"])
            except (OSError, http.client.HTTPException) as error:
                failed.append(error)

    shoppers = [threading.Thread(target=shopper, args=(name,)) for name in range(4)]
    for one in shoppers:
        one.start()
    time.sleep(0.5)
    before = numbers(two)
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: victim not in processes(two) and ready(two) == 2, 15)
    is_over.set()
    for one in shoppers:
        one.join()
    assert len(failed) <= len(shoppers)  # at most what it was answering
    assert other in processes(two)
    after = numbers(two)
    for name in ("aisle_requests_total", "aisle_request_seconds_count"):
        assert all(after[one] >= value for one, value in before.items() if one.startswith(name))
    told = [one["message"] for one in records(two, "aisle.server") if one["level"] == "warning"]
    assert told == [f"process 1 (pid {victim}) ended (signal 9); another takes its place in 1 s"]
    two.process.terminate()
    assert two.process.wait(20) == 0
    with sqlite3.connect(two.home.events) as events:
        assert events.execute("SELECT count(*) FROM events").fetchone()[0] >= len(acknowledged) > 20
        assert events.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("to_all", [False, True], ids=["one is told", "all are told, as by Ctrl-C or systemd"])
def test_asked_to_stop_all_answer_what_they_were_asked_and_end_well(two: Running, to_all: bool) -> None:
    with ThreadPoolExecutor(4) as clients:
        asked = [clients.submit(two.get, f"/api/v1/search?q=slow+cup+{place}") for place in range(4)]
        time.sleep(0.5)
        serving = processes(two)
        if to_all:
            os.killpg(two.process.pid, signal.SIGINT)
        else:
            two.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: refuses(two.port), 2)
        answers = [one.result() for one in asked]
    # Two at work in each; a third in one of them may wait too long.
    assert Counter(status for status, _ in answers)[200] >= 3
    assert all(answer["code"] == "overloaded" for status, answer in answers if status == 503)
    assert all(answer["degraded"] is None for status, answer in answers if status == 200)
    code, told = two.end()
    assert code == 0
    assert two.gate.with_suffix(".closed").exists()
    assert Counter(one["message"] for one in told)["stopped"] == 2
    assert not [one for one in told if one["level"] == "error"]
    assert not any(is_there(pid) for pid in serving)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_asked_twice_all_end_at_once(two: Running) -> None:
    with ThreadPoolExecutor(1) as clients:
        clients.submit(lambda: suppressed(two))
        time.sleep(0.3)
        serving = processes(two)
        two.process.terminate()
        time.sleep(0.1)
        two.process.terminate()
        assert two.process.wait(2) == 128 + signal.SIGTERM
    assert not any(is_there(pid) for pid in serving)


def suppressed(server: Running) -> None:
    with suppress(OSError, http.client.HTTPException):
        server.get("/api/v1/search?q=slow+cup")


def test_processes_that_nobody_watches_over_any_more_stop(two: Running) -> None:
    serving = processes(two)
    two.process.kill()
    assert eventually(lambda: refuses(two.port) and not any(is_there(pid) for pid in serving))
    assert not list(two.gate.parent.glob("aisle-metrics-*"))


def test_a_process_that_stops_alone_is_replaced(two: Running) -> None:
    first, second = processes(two)
    os.kill(first, signal.SIGTERM)
    assert eventually(lambda: first not in processes(two) and ready(two) == 2, 10)
    assert second in processes(two)


def test_a_process_that_does_nothing_any_more_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNG_SECONDS", "2")  # tests/server_process.py
    with started(tmp_path, "2") as server:
        server.gate.touch()
        assert eventually(lambda: ready(server) == 2, 10)
        victim, _ = processes(server)
        os.kill(victim, signal.SIGSTOP)
        assert eventually(lambda: victim not in processes(server) and ready(server) == 2, 15)
        assert server.get("/api/v1/search?q=cup")[0] == 200


def test_a_new_process_takes_no_visitors_before_it_answers_in_full(two: Running) -> None:
    two.gate.unlink()  # the next encoder does not come
    victim, _ = processes(two)
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: len(processes(two)) == 2 and victim not in processes(two))
    time.sleep(1.0)
    for _ in range(10):
        assert two.get("/readyz")[0] == 200
        assert two.get("/api/v1/search?q=cup")[1]["degraded"] is None
    assert ready(two) == 1
    two.gate.touch()
    assert eventually(lambda: ready(two) == 2)


def test_a_change_that_one_acknowledged_is_in_every_answer_of_all_and_a_switch_soon(two: Running) -> None:
    key = KeyFile(two.home.keys).create("prices", ["admin"])[1]
    for price in (3.5, 4.5, 5.5):
        body = {"products": [{"id": "0003", "price": price}]}
        status, told = sent(two, "PATCH", "/api/v1/products", body, **{"X-API-Key": key})
        assert status == 200
        for _ in range(8):
            answer = two.get("/api/v1/products/0003")[1]
            assert (answer["product"]["price"], answer["sequence"]) == (price, told["sequence"])
    asked = [one for one in records(two, "aisle.requests") if one["path"] == "/api/v1/products/0003"]
    assert {one["process"] for one in asked} == set(processes(two))
    assert eventually(lambda: numbers(two)["aisle_changes_sequence"] == 3)  # the other one tells once a second
    point(two.home, "two")
    assert eventually(lambda: {two.get("/api/v1/version")[1]["release"] for _ in range(8)} == {"two"})


def started_by_hand(tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AISLE_HOME": str(tmp_path), "AISLE_PROCESSES": "2", "TMPDIR": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        env={**environment, **settings},
    )


def test_what_keeps_a_server_from_starting_is_told_once_with_its_exit_code(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = started_by_hand(tmp_path, AISLE_PORT=str(port))
    assert done.returncode == 2
    assert done.stderr.count(f"cannot listen on 127.0.0.1:{port}") == 1
    for name, value in (("AISLE_PROCESSES", "none"), ("AISLE_THREADS", "0"), ("AISLE_THEME", "/nowhere")):
        done = started_by_hand(tmp_path, **{name: value})
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert not list(tmp_path.glob("aisle-metrics-*"))


def test_where_processes_cannot_fork_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(ValueError, match="AISLE_PROCESSES"):
        Workers(2)
    assert Workers(1).count == 1


def test_when_no_process_can_begin_the_server_ends_with_its_exit_code() -> None:
    program = (
        "import sys; from web.serving.processes import Supervisor; from web.serving.workers import Workers\n"
        "code = Supervisor(Workers(2), []).run(); sys.exit(7 if code is None else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.returncode == 7
    assert "cannot begin (exit code 7)" in done.stderr


def in_a_fork(work: Any) -> int:
    """Carry out something in a process that shares what was there; return its exit code."""
    pid = os.fork()
    if not pid:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_lock_is_free_once_its_holder_is_dead() -> None:
    workers = Workers(2)

    def die_with_it() -> None:
        with workers.locks.held(5):
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_fork(die_with_it) == -signal.SIGKILL
    with ThreadPoolExecutor(1) as other:
        assert other.submit(lambda: hold(workers, 5)).result(2)


def hold(workers: Workers, number: int) -> bool:
    with workers.locks.held(number):
        return True


def test_processes_that_ask_at_once_are_given_exactly_the_amount() -> None:
    meter = Meter(Rate(20_000, 86_400), Accounts(locks=Workers(2).locks))
    read, write = os.pipe()
    begin, children = time.monotonic() + 0.1, []
    for _ in range(3):
        if not (pid := os.fork()):
            while time.monotonic() < begin:
                pass
            answered = sum(meter.hit("203.0.113.7").wait == 0 for _ in range(15_000))
            os.write(write, answered.to_bytes(4, "big"))
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    answered = os.read(read, 12)
    assert sum(int.from_bytes(answered[at : at + 4], "big") for at in (0, 4, 8)) == 20_000


def test_one_visitor_has_one_number_in_all_processes_until_midnight() -> None:
    workers = Workers(2)
    days = [20_000.0 * 86_400]
    visitors = Visitors(lambda: days[0], workers.key_of_day)
    read, write = os.pipe()
    in_a_fork(lambda: os.write(write, visitors.number("203.0.113.7", "x").to_bytes(8, "big", signed=True)))
    number = visitors.number("203.0.113.7", "x")
    assert int.from_bytes(os.read(read, 8), "big", signed=True) == number
    days[0] += 86_400
    assert visitors.number("203.0.113.7", "x") != number
    days[0] -= 86_400
    assert visitors.number("203.0.113.7", "x") != number  # its key is gone
