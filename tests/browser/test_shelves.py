"""Start, product and group pages in a real browser: invitations lead on, pictures change, the way back keeps place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_fixtures import POTS, opened_page, served
from conftest import SHOP, open_engine, write_release
from report_fixtures import add_report

from search.product import Product

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser
expect = sync_api.expect

JARS = tuple(
    Product(f"jar-{color}", "Storage Jar", "", ("Kitchen", "Jars"), "Norr", 12.0, "USD",
            f"/illustrations/jar/{color}.svg", group_id="jar", attributes={"Color": (color,)},
            more_image_urls=("/illustrations/jar/plain.svg",) if color == "red" else ())
    for color in ("red", "blue", "green")
)  # fmt: skip
HOSTILE = Product("evil", "\u202e<b>" + "W" * 5000 + " 🫖 עברית", "x" * 5000, ("<i>",), "&amp;" * 40,
                  attributes={"y" * 300: ("z" * 900,)})  # fmt: skip
SHIFT = """
window.shift = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) shift += one.value; })
  .observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    products = (*SHOP, *POTS, *JARS, HOSTILE)
    layout = write_release(tmp_path_factory.mktemp("shelves") / "shop", products)
    add_report(layout, products)
    with served(open_engine(layout)) as address:
        yield address


@pytest.fixture(params=["with JavaScript", "without"])
def visit(request: pytest.FixtureRequest, browser: Any, root: str) -> Iterator[Any]:
    with opened_page(
        browser, root, viewport={"width": 1280, "height": 900}, java_script_enabled=request.param != "without"
    ) as page:
        yield page


def test_an_offered_search_leads_to_its_results(visit: Any) -> None:
    visit.goto("/")
    offered = visit.locator(".kinds a").first
    words = offered.inner_text().strip()
    offered.click()
    expect(visit.locator("input[name=q]").first).to_have_value(words)
    expect(visit.locator("article.card").first).to_be_visible()


def test_the_picture_of_the_map_is_drawn_and_all_of_it_leads_to_the_map(visit: Any) -> None:
    visit.goto("/")
    picture = visit.locator(".overview img")
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    visit.wait_for_load_state("networkidle")
    assert visit.evaluate("document.querySelector('.overview img').naturalWidth") == 640
    picture.click(force=True)
    expect(visit).to_have_url(re.compile(r"/map$"))


def test_tiles_show_their_tint_and_not_white_before_their_picture_comes(page: Any) -> None:
    page.route("**/illustrations/**", lambda route: None)  # never answered
    page.goto("/", wait_until="domcontentloaded")
    grounds = page.evaluate(
        """() => [...document.querySelectorAll(".picture:has(img)")].map((tile) => [
          getComputedStyle(tile).backgroundImage, getComputedStyle(tile.querySelector("img")).backgroundColor])"""
    )
    assert len(grounds) > 8
    assert all(tile.startswith("linear-gradient") for tile, _ in grounds)
    assert {image for _, image in grounds} == {"rgba(0, 0, 0, 0)"}


def test_a_gallery_shows_own_pictures_in_place_and_leads_to_variants(visit: Any) -> None:
    visit.goto("/products/jar-red?q=jar")
    shown = visit.locator(".product-picture > .picture img")
    expect(shown).to_have_attribute("src", "/illustrations/jar/red.svg")
    thumbnails = visit.get_by_role("navigation", name="Pictures").get_by_role("link")
    expect(thumbnails).to_have_count(4)  # two of the red jar, one of each other
    thumbnails.nth(1).click()
    expect(visit).to_have_url(re.compile(r"/products/jar-red\?q=jar&image=2$"))
    expect(shown).to_have_attribute("src", "/illustrations/jar/plain.svg")
    expect(thumbnails.nth(1)).to_have_attribute("aria-current", "true")
    visit.get_by_role("navigation", name="Pictures").get_by_role("link", name="green").click()
    expect(visit).to_have_url(re.compile(r"/products/jar-green\?q=jar$"))


