"""What visitors clicked, as judgments: a product's clicks over those it would have had for where it stood.

The position-based model: a click is an examination, whose chance falls with the position, times the product's
attractiveness for the query. Examination is k^-eta, first position 1 (Joachims, Swaminathan & Schnabel 2017, "Unbiased
Learning-to-Rank with Biased Feedback"). eta is read off products that one query showed at several positions, since a
release, a price or the stock changed; so nobody is shown a worse order for it (Agarwal et al. 2019, "Estimating
Position Bias without Intrusive Interventions"). Given a product's clicks, how they fall on its positions depends on
eta alone.

Attractiveness is then clicks over expected clicks (Zhang & Jones 2007), the expectation being the examination alone:
with the usual click-through of each position a product would pay for the good company on top. What few clicks tell is
taken one standard error down (DESIGN.md, "What visitors do", has what was tried).
"""

from __future__ import annotations

import csv
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.arrays import runs
from search.errors import EvaluationError, EventsUnavailable
from search.export import guarded
from search.state.database import open_for_reading, reason_of

DAY_SECONDS = 86_400
LEAST_SEARCHES = 10  # of a query
LEAST_VISITORS = 5  # of a query: what one person looks for is not exported
MOST_A_DAY = 100  # searches of one visitor: beyond it a program is at work, and all of them are left out
EVIDENCE = 3.0  # clicks expected of a product as attractive as those clicked: none has a chance of 5 % then
AVERAGE_GRADE, BEST_GRADE = 2.0, 3.0
USUAL_ETA, ETA_SPREAD = 1.0, 0.5  # before anything is known: 1/k, as Joachims et al. assume
CHUNK = 100_000  # searches read at once
_POSITIONS = 14  # bits of a position; MAX_WINDOW is below
_PRODUCTS = 26  # bits of a product's number

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shown:
    """How often each product of each query was shown and clicked at each position; one entry per combination.

    Attributes:
        query, product, position: (m,) int64; numbers of names, positions from 1. Sorted by all three.
        shown, clicked: (m,) int64.
        carts, purchases: by (query, product), how many visitors put it into the cart, and bought it.
        names: what the numbers stand for.
        searches: by query, how often it was asked.
    """

    query: Counts
    product: Counts
    position: Counts
    shown: Counts
    clicked: Counts
    carts: dict[tuple[int, int], int]
    purchases: dict[tuple[int, int], int]
    names: dict[int, str]
    searches: dict[int, int]


@dataclass(frozen=True)
class ClickJudgments:
    """Judgments by query text, with what they rest on.

    Attributes:
        grades: query text -> product id -> 0..3; 2 is as attractive as what is clicked, 0 was shown in vain.
        searches: of these queries.
        clicks: on what was judged.
        eta: of the examination k^-eta.
        eta_error: its standard error; ETA_SPREAD when the log says nothing about it.
    """

    grades: dict[str, dict[str, float]]
    searches: int
    clicks: int
    eta: float
    eta_error: float


def judgments_of(path: Path, *, days: int = 90, surface: str = "page", now: float | None = None) -> ClickJudgments:
    """Return the judgments that the clicks of the last days amount to.

    Only searches in order of relevance and without filters count: those are what an evaluation asks.

    Raises:
        EventsUnavailable: there is no log, or it cannot be read.
        EvaluationError: there is not enough in it.
    """
    until = time.time() if now is None else now
    try:
        with closing(open_for_reading(path)) as connection:
            found = shown_in(connection, until - days * DAY_SECONDS, until, surface)
    except sqlite3.Error as error:
        raise EventsUnavailable(reason_of(error, path)) from error
    eta, eta_error = examination(found)
    judged = graded(found, eta)
    grades = {text: products for text, products in judged.items() if any(products.values())}
    if not grades:
        raise EvaluationError(
            f"{path} holds too few clicks of the last {days} days to judge by: a query must have been asked "
            f"{LEAST_SEARCHES} times by {LEAST_VISITORS} visitors; wait, or take more --days"
        )
    asked = {found.names[query]: count for query, count in found.searches.items()}
    judged_queries = [query for query in found.searches if found.names[query] in grades]
    return ClickJudgments(
        grades=dict(sorted(grades.items(), key=lambda one: (-asked[one[0]], one[0]))),
        searches=sum(asked[text] for text in grades),
        clicks=int(found.clicked[np.isin(found.query, judged_queries)].sum()),
        eta=eta,
        eta_error=eta_error,
    )


