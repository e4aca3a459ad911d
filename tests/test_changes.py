"""The log of prices and stock: later changes go on top of earlier ones, and it comes to what a dictionary comes to."""

from __future__ import annotations

from pathlib import Path

import pytest
from change_logs import log_of_three
from hypothesis import given, settings
from hypothesis import strategies as st

from search.state import changes
from search.state.batches import Change
from search.state.changes import ChangeLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "changes.log"


@pytest.fixture
def three(path: Path) -> ChangeLog:
    return log_of_three(path)


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
