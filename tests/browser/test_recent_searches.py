"""Recent searches in the empty field: newest first, erased one by one or all at once, whatever the storage holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from field_fixtures import ANSWERS, STATE, faults

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser


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
