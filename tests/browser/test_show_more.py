"""Show more in a real browser, and the way back: the same products at the same place, reloaded, shared or filtered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_fixtures import ARGUMENTS, chromium_path, opened_page
from results_fixtures import COFFEE, keys, settled, show_more, tick, until

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser


def test_show_more_joins_the_next_page_says_so_and_goes_to_its_first_product(page: Any) -> None:
    page.goto(COFFEE + "&page=2")
    second = keys(page)
    page.goto(COFFEE)
    first = keys(page)
    show_more(page)
    assert keys(page) == first + second
    assert page.evaluate("document.activeElement.closest('article').dataset.key") == second[0]
    assert page.url.endswith("page=2&from=1")
    sync_api.expect(page.locator("body > [role=status]")).to_have_text("8 more products")
    assert page.locator(".listing-foot .quiet").inner_text().startswith("16 of ")
    show_more(page)
    assert len(set(keys(page))) == 24
    assert page.url.endswith("page=3&from=1")


def test_show_more_does_not_move_what_is_read(page: Any) -> None:
    page.goto(COFFEE)
    page.evaluate("document.querySelector('a.more').scrollIntoView({block: 'end', behavior: 'instant'})")
    before = page.evaluate("scrollY")
    show_more(page)
    page.wait_for_timeout(400)  # a scroll would be smooth
    assert page.evaluate("scrollY") == before


def test_the_end_of_the_list_has_no_show_more(page: Any) -> None:
    page.goto("/search?q=coffee&per_page=24")
    total = int(page.inner_text(".total").split()[0])
    assert 24 < total < 48
    show_more(page)
    assert len(keys(page)) == total
    assert page.locator("a.more").count() == 0


def test_reloading_and_sharing_show_all_that_was_loaded(page: Any, browser: Any, root: str) -> None:
    page.goto(COFFEE)
    show_more(page)
    show_more(page)
    shown = keys(page)
    page.reload()
    assert keys(page) == shown
    with opened_page(browser, root) as other:
        other.goto(page.url)
        assert keys(other) == shown


@pytest.fixture(scope="module", params=["kept pages", "no kept pages"])
def back_browser(request: Any, browser: Any) -> Iterator[Any]:
    """A browser that keeps left pages as they are (bfcache), and one that loads them again."""
    ignored = ["--disable-back-forward-cache"] if request.param == "kept pages" else []
    kind = browser.browser_type
    opened = kind.launch(executable_path=chromium_path(kind), args=ARGUMENTS, ignore_default_args=ignored)
    yield opened
    opened.close()


@pytest.mark.parametrize("view", ["grid", "list"])
def test_back_from_a_product_is_the_same_place(back_browser: Any, root: str, view: str) -> None:
    with opened_page(back_browser, root, viewport={"width": 1280, "height": 900}) as page:
        page.goto(f"{COFFEE}&view={view}")
        show_more(page)
        show_more(page)
        shown = keys(page)
        link = page.locator(".card-title a").nth(19)
        link.scroll_into_view_if_needed()
        page.wait_for_timeout(150)
        place, top = page.evaluate("scrollY"), link.bounding_box()["y"]
        assert place > 500
        link.click()
        page.wait_for_url("**/products/**")
        page.evaluate("history.back()")  # Playwright's own way waits for a load, and a kept page has none
        until(page, "location.pathname === '/search'")
        until(page, f"Math.abs(scrollY - {place}) < 2")
        assert keys(page) == shown
        assert page.locator(".card-title a").nth(19).bounding_box()["y"] == pytest.approx(top, abs=2)


def test_back_after_the_keyboard_is_at_the_same_product(page: Any) -> None:
    page.goto(COFFEE)
    page.locator(".card-title a").nth(5).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/products/**")
    page.go_back()
    page.wait_for_selector(".cards > article")
    assert page.evaluate("document.activeElement.closest('article')?.dataset.key") == keys(page)[5]


def test_back_after_filtering_in_place_is_the_same_place(page: Any) -> None:
    page.goto(COFFEE)
    show_more(page)
    show_more(page)
    shown = keys(page)
    page.evaluate("scrollTo(0, 900)")
    tick(page, "navy")
    page.wait_for_url("**f.color=navy**")
    settled(page)
    assert "from=" not in page.url
    assert len(keys(page)) < 8
    page.go_back()
    until(page, f"document.querySelectorAll('.cards > article').length === {len(shown)}")
    until(page, "Math.abs(scrollY - 900) < 2")
    assert keys(page) == shown


def test_after_ten_pages_show_more_is_a_plain_link_to_the_next(page: Any) -> None:
    page.goto("/search?q=coffee&per_page=1&page=9&from=1")
    show_more(page)
    assert len(keys(page)) == 10
    page.locator("a.more").click()
    page.wait_for_url("**page=11")
    assert len(keys(page)) == 1


def test_a_product_that_another_release_puts_elsewhere_is_not_shown_twice(page: Any) -> None:
    page.goto(COFFEE)
    first = keys(page)

    def moved(route: Any) -> None:
        answer = route.fetch()
        page_2 = answer.text()
        own = page_2.split('data-key="')[1].split('"')[0]
        route.fulfill(response=answer, body=page_2.replace(f'data-key="{own}"', f'data-key="{first[0]}"'))

    page.route(lambda address: "page=2" in address, moved)
    show_more(page)
    assert len(keys(page)) == len(set(keys(page))) == 15


def test_without_javascript_show_more_is_a_link_to_its_first_new_product(plain: Any) -> None:
    plain.goto(COFFEE)
    plain.click("a.more")
    plain.wait_for_url("**page=2&from=1#more")
    assert len(keys(plain)) == 16
    until(plain, "document.querySelector('#more').getBoundingClientRect().y < 400")
    assert plain.locator("#more").bounding_box()["y"] > 80  # below the header, which stays
    plain.click(".pages a[rel=next]")
    plain.wait_for_url("**page=3")
    assert len(keys(plain)) == 8


def test_on_a_phone_show_more_is_a_tap(phone: Any) -> None:
    phone.goto(COFFEE)
    phone.locator("a.more").tap()
    until(phone, "document.querySelectorAll('.cards > article').length === 16")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
