"""What a person does with a list of results in the browser: look, wait, show more, tick a filter."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
COFFEE = "/search?q=coffee&per_page=8"


def keys(page: Any) -> list[str]:
    """The products shown, in order."""
    return page.locator(".cards > article").evaluate_all("cards => cards.map(card => card.dataset.key)")


def until(page: Any, condition: str) -> None:
    """Wait until an expression is true; the page's policy forbids Playwright's own way."""
    for _ in range(250):
        with suppress(sync_api.Error):  # the page is just changing
            if page.evaluate(condition):
                return
        page.wait_for_timeout(40)
    raise AssertionError(f"never came true: {condition}")


def show_more(page: Any) -> None:
    """Load one more page by keyboard and wait for it."""
    before = len(keys(page))
    page.locator("a.more").focus()
    page.keyboard.press("Enter")
    until(page, f"document.querySelectorAll('.cards > article').length > {before}")


def settled(page: Any) -> None:
    """Wait until nothing is under way."""
    sync_api.expect(page.locator(".listing[aria-busy]")).to_have_count(0)


def tick(page: Any, color: str) -> None:
    """Press a filter, wherever it is; in one step, since an answer may swap it at any time."""
    page.evaluate(f"document.querySelector('[name=\"f.color\"][value={color}]').click()")
