"""The log of prices and stock after kill -9, at any moment or call: what was acknowledged stays, in its order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from change_logs import asides

from search.state import changes
from search.state.batches import Change
from search.state.changes import ChangeLog

WRITER = Path(__file__).parent / "change_writer.py"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "changes.log"


# -- kill -9 --


def killed(path: Path, name: str, seconds: float) -> list[tuple[int, str, float]]:
    """Start a process that changes prices, kill it after some time, and give what it had acknowledged."""
    with subprocess.Popen([sys.executable, str(WRITER), str(path), name], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        said = (first + process.stdout.read()).decode()
    told = (line.split() for line in said.split("\n")[:-1] if line)
    return [(int(sequence), product, float(price)) for sequence, product, price in told]


def test_what_was_acknowledged_outlives_kill_9(path: Path) -> None:
    moment = random.Random(5)
    acknowledged: list[tuple[int, str, float]] = []
    for run in range(4):
        acknowledged += killed(path, str(run), moment.uniform(0, 0.2))
        assert ChangeLog(path).problems() == []
    assert len(acknowledged) > 20
    assert len({sequence for sequence, _, _ in acknowledged}) == len(acknowledged)
    found = ChangeLog(path).read().changes
    for sequence, product, price in acknowledged:
        later = [one for one in acknowledged if one[1] == product and one[0] > sequence]
        if not later:  # what was acknowledged last, or one that was written and not told any more
            assert found[product].price is not None and found[product].price >= price
        assert found[product] == found[f"{product}.twin"]  # a batch is there as a whole


# -- killed at every call to the system --

CALLS = ("open", "write", "fsync", "replace", "truncate", "ftruncate")


def killed_at(number: int, act: Callable[[], object]) -> bool:
    """Do something in a process that is killed as it makes its n-th call to the system; False when it makes fewer."""
    child = os.fork()
    if child == 0:
        made = 0

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **options: object) -> object:
                nonlocal made
                made += 1
                if made == number:
                    if real is WRITE:  # a part of it is on the disk already
                        handle, content = arguments
                        real(handle, bytes(content)[: len(content) // 2])  # type: ignore[call-overload, arg-type]
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


WRITE = os.write


def healthy(path: Path) -> None:
    pass


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"0123abcd 4 {")


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"1.0", b"9.0"))


def without_mark(path: Path) -> None:
    path.with_suffix(".sequence").unlink()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("harm", [healthy, torn, damaged, without_mark])
@pytest.mark.parametrize("what", ["write", "forget", "shorten"])
def test_a_writer_killed_at_any_call_leaves_the_state_before_or_after(
    tmp_path: Path, what: str, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "shorten":
        monkeypatch.setattr(changes, "LEAST_REWRITTEN", 1)
        monkeypatch.setattr(changes, "GROWTH", 0)
    for number in range(1, 100):
        path = tmp_path / str(number) / "changes.log"
        log = ChangeLog(path)
        for batch in ({"a": Change(1.0)}, {"b": Change(2.0)}, {"b": Change(availability="out_of_stock")}):
            log.write(batch)
        harm(path)
        before = ChangeLog(path).read()
        fresh = ChangeLog(path)
        act = partial(fresh.forget, 2) if what == "forget" else partial(fresh.write, {"c": Change(7.0)})
        was_killed = killed_at(number, act)
        after = ChangeLog(path).read(2) if what == "forget" else ChangeLog(path).read()
        states = [(3, before.changes), (4, {**before.changes, "c": Change(7.0)})]
        if what == "forget":
            states = [(3, {"b": Change(None, "out_of_stock")})]
        assert (after.sequence, after.changes) in states, number
        assert ChangeLog(path).write({"d": Change(8.0)}) == after.sequence + 1
        assert ChangeLog(path).read(after.sequence).changes == {"d": Change(8.0)}
        assert ChangeLog(path).read().problems == []
        assert bool(asides(path)) == (harm is damaged)
        if not was_killed:
            assert number > 6
            return
    raise AssertionError("it never came to its end")
