"""Searches and events on disk: what is acknowledged stays, once; what is old or too much goes; failures are told."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from search.errors import EventsUnavailable
from search.state import events as events_module
from search.state.database import Event, EventDatabase, Searched, open_for_reading
from search.state.events import EventLog
from search.state.visitors import Visitors

NOW = 1_750_000_000.0
DAY = 86_400.0
WRITER = Path(__file__).with_name("event_writer.py")


def search_at(moment: float, text: str = "red dress", **given: Any) -> Searched:
    """A search of someone at some time."""
    found = Searched(
        moment, uuid.uuid4().hex, text, None, "page", "hybrid", 1, 2, "good", None, (), "release", 4.5, 7, 1, ("a", "b")
    )
    return found._replace(**given)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "events.sqlite"


@pytest.fixture
def log(path: Path) -> Iterator[EventLog]:
    found = EventLog(path, days=30_000, megabytes=100)
    yield found
    found.close()


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a file of events answers."""
    with closing(open_for_reading(path)) as connection:
        return connection.execute(sql).fetchall()


def until(condition: Any) -> None:
    """Wait until something is so, four seconds at most."""
    for _ in range(400):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


# -- what is kept --


def test_a_search_is_kept_in_small_letters_with_what_it_showed(log: EventLog, path: Path) -> None:
    given = {"corrected": "Red Dress", "filters": ("brand", "price"), "first": 25, "degraded": "encoder_loading"}
    log.note(search_at(NOW, "Red  Dres for jane@example.com", **given))
    log.close()
    names = dict(rows(path, "SELECT n, name FROM names"))
    [row] = rows(path, "SELECT * FROM searches")
    _, time_, query_id, text, corrected, *rest = row
    assert (time_, len(query_id)) == (NOW, 16)
    assert (names[text], names[corrected]) == ("red dres for [email]", "red dress")
    assert rest[:6] == ["page", "hybrid", 1, 2, "good", "encoder_loading"]
    assert [names[rest[6]], names[rest[7]], *rest[8:11]] == ["brand,price", "release", 4.5, 7, 25]
    shown = rest[11]
    assert [names[int.from_bytes(shown[at : at + 4], "little")] for at in (0, 4)] == ["a", "b"]


def test_no_name_is_written_twice(log: EventLog, path: Path) -> None:
    for _ in range(3):
        log.note(search_at(NOW, "mug"))
    log.store([Event(NOW, "click", "a")])
    assert sorted(rows(path, "SELECT name FROM names")) == [("a",), ("b",), ("mug",), ("release",)]


def test_nobody_else_on_the_machine_may_read_it(log: EventLog, path: Path) -> None:
    log.store([Event(NOW, "click", "a")])
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_an_event_takes_the_searches_that_wait_along(log: EventLog, path: Path) -> None:
    log.note(search_at(NOW))
    log.store([Event(NOW, "click", "a")])
    assert rows(path, "SELECT count(*) FROM searches") == [(1,)]


def test_a_search_alone_is_written_within_two_seconds(log: EventLog, path: Path) -> None:
    log.note(search_at(NOW))
    until(lambda: log._database is not None)
    until(lambda: rows(path, "SELECT count(*) FROM searches") == [(1,)])


@pytest.mark.parametrize(
    ("first", "second", "are_one"),
    [
        ({"event_id": "x"}, {"event_id": "x", "query_id": "0" * 32}, True),
        ({"event_id": "x"}, {"event_id": "y"}, False),
        ({"query_id": "0" * 32}, {"query_id": "0" * 32, "position": 4}, True),
        ({"query_id": "0" * 32}, {"query_id": "1" * 32}, False),
        ({"query_id": "0" * 32}, {"query_id": "0" * 32, "product_id": "b"}, False),
        ({"query_id": "0" * 32}, {"query_id": "0" * 32, "type": "cart"}, False),
        ({}, {}, False),  # nothing tells a second purchase from a retry
    ],
)
def test_the_same_event_is_stored_once(
    log: EventLog, first: dict[str, Any], second: dict[str, Any], are_one: bool
) -> None:
    base = Event(NOW, "click", "a")
    assert log.store([base._replace(**first)]) == [True]
    assert log.store([base._replace(**second)]) == [not are_one]
    assert log.store([base._replace(**first), base._replace(**second)]) == [not first, not second]


