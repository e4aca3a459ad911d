"""An unmodified InstantSearch page, the real library from npm, over a live Aisle server on another origin."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from browser_fixtures import POTS, WIDE, opened_page, served
from conftest import SHOP, open_engine, write_release

from search.product import Product
from web.settings import Settings

expect = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright").expect
pytestmark = pytest.mark.browser
ADAPTER = Path(__file__).parents[2] / "integrations" / "instantsearch"
TRICKY = Product("x1", "Mug <img src=x onerror=alert(1)> & Co", "A <b>bold</b> mug.", ("Kitchen", "Mugs"),
                 "-Dash: & <Co>", 15.0, "USD", availability="in_stock", attributes={"Color": ("red",)})  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="session")
def library() -> None:
    """instantsearch.js as the lock file pins it, installed once beside the adapter."""
    installed, locked = ADAPTER / "node_modules" / ".package-lock.json", ADAPTER / "package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= locked.stat().st_mtime:
        return
    if shutil.which("npm") is None:
        pytest.skip("no npm here: the InstantSearch page is not tried")
    done = subprocess.run(
        ["npm", "ci", "--silent"], cwd=ADAPTER, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        pytest.skip(f"instantsearch.js could not be installed: {done.stderr.strip()[-200:]}")
    installed.touch()


@pytest.fixture(scope="module")
def demo(library: None) -> Iterator[str]:
    """The address of the demo page, on an origin of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(ADAPTER)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def aisle(demo: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the shop, which lets the demo page's scripts in."""
    layout = write_release(tmp_path_factory.mktemp("instantsearch") / "shop", (*SHOP, *POTS, TRICKY))
    with served(open_engine(layout), Settings(cors_origins=(demo,), events=False)) as address:
        yield address


class Visit:
    """The demo page, every request that it made to Aisle, and all it complained about."""

    def __init__(self, page: Any, aisle: str):
        self.page, self.aisle = page, aisle
        self.asked: list[Any] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request) if "/api/v1/" in request.url else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )

    def posted(self) -> int:
        return sum(request.method == "POST" for request in self.asked)

    def rests(self) -> None:
        """Wait until the facets chosen by the first answer are shown: adding them searches anew, and what the
        library draws when that answer comes puts back whatever was typed into its price range meanwhile."""
        expect(self.page.locator("#others .ais-RefinementList-item").first).to_be_visible()
        self.page.wait_for_function("search.status === 'idle'")

    def total(self, total: int) -> None:
        expect(self.page.locator("#stats")).to_contain_text(re.compile(rf"^{total or 'No'} result"))

    def api(self, **parameters: Any) -> Any:
        """Return what the API answers to someone else."""
        with urlopen(f"{self.aisle}/api/v1/search?{urlencode(parameters, doseq=True)}") as response:  # noqa: S310
            return json.load(response)

    def told(self, facet: str) -> dict[str, int]:
        """Return the values of a list of refinements, as far as it is shown, with their counts."""
        names, numbers = (self.panel(facet).locator(f".ais-RefinementList-{part}") for part in ("labelText", "count"))
        return dict(zip(names.all_inner_texts(), map(int, numbers.all_inner_texts()), strict=True))

    def panel(self, facet: str) -> Any:
        return self.page.locator(".ais-Panel", has=self.page.locator(".ais-Panel-header", has_text=facet))

    def choose(self, facet: str, value: str) -> None:
        self.panel(facet).get_by_role("checkbox", name=value).click()

    def shows(self, titles: list[str]) -> None:
        expect(self.page.locator("#hits h3")).to_have_text(titles)


def counts(answer: Any, facet: str) -> dict[str, int]:
    return {one["value"]: one["count"] for one in answer["facets"][facet]["values"]}


def titles(answer: Any) -> list[str]:
    return [hit["product"]["title"] for hit in answer["hits"]]


@pytest.fixture
def visit(browser: Any, demo: str, aisle: str) -> Iterator[Visit]:
    with opened_page(browser, demo, **WIDE) as page:
        visit = Visit(page, aisle)
        page.goto(f"/index.html?{urlencode({'aisle': aisle})}")
        visit.total(len(SHOP) + len(POTS) + 1)
        visit.rests()
        yield visit
        assert visit.complaints == []


def test_typing_shows_hits_marked_and_explained(visit: Visit) -> None:
    visit.page.locator(".ais-SearchBox-input").first.press_sequentially("hot red mug", delay=20)
    answer = visit.api(q="hot red mug", per_page=8)
    visit.total(answer["total"])
    expect(visit.page.locator("#told")).to_have_text("Read in your words: red.")
    visit.shows(titles(answer))
    expect(visit.page.locator("#hits mark").first).to_have_text("Mug")
    expect(visit.page.locator(".why").first).to_contain_text("title: mug")


def test_a_title_full_of_markup_is_text(visit: Visit) -> None:
    visit.page.locator(".ais-SearchBox-input").first.fill("mug img")
    expect(visit.page.locator("#hits h3", has_text=TRICKY.title)).to_have_count(1)
    assert visit.page.locator("#hits img").count() == 0


def test_a_search_that_leaves_nothing_is_told_with_what_was_read(visit: Visit) -> None:
    visit.page.locator(".ais-SearchBox-input").first.fill("mug under $5")
    visit.total(0)
    expect(visit.page.locator("#told")).to_have_text("Nothing fits.Read in your words: under $5.")


