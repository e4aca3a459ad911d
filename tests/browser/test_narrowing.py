"""Narrowing in a real browser: ticks, ratings, the price slider, long facets, the sheet of a phone, ways on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browser_fixtures import PHONE, WIDE, opened_page, served
from conftest import SHOP, open_engine, write_release

from search.product import Product

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser
expect = sync_api.expect

MUGS = tuple(
    Product(f"m{number}", f"Mug {number}", "For coffee.", ("Kitchen", "Mugs"), f"Maker {number % 40:02}",
            5.0 + number % 40, "USD", rating=3.0 + number % 4 * 0.5,
            availability="in_stock" if number % 5 else "out_of_stock",
            attributes={"Color": ("red" if number % 2 else "navy",)})
    for number in range(80)
)  # fmt: skip


@pytest.fixture(scope="module")
def mugs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a shop of eighty mugs by forty makers, from $5 to $44, rated 3, 3.5, 4 and 4.5 in turn."""
    with served(open_engine(write_release(tmp_path_factory.mktemp("web") / "mugs", (*SHOP, *MUGS)))) as address:
        yield address


@pytest.fixture
def mug_page(browser: Any, mugs: str) -> Iterator[Any]:
    with opened_page(browser, mugs, **WIDE) as opened:
        yield opened


@pytest.fixture
def mug_phone(browser: Any, mugs: str) -> Iterator[Any]:
    with opened_page(browser, mugs, **PHONE) as opened:
        yield opened


def total(page: Any) -> int:
    """Return the number of products that the page says it shows."""
    return int(page.inner_text(".results-head .total").split()[-2].replace(",", ""))


# -- ticks and words --


def test_a_tick_filters_in_place_keeps_the_focus_and_back_undoes_it(page: Any) -> None:
    page.goto("/search?q=coffee")
    before = page.inner_text(".total")
    page.focus("[name='f.color'][value=navy]")
    page.keyboard.press("Space")
    page.wait_for_url("**f.color=navy")
    expect(page.locator(".toolbar .chip")).to_contain_text("navy")
    assert page.evaluate("[document.activeElement.name, document.activeElement.value]") == ["f.color", "navy"]
    assert page.is_checked("[name='f.color'][value=navy]")
    page.go_back()
    expect(page.locator("[name='f.color'][value=navy]")).not_to_be_checked()
    assert page.inner_text(".total") == before


def test_the_pages_address_is_the_query_after_filtering_in_place(page: Any, root: str) -> None:
    page.goto("/search?q=coffee")
    page.check("[name='f.color'][value=sage]")
    page.wait_for_url("**f.color=sage")
    page.select_option("select[name=sort]", "price:desc")
    page.wait_for_url("**sort=price**")
    expect(page.locator(".listing[aria-busy]")).to_have_count(0)
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
    expect(page.locator(".toolbar .chip")).to_have_count(0)
    assert page.locator(".card").count() > fewer
    page.go_back()
    expect(page.locator(".toolbar .chip")).to_have_count(1)


def test_a_long_facet_is_looked_through_in_place_and_keeps_the_focus(page: Any) -> None:
    page.goto("/search?q=coffee")
    page.fill("[name='find.brand']", "brand 1")
    page.press("[name='find.brand']", "Enter")
    page.wait_for_url("**find.brand=brand+1")
    expect(page.locator("[name='f.brand']")).to_have_count(8)  # Brand 10 to 17
    assert page.evaluate("document.activeElement.name") == "find.brand"
    page.check("[name='f.brand'][value='Brand 12']")
    page.wait_for_url("**f.brand=Brand+12**")
    expect(page.locator(".toolbar .chip")).to_contain_text("Brand 12")


def test_no_results_offer_ways_out_that_lead_to_some(page: Any) -> None:
    page.goto("/search?q=gown+under+%24130&f.brand=Norr")
    assert page.locator("h1").inner_text().startswith("Nothing here")
    page.click(".way >> nth=0")
    page.wait_for_selector(".card")
    page.go_back()
    page.click("[aria-label='Categories that come close'] a >> nth=0")
    page.wait_for_selector(".card")
    assert "f.category=" in page.url


def test_a_rating_is_chosen_by_keyboard_and_counts_what_it_leaves(mug_page: Any) -> None:
    page = mug_page
    page.goto("/search?q=mug")
    step = page.locator("label", has=page.locator("[name=rating_min][value='4']"))
    promised = int(step.locator(".count").inner_text())
    page.focus("[name=rating_min]:checked")
    page.keyboard.press("ArrowUp")
    page.wait_for_url("**rating_min=**")
    page.check("[name=rating_min][value='4']")
    page.wait_for_url("**rating_min=4")
    expect(page.locator(".toolbar .chip")).to_contain_text("4 and up")
    assert total(page) == promised
    assert page.evaluate("document.activeElement.name") == "rating_min"
    page.check("[name=rating_min][value='']")
    page.wait_for_url("**/search?q=mug")


