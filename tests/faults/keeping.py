"""Events and keys that are kept beside the releases."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from operation import Operation

from search.errors import EventsUnavailable, NotFound
from search.home import Home
from search.state.database import Event, open_for_reading
from search.state.events import EventLog
from search.state.insights import insights_of
from search.state.keys import KeyFile

NOW = datetime.now().timestamp()  # events older than the days kept would go


class Storing(Operation):
    """Events that are stored one after the other, in a file that is there, and the removal of what is too old."""

    name = "events"
    shown = 7

    def _log(self, root: Path) -> EventLog:
        return EventLog(Home(root / "home").events, days=90, megabytes=100)

    def prepare(self, root: Path) -> None:
        (root / "home").mkdir()
        log = self._log(root)
        log.store([Event(NOW, "click", "0001", event_id="before")])
        log.close()

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        log = self._log(root)
        try:
            for number in range(4):
                log.store([Event(NOW, "click", f"000{number}", event_id=f"e{number}")])
                acknowledge(f"e{number}")
                log.store([Event(NOW - 100 * 86_400, "click", "old", event_id=f"old{number}")])
        finally:
            log.close()

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        path = Home(root / "home").events
        with closing(sqlite3.connect(path)) as connection:
            state = connection.execute("PRAGMA integrity_check").fetchall()
            keys = [key for (key,) in connection.execute("SELECT key FROM events")]
        problems = [] if state == [("ok",)] else [f"the file is damaged: {state}"]
        for one in [*self.kept, *acknowledged]:
            if keys.count(Event(0, "click", "", event_id=one).key) != 1:
                problems.append(f"event {one} was acknowledged and is there {keys.count(one)} times")
        return problems

    kept: ClassVar[list[str]] = ["before"]

    def go_on(self, root: Path) -> list[str]:
        log = self._log(root)
        again = log.store([Event(NOW, "click", "0009", event_id="e0"), Event(NOW, "click", "0009", event_id="last")])
        log.close()
        return self.problems(root, ["e0", "last"]) + ([] if again[1] else ["a new event was not stored"])


class StoringFirst(Storing):
    """The very first events of a home."""

    name = "events, the first"
    shown = 5
    kept: ClassVar[list[str]] = []

    def prepare(self, root: Path) -> None:
        (root / "home").mkdir()

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        if not acknowledged:
            return []  # no file, an empty one or one without tables: the next store makes them
        return super().problems(root, acknowledged)


class Keeping(Operation):
    """Keys that are made and revoked."""

    name = "keys"
    shown = 6

    def _file(self, root: Path) -> KeyFile:
        return KeyFile(Home(root / "home").keys)

    def prepare(self, root: Path) -> None:
        key, text = self._file(root).create("first", ["admin"])
        gone, _ = self._file(root).create("to be revoked", ["search"])
        (root / "first").write_text(json.dumps({"id": key.id, "text": text, "gone": gone.id}))

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        key, _ = self._file(root).create("second", ["search"])
        acknowledge(f"+{key.id}")
        gone = json.loads((root / "first").read_text())["gone"]
        self._file(root).revoke(gone)
        acknowledge(f"-{gone}")

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        first, keys = json.loads((root / "first").read_text()), self._file(root).keys()
        lost = [f"key {one} was made and is gone" for one in acknowledged if one[0] == "+" and one[1:] not in keys]
        back = [f"key {one} was revoked and is good" for one in acknowledged if one[0] == "-" and one[1:] in keys]
        return lost + back + ([] if first["id"] in keys else ["the first key is gone"])

    def go_on(self, root: Path) -> list[str]:
        key, _ = self._file(root).create("third", ["events"])
        with suppress(NotFound):  # was done before the fault
            self._file(root).revoke(json.loads((root / "first").read_text())["gone"])
        return self.problems(root, [f"+{key.id}"])


class Telling(Storing):
    """Reading what people searched for."""

    name = "insights"
    shown = 4

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        told = insights_of(Home(root / "home").events, days=30, now=NOW + 1)
        if told.events.get("click") != 1:
            acknowledge(f"wrong: {told.events}")

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        return acknowledged + super().problems(root, [])

    def go_on(self, root: Path) -> list[str]:
        with closing(open_for_reading(Home(root / "home").events)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
        return [] if count == 1 else [f"{count} events"]

    def problem_of(self, error: Exception) -> str:
        if not isinstance(error, EventsUnavailable):
            return f"it ended with {error!r}"
        return super().problem_of(error)
