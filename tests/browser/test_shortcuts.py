"""The keys of the page in a real browser: slash, help, the way through the cards, and the switch for all of them."""

from __future__ import annotations

from typing import Any

import pytest
from field_fixtures import faults

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser


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