def test_without_javascript_a_rating_and_a_price_are_fields_of_the_form(browser: Any, mugs: str) -> None:
    with opened_page(browser, mugs, viewport={"width": 1280, "height": 900}, java_script_enabled=False) as page:
        page.goto("/search?q=mug")
        assert not page.is_visible(".slider")
        page.check("[name=rating_min][value='4']")
        page.fill("[name=price_max]", "20")
        page.click("text=Show results >> visible=true")
        page.wait_for_url("**rating_min=4**")
        chips = page.locator(".toolbar .chip").all_inner_texts()
        assert any("4 and up" in chip for chip in chips) and any("up to $20" in chip for chip in chips)
        # Above the results, too, a color is a plain link.
        page.locator(".narrow .chip", has_text="navy").click()
        page.wait_for_url("**f.color=navy**")
        assert "rating_min=4" in page.url


def test_the_row_above_the_results_narrows_and_takes_off(page: Any) -> None:
    page.goto("/search?q=coffee")
    chip = page.locator(".narrow-part:last-child .chip").first
    promised = int(chip.locator(".count").inner_text())
    chip.press("Enter")
    page.wait_for_url("**&f.*=*")
    expect(page.locator(".narrow .chip.chosen")).to_have_count(1)
    expect(page.locator(".results-head .total")).to_contain_text(f"{promised} product")
    page.locator(".narrow .chip.chosen").click()
    page.wait_for_url("**/search?q=coffee")


# -- the price slider --


def test_the_price_slider_says_its_price_and_asks_when_it_is_released(mug_page: Any) -> None:
    page = mug_page
    page.goto("/search?q=mug")
    before = total(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/search" in request.url else None)
    high = page.locator("#price-high")
    assert high.get_attribute("aria-valuetext") == "$44.00"
    box = high.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.wait_for_timeout(400)
    assert asked == []  # it is not let go yet
    price = page.input_value("[name=price_max]")
    assert high.get_attribute("aria-valuetext") == f"${float(price):.2f}"
    page.mouse.up()
    page.wait_for_url(f"**price_max={price}")
    expect(page.locator(".toolbar .chip")).to_contain_text(f"up to ${float(price):.2f}")
    assert total(page) < before
    assert page.locator("#price-high").get_attribute("aria-valuetext") == f"${float(price):.2f}"


def test_the_price_slider_goes_by_keys_keeps_the_focus_and_its_thumbs_do_not_cross(mug_page: Any) -> None:
    page = mug_page
    page.goto("/search?q=mug")
    page.focus("#price-low")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_url("**price_min=*")
    assert float(page.input_value("[name=price_min]")) > 5
    expect(page.locator("#price-low")).to_be_focused()
    page.focus("#price-high")
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    page.wait_for_url("**price_max=*")
    place = page.input_value("#price-high")
    page.focus("#price-low")
    page.keyboard.press("End")
    expect(page.locator("#price-low")).to_have_value(place)
    assert page.input_value("[name=price_min]") == page.input_value("[name=price_max]")


def test_a_price_typed_moves_the_thumb_and_a_closed_sheet_moves_it_back(mug_phone: Any) -> None:
    phone = mug_phone
    sheet = opened_sheet(phone)
    phone.fill("[name=price_max]", "20")
    said = phone.locator("#price-high").get_attribute("aria-valuetext")
    assert 15 <= float(said.strip("$")) <= 20
    sheet.locator("[data-close]").tap()
    expect(phone.locator("#price-high")).to_have_attribute("aria-valuetext", "$44.00")


# -- long facets --


def test_typing_in_a_long_facet_shows_only_what_holds_it_without_asking(page: Any) -> None:
    page.goto("/search?q=coffee")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/search" in request.url else None)
    field = page.locator("[name='find.brand']")
    field.press_sequentially("BRAND 1", delay=10)
    brands = page.locator("[data-facet=brand] .tick:visible")
    expect(brands).to_have_count(8)  # Brand 10 to 17
    field.press_sequentially("x")
    expect(brands).to_have_count(0)
    expect(page.locator("[data-facet=brand]")).to_contain_text("Nothing called that")
    field.press("Tab")  # leaving the field is no reason to fetch the page
    page.wait_for_timeout(300)
    assert asked == []


def test_typing_in_a_facet_too_long_to_stand_on_the_page_asks_for_the_rest(mug_page: Any) -> None:
    page = mug_page
    page.goto("/search?q=mug")
    assert page.locator("[name='f.brand'][value='Maker 38']").count() == 0
    field = page.locator("[name='find.brand']")
    field.press_sequentially("38", delay=10)
    expect(page.locator("[name='f.brand'][value='Maker 38']")).to_be_visible()
    assert page.evaluate("[document.activeElement.name, document.activeElement.selectionStart]") == ["find.brand", 2]


# -- the sheet of a phone --


def opened_sheet(phone: Any, address: str = "/search?q=mug") -> Any:
    phone.goto(address)
    phone.tap(".filters-open")
    sheet = phone.locator("dialog[open]")
    expect(sheet).to_be_visible()
    return sheet


def test_the_sheet_fills_the_screen_and_keeps_the_focus(mug_phone: Any) -> None:
    sheet = opened_sheet(mug_phone)
    box = sheet.bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 360, 740)
    assert mug_phone.evaluate("document.activeElement.hasAttribute('data-close')")
    for _ in range(3):
        mug_phone.keyboard.press("Shift+Tab")
        inside = "!document.hasFocus() || document.activeElement === document.body || "
        assert mug_phone.evaluate(inside + "!!document.activeElement.closest('dialog')")


