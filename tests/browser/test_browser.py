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


def test_a_tick_filters_in_place_keeps_the_focus_and_back_undoes_it(page: Any) -> None:
    page.goto("/search?q=coffee")
    before = page.inner_text(".total")
    page.focus("[name='f.color'][value=navy]")
    page.keyboard.press("Space")
    page.wait_for_url("**f.color=navy")
    sync_api.expect(page.locator(".toolbar .chip")).to_contain_text("navy")
    assert page.evaluate("[document.activeElement.name, document.activeElement.value]") == ["f.color", "navy"]
    assert page.is_checked("[name='f.color'][value=navy]")
    page.go_back()
    sync_api.expect(page.locator("[name='f.color'][value=navy]")).not_to_be_checked()
    assert page.inner_text(".total") == before


def test_the_pages_address_is_the_query_after_filtering_in_place(page: Any, root: str) -> None:
    page.goto("/search?q=coffee")
    page.check("[name='f.color'][value=sage]")
    page.wait_for_url("**f.color=sage")
    page.select_option("select[name=sort]", "price:desc")
    page.wait_for_url("**sort=price**")
    sync_api.expect(page.locator(".listing[aria-busy]")).to_have_count(0)
    shown = page.locator(".card-title").all_inner_texts()
    page.goto(page.url)
    assert page.locator(".card-title").all_inner_texts() == shown


def test_what_the_words_ask_for_is_a_chip_and_taking_it_off_takes_the_words_off(page: Any) -> None:
    page.goto("/search?q=coffee+pot+under+%2420")
    chip = page.locator(".toolbar .chip", has_text="up to $20")
    assert chip.count() == 1
    fewer = page.locator(".card").count()
    chip.press("Enter")  # by keyboard, in place
    page.wait_for_url("**q=coffee+pot")
    sync_api.expect(page.locator(".toolbar .chip")).to_have_count(0)
    assert page.locator(".card").count() > fewer
    page.go_back()
    sync_api.expect(page.locator(".toolbar .chip")).to_have_count(1)


def test_a_long_facet_is_looked_through_in_place_and_keeps_the_focus(page: Any) -> None:
    page.goto("/search?q=coffee")
    page.fill("[name='find.brand']", "brand 1")
    page.press("[name='find.brand']", "Enter")
    page.wait_for_url("**find.brand=brand+1")
    sync_api.expect(page.locator("[name='f.brand']")).to_have_count(8)  # Brand 10 to 17
    assert page.evaluate("document.activeElement.name") == "find.brand"
    page.check("[name='f.brand'][value='Brand 12']")
    page.wait_for_url("**f.brand=Brand+12**")
    sync_api.expect(page.locator(".toolbar .chip")).to_contain_text("Brand 12")


def test_no_results_offer_ways_out_that_lead_to_some(page: Any) -> None:
    page.goto("/search?q=gown+under+%24130&f.brand=Norr")
    assert page.locator("h1").inner_text().startswith("Nothing here")
    page.click(".way >> nth=0")
    page.wait_for_selector(".card")
    page.go_back()
    page.click("[aria-labelledby=nearby-title] a >> nth=0")
    page.wait_for_selector(".card")
    assert "f.category=" in page.url


def test_on_a_phone_the_filters_are_a_sheet_with_its_own_button(phone: Any) -> None:
    phone.goto("/search?q=coffee")
    assert not phone.is_visible("#filters")
    phone.click(".filters-open")
    assert phone.is_visible("#filters")
    phone.check("[name='f.color'][value=navy]")
    assert "f.color" not in phone.url  # nothing moves before the button
    phone.click(".filters-foot button")
    phone.wait_for_url("**f.color=navy")
    phone.wait_for_selector(".toolbar .chip")
    assert not phone.is_visible("#filters")


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
