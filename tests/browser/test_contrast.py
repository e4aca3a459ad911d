"""Colors that are read on one another, in every scheme; what forced colors, paper and no motion leave visible."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browser_fixtures import opened_page

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser

WIDE = {"width": 1280, "height": 900}
# What is read on what (WCAG 2.2, 1.4.3), and what only has to be made out (1.4.11).
TEXT = [
    *((ink, ground) for ink in ("ink", "muted", "good", "caution") for ground in ("ground", "surface", "sunk")),
    ("ink", "mark"), ("ink", "notice"), ("on-accent", "accent"), ("on-accent", "accent-hover"), ("hero-ink", "hero"),
    ("hero-quiet", "hero"), ("on-sign", "sign"), ("on-solid", "solid"),
]  # fmt: skip
SHAPES = [
    *((line, ground) for line in ("line-strong", "focus") for ground in ("ground", "surface", "sunk")),
    ("focus", "hero"), ("sign", "hero"),
]  # fmt: skip
SCHEMES = [
    {"color_scheme": scheme, "contrast": contrast}
    for scheme in ("light", "dark")
    for contrast in ("no-preference", "more")
]  # fmt: skip


def luminance(color: str) -> float:
    """WCAG 2.2's relative luminance of "rgb(r, g, b)"."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def tokens_of(page: Any, names: set[str]) -> dict[str, str]:
    found: dict[str, str] = page.evaluate(
        """(names) => {
        const probe = document.querySelector("main");
        const style = document.createElement("style");
        document.head.append(style);
        return Object.fromEntries(names.map((name) => {
          style.textContent = `main { color: var(--${name}) !important }`;
          return [name, getComputedStyle(probe).color];
        }));
      }""",
        sorted(names),
    )
    return found


def test_the_ratio_is_that_of_the_standard() -> None:
    assert ratio("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert ratio("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.005)  # known for #777


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: "-".join(scheme.values()))
def test_every_color_can_be_read_on_its_ground(browser: Any, root: str, scheme: dict[str, str]) -> None:
    least = 7.0 if scheme["contrast"] == "more" else 4.5
    with opened_page(browser, root, viewport=WIDE, bypass_csp=True, **scheme) as page:
        page.goto("/clusters")
        colors = tokens_of(page, {name for pair in TEXT + SHAPES for name in pair})
    weak = {pair: round(ratio(*(colors[name] for name in pair)), 2) for pair in TEXT}
    assert {pair: found for pair, found in weak.items() if found < least} == {}
    faint = {pair: round(ratio(*(colors[name] for name in pair)), 2) for pair in SHAPES}
    assert {pair: found for pair, found in faint.items() if found < 3} == {}


def test_a_letter_in_the_place_of_a_picture_can_be_made_out(page: Any) -> None:
    """On both ends of the gradient behind it, at the opacity it has: large text, 3 to 1."""
    page.goto("/")
    found = page.evaluate("""() => [...Array(8).keys()].map((tint) => {
        const frame = document.createElement("span"), letter = document.createElement("span");
        frame.className = `picture tint-${tint}`;
        letter.className = "letter";
        frame.append(letter);
        document.querySelector("main").append(frame);
        return [getComputedStyle(letter).color, Number(getComputedStyle(letter).opacity),
          getComputedStyle(frame).backgroundImage];
    })""")
    for color, opacity, gradient in found:
        ends = re.findall(r"rgb\([^)]+\)", gradient)
        assert len(ends) == 2
        for end in ends:
            ink, ground = ([int(part) for part in re.findall(r"\d+", one)] for one in (color, end))
            seen = [round(opacity * a + (1 - opacity) * b) for a, b in zip(ink, ground, strict=True)]
            assert ratio(f"rgb{tuple(seen)}", end) >= 3, (color, end)


def test_the_placeholder_can_be_read(browser: Any, root: str) -> None:
    for scheme in ("light", "dark"):
        with opened_page(browser, root, viewport=WIDE, color_scheme=scheme) as page:
            for address in ("/", "/clusters", "/map"):
                page.goto(address)
                ink, opacity, ground = page.evaluate("""() => {
                    const field = document.querySelector("[role=search] input[type=search]");
                    const style = getComputedStyle(field, "::placeholder");
                    return [style.color, style.opacity, getComputedStyle(field).backgroundColor];
                }""")
                assert opacity == "1"
                assert ratio(ink, ground) >= 4.5, (scheme, address)


# -- forced colors -----------------------------------------------------------------------------------------------------

# Whether two elements differ in something that forced colors leave alone.
DIFFER = """([one, other]) => {
  const look = (css) => {
    const element = document.querySelector(css);
    if (!element) throw new Error(`nothing is ${css}`);
    const style = getComputedStyle(element);
    const border = style.borderStyle === "none" ? "" : style.borderColor;
    const outline = style.outlineStyle === "none" ? "" : style.outlineColor;
    return [style.backgroundColor, style.color, border, outline].join();
  };
  return look(one) !== look(other);
}"""


