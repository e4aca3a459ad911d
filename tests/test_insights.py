"""What people look for, counted by hand from a small log."""

from __future__ import annotations

import json
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from indexer.__main__ import main
from search.errors import EventsUnavailable
from search.state.database import Event, EventDatabase, Searched
from search.state.insights import Day, Insights, Query, Reformulation, insights_of

NOON = 1_750_075_200.0  # 2025-06-16, 12:00 UTC
ANN, BEN, CAT = 1, 2, 3


class Log:
    """A file of events, filled by hand."""

    def __init__(self, path: Path):
        self.path = path
        self.database = EventDatabase(path, days=3650, megabytes=100)

    def search(self, text: str, visitor: int = ANN, at: float = 0, total: int = 5, **given: Any) -> str:
        """One search some seconds after noon."""
        query_id = uuid.uuid4().hex
        found = Searched(
            NOON + at, query_id, text, None, "page", "hybrid", 1, total, "good" if total else "none", None, (), "r",
            1.0, visitor, 1, tuple("abcde"[:total]),
        )  # fmt: skip
        self.database.write([found._replace(**given)], [])
        return query_id

    def click(self, query_id: str, position: int | None = 1, product: str = "a", at: float = 1) -> None:
        """One click."""
        self.database.write([], [Event(NOON + at, "click", product, query_id, position)])

    def insights(self, **given: Any) -> Insights:
        """What the last thirty days amount to, the day after."""
        return insights_of(self.path, now=NOON + 86_400, **given)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "state" / "events.sqlite")


def test_click_through_counts_first_pages_that_showed_something(log: Log) -> None:
    clicked, twice = log.search("mug"), log.search("Mug ", BEN)
    log.click(clicked, 2)
    log.click(twice, 1, "a")
    log.click(twice, 5, "b")
    log.search("mug", CAT)
    log.search("unicorn", total=0)
    log.search("mug", page=2)
    log.search("", total=900)
    log.search("mug", surface="api")
    log.search("mug", surface="batch")
    found = log.insights()
    assert (found.searches, found.browsed, found.without_results) == (4, 1, 1)
    assert found.by_surface == {"api": 1, "batch": 1, "page": 4}
    assert (found.clickable, found.clicked, found.click_through) == (3, 2, 0.6667)
    assert found.mean_position == 2.6667  # (2 + 1 + 5) / 3
    assert found.reciprocal_rank == 0.75  # (1 / 2 + 1 / 1) / 2
    assert found.top == [
        Query("mug", 3, 0, 0, 3, 2, 0.6667, 2.6667), Query("unicorn", 1, 1, 0, 0, 0, None, None)
    ]  # fmt: skip
    assert found.empty == [Query("unicorn", 1, 1, 0, 0, 0, None, None)]
    assert log.insights(surface="api").searches == 1


def test_a_click_on_a_later_page_is_one_on_the_search_it_belongs_to(log: Log) -> None:
    log.search("mug")
    log.search("lamp")
    log.click(log.search("mug", page=2, total=40), 30)
    found = log.insights()
    assert (found.clickable, found.clicked, found.mean_position) == (2, 1, 30.0)
    assert {one.text: one.clicked for one in found.top} == {"mug": 1, "lamp": 0}


def test_a_click_on_a_later_page_of_another_visitor_is_on_nothing(log: Log) -> None:
    log.search("mug", visitor=1)
    log.click(log.search("mug", page=2, visitor=2, total=40), 30)
    assert (log.insights().clickable, log.insights().clicked) == (1, 0)


def test_a_click_below_the_last_result_is_none(log: Log) -> None:
    log.click(log.search("mug", total=5), 6)
    assert (log.insights().clicked, log.insights().mean_position) == (0, None)


def test_a_click_without_position_counts_but_stands_nowhere(log: Log) -> None:
    log.click(log.search("mug"), None)
    found = log.insights()
    assert (found.clicked, found.mean_position, found.reciprocal_rank) == (1, None, None)


def test_days_are_told_one_by_one(log: Log) -> None:
    log.search("mug", at=-86_400, total=0)
    log.search("mug", at=-86_400 + 43_199)  # 23:59:59
    log.search("mug", confidence="weak")
    log.click(log.search("mug"))
    assert log.insights().days == [Day("2025-06-15", 2, 1, 0, 0), Day("2025-06-16", 2, 0, 1, 1)]


