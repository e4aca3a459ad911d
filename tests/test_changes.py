"""The log of prices and stock: what was acknowledged stays, in its order, whatever happens to process, disk or file."""

from __future__ import annotations

import errno
import logging
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
from hypothesis import given, settings
from hypothesis import strategies as st

from search.errors import ChangesUnavailable
from search.state import changes
from search.state.batches import Change
from search.state.changes import ChangeLog

WRITER = Path(__file__).parent / "change_writer.py"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "changes.log"


@pytest.fixture
def three(path: Path) -> ChangeLog:
    """Three batches, one line each: a at 1, b at 2, then out of stock."""
    log = ChangeLog(path)
    log.write({"a": Change(1.0)})
    log.write({"b": Change(2.0)})
    log.write({"b": Change(availability="out_of_stock")})
    return log


def asides(path: Path) -> list[Path]:
    return sorted(path.parent.glob("changes.damaged-*"))


# -- what it is for --


def test_without_changes_there_is_nothing_and_no_file(path: Path) -> None:
    log = ChangeLog(path)
    assert (log.read().sequence, log.read().changes, log.problems(), log.stamp) == (0, {}, [], None)
    assert not path.parent.exists()


def test_changes_are_numbered_and_later_ones_go_on_top_field_by_field(three: ChangeLog) -> None:
    assert three.sequence == 3
    assert three.read().changes == {"a": Change(1.0), "b": Change(2.0, "out_of_stock")}
    assert three.read(after=2).changes == {"b": Change(None, "out_of_stock")}
    assert three.read(after=3).changes == {}


def test_another_process_goes_on_where_the_first_one_was(three: ChangeLog, path: Path) -> None:
    other = ChangeLog(path)
    assert other.write({"a": Change(5.0)}) == 4
    assert three.read(after=3).changes == {"a": Change(5.0)}
    assert three.write({"c": Change(6.0)}) == 5
    assert other.read(after=3).changes == {"a": Change(5.0), "c": Change(6.0)}


def test_ids_of_any_letters_come_back_as_they_were(path: Path) -> None:
    odd = {"naïve\n": Change(1.0), '"\\': Change(2.0), "\u2028\x00": Change(3.0), "": Change(4.0), "名": Change(0.0)}
    ChangeLog(path).write(odd)
    assert ChangeLog(path).read().changes == odd


