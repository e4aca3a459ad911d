"""What a page weighs and how quickly it answers, in a real browser: python bench/page.py --index instance

Serves a home, opens start, results, product and map cold several times in headless Chromium, and prints medians: bytes
over the wire by kind (headers too), largest contentful paint, layout shift, and the time from an input to the next
paint (the browser's own event timing; in steps of 8 ms) while typing, ticking a filter, loading more, changing the
order and, on a phone, opening the sheet of filters. Exit code 1 when a bar is missed. Needs Playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.served import served

KINDS = {"Document": "html", "Stylesheet": "css", "Script": "js", "Image": "images", "Fetch": "data", "XHR": "data"}
MOST_KB, MOST_CLS, MOST_LCP_MS, MOST_INPUT_MS = 60.0, 0.05, 1500.0, 200.0
CHORUS = Path("instance/bench/chorus_icecat-auto")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
OBSERVE = """
window.seen = { lcp: 0, cls: 0, inputs: {} };
new PerformanceObserver((list) => { for (const one of list.getEntries()) seen.lcp = one.startTime; })
  .observe({ type: "largest-contentful-paint", buffered: true });
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) seen.cls += one.value;
}).observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) {
    if (one.interactionId) seen.inputs[one.interactionId] = Math.max(seen.inputs[one.interactionId] || 0, one.duration);
  }
}).observe({ type: "event", durationThreshold: 16, buffered: true });
"""


Act = Callable[[Any], bool]  # does something on a page; False where the page has no such control


class Visit:
    """One cold visit: a browser context of its own, what came over the wire, and what the page observed."""

    def __init__(self, browser: Any, root: str, *, is_phone: bool = False):
        size = {"width": 390, "height": 844} if is_phone else {"width": 1280, "height": 900}
        self.context = browser.new_context(base_url=root, viewport=size, is_mobile=is_phone, has_touch=is_phone)
        self.page = self.context.new_page()
        self.page.add_init_script(OBSERVE)
        self.bytes: dict[str, float] = {}
        wire = self.context.new_cdp_session(self.page)
        wire.send("Network.enable")
        kind_of: dict[str, str] = {}
        root_of = {"root": root}

        def responded(event: dict[str, Any]) -> None:
            if event["response"]["url"].startswith(root_of["root"]):  # a photograph elsewhere is the catalog's
                kind_of[event["requestId"]] = KINDS.get(event["type"], "other")

        def finished(event: dict[str, Any]) -> None:
            kind = kind_of.get(event["requestId"])
            if kind:
                self.bytes[kind] = self.bytes.get(kind, 0.0) + event["encodedDataLength"] / 1000

        wire.on("Network.responseReceived", responded)
        wire.on("Network.loadingFinished", finished)

    def open(self, path: str) -> None:
        """Open a page and let it come to rest."""
        self.page.goto(path, wait_until="load")
        self.page.wait_for_timeout(600)

    def input_ms(self, act: Act) -> float | None:
        """Return the slowest input to paint of an act, 0 where all took under 16 ms; None without such a control."""
        self.page.evaluate("seen.inputs = {}")
        if not act(self.page):
            return None
        self.page.wait_for_timeout(700)
        return float(self.page.evaluate("Math.max(0, ...Object.values(seen.inputs))"))

    def close(self) -> dict[str, float]:
        """Return what was measured: kB by kind and their sum, LCP in ms, CLS."""
        seen = self.page.evaluate("seen")
        self.context.close()
        code = sum(self.bytes.get(kind, 0.0) for kind in ("html", "css", "js"))
        kinds = {f"{kind}_kb": self.bytes.get(kind, 0.0) for kind in ("html", "css", "js", "images", "data")}
        return {**kinds, "code_kb": code, "lcp_ms": seen["lcp"], "cls": seen["cls"]}


def typing(page: Any) -> bool:
    """Type in the search field."""
    page.locator("input[type=search]").first.click()
    page.keyboard.type(" black", delay=90)
    return True


def ticking(page: Any) -> bool:
    """Tick the first filter."""
    box = page.locator(".facet input[type=checkbox]:visible").first
    return bool(box.count()) and box.click() is None


def loading_more(page: Any) -> bool:
    """Press "show more"."""
    more = page.locator("[data-more]").first
    return bool(more.count()) and more.click() is None


def ordering(page: Any) -> bool:
    """Choose another order by the keyboard."""
    order = page.locator("select[name=sort]").first
    return bool(order.count()) and order.focus() is None and page.keyboard.press("ArrowDown") is None


def opening_sheet(page: Any) -> bool:
    """Open the filters on a phone."""
    opener = page.locator(".filters-open").first
    return bool(opener.count()) and opener.tap() is None


def measured(browser: Any, root: str, times: int) -> dict[str, dict[str, float]]:
    """Return the medians by page."""
    first = Visit(browser, root)
    first.open("/")
    kind = first.page.locator(".kinds a").first
    results = kind.get_attribute("href") if kind.count() else "/search"
    first.open(results)
    product = first.page.locator(".card-title a").first.get_attribute("href")
    first.close()
    acts: dict[str, tuple[str, bool, list[Act]]] = {
        "start": ("/", False, [typing]),
        "results": (results, False, [typing, ticking, loading_more, ordering]),
        "results, phone": (results, True, [opening_sheet]),
        "product": (product, False, [typing]),
        "map": ("/map", False, [typing]),
    }
    return {name: _median(browser, root, *one, times) for name, one in acts.items()}


def _median(browser: Any, root: str, path: str, is_phone: bool, acts: list[Act], times: int) -> dict[str, float]:
    found = []
    for _ in range(times):
        visit = Visit(browser, root, is_phone=is_phone)
        visit.open(path)
        weighed = visit.close()
        for act in acts:  # each on a page of its own, so that none finds what another left
            visit = Visit(browser, root, is_phone=is_phone)
            visit.open(path)
            took = visit.input_ms(act)
            weighed |= {} if took is None else {f"{act.__name__}_ms": took}
            weighed["cls"] = max(weighed["cls"], visit.close()["cls"])
        found.append(weighed)
    return {name: round(statistics.median(one[name] for one in found), 3) for name in found[0]}


def missed(pages: dict[str, dict[str, float]]) -> list[str]:
    """Return what is over its bar."""
    over = [] if pages["results"]["code_kb"] <= MOST_KB else [f"results weigh {pages['results']['code_kb']:.1f} kB"]
    for name, one in pages.items():
        acts = [act for act in one if act.endswith("ing_ms") or act.endswith("more_ms") or act.endswith("sheet_ms")]
        over += [f"{name}: {act} {one[act]:.0f}" for act in acts if one[act] >= MOST_INPUT_MS]
        over += [f"{name}: layout shift {one['cls']}"] if one["cls"] > MOST_CLS else []
        over += [f"{name}: largest paint {one['lcp_ms']:.0f} ms"] if one["lcp_ms"] >= MOST_LCP_MS else []
    return over


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, default=CHORUS if CHORUS.is_dir() else Path("instance"))
    parser.add_argument("--times", type=int, default=3, help="cold visits of each page")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    from playwright.sync_api import sync_playwright

    with served(asked.index) as root, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        pages = measured(browser, root, asked.times)
        browser.close()
    over = missed(pages)
    if asked.json:
        print(json.dumps({"index": str(asked.index), "times": asked.times, "pages": pages, "missed": over}, indent=1))
    else:
        _print(pages, over)
    return 1 if over else 0


def _print(pages: dict[str, dict[str, float]], over: list[str]) -> None:
    columns = ("html_kb", "css_kb", "js_kb", "code_kb", "images_kb", "data_kb", "lcp_ms", "cls")
    print(f"{'':<15}" + "".join(f"{one.replace('_', ' '):>11}" for one in columns) + "   input to paint, ms")
    for name, one in pages.items():
        acts = [f"{act.removesuffix('_ms').replace('_', ' ')} {one[act]:.0f}" for act in one if act not in columns]
        numbers = "".join(
            f"{one[column]:>11.{3 if column == 'cls' else 0 if column == 'lcp_ms' else 1}f}" for column in columns
        )
        print(f"{name:<15}{numbers}   {', '.join(acts)}")
    print("\n".join(f"missed: {one}" for one in over) or "every bar is kept")


if __name__ == "__main__":
    raise SystemExit(main())
