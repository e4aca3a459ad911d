"""What the search field suggests: seldom asked for, never stale, told to ears too, text and no more; phone and map."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser_fixtures import opened_page
from field_fixtures import ANSWERS, answer, asked_of, faults, fixed

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("is_aborted", [True, False])
def test_an_old_answer_never_overwrites_a_new_one(page: Any, is_aborted: bool) -> None:
    held: list[Any] = []

    def reply(route: Any) -> None:
        if asked_of(route) == "co":
            held.append(route)
        else:
            route.fulfill(json=answer(asked_of(route), queries=("new",) if asked_of(route) else ()))

    dropped: list[str] = []
    page.on("requestfailed", lambda request: dropped.append(request.url))
    page.route(ANSWERS, reply)
    if not is_aborted:  # the answer arrives all the same
        page.add_init_script("AbortController.prototype.abort = () => {}")
    page.goto("/clusters")
    page.locator("#q").press_sequentially("co")
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(20)
    page.locator("#q").press_sequentially("f")
    page.wait_for_selector("[role=option] >> text=new")
    held[0].fulfill(json=answer("co", queries=("old",)))
    page.wait_for_timeout(300)
    assert page.locator("[role=option]").first.inner_text() == "new"
    assert any(url.endswith("q=co") for url in dropped) == is_aborted


def test_few_questions_are_asked_while_somebody_types_and_none_twice(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: "/suggest?" in request.url and asked.append(request.url.split("q=")[1]))
    page.goto("/clusters")
    page.locator("#q").press_sequentially("coffee", delay=15)
    page.wait_for_selector("[role=option] b")
    page.keyboard.press("Backspace")
    page.wait_for_timeout(300)
    page.keyboard.press("e")
    page.wait_for_timeout(300)
    assert asked == ["", "coffee", "coffe"]


def test_one_polite_region_says_how_many_and_how_to_reach_them_once_the_typing_rests(page: Any) -> None:
    page.goto("/clusters")
    status = page.locator(".search [role=status]")
    assert status.count() == 1
    status.evaluate("""region => { window.said = []; new MutationObserver(
        () => region.textContent && window.said.push(region.textContent)).observe(region, { childList: true }) }""")
    page.locator("#q").press_sequentially("coffe", delay=150)  # slower than the questions, faster than the voice
    sync_api.expect(status).not_to_be_empty()
    count = page.locator("[role=option]").count()
    assert page.evaluate("window.said") == [f"{count} suggestions. Press the down arrow to reach them."]


def test_nothing_is_said_of_suggestions_that_are_gone(page: Any) -> None:
    page.goto("/clusters")
    page.locator("#q").press_sequentially("coffe")
    page.wait_for_selector("[role=option] b")
    page.keyboard.press("Escape")
    page.wait_for_timeout(900)  # longer than an announcement waits
    assert page.locator(".search [role=status]").inner_text() == ""


def test_the_groups_have_names_and_an_open_popup_has_no_fault_that_axe_knows(page: Any) -> None:
    page.goto("/clusters")
    page.locator("#q").press_sequentially("pot", delay=20)
    page.wait_for_selector("[role=option] b")
    for name in ("Searches", "Departments", "Products"):
        group = page.get_by_role("listbox", name="Suggestions").get_by_role("group", name=name)
        assert group.get_by_role("option").count() > 0
    page.keyboard.press("ArrowDown")
    assert faults(page, ".search") == []


def test_what_a_suggestion_adds_is_bold_wherever_the_words_stand(page: Any) -> None:
    fixed(page, queries=("pot of coffee", "crème (coffee)"))
    page.goto("/clusters")
    page.locator("#q").press_sequentially("coff (pot", delay=10)
    page.wait_for_selector("[role=option] b")
    assert page.locator("[role=option]").first.locator("b").all_inner_texts() == [" of ", "ee"]
    assert page.locator("[role=option]").nth(1).locator("b").all_inner_texts() == ["crème (", "ee)"]


@pytest.mark.parametrize("hostile", ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "‮x" + "w" * 2000])
def test_a_hostile_suggestion_is_text(page: Any, hostile: str) -> None:
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    fixed(page, queries=(hostile,), corrected=hostile)
    page.goto("/clusters")
    page.locator("#q").press_sequentially("co", delay=10)
    page.wait_for_selector("[role=option] >> text=Coffee Pot 7")
    assert page.locator("[role=option]").first.text_content() == hostile
    assert page.locator(".suggestions").locator("img[src=x], script").count() == 0
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_a_misspelt_prefix_has_suggestions_and_says_for_what(page: Any) -> None:
    page.goto("/clusters")
    page.locator("#q").press_sequentially("expresso cup", delay=10)
    page.wait_for_selector("[role=option] >> text=Espresso Cup")
    assert page.locator(".suggest-note").inner_text() == "Suggestions for espresso cup"
    sync_api.expect(page.locator(".search [role=status]")).to_contain_text("Suggestions for espresso cup. 1 suggestion")
    page.keyboard.press("Backspace")
    page.keyboard.press("Control+a")
    page.keyboard.type("lea")
    page.wait_for_selector("[role=option] >> text=Leather Boot")
    assert not page.is_visible(".suggest-note")


# -- on a phone --


def test_on_a_phone_the_suggestions_fit_what_the_keyboard_leaves_and_are_tapped(browser: Any, root: str) -> None:
    # 360 x 740 less the keyboard's 300; Chromium without a screen has no keyboard of its own.
    with opened_page(browser, root, viewport={"width": 360, "height": 440}, is_mobile=True, has_touch=True) as phone:
        phone.goto("/")
        assert phone.evaluate("document.activeElement === document.body")  # no keyboard comes up by itself
        phone.tap("#q")
        phone.keyboard.type("coffee p")
        phone.wait_for_selector("[role=option] b")
        box = phone.locator(".suggestions").bounding_box()
        assert box["y"] + box["height"] <= 440
        options = phone.locator("[role=option]")
        assert options.count() >= 3
        assert phone.locator(".suggestions [role=group]").count() == 2  # a search and a product
        assert all(option.bounding_box()["height"] >= 24 for option in options.all())
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360
        assert phone.locator(".suggestions").evaluate("box => box.scrollHeight <= box.clientHeight + 2")
        options.first.tap()
        phone.wait_for_url("**/search?q=coffee+pot")


def test_on_a_low_screen_the_page_moves_so_that_field_and_suggestions_are_both_seen(browser: Any, root: str) -> None:
    with opened_page(browser, root, viewport={"width": 1280, "height": 560}) as page:
        fixed(page)
        page.goto("/")
        page.locator("#q").press_sequentially("cof")
        page.wait_for_selector("[role=option] >> text=Coffee Pot 7")
        assert page.locator("[role=option]").count() == 4  # none is left out
        popup, field = page.locator(".suggestions").bounding_box(), page.locator("#q").bounding_box()
        assert popup["y"] + popup["height"] <= 560
        assert field["y"] >= page.locator(".top").bounding_box()["height"]


# -- the map --


def test_the_maps_field_suggests_searches_that_light_the_map(page: Any) -> None:
    page.goto("/map")
    page.wait_for_selector("canvas[data-drawn][data-lit]")
    page.locator("#map-q").press_sequentially("coffee p", delay=10)
    page.wait_for_selector("[role=option] >> text=coffee pot")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/map?q=coffee+pot**")
    sync_api.expect(page.locator("canvas")).to_have_attribute("data-lit", re.compile("[1-9]"))
    assert not page.is_visible(".suggestions")
    assert kept_on_map(page) == ["coffee pot"]
    page.click("[role=option] >> text=Kitchen")
    page.wait_for_url("**/map?f.category=Kitchen**")


def kept_on_map(page: Any) -> list[str]:
    page.click(".search .clear")
    page.wait_for_selector("[role=option]")
    return page.locator("[data-kind=recent]").all_inner_texts()


def test_what_is_typed_while_the_map_is_drawn_is_not_lost(page: Any) -> None:
    held: list[Any] = []
    page.route("**/api/v1/map", lambda route: held.append(route))
    page.goto("/map")
    page.fill("#map-q", "coffee")
    held[0].continue_()
    page.wait_for_selector("canvas[data-drawn][data-lit]")
    assert page.input_value("#map-q") == "coffee"
