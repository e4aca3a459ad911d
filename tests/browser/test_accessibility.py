"""Every page, as people meet it who see little, use no mouse, or enlarge everything: axe, keyboard, zoom, spacing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from browser_fixtures import opened_page
from page_checks import ADDRESSES, PHONE, WIDE, clipped_texts, go, lost, overlapping_texts, told, violations

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser


def open_suggestions(page: Any) -> None:
    page.locator("#q").press_sequentially("coff", delay=20)
    page.wait_for_selector("[role=option]")
    page.keyboard.press("ArrowDown")


def open_sheet(page: Any) -> None:
    page.locator("main :is(a, button):visible", has_text="Filter").first.click()
    page.wait_for_selector("dialog[open], #filters:target")


STATES: dict[str, tuple[str, Callable[[Any], None], dict[str, int]]] = {
    "suggestions": ("/clusters", open_suggestions, WIDE),
    "suggestions-phone": ("/clusters", open_suggestions, PHONE),
    "filter-sheet": ("/search?q=coffee&f.brand=Brand+01", open_sheet, PHONE),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_on_any_page(browser: Any, root: str, scheme: str, size: dict[str, int]) -> None:
    found: dict[str, list[str]] = {}
    with opened_page(browser, root, viewport=size, color_scheme=scheme, reduced_motion="reduce") as page:
        for name, address in ADDRESSES.items():
            go(page, address)
            if wrong := violations(page):
                found[name] = wrong
    assert not found, told(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", list(STATES))
def test_axe_finds_nothing_in_any_state(browser: Any, root: str, scheme: str, state: str) -> None:
    address, prepare, size = STATES[state]
    touch = {"is_mobile": True, "has_touch": True} if size is PHONE else {}
    with opened_page(browser, root, viewport=size, color_scheme=scheme, reduced_motion="reduce", **touch) as page:
        go(page, address)
        prepare(page)
        assert violations(page) == []


def test_axe_finds_a_mistake_when_there_is_one(page: Any) -> None:
    go(page, "/clusters")
    page.evaluate("document.querySelector('h1').style.color = '#ddd'; document.querySelector('nav').ariaLabel = ''")
    page.evaluate("document.querySelector('.wordmark').textContent = ''")
    assert {one.split(",")[0] for one in violations(page)} >= {"color-contrast", "link-name"}


# -- the keyboard ------------------------------------------------------------------------------------------------------

# Marks everything that can be pressed or filled in and is there to be seen, in the order of the document.
MARK = """() => {
  // Of a group of radio buttons Tab reaches one, the chosen or else the first; arrow keys go on from there.
  const isStop = (one) => {
    if (one.type !== 'radio') return true;
    const named = document.querySelectorAll(`input[type=radio][name="${one.name}"]`);
    const group = [...named].filter((other) => other.form === one.form);
    return one === (group.find((other) => other.checked) ?? group[0]);
  };
  const kinds = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex="-1"])';
  const all = [...document.querySelectorAll(kinds)].filter((one) =>
    !one.disabled && one.tabIndex >= 0 && isStop(one) && one.getClientRects().length &&
    one.checkVisibility({ visibilityProperty: true }));
  const look = (one) => {
    const of = (pseudo) => {
      const { outlineStyle, outline, boxShadow, borderColor } = getComputedStyle(one, pseudo);
      return [outlineStyle === 'none' ? '' : outline, boxShadow, borderColor].join();
    };
    return of(null) + '|' + of('::after');
  };
  window.lookOf = look;
  all.forEach((one, index) => { one.dataset.stop = index; one.dataset.look = look(one); });
  return all.map((one) => one.outerHTML.slice(0, 90));
}"""
# What has focus: its number, whether focus shows, whether anything lies over it, and where it is on the page.
STOP = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one.dataset.stop === undefined) return null;
  const after = getComputedStyle(one, '::after');
  const covers = after.content !== 'none' && after.position === 'absolute' && after.inset === '0px';
  const box = (covers ? one.offsetParent : one).getBoundingClientRect();
  const own = one.getClientRects()[0];
  const top = document.elementFromPoint(own.x + own.width / 2, own.y + own.height / 2);
  return {
    stop: Number(one.dataset.stop), shows: window.lookOf(one) !== one.dataset.look,
    seen: !!top && (one.contains(top) || top.contains(one)) && Number(getComputedStyle(one).opacity) === 1,
    left: box.left + scrollX, right: box.right + scrollX, top: box.top + scrollY, bottom: box.bottom + scrollY,
    what: one.outerHTML.slice(0, 90),
  };
}"""


def tabbed_through(page: Any) -> tuple[list[str], list[dict[str, Any]]]:
    """Everything that can be pressed, and where Tab stops from the top of the page until it leaves its end."""
    can_be_pressed = page.evaluate(MARK)
    stops: list[dict[str, Any]] = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(2 * len(can_be_pressed) + 5):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None or (stops and stop["stop"] == stops[0]["stop"]):
            return can_be_pressed, stops
        stops.append(stop)
    raise AssertionError(f"Tab does not get out of the page: {stops[-3:]}")


