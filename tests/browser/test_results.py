"""Results as a person uses them: slow and stale answers, list and grid, sort, similar, pictures and motion."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from browser_fixtures import BROKEN, opened_page
from results_fixtures import COFFEE, keys, settled, show_more, tick, until

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser
SHIFTS = """
window.shifts = 0;
const add = (one) => one.hadRecentInput || (window.shifts += one.value);
new PerformanceObserver((list) => list.getEntries().forEach(add))
  .observe({type: 'layout-shift', buffered: true});
"""


class Held:
    """Answers to addresses that hold a text are kept back until they are let go."""

    def __init__(self, page: Any, text: str):
        self.routes: list[Any] = []
        self.page, self.text = page, text
        page.route(lambda address: text in address, lambda route: self.routes.append(route))

    def wait(self, count: int = 1) -> None:
        """Wait until as many requests have come."""
        for _ in range(200):
            if len(self.routes) >= count:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"no request for {self.text} came")

    def let_go(self) -> None:
        """Answer them all; those that were given up are passed over."""
        for route in self.routes:
            with suppress(sync_api.Error):
                route.continue_()


# -- slow and stale answers --


def test_cards_to_come_are_sketched_only_when_the_wait_is_long(page: Any) -> None:
    page.goto(COFFEE)
    page.evaluate("""() => {
      window.sketched = [];
      new MutationObserver(() => document.querySelector('.skeleton') && window.sketched.push(performance.now()))
        .observe(document.querySelector('.cards'), {childList: true});
    }""")
    show_more(page)
    assert page.evaluate("window.sketched") == []
    held = Held(page, "page=3")
    page.evaluate("window.asked = performance.now(); document.querySelector('a.more').click()")
    held.wait()
    assert page.locator(".listing").get_attribute("aria-busy") == "true"
    page.wait_for_selector(".skeleton", state="attached")
    assert 300 <= page.evaluate("window.sketched[0] - window.asked") < 2000
    assert page.locator(".skeleton").count() == 8
    heights = "all => all.map(one => one.offsetHeight).sort((one, other) => one - other)"
    real = page.locator(".cards > article").evaluate_all(heights)
    assert set(page.locator(".skeleton").evaluate_all(heights)) == {real[len(real) // 2]}
    held.let_go()
    sync_api.expect(page.locator(".cards > article")).to_have_count(24)
    assert page.locator(".skeleton").count() == 0
    settled(page)


def test_old_results_stay_dimmed_while_new_ones_load(page: Any) -> None:
    page.goto(COFFEE)
    shown = keys(page)
    held = Held(page, "f.color=navy")
    tick(page, "navy")
    held.wait()
    assert page.locator(".listing").get_attribute("aria-busy") == "true"
    assert keys(page) == shown
    until(page, "getComputedStyle(document.querySelector('.cards')).opacity < .6")
    page.wait_for_selector(".listing.slow")
    sync_api.expect(page.locator("body > [role=status]")).to_have_text("Loading")
    held.let_go()
    page.wait_for_url("**f.color=navy**")
    settled(page)
    assert page.evaluate("getComputedStyle(document.querySelector('.cards')).opacity") == "1"
    sync_api.expect(page.locator("body > [role=status]")).to_have_text(page.inner_text(".total"))


def test_an_old_answer_never_overwrites_a_new_one(page: Any) -> None:
    page.goto(COFFEE)
    held = Held(page, "f.color=sage")
    tick(page, "sage")
    held.wait()
    tick(page, "sage")  # off again,
    tick(page, "navy")  # and this instead
    page.wait_for_url("**f.color=navy**")
    settled(page)
    shown = keys(page)
    held.let_go()
    page.wait_for_timeout(400)
    assert keys(page) == shown
    assert "f.color=sage" not in page.url
    assert page.locator("[name='f.color'][value=navy]").is_checked()


def test_a_filter_chosen_while_more_is_loading_wins(page: Any) -> None:
    page.goto(COFFEE)
    held = Held(page, "page=2")
    page.evaluate("document.querySelector('a.more').click()")
    held.wait()
    page.wait_for_selector(".skeleton", state="attached")
    tick(page, "navy")
    page.wait_for_url("**f.color=navy**")
    settled(page)
    shown = keys(page)
    held.let_go()
    page.wait_for_timeout(400)
    assert keys(page) == shown
    assert page.locator(".skeleton").count() == 0


def test_an_answer_that_fails_leads_to_the_page_itself(page: Any) -> None:
    page.goto(COFFEE)
    page.route(lambda address: "page=2" in address, lambda route: route.abort(), times=1)
    page.evaluate("document.querySelector('a.more').click()")
    page.wait_for_url("**page=2")
    page.wait_for_selector(".cards > article")


def test_nothing_moves_while_results_come_and_go(page: Any) -> None:
    page.add_init_script(SHIFTS)
    page.goto(COFFEE)
    page.wait_for_load_state("networkidle")
    held = Held(page, "page=2")
    page.click("a.more")
    held.wait()
    page.wait_for_selector(".skeleton", state="attached")
    page.wait_for_timeout(700)  # shifts soon after a press do not count
    held.let_go()
    sync_api.expect(page.locator(".cards > article")).to_have_count(16)
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifts") < 0.05


# -- list, grid, sort --


@pytest.mark.parametrize("kind", ["page", "phone", "plain"])
def test_the_list_is_kept_through_sorting_filtering_paging_and_back(kind: str, request: Any) -> None:
    page = request.getfixturevalue(kind)
    page.goto(COFFEE)
    page.get_by_role("link", name="As a list").click()
    page.wait_for_url("**view=list**")
    sync_api.expect(page.locator(".cards.list")).to_have_count(1)
    sync_api.expect(page.get_by_role("link", name="As a list")).to_have_attribute("aria-current", "true")
    page.select_option("select[name=sort]", "price:desc")
    if kind == "plain":
        page.get_by_role("button", name="Sort").click()
    page.wait_for_url("**sort=price**")
    settled(page)
    sync_api.expect(page.locator(".cards.list")).to_have_count(1)
    prices = page.locator(".card-price").all_inner_texts()
    assert prices == sorted(prices, key=lambda one: -float(one.strip("$")))
    page.click(".pages a[rel=next]")
    page.wait_for_url("**page=2**")
    sync_api.expect(page.locator(".cards.list")).to_have_count(1)
    page.go_back()
    page.get_by_role("link", name="As a grid").click()
    until(page, "!location.search.includes('view')")
    sync_api.expect(page.locator(".cards.grid")).to_have_count(1)
    assert "sort=price" in page.url


def test_the_layout_is_chosen_by_keyboard_and_keeps_the_focus(page: Any) -> None:
    page.goto(COFFEE)
    page.get_by_role("link", name="As a list").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**view=list**")
    settled(page)
    assert page.evaluate("document.activeElement.textContent") == "As a list"


def test_where_the_control_is_gone_the_focus_is_at_the_results(page: Any) -> None:
    page.goto(f"{COFFEE}&f.color=navy")
    page.locator(".toolbar .chip", has_text="navy").focus()
    page.keyboard.press("Enter")
    until(page, "!location.search.includes('navy')")
    settled(page)
    assert page.evaluate("document.activeElement.id") == "results"


def test_the_sort_has_a_label_that_is_seen(page: Any) -> None:
    page.goto(COFFEE)
    assert page.get_by_text("Sort by", exact=True).is_visible()
    sync_api.expect(page.get_by_label("Sort by")).to_have_value("relevance")


@pytest.mark.parametrize("view", ["grid", "list"])
def test_nothing_is_wider_than_a_phone_in_either_layout(phone: Any, view: str) -> None:
    phone.goto(f"{COFFEE}&view={view}")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    sizes = phone.locator(".card-similar, .views a, a.more, .pages a").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(({width, height}) => Math.min(width, height))"
    )
    assert min(sizes) >= 24


# -- similar --


def test_similar_is_there_for_the_keyboard_and_for_touch_and_leads_on(page: Any, phone: Any) -> None:
    page.goto(COFFEE)
    link = page.locator(".card-similar").first
    opacity = "link => Number(getComputedStyle(link).opacity)"
    assert link.evaluate(opacity) == 0  # calm until it is wanted
    link.focus()
    assert link.evaluate(opacity) == 1
    page.keyboard.press("Enter")
    page.wait_for_url("**/similar?liked=**")
    assert page.get_by_role("link", name="Less like this").count() > 3
    page.go_back()
    page.wait_for_selector(".cards > article")
    phone.goto(COFFEE)
    assert phone.locator(".card-similar").first.evaluate(opacity) == 1
    phone.locator(".card-similar").first.tap()
    phone.wait_for_url("**/similar?liked=**")


# -- pictures and motion --


def test_a_result_whose_picture_fails_shows_its_letter(page: Any) -> None:
    page.goto("/search?q=broken+picture+frame")
    card = page.locator(f"[data-key='{BROKEN.id}']")
    sync_api.expect(card.locator("img")).to_have_count(0)
    assert card.locator(".letter").inner_text() == "F"


def test_a_late_picture_that_fails_gives_way_too(page: Any) -> None:
    page.goto(COFFEE)
    page.route(lambda address: "/illustrations/" in address, lambda route: route.fulfill(status=404))
    before = page.locator(".card img").count()
    show_more(page)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    until(page, f"document.querySelectorAll('.card img').length <= {before}")


@pytest.mark.parametrize(("motion", "name"), [("no-preference", "arriving"), ("reduce", "none")])
def test_what_arrives_moves_only_where_motion_is_welcome(browser: Any, root: str, motion: str, name: str) -> None:
    with opened_page(browser, root, reduced_motion=motion) as page:
        page.goto(COFFEE)
        show_more(page)
        assert page.locator(".arriving").first.evaluate("card => getComputedStyle(card).animationName") == name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reason_says_that_it_is_one(browser: Any, root: str, scheme: str) -> None:
    with opened_page(browser, root, color_scheme=scheme) as page:
        page.goto("/search?q=hot+mug")
        why: Callable[[], str] = page.locator("[data-key=mug] .card-why").inner_text
        assert why().startswith("Why it is here:")
        assert "Keeps coffee hot on a cold platform" in why()