@pytest.mark.parametrize("number", ["0", "3", "x", "-1", "²", "9" * 400, "2&image=2"])
def test_a_number_of_no_picture_shows_the_first(page: Any, number: str) -> None:
    page.goto(f"/products/jar-blue?image={number}")
    expect(page.locator(".product-picture > .picture img")).to_have_attribute("src", "/illustrations/jar/blue.svg")


def test_a_value_of_a_product_leads_to_all_that_have_it(visit: Any) -> None:
    visit.goto("/products/p0")
    visit.locator(".facts").get_by_role("link", name="red").click()
    expect(visit).to_have_url(re.compile(r"/search\?f\.color=red$"))
    expect(visit.locator("article.card").first).to_be_visible()


def test_the_way_back_keeps_filters_and_place(page: Any) -> None:
    page.goto("/search?q=coffee+pot&f.color=red&f.color=navy&f.color=sage&f.color=black")
    card = page.locator(".card-title a").nth(12)
    card.scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    assert place > 100
    card.click()
    page.wait_for_url("**/products/**")
    page.get_by_role("link", name="Back to results").click()
    expect(page).to_have_url(re.compile(r"/search\?q=coffee\+pot&f\.color=red&f\.color=navy"))
    page.wait_for_function(f"Math.abs(scrollY - {place}) < 60")


def test_without_a_page_behind_it_the_way_back_is_the_search(visit: Any) -> None:
    visit.goto("/products/p0?q=coffee+pot")
    visit.get_by_role("link", name="Back to results").click()
    expect(visit).to_have_url(re.compile(r"/search\?q=coffee\+pot$"))
    visit.goto("/products/p0")
    expect(visit.get_by_role("link", name="Back to results")).to_have_count(0)


def test_a_product_stands_in_its_categories_and_its_groups(visit: Any) -> None:
    visit.goto("/products/p0")
    expect(visit.get_by_role("navigation", name="Categories").get_by_role("link")).to_have_text(["Kitchen", "Pots"])
    groups = visit.get_by_role("navigation", name="Groups")
    expect(groups.get_by_role("link").first).to_have_text("Everything")
    groups.get_by_role("link").last.click()
    expect(visit).to_have_url(re.compile(r"/clusters/\d+$"))


@pytest.mark.parametrize("address", ["/", "/products/p0", "/products/jar-red", "/products/evil", "/clusters", "/map"])
def test_nothing_moves_while_a_page_loads(page: Any, address: str) -> None:
    page.add_init_script(SHIFT)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    assert page.evaluate("shift") <= 0.01


@pytest.mark.parametrize("address", ["/", "/products/evil", "/products/jar-red", "/clusters", "/missing-jar"])
def test_nothing_is_wider_than_a_phone(phone: Any, address: str) -> None:
    phone.goto(address)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_row_of_cards_on_a_phone_is_pushed_along(phone: Any) -> None:
    phone.goto("/")
    row = phone.locator(".cards.row").first
    widths = row.evaluate("(row) => [row.scrollWidth, row.clientWidth]")
    assert widths[0] > widths[1]
    row.locator(".card-title a").last.focus()
    assert row.evaluate("(row) => row.scrollLeft") > 0  # the keyboard brings the last one into view


def test_a_lost_visitor_finds_the_jar(visit: Any) -> None:
    visit.goto("/products/storage-jar")
    visit.get_by_role("link", name="Storage Jar", exact=True).first.click()
    expect(visit).to_have_url(re.compile(r"/products/jar-"))


def test_scripts_and_styles_come_compressed(page: Any) -> None:
    packed: dict[str, str] = {}
    page.on("response", lambda answer: packed.update({answer.url: answer.headers.get("content-encoding", "")}))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    large = {Path(url.split("?")[0]).name: how for url, how in packed.items() if "/static/" in url}
    assert large["components.css"] in ("br", "gzip")
    assert large["combobox.js"] in ("br", "gzip")