# -- what was shown --

# Searches that count, of visitors who are people.
_KEPT = """
CREATE TEMP TABLE kept AS SELECT id, text, visitor, page FROM searches
WHERE time BETWEEN :since AND :until AND surface = :surface AND filters IS NULL AND visitor IS NOT NULL
  AND visitor NOT IN (SELECT visitor FROM searches WHERE visitor IS NOT NULL GROUP BY visitor HAVING count(*) > :most)
  AND text NOT IN (SELECT n FROM names WHERE name = '')
"""
_QUERIES = """
SELECT text, sum(page = 1) FROM kept GROUP BY text
HAVING sum(page = 1) >= :searches AND count(DISTINCT visitor) >= :visitors ORDER BY text
"""
_FORGOTTEN = """
DELETE FROM kept WHERE text NOT IN (SELECT text FROM kept GROUP BY text
HAVING sum(page = 1) >= :searches AND count(DISTINCT visitor) >= :visitors)
"""
_SEARCHES = "SELECT s.text, s.first, s.shown FROM kept AS k JOIN searches AS s ON s.id = k.id ORDER BY s.id"
_EVENTS = """
SELECT DISTINCT e.type, e.product, s.text, s.visitor, s.first, s.shown, s.id
FROM events AS e JOIN searches AS s USING (query_id) JOIN kept AS k ON k.id = s.id WHERE e.type != 'view'
"""


