"""The search field in a real browser, against the key table of the ARIA combobox pattern, and the keys of the page."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browser_fixtures import opened_page

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser
ANSWERS = "**/api/v1/suggest?*"
QUERIES = ("coffee", "coffee pot")


def answer(q: str, *, queries: tuple[str, ...] = QUERIES, corrected: str | None = None) -> dict[str, Any]:
    """What the server could say: four suggestions, one department for nothing."""
    department = {"text": "Kitchen", "category": "Kitchen", "url": "/search?f.category=Kitchen"}
    if not q:
        return {"q": q, "corrected": None, "queries": [], "categories": [department], "products": []}
    product = {"text": "Coffee Pot 7", "id": "p7", "image_url": "", "price": 17.0, "currency": "USD",
               "price_text": "$17.00", "url": "/products/p7"}  # fmt: skip
    return {
        "q": q, "corrected": corrected, "categories": [department], "products": [product],
        "queries": [{"text": text, "url": f"/search?q={text}"} for text in queries],
    }  # fmt: skip


def fixed(page: Any, **facts: Any) -> None:
    """Let every question be answered the same."""
    page.route(ANSWERS, lambda route: route.fulfill(json=answer(asked_of(route), **facts)))


def asked_of(route: Any) -> str:
    """What a request for suggestions asks about."""
    return parse_qs(urlsplit(route.request.url).query, keep_blank_values=True)["q"][0]


STATE = """field => ({
    value: field.value,
    expanded: field.getAttribute("aria-expanded") === "true",
    active: [...document.querySelectorAll("[role=option]")].findIndex(
        ({ id }) => id === field.getAttribute("aria-activedescendant")),
    focus: document.activeElement === field,
    start: field.selectionStart, end: field.selectionEnd,
})"""
OPEN = "[aria-expanded=true]"


@pytest.fixture(scope="module")
def table(browser: Any, root: str) -> Iterator[Any]:
    """One page for all rows of the table; it notes whether the last key was captured."""
    with opened_page(browser, root, viewport={"width": 1280, "height": 900}) as page:
        fixed(page)
        page.goto("/clusters")
        page.evaluate("document.addEventListener('keydown', event => (window.captured = event.defaultPrevented))")
        yield page


def prepared(page: Any, before: str) -> Any:
    """The field as it is before the key: what was typed, a dash, and the state of the popup."""
    typed, popup = before.split("-")
    page.evaluate("document.activeElement.blur()")
    field = page.locator("#q")
    field.evaluate("field => (field.value = '')")
    field.focus()
    page.wait_for_selector("[role=option]")
    if typed:
        field.press_sequentially(typed)
        page.wait_for_selector("[role=option] >> text=Coffee Pot 7")
    for key in {"open": (), "closed": ("Escape",), "first": ("ArrowDown",), "last": ("ArrowUp",)}[popup]:
        field.press(key)
    return field


# before, key -> value, expanded, active option (-1: none), focus in the field, selection, is the key captured
KEY_TABLE = [
    ("cof-open", "ArrowDown", ("coffee", True, 0, True, (6, 6), True)),
    ("cof-first", "ArrowDown", ("coffee pot", True, 1, True, (10, 10), True)),
    ("cof-last", "ArrowDown", ("cof", True, -1, True, (3, 3), True)),  # through the field
    ("cof-closed", "ArrowDown", ("coffee", True, 0, True, (6, 6), True)),
    ("-open", "ArrowDown", ("Kitchen", True, 0, True, (7, 7), True)),
    ("-closed", "ArrowDown", ("Kitchen", True, 0, True, (7, 7), True)),
    ("cof-open", "ArrowUp", ("Coffee Pot 7", True, 3, True, (12, 12), True)),
    ("cof-last", "ArrowUp", ("Kitchen", True, 2, True, (7, 7), True)),
    ("cof-first", "ArrowUp", ("cof", True, -1, True, (3, 3), True)),
    ("cof-closed", "ArrowUp", ("Coffee Pot 7", True, 3, True, (12, 12), True)),
    ("cof-closed", "Alt+ArrowDown", ("cof", True, -1, True, (3, 3), True)),
    ("cof-open", "Alt+ArrowDown", ("cof", True, -1, True, (3, 3), True)),
    ("-closed", "Alt+ArrowDown", ("", True, -1, True, (0, 0), True)),
    ("cof-open", "Alt+ArrowUp", ("cof", False, -1, True, (3, 3), True)),
    ("cof-first", "Alt+ArrowUp", ("cof", False, -1, True, (3, 3), True)),
    ("cof-closed", "Alt+ArrowUp", ("cof", False, -1, True, (3, 3), True)),
    ("cof-open", "Escape", ("cof", False, -1, True, (3, 3), True)),
    ("cof-first", "Escape", ("cof", False, -1, True, (3, 3), True)),
    ("cof-closed", "Escape", ("", False, -1, True, (0, 0), True)),
    ("-open", "Escape", ("", False, -1, True, (0, 0), True)),
    ("-closed", "Escape", ("", False, -1, True, (0, 0), False)),
    ("cof-first", "ArrowLeft", ("coffee", True, -1, True, (5, 5), False)),
    ("cof-first", "ArrowRight", ("coffee", True, -1, True, (6, 6), False)),
    ("cof-first", "Home", ("coffee", True, -1, True, (0, 0), False)),
    ("cof-first", "End", ("coffee", True, -1, True, (6, 6), False)),
    ("cof-first", "Shift+ArrowLeft", ("coffee", True, -1, True, (5, 6), False)),
    ("cof-first", "Shift+Home", ("coffee", True, -1, True, (0, 6), False)),
    ("cof-first", "Backspace", ("coffe", True, -1, True, (5, 5), False)),
    ("cof-first", "Delete", ("coffee", True, -1, True, (6, 6), False)),
    ("cof-first", "x", ("coffeex", True, -1, True, (7, 7), False)),
    ("cof-open", "f", ("coff", True, -1, True, (4, 4), False)),
    ("cof-open", "ArrowLeft", ("cof", True, -1, True, (2, 2), False)),
    ("cof-open", "Home", ("cof", True, -1, True, (0, 0), False)),
    ("cof-open", "End", ("cof", True, -1, True, (3, 3), False)),
    ("cof-open", "Shift+ArrowUp", ("cof", True, -1, True, (0, 3), False)),  # selects, as everywhere
    ("cof-open", "Control+a", ("cof", True, -1, True, (0, 3), False)),
    ("cof-open", "Control+ArrowDown", ("cof", True, -1, True, (3, 3), False)),
    ("cof-open", "Tab", ("cof", False, -1, False, (3, 3), False)),
    ("cof-first", "Tab", ("coffee", False, -1, False, (6, 6), False)),
    ("-open", "Tab", ("", False, -1, False, (0, 0), False)),
    ("cof-open", "Shift+Tab", ("cof", False, -1, False, (3, 3), False)),
]


@pytest.mark.parametrize(("before", "key", "after"), KEY_TABLE, ids=[f"{before}-{key}" for before, key, _ in KEY_TABLE])
def test_every_key_does_what_the_combobox_pattern_says(
    table: Any, before: str, key: str, after: tuple[str, bool, int, bool, tuple[int, int], bool]
) -> None:
    field = prepared(table, before)
    table.evaluate("window.captured = null")
    field.press(key)

    def state() -> tuple[Any, ...]:
        found = field.evaluate(STATE)
        selection = (found["start"], found["end"])
        captured = table.evaluate("window.captured")
        return (found["value"], found["expanded"], found["active"], found["focus"], selection, captured)

    table.wait_for_timeout(60)  # something unwanted may need a moment
    until = time.monotonic() + 3
    while (found := state()) != after and time.monotonic() < until:
        table.wait_for_timeout(20)
    assert found == after
    selected = table.locator("[role=option][aria-selected=true]").count()
    assert selected == (1 if after[2] >= 0 else 0)


@pytest.mark.parametrize(
    ("keys", "address"),
    [((), "**/search?q=cof"), (("ArrowDown",), "**/search?q=coffee"), (("ArrowUp",), "**/products/p7"),
     (("ArrowUp", "ArrowUp"), "**/search?f.category=Kitchen"), (("Escape",), "**/search?q=cof"),
     (("ArrowDown", "Home"), "**/search?q=coffee")],
)  # fmt: skip
def test_enter_searches_for_what_is_typed_or_goes_where_the_suggestion_leads(
    page: Any, keys: tuple[str, ...], address: str
) -> None:
    fixed(page)
    page.goto("/")
    page.locator("#q").press_sequentially("cof")
    page.wait_for_selector("[role=option] >> text=Coffee Pot 7")
    for key in (*keys, "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(address)


def test_while_an_input_method_composes_its_keys_are_left_alone(table: Any) -> None:
    field = prepared(table, "cof-open")
    press = """(field, [key, isComposing]) => !field.dispatchEvent(
        new KeyboardEvent("keydown", { key, isComposing, bubbles: true, cancelable: true }))"""
    for key in ("ArrowDown", "Enter", "Escape"):
        assert not field.evaluate(press, [key, True])  # not captured
        assert field.evaluate(STATE)["active"] == -1
        assert field.evaluate(STATE)["expanded"]
    assert field.evaluate(press, ["ArrowDown", False])
    assert field.evaluate(STATE)["active"] == 0


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


def test_an_arrow_key_waits_for_the_suggestions_of_what_is_typed(page: Any) -> None:
    page.goto("/clusters")
    page.focus("#q")
    page.keyboard.type("c")
    page.wait_for_selector("[role=option] >> text=Coffee Pot")
    page.keyboard.type("hef")  # the list is still that of "c"
    page.keyboard.press("ArrowUp")
    sync_api.expect(page.locator("#q")).to_have_value("Chef's Knife")
    page.keyboard.press("Enter")
    page.wait_for_url("**/products/0008")


def test_what_an_empty_field_offers_goes_with_the_first_letter(page: Any) -> None:
    page.route(ANSWERS, lambda route: asked_of(route) or route.fulfill(json=answer("")))  # the letter has no answer
    page.goto("/clusters")
    page.focus("#q")
    page.wait_for_selector("[role=option]")
    page.keyboard.press("x")
    assert not page.is_visible(".suggestions")
    page.keyboard.press("Backspace")
    page.wait_for_selector("[role=option] >> text=Kitchen")


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


def faults(page: Any, part: str) -> list[str]:
    """What axe-core finds wrong in a part of the page."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs: pip install axe-playwright-python"
    )
    found = axe.Axe().run(page, context=part).response
    return [f"{fault['id']}: {node['html']}" for fault in found["violations"] for node in fault["nodes"]]


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