def test_only_what_is_new_is_read_again(three: ChangeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    three.read(after=3)
    read: list[bytes] = []
    whole = changes.batch_of
    monkeypatch.setattr(changes, "batch_of", lambda line, last: (read.append(line), whole(line, last))[1])
    three.write({"d": Change(7.0)})
    assert three.read(after=3).changes == {"d": Change(7.0)}
    assert len(read) == 1


def test_the_number_grows_beyond_what_a_release_knows_though_the_log_is_lost(path: Path) -> None:
    assert ChangeLog(path).write({"a": Change(1.0)}, least=57) == 58
    assert ChangeLog(path).write({"a": Change(2.0)}, least=12) == 59


# -- forgetting --


def test_what_every_release_knows_is_forgotten_and_the_number_stays(three: ChangeLog, path: Path) -> None:
    three.forget(1)
    assert ChangeLog(path).read().changes == {"b": Change(2.0, "out_of_stock")}
    three.forget(3)
    assert ChangeLog(path).read().changes == {}
    assert ChangeLog(path).sequence == 3
    assert three.write({"a": Change(9.0)}) == 4
    assert three.problems() == []


def test_a_log_that_changes_the_same_products_over_and_over_stays_small(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LEAST_REWRITTEN", 2_000)
    log = ChangeLog(path)
    reader = ChangeLog(path)
    for number in range(300):
        log.write({f"p{number % 3}": Change(float(number), "in_stock" if number % 2 else None)})
        assert reader.read(after=number).changes == {
            f"p{number % 3}": Change(float(number), "in_stock" if number % 2 else None)
        }
    assert path.stat().st_size < 3_000
    assert ChangeLog(path).read().changes == {
        "p0": Change(297.0, "in_stock"), "p1": Change(298.0, "in_stock"), "p2": Change(299.0, "in_stock"),
    }  # fmt: skip
    assert log.sequence == 300


# -- crashes and damage --


def test_the_end_of_a_write_that_was_cut_off_was_never_acknowledged_and_goes(three: ChangeLog, path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + changes.line_of(4, {"a": Change(3.0)})[:-5])
    assert ChangeLog(path).problems() == []
    assert ChangeLog(path).read().sequence == 3
    assert ChangeLog(path).write({"a": Change(4.0)}) == 4
    assert ChangeLog(path).read().changes["a"] == Change(4.0)
    assert (ChangeLog(path).problems(), asides(path)) == ([], [])


def test_a_whole_batch_that_was_not_acknowledged_is_not_served_and_goes(three: ChangeLog, path: Path) -> None:
    path.write_bytes(path.read_bytes() + changes.line_of(4, {"a": Change(3.0)}))
    assert ChangeLog(path).read().changes["a"] == Change(1.0)
    assert three.write({"c": Change(4.0)}) == 4
    assert ChangeLog(path).read().changes["a"] == Change(1.0)


def test_the_very_first_write_cut_off_leaves_a_log_that_works(path: Path) -> None:
    log = ChangeLog(path)
    log.write({"a": Change(1.0)})
    for length in range(path.stat().st_size):
        content = path.read_bytes()
        path.write_bytes(content[:length])
        log.mark.write_text("0\n")
        assert ChangeLog(path).problems() == []
        assert ChangeLog(path).write({"a": Change(2.0)}) == 1
        assert (ChangeLog(path).read().changes, asides(path)) == ({"a": Change(2.0)}, [])


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_damaged_line_costs_its_own_changes_only_is_told_and_put_aside(
    three: ChangeLog, path: Path, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    lines = path.read_bytes().splitlines(keepends=True)  # the first line is the header
    damaged = bytearray(lines[place])
    damaged[len(damaged) // 2 if place else 3] ^= 1
    content = b"".join([*lines[:place], bytes(damaged), *lines[place + 1 :]])
    path.write_bytes(content)
    left = [{}, {"a": Change(1.0)}, {"b": Change(2.0)}, {"b": Change(None, "out_of_stock")}]
    expected: dict[str, Change] = {}
    for number, batch in enumerate(left):
        if number != place or place == 0:
            expected.update({one: change.after(expected.get(one)) for one, change in batch.items()})
    reading = ChangeLog(path).read()
    assert (reading.sequence, reading.changes) == (3, expected)
    assert "send the prices and stock" in " ".join(reading.problems)
    assert path.read_bytes() == content  # reading changes nothing
    with caplog.at_level(logging.ERROR, logger="aisle.changes"):
        assert ChangeLog(path).write({"c": Change(4.0)}) == 4
    assert "damaged" in caplog.text
    assert [one.read_bytes().endswith(content) for one in asides(path)] == [True]
    assert ChangeLog(path).read().changes == {**expected, "c": Change(4.0)}
    assert ["then delete this file" in one for one in ChangeLog(path).problems()] == [True]
    asides(path)[0].unlink()
    assert ChangeLog(path).problems() == []


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_a_log_cut_at_the_end_of_a_line_is_noticed_and_no_number_is_given_twice(
    three: ChangeLog, path: Path, kept: int
) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept]))
    reading = ChangeLog(path).read()
    assert reading.sequence == 3
    assert "3 were acknowledged" in reading.problems[-1]
    assert ChangeLog(path).write({"c": Change(4.0)}) == 4
    assert ChangeLog(path).read().problems == []
    assert len(asides(path)) == 1


def test_a_log_that_is_gone_is_noticed_and_the_numbers_go_on(three: ChangeLog, path: Path) -> None:
    path.unlink()
    assert "3 were acknowledged" in ChangeLog(path).problems()[0]
    assert ChangeLog(path).write({"c": Change(4.0)}) == 4
    assert ChangeLog(path).read().changes == {"c": Change(4.0)}


@pytest.mark.parametrize("harm", ["gone", "", "x", "9999999999999999999999\n", "-1\n", "3"])
def test_without_the_number_of_the_last_change_the_log_itself_is_believed(
    three: ChangeLog, path: Path, harm: str
) -> None:
    if harm == "gone":
        three.mark.unlink()
    else:
        three.mark.write_text(harm)
    log = ChangeLog(path)
    assert (log.sequence, log.read().changes) == (3, {"a": Change(1.0), "b": Change(2.0, "out_of_stock")})
    assert "the next change writes it again" in log.problems()[0]
    assert log.write({"c": Change(4.0)}) == 4
    assert (ChangeLog(path).problems(), ChangeLog(path).sequence) == ([], 4)


def test_a_log_of_another_version_is_not_guessed_at(three: ChangeLog, path: Path) -> None:
    content = path.read_bytes().replace(b"aisle-changes 1 ", b"aisle-changes 2 ", 1)
    path.write_bytes(content)
    for act in (lambda log: log.read(), lambda log: log.write({"a": Change(1.0)})):
        with pytest.raises(ChangesUnavailable, match="another version"):
            act(ChangeLog(path))
    assert path.read_bytes() == content


# -- the disk --


def failing(where: str, number: int) -> Callable[..., int]:
    """A system call that fails, as on a disk with an error of this number, once its descriptor leads to `where`."""
    real: dict[str, Callable[..., int]] = {"write": os.write, "fsync": os.fsync}
    name, _, part = where.partition(" ")

    def call(handle: int, *rest: object) -> int:
        if part in str(Path(f"/proc/self/fd/{handle}").readlink()):
            if name == "write":
                real["write"](handle, bytes(rest[0])[:7])  # type: ignore[call-overload]
            raise OSError(number, os.strerror(number))
        return real[name](handle, *rest)

    return call


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("where", ["write changes.log", "fsync changes.log", "fsync .changes.sequence"])
def test_a_disk_that_fails_leaves_everything_as_it_was_and_says_what_to_do(
    three: ChangeLog, path: Path, where: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, where.split()[0], failing(where, number))
        with pytest.raises(ChangesUnavailable, match="nothing was changed") as caught:
            three.write({"a": Change(99.0)})
    cure = {errno.ENOSPC: "free some room", errno.EDQUOT: "free some room", errno.EROFS: "written to"}
    assert cure.get(number, "look after its disk") in str(caught.value)
    assert path.read_bytes() == before
    assert ChangeLog(path).read().changes["a"] == Change(1.0)
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".")] == []
    assert three.write({"a": Change(7.0)}) == 4


