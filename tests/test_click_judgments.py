"""Clicks as judgments: where a product stood is allowed for, and little evidence is not taken for much."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from click_traffic import Traffic, simulate
from conftest import SHOP, FakeEncoder, write_release
from scipy.stats import kendalltau

from indexer.__main__ import main
from indexer.evaluation.clicks import ClickJudgments, examination, graded, judgments_of, shown_in, write_judgments
from indexer.evaluation.judgments import read_judgments, read_queries
from search.engine import Engine
from search.errors import EvaluationError, EventsUnavailable
from search.state.database import Event, EventDatabase, Searched, open_for_reading

NOW = 1_750_000_000.0
LATER = NOW + 86_400 * 21


class Log:
    """A file of events, filled by hand."""

    def __init__(self, path: Path):
        self.path = path
        self.database = EventDatabase(path, days=3650, megabytes=100)

    def search(
        self, text: str, shown: tuple[str, ...], *clicked: str, times: int = 1, visitors: int = 1_000_000,
        kind: str = "click", **given: object,
    ) -> None:  # fmt: skip
        """Log some searches, each of another visitor, and what was clicked after each."""
        base = Searched(
            NOW, "", text, None, "page", "hybrid", 1, len(shown), "good", None, (), "r", 1.0, None, 1, shown,
        )  # fmt: skip
        searches = [
            base._replace(query_id=uuid.uuid4().hex, visitor=number % visitors)._replace(**given)
            for number in range(times)
        ]
        events = [
            Event(NOW, kind, one, search.query_id, visitor=search.visitor) for search in searches for one in clicked
        ]
        self.database.write(searches, events)

    def judgments(self) -> ClickJudgments:
        """What they amount to."""
        return judgments_of(self.path, now=NOW + 1)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "state" / "events.sqlite")


def test_grades_are_clicks_over_expected_clicks_one_standard_error_down(log: Log) -> None:
    log.search("mug", ("a", "b", "c"), "a", times=16)
    log.search("mug", ("a", "b", "c"), "b", times=9)
    log.search("mug", ("a", "b", "c"), times=75)
    found = log.judgments()
    assert found.eta == 1.0  # nothing moved: 1/k
    # E = 100, 50, 33.3; C = 16, 9, 0; R = 25 / 150. Rates: (16 - 4) / 100 = (9 - 3) / 50 = .12. 2 .12 / R = 1.44.
    assert found.grades == {"mug": {"a": 1.5, "b": 1.5, "c": 0.0}}
    assert (found.searches, found.clicks) == (100, 25)


def test_a_product_that_moved_tells_how_examination_falls(log: Log) -> None:
    # Shown 100 times first and 100 times fourth: 40 clicks there, 20 here, so k^-eta is 1/2 at 4: eta is 1/2.
    # The mean of the prior, 1, pulls a little: 60 clicks weigh 60 * 2/9 * log(4)^2 = 25.6 against its 4.
    for place, clicks in ((0, 40), (3, 20)):
        shown = ["x", "y", "z"]
        shown.insert(place, "a")
        log.search("mug", tuple(shown), "a", times=clicks)
        log.search("mug", tuple(shown), times=100 - clicks)
    found = log.judgments()
    assert found.eta == pytest.approx(0.5 + 0.5 * 4 / (25.6 + 4), abs=0.01)
    assert found.eta_error == pytest.approx((25.6 + 4) ** -0.5, abs=0.01)


def test_the_fall_of_examination_agrees_with_a_search_over_the_likelihood(tmp_path: Path) -> None:
    path = tmp_path / "state" / "events.sqlite"
    simulate(path, searches=1_000, queries=4, products=8)
    found = shown_in(open_for_reading(path), 0, LATER)

    def log_posterior(eta: float) -> float:
        total = -((eta - 1) ** 2) / (2 * 0.5**2)
        for pair in set(zip(found.query, found.product, strict=True)):
            mine = (found.query == pair[0]) & (found.product == pair[1])
            expected = found.shown[mine] * found.position[mine] ** -eta
            total += float(found.clicked[mine] @ np.log(expected / expected.sum()))
        return total

    etas = np.arange(0, 2, 0.01)
    best = etas[np.argmax([log_posterior(eta) for eta in etas])]
    assert examination(found)[0] == pytest.approx(best, abs=0.011)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"filters": ("brand",)}, "narrowed"), ({"filters": ("sort:price:asc",)}, "in another order"),
        ({"surface": "api"}, "asked by a program"), ({"visitor": None}, "of nobody"),
        ({"time": NOW - 86_400 * 100}, "long ago"),
    ],
)  # fmt: skip
def test_searches_that_an_evaluation_would_not_ask_do_not_count(log: Log, given: dict[str, object], why: str) -> None:
    log.search("mug", ("a", "b"), "a", times=40)
    before = log.judgments()
    log.search("mug", ("a", "b"), "b", times=40, **given)
    assert log.judgments() == before, why


def test_what_few_people_look_for_is_not_exported(log: Log) -> None:
    log.search("a name and a street", ("a", "b"), "a", times=50, visitors=4)
    log.search("mug", ("a", "b"), "a", times=9)
    with pytest.raises(EvaluationError, match="too few clicks"):
        log.judgments()
    log.search("mug", ("a", "b"), "a", times=1)
    assert list(log.judgments().grades) == ["mug"]


def test_a_program_that_clicks_all_day_is_left_out(log: Log) -> None:
    log.search("mug", ("a", "b"), "a", times=20)
    before = log.judgments()
    log.search("mug", ("a", "b"), "b", times=101, visitor=77)
    assert log.judgments() == before


def test_an_event_about_a_product_that_was_not_shown_is_left_out(log: Log) -> None:
    log.search("mug", ("a", "b"), "a", "forged", times=20)
    assert set(log.judgments().grades["mug"]) == {"a", "b"}


def test_the_deeper_a_product_stood_the_more_it_takes_to_call_it_bad(log: Log) -> None:
    shown = tuple(f"p{place}" for place in range(1, 11))
    log.search("mug", shown, "p1", times=10)
    log.search("mug", shown, times=10)
    # R = 10 / 20; E R = 10 / k is 3 or more down to the third place
    assert log.judgments().grades == {"mug": {"p1": 1.5, "p2": 0.0, "p3": 0.0}}


def test_what_two_visitors_bought_is_a_three(log: Log) -> None:
    shown = tuple(f"p{place}" for place in range(1, 11))
    log.search("mug", shown, "p1", times=20)
    log.search("mug", shown, "p9", times=2, kind="purchase")
    log.search("mug", shown, "p8", times=2, kind="cart")
    log.search("mug", shown, "p7", times=2, visitors=1, kind="purchase")
    grades = log.judgments().grades["mug"]
    assert (grades["p9"], grades["p8"]) == (3.0, 2.0)
    assert "p7" not in grades  # one visitor twice


def within(truth: Traffic, scores: dict[str, dict[str, float]]) -> float:
    """Kendall's tau-b with the truth, mean over queries."""
    taus = [
        kendalltau([truth.truth[query][one] for one in products], list(products.values())).statistic
        for query, products in scores.items()
        if len({truth.truth[query][one] for one in products}) > 1
    ]
    return float(np.mean(taus))


