"""The map in a real browser: it draws, tells what a dot is, lights what a search finds, and needs no mouse."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_fixtures import served
from conftest import SHOP, open_engine, write_release

from search.clusters import Cluster
from search.engine import Engine
from search.product import Product

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser
COUNT = 240
KINDS = ("Coffee Pot", "Garden Lamp", "Leather Boot", "Desk Knife")
POTS = [
    Product(f"p{number}", f"{KINDS[number % 4]} {number}", "", (KINDS[number % 4],), "", 10.0 + number, "USD",
            f"/illustrations/coffee/{('red', 'navy')[number // 4 % 2]}.svg", rating=4.2,
            attributes={"Color": (("red", "navy")[number // 4 % 2],)})
    for number in range(COUNT)
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Four kinds of things, a cloud each, eight leaves; the shop's own eight products lie in the middle."""
    products = [*SHOP, *POTS]
    layout = write_release(tmp_path_factory.mktemp("map") / "shop", products)
    random = np.random.default_rng(3)
    kind = np.array([-1] * len(SHOP) + [number % 4 for number in range(COUNT)])
    middles = np.array([[0, 0], [-0.6, -0.6], [0.6, -0.6], [-0.6, 0.6], [0.6, 0.6]])[kind + 1]
    np.save(layout.clusters / "positions.npy", (middles + random.normal(0, 0.12, middles.shape)).astype(np.float32))
    leaf = 10 + 2 * np.maximum(kind, 0) + np.arange(len(products)) % 2
    np.save(layout.clusters / "cluster_of.npy", leaf.astype(np.int32))
    clusters = [
        Cluster(one, None, f"{KINDS[one]}s and all that belongs to them", int((leaf // 2 == 5 + one).sum()), (one,))
        for one in range(4)
    ] + [
        Cluster(one, (one - 10) // 2, f"{KINDS[(one - 10) // 2]}s of kind {one}", int((leaf == one).sum()), (one,))
        for one in range(10, 18)
    ]
    data = {"clusters": [cluster.as_json() for cluster in clusters], "moved": []}
    (layout.clusters / "clusters.json").write_text(json.dumps(data))
    return open_engine(layout)


@pytest.fixture(scope="module")
def root(engine: Engine) -> Iterator[str]:
    with served(engine) as address:
        yield address


class Map:
    """A page with the map open, and what is asked of it."""

    def __init__(self, page: Any):
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda note: note.type in ("error", "warning") and self.complaints.append(note.text))

    def open(self, address: str = "/map") -> None:
        self.page.goto(address)
        self.page.wait_for_selector("canvas[data-drawn][data-lit]")
        self.rest()

    def rest(self) -> None:
        """Wait until nothing has been painted for a while."""
        self.page.wait_for_timeout(100)  # events of the mouse and the wheel arrive a little later
        for _ in range(40):
            if self.page.evaluate(
                """() => new Promise((done) => {
                  const painted = () => document.querySelector("canvas").dataset.drawn;
                  const before = painted();
                  setTimeout(() => done(before === painted()), 400);
                })"""
            ):
                return
        raise AssertionError("the map never comes to rest")

    def colors(self) -> dict[tuple[int, int, int], int]:
        """Colors of the canvas's pixels with how many pixels have each."""
        flat = self.page.evaluate(
            """() => {
              const canvas = document.querySelector("canvas");
              const copy = new OffscreenCanvas(canvas.width, canvas.height);
              const context = copy.getContext("2d", { willReadFrequently: true });
              context.drawImage(canvas, 0, 0);
              const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
              const counts = {};
              for (let at = 0; at < data.length; at += 4) {
                const key = data.slice(at, at + 3).join();
                counts[key] = (counts[key] ?? 0) + 1;
              }
              return counts;
            }"""
        )
        return {tuple(map(int, key.split(","))): count for key, count in flat.items()}  # type: ignore[misc]

    def dot(self, engine: Engine, row: int) -> tuple[float, float]:
        """Where in the window a row's dot is, worked out here from its position and the view kept in the history."""
        view = self.page.evaluate("history.state.map")
        box = self.page.locator("canvas").bounding_box()
        x, y = (engine.release.clusters.positions[row] + 1) / 2 * 65535
        return (
            float(box["x"] + box["width"] / 2 + (x - view["x"]) * view["scale"]),
            float(box["y"] + box["height"] / 2 + (y - view["y"]) * view["scale"]),
        )

    def lonely(self, engine: Engine) -> int:
        """The row, of those with a picture, whose dot is farthest from its nearest neighbor."""
        at = engine.release.clusters.positions
        distances = np.linalg.norm(at[:, None] - at[None], axis=2) + 9 * np.eye(len(at))
        return len(SHOP) + int(distances.min(axis=1)[len(SHOP) :].argmax())


def open_map(browser: Any, root: str, **options: Any) -> Map:
    context = browser.new_context(base_url=root, **{"viewport": {"width": 1280, "height": 900}, **options})
    return Map(context.new_page())


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


def test_without_motion_a_double_click_is_there_at_once(browser: Any, root: str) -> None:
    opened = open_map(browser, root, reduced_motion="reduce")
    opened.open()
    drawn = int(opened.page.get_attribute("canvas", "data-drawn"))
    opened.page.click("[data-zoom=in]")
    opened.rest()
    assert int(opened.page.get_attribute("canvas", "data-drawn")) - drawn <= 2
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
