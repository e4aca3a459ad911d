"""A language that is read from the right, with longer words: made up of our own words at the time of the test.

Every message of the sources is "translated" into itself, accented, 40 % longer, inside ⟦ ⟧, as Arabic. What then stands
on a page without brackets, and does not come from the catalog, is a text that no translator was ever shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from browser_fixtures import BROKEN, POTS, opened_page, served
from conftest import SHOP, open_engine, write_release
from page_checks import ADDRESSES, WIDE, go, lost, told, violations

from web.settings import Settings

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parent.parent.parent
PHONE = {"width": 390, "height": 844}
ACCENTED = str.maketrans("aceginorstuyACEGINORSTUY", "åçéğîñöŕšţüýÅÇÉĞÎÑÖŔŠŢÜÝ")
ACCENTS = {"ẋ", *map(chr, ACCENTED.values())}
# What a translation keeps as it is: places to be filled, tags, entities.
KEPT = re.compile(r"%\(\w+\)[sd]|<[^>]+>|&\w+;|%%")
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None, "pgettext": ((1, "c"), 2)}
# Reports are documents in English that lie in the release; they say lang="en".
SPOKEN = {name: address for name, address in ADDRESSES.items() if name not in ("report", "queries")}
ALLOWED = {"Aisle", "US$", "USD"}  # the shop's name, the catalog's currency


def pseudo(message: str) -> str:
    """A message as a translator with long words would give it back."""
    parts, kept = KEPT.split(message), KEPT.findall(message)
    accented = [part.translate(ACCENTED) for part in parts]
    longer = " ẋẋẋẋ" * max(1, round(0.4 * len(message) / 5))
    return "⟦" + "".join(a + b for a, b in zip(accented, [*kept, ""], strict=True)) + longer + "⟧"


def write_pseudo_locale(folder: Path) -> int:
    """Write every message of the sources, in Arabic, and return how many there are."""
    catalog = Catalog(locale="ar")
    with (ROOT / "translations" / "babel.cfg").open() as lines:
        methods, options = parse_mapping_cfg(lines)

    def is_source(place: str) -> bool:
        return Path(place).name in {"web", "pages", "templates", "parts", "static", "js", "map"}

    found = extract_from_dir(str(ROOT), methods, options, KEYWORDS, directory_filter=is_source)
    for _, _, message, _, context in found:
        if isinstance(message, tuple):
            one, many = message[:2]
            catalog.add((one, many), (pseudo(one), *[pseudo(many)] * (catalog.num_plurals - 1)), context=context)
        else:
            catalog.add(message, pseudo(message), context=context)
    place = folder / "ar" / "LC_MESSAGES"
    place.mkdir(parents=True)
    with (place / "messages.mo").open("wb") as written:
        write_mo(written, catalog)
    return len(catalog)


@pytest.fixture(scope="module")
def arabic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("arabic")
    assert write_pseudo_locale(folder / "words") > 20
    layout = write_release(folder / "shop", (*SHOP, BROKEN, *POTS))
    with served(open_engine(layout), Settings(translations=folder / "words", language="ar", events=False)) as address:
        yield address


def catalog_texts() -> str:
    """Everything that the catalog itself says, in lower case."""
    texts: list[str] = ["Everything", "First half", "Second half"]
    for one in (*SHOP, BROKEN, *POTS):
        texts += [one.id, one.title, one.description, one.brand, *one.category]
        texts += [word for name, values in one.attributes.items() for word in (name, *values)]
    return "\n".join(texts).lower()


# Every text of a page with its element: what is read, what is read out, and what is told to the browser; not what
# somebody said.
TEXTS = """() => {
  const found = [["title", document.title]];
  found.push(["description", document.querySelector("meta[name=description]")?.content ?? ""]);
  const note = (one, text) => isEnglish(one) || found.push([one.outerHTML.slice(0, 60), text]);
  const isEnglish = (one) => one.closest('[lang="en"], script, style, noscript, template, code, q, input[type=hidden]');
  const shown = (one) => one.checkVisibility({ visibilityProperty: true });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (data.trim() && (shown(parentElement) || parentElement.closest("option"))) note(parentElement, data);
  }
  for (const name of ["aria-label", "placeholder", "title", "alt", "aria-roledescription", "aria-valuetext"])
    document.querySelectorAll(`[${name}]`).forEach((one) => note(one, one.getAttribute(name)));
  return found;
}"""


def outside_brackets(text: str) -> str:
    """The part of a text that stands in no brackets; what fills a place inside of them may have brackets of its own."""
    depth, outside = 0, []
    for sign in text:
        depth += (sign == "⟦") - (sign == "⟧")
        if depth == 0:
            outside.append(sign.replace("⟧", "·"))
    return "".join(outside)


def untranslated(page: Any, query: str) -> list[str]:
    known = catalog_texts() + "\n" + query.lower()
    found = []
    for where, text in page.evaluate(TEXTS):
        rest = outside_brackets(text)
        for name in ALLOWED:
            rest = rest.replace(name, "")
        phrases = [one.strip(" .,:;·…–—()“”\"'\n") for one in re.split(r"[\n·,:()›]", rest)]
        # An accent shows that a phrase was part of a message, whose brackets stand in another element.
        wrong = [
            one for one in phrases if re.search("[A-Za-z]", one) and not set(one) & ACCENTS and one.lower() not in known
        ]
        found += [f"{one!r} in {where}" for one in wrong]
    return sorted(set(found))


def query_of(address: str) -> str:
    return " ".join(re.findall(r"q=([^&]*)", address)).replace("+", " ").replace("%24", "$")


def test_every_word_of_the_page_is_shown_to_translators(browser: Any, arabic: str) -> None:
    found: dict[str, list[str]] = {}
    with opened_page(browser, arabic, viewport=WIDE) as page:
        for name, address in SPOKEN.items():
            go(page, address)
            assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
            if wrong := untranslated(page, query_of(address)):
                found[name] = wrong
    assert not found, told(found)


def test_suggestions_are_shown_to_translators(browser: Any, arabic: str) -> None:
    with opened_page(browser, arabic, viewport=WIDE) as page:
        go(page, "/clusters")
        page.locator("#q").press_sequentially("coff", delay=20)
        page.wait_for_selector("[role=option]")
        page.wait_for_timeout(1500)  # screen readers are told a while after the last key
        assert untranslated(page, "coff") == []


def test_a_text_outside_of_the_translators_reach_would_be_noticed(browser: Any, arabic: str) -> None:
    with opened_page(browser, arabic, viewport=WIDE) as page:
        go(page, "/clusters")
        page.evaluate("document.querySelector('h1').append(' Loose words')")
        page.evaluate("document.querySelector('nav').setAttribute('aria-label', 'Loose label')")
        found = " ".join(untranslated(page, ""))
        assert "Loose words" in found
        assert "Loose label" in found


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_long_words_from_the_right_fit_the_page(browser: Any, arabic: str, size: dict[str, int]) -> None:
    found: dict[str, list[str]] = {}
    with opened_page(browser, arabic, viewport=size, reduced_motion="reduce") as page:
        for name, address in SPOKEN.items():
            go(page, address)
            if wrong := lost(page) + violations(page):
                found[name] = wrong
    assert not found, told(found)


# Where the middle of an element is, from the start of the line: 0 at the left of the page, 1 at its right.
MIDDLE = """(css) => {
  const box = [...document.querySelectorAll(css)].find((one) => one.checkVisibility())?.getBoundingClientRect();
  return box ? (box.left + box.right) / 2 / document.documentElement.clientWidth : null;
}"""


@pytest.mark.parametrize(
    ("address", "css"),
    [
        ("/clusters", ".wordmark"), ("/clusters", ".top nav"), ("/search?q=gown", ".filters"),
        ("/search?q=gown", ".card .card-title"), ("/products/0001", ".product-picture"), ("/", ".hero-words"),
        ("/products/0001", ".trail li"), ("/map", ".map-legend"),
    ],
)  # fmt: skip
def test_the_page_is_mirrored(browser: Any, root: str, arabic: str, address: str, css: str) -> None:
    middles = []
    for place in (root, arabic):
        with opened_page(browser, place, viewport=WIDE) as page:
            go(page, address)
            middles.append(page.evaluate(MIDDLE, css))
    assert middles[0] == pytest.approx(1 - middles[1], abs=0.2)
    assert abs(middles[0] - middles[1]) > 0.15


def test_what_points_turns_round(browser: Any, arabic: str) -> None:
    with opened_page(browser, arabic, viewport=WIDE) as page:
        go(page, "/products/0001")
        assert page.evaluate("getComputedStyle(document.querySelector('.trail .icon-right')).scale") == "-1 1"
        assert page.evaluate("getComputedStyle(document.querySelector('.stars')).scale") == "-1 1"
        assert page.evaluate("getComputedStyle(document.querySelector('.search .icon')).scale") == "none"


def test_the_map_stays_as_it_is(browser: Any, root: str, arabic: str) -> None:
    """A dot has one place in the map whichever way a language is read, and so has what is written over it."""
    places = []
    for address in (root, arabic):
        with opened_page(browser, address, viewport=WIDE) as page:
            go(page, "/map")
            stage = page.locator(".stage").bounding_box()
            label = page.locator(".map-labels a:visible").first.bounding_box()
            places.append(((label["x"] + label["width"] / 2 - stage["x"]), label["y"] - stage["y"]))
    assert places[0] == pytest.approx(places[1], abs=3)


def test_no_sheet_speaks_of_left_and_right() -> None:
    """Only the map's positions and print's paper may; whoever needs another says so here."""
    physical = re.compile(
        r"(?<![\w-])(?:(?:margin|padding|border|inset|scroll-\w+)-)?(?:left|right)\s*:|text-align:\s*(?:left|right)|float:\s*(?:left|right)"
    )
    for sheet in sorted((ROOT / "static" / "css").glob("*.css")):
        assert physical.findall(sheet.read_text("utf-8")) == [], sheet.name