def test_a_folder_that_may_not_be_written_to_is_read_all_the_same(three: ChangeLog, path: Path) -> None:
    path.with_suffix(".lock").unlink()
    path.parent.chmod(0o500)
    try:
        if os.access(path.parent, os.W_OK):
            pytest.skip("this user may write anywhere")
        assert ChangeLog(path).read().changes["a"] == Change(1.0)
        with pytest.raises(ChangesUnavailable, match="let this user write there"):
            ChangeLog(path).write({"a": Change(2.0)})
    finally:
        path.parent.chmod(0o700)


def test_who_waits_too_long_for_another_writer_is_told(
    three: ChangeLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LOCK_SECONDS", 0.05)
    with (
        changes._locked(path.with_suffix(".lock")),
        pytest.raises(ChangesUnavailable, match="another process has been writing"),
    ):
        three.write({"a": Change(2.0)})
    assert three.write({"a": Change(2.0)}) == 4


# -- as a dictionary --

IDS = st.sampled_from(["a", "b", "c", "d"])
CHANGES = st.builds(
    Change, st.none() | st.floats(0, 1e9), st.none() | st.sampled_from(["in_stock", "out_of_stock", "preorder"])
).filter(lambda change: change != Change())
STEPS = st.lists(
    st.one_of(
        st.dictionaries(IDS, CHANGES, min_size=1, max_size=3),
        st.tuples(st.just("forget"), st.integers(0, 30)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 60)),
        st.tuples(st.just("torn"), st.integers(1, 60)),
    ),
    max_size=30,
)


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_any_changes_crashes_and_restarts_come_to_what_a_dictionary_comes_to(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
) -> None:
    path = tmp_path_factory.mktemp("log") / "changes.log"
    log, follower = ChangeLog(path), ChangeLog(path)
    followed: dict[str, Change] = {}
    batches: list[dict[str, Change]] = []  # all acknowledged
    forgotten = last = 0
    for step in steps:
        if isinstance(step, dict):
            batches.append(step)
            assert log.write(step) == len(batches)
        elif step[0] == "forget":  # type: ignore[index]
            forgotten = max(forgotten, min(step[1], len(batches)))  # type: ignore[index]
            log.forget(forgotten)
        elif step[0] == "restart":  # type: ignore[index]
            log = ChangeLog(path)
        elif path.exists():  # killed amid a write: some or all of a line is there, the mark is not
            line = changes.line_of(len(batches) + 1, {"a": Change(123.0)})
            with path.open("ab") as file:
                file.write(line[: step[1]] if step[0] == "torn" else line)  # type: ignore[index]
            log = ChangeLog(path)
        reading = follower.read(last)
        followed.update({one: change.after(followed.get(one)) for one, change in reading.changes.items()})
        last = reading.sequence
    for after in (forgotten, len(batches)):
        expected: dict[str, Change] = {}
        for batch in batches[after:]:
            expected.update({one: change.after(expected.get(one)) for one, change in batch.items()})
        assert ChangeLog(path).read(after).changes == expected
    everything: dict[str, Change] = {}
    for batch in batches:
        everything.update({one: change.after(everything.get(one)) for one, change in batch.items()})
    assert followed == everything
    assert (ChangeLog(path).sequence, ChangeLog(path).problems()) == (len(batches), [])


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
