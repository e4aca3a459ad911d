"""What the measuring of dimensions tells: the rule, the numbers behind it, the table and the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import FakeEncoder, write_release

from indexer.dimension_report import DimensionReport, expect_full, report_of
from indexer.dimensions import Measured, recommended
from indexer.evaluation.measures import Interval
from indexer.questions import MOST, Questions, judged_questions, pseudo_questions
from indexer.sparse import SparseIndex
from search.analysis import Analyzer
from search.dense import PQ_CENTROIDS
from search.errors import AisleError, EvaluationError
from search.product import Product
from search.release import open_release

GOODS = ("Mug", "Dress", "Lamp", "Desk", "Boot", "Plant", "Knife", "Coffee")
COLOURS = ("red", "blue", "leather", "hot")
CATALOG = [
    Product(f"p{n}", f"{COLOURS[n % 4]} {GOODS[n // 4 % 8]} {GOODS[n // 32 % 8]} no. {n}", "For the house.")
    for n in range(PQ_CENTROIDS)
]


def setting(dim: int, precision: str, low: float, recall: float, stored: float, kind: str = "dense") -> Measured:
    return Measured(kind, dim, precision, 0.7, Interval(0.0, low, 0.01), recall, stored, stored, 0.1, 1.0)


FULL = setting(384, "float32", 0.0, 1.0, 1536)


def test_the_smallest_setting_that_surely_loses_little_is_recommended() -> None:
    int8 = setting(384, "int8", -0.004, 0.99, 384)
    cut = setting(128, "int8", -0.0049, 0.95, 130)
    lossy = setting(64, "int8", -0.0051, 0.99, 64)
    strays = setting(32, "int8", 0.0, 0.949, 32)
    unturned = setting(16, "float32", 0.0, 1.0, 16, "truncated")
    words = setting(9000, "sparse", 0.0, 1.0, 8, "tf-idf")
    assert recommended([FULL, int8, cut, lossy, strays, unturned, words]) is cut


def test_of_equal_sizes_the_simplest_is_recommended() -> None:
    half, quarter = setting(256, "float16", 0.0, 1.0, 512.2), setting(128, "float32", 0.0, 1.0, 511.8)
    assert recommended([FULL, half, quarter]) is quarter


def test_where_nothing_smaller_will_do_all_stays() -> None:
    assert recommended([FULL, setting(256, "float32", -0.2, 0.4, 100)]) is FULL


def test_tf_idf_equals_numbers_worked_by_hand() -> None:
    index = SparseIndex("tf-idf", ["red mug", "blue mug", "lamp"])
    # idf = ln((1 + 3) / (1 + df)) + 1: red and blue ln 2 + 1, mug ln(4/3) + 1.
    rare, common = np.log(2) + 1, np.log(4 / 3) + 1
    rows, scores = index.search(index.vector("red"), 5)
    assert rows.tolist() == [0]
    assert scores[0] == pytest.approx(rare / np.hypot(rare, common), abs=1e-6)
    assert (index.columns, index.bytes) == (4, 5 * 8 + 4 * 4)  # five words stored, each a float32 and an int32; offsets
    assert index.search(index.vector("mug"), 5)[0].tolist() == [0, 1]
    assert len(index.search(index.vector("unheard of"), 5)[0]) == 0


def test_one_hot_only_asks_whether_a_word_is_there() -> None:
    index = SparseIndex("one-hot", ["mug mug mug red", "blue"])
    assert index.search(index.vector("mug"), 5)[1][0] == pytest.approx(2**-0.5)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> DimensionReport:
    """A release of 256 products in 13 dimensions, asked for each of 32 pairs of words."""
    release = open_release(write_release(tmp_path_factory.mktemp("dimensions") / "release", CATALOG))
    texts = {f"q{n}": f"{colour} {thing}" for n, (colour, thing) in enumerate((c, t) for c in COLOURS for t in GOODS)}
    judgments = {
        query_id: {product.id: 1.0 for product in CATALOG if product.title.startswith(text)}
        for query_id, text in texts.items()
    }
    return report_of(release, FakeEncoder(), CATALOG, judged_questions(CATALOG, texts, judgments), lambda *told: None)


def test_every_setting_is_measured_and_the_first_is_exact(report: DimensionReport) -> None:
    # 13 dimensions cannot be divided by 4, and every smaller number in the list is larger than 13.
    assert [(one.kind, one.dim, one.precision) for one in report.measured[:3]] == [
        ("dense", 13, "float32"), ("dense", 13, "float16"), ("dense", 13, "int8"),
    ]  # fmt: skip
    full = report.measured[0]
    assert (full.recall, full.change.mean, full.stored) == (1.0, 0.0, pytest.approx(2 * 52 + 17 * 1, abs=1.5))
    assert [one.kind for one in report.measured[3:]] == ["tf-idf", "one-hot"]
    assert all(0 < one.recall <= 1 for one in report.measured)


def test_bytes_are_those_of_files(report: DimensionReport) -> None:
    assert [round(one.bytes) for one in report.measured[:3]] == [
        52,
        26,
        14,
    ]  # int8: and two numbers a dimension


def test_an_eighth_of_the_bytes_is_recommended_where_nothing_is_lost(report: DimensionReport) -> None:
    assert (report.choice.dim, report.choice.precision) == (13, "int8")
    assert report.command == "python -m indexer build CATALOG --precision int8"
    assert report.served is not None
    assert abs(report.served.differences["nDCG@10"].change.mean) < 0.02


def test_json_says_what_the_table_says(report: DimensionReport) -> None:
    told = json.loads(json.dumps(report.as_json()))
    assert [row["dim"] for row in told["settings"]] == [one.dim for one in report.measured]
    assert told["recommendation"]["command"] == report.command
    assert {"nDCG@10", "change", "recall@100", "bytes_per_product", "stored_bytes_per_product", "build_seconds",
            "query_ms"} <= told["settings"][0].keys()  # fmt: skip
    text = report.as_text()
    assert text.count("→") == 1
    assert report.command in text
    assert all(f"{one.ndcg:.3f}" in text for one in report.measured)


def test_the_page_needs_nothing_from_elsewhere_and_marks_one_setting(report: DimensionReport, tmp_path: Path) -> None:
    report.write_page(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert not re.search(r"https?://|<script|@import|url\(", page)
    assert page.count('class="ring"') == page.count("(recommended)") == 1
    assert page.count("<title>") == 1 + len(report.measured)  # every mark of the plot says its numbers
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    assert report.command in page


def test_a_plots_axes_hold_every_mark(report: DimensionReport) -> None:
    from indexer.dimension_report import MARGIN, PLOT_HEIGHT, PLOT_WIDTH, plot_of

    marks = [point for line in plot_of(report.measured, report.choice)["series"] for point in line["points"]]
    assert len(marks) == len(report.measured)
    assert all(MARGIN <= mark["x"] <= PLOT_WIDTH - MARGIN for mark in marks)
    assert all(MARGIN <= mark["y"] <= PLOT_HEIGHT - MARGIN for mark in marks)


def test_a_cut_release_cannot_be_measured_and_says_how_to_get_a_whole_one(tmp_path: Path) -> None:
    layout = write_release(tmp_path / "release", CATALOG[:9])
    release = open_release(layout)
    release.manifest["vectors"]["precision"] = "int8"
    with pytest.raises(AisleError, match=r"holds 13 of 13 dimensions in int8.*--out whole"):
        expect_full(release)


def test_pseudo_queries_say_nothing_of_words_that_they_are_made_of(tmp_path: Path) -> None:
    release = open_release(write_release(tmp_path / "release", CATALOG[:40]))
    asked = Questions("made up", False, {"q": "red mug", "r": "hot lamp"}, {"q": {"p0": 1.0}, "r": {"p11": 1.0}})
    report = report_of(release, FakeEncoder(), CATALOG[:40], asked, lambda *told: None)
    assert [one.ndcg is None for one in report.measured[-3:]] == [False, True, True]
    assert report.served is None and any("by construction" in note for note in report.notes)
    report.write_page(tmp_path / "page.html")
    json.dumps(report.as_json(), allow_nan=False)


def test_too_few_products_for_a_quantiser_are_told(tmp_path: Path) -> None:
    few = CATALOG[:60]
    release = open_release(write_release(tmp_path / "release", few))
    questions = Questions("one", True, {"q": "red mug"}, {"q": {"p0": 1.0}})
    report = report_of(release, FakeEncoder(), few, questions, lambda *told: None)
    assert any("at least 256 products, and there are 60" in note for note in report.notes)


# -- what is asked --


def test_judged_queries_that_nothing_answers_are_left_out() -> None:
    queries = {"a": "red mug", "b": "unicorn", "c": "hot lamp"}
    asked = judged_questions(CATALOG, queries, {"a": {"p0": 2.0, "gone": 3.0}, "b": {"gone": 3.0}, "c": {"p1": 0.0}})
    assert (asked.texts, asked.judgments) == ({"a": "red mug"}, {"a": {"p0": 2.0}})
    with pytest.raises(EvaluationError, match="another catalog"):
        judged_questions(CATALOG, queries, {"b": {"gone": 3.0}})


def test_of_many_judged_queries_the_same_are_drawn_every_time() -> None:
    queries = {f"q{n}": f"mug {n}" for n in range(MOST + 50)}
    judgments = {query_id: {"p0": 1.0} for query_id in queries}
    asked = judged_questions(CATALOG, queries, judgments)
    assert len(asked.texts) == MOST and f"drawn from {MOST + 50}" in asked.kind
    assert asked == judged_questions(CATALOG, queries, judgments)


def test_pseudo_queries_are_phrases_of_descriptions_that_the_products_answer() -> None:
    woods = ("alder", "birch", "cedar", "elm", "fir", "oak", "pine", "willow")
    words = [f"{wood}{letter}" for wood in woods for letter in "abcdefghijklmnopq"]
    products = [
        Product(f"p{n}", f"Item {n}", f"Carved {words[n]} {words[n + 1]} handle.") for n in range(len(words) - 1)
    ]
    asked = pseudo_questions(products, Analyzer("en"))
    assert "description phrases" in asked.kind and not asked.is_judged
    analyzer, by_id = Analyzer("en"), {product.id: product for product in products}
    for query_id, text in asked.texts.items():
        assert asked.judgments[query_id]
        for product_id in asked.judgments[query_id]:
            assert set(analyzer.terms_of(text)) <= set(analyzer.terms_of(by_id[product_id].description))
    with pytest.raises(EvaluationError, match="fewer than 50 test queries"):
        pseudo_questions(products[:20], Analyzer("en"))
