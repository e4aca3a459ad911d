"""The search field in a real browser, against the key table of the ARIA combobox pattern; the button that clears."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from browser_fixtures import opened_page
from field_fixtures import ANSWERS, STATE, answer, asked_of, fixed

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser


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
