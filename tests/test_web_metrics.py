"""The server in numbers: exact after known requests, never with what someone typed, and cheap."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import SHOP, FakeEncoder, write_release
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from test_web_live import eventually, point

from app import create_app
from search.engine import Engine
from search.home import Home
from search.release import open_release
from web.live import FixedEngine, LiveEngine
from web.serving.metrics import Metrics
from web.settings import Settings

Numbers = dict[str, float]


@pytest.fixture
def app(shop: Engine) -> Flask:
    """The shop behind an engine of its own, whose counters begin at 0."""
    app = create_app(Settings(threads=1, deadline_ms=20, events=False), FixedEngine(shop))
    counted: Metrics = app.extensions["aisle.metrics"]
    app.extensions["aisle.engine"] = FixedEngine(Engine(shop.release, FakeEncoder, watch=counted))
    return app


def numbers(client: FlaskClient) -> Numbers:
    """Return every sample as `name{label="value"}` to value."""
    text = client.get("/metrics").text
    return {
        sample.name + "".join(f"[{name}={value}]" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_and_searches_are_counted_by_what_they_were(app: Flask) -> None:
    client = app.test_client()
    for path in ("/api/v1/search?q=espresso+cup", "/api/v1/search?q=espresso+cup&page=2", "/search?q=red+gown"):
        assert client.get(path).status_code == 200
    client.get("/api/v1/search?q=cup&price_max=1")  # nothing costs that little
    client.get("/api/v1/search?q=espreso+cup")
    client.get("/api/v1/search?page=0")
    client.get("/api/v1/products/none")
    client.get("/nowhere/secret")
    client.get("/other/secret")
    found = numbers(client)
    assert found["aisle_requests_total[operation=search][status=2xx]"] == 4
    assert found["aisle_requests_total[operation=search][status=4xx]"] == 1
    assert found["aisle_requests_total[operation=product][status=4xx]"] == 1
    assert found["aisle_requests_total[operation=pages.search][status=2xx]"] == 1
    assert found["aisle_requests_total[operation=unmatched][status=4xx]"] == 2
    assert found["aisle_request_seconds_count[operation=search]"] == 5
    by_surface = {surface: sum(value for name, value in found.items()
                               if name.startswith("aisle_searches_total") and f"surface={surface}]" in name)
                  for surface in ("api", "page")}  # fmt: skip
    assert by_surface == {"api": 4, "page": 1}
    none = [value for name, value in found.items() if name.startswith("aisle_searches_total[confidence=none]")]
    assert sum(none) == 1
    assert found["aisle_searches_corrected_total"] == 1
    for stage in ("score", "count", "show"):
        assert found[f"aisle_search_stage_seconds_count[stage={stage}]"] == 5
    # Let in: all but what no route takes, and the search that is not understood; /metrics itself never waits.
    assert found["aisle_wait_seconds_count[lane=searches]"] == 8


def test_the_encoder_and_the_caches_are_counted(app: Flask) -> None:
    client = app.test_client()
    for path in ("/api/v1/search?q=lamp", "/api/v1/search?q=lamp&page=2", "/api/v1/search?q=garden"):
        client.get(path)
    found = numbers(client)
    assert found["aisle_encode_texts_count"] == found["aisle_encode_seconds_count"] == 2
    assert found["aisle_encode_texts_bucket[le=1.0]"] == 2
    assert found["aisle_cache_total[cache=scored_queries][result=hit]"] == 1
    assert found["aisle_cache_total[cache=scored_queries][result=miss]"] == 2
    assert found["aisle_cache_total[cache=query_vectors][result=miss]"] == 2


def test_who_was_refused_and_why_is_counted(app: Flask) -> None:
    client = app.test_client()
    lane = app.extensions["aisle.admission"].searches
    lane.enter()
    client.get("/api/v1/search?q=lamp")
    lane.waiting = 0
    client.get("/api/v1/search?q=lamp")
    found = numbers(client)
    assert found["aisle_refused_total[reason=waited_too_long]"] == found["aisle_refused_total[reason=queue_full]"] == 1
    assert found["aisle_requests_total[operation=search][status=5xx]"] == 2
    assert found["aisle_requests_at_work[lane=searches]"] == 1
    lane.leave()


def test_no_label_holds_what_was_typed_nor_grows_with_it(app: Flask) -> None:
    client = app.test_client()
    client.get("/api/v1/search?q=mug")
    before = len(numbers(client))
    for word in ("secretone", "secrettwo"):
        client.get(f"/api/v1/search?q={word}")
        client.get(f"/products/{word}")
        client.get(f"/{word}")
        client.open(f"/api/v1/search?q={word}", method=word.upper())
    text = client.get("/metrics", headers={"X-Request-ID": "secret"}).text
    assert "secret" not in text.lower()
    client.get("/products/0001")
    settled = len(numbers(client))
    for number in range(30):
        client.get(f"/products/x{number}")
        client.get(f"/api/v1/products/x{number}")
        client.get(f"/x{number}")
    assert before <= settled <= len(numbers(client)) <= settled + 30  # the product's operation is new, ids are not


def test_openmetrics_is_spoken_to_who_asks_for_it(app: Flask) -> None:
    client = app.test_client()
    plain = client.get("/metrics")
    assert plain.content_type.startswith("text/plain")
    asked = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert asked.content_type.startswith("application/openmetrics-text")
    assert {"aisle_requests", "aisle_release_info"} <= {family.name for family in openmetrics(asked.text)}
    assert asked.headers["Cache-Control"] == "no-store"


def test_asking_for_numbers_opens_no_release_and_two_apps_do_not_add_up(tmp_path: Path) -> None:
    empty = create_app(Settings(home=tmp_path)).test_client()
    found = numbers(empty)
    assert found["aisle_encoder_ready"] == 0
    assert not [name for name in found if name.startswith("aisle_release_info[")]
    numbers(empty)
    other = numbers(create_app(Settings(home=tmp_path)).test_client())
    assert "aisle_requests_total[operation=metrics.numbers][status=2xx]" not in other


def test_the_live_release_its_switches_and_failures_are_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name, products in (("one", SHOP), ("two", SHOP[:4])):
        write_release(home.releases / name, products)
    point(home, "one")
    app = create_app(Settings(home=tmp_path), FixedEngine(None))  # type: ignore[arg-type]
    live = LiveEngine(home, lambda record, home: FakeEncoder(), app.extensions["aisle.metrics"])
    app.extensions["aisle.engine"] = live
    client = app.test_client()
    try:
        client.get("/api/v1/version")
        assert numbers(client)["aisle_release_info[encoder=fake][release=one]"] == 1
        point(home, "two")
        assert eventually(lambda: live.get().release.name == "two")
        found = numbers(client)
        assert found["aisle_release_info[encoder=fake][release=two]"] == 1
        assert found["aisle_release_products"] == 4
        assert found["aisle_release_switches_total"] == 1
        write_release(home.releases / "three", SHOP)
        (home.releases / "three" / "embeddings.npy").write_bytes(b"cut")
        point(home, "three")
        assert eventually(lambda: numbers(client)["aisle_release_open_failures_total"] == 1)
        assert open_release(home.release("two")).rows == 4
    finally:
        live.close()