def test_the_popup_closes_when_the_pointer_goes_elsewhere_and_an_option_can_be_clicked(page: Any) -> None:
    fixed(page)
    page.goto("/clusters")
    page.locator("#q").press_sequentially("cof")
    page.wait_for_selector("[role=option] >> text=Coffee Pot 7")
    page.mouse.click(1200, 800)
    assert not page.is_visible(".suggestions")
    page.click("#q")
    page.keyboard.press("ArrowDown")
    page.click("[role=option] >> text=coffee pot")
    page.wait_for_url("**/search?q=coffee+pot")


# -- recent searches --


def kept(page: Any) -> list[str]:
    """The recent searches that the empty field offers."""
    page.evaluate("document.activeElement.blur()")
    page.fill("#q", "")
    page.focus("#q")
    page.wait_for_selector("[role=option]")
    return page.locator("[data-kind=recent]").all_inner_texts()


def test_searches_that_showed_something_come_back_newest_first_and_once(page: Any) -> None:
    for q in ("coffee", "red+gown", "COFFEE", "gown+under+%24130&f.brand=Norr"):
        page.goto(f"/search?q={q}")
    page.goto("/clusters")
    assert kept(page) == ["COFFEE", "red gown"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=red+gown")
    assert kept(page) == ["red gown", "COFFEE"]


def test_a_search_in_place_is_remembered_too(page: Any) -> None:
    page.goto("/search?q=coffee+pot+under+%2420")
    page.locator(".toolbar .chip", has_text="up to $20").first.click()
    page.wait_for_url("**q=coffee+pot")
    assert kept(page) == ["coffee pot", "coffee pot under $20"]


def test_a_recent_search_goes_with_delete_and_all_of_them_with_the_button_beside_the_list(page: Any) -> None:
    page.goto("/clusters")
    page.evaluate("localStorage.setItem('aisle.recent', JSON.stringify(['a', 'b', 'c']))")
    assert kept(page) == ["a", "b", "c"]
    sync_api.expect(page.locator(".search [role=status]")).to_contain_text("Delete removes a recent search.")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Delete")
    assert page.locator("[data-kind=recent]").all_inner_texts() == ["a", "c"]
    state = page.locator("#q").evaluate(STATE)
    assert (state["value"], state["active"], state["expanded"]) == ("c", 1, True)  # the next one took its place
    page.keyboard.press("Delete")
    assert page.locator("#q").evaluate(STATE)["active"] == 0
    page.keyboard.press("Escape")
    assert kept(page) == ["a"]
    assert faults(page, ".search") == []

    eraser = page.get_by_role("button", name="Erase recent searches")
    assert page.locator("[role=listbox] button").count() == 0
    page.keyboard.press("Tab")
    assert eraser.evaluate("button => button === document.activeElement")
    assert eraser.is_visible()
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("[data-kind=recent]")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "q"
    assert page.evaluate("localStorage.getItem('aisle.recent')") is None
    sync_api.expect(page.locator(".search [role=status]")).to_have_text("Recent searches are erased.")


def test_leaving_the_erasing_button_closes_the_popup(page: Any) -> None:
    page.goto("/clusters")
    page.evaluate("localStorage.setItem('aisle.recent', '[\"a\"]')")
    kept(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert not page.is_visible(".suggestions")
    assert page.evaluate("document.activeElement.type") == "submit"


@pytest.mark.parametrize(
    ("stored", "offered"),
    [("not json", []), ("{}", []), ('"text"', []), ("null", []),
     ('[1, null, {"a": 1}, ["b"], " ok  then ", "OK then"]', ["ok then"]),
     (json.dumps(["<img src=x onerror=alert(1)>"]), ["<img src=x onerror=alert(1)>"]),
     (json.dumps(["w" * 5000, "fine"]), ["fine"]),
     (json.dumps([str(number) for number in range(5000)]), [str(number) for number in range(8)])],
)  # fmt: skip
def test_whatever_lies_in_the_storage_is_borne(page: Any, stored: str, offered: list[str]) -> None:
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/clusters")
    page.evaluate("stored => localStorage.setItem('aisle.recent', stored)", stored)
    assert kept(page) == offered
    page.goto("/search?q=coffee")
    assert kept(page) == ["coffee", *offered][:8]
    assert len(page.evaluate("JSON.parse(localStorage.getItem('aisle.recent'))")) <= 8
    assert complaints == []


@pytest.mark.parametrize("broken", ["get() { throw new DOMException('off', 'SecurityError') }", "get: () => null"])
def test_with_the_storage_off_all_works_and_nothing_is_remembered(page: Any, broken: str) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(f"Object.defineProperty(window, 'localStorage', {{ {broken} }})")
    page.goto("/search?q=coffee")
    assert kept(page) == []
    page.keyboard.type("coff")
    page.wait_for_selector("[role=option] b")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    page.uncheck("#shortcuts [type=checkbox]")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert not page.is_visible("#shortcuts")
    assert complaints == []


def test_without_a_network_recent_searches_are_offered_and_the_form_is_left(page: Any) -> None:
    page.goto("/search?q=coffee")
    page.route(ANSWERS, lambda route: route.abort())
    assert kept(page) == ["coffee"]
    page.keyboard.type("cof")
    page.wait_for_timeout(300)
    assert not page.is_visible(".suggestions")


# -- the button that clears --


def test_the_field_is_cleared_by_pointer_and_by_keyboard(page: Any) -> None:
    page.goto("/search?q=coffee")
    button = page.get_by_role("button", name="Clear the search field")
    box = button.bounding_box()
    assert min(box["width"], box["height"]) >= 24
    button.click()
    assert (page.input_value("#q"), page.evaluate("document.activeElement.id")) == ("", "q")
    assert not button.is_visible()
    page.wait_for_selector("[data-kind=recent]")
    page.keyboard.type("x")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert (page.input_value("#q"), page.evaluate("document.activeElement.id")) == ("", "q")
    assert "q=coffee" in page.url


def test_without_javascript_the_field_has_no_button_that_does_nothing(plain: Any) -> None:
    plain.goto("/search?q=coffee")
    assert plain.input_value("#q") == "coffee"
    assert not plain.is_visible(".clear")
    assert not plain.is_visible("[data-shortcuts]")


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


# -- keys of the page --


def test_slash_goes_to_the_search_field_but_is_typed_inside_it(page: Any) -> None:
    page.goto("/search?q=coffee")
    page.focus("[name='f.color'][value=navy]")  # nothing is written in a tick box
    page.keyboard.press("/")
    page.keyboard.type("1/2?")
    assert page.input_value("#q") == "1/2?"
    assert not page.is_visible("#shortcuts")


@pytest.mark.parametrize("key", ["Control+/", "Alt+/", "Meta+/", "Control+?"])
def test_with_a_modifier_a_shortcut_is_the_browsers(page: Any, key: str) -> None:
    page.goto("/clusters")
    page.keyboard.press(key)
    assert page.evaluate("document.activeElement === document.body")
    assert not page.is_visible("#shortcuts")


@pytest.mark.parametrize("way", ["key", "button"])
def test_the_help_on_keys_opens_closes_with_escape_and_gives_the_focus_back(page: Any, way: str) -> None:
    page.goto("/clusters")
    link = page.locator("main a").first
    button = page.get_by_role("button", name="Keyboard shortcuts")
    (link if way == "key" else button).focus()
    page.keyboard.press("?" if way == "key" else "Enter")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    sync_api.expect(dialog).to_be_visible()
    assert faults(page, "#shortcuts") == []
    page.keyboard.press("/")  # no key acts behind it
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    page.keyboard.press("Escape")
    sync_api.expect(dialog).to_be_hidden()
    assert (link if way == "key" else button).evaluate("element => element === document.activeElement")


def test_shortcuts_that_are_switched_off_stay_off_and_can_be_switched_on_again(page: Any) -> None:
    page.goto("/search?q=coffee")
    page.keyboard.press("?")
    page.uncheck("#shortcuts [type=checkbox]")
    page.click("#shortcuts button")
    for _ in range(2):
        page.keyboard.press("/")
        page.keyboard.press("?")
        assert page.evaluate("document.activeElement.id") != "q"
        assert not page.is_visible("#shortcuts")
        page.locator(".cards .card-title a").first.focus()
        page.keyboard.press("j")
        assert place(page) == 0
        page.keyboard.press("ArrowRight")  # not a character
        assert place(page) == 1
        page.reload()
    page.click("[data-shortcuts]")
    page.check("#shortcuts [type=checkbox]")
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"


def place(page: Any) -> int:
    """Which card the focus is at, -1 for none."""
    found: int = page.evaluate(
        "[...document.querySelectorAll('.cards .card-title a')].findIndex(link => link === document.activeElement)"
    )
    return found


def go(page: Any, *keys: str) -> int:
    for key in keys:
        page.keyboard.press(key)
    return place(page)


def test_j_and_k_and_arrows_go_through_cards_only_from_within_the_list(page: Any) -> None:
    page.goto("/search?q=coffee")
    assert go(page, "j", "ArrowRight") == -1
    page.check("[name='f.color'][value=navy]")  # the list is swapped in place
    page.wait_for_url("**f.color=navy")
    sync_api.expect(page.locator(".listing[aria-busy]")).to_have_count(0)
    page.locator(".cards .card-title a").first.focus()
    assert go(page, "j", "j") == 2
    assert go(page, "k") == 1
    assert go(page, "ArrowRight") == 2
    assert go(page, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft") == 0  # the list does not go round
    last = page.locator(".cards .card-title a").count() - 1
    page.locator(".cards .card-title a").last.focus()
    assert go(page, "j") == last
    assert go(page, "Control+k", "Shift+ArrowLeft") == last


def test_in_a_page_written_from_right_to_left_the_next_card_is_to_the_left(page: Any) -> None:
    page.goto("/search?q=coffee")
    page.evaluate("document.documentElement.dir = 'rtl'")
    page.locator(".cards .card-title a").first.focus()
    assert go(page, "ArrowLeft") == 1


def test_up_and_down_still_scroll_the_page_from_a_card(page: Any) -> None:
    page.goto("/search?q=coffee")
    page.locator(".cards .card-title a").first.focus()
    page.evaluate("document.addEventListener('keydown', event => (window.captured = event.defaultPrevented))")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("window.captured") is False
    page.keyboard.press("ArrowRight")
    assert page.evaluate("window.captured") is True