@pytest.fixture
def forced(browser: Any, root: str) -> Any:
    with opened_page(browser, root, viewport=WIDE, forced_colors="active", color_scheme="dark") as page:
        yield page


@pytest.mark.parametrize(
    ("address", "chosen", "other"),
    [
        ("/products/0001", ".choices .chip.chosen", ".choices .chip:not(.chosen)"),
        ("/search?q=coffee&page=2", ".pages [aria-current]", ".pages a"),
        ("/clusters", ".top nav [aria-current]", ".top nav a:not([aria-current])"),
        ("/search?q=mug", ".stars .on", ".stars .off"),
        ("/search?q=mug", "mark", ".card-title a"),
        ("/clusters", ".suggestions [aria-selected=true]", ".suggestions [aria-selected=false]"),
    ],
)
def test_what_is_chosen_differs_in_forced_colors(forced: Any, address: str, chosen: str, other: str) -> None:
    forced.goto(address)
    if "suggestions" in chosen:
        forced.locator("#q").press_sequentially("co", delay=20)
        forced.wait_for_selector("[role=option]")
        forced.keyboard.press("ArrowDown")
    if "stars" in chosen:
        fills = forced.evaluate(
            "(all) => all.map((one) => getComputedStyle(document.querySelector(one)).fill)", [chosen, other]
        )
        assert fills[0] != fills[1]
    else:
        assert forced.evaluate(DIFFER, [chosen, other])


def test_swatches_icons_and_focus_stay_in_forced_colors(forced: Any) -> None:
    forced.goto("/search?q=coffee")
    swatch = forced.locator(".swatch-red").first
    assert swatch.evaluate("(one) => getComputedStyle(one).backgroundColor") == "rgb(216, 70, 61)"
    ink, ground = forced.evaluate("""() => {
        const icon = getComputedStyle(document.querySelector(".search .icon"));
        return [icon.fill, getComputedStyle(document.querySelector(".search button")).backgroundColor];
    }""")
    assert ratio(ink, ground) >= 4.5
    forced.locator("#q").focus()
    assert forced.locator("#q").evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"


# -- paper and motion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["/search?q=gown", "/products/0001?q=hot+red+mug", "/clusters/1", "/similar?liked=0001"]
)
def test_paper_has_the_words_and_addresses_and_nothing_to_press(browser: Any, root: str, address: str) -> None:
    with opened_page(browser, root, viewport={"width": 700, "height": 990}, color_scheme="dark") as page:
        page.goto(address)
        page.emulate_media(media="print", color_scheme="dark")
        pressed = "nav a, form, button, input, select, .foot, .card-similar, .filters"
        seen = page.evaluate(
            """(pressed) => [...document.querySelectorAll(pressed)]
            .filter((one) => one.checkVisibility()).map((one) => one.outerHTML.slice(0, 60))""",
            pressed,
        )
        # A trail says where a thing is and tells the groups it is near: words, though they are links.
        assert [one for one in seen if "clusters" not in one and "f.category" not in one] == []
        assert (
            page.evaluate("getComputedStyle(document.body).color") == "rgb(33, 29, 24)"
        )  # dark ink whatever the screen
        assert page.locator(".printed").inner_text() == f"{root}{address}"
        assert page.locator(".printed").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 701  # half a pixel is rounded up
        title = page.locator(".card-title a").first
        assert title.evaluate("(one) => getComputedStyle(one, '::after').content") == f'"{title.get_attribute("href")}"'


def test_a_page_of_results_prints_on_few_sheets(page: Any, tmp_path: Path) -> None:
    page.goto("/search?q=coffee")
    printed = page.pdf(format="A4")
    assert 1 <= printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") <= 4


def test_whoever_wants_no_motion_gets_none(browser: Any, root: str) -> None:
    moving = """() => [...document.querySelectorAll("body, body *")].filter((one) => {
        const { transitionDuration, animationDuration, scrollBehavior } = getComputedStyle(one);
        const times = [...transitionDuration.split(", "), ...animationDuration.split(", ")];
        return times.some((time) => parseFloat(time) > 0.01) || scrollBehavior === "smooth";
    }).length"""
    with opened_page(browser, root, viewport=WIDE, reduced_motion="no-preference") as page:
        page.goto("/search?q=gown")
        assert page.evaluate(moving) > 0
    with opened_page(browser, root, viewport=WIDE, reduced_motion="reduce") as page:
        for address in ("/", "/search?q=gown", "/products/0001", "/map"):
            page.goto(address)
            assert page.evaluate(moving) == 0
