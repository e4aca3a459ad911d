"""Nobody writes records of their own into the log, and no key is ever in it; as text and as JSON."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from key_fixtures import keys_in

from app import create_app
from search.engine import Engine
from search.home import Home
from web.live import FixedEngine
from web.serving.logs import start_logging
from web.settings import Settings

FORGED = [
    "a\n00:00:00 GET /api/v1/admin 200", "a\r\nb", "a\x1b[2J\x1b[31mred", "a\x9b31m", "a\x00b", "a\u2028b", "a\x85b",
    "a\u202egnp.exe", '"}\n{"level":"error"}', "%s%s%n{0}", "a\x7f\x08\x08b",
]  # fmt: skip
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(params=["text", "json"])
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What the server writes, with its own handler and formatter."""
    root = logging.getLogger()
    before = root.handlers, root.level
    start_logging(request.param)
    stream = io.StringIO()
    root.handlers[0].setStream(stream)  # type: ignore[attr-defined]
    here = threading.get_ident()  # other tests' writers may still have something to say
    root.handlers[0].addFilter(lambda record: record.thread == here)
    stream.form = request.param  # type: ignore[attr-defined]
    yield stream
    root.handlers, root.level = before


def records(written: io.StringIO) -> list[str]:
    """The lines that begin a record, as a reader of the log tells them."""
    lines = written.getvalue().splitlines()
    if written.form == "json":  # type: ignore[attr-defined]
        for line in lines:
            assert isinstance(json.loads(line), dict)
        return lines
    return [line for line in lines if not line.startswith("    ")]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def client_of(shop: Engine, home: Home) -> FlaskClient:
    return create_app(Settings(home=home.root, rate_limit=None), engine=FixedEngine(shop)).test_client()


@pytest.mark.parametrize("forged", FORGED)
def test_a_path_cannot_forge_a_record_or_steer_a_terminal(
    shop: Engine, home: Home, written: io.StringIO, forged: str
) -> None:
    client = client_of(shop, home)
    for path in ("/{}", "/api/v1/products/{}", "/static/{}", "/api/v1/admin/releases/{}:activate", "/clusters/{}"):
        client.get(path.replace("{}", quote(forged)), headers={"X-Request-ID": quote(forged), "User-Agent": "x"})
    assert len(records(written)) == 5
    assert not STEERING.search(written.getvalue())


@pytest.mark.parametrize("forged", FORGED)
def test_an_error_cannot_forge_a_record(written: io.StringIO, forged: str) -> None:
    logger = logging.getLogger("aisle.errors")
    try:
        raise RuntimeError(forged)
    except RuntimeError:
        logger.exception("request %s failed", forged)
    assert len(records(written)) == 1
    assert not STEERING.search(written.getvalue())


def test_no_key_is_logged_wherever_a_caller_puts_it(shop: Engine, home: Home, written: io.StringIO) -> None:
    keys, client = keys_in(home), client_of(shop, home)
    for key in keys.values():
        for path in (f"/{key}", f"/api/v1/search?key={key}", f"/api/v1/products/{key}", f"/static/{key}",
                     f"/api/v1/admin/releases/{key}:activate", "/api/v1/search?mode=lexical"):  # fmt: skip
            for headers in (
                {"Authorization": f"Bearer {key}"},
                {"X-API-Key": key},
                {"X-Request-ID": key},
                {"Cookie": key},
            ):
                answer = client.get(path, headers=headers)
                client.post(path, headers=headers, json={"key": key})
                if "X-Request-ID" not in headers and key not in path:
                    assert key not in answer.text
        try:
            raise RuntimeError(f"while asking with {key}")
        except RuntimeError:
            logging.getLogger("aisle.errors").exception("failed with %s", key)
    said = written.getvalue()
    assert len(records(written)) > 100
    for key in keys.values():
        assert key[15:40] not in said


def test_the_record_of_a_request_names_the_key_by_its_id(shop: Engine, home: Home, written: io.StringIO) -> None:
    key = keys_in(home)["search"]
    client_of(shop, home).get("/api/v1/clusters", headers={"X-API-Key": key})
    if written.form == "json":  # type: ignore[attr-defined]
        assert json.loads(written.getvalue())["key"] == key.split("_")[1]


def test_what_is_searched_for_is_not_logged(shop: Engine, home: Home, written: io.StringIO) -> None:
    client = client_of(shop, home)
    client.get("/search?q=embarrassing&mode=lexical")
    client.get("/api/v1/search?q=embarrassing&nope=1")
    client.post("/api/v1/search", json={"q": "embarrassing", "mode": "lexical"})
    assert len(records(written)) == 3
    assert "embarrassing" not in written.getvalue()
