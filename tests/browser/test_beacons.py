"""What a browser tells of clicks: stored with its position, nothing for those who refuse, nothing where it is off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser_fixtures import POTS, WIDE, opened_page, served
from conftest import SHOP, open_engine, write_release

from search.home import Home
from search.state.database import open_for_reading
from web.settings import Settings

pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
pytestmark = pytest.mark.browser


@dataclass
class Shop:
    """A shop that keeps events, and where."""

    root: str
    file: Path

    def events(self, count: int, page: Any) -> list[tuple[Any, ...]]:
        """Wait until so many are stored; give each with the rank at which its search showed the product."""
        sql = """
        SELECT e.type, p.name, e.position, t.name, s.first, s.shown, e.product FROM events AS e
        JOIN names AS p ON p.n = e.product LEFT JOIN searches AS s USING (query_id) LEFT JOIN names AS t ON t.n = s.text
        ORDER BY e.id"""
        for _ in range(100):
            if self.file.exists():
                with closing(open_for_reading(self.file)) as connection:
                    found = connection.execute(sql).fetchall()
                if len(found) >= count:
                    return found
            page.wait_for_timeout(30)
        raise AssertionError(f"{count} events never came")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return open_engine(write_release(tmp_path_factory.mktemp("events") / "shop", (*SHOP, *POTS)))


@pytest.fixture
def kept(engine: Any, tmp_path: Path) -> Iterator[Shop]:
    home = Home(tmp_path)
    with served(engine, Settings(home=home.root)) as root:
        yield Shop(root, home.events)


def rank_of(event: tuple[Any, ...]) -> int:
    """Where the search that an event names had shown its product."""
    *_, first, shown, product = event
    numbers = [int.from_bytes(shown[at : at + 4], "little") for at in range(0, len(shown), 4)]
    return int(first) + numbers.index(product)


def test_a_click_on_a_card_is_stored_with_its_position_and_so_is_the_view_that_follows(
    browser: Any, kept: Shop
) -> None:
    with opened_page(browser, kept.root, **WIDE) as page:
        page.goto("/search?q=coffee")
        card = page.locator(".cards > article").nth(2)
        product = card.get_attribute("data-id")
        card.locator(".card-title a").click()
        page.wait_for_url(f"**/products/{product}?q=coffee")  # the address stays clean
        click, view = kept.events(2, page)
        assert click[:4] == ("click", product, 3, "coffee")
        assert view[:4] == ("view", product, 3, "coffee")
        assert rank_of(click) == 3
        page.goto(f"/products/{SHOP[5].id}")  # come upon without a search
        assert kept.events(3, page)[2][:4] == ("view", SHOP[5].id, None, None)


def test_a_card_that_show_more_brought_names_the_search_that_brought_it(browser: Any, kept: Shop) -> None:
    with opened_page(browser, kept.root, **WIDE) as page:
        page.goto("/search?q=coffee&per_page=4")
        page.locator("a.more").click()
        page.locator('.card[data-position="6"] .card-title a').click()
        page.wait_for_url("**/products/**")
        click = kept.events(2, page)[0]
        assert (click[2], click[4], rank_of(click)) == (6, 5, 6)


@pytest.mark.parametrize("wish", ["doNotTrack: '1'", "globalPrivacyControl: true"])
def test_nothing_is_sent_for_those_who_refuse(browser: Any, kept: Shop, wish: str) -> None:
    name, _, value = wish.partition(": ")
    with opened_page(browser, kept.root, **WIDE) as page:
        # Told by the browser to scripts alone: were it told to the server, the module would not even be there.
        page.add_init_script(f"Object.defineProperty(Navigator.prototype, '{name}', {{get: () => {value}}})")
        sent: list[str] = []
        page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
        page.goto("/search?q=coffee")
        assert page.locator("script[src*='events.js']").count() == 1
        page.locator(".card-title a").first.click()
        page.wait_for_url("**/products/**")
        page.wait_for_load_state("networkidle")
        assert sent == []
        assert page.evaluate("sessionStorage.length") == 0


def test_where_events_are_off_no_page_asks_for_the_script(browser: Any, engine: Any, tmp_path: Path) -> None:
    with (
        served(engine, Settings(home=tmp_path, events=False)) as root,
        opened_page(browser, root, **WIDE) as page,
    ):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/search?q=coffee")
        page.locator(".card-title a").first.click()
        page.wait_for_url("**/products/**")
        page.wait_for_load_state("networkidle")
        assert [url for url in asked if "events" in url] == []
        assert list(tmp_path.iterdir()) == []