def test_events_from_many_threads_share_commits_and_all_arrive(log: EventLog, path: Path) -> None:
    def send(thread: int) -> None:
        for number in range(50):
            assert log.store([Event(NOW, "view", f"{thread} {number}")]) == [True]

    threads = [threading.Thread(target=send, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(path, "SELECT count(DISTINCT product) FROM events") == [(400,)]


def test_two_processes_write_to_one_file(path: Path) -> None:
    logs = [EventLog(path, days=30_000, megabytes=100) for _ in range(2)]
    for number in range(40):
        logs[number % 2].note(search_at(NOW, f"text {number % 3}"))
        logs[number % 2].store([Event(NOW, "click", f"product {number % 5}", event_id=str(number // 2))])
    for one in logs:
        one.close()
    assert rows(path, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM searches)") == [(20, 40)]
    assert rows(path, "SELECT count(*), count(DISTINCT name) FROM names") == [(11, 11)]


# -- durability --


def killed(path: Path, name: str, seconds: float) -> list[str]:
    """Start a process that stores events, kill it after some time, and give the ids it had acknowledged."""
    with subprocess.Popen([sys.executable, str(WRITER), str(path), name], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        said = first + process.stdout.read()
    return [line for line in said.decode().split("\n")[:-1] if line]


def test_what_was_acknowledged_outlives_kill_9_and_is_there_once(path: Path) -> None:
    moment = random.Random(5)
    acknowledged: list[str] = []
    for run in range(4):
        acknowledged += killed(path, str(run), moment.uniform(0, 0.2))
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(acknowledged) > 20
    log = EventLog(path, days=30_000, megabytes=100)
    stored = rows(path, "SELECT count(*) FROM events")[0][0]
    assert stored >= len(acknowledged)
    again = [log.store([Event(NOW, "click", "x", event_id=one)])[0] for one in acknowledged]
    log.close()
    assert not any(again)
    assert rows(path, "SELECT count(*) FROM events") == [(stored,)]


def test_a_commit_is_synced_to_the_disk_before_it_is_acknowledged(path: Path) -> None:
    database = EventDatabase(path, days=30, megabytes=100)
    assert database._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert database._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# -- bounds --


def test_what_is_older_than_the_days_kept_goes_and_its_names_with_it(path: Path) -> None:
    database = EventDatabase(path, days=10, megabytes=100)
    database.write([search_at(NOW - 11 * DAY, "old", shown=("gone", "a"))], [Event(NOW - 11 * DAY, "view", "gone too")])
    database.write([search_at(NOW - 9 * DAY, "kept")], [Event(NOW, "view", "a")])
    while database.prune(NOW):
        pass
    assert sorted(rows(path, "SELECT name FROM names")) == [("a",), ("b",), ("kept",), ("release",)]
    assert rows(path, "SELECT count(*) FROM searches") == [(1,)]
    assert rows(path, "SELECT count(*) FROM events") == [(1,)]
    database.write([search_at(NOW, "old", shown=("gone",))], [])  # the writer remembers no number of what is gone
    assert rows(path, "SELECT name FROM searches JOIN names ON n = text ORDER BY id") == [("kept",), ("old",)]


def test_the_file_stays_within_its_megabytes_and_the_newest_is_kept(path: Path) -> None:
    database = EventDatabase(path, days=30_000, megabytes=2)
    for batch in range(10):
        moment = NOW + batch * DAY / 4
        searches = [
            search_at(moment + number, f"{uuid.uuid4()} text", shown=tuple(map(str, range(number, number + 24))))
            for number in range(2_000)
        ]
        database.write(searches, [Event(moment + number, "view", f"{number}") for number in range(500)])
        while database.prune(NOW):
            pass
        assert database._bytes() <= 2_000_000
    database.close()
    assert 1_000_000 < path.stat().st_size <= 2_000_000
    oldest, newest = rows(path, "SELECT min(time), max(time) FROM searches")[0]
    assert newest == NOW + 9 * DAY / 4 + 1_999
    assert NOW + DAY < oldest < newest
    assert rows(path, "SELECT count(*) FROM searches LEFT JOIN names ON n = text WHERE n IS NULL") == [(0,)]


def test_a_file_that_is_given_less_room_shrinks(path: Path) -> None:
    database = EventDatabase(path, days=30_000, megabytes=100)
    for batch in range(4):
        database.write([search_at(NOW + batch * DAY, str(uuid.uuid4())) for _ in range(4_000)], [])
    database.close()
    assert path.stat().st_size > 3_000_000
    smaller = EventDatabase(path, days=30_000, megabytes=2)
    while smaller.prune(NOW):
        pass
    smaller.close()
    assert path.stat().st_size <= 2_000_000
    assert rows(path, "SELECT max(time) FROM searches") == [(NOW + 3 * DAY,)]


def test_more_than_the_room_in_one_moment_leaves_a_file_that_still_works(path: Path) -> None:
    database = EventDatabase(path, days=30_000, megabytes=1)
    database.write([search_at(NOW, str(uuid.uuid4()) * 4) for _ in range(3_000)], [])
    while database.prune(NOW):
        pass
    database.write([search_at(NOW, "after")], [])
    assert rows(path, "SELECT name FROM searches JOIN names ON n = text ORDER BY id DESC LIMIT 1") == [("after",)]


def test_a_clock_that_goes_back_loses_nothing(path: Path) -> None:
    database = EventDatabase(path, days=10, megabytes=100)
    for moment in (NOW, NOW - 5 * DAY, NOW - 400 * DAY, NOW + 400 * DAY):
        database.write([search_at(moment, "mug")], [Event(moment, "view", "a")])
    while database.prune(NOW - 395 * DAY):  # while the clock is wrong, nothing is too old
        pass
    assert rows(path, "SELECT count(*) FROM searches") == [(4,)]
    while database.prune(NOW):
        pass
    assert [one for (one,) in rows(path, "SELECT time - 1750000000 FROM searches ORDER BY 1")] == [
        -5 * DAY, 0, 400 * DAY
    ]  # fmt: skip
    assert rows(path, "SELECT count(*) FROM names WHERE name = 'mug'") == [(1,)]


def test_searches_beyond_the_queue_are_dropped_and_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "MOST_SEARCHES", 3)
    monkeypatch.setattr(EventLog, "_start", lambda self: None)  # a writer that never comes
    log = EventLog(path, days=30_000, megabytes=100)
    for _ in range(5):
        log.note(search_at(NOW))
    assert log.dropped == 2


# -- failures: told, and over when their cause is --


def refusal(log: EventLog) -> str:
    """Why an event is not stored."""
    with pytest.raises(EventsUnavailable) as error:
        log.store([Event(NOW, "click", "a")])
    return str(error.value)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "RETRY_SECONDS", 0.0)


def test_a_damaged_file_is_told_and_a_new_one_begins_when_it_is_moved_away(
    path: Path, log: EventLog, soon: None, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, and long enough to look at" * 100)
    assert "is damaged" in refusal(log)
    log.note(search_at(NOW))  # a search does not mind
    assert "is damaged" in refusal(log)
    assert log.dropped == 1
    assert caplog.text.count("is damaged") == 1  # once, not for every event
    path.rename(path.with_suffix(".old"))
    assert log.store([Event(NOW, "click", "a")]) == [True]
    assert log.failure == ""


def test_a_page_that_is_damaged_in_use_is_told(path: Path, log: EventLog, soon: None) -> None:
    database = EventDatabase(path, days=30_000, megabytes=100)
    database.write([search_at(NOW, str(number)) for number in range(3_000)], [])
    database.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 8192))
    log.note(search_at(NOW))
    assert "damaged" in refusal(log)


def test_a_folder_that_cannot_be_written_is_told(soon: None) -> None:
    log = EventLog(Path("/proc/no-such-home/state/events.sqlite"), days=30, megabytes=100)
    assert "cannot be written" in refusal(log)
    log.close()


def test_a_full_disk_is_told_loses_nothing_and_is_over_when_there_is_room(
    path: Path, log: EventLog, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log.store([Event(NOW, "click", "a", event_id="first")]) == [True]
    assert log._database is not None
    log._database._connection.execute("PRAGMA max_page_count = 1")  # as SQLite meets a full disk
    events = [Event(NOW, "click", f"product {number}" * 20, event_id=str(number)) for number in range(500)]
    with pytest.raises(EventsUnavailable, match="free some room"):
        log.store(events)
    assert rows(path, "SELECT count(*) FROM events") == [(1,)]  # all or none
    assert all(log.store(events))
    assert log.store([Event(NOW, "click", "a", event_id="first")]) == [False]


def test_a_file_held_by_another_program_is_told(
    path: Path, log: EventLog, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.state.database.BUSY_SECONDS", 0.05)
    log.store([Event(NOW, "click", "a")])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "held by another program" in refusal(log)
    assert log.store([Event(NOW, "click", "a")]) == [True]


def test_a_file_of_another_version_is_left_alone(path: Path, log: EventLog, soon: None) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "version 99" in refusal(log)
    with pytest.raises(EventsUnavailable, match="version 99"):
        open_for_reading(path)


def test_while_nothing_can_be_stored_it_is_said_at_once(path: Path, log: EventLog) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    refusal(log)
    started = time.perf_counter()
    refusal(log)
    assert time.perf_counter() - started < 1


def test_a_file_that_is_moved_away_is_not_written_to_any_more(path: Path, log: EventLog) -> None:
    log.store([Event(NOW, "click", "a")])
    moved = path.with_suffix(".kept")
    path.rename(moved)
    log.store([Event(NOW, "click", "b")])
    assert rows(path, "SELECT name FROM events JOIN names ON n = product") == [("b",)]
    assert rows(moved, "SELECT name FROM events JOIN names ON n = product") == [("a",)]


def test_a_stopped_log_has_written_what_it_was_given_and_takes_no_more(path: Path) -> None:
    log = EventLog(path, days=30_000, megabytes=100)
    log.note(search_at(NOW))
    log.close()
    assert rows(path, "SELECT count(*) FROM searches") == [(1,)]
    assert "stopping" in refusal(log)
    log.note(search_at(NOW))
    assert log.dropped == 1


# -- visitors --


def test_a_visitor_is_the_same_all_day_and_nobody_the_day_after() -> None:
    now = [NOW]
    visitors = Visitors(clock=lambda: now[0])
    first = visitors.number("192.0.2.1", "Firefox")
    assert visitors.number("192.0.2.1", "Firefox") == first
    assert len({first, visitors.number("192.0.2.2", "Firefox"), visitors.number("192.0.2.1", "Chrome")}) == 3
    now[0] += DAY
    assert visitors.number("192.0.2.1", "Firefox") != first
    now[0] -= DAY  # a clock that goes back does not bring yesterday's key back
    assert visitors.number("192.0.2.1", "Firefox") != first
    assert Visitors(clock=lambda: NOW).number("192.0.2.1", "Firefox") != first  # nor does a restart
    assert -(2**63) <= first < 2**63
