"""A catalog and queries that mean harm, or only make no sense: no page breaks, nothing of theirs runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from browser_fixtures import opened_page, served
from conftest import SHOP, open_engine, write_release
from page_checks import told, widest
from report_fixtures import add_report

from indexer.catalog import CatalogSettings, Notes, open_catalog
from search.product import Product

sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser

WIDTHS = (360, 1280)
LONG = "incomprehensibilities" * 240  # one word of 5,040 letters
SCRIPT = (
    "\"><script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)>'`${alert(4)}{{7*7}}</script><!--"
)
OVERRIDE = "\u202etxet desrever\u202c \u2067isolate \u202b never closed"
EMOJI = "👩‍👩‍👧‍👦🏳️‍🌈" * 40 + "Z̸̡̛̤̗̗͇̟͎͐̈́͝a̴̧͉̟̠̐l̷̨̺̈́g̶̨̛̺o̵̡̺͝" * 60
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad" * 50
CONTROL = "a\tb\rc\x0bd\x7fe\u2028f\u2029g\ufffd"
RIGHT = "منتج جيد جدا مقابل price 100 ‏USD " * 8
TEXTS = {
    "script": SCRIPT, "long": LONG, "override": OVERRIDE, "emoji": EMOJI, "unseen": UNSEEN, "control": CONTROL,
    "right": RIGHT, "words": "lorem ipsum " * 420,
}  # fmt: skip
ODD = "a/b?c#d%25&é\"'<i>"
IMAGES = [
    "javascript:alert(5)", "data:text/html,<script>alert(6)</script>", "data:image/svg+xml,<svg onload=alert(7)>",
    "//evil.example/x.png", "https://evil.example/\"onerror=alert(8)//", "/illustrations/../../app.py", "file:///etc/passwd",
    "", " ", "x" * 3000, "vbscript:x", "/search?q=1", "blob:null",
]  # fmt: skip


def hostile_products(folder: Path) -> list[Product]:
    # Once as they come, past the reading of catalogs, which takes out markup and what is too long;
    products = [
        Product(
            f"h-{name}", text, text, (text, text, text), text, 19.99, "USD", rating=4.5, rating_count=10**12,
            availability="in_stock", attributes={text[:60]: (text, text[:3000] + "2"), "Color": (text,)},
        )
        for name, text in TEXTS.items()
    ]  # fmt: skip
    # and once as they are read, addresses with them.
    rows = [
        {"id": f"r-{name}", "title": text, "description": text, "category": text, "brand": text, "price": 19.99,
         "image_url": IMAGES[place], "url": IMAGES[place], "color": text}
        for place, (name, text) in enumerate(TEXTS.items())
    ]  # fmt: skip
    rows += [
        {"id": f"i{place}", "title": f"Picture {place}", "image_url": one, "url": one}
        for place, one in enumerate(IMAGES)
    ]
    file = folder / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    read = [one for _, one in open_catalog(file, CatalogSettings()).read(Notes()) if isinstance(one, Product)]
    assert len(read) > len(IMAGES)
    products += read
    products += [
        Product("bare", "-"),
        Product(ODD, "Odd id", "", ("a > b", "c/d?e=f&g"), price=0.0, currency="USD"),
        Product("dear", "Dear", price=9.99e14, currency="USD", rating=5.0, rating_count=0),
        Product("many", "Many attributes", attributes={f"Attribute {n}": (f"value {n}",) for n in range(200)}),
        Product("values", "Many values", attributes={"Color": tuple(f"{LONG[:40]}{n}" for n in range(200))}),
        *(Product(f"v{n}", f"Variant {LONG[:200]}", group_id="g", price=1.0 + n, currency="USD",
                  attributes={"Size": (f"{n}{LONG[:80]}",)}) for n in range(60)),
    ]  # fmt: skip
    return [*products, *SHOP]


QUERIES = [*TEXTS.values(), "' OR 1=1 --", "under $-1 %s %(x)s {0}", "\\", "%", "a" * 512, "<i>", "&#x3c;b&#x3e;"]


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("wild")
    products = hostile_products(folder)
    layout = write_release(folder / "shop", products)
    add_report(layout, products)
    with served(open_engine(layout)) as address:
        yield address


def pages() -> Iterator[str]:
    yield from (
        "/",
        "/search",
        "/search?page=2",
        "/clusters",
        "/clusters/1",
        "/clusters/2",
        "/map",
        "/report",
        "/report/queries.html",
    )
    for name in TEXTS:
        yield f"/products/h-{name}"
        yield f"/products/r-{name}"
    for known in ("i0", "i4", "i9", "bare", ODD, "dear", "many", "values"):
        yield f"/products/{quote(known, safe='')}"
    yield f"/products/h-script?q={quote_plus(SCRIPT)}"
    yield f"/products/h-long?q={quote_plus(LONG[:500])}"
    yield "/products/v7"
    yield "/similar?liked=h-long&disliked=h-script&liked=h-override&liked=bare"
    yield f"/products/{quote_plus(SCRIPT)}"
    yield f"/nothing/{quote(LONG[:2000])}"
    yield f"/clusters/{quote(SCRIPT, safe='')}"


def queries() -> Iterator[str]:
    for text in QUERIES:
        yield f"/search?q={quote_plus(text[:500])}"
    yield f"/search?q={quote_plus(LONG)}"  # longer than is allowed
    yield f"/search?q=x&price_max=1e308&f.brand={quote_plus(SCRIPT)}&f.Color={quote_plus(LONG[:400])}&sort=price:asc"
    yield f"/search?f.brand={quote_plus(SCRIPT)}"
    yield f"/search?f.category={quote_plus(LONG[:500])}"
    yield f"/search?find.brand={quote_plus(SCRIPT)}"
    yield f"/map?q={quote_plus(SCRIPT)}"
    yield f"/map?q={quote_plus(OVERRIDE)}"
    yield f"/search?page={quote_plus(SCRIPT)}"
    yield f"/similar?liked={quote_plus(SCRIPT)}"


class Watch:
    """What a page did that no catalog may make it do."""

    def __init__(self, page: Any, root: str):
        self.done: list[str] = []
        page.on("dialog", lambda dialog: (self.done.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: self.done.append(f"error: {error}"))
        page.on("console", self.note)
        page.on("request", lambda request: self.asked(request, root))

    def note(self, message: Any) -> None:
        # A picture that cannot be had and a page that answers with an error are told by the browser itself, and so is
        # a picture that the Content-Security-Policy keeps out, which is what it is for.
        expected = ("Failed to load resource", 'violates the following Content Security Policy directive: "img-src')
        if message.type == "error" and not any(one in message.text for one in expected):
            self.done.append(f"console: {message.text[:200]}")

    def asked(self, request: Any, root: str) -> None:
        if not request.url.startswith((root, "data:image/")) and request.resource_type != "image":
            self.done.append(f"asked for {request.url[:80]}")


def broken(page: Any) -> list[str]:
    """What does not fit: a page wider than the window, a card or a suggestion of no bounded height."""
    tall = page.evaluate("""() => [...document.querySelectorAll(".card, .group, .suggestions, .chip")]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height > 1000)
        .map((one) => {
          const words = one.textContent.trim().replace(/\\s+/g, " ").slice(0, 40);
          return `${Math.round(one.getBoundingClientRect().height)} px: ${one.className} ${words}`;
        })""")
    return [*widest(page), *tall[:4]]


@pytest.mark.parametrize("addresses", [pages, queries], ids=["pages", "queries"])
def test_no_text_breaks_a_page_or_runs_in_it(browser: Any, wild: str, addresses: Any) -> None:
    found: dict[str, list[str]] = {}
    with opened_page(browser, wild, viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as page:
        watch = Watch(page, wild)
        for address in addresses():
            page.set_viewport_size({"width": WIDTHS[1], "height": 900})
            page.goto(address)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                if wrong := broken(page):
                    found[f"{address[:60]}, {width}"] = wrong
            if watch.done:
                found[f"{address[:60]}, did"] = watch.done.copy()
                watch.done.clear()
    assert not found, told(found)


def test_the_markup_of_a_catalog_makes_no_element(browser: Any, wild: str) -> None:
    with opened_page(browser, wild) as page:
        for address in (
            "/",
            "/search",
            f"/search?q={quote_plus(SCRIPT)}",
            "/products/h-script",
            "/clusters/1",
            "/report",
        ):
            page.goto(address)
            assert (
                page.evaluate("document.querySelectorAll('[onerror], [onload], script:not([src]):not([type])').length")
                == 0
            )
            assert page.evaluate("[...document.links].filter((one) => !/^(https?|mailto):/.test(one.href)).length") == 0
            assert "{{7*7}}" in page.content() or "49" not in page.title()


def test_suggestions_of_hostile_titles_are_only_text(browser: Any, wild: str) -> None:
    for typed in ("incomp", "script", "txet", "👩", "variant", "<img", "منتج"):
        for width in WIDTHS:
            with opened_page(browser, wild, viewport={"width": width, "height": 800}) as page:
                watch = Watch(page, wild)
                page.goto("/clusters")
                page.locator("#q").press_sequentially(typed, delay=10)
                page.wait_for_timeout(400)
                assert broken(page) == []
                assert page.evaluate("document.querySelectorAll('.suggestions :is(img[onerror], script)').length") == 0
                assert watch.done == []


def test_words_in_one_direction_do_not_turn_the_next_round(browser: Any, wild: str) -> None:
    """An override that a title leaves open ends with the title: the price after it stays readable."""
    with opened_page(browser, wild, viewport={"width": 1280, "height": 900}) as page:
        page.goto("/products/h-override")
        price = page.locator(".product-price")
        assert price.inner_text() == "$19.99"
        # Chromium lays "$19.99" out with its "$" first only when nothing of the title reaches into it.
        first, last = page.evaluate("""() => {
            const text = document.querySelector(".product-price").firstChild, range = document.createRange();
            return [0, text.data.length - 1].map((at) => {
              range.setStart(text, at);
              range.setEnd(text, at + 1);
              return range.getBoundingClientRect().left;
            });
        }""")
        assert first < last


def test_harm_would_be_noticed(browser: Any, wild: str) -> None:
    with opened_page(browser, wild, bypass_csp=True) as page:
        watch = Watch(page, wild)
        page.goto("/clusters")
        page.evaluate("(text) => { document.querySelector('main').innerHTML = text }", SCRIPT)
        page.wait_for_timeout(300)
        assert any(one.startswith("dialog") for one in watch.done)
        page.evaluate(
            "(text) => { document.querySelector('main').innerHTML = `<div style='white-space: nowrap'>${text}</div>` }",
            LONG,
        )
        assert broken(page)
