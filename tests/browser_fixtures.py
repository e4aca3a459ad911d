"""A browser and a small shop for it to visit, for tests/browser; where there is no browser they skip, saying so."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import SHOP, open_engine, write_release
from report_fixtures import add_report
from werkzeug.serving import make_server

from app import create_app
from search.engine import Engine
from search.product import Product
from web.live import FixedEngine
from web.settings import Settings

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
BROKEN = Product("broken", "Broken Picture Frame", "", ("Home", "Frames"), image_url="/illustrations/none/none.svg")
POTS = tuple(
    Product(f"p{number}", f"Coffee Pot {number}", "Pours.", ("Kitchen", "Pots"), f"Brand {number % 18:02}",
            10.0 + number, "USD", f"/illustrations/coffee/{color}.svg", rating=4.2, rating_count=12,
            availability="in_stock", attributes={"Color": (color,)})
    for number, color in enumerate(("red", "navy", "sage", "black", "white", "clear") * 5)
)  # fmt: skip


@contextmanager
def served(engine: Engine, settings: Settings | None = None) -> Iterator[str]:
    """Serve an engine whose encoder is ready; gives the address."""
    engine.encoder.vectors(["ready"])
    server = make_server(
        "127.0.0.1", 0, create_app(settings or Settings(events=False), FixedEngine(engine)), threaded=True
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextmanager
def opened_page(browser: Any, root: str, **context: Any) -> Iterator[Any]:
    """Give a page of a browser context of its own."""
    opened = browser.new_context(base_url=root, **context)
    page = opened.new_page()
    page.set_default_timeout(10_000)
    yield page
    opened.close()


def chromium_path(kind: Any) -> str:
    """Return where a Chromium is, Playwright's own first; skips the test where there is none."""
    bundled = Path(kind.executable_path)
    found = [str(bundled)] if bundled.is_file() else []
    found += [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("no Chromium here: apt install chromium, or: playwright install chromium")
    return found[0]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path(playwright.chromium), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the shop of conftest with thirty coffee pots and a picture that cannot be had."""
    products = (*SHOP, BROKEN, *POTS)
    layout = write_release(tmp_path_factory.mktemp("web") / "shop", products)
    add_report(layout, products)
    with served(open_engine(layout)) as address:
        yield address


@pytest.fixture
def page(browser: Any, root: str) -> Iterator[Any]:
    with opened_page(browser, root, **WIDE) as opened:
        yield opened


@pytest.fixture
def phone(browser: Any, root: str) -> Iterator[Any]:
    with opened_page(browser, root, **PHONE) as opened:
        yield opened


@pytest.fixture
def plain(browser: Any, root: str) -> Iterator[Any]:
    """A page without JavaScript."""
    with opened_page(browser, root, **WIDE, java_script_enabled=False) as opened:
        yield opened
