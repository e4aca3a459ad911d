"""Pictures of every page of the live release: three widths, two color schemes, and a sheet to look at them all.

    python bench/screenshots.py [--root http://127.0.0.1:8000] [--query "..."] [--only results product] [--docs]

Writes instance/screenshots/<page>-<width>-<scheme>.png and index.html there. Names stay the same from run to run, so
that two folders of pictures can be compared. --docs also takes the README's pictures, docs/*.png.
"""

from __future__ import annotations

import argparse
import html
import json
import logging
import shutil
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app import create_app  # noqa: E402
from web.settings import Settings  # noqa: E402

WIDTHS = {390: 844, 768: 1024, 1280: 900}  # CSS pixels and the height of the window
SCHEMES = ("light", "dark")
LONGEST = 2600  # CSS pixels of a page that are pictured
DOCS = ("results", "map")  # the README's pictures: the first window of these pages
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]


@dataclass(frozen=True)
class Shot:
    """A page, or a state of it, to be pictured: where it is and what is done there first."""

    name: str
    address: str
    prepare: Callable[[Page], object] = lambda page: None
    widths: tuple[int, ...] = tuple(WIDTHS)
    is_whole: bool = True  # the page down to LONGEST, not only the window


def type_into_field(text: str) -> Callable[[Page], object]:
    """Return a step that types into the search field and waits for its suggestions."""

    def prepare(page: Page) -> None:
        page.locator("[role=combobox]").first.press_sequentially(text, delay=30)
        page.wait_for_selector("[role=option]")

    return prepare


def open_filters(page: Page) -> None:
    """Press the button that opens the filters on a phone."""
    page.locator(".filters-open").click()
    page.wait_for_selector("dialog[open], #filters:target")


def wait_for_dots(page: Page) -> None:
    """Wait until the map has been drawn."""
    page.wait_for_selector("canvas[data-drawn]", state="attached")


def shots_of(root: str, query: str) -> list[Shot]:
    """Return every page of the shop at `root`, asked for products it has."""
    found = asked(f"{root}/api/v1/search?{urllib.parse.urlencode({'q': query})}")
    product = urllib.parse.quote(found["hits"][0]["product"]["id"])
    disliked = urllib.parse.quote(found["hits"][-1]["product"]["id"])
    cluster = asked(f"{root}/api/v1/clusters")["clusters"][1]["id"]
    q = urllib.parse.quote_plus(query)
    category = urllib.parse.quote_plus(found["hits"][0]["product"]["category"][0])
    return [
        Shot("start", "/"),
        Shot("suggestions", "/clusters", type_into_field(query[:3]), is_whole=False),
        Shot("results", f"/search?q={q}"),
        Shot("results-filtered", f"/search?q={q}&price_max=1000&f.category={category}"),
        Shot("results-weak", "/search?q=pet+insurance"),
        Shot("results-list", f"/search?q={q}&view=list"),
        Shot("filters", f"/search?q={q}", open_filters, widths=(390, 768), is_whole=False),
        Shot("nothing", f"/search?q={q}&price_max=0.01"),
        Shot("product", f"/products/{product}"),
        Shot("product-asked", f"/products/{product}?q={q}"),
        Shot("similar", f"/similar?liked={product}&disliked={disliked}"),
        Shot("clusters", "/clusters"),
        Shot("cluster", f"/clusters/{cluster}"),
        Shot("map", "/map", wait_for_dots),
        Shot("map-asked", f"/map?q={q}", wait_for_dots),
        Shot("report", "/report"),
        Shot("report-queries", "/report/queries.html"),
        Shot("error-404", "/products/there-is-no-such-thing"),
        Shot("error-422", "/search?page=0"),
    ]


def asked(address: str) -> dict[str, Any]:
    """Return the JSON answer of an address."""
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310  # an address we made ourselves
        found: dict[str, Any] = json.load(answer)
    return found


@contextmanager
def serving(root: str | None) -> Iterator[str]:
    """Give the address of a running server, or of one that serves the live release meanwhile."""
    if root:
        yield root.rstrip("/")
        return
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, create_app(Settings.from_environment()), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def take(browser: Browser, root: str, shot: Shot, width: int, scheme: Any, path: Path) -> None:
    """Write one picture; all that is lazy has been scrolled into view before."""
    size: Any = {"width": width, "height": WIDTHS[width]}
    context = browser.new_context(
        base_url=root, viewport=size, color_scheme=scheme, has_touch=width < 800, locale="en-US",
        reduced_motion="reduce",
    )  # fmt: skip
    page = context.new_page()
    page.goto(shot.address)
    shot.prepare(page)
    height = size["height"]
    if shot.is_whole:
        height = min(LONGEST, page.evaluate("document.documentElement.scrollHeight"))
        for seen in range(0, height, size["height"]):
            page.evaluate("y => scrollTo(0, y)", seen)
            page.wait_for_timeout(60)
        page.evaluate("scrollTo(0, 0)")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    page.screenshot(path=path, full_page=shot.is_whole, clip={"x": 0, "y": 0, "width": width, "height": height})
    context.close()


def write_sheet(folder: Path, shots: list[Shot]) -> Path:
    """Write index.html: a row for each page, its pictures side by side."""
    rows = []
    for shot in shots:
        pictures = "".join(
            f'<a href="{name}"><img src="{name}" alt="{width} px, {scheme}" loading="lazy"></a>'
            for scheme in SCHEMES
            for width in shot.widths
            if (folder / (name := f"{shot.name}-{width}-{scheme}.png")).is_file()
        )
        rows.append(f"<h2>{html.escape(shot.name)}</h2><p>{html.escape(shot.address)}</p><div>{pictures}</div>")
    style = (
        "body{font:16px system-ui;margin:2rem;background:#777;color:#fff}"
        "div{display:flex;gap:1rem;align-items:start;overflow:auto}img{height:32rem;background:#fff}"
    )
    path = folder / "index.html"
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Every page</title><style>{style}</style>'
        + "".join(rows),
        "utf-8",
    )
    return path


def main() -> None:
    """Take the pictures and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", help="a running server; without it the live release is served meanwhile")
    parser.add_argument("--query", default="red dress", help="what is searched for")
    parser.add_argument("--out", type=Path, default=ROOT / "instance" / "screenshots")
    parser.add_argument("--only", nargs="+", default=[], help="names of pages")
    parser.add_argument("--widths", nargs="+", type=int, default=list(WIDTHS), choices=list(WIDTHS))
    parser.add_argument("--schemes", nargs="+", default=list(SCHEMES), choices=SCHEMES)
    parser.add_argument("--docs", action="store_true", help="also take the README's pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with serving(options.root) as root, sync_playwright() as playwright:
        path = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        shots = shots_of(root, options.query)
        for shot in shots:
            if options.only and shot.name not in options.only:
                continue
            for scheme in options.schemes:
                for width in set(shot.widths) & set(options.widths):
                    take(browser, root, shot, width, scheme, options.out / f"{shot.name}-{width}-{scheme}.png")
            print(shot.name, flush=True)
        for shot in shots:
            if options.docs and shot.name in DOCS:
                take(browser, root, replace(shot, is_whole=False), 1280, "light", ROOT / "docs" / f"{shot.name}.png")
        browser.close()
    print(f"all of them: {write_sheet(options.out, shots)}")


if __name__ == "__main__":
    main()
