"""What people look for and whether they find it, counted from the log of searches and events.

A search counts when it has words and is a first page; what is clicked on a later page is a click on the last first
page of the same words and visitor. It could be clicked when it showed something; only those stand below click-through.
Narrowing by a filter asks anew and counts as a search. A click below the last result is none.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search.errors import EventsUnavailable
from search.state.database import open_empty, open_for_reading, reason_of

DAY_SECONDS = 86_400
SITTING_SECONDS = 300  # within which the next search of a visitor rewords the one before
UNCLICKED = 3  # searches without a click from which a query is listed as unclicked
MEANT = 3  # rewordings from which, half of them clicked, two queries may mean the same


@dataclass(frozen=True)
class Day:
    """One day, in UTC."""

    date: str
    searches: int
    without_results: int
    weak: int
    clicked: int


@dataclass(frozen=True)
class Query:
    """One query, in small letters.

    Attributes:
        searches: how often it was asked.
        without_results, weak: how often of these nothing was found, and nothing that fits well.
        clickable: how often it showed something.
        clicked: how often of these a product was clicked.
        click_through: clicked / clickable; null when it never showed anything.
        mean_position: of its clicks; null without one.
    """

    text: str
    searches: int
    without_results: int
    weak: int
    clickable: int
    clicked: int
    click_through: float | None
    mean_position: float | None


@dataclass(frozen=True)
class Reformulation:
    """A search that was not clicked, and the one that the same visitor made within five minutes.

    Attributes:
        count: how often.
        clicked: how often the second one was clicked.
        may_mean_the_same: whether it happened three times or more and half of the second ones were clicked: a synonym,
            perhaps.
    """

    before: str
    after: str
    count: int
    clicked: int
    may_mean_the_same: bool


@dataclass(frozen=True)
class Narrowing:
    """Something that results were narrowed or ordered by."""

    name: str
    searches: int


@dataclass(frozen=True)
class Insights:
    """What was looked for in some days on one surface.

    Attributes:
        since, until: the time that is covered, ISO 8601 in UTC.
        surface: "page" or "api".
        by_surface: first pages with words, on every surface.
        searches: those on this surface; all that follows is of these.
        browsed: first pages without words.
        without_results, weak: how many found nothing, and nothing that fits well.
        by_words_alone: how many were answered without the encoder.
        clickable, clicked: how many showed something, and of these how many were clicked.
        click_through: clicked / clickable; null when there was none.
        mean_position: of all clicks, from 1; null without one.
        reciprocal_rank: mean over clicked searches of 1 / the best position clicked; null without one.
        events: how many of each type were sent, with a search or without.
        days: every day with a search, oldest first.
        top, empty, weakest, unclicked: queries by how often they were asked, were asked in vain, found nothing that
            fits, and were shown without a click.
        reformulations: most frequent first.
        narrowed_by: most frequent first.
    """

    since: str
    until: str
    surface: str
    by_surface: dict[str, int]
    searches: int
    browsed: int
    without_results: int
    weak: int
    by_words_alone: int
    clickable: int
    clicked: int
    click_through: float | None
    mean_position: float | None
    reciprocal_rank: float | None
    events: dict[str, int]
    days: list[Day]
    top: list[Query]
    empty: list[Query]
    weakest: list[Query]
    unclicked: list[Query]
    reformulations: list[Reformulation]
    narrowed_by: list[Narrowing]

    def as_json(self) -> dict[str, Any]:
        """Return the same as JSON-ready data."""
        return asdict(self)


_ASKED = """
CREATE TEMP TABLE asked AS
SELECT s.id, s.time, s.text, s.visitor, s.total = 0 AS without_results, s.confidence = 'weak' AS weak,
       s.degraded IS NOT NULL AS degraded, s.filters, s.total > 0 AS clickable,
       s.total > 0 AND c.asked IS NOT NULL AS clicked, c.best, c.positions, c.placed
FROM searches AS s LEFT JOIN clicks AS c ON c.asked = s.id
WHERE s.time BETWEEN :since AND :until AND s.page = 1 AND s.surface = :surface
  AND s.text NOT IN (SELECT n FROM names WHERE name = '')
"""
_CLICKS = """
CREATE TEMP TABLE clicks AS
WITH pages AS (
    SELECT query_id, total, CASE WHEN page = 1 THEN id WHEN visitor IS NOT NULL THEN
           max(CASE WHEN page = 1 THEN id END) OVER (PARTITION BY visitor, surface, text ORDER BY time, id) END AS asked
    FROM searches WHERE time BETWEEN :since AND :until)
SELECT asked, min(position) AS best, sum(position) AS positions, count(position) AS placed
FROM events JOIN pages USING (query_id)
WHERE type = 'click' AND time >= :since AND coalesce(position, 1) <= total GROUP BY asked
"""
_BY_TEXT = """
CREATE TEMP TABLE by_text AS
SELECT text, count(*) AS searches, sum(without_results) AS without_results, sum(weak) AS weak,
       sum(clickable) AS clickable, sum(clicked) AS clicked,
       sum(CASE WHEN clicked THEN positions END) AS positions, sum(CASE WHEN clicked THEN placed END) AS placed
FROM asked GROUP BY text
"""
_QUERIES = """
SELECT name, searches, without_results, weak, clickable, clicked, positions, placed
FROM by_text JOIN names ON n = text WHERE {which} ORDER BY {which} DESC, searches DESC, name LIMIT :limit
"""
_UNCLICKED = f"(clicked = 0 AND clickable >= {UNCLICKED}) * clickable"
_REFORMULATIONS = """
WITH followed AS (
    SELECT text AS before, clicked AS was_clicked, time, lead(text) OVER next AS after,
           lead(time) OVER next AS after_time, lead(clicked) OVER next AS after_clicked
    FROM asked WHERE visitor IS NOT NULL WINDOW next AS (PARTITION BY visitor ORDER BY time, id)),
