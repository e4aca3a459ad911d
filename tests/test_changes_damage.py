"""The log of prices and stock when its file is cut, damaged or gone, or the disk refuses: what is lost is told."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from change_logs import asides, log_of_three

from search.errors import ChangesUnavailable
from search.state import changes
from search.state.batches import Change
from search.state.changes import ChangeLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "changes.log"


@pytest.fixture
def three(path: Path) -> ChangeLog:
    return log_of_three(path)


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
