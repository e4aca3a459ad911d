"""What a shop keeps of its visitors, over HTTP: events and searches, never who they were of."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from search.engine import Engine
from search.home import Home
from search.state import events as events_module
from search.state.database import open_for_reading
from search.state.events import EventLog
from search.state.insights import Insights
from search.state.keys import KeyFile
from web.api.events import MOST_EVENTS, EventsAnswer
from web.api.insights import InsightsAnswer
from web.live import FixedEngine
from web.settings import Settings

QUERY = "0123456789abcdef" * 2
CLICK = {"type": "click", "product_id": "0001", "query_id": QUERY, "position": 3}
BROWSER = {"User-Agent": "A Browser of Jane", "X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
def app(shop: Engine, tmp_path: Path) -> Iterator[Flask]:
    shop.encoder.vectors(["ready"])
    found = create_app(Settings(home=tmp_path, events_days=3650), FixedEngine(shop))
    yield found
    found.extensions["aisle.events"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def admin(tmp_path: Path) -> dict[str, str]:
    """What a request needs to ask for insights."""
    return {"X-API-Key": KeyFile(Home(tmp_path).keys).create("desk", ["admin"])[1]}


def kept(app: Flask, sql: str) -> list[tuple[Any, ...]]:
    """What is on disk once the log was closed."""
    log: EventLog = app.extensions["aisle.events"]
    log.close()
    if not log.path.exists():
        return []
    with closing(open_for_reading(log.path)) as connection:
        return connection.execute(sql).fetchall()


SEARCHES = "SELECT name, surface, page, total, visitor FROM searches JOIN names ON n = text ORDER BY id"
EVENTS = "SELECT type, name, hex(query_id), position, value FROM events JOIN names ON n = product ORDER BY id"


# -- events --


def test_an_event_is_stored_before_it_is_acknowledged(app: Flask, client: FlaskClient) -> None:
    answer = client.post("/api/v1/events", json={**CLICK, "value": 19.5})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (202, "no-store")
    assert answer.get_json() == {"accepted": 1, "duplicates": 0, "ignored": 0, "unknown": []}
    EventsAnswer.model_validate_json(answer.data, strict=True, extra="forbid")
    with closing(open_for_reading(app.extensions["aisle.events"].path)) as connection:
        assert connection.execute(EVENTS).fetchall() == [("click", "0001", QUERY.upper(), 3, 19.5)]


def test_a_list_is_stored_whole_and_a_retry_counts_nothing_twice(app: Flask, client: FlaskClient) -> None:
    told = [CLICK, {"type": "purchase", "product_id": "0003", "event_id": "order-7.1"}, {**CLICK, "type": "view"}]
    assert client.post("/api/v1/events", json=told).get_json()["accepted"] == 3
    again = client.post("/api/v1/events", json=told).get_json()
    assert (again["accepted"], again["duplicates"]) == (0, 3)
    assert len(kept(app, EVENTS)) == 3


def test_a_product_that_the_live_release_lacks_is_stored_and_named(app: Flask, client: FlaskClient) -> None:
    told = [{**CLICK, "product_id": "sold out"}, CLICK]
    answer = client.post("/api/v1/events", json=told).get_json()
    assert (answer["accepted"], answer["unknown"]) == (2, ["sold out"])


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        ({}, "#/type"), ({**CLICK, "type": "clikc"}, "#/type"), ({**CLICK, "product_id": ""}, "#/product_id"),
        ({**CLICK, "product_id": "x" * 257}, "#/product_id"), ({**CLICK, "product_id": 7}, "#/product_id"),
        ({**CLICK, "query_id": "1"}, "#/query_id"), ({**CLICK, "query_id": QUERY + "\n"}, "#/query_id"),
        ({**CLICK, "position": 0}, "#/position"), ({**CLICK, "position": 10**30}, "#/position"),
        ({**CLICK, "position": "3"}, "#/position"), ({**CLICK, "value": -1}, "#/value"),
        ({**CLICK, "event_id": "<script>"}, "#/event_id"), ({**CLICK, "time": 1}, "#/time"),
    ],
)  # fmt: skip
def test_an_event_that_is_not_understood_is_named_and_nothing_is_stored(
    app: Flask, client: FlaskClient, event: dict[str, Any], pointer: str
) -> None:
    answer = client.post("/api/v1/events", json=event)
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert pointer in [error["pointer"] for error in answer.get_json()["errors"]]
    in_list = client.post("/api/v1/events", json=[CLICK, event])
    assert in_list.status_code == 422
    assert f"#/1/{pointer[2:]}" in [error["pointer"] for error in in_list.get_json()["errors"]]
    assert kept(app, EVENTS) == []


def test_a_misspelt_name_gets_the_nearest(client: FlaskClient) -> None:
    detail = client.post("/api/v1/events", json={**CLICK, "positoin": 3}).get_json()["detail"]
    assert "position" in detail.replace("positoin", "")


@pytest.mark.parametrize("body", ["null", "3", '"click"', "[]", "[3]", json.dumps([CLICK] * (MOST_EVENTS + 1))])
def test_a_body_that_is_no_event_and_no_short_list_is_422(client: FlaskClient, body: str) -> None:
    assert client.post("/api/v1/events", data=body, content_type="application/json").status_code == 422


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 60_000, b'{"type": NaN}', b"\x00"])
def test_hostile_bodies_are_refused_in_sentences(client: FlaskClient, kind: str, body: bytes) -> None:
    answer = client.post("/api/v1/events", data=body, content_type=kind)
    assert answer.status_code in (400, 422)
    assert answer.mimetype == "application/problem+json"


def test_a_lone_surrogate_spoils_nothing(app: Flask, client: FlaskClient) -> None:
    body = json.dumps([{**CLICK, "product_id": "\ud800"}, CLICK])
    assert client.post("/api/v1/events", data=body, content_type="application/json").status_code == 400
    assert client.post("/api/v1/events", json=CLICK).get_json()["accepted"] == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 202), ({"Origin": "http://localhost"}, 202), ({"Origin": "https://evil.example"}, 403),
     ({"Origin": "null"}, 403), ({"Origin": "http://localhost.evil.example"}, 403)],
)  # fmt: skip
def test_a_beacon_as_plain_text_is_taken_from_this_sites_pages_only(
    app: Flask, client: FlaskClient, headers: dict[str, str], status: int
) -> None:
    answer = client.post("/api/v1/events", data=json.dumps(CLICK), content_type="text/plain", headers=headers)
    assert answer.status_code == status
    assert len(kept(app, EVENTS)) == (status == 202)


@pytest.mark.parametrize("origin", ["http://[x", "null", "", "://", "http://evil.example"])
def test_no_other_origin_sends_plain_text(client: FlaskClient, origin: str) -> None:
    answer = client.post(
        "/api/v1/events", data=json.dumps(CLICK), content_type="text/plain", headers={"Origin": origin}
    )
    assert (answer.status_code, answer.get_json()["code"]) == (403, "forbidden")


def test_a_body_of_another_type_is_415(client: FlaskClient) -> None:
    assert client.post("/api/v1/events", data=CLICK).status_code == 415


def test_a_file_that_cannot_be_written_is_503_and_search_goes_on(
    client: FlaskClient, admin: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "RETRY_SECONDS", 0.0)
    (tmp_path / "state" / "events.sqlite").write_bytes(b"no database" * 1000)
    assert client.get("/api/v1/search?q=mug").status_code == 200
    answer = client.post("/api/v1/events", json=CLICK)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "events_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "damaged" in answer.get_json()["detail"]
    assert client.get("/search?q=mug").status_code == 200
    assert client.get("/api/v1/admin/insights", headers=admin).status_code == 503


# -- privacy --


@pytest.mark.parametrize("wish", [{"DNT": "1"}, {"Sec-GPC": "1"}])
def test_nothing_is_kept_of_those_who_ask_not_to_be_tracked(
    app: Flask, client: FlaskClient, wish: dict[str, str]
) -> None:
    page = client.get("/search?q=mug", headers=wish).text
    assert "events.js" not in page and "data-query-id" not in page
    client.get("/api/v1/search?q=mug", headers=wish)
    answer = client.post("/api/v1/events", json=[CLICK, {**CLICK, "type": "cart"}], headers=wish)
    assert answer.get_json() == {"accepted": 0, "duplicates": 0, "ignored": 2, "unknown": []}
    assert kept(app, SEARCHES) == kept(app, EVENTS) == []


def test_neither_address_nor_browser_nor_cookie_is_written(app: Flask, client: FlaskClient) -> None:
    headers = {**BROWSER, "Cookie": "session=secret-of-jane"}
    environment = {"REMOTE_ADDR": "192.0.2.77"}
    answer = client.get("/search?q=mug+for+jane@example.com", headers=headers, environ_base=environment)
    assert "Set-Cookie" not in answer.headers
    told = client.post("/api/v1/events", json=CLICK, headers=headers, environ_base=environment)
    assert "Set-Cookie" not in told.headers
    [(_, *_, visitor)] = kept(app, SEARCHES)
    assert visitor is not None
    written = b"".join(file.read_bytes() for file in app.extensions["aisle.events"].path.parent.iterdir())
    for secret in (b"192.0.2.77", b"203.0.113.9", b"Browser of Jane", b"secret-of-jane", b"jane@example.com"):
        assert secret not in written


def test_two_searches_of_one_browser_are_linked_and_those_of_two_are_not(app: Flask, client: FlaskClient) -> None:
    for agent in ("one", "one", "two"):
        client.get("/search?q=mug", headers={"User-Agent": agent})
    visitors = [row[-1] for row in kept(app, SEARCHES)]
    assert visitors[0] == visitors[1] != visitors[2]


def test_events_can_be_switched_off(shop: Engine, tmp_path: Path) -> None:
    client = create_app(Settings(home=tmp_path, events=False), FixedEngine(shop)).test_client()
    for address in ("/search?q=mug", "/products/0001?q=mug"):
        text = client.get(address).text
        assert "events.js" not in text and "data-query-id" not in text and "data-viewed" not in text
    assert client.post("/api/v1/events", json=CLICK).get_json()["ignored"] == 1
    assert list(tmp_path.iterdir()) == []


# -- the log of searches --


def test_searches_of_pages_and_programs_are_logged_with_what_they_showed(app: Flask, client: FlaskClient) -> None:
    client.get("/search?q=Red+Gown&f.brand=Velour&sort=price:asc")
    client.get("/api/v1/search?q=mug&per_page=1&page=2")
    found = client.get("/api/v1/search?q=zzz+insurance").get_json()
    rows = kept(app, SEARCHES)
    assert [row[:3] for row in rows] == [("red gown", "page", 1), ("mug", "api", 2), ("zzz insurance", "api", 1)]
    assert rows[2][3] == found["total"]
    filters = "SELECT name, first, length(shown) / 4 FROM searches LEFT JOIN names ON n = filters ORDER BY id LIMIT 2"
    assert kept(app, filters)[0][0] == "brand,sort:price:asc"
    assert kept(app, filters)[1] == (None, 2, 1)


def test_an_answer_that_was_not_modified_is_no_new_search(app: Flask, client: FlaskClient) -> None:
    tag = client.get("/api/v1/search?q=mug").headers["ETag"]
    assert client.get("/api/v1/search?q=mug", headers={"If-None-Match": tag}).status_code == 304
    assert len(kept(app, SEARCHES)) == 1


def test_cards_tell_where_they_stand_and_the_query_they_answer(app: Flask, client: FlaskClient) -> None:
    text = client.get("/search?q=red&per_page=2&page=2").text
    assert 'data-position="3"' in text and 'data-position="1"' not in text
    query_id = text.split('data-query-id="')[1].split('"')[0]
    [(logged,)] = kept(app, "SELECT lower(hex(query_id)) FROM searches")
    assert query_id == logged


def test_pages_shown_together_are_one_search_that_begins_on_the_first(app: Flask, client: FlaskClient) -> None:
    client.get("/search?per_page=2&page=2&from=1")
    client.get("/search?per_page=2&page=2")
    assert kept(app, "SELECT page, first, length(shown) / 4 FROM searches ORDER BY id") == [(1, 1, 4), (2, 3, 2)]


def test_the_map_is_no_page_of_results(app: Flask, client: FlaskClient) -> None:
    client.get("/map?q=red")
    assert kept(app, "SELECT surface FROM searches") == [("map",)]


def test_a_search_does_not_wait_for_its_log(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = threading.Event()
    written: list[int] = []

    def hang(self: EventLog, searches: list[Any], waiting: list[Any]) -> None:
        disk.wait(20)
        written.append(len(searches))

    monkeypatch.setattr(EventLog, "_write", hang)
    monkeypatch.setattr(events_module, "GATHERED", 1)
    for _ in range(3):
        assert client.get("/api/v1/search?q=mug").status_code == 200
    assert written == []
    disk.set()
    app.extensions["aisle.events"].close()
    assert sum(written) == 3


# -- insights --


def test_before_anything_was_asked_insights_are_of_nothing(client: FlaskClient, admin: dict[str, str]) -> None:
    answer = client.get("/api/v1/admin/insights", headers=admin)
    assert (answer.status_code, answer.get_json()["searches"], answer.get_json()["click_through"]) == (200, 0, None)


def test_insights_are_what_was_asked_and_clicked(app: Flask, client: FlaskClient, admin: dict[str, str]) -> None:
    query_id = client.get("/search?q=red").text.split('data-query-id="')[1].split('"')[0]
    client.post("/api/v1/events", json={**CLICK, "query_id": query_id, "position": 2})
    app.extensions["aisle.events"].close()
    answer = client.get("/api/v1/admin/insights?days=1", headers=admin)
    told = answer.get_json()
    InsightsAnswer.model_validate_json(answer.data, strict=True)
    assert told.keys() == Insights.__dataclass_fields__.keys()
    assert answer.headers["Cache-Control"] == "no-store"
    assert (told["searches"], told["clicked"], told["mean_position"]) == (1, 1, 2.0)
    assert told["top"][0]["text"] == "red"
    assert client.get("/api/v1/admin/insights?dais=1", headers=admin).status_code == 422
    assert client.get("/api/v1/admin/insights?days=0", headers=admin).status_code == 422