def test_the_sheets_button_says_how_many_there_will_be(mug_phone: Any) -> None:
    phone = mug_phone
    sheet = opened_sheet(phone)
    before = phone.locator(".card").count()
    button = sheet.locator(".filters-foot .button")
    phone.tap("label:has([name='f.color'][value=navy])")
    phone.tap("label:has([name=rating_min][value='4'])")
    # Of the navy ones, 0, 2, 4.., every second is rated 4: forty mugs, twenty of them.
    expect(button).to_have_text("Show 20 results")
    expect(sheet.locator("[role=status]")).to_have_text("20 products")
    assert "f.color" not in phone.url
    phone.fill("[name=price_min]", "4000")
    expect(button).to_have_text("See what to change")
    expect(sheet.locator("[role=status]")).to_have_text("No product passes all of these.")
    phone.fill("[name=price_min]", "")
    expect(button).to_have_text("Show 20 results")
    button.tap()
    phone.wait_for_url("**rating_min=4**f.color=navy")
    expect(phone.locator("dialog[open]")).to_have_count(0)
    expect(phone.locator(".card")).to_have_count(20)
    assert before > 20
    expect(phone.locator("#results")).to_be_focused()
    phone.go_back()  # one step: the sheet left none of its own
    phone.wait_for_url("**/search?q=mug")
    expect(phone.locator(".toolbar .chip")).to_have_count(0)


def test_the_sheet_of_a_group_counts_within_the_group(mug_phone: Any) -> None:
    phone = mug_phone
    sheet = opened_sheet(phone, "/clusters/1")
    phone.tap("label:has([name='f.color'][value=navy])")
    promised = sheet.locator(".filters-foot .button")
    expect(promised).to_have_text(re.compile(r"Show \d+ results"))
    number = int(promised.inner_text().split()[1])
    promised.tap()
    phone.wait_for_url("**/clusters/1?f.color=navy")
    expect(phone.locator(".results-head [role=status], .total").first).to_contain_text(f"{number} products")


@pytest.mark.parametrize("way", ["back", "escape", "button"])
def test_the_sheet_is_closed_by_back_escape_and_its_button_and_forgets_its_ticks(mug_phone: Any, way: str) -> None:
    phone = mug_phone
    phone.goto("/clusters")
    sheet = opened_sheet(phone)
    phone.tap("label:has([name='f.color'][value=navy])")
    fetched: list[str] = []
    phone.on("request", lambda request: fetched.append(request.url) if "/search?" in request.url else None)
    phone.wait_for_timeout(400)
    if way == "back":
        phone.go_back()
    elif way == "escape":
        phone.keyboard.press("Escape")
    else:
        sheet.locator("[data-close]").tap()
    expect(phone.locator("dialog[open]")).to_have_count(0)
    phone.wait_for_url("**/search?q=mug")
    expect(phone.locator(".filters-open")).to_be_focused()
    assert not phone.is_checked("[name='f.color'][value=navy]")
    phone.wait_for_timeout(200)
    assert [one for one in fetched if "/api/" not in one] == []  # the page beneath is as it was
    phone.go_back()  # the sheet is no step any more
    phone.wait_for_url("**/clusters")


def test_without_javascript_the_sheet_is_an_address(browser: Any, mugs: str) -> None:
    narrow = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    with opened_page(browser, mugs, java_script_enabled=False, **narrow) as phone:
        phone.goto("/search?q=mug")
        assert not phone.is_visible("#filters")
        phone.tap(".filters-open")
        phone.wait_for_url("**#filters")
        phone.tap("label:has([name='f.color'][value=navy])")
        phone.tap(".filters-foot button")
        phone.wait_for_url("**f.color=navy**")
        assert not phone.is_visible("#filters")


# -- ways on --


def test_less_relevant_products_are_shown_when_asked_for_and_taken_off_again(mug_page: Any) -> None:
    page = mug_page
    page.goto("/search?q=mug")
    before = total(page)
    more = page.locator(".widen a")
    promised = int(more.inner_text().split()[1])
    more.click()
    page.wait_for_url("**cutoff=0")
    expect(page.locator(".notice")).to_contain_text("Less relevant products are shown too")
    assert total(page) == before + promised
    page.click("text=Show only what fits")
    page.wait_for_url("**/search?q=mug")
    expect(page.locator(".results-head .total")).to_contain_text(f"{before} product")


def test_few_results_say_what_each_filter_keeps_out(mug_page: Any) -> None:
    page = mug_page
    page.goto("/search?q=mug&f.color=navy&price_max=7")
    assert total(page) < 8
    way = page.locator(".way", has_text="Without the filter Price")
    promised = way.locator(".gain").inner_text()
    way.press("Enter")
    page.wait_for_url("**f.color=navy")
    expect(page.locator(".results-head .total")).to_have_text(promised.strip())