def test_a_refinement_narrows_by_one_request_and_counts_are_those_of_the_api(visit: Visit) -> None:
    before = visit.posted()
    visit.choose("color", "red")
    answer = visit.api(**{"f.color": "red", "per_page": 8})
    visit.total(answer["total"])
    assert visit.posted() == before + 1
    visit.shows(titles(answer))
    for facet in ("color", "brand"):
        told = visit.told(facet)
        assert told and told.items() <= counts(answer, facet).items()
    assert visit.told("color")["black"] == 5  # its own choice does not narrow it
    visit.choose("color", "black")
    visit.total(visit.api(**{"f.color": ["red", "black"]})["total"])
    brand = next(iter(visit.told("brand")))
    visit.choose("brand", brand)
    both = visit.api(**{"f.color": ["red", "black"], "f.brand": brand})
    visit.total(both["total"])
    assert visit.told("color").items() <= counts(both, "color").items()
    expect(visit.page.locator("#current")).to_contain_text(brand)
    visit.page.get_by_role("button", name="Clear refinements").click()
    visit.total(len(SHOP) + len(POTS) + 1)


def test_a_value_that_begins_like_a_negation_is_found_and_chosen(visit: Visit) -> None:
    visit.panel("brand").locator("input[type=search]").fill("dash")
    chosen = visit.panel("brand").get_by_role("checkbox", name=TRICKY.brand)
    expect(chosen).to_have_count(1)
    expect(visit.panel("brand").locator("mark").first).to_have_text("Dash")
    chosen.click()
    visit.total(1)
    visit.shows([TRICKY.title])


def test_pages_are_turned_and_back_leads_back(visit: Visit) -> None:
    first = titles(visit.api(per_page=8))
    visit.shows(first)
    visit.page.get_by_label("Page 2", exact=True).click()
    visit.shows(titles(visit.api(page=2, per_page=8)))
    visit.page.wait_for_url("**page%5D=2")
    visit.page.go_back()
    visit.shows(first)


def test_a_price_range_narrows_and_its_ends_stay(visit: Visit) -> None:
    low, high = (visit.page.locator(f".ais-RangeInput-input--{end}") for end in ("min", "max"))
    expect(low).to_have_attribute("placeholder", "9")
    low.fill("20")
    high.fill("30")
    visit.page.locator(".ais-RangeInput-submit").click()
    answer = visit.api(price_min=20, price_max=30)
    visit.total(answer["total"])
    assert 0 < answer["total"] < len(POTS)
    assert (low.get_attribute("placeholder"), high.get_attribute("placeholder")) == ("9", "140")


def test_categories_open_level_by_level(visit: Visit) -> None:
    menu = visit.page.locator("#category")
    menu.get_by_role("link", name="Kitchen").click()
    visit.total(visit.api(**{"f.category": "Kitchen"})["total"])
    before = visit.posted()
    menu.get_by_role("link", name="Mugs").click()
    answer = visit.api(**{"f.category": "Kitchen > Mugs"})
    visit.total(answer["total"])
    assert visit.posted() == before + 1  # InstantSearch made four requests of it
    told = set(menu.locator("a").all_text_contents())
    found = counts(answer, "category")
    assert {f"Pots{found['Kitchen > Pots']}", f"Mugs{found['Kitchen > Mugs']}", f"Clothing{found['Clothing']}"} <= told


def test_order_rating_and_stock_are_the_apis(visit: Visit) -> None:
    visit.page.locator("#sort select").select_option("products_price_asc")
    cheapest = visit.api(sort="price:asc", per_page=8)
    visit.shows(titles(cheapest))
    rating = visit.page.locator("#rating li").first
    answer = visit.api(rating_min=4)
    expect(rating).to_contain_text(str(answer["total"]))
    rating.locator("a").click()
    visit.total(answer["total"])
    visit.page.locator("#stock input").check()
    visit.total(visit.api(rating_min=4, in_stock=1)["total"])


def test_two_indices_on_one_page_are_one_batch(visit: Visit) -> None:
    visit.page.evaluate(
        """() => {
            const { configure, index } = instantsearch.widgets;
            const cheapest = index({ indexName: "products_price_asc", indexId: "cheapest" });
            search.addWidgets([cheapest.addWidgets([configure({ query: "mug", hitsPerPage: 2 })])]);
        }"""
    )
    with visit.page.expect_response(lambda one: "red gown" in (one.request.post_data or "")) as answered:
        visit.page.locator(".ais-SearchBox-input").first.fill("red gown")
    assert answered.value.url.endswith("/api/v1/search:batch")
    first, second = answered.value.json()["results"]
    answer = visit.api(q="red gown")
    assert (first["total"], [hit["product"]["title"] for hit in first["hits"]]) == (answer["total"], titles(answer)[:8])
    assert (second["query"]["text"], len(second["hits"])) == ("mug", 2)
    visit.total(answer["total"])


def test_a_refusal_is_told_in_the_servers_words(visit: Visit) -> None:
    visit.page.evaluate("search.addWidgets([instantsearch.widgets.configure({ mode: 'dnese' })])")
    expect(visit.page.locator("#error")).to_have_text('mode "dnese" is not known; did you mean "dense"?')
    visit.complaints.clear()  # the browser reports every 422
