"""The page in a real browser: keyboard, narrow screens, suggestions, filters in place, no errors in the console."""

from __future__ import annotations

from typing import Any

import pytest
from browser_fixtures import BROKEN

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser
ADDRESSES = (
    "/", "/search?q=red+gown", "/search?q=insurance", "/search?q=gown&f.brand=Norr", "/search?q=red+gown+under+%24130",
    "/search?find.brand=brand+1", "/products/0001", "/products/0001?q=hot+red+mug", "/similar?liked=0001&disliked=0003",
    "/products/p0?q=" + "a" * 300, "/clusters", "/clusters/0", "/search?page=0",
    "/report", "/report/queries.html",
)  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_page_makes_the_browser_complain(page: Any, root: str, address: str) -> None:
    complaints: list[str] = []

    def note(message: Any) -> None:
        # Chromium reports the missing picture, which is missing on purpose, and the page that answers 422.
        if message.type == "error" and message.location["url"] not in (
            f"{root}{BROKEN.image_url}",
            f"{root}/search?page=0",
        ):
            complaints.append(message.text)

    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", note)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert complaints == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_wider_than_a_phone(phone: Any, address: str) -> None:
    phone.goto(address)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_picture_that_fails_gives_way_to_its_letter(page: Any) -> None:
    page.goto("/products/broken")
    sync_api.expect(page.locator(".product-picture img")).to_have_count(0)
    assert page.inner_text(".product-picture .letter") == "F"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_result_says_why_it_matches_with_marks_that_are_seen_without_color(
    browser: Any, root: str, scheme: str
) -> None:
    context = browser.new_context(base_url=root, color_scheme=scheme, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto("/search?q=hot+red+mug")
    page.locator(".card-title a", has_text="Travel Mug").first.click()
    page.wait_for_url("**/products/000*?q=hot+red+mug")
    why = page.get_by_role("region", name="Why this matches")
    sync_api.expect(why).to_contain_text("Closest by meaning through")
    widths = {
        level: page.locator(f".legend .pull-{level}").evaluate("mark => getComputedStyle(mark).borderBottomWidth")
        for level in (1, 4)
    }
    assert float(widths[1].removesuffix("px")) < float(widths[4].removesuffix("px"))
    strongest = why.locator("dl .pull-4").first
    assert int(strongest.evaluate("mark => getComputedStyle(mark).fontWeight")) >= 600
    assert page.input_value("#q") == "hot red mug"
    context.close()


def test_more_like_this_and_less_like_that_is_a_walk_of_links(page: Any) -> None:
    page.goto("/products/p0")
    page.locator("#similar .card-taste a").first.click()
    page.wait_for_url("**/similar?liked=p0&disliked=**")
    less = page.url
    page.get_by_role("link", name="More like this").first.click()
    page.wait_for_url("**/similar?liked=p0&liked=**")
    page.get_by_role("link", name="Leave out").first.click()
    page.wait_for_url("**/similar?liked=**")
    assert page.url != less
    assert page.locator(".card").count() > 0


def test_without_javascript_everything_still_works(plain: Any) -> None:
    page = plain
    page.goto("/")
    page.fill("#q", "coffee")
    page.press("#q", "Enter")
    page.wait_for_url("**/search?q=coffee")
    page.check("[name='f.color'][value=navy]")
    page.click("text=Show results >> visible=true")
    page.wait_for_url("**f.color=navy**")
    assert page.locator(".toolbar .chip", has_text="navy").count() == 1
    page.click(".card-title a >> nth=0")
    page.wait_for_url("**/products/**")