def shown_in(connection: sqlite3.Connection, since: float, until: float, surface: str = "page") -> Shown:
    """Return what a log says was shown and clicked; an event about a product that its search did not show is left out.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    told = {
        "since": since, "until": until, "surface": surface, "searches": LEAST_SEARCHES, "visitors": LEAST_VISITORS,
        "most": MOST_A_DAY,
    }  # fmt: skip
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("BEGIN")
    connection.execute(_KEPT, told)
    searches = dict(connection.execute(_QUERIES, told).fetchall())
    connection.execute(_FORGOTTEN, told)
    texts = np.array(list(searches), np.int64)
    keys, shown = _impressions(connection.execute(_SEARCHES), texts)
    clicked = np.zeros(len(keys), np.int64)
    who: dict[str, dict[tuple[int, int], set[int]]] = {"cart": {}, "purchase": {}}
    for kind, product, text, visitor, first, places, _ in connection.execute(_EVENTS):
        [found] = np.nonzero(np.frombuffer(places, "<i4") == product)
        if len(found) == 0:
            continue
        if kind == "click":
            query = int(np.searchsorted(texts, text))
            clicked[np.searchsorted(keys, _key(query, product, first + int(found[0])))] += 1
        else:
            who[kind].setdefault((text, product), set()).add(visitor)
    return Shown(
        query=texts[keys >> (_PRODUCTS + _POSITIONS)] if len(keys) else keys,
        product=keys >> _POSITIONS & (1 << _PRODUCTS) - 1,
        position=keys & (1 << _POSITIONS) - 1,
        shown=shown,
        clicked=clicked,
        carts={pair: len(visitors) for pair, visitors in who["cart"].items()},
        purchases={pair: len(visitors) for pair, visitors in who["purchase"].items()},
        names=dict(connection.execute("SELECT n, name FROM names").fetchall()),
        searches=searches,
    )


def _key(query: Any, product: Any, position: Any) -> Any:
    """Return one number of three, which sorts as they do."""
    return (query << (_PRODUCTS + _POSITIONS)) | (product << _POSITIONS) | position


def _impressions(cursor: sqlite3.Cursor, texts: Counts) -> tuple[Counts, Counts]:
    """Return the sorted keys of all that was shown, and how often each was."""
    keys, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    while rows := cursor.fetchmany(CHUNK):
        lengths = np.array([len(places) // 4 for _, _, places in rows], np.int64)
        query = np.searchsorted(texts, np.array([text for text, _, _ in rows], np.int64))
        first = np.array([first for _, first, _ in rows], np.int64)
        product = np.frombuffer(b"".join(places for _, _, places in rows), "<i4").astype(np.int64)
        position = runs(first, lengths)
        new, times = np.unique(_key(np.repeat(query, lengths), product, position), return_counts=True)
        keys, place = np.unique(np.concatenate((keys, new)), return_inverse=True)
        counts = np.bincount(place, np.concatenate((counts, times)), len(keys)).astype(np.int64)
    return keys, counts


# -- what it means --


def examination(found: Shown) -> tuple[float, float]:
    """Return (eta, standard error): the most likely fall of examination, k^-eta, given where products were clicked.

    The clicks of one product of one query fall on its positions in proportion to shown * position^-eta, whatever its
    attractiveness is; those that kept their place say nothing. A normal prior, mean 1, keeps eta near 1/k until there
    is evidence. Newton's method on a concave function.
    """
    starts, pair = _pairs(found)
    if len(starts) == 0:
        return USUAL_ETA, ETA_SPREAD
    depth = np.log(found.position)
    clicks = np.add.reduceat(found.clicked, starts).astype(np.float64)
    clicked_depth = float(found.clicked @ depth)
    eta, curvature = USUAL_ETA, ETA_SPREAD**-2
    for _ in range(50):
        expected = found.shown * np.exp(-eta * depth)
        weights = expected / np.add.reduceat(expected, starts)[pair]
        mean = np.add.reduceat(weights * depth, starts)
        variance = np.add.reduceat(weights * depth**2, starts) - mean**2
        slope = clicks @ mean - clicked_depth - (eta - USUAL_ETA) / ETA_SPREAD**2
        curvature = clicks @ np.maximum(variance, 0) + ETA_SPREAD**-2
        eta += slope / curvature
        if abs(slope / curvature) < 1e-9:
            break
    return float(eta), float(curvature**-0.5)


def graded(found: Shown, eta: float) -> dict[str, dict[str, float]]:
    """Return query text -> product id -> grade of every product of which enough is known.

    A pair's rate is (C - sqrt(C)) / E: its clicks, one standard error down, over the sum of its examinations. Its grade
    is 2 rate / R in half steps, at most 3, R being the clicks over the examinations of all pairs that were clicked.
    Enough is known where E R, the clicks expected of a product as attractive as those clicked, is EVIDENCE, or where
    there are as many clicks. What two visitors put into the cart is at least a 2, what two bought a 3.
    """
    starts, _ = _pairs(found)
    if not found.clicked.any():
        return {}
    clicks = np.add.reduceat(found.clicked, starts).astype(np.float64)
    examined = np.add.reduceat(found.shown * found.position**-eta, starts)
    usual = clicks.sum() / examined[clicks > 0].sum()
    rate = (clicks - np.sqrt(clicks)) / examined
    grades = np.minimum(BEST_GRADE, np.round(2 * AVERAGE_GRADE * rate / usual) / 2)
    is_known = (examined * usual >= EVIDENCE) | (clicks >= EVIDENCE)
    judged: dict[str, dict[str, float]] = {}
    for place, start in enumerate(starts):
        pair = int(found.query[start]), int(found.product[start])
        least = AVERAGE_GRADE if found.carts.get(pair, 0) >= 2 else 0.0
        least = BEST_GRADE if found.purchases.get(pair, 0) >= 2 else least
        if is_known[place] or least:
            grade = max(float(grades[place]), least)
            judged.setdefault(found.names[pair[0]], {})[found.names[pair[1]]] = grade
    return judged


def _pairs(found: Shown) -> tuple[Counts, Counts]:
    """Return where each (query, product) begins, and for each entry the number of its pair."""
    if len(found.query) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    is_new = (np.diff(found.query, prepend=-1) != 0) | (np.diff(found.product, prepend=-1) != 0)
    return np.flatnonzero(is_new).astype(np.int64), np.cumsum(is_new) - 1


# -- files --


def write_judgments(found: ClickJudgments, queries: Path, judgments: Path) -> tuple[int, int]:
    """Write both files as `evaluate` and `build` read them; return how many queries and judgments they hold.

    A text that a spreadsheet would take for a formula is left out: it is no product search, and the file may be opened.
    """
    kept = {text: products for text, products in found.grades.items() if guarded(text) == text}
    with (
        queries.open("w", encoding="utf-8", newline="") as asked,
        judgments.open("w", encoding="utf-8", newline="") as judged,
    ):
        asked_rows, judged_rows = csv.writer(asked), csv.writer(judged)
        asked_rows.writerow(("query_id", "query"))
        judged_rows.writerow(("query_id", "product_id", "grade"))
        for number, (text, products) in enumerate(kept.items(), start=1):
            asked_rows.writerow((f"q{number}", text))
            judged_rows.writerows((f"q{number}", product, f"{grade:g}") for product, grade in products.items())
    return len(kept), sum(map(len, kept.values()))