pairs AS (
    SELECT before, after, count(*) AS times, sum(after_clicked) AS clicked FROM followed
    WHERE NOT was_clicked AND after != before AND after_time - time <= :sitting GROUP BY before, after)
SELECT one.name, other.name, times, clicked FROM pairs
JOIN names AS one ON one.n = before JOIN names AS other ON other.n = after
ORDER BY times DESC, clicked DESC, one.name, other.name LIMIT :limit
"""
_TOTALS = """
SELECT count(*), coalesce(sum(without_results), 0), coalesce(sum(weak), 0), coalesce(sum(degraded), 0),
       coalesce(sum(clickable), 0), coalesce(sum(clicked), 0), sum(CASE WHEN clicked THEN positions END),
       sum(CASE WHEN clicked THEN placed END), avg(CASE WHEN clicked THEN 1.0 / best END)
FROM asked
"""
_DAYS = """
SELECT date(time, 'unixepoch'), count(*), sum(without_results), sum(weak), sum(clicked)
FROM asked GROUP BY 1 ORDER BY 1
"""
_SURFACES = """
SELECT surface, count(*) FROM searches WHERE time BETWEEN :since AND :until AND page = 1
  AND text NOT IN (SELECT n FROM names WHERE name = '') GROUP BY surface ORDER BY surface
"""
_BROWSED = """
SELECT count(*) FROM searches WHERE time BETWEEN :since AND :until AND page = 1 AND surface = :surface
  AND text IN (SELECT n FROM names WHERE name = '')
"""
_EVENTS = "SELECT type, count(*) FROM events WHERE time BETWEEN :since AND :until GROUP BY type ORDER BY type"
_FILTERS = "SELECT name, count(*) FROM asked JOIN names ON n = filters GROUP BY name"


def insights_of(
    path: Path | None, *, days: int = 30, surface: str = "page", limit: int = 20, now: float | None = None
) -> Insights:
    """Return what was looked for in the last days.

    Args:
        path: the file of events; None for one in which nothing is.
        days: how far back.
        surface: "page" or "api".
        limit: rows of each list.
        now: seconds since 1970; the present when left out.

    Raises:
        EventsUnavailable: there is no such file, or it cannot be read.
    """
    until = time.time() if now is None else now
    told = {
        "since": until - days * DAY_SECONDS, "until": until, "surface": surface, "limit": limit,
        "sitting": SITTING_SECONDS,
    }  # fmt: skip
    try:
        with closing(open_empty() if path is None else open_for_reading(path)) as connection:
            return _insights(connection, told)
    except sqlite3.Error as error:
        raise EventsUnavailable(reason_of(error, path or Path())) from error


def _insights(connection: sqlite3.Connection, told: dict[str, Any]) -> Insights:
    def rows(sql: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql, told).fetchall()

    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("BEGIN")  # every number is of one moment
    for statement in (_CLICKS, "CREATE INDEX temp.clicks_by_search ON clicks (asked)", _ASKED, _BY_TEXT):
        connection.execute(statement, told if ":" in statement else {})
    [(searches, without, weak, degraded, clickable, clicked, positions, placed, reciprocal)] = rows(_TOTALS)
    return Insights(
        since=_iso(told["since"]),
        until=_iso(told["until"]),
        surface=told["surface"],
        by_surface=dict(rows(_SURFACES)),
        searches=searches,
        browsed=rows(_BROWSED)[0][0],
        without_results=without,
        weak=weak,
        by_words_alone=degraded,
        clickable=clickable,
        clicked=clicked,
        click_through=_ratio(clicked, clickable),
        mean_position=_ratio(positions, placed),
        reciprocal_rank=None if reciprocal is None else round(reciprocal, 4),
        events=dict(rows(_EVENTS)),
        days=[Day(*row) for row in rows(_DAYS)],
        top=[_query(*row) for row in rows(_QUERIES.format(which="searches"))],
        empty=[_query(*row) for row in rows(_QUERIES.format(which="without_results"))],
        weakest=[_query(*row) for row in rows(_QUERIES.format(which="weak"))],
        unclicked=[_query(*row) for row in rows(_QUERIES.format(which=_UNCLICKED))],
        reformulations=[_reformulation(*row) for row in rows(_REFORMULATIONS)],
        narrowed_by=_narrowings(rows(_FILTERS))[: told["limit"]],
    )


def _query(
    text: str, searches: int, without: int, weak: int, clickable: int, clicked: int, positions: int | None,
    placed: int | None,
) -> Query:  # fmt: skip
    return Query(
        text, searches, without, weak, clickable, clicked, _ratio(clicked, clickable), _ratio(positions, placed)
    )


def _reformulation(before: str, after: str, count: int, clicked: int) -> Reformulation:
    return Reformulation(before, after, count, clicked, count >= MEANT and 2 * clicked >= count)


def _narrowings(counted: list[tuple[Any, ...]]) -> list[Narrowing]:
    counts: dict[str, int] = {}
    for names, count in counted:
        for name in names.split(","):
            counts[name] = counts.get(name, 0) + count
    return [Narrowing(name, count) for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]


def _ratio(above: int | None, below: int | None) -> float | None:
    return round(above / below, 4) if above is not None and below else None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