def test_only_the_days_asked_for_count(log: Log) -> None:
    log.search("mug", at=-86_400 * 9)
    log.search("mug", at=86_400 * 9)  # a clock was wrong
    log.click(log.search("mug"))
    assert (log.insights(days=10).searches, log.insights(days=9).searches) == (2, 1)
    assert log.insights(days=1).searches == 1
    assert log.insights(days=10).events == {"click": 1}


def test_weak_and_unclicked_queries_are_listed_by_how_often(log: Log) -> None:
    for text, times in (("gift", 2), ("present", 3), ("mug", 4)):
        for _ in range(times):
            found = log.search(text, confidence="weak" if text != "mug" else "good")
            if text == "mug":
                log.click(found)
    found = log.insights()
    assert [(one.text, one.weak) for one in found.weakest] == [("present", 3), ("gift", 2)]
    assert [one.text for one in found.unclicked] == ["present"]  # of twice nothing can be said
    assert [one.text for one in log.insights(limit=1).weakest] == ["present"]


def test_the_next_search_of_a_visitor_within_five_minutes_rewords_one_that_was_not_clicked(log: Log) -> None:
    for visitor, gap in ((ANN, 20), (BEN, 300), (CAT, 301)):
        log.search("sofa", visitor, at=visitor * 1_000)
        log.click(log.search("couch", visitor, at=visitor * 1_000 + gap))
    log.click(log.search("lamp", 4))
    log.search("desk", 4, at=5)  # what was clicked was found
    log.search("rug", None, at=0)
    log.search("carpet", None, at=5)  # nobody's
    log.search("bed", 5)
    log.search("bed", 5, at=3, filters=("brand",))  # narrowed, not reworded
    log.search("cot", 5, at=9)
    assert log.insights().reformulations == [
        Reformulation("sofa", "couch", 2, 2, False), Reformulation("bed", "cot", 1, 0, False)
    ]  # fmt: skip


def test_what_is_reworded_three_times_and_then_clicked_may_mean_the_same(log: Log) -> None:
    for visitor in range(4):
        log.search("sofa", visitor, at=0)
        second = log.search("couch", visitor, at=9)
        if visitor < 2:
            log.click(second)
    assert log.insights().reformulations == [Reformulation("sofa", "couch", 4, 2, True)]


def test_what_results_were_narrowed_by_is_counted_by_name(log: Log) -> None:
    log.search("mug", filters=("brand", "price"))
    log.search("mug", filters=("price",))
    log.search("mug")
    assert [(one.name, one.searches) for one in log.insights().narrowed_by] == [("price", 2), ("brand", 1)]


def test_nothing_asked_is_no_error_and_no_ratio(log: Log) -> None:
    found = log.insights()
    assert (found.searches, found.click_through, found.top, found.days) == (0, None, [], [])


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(EventsUnavailable, match="damaged"):
        insights_of(path)
    with pytest.raises(EventsUnavailable, match="AISLE_EVENTS=on"):
        insights_of(tmp_path / "none.sqlite")


def test_reading_never_writes(log: Log) -> None:
    log.search("mug")
    log.database.close()
    before = log.path.read_bytes()
    assert log.insights().searches == 1
    assert log.path.read_bytes() == before
    with closing(sqlite3.connect(log.path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone() == (3,)


def test_the_command_prints_tables_or_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(tmp_path / "state" / "events.sqlite")
    log.click(log.search("red mug", filters=("brand",)), 2)
    log.search("sofa", BEN)
    log.search("couch", BEN, at=5, total=0)
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    text = CliRunner().invoke(main, ["insights", "--days", "3650"]).output
    assert "3 searches" in text
    assert "clicked 1 (50.0%) of those that showed something, mean position 2.00" in text
    assert [line.split() for line in text.splitlines() if line.startswith("red mug")] == [
        ["red", "mug", "1", "0", "0", "100%", "2.00"]
    ]
    assert "sofa   couch" in text
    told = json.loads(CliRunner().invoke(main, ["insights", "--days", "3650", "--json"]).output)
    assert (told["searches"], told["narrowed_by"]) == (3, [{"name": "brand", "searches": 1}])
