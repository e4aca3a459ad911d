"""The report as a page: complete in itself, safe, and readable without its pictures."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from report_fixtures import TRAINING, manifest_of
from report_subjects import HOSTILE, hostile_knowledge, subject_of

from indexer.evaluation.measures import Interval
from indexer.report import knowledge_of, plots, report_page
from indexer.report.training import curve_summary, training_of
from indexer.training.curve import LearningCurve, Point
from search.product import Product


class Page(HTMLParser):
    """Tags with attributes and the words of a page, and whether every element is closed where it should be."""

    VOID = frozenset({"meta", "link", "rect", "line", "circle", "polyline", "br"})

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(name: str, **changes: Any) -> str:
    return report_page(manifest_of(len(HOSTILE[name]), **changes), hostile_knowledge(name), None, False)


def curve_of(*gains: tuple[float, float, float] | None) -> LearningCurve:
    points = []
    for place, gain in enumerate(gains):
        legs = {leg: Interval(0.05, 0.03, 0.07) for leg in ("dense", "hybrid")}
        gained = None if gain is None else {leg: Interval(*gain) for leg in legs}
        shares = (0.1, 0.3, 1.0)
        points.append(Point(shares[place], 32 * (place + 1), 0.5, dict.fromkeys(legs, 0.35), legs, gained))
    return LearningCurve("products", 50, 90, {"dense": 0.3, "hybrid": 0.31}, tuple(points))


@pytest.mark.parametrize("name", HOSTILE)
def test_any_catalog_gives_a_well_formed_page_with_its_summary_first(name: str) -> None:
    page = Page(page_of(name))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    links = [link["href"].removeprefix("#") for link in page.all("a") if link.get("href", "").startswith("#")]
    assert links and set(links) <= set(ids)
    assert len(ids) == len(set(ids))
    assert len(page.all("h1")) == 1
    for section in hostile_knowledge(name).as_json().values():
        if isinstance(section, dict):
            assert page.words.count(section["summary"]) == 2  # in the list on top, and where its section begins


def test_markup_in_titles_and_categories_is_shown_not_run() -> None:
    text = page_of("markup")
    assert "<script" not in text and "<b>Mugs" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_page_needs_nothing_from_elsewhere_and_no_inline_style_but_its_one_block() -> None:
    text = page_of("all the same")
    page = Page(text)
    assert text.count("<style>") == 1
    assert not page.all("script") and not page.all("img")
    assert not [one for _, attributes in page.tags for one in attributes if one == "style" or one.startswith("on")]
    assert not re.findall(r"(?:src|href)=\"(?!#|data:,|queries\.html)[^\"]+", text)
    assert "url(" not in text and "@import" not in text


def test_every_picture_has_a_label_or_is_beside_its_number() -> None:
    page = Page(
        report_page(manifest_of(30), hostile_knowledge("all the same"), curve_of(None, (0.01, 0.0, 0.02)), False)
    )
    pictures = page.all("svg")
    assert len(pictures) > 4
    for picture in pictures:
        assert picture.get("aria-hidden") == "true" or (picture["role"] == "img" and picture["aria-label"])


def test_a_product_is_a_link_only_in_the_shop_and_its_id_may_hold_anything() -> None:
    products = [Product(f'a/"{n}', "Travel Mug with a lid and a handle", "Hot.", category=("Mugs",)) for n in range(3)]
    text = report_page(manifest_of(3), knowledge_of(subject_of(products)), None, False)
    assert '<a data-page="/products/a%2F%220">Travel Mug with a lid and a handle</a>' in text
    assert 'href="/products' not in text


def test_long_lists_are_cut_and_say_so() -> None:
    products = [
        Product(f"{n}-{copy}", f"Unusual Travel Mug {chr(97 + n)}{chr(97 + n)}", "Hot.")
        for n in range(20)
        for copy in "ab"
    ]
    found = knowledge_of(subject_of(products)).duplicates.twice
    assert (found.count, len(found.shown)) == (20, 12)
    text = report_page(manifest_of(40), knowledge_of(subject_of(products)), None, False)
    assert "The first 12 of 20 groups." in text


def test_a_build_without_knowledge_or_training_still_has_a_page() -> None:
    training = {"reason": "training was switched off (--train never)", "adopted": False}
    page = Page(report_page(manifest_of(3, training=training), None, None, True))
    assert "The encoder is as it came: training was switched off (--train never)." in page.words


def test_warnings_are_shown() -> None:
    assert "Mostly Finnish." in Page(page_of("one product", warnings=["Mostly Finnish."])).words


# -- training and the curve -------------------------------------------------------------------------------------------


def test_the_training_is_told_with_its_interval() -> None:
    training = training_of(TRAINING)
    assert "rose by 0.050 (0.010 to 0.090)" in training.summary
    assert [leg.name for leg in training.legs] == ["by meaning alone", "as shops search: meaning and words"]
    assert training_of({**TRAINING, "adopted": False}).summary.startswith(
        "The encoder was trained on this catalog, but"
    )
    assert (training.kinds[0].name, training.kinds[0].count) == ("words of the title", 40)


@pytest.mark.parametrize(
    ("gain", "says"),
    [
        ((0.02, 0.01, 0.03), "more pairs would very likely bring more"),
        ((0.001, -0.01, 0.012), "expect little of more pairs"),
        ((-0.02, -0.03, -0.01), "would not help"),
        (None, "Measure more shares"),
    ],
)
def test_the_curve_says_what_more_data_would_bring(gain: tuple[float, float, float] | None, says: str) -> None:
    curve = curve_of(None, gain) if gain else curve_of(None)
    assert says in curve_summary(curve)
    assert "32 to 64 pairs" in curve_summary(curve) or gain is None


def test_a_curve_survives_being_written_down() -> None:
    curve = curve_of(None, (0.02, 0.01, 0.03))
    assert LearningCurve.from_json(curve.as_json()) == curve


def test_the_curve_is_drawn_where_it_was_measured() -> None:
    page = Page(
        report_page(manifest_of(1), hostile_knowledge("one product"), curve_of(None, (0.02, 0.01, 0.03)), False)
    )
    assert "How much would more data bring?" in page.words
    assert "10%" in page.words and "30%" in page.words


# -- plots ------------------------------------------------------------------------------------------------------------


def test_a_forest_colours_what_is_clear_of_no_change() -> None:
    rows = [("a", 0.05, 0.02, 0.08), ("b", 0.0, -0.02, 0.02), ("c", -0.05, -0.08, -0.02)]
    text = str(plots.forest(rows, "label", "unit"))
    assert [text.count(f"dot {kind}") for kind in ("better", "unclear", "worse")] == [1, 1, 1]
    assert "a: +0.050 (+0.020 to +0.080)" in text


def test_a_forest_places_means_on_one_scale() -> None:
    places = re.findall(r'cx="([\d.]+)"', str(plots.forest([("a", 0.0, 0.0, 0.0), ("b", 1.0, 1.0, 1.0)], "l", "u")))
    zero = re.findall(r'class="zero" x1="([\d.]+)"', str(plots.forest([("a", 1.0, 1.0, 1.0)], "l", "u")))
    assert float(places[0]) == float(zero[0]) < float(places[1])


def test_a_curves_points_are_coloured_by_the_line_they_are_held_against() -> None:
    text = str(plots.line([(0, 0.2), (1, 0.5)], "l", "u", [(0.1, 0.3), (0.4, 0.6)], baseline=0.25, names=["a", "b"]))
    assert [text.count(f"dot {kind}") for kind in ("better", "unclear", "worse")] == [1, 1, 0]


def test_a_histogram_has_a_bar_for_each_bin_and_marks_those_below_the_line() -> None:
    text = str(plots.histogram([0, 1, 2, 3], [1, 0, 4], "label", "unit", mark=1))
    assert text.count("<rect") == 3 and text.count("bar far") == 1
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"', text)]
    assert heights[0] == pytest.approx(heights[2] / 4, abs=0.1) and heights[1] == 0


@pytest.mark.parametrize(
    "drawn", [plots.forest([], "l", "u"), plots.line([], "l", "u"), plots.histogram([], [], "l", "u")]
)
def test_nothing_to_draw_draws_nothing(drawn: str) -> None:
    assert drawn == ""


def test_one_point_is_drawn_without_dividing_by_nothing() -> None:
    assert "nan" not in str(plots.line([(1, 1.0)], "l", "u", [(1.0, 1.0)]))
    assert "nan" not in str(plots.histogram([0.5, 0.5], [3], "l", "u"))


def test_labels_and_names_are_escaped() -> None:
    text = str(plots.forest([('<b>"', 0.1, 0.0, 0.2)], '"><script>', "u"))
    assert "<script>" not in text and "<b>" not in text


def test_a_page_of_the_same_build_is_the_same() -> None:
    knowledge = hostile_knowledge("all the same")
    assert report_page(manifest_of(30), knowledge, None, False) == report_page(
        manifest_of(30), replace(knowledge), None, False
    )