@pytest.mark.parametrize(
    "examined",
    [lambda k: k**-0.8, lambda k: 1 / (1 + 0.5 * ((k - 1) // 4)), lambda k: np.exp(-(k - 1) / 8)],
    ids=["power", "rows of four", "exponential"],
)
def test_grades_order_products_by_the_truth_much_better_than_clicks_do(
    tmp_path: Path, examined: Callable[[np.ndarray], np.ndarray]
) -> None:
    path = tmp_path / "state" / "events.sqlite"
    truth = simulate(path, searches=8_000, noise=2.0, releases=2, examination=examined)
    grades = judgments_of(path, now=LATER).grades
    clicks = {query: {one: truth.clicks[query][one] for one in products} for query, products in grades.items()}
    assert sum(map(len, grades.values())) > 300
    assert within(truth, grades) > within(truth, clicks) + 0.03

    def together(scores: dict[str, dict[str, float]]) -> float:
        pairs = [(truth.truth[query][one], score) for query, found in scores.items() for one, score in found.items()]
        return float(kendalltau(*zip(*pairs, strict=True)).statistic)

    assert together(grades) > together(clicks) + 0.1  # across queries, rare and popular


def test_examination_is_found_as_it_was_simulated(tmp_path: Path) -> None:
    for exponent in (0.5, 1.4):
        path = tmp_path / str(exponent) / "events.sqlite"
        path.parent.parent.mkdir(exist_ok=True)
        simulate(path, examination=lambda k, e=exponent: k**-e)  # type: ignore[misc]
        found = judgments_of(path, now=LATER)
        assert found.eta == pytest.approx(exponent, abs=3 * found.eta_error)
        assert found.eta_error < 0.05


def test_no_clicks_no_grades(log: Log) -> None:
    log.search("mug", ("a", "b"), times=20)
    found = shown_in(open_for_reading(log.path), 0, LATER)
    assert graded(found, 1.0) == {}
    assert examination(found) == (1.0, 0.5)


def test_evaluate_reads_what_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    log = Log(home / "state" / "events.sqlite")
    ids = tuple(one.id for one in SHOP)
    for text, clicked in (("red gown", "0001"), ('mug, "hot"', "0001"), ("=cmd()", "0001")):
        log.search(text, ids, clicked, times=30, time=time.time())
    monkeypatch.setenv("AISLE_HOME", str(home))
    files = ["--out", str(tmp_path / "judgments.csv"), "--queries", str(tmp_path / "queries.csv")]
    done = CliRunner().invoke(main, ["insights", "judgments", *files, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["queries"], told["left_out"]) == (2, 1)  # what a spreadsheet would take for a formula
    assert sorted(read_queries(tmp_path / "queries.csv").values()) == ['mug, "hot"', "red gown"]
    assert sum(map(len, read_judgments(tmp_path / "judgments.csv").values())) == told["judgments"]

    layout = write_release(tmp_path / "releases" / "shop", SHOP)
    monkeypatch.setattr("search.engine.find_encoder", lambda *_: FakeEncoder())
    assert Engine.open(layout.folder).search("red gown").total
    done = CliRunner().invoke(
        main, ["evaluate", "--index", str(layout.folder), "--queries", files[3], "--judgments", files[1], "--json"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["queries"] == 2


def test_a_shop_without_a_log_is_told_how_to_have_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EventsUnavailable, match="AISLE_EVENTS=on"):
        judgments_of(tmp_path / "events.sqlite")
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    assert CliRunner().invoke(main, ["insights"]).exit_code == 2


def test_files_hold_what_is_judged(tmp_path: Path) -> None:
    found = ClickJudgments({"mug": {"a,1": 2.5, "b": 0.0}, "=1+1": {"c": 1.0}}, 0, 0, 1.0, 0.5)
    assert write_judgments(found, tmp_path / "q.csv", tmp_path / "j.csv") == (1, 2)
    assert (tmp_path / "q.csv").read_text().splitlines() == ["query_id,query", "q1,mug"]
    assert (tmp_path / "j.csv").read_text().splitlines() == [
        "query_id,product_id,grade", 'q1,"a,1",2.5', "q1,b,0"
    ]  # fmt: skip
