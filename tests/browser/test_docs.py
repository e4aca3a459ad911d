"""The API's docs as people meet them: axe, a phone, the keyboard, paper; no script takes part."""

from __future__ import annotations

from typing import Any

import pytest
from browser_fixtures import PHONE, WIDE, opened_page
from page_checks import lost, violations

pytestmark = pytest.mark.browser
# The languages of the examples that are to be seen.
SHOWN = """() => [...document.querySelectorAll('.docs-code')]
  .filter((one) => one.checkVisibility()).map((one) => one.classList[1])"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing(browser: Any, root: str, scheme: str, size: dict[str, Any]) -> None:
    with opened_page(browser, root, **size, color_scheme=scheme, reduced_motion="reduce") as page:
        page.goto("/api/docs")
        assert violations(page) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_cut_off_or_laid_over_at_any_width(browser: Any, root: str, width: int) -> None:
    with opened_page(browser, root, viewport={"width": width, "height": 800}) as page:
        page.goto("/api/docs")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert lost(page) == []


def test_one_choice_of_a_language_changes_every_example(plain: Any) -> None:
    plain.goto("/api/docs")
    assert set(plain.evaluate(SHOWN)) == {"curl"}
    plain.focus("#in-curl")
    plain.keyboard.press("ArrowRight")
    assert set(plain.evaluate(SHOWN)) == {"python"}
    plain.keyboard.press("ArrowRight")
    shown = plain.evaluate(SHOWN)
    assert set(shown) == {"javascript"} and len(shown) > 20


def test_a_finger_chooses_a_language_on_a_phone(phone: Any) -> None:
    phone.goto("/api/docs#limits")
    phone.locator("#in-python").tap()
    assert set(phone.evaluate(SHOWN)) == {"python"}


def test_on_paper_every_language_and_every_type_is_there(plain: Any) -> None:
    plain.goto("/api/docs")
    plain.emulate_media(media="print")
    assert set(plain.evaluate(SHOWN)) == {"curl", "python", "javascript"}
    assert not plain.locator(".docs-contents").is_visible()


def test_a_link_to_a_type_opens_it(plain: Any) -> None:
    plain.goto("/api/docs")
    plain.locator("#search ~ .docs-answers a", has_text="SearchResult").click()
    assert plain.url.endswith("#type-SearchResult")
    assert plain.locator("#type-SearchResult summary").is_visible()
