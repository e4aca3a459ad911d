"""Moving about the map in a real browser: by mouse, wheel, keys and finger, to a product and back to the same place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_fixtures import served
from conftest import open_engine, write_release
from map_fixtures import Map, map_engine, open_map

from search.engine import Engine
from search.product import Product

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


def test_pointing_at_a_dot_shows_its_card_and_a_click_opens_its_product(shown: Map, engine: Engine) -> None:
    row = shown.lonely(engine)
    product = engine.release.products.products([row])[0]
    shown.page.mouse.move(*shown.dot(engine, row))
    card = shown.page.locator(".map-card")
    sync_api.expect(card).to_be_visible()
    sync_api.expect(card).to_contain_text(product.title)
    sync_api.expect(card).to_contain_text(f"${product.price:.2f}")
    assert card.locator("img").get_attribute("src") == product.image_url
    shown.page.mouse.click(*shown.dot(engine, row))
    shown.page.wait_for_url(f"**/products/{product.id}")
    assert shown.complaints == []


def test_a_drag_moves_the_map_and_opens_nothing(shown: Map, engine: Engine) -> None:
    row = shown.lonely(engine)
    before = shown.dot(engine, row)
    shown.page.mouse.move(*before)
    shown.page.mouse.down()
    shown.page.mouse.move(before[0] + 90, before[1] + 40, steps=6)
    shown.page.mouse.up()
    shown.rest()
    after = shown.dot(engine, row)
    assert np.allclose(np.subtract(after, before), (90, 40), atol=1.5)
    assert shown.page.url.endswith("/map")


def test_the_wheel_zooms_to_what_is_under_the_pointer(shown: Map, engine: Engine) -> None:
    row = shown.lonely(engine)
    before, scale = shown.dot(engine, row), shown.page.evaluate("history.state.map.scale")
    shown.page.mouse.move(*before)
    for _ in range(4):
        shown.page.mouse.wheel(0, -200)
    shown.rest()
    assert shown.page.evaluate("history.state.map.scale") > 2 * scale
    assert np.allclose(shown.dot(engine, row), before, atol=1.5)


def test_the_keyboard_alone_moves_zooms_and_opens_a_product(shown: Map, engine: Engine) -> None:
    shown.page.focus("#map-q")
    for _ in range(8):
        shown.page.keyboard.press("Tab")
        if shown.page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
    assert shown.page.evaluate("document.activeElement.tagName") == "CANVAS"
    start = shown.page.evaluate("history.state.map")
    shown.page.keyboard.press("ArrowRight")
    shown.page.keyboard.press("ArrowDown")
    shown.page.keyboard.press("+")
    shown.rest()
    moved = shown.page.evaluate("history.state.map")
    assert (moved["x"] > start["x"], moved["y"] > start["y"], moved["scale"] > start["scale"]) == (True, True, True)
    sync_api.expect(shown.page.locator(".map-card")).to_be_visible()
    title = shown.page.inner_text(".map-card-title")
    sync_api.expect(shown.page.locator("[data-said]")).to_contain_text(title)
    units = (engine.release.clusters.positions + 1) / 2 * 65535
    middle = int(np.linalg.norm(units - [moved["x"], moved["y"]], axis=1).argmin())
    assert engine.release.products.products([middle])[0].title == title
    shown.page.keyboard.press("0")
    shown.rest()
    assert shown.page.evaluate("history.state.map") == start
    shown.page.keyboard.press("Enter")
    shown.page.wait_for_url("**/products/**")


def test_back_from_a_product_is_back_at_the_same_place(shown: Map) -> None:
    shown.page.locator("canvas").focus()
    for key in ("ArrowRight", "+", "+"):
        shown.page.keyboard.press(key)
    shown.rest()
    before = shown.page.evaluate("history.state.map")
    shown.page.keyboard.press("Enter")
    shown.page.wait_for_url("**/products/**")
    shown.page.go_back()
    shown.page.wait_for_selector("canvas[data-drawn]")
    shown.rest()
    assert shown.page.evaluate("history.state.map") == before


def test_on_a_phone_a_tap_shows_the_card_and_its_link_opens_the_product(
    browser: Any, root: str, engine: Engine
) -> None:  # fmt: skip
    opened = open_map(browser, root, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    opened.open()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    opened.page.locator("canvas").scroll_into_view_if_needed()
    row = opened.lonely(engine)
    opened.page.touchscreen.tap(*opened.dot(engine, row))
    card = opened.page.locator(".map-card")
    sync_api.expect(card).to_be_visible()
    assert opened.page.url.endswith("/map")
    title = card.locator("a").inner_text()
    card.locator("a").tap()
    opened.page.wait_for_url("**/products/**")
    assert opened.page.inner_text("h1") == title
    assert opened.complaints == []
    opened.page.context.close()


def test_without_motion_a_double_click_is_there_at_once(browser: Any, root: str) -> None:
    opened = open_map(browser, root, reduced_motion="reduce")
    opened.open()
    drawn = int(opened.page.get_attribute("canvas", "data-drawn"))
    opened.page.click("[data-zoom=in]")
    opened.rest()
    assert int(opened.page.get_attribute("canvas", "data-drawn")) - drawn <= 2
    opened.page.context.close()


@pytest.mark.parametrize("count", [1, 3])
def test_a_tiny_catalog_at_one_place_is_drawn_and_opens(
    browser: Any, tmp_path: Path, count: int
) -> None:  # fmt: skip
    tiny = open_engine(write_release(tmp_path / "tiny", [Product(str(row), f"Mug {row}") for row in range(count)]))
    with served(tiny) as address:
        opened = open_map(browser, address)
        opened.open("/map?q=mug")
        assert len(opened.colors()) > 1
        opened.page.mouse.move(*opened.dot(tiny, 0))
        for delta in (-900, -900, 3000):
            opened.page.mouse.wheel(0, delta)
        opened.rest()
        opened.page.mouse.click(*opened.dot(tiny, 0))
        opened.page.wait_for_url("**/products/*")
        assert opened.complaints == []
        opened.page.context.close()


def test_every_control_has_a_name(shown: Map) -> None:
    for control in shown.page.locator(".atlas :is(button, select, input:not([type=hidden]), canvas, nav)").all():
        named = control.evaluate("(e) => e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent")
        assert named.strip(), control.evaluate("(e) => e.outerHTML")
    assert shown.page.get_attribute("canvas", "aria-describedby") == "map-help"
    assert shown.page.is_visible("#map-help")