def focus_is_painted(page: Any, number: int) -> bool:
    """Whether focus changes the picture of a control whose parts have no style to be asked for: a slider's thumb."""
    one = page.locator(f"[data-stop='{number}']")
    one.evaluate("(one) => one.blur()")
    plain = one.screenshot()
    one.focus()
    return bool(one.screenshot() != plain)


@pytest.mark.parametrize(
    "address", [address for name, address in ADDRESSES.items() if name not in ("everything", "pages")]
)
def test_the_keyboard_reaches_everything_in_the_order_it_is_seen(browser: Any, root: str, address: str) -> None:
    with opened_page(browser, root, viewport=WIDE, reduced_motion="reduce") as page:
        go(page, address)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        can_be_pressed, stops = tabbed_through(page)
        reached = {stop["stop"] for stop in stops}
        assert [what for number, what in enumerate(can_be_pressed) if number not in reached] == []
        hidden = [stop["what"] for stop in stops if not stop["shows"] and not focus_is_painted(page, stop["stop"])]
        assert hidden == [], "focus does not show"
        assert [stop["what"] for stop in stops if not stop["seen"]] == [], "focus is under something"
        # The next stop is below or beside the last: above it only where a column to the right begins.
        backwards = [
            (one["what"], following["what"])
            for one, following in pairwise(stops)
            if following["bottom"] < one["top"] and following["left"] < one["left"] - 1
        ]
        assert backwards == []


def test_a_control_that_the_keyboard_misses_would_be_noticed(page: Any) -> None:
    go(page, "/clusters")
    page.evaluate("""() => {
      const trap = document.createElement('button');
      trap.textContent = 'Trap';
      trap.addEventListener('focus', () => trap.blur());
      document.querySelector('main').prepend(trap);
    }""")
    can_be_pressed, stops = tabbed_through(page)
    assert len({stop["stop"] for stop in stops}) < len(can_be_pressed)


def test_the_skip_link_is_the_first_stop_and_leads_past_the_header(page: Any) -> None:
    go(page, "/search?q=gown")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_the_filter_sheet_holds_what_the_keyboard_needs(phone: Any) -> None:
    go(phone, "/search?q=coffee")
    open_sheet(phone)
    first = phone.evaluate(
        "document.activeElement.outerHTML.slice(0, 60)"
    )  # where the sheet puts focus, before any Tab
    can_be_pressed, stops = tabbed_through(phone)
    inside = phone.evaluate("""[...document.querySelectorAll(':is(dialog[open], #filters:target) [data-stop]')]
        .map((one) => Number(one.dataset.stop))""")
    assert len(inside) > 5
    missed = [can_be_pressed[one] for one in inside if one not in {stop["stop"] for stop in stops}]
    assert all(one.startswith(first[:40]) for one in missed), missed


# -- enlarged, reflowed, spaced ----------------------------------------------------------------------------------------

# From a small phone to a large desk, and a window of 1280 by 900 at 200 and 400 %.
WINDOWS = {
    "zoomed to 400 %": (320, 225), "small phone": (320, 640), "large phone": (414, 896), "zoomed to 200 %": (640, 450),
    "tablet": (768, 1024), "small desk": (1024, 768), "large desk": (1920, 1080),
}  # fmt: skip


def test_a_page_of_any_width_scrolls_one_way_and_loses_nothing(browser: Any, root: str) -> None:
    found: dict[str, list[str]] = {}
    with opened_page(browser, root, viewport=WIDE, device_scale_factor=2, reduced_motion="reduce") as page:
        for name, address in ADDRESSES.items():
            go(page, address)
            for window, (width, height) in WINDOWS.items():
                page.set_viewport_size({"width": width, "height": height})
                if wrong := lost(page):
                    found[f"{name}, {window}"] = wrong
    assert not found, told(found)


SPACING = """
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
p { margin-block-end: 2em !important }
"""


def test_text_may_be_spaced_as_readers_need_it(browser: Any, root: str) -> None:
    """WCAG 2.2, 1.4.12: these spacings lose no text."""
    found: dict[str, list[str]] = {}
    with opened_page(browser, root, viewport=WIDE, bypass_csp=True, reduced_motion="reduce") as page:
        for name, address in ADDRESSES.items():
            go(page, address)
            page.add_style_tag(content=SPACING)
            for size in (WIDE, PHONE):
                page.set_viewport_size(size)
                if wrong := clipped_texts(page) + overlapping_texts(page):
                    found[f"{name}, {size['width']}"] = wrong
    assert not found, told(found)


def test_text_that_is_lost_would_be_noticed(browser: Any, root: str) -> None:
    with opened_page(browser, root, viewport=WIDE, bypass_csp=True) as page:
        for style, told in (
            ("h1 { white-space: nowrap; inline-size: 2000px }", "of 1280"),
            ("h1 { overflow: hidden; block-size: .5em }", "Things that belong together in"),
            ("h1 { margin-block-end: -3em }", "Things that belong together / "),
        ):
            go(page, "/clusters")
            page.add_style_tag(content=style)
            assert any(told in one for one in lost(page)), style
