"""The map in a real browser: what it draws, lights, frames and names, and what is there where nothing can be drawn."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser_fixtures import served
from conftest import SHOP
from map_fixtures import COUNT, KINDS, Map, map_engine, open_map

from search.engine import Engine

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return map_engine(tmp_path_factory.mktemp("map"))


@pytest.fixture(scope="module")
def root(engine: Engine) -> Iterator[str]:
    with served(engine) as address:
        yield address


@pytest.fixture
def shown(browser: Any, root: str) -> Iterator[Map]:
    opened = open_map(browser, root)
    opened.open()
    yield opened
    opened.page.context.close()


def test_the_map_draws_dots_in_several_colors_and_the_browser_has_no_complaint(shown: Map) -> None:
    colors = shown.colors()
    ground = max(colors, key=lambda color: colors[color])
    painted = {color: count for color, count in colors.items() if color != ground}
    assert sum(painted.values()) > 248 * 9
    strong = [color for color, count in painted.items() if count > 100]
    assert len(strong) >= 4  # one for each group
    assert shown.complaints == []
    assert not shown.page.locator("[data-groups]").get_attribute("open")  # the table is there, folded


def test_a_search_lights_its_results_and_back_puts_the_light_out(shown: Map) -> None:
    everything = shown.colors()
    shown.page.fill("#map-q", "coffee")
    shown.page.press("#map-q", "Enter")
    shown.page.wait_for_url("**/map?q=coffee")
    shown.page.wait_for_selector("canvas[data-lit]:not([data-lit=''])")
    shown.rest()
    found = shown.page.evaluate("fetch('/api/v1/map/lit?q=coffee&fold=1').then((answer) => answer.json())")
    listed, dots = found["total"], len(found["points"])
    assert dots == listed + 1  # the mug comes in two colors
    assert shown.page.get_attribute("canvas", "data-lit") == str(listed)
    assert shown.page.inner_text(".atlas-line .total") == f"{listed} products"
    sync_api.expect(shown.page.locator("[data-said]")).to_contain_text(f"{dots} of {COUNT + len(SHOP)} dots")
    legend = [int(text) for text in shown.page.locator(".map-legend .count").all_inner_texts()]
    assert sum(legend) == listed
    assert shown.colors() != everything
    assert shown.page.get_attribute(".atlas-line > a >> nth=0", "href") == "/search?q=coffee"
    shown.page.go_back()
    shown.page.wait_for_selector("canvas[data-lit='']")
    shown.rest()
    assert shown.page.input_value("#map-q") == ""
    assert shown.colors() == everything
    assert shown.complaints == []


def test_the_address_of_a_search_lights_the_same(browser: Any, root: str) -> None:
    opened = open_map(browser, root)
    opened.open("/map?q=coffee&f.color=navy")
    listed = opened.page.evaluate(
        "fetch('/api/v1/search?q=coffee&f.color=navy&fold=1').then((answer) => answer.json())"
    )
    assert opened.page.get_attribute("canvas", "data-lit") == str(listed["total"])
    opened.page.click(".atlas-line .chip")  # the filter is taken off in place
    opened.page.wait_for_url("**/map?q=coffee")
    opened.page.wait_for_selector(f"canvas:not([data-lit='{listed['total']}'])")
    opened.page.context.close()


def test_a_group_is_framed(browser: Any, root: str) -> None:
    opened = open_map(browser, root)
    opened.open("/map")
    whole = opened.page.evaluate("history.state.map")
    opened.open("/map?cluster=10")
    framed = opened.page.evaluate("history.state.map")
    assert framed["scale"] > 1.5 * whole["scale"]
    assert (framed["x"] < whole["x"], framed["y"] < whole["y"]) == (True, True)  # the first cloud is up on the left
    opened.page.context.close()


def test_colors_have_a_legend_that_lights_and_stay_in_the_address(shown: Map) -> None:
    shown.page.select_option("[data-color]", "price")
    shown.rest()
    assert "color=price" in shown.page.url
    first = shown.page.locator(".map-legend button").first
    assert first.inner_text().startswith("under $")
    everything = shown.colors()
    first.click()
    shown.rest()
    assert first.get_attribute("aria-pressed") == "true"
    assert shown.colors() != everything
    shown.page.reload()
    shown.page.wait_for_selector("canvas[data-drawn]")
    assert shown.page.input_value("[data-color]") == "price"


@pytest.mark.parametrize("steps", [0, 4, 9])
def test_labels_never_overlap_and_are_links_in_reach_of_the_keyboard(shown: Map, steps: int) -> None:
    shown.page.mouse.move(640, 500)
    for _ in range(steps):
        shown.page.mouse.wheel(0, -130)
    shown.rest()
    labels = shown.page.locator(".map-labels a:visible")
    boxes = [label.bounding_box() for label in labels.all()]
    assert boxes or steps == 9
    for one, other in itertools.combinations(boxes, 2):
        is_apart = (
            one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        )  # fmt: skip
        assert is_apart
    controls = shown.page.locator(".map-zoom").bounding_box()
    assert not any(
        box["x"] + box["width"] > controls["x"] and box["y"] + box["height"] > controls["y"] for box in boxes
    )
    if steps == 0:
        assert all(re.fullmatch(r"/clusters/\d", link.get_attribute("href")) for link in labels.all())
        labels.first.focus()
        shown.page.keyboard.press("Enter")
        shown.page.wait_for_url("**/clusters/*")
    elif steps == 4:
        assert all(re.fullmatch(r"/clusters/1\d", link.get_attribute("href")) for link in labels.all())


def test_close_up_dots_are_pictures_that_link_to_their_products(shown: Map) -> None:
    box = shown.page.locator("canvas").bounding_box()
    shown.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.25)
    for _ in range(6):
        shown.page.mouse.wheel(0, -200)
    pictures = shown.page.locator(".map-picture")
    sync_api.expect(pictures.first).to_be_visible()
    boxes = [picture.bounding_box() for picture in pictures.all()]
    for one, other in itertools.combinations(boxes, 2):
        assert abs(one["x"] - other["x"]) >= 60 or abs(one["y"] - other["y"]) >= 60
    first = pictures.first
    assert re.match(r"/products/", first.get_attribute("href"))
    assert re.match("|".join(KINDS), first.get_attribute("aria-label"))
    shown.page.keyboard.press("Home")
    shown.page.click("[data-zoom=reset]")
    sync_api.expect(pictures).to_have_count(0)


def test_in_the_dark_the_ground_is_dark(browser: Any, root: str) -> None:
    opened = open_map(browser, root, color_scheme="dark")
    opened.open()
    colors = opened.colors()
    assert max(max(colors, key=lambda color: colors[color])) < 40
    opened.page.emulate_media(color_scheme="light")
    opened.rest()
    colors = opened.colors()
    assert min(max(colors, key=lambda color: colors[color])) > 230
    opened.page.context.close()


def test_without_javascript_there_is_a_table_and_no_empty_frame(browser: Any, root: str) -> None:
    page = browser.new_context(base_url=root, java_script_enabled=False).new_page()
    page.goto("/map?q=coffee")
    assert not page.is_visible("canvas")
    assert page.is_visible("table")
    assert page.locator("tbody tr").count() >= 2
    page.click("tbody a >> nth=0")
    page.wait_for_url("**/clusters/*")
    page.context.close()


def test_when_the_columns_do_not_arrive_the_table_stays(browser: Any, root: str) -> None:
    opened = open_map(browser, root)
    opened.page.route("**/positions*", lambda route: route.abort())
    opened.page.goto("/map")
    sync_api.expect(opened.page.locator(".atlas-map")).to_be_hidden()
    assert opened.page.is_visible("table")
    opened.page.context.close()
