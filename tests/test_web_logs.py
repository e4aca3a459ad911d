"""The log: one record a line whatever it holds, with the request's id, and nothing of what people search for."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from app import create_app
from search.engine import Engine
from web.live import FixedEngine
from web.serving import logs

HOSTILE = "/nothing%0A12:00:00 INFO forged%1b[31m\u2028%c2%85end"


class Lines(logging.Handler):
    """Keeps what a formatter makes of every record."""

    def __init__(self, formatter: logging.Formatter):
        super().__init__()
        self.setFormatter(formatter)
        self.addFilter(logs.OfRequest())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(params=[logs.TextFormatter, logs.JsonFormatter])
def lines(request: pytest.FixtureRequest, shop: Engine) -> Iterator[Lines]:
    shop.encoder.vectors(["warm-up"])  # that the encoder is ready has a line of its own
    kept = Lines(request.param())
    logger = logging.getLogger("aisle")
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    yield kept
    logger.removeHandler(kept)


def test_a_request_is_one_line_with_its_id_and_without_its_words(shop: Engine, lines: Lines) -> None:
    client = create_app(engine=FixedEngine(shop)).test_client()
    headers = {"X-Request-ID": "abc-1", "Cookie": "topsecret", "User-Agent": "topsecret"}
    assert client.get("/api/v1/search?q=privatewish&page=1", headers=headers).status_code == 200
    (line,) = lines.lines
    assert "abc-1" in line and "/api/v1/search" in line
    assert "privatewish" not in line and "topsecret" not in line


def test_nothing_asked_for_can_write_a_line_of_its_own(shop: Engine, lines: Lines) -> None:
    create_app(engine=FixedEngine(shop)).test_client().get(HOSTILE)
    (line,) = lines.lines
    assert "forged" in line
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


def test_an_error_is_told_once_with_its_stack_and_no_line_of_it_looks_like_a_record(lines: Lines) -> None:
    class Failing:
        engine, is_opening, trouble = None, False, ""

        def get(self) -> Engine:
            raise RuntimeError("bad\n12:00:00 INFO forged")

    create_app(engine=Failing()).test_client().get("/api/v1/search", headers={"X-Request-ID": "abc-2"})
    told = [line for line in lines.lines if "Traceback" in line]
    assert len(told) == 1
    assert all("abc-2" in line for line in lines.lines)
    assert not any(line.startswith("12:00:00 INFO") for text in lines.lines for line in text.splitlines())


def test_json_tells_route_size_and_waiting_and_marks_what_was_slow(
    shop: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_app(engine=FixedEngine(shop)).test_client()
    with caplog.at_level(logging.INFO, logger="aisle.requests"):
        size = len(client.get("/api/v1/products/0001").data)
        monkeypatch.setattr(logs, "SLOW_MS", 0)
        client.get("/products/0001")
    first, second = (json.loads(logs.JsonFormatter().format(record)) for record in caplog.records[-2:])
    assert (first["route"], first["path"]) == ("/api/v1/products/<path:product_id>", "/api/v1/products/0001")
    assert (first["status"], first["bytes"], first["waited_ms"], first["slow"]) == (200, size, 0.0, False)
    assert (second["slow"], second["level"]) == (True, "warning")


def test_printable_leaves_words_of_every_language_as_they_are() -> None:
    assert logs.printable("Größe 42 靴 é") == "Größe 42 靴 é"
    assert logs.printable("a\r\nb\x00\u202e\x7f") == r"a\r\nb\x00\u202e\x7f"
