"""`PATCH /api/v1/products`: every answer knows a change at once, everywhere, and after a restart."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import FakeEncoder
from flask.testing import FlaskClient
from release_homes import ONE, THREE, home_of_three
from test_web_live import eventually
from werkzeug.test import TestResponse

from app import create_app
from search.home import Home
from search.releases import switch
from search.state.batches import Change
from search.state.changes import ChangeLog
from search.state.keys import KeyFile
from web.live import LiveEngine
from web.settings import Settings

PATH = "/api/v1/products"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = home_of_three(tmp_path_factory.mktemp("template"))
    switch(home, ONE)  # eight products
    return home.root


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    shutil.copytree(template, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture
def key(home: Home) -> str:
    return KeyFile(home.keys).create("prices", ["admin"])[1]


def served(home: Home, key: str) -> tuple[FlaskClient, LiveEngine]:
    """What one server process is."""
    engine = LiveEngine(home, lambda record, home: FakeEncoder())
    engine.get()
    client = create_app(Settings(home=home.root), engine=engine).test_client()
    client.environ_base["HTTP_X_API_KEY"] = key
    return client, engine


@pytest.fixture
def client(home: Home, key: str) -> Iterator[FlaskClient]:
    client, engine = served(home, key)
    yield client
    engine.close()


def patch(client: FlaskClient, *products: Any) -> TestResponse:
    return client.patch(PATH, json={"products": list(products)})


def ids(client: FlaskClient, query: str) -> list[str]:
    answer = client.get(f"/api/v1/search?mode=lexical&{query}")
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.get_json()["hits"]]


def test_a_price_is_in_every_answer_once_it_is_acknowledged(client: FlaskClient) -> None:
    assert ids(client, "q=mug under $15") == ["0003"]
    answer = patch(client, {"id": "0001", "price": 12.5}, {"id": "0005", "price": 300})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.get_json() == {"release": ONE, "sequence": 1, "accepted": 2, "unknown": []}
    assert sorted(ids(client, "q=mug under $15")) == ["0001", "0003"]
    assert ids(client, "price_max=12.5") == ["0001", "0003"]
    assert ids(client, "sort=price:desc")[0] == "0005"
    found = client.get("/api/v1/search?facets=price&fold=1").get_json()
    assert (found["sequence"], found["facets"]["price"]["min"], found["facets"]["price"]["max"]) == (1, 9.0, 300.0)
    assert found["hits"][0]["variants"]["price_min"] == 12.5
    assert client.get("/api/v1/products/0001").get_json()["product"]["price"] == 12.5
    assert client.get("/api/v1/products/0003/similar").get_json()["sequence"] == 1
    page = client.get("/products/0001").text
    assert "$12.50" in page and '"price": "12.50"' in page.replace('"price":"', '"price": "')
    assert "$12.50" in client.get("/search?q=mug&mode=lexical").text
    assert "12.50" in client.get("/api/v1/search:export?format=csv").text
    assert client.get("/api/v1/suggest?q=travel").get_json()["products"][0]["price"] == 12.5


def test_stock_is_availability_in_every_answer(client: FlaskClient) -> None:
    told = patch(client, {"id": "0001", "stock": 0}, {"id": "0002", "stock": 7}, {"id": "0003", "stock": -2},
                 {"id": "0004", "availability": "preorder", "stock": 0}).get_json()  # fmt: skip
    assert told["accepted"] == 4
    assert ids(client, "in_stock=1&fold=0") == ["0002", "0004", "0005", "0006", "0007", "0008"]
    assert ids(client, "q=mug in stock&fold=0") == ["0002"]
    assert ids(client, "f.availability=preorder") == ["0004"]
    facet = client.get("/api/v1/search?facets=availability&fold=0").get_json()["facets"]["availability"]
    assert {one["value"]: one["count"] for one in facet["values"]} == {"in_stock": 5, "out_of_stock": 2, "preorder": 1}
    assert "OutOfStock" in client.get("/products/0003").text


def test_ids_that_the_release_does_not_have_are_told_and_nothing_is_kept_for_them(
    client: FlaskClient, home: Home
) -> None:
    told = patch(client, {"id": "gone", "price": 1}, {"id": "0001", "price": 2}, {"id": "0", "price": 1}).get_json()
    assert (told["accepted"], told["unknown"], told["sequence"]) == (1, ["gone", "0"], 1)
    assert ChangeLog(home.changes).read().changes == {"0001": Change(2.0)}
    told = patch(client, {"id": "gone", "price": 1}).get_json()
    assert (told["accepted"], told["unknown"], told["sequence"]) == (0, ["gone"], 1)


@pytest.mark.parametrize(
    ("products", "pointers"),
    [
        ([], ["#/products"]),
        ([{"id": "0001"}], ["#/products/0"]),
        ([{"id": "0001", "price": None}], ["#/products/0"]),
        ([{"price": 1}], ["#/products/0/id"]),
        ([{"id": "", "price": 1}], ["#/products/0/id"]),
        ([{"id": 1, "price": 1}], ["#/products/0/id"]),
        ([{"id": "0001", "price": -0.01}], ["#/products/0/price"]),
        ([{"id": "0001", "price": "1"}], ["#/products/0/price"]),
        ([{"id": "0001", "price": 1e10}], ["#/products/0/price"]),
        ([{"id": "0001", "price": True}], ["#/products/0/price"]),
        ([{"id": "0001", "availability": "maybe"}], ["#/products/0/availability"]),
        ([{"id": "0001", "stock": 1.5}], ["#/products/0/stock"]),
        ([{"id": "0001", "stock": "1"}], ["#/products/0/stock"]),
        ([{"id": "0001", "title": "x"}], ["#/products/0/title"]),
        ([{"id": "0002", "price": 5}, {"id": "0001", "price": 1}, {"id": "0001", "price": 2}],
         ["#/products/1/id", "#/products/2/id"]),
        ([{"id": f"x{number}", "price": 1} for number in range(1001)], ["#/products"]),
        ({"0001": 5}, ["#/products"]),
        ([[]], ["#/products/0"]),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_pointed_at_and_nothing_of_it_changes(
    client: FlaskClient, home: Home, products: Any, pointers: list[str]
) -> None:
    answer = client.patch(PATH, json={"products": products})
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert [one["pointer"] for one in answer.get_json()["errors"]] == pointers, answer.get_json()
    assert ChangeLog(home.changes).sequence == 0
    assert not home.changes.exists()


def test_a_thousand_products_with_long_ids_fit_in_one_request(client: FlaskClient) -> None:
    products = [
        {"id": f"{number:0256d}", "price": 123456789.25, "availability": "out_of_stock"} for number in range(1000)
    ]
    answer = patch(client, *products)
    assert (answer.status_code, len(answer.get_json()["unknown"])) == (200, 1000)
    assert client.patch(PATH, data=b" " * 600_000, content_type="application/json").status_code == 413
    assert client.post("/api/v1/search", data=b" " * 70_000, content_type="application/json").status_code == 413


@pytest.mark.parametrize(
    "path", ["/api/v1/search?q=mug", "/api/v1/products/0001", "/api/v1/map", "/api/v1/suggest?q=t"]
)
def test_a_tag_holds_until_a_price_changes(client: FlaskClient, path: str) -> None:
    eventually(lambda: client.get("/api/v1/search?q=mug").get_json()["degraded"] is None)
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    patch(client, {"id": "0008", "price": 5})
    answer = client.get(path, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.headers["ETag"] == tag) == (200, False)
    assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_version_health_metrics_and_answers_tell_the_sequence(client: FlaskClient) -> None:
    assert client.get("/api/v1/version").get_json()["sequence"] == 0
    patch(client, {"id": "0008", "price": 5})
    patch(client, {"id": "0008", "price": 6})
    assert client.get("/api/v1/version").get_json()["sequence"] == 2
    assert "aisle_changes_sequence 2.0" in client.get("/metrics").text
    assert "aisle_changes_unreadable 0.0" in client.get("/metrics").text
    assert client.get("/api/v1/search:export?format=jsonl").headers["X-Sequence"] == "2"
    for path in (
        "clusters",
        "clusters/1",
        "map",
        "map/lit?q=mug",
        f"map/{ONE}/points?at=0",
        "products/0008/match?q=knife",
    ):
        assert client.get(f"/api/v1/{path}").get_json()["sequence"] == 2, path
    assert client.post("/api/v1/recommend", json={"liked": ["0001"]}).get_json()["sequence"] == 2
    assert client.post("/api/v1/search:batch", json={"queries": [{"q": "mug"}]}).get_json()["sequence"] == 2


def test_the_link_to_the_next_page_tells_there_whether_anything_moved(client: FlaskClient) -> None:
    first = client.get("/api/v1/search?per_page=3&sort=price:asc").get_json()
    assert (first["moved"], first["links"]["next"].rpartition("&")[2]) == (False, f"state={ONE}.0")
    assert client.get(first["links"]["next"]).get_json()["moved"] is False
    patch(client, {"id": "0008", "price": 5})
    second = client.get(first["links"]["next"]).get_json()
    assert (second["moved"], second["sequence"]) == (True, 1)
    assert client.get(second["links"]["next"]).get_json()["moved"] is False
    for wrong in ("", "1", "x.", ".1", "a.b.1", "x.1&state=x.1"):
        answer = client.get(f"/api/v1/search?state={wrong}")
        assert (answer.status_code, answer.get_json()["errors"][0]["parameter"]) == (422, "state")


def test_sending_a_change_again_changes_nothing_more(client: FlaskClient) -> None:
    patch(client, {"id": "0008", "price": 5})
    before = client.get("/api/v1/products/0008").get_json()["product"]
    assert patch(client, {"id": "0008", "price": 5}).status_code == 200
    assert client.get("/api/v1/products/0008").get_json()["product"] == before


def test_every_other_server_of_the_home_follows_within_five_seconds(client: FlaskClient, home: Home, key: str) -> None:
    other, engine = served(home, key)
    try:
        started = time.monotonic()
        patch(client, {"id": "0001", "price": 1.25, "availability": "out_of_stock"})
        assert eventually(lambda: ids(other, "price_max=2") == ["0001"], 5)
        assert time.monotonic() - started < 5
        ChangeLog(home.changes).write({"0003": Change(1.5)})  # another program, such as update --prices
        assert eventually(lambda: ids(other, "price_max=2") == ["0001", "0003"], 5)
        assert eventually(lambda: ids(client, "price_max=2") == ["0001", "0003"], 5)
    finally:
        engine.close()


def test_changes_outlive_a_restart_and_a_switch_of_releases(client: FlaskClient, home: Home, key: str) -> None:
    patch(client, {"id": "0001", "price": 1.25}, {"id": "0008", "price": 1.5})
    switch(home, THREE)  # two products
    assert eventually(lambda: client.get("/api/v1/version").get_json()["release"] == THREE)
    assert ids(client, "price_max=2&fold=0") == ["0001"]
    assert patch(client, {"id": "0002", "price": 1}).get_json() == {
        "release": THREE, "sequence": 2, "accepted": 1, "unknown": [],
    }  # fmt: skip
    switch(home, ONE)
    other, engine = served(home, key)
    try:
        assert ids(other, "price_max=2&fold=0") == ["0001", "0002", "0008"]
        assert other.get("/api/v1/version").get_json()["sequence"] == 2
    finally:
        engine.close()


def test_a_price_is_answered_with_at_once_while_the_next_release_is_being_opened(
    home: Home, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, engine = served(home, key)
    opened = engine.get()
    write, log = ChangeLog.write, ChangeLog(home.changes)

    def written_as_a_release_opens(*given: Any) -> int:
        sequence = write(*given)
        engine._open(home.live())  # as the follower does: it reads the changes, and answers nothing yet
        return sequence

    monkeypatch.setattr(ChangeLog, "write", written_as_a_release_opens)
    answer = patch(client, {"id": "0001", "price": 3.25}).get_json()
    assert answer["release"] == opened.release.name and answer["sequence"] == log.read(0).sequence
    assert client.get("/api/v1/products/0001").get_json()["product"]["price"] == 3.25
    engine.close()


def test_a_disk_that_is_full_is_told_and_nothing_changes(
    client: FlaskClient, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch(client, {"id": "0001", "price": 5})

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as at:
        at.setattr("os.fsync", full)
        answer = patch(client, {"id": "0001", "price": 6})
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (503, "changes_unavailable")
    assert "free some room on its disk" in problem["detail"]
    assert str(home.root) not in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/api/v1/products/0001").get_json()["product"]["price"] == 5.0
    assert patch(client, {"id": "0001", "price": 7}).get_json()["sequence"] == 2


def test_a_damaged_log_leaves_the_last_good_state_and_is_told(
    client: FlaskClient, home: Home, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    patch(client, {"id": "0001", "price": 5})
    patch(client, {"id": "0002", "price": 6})
    content = home.changes.read_bytes().splitlines(keepends=True)
    content[1] = content[1].replace(b"5.0", b"6.0")
    home.changes.write_bytes(b"".join(content))
    with caplog.at_level(logging.ERROR, logger="aisle.live"):
        other, engine = served(home, key)  # a restart
    try:
        assert "send the prices and stock of that time again" in caplog.text
        assert [
            one["product"]["price"] for one in (other.get(f"{PATH}/{id}").get_json() for id in ("0001", "0002"))
        ] == [20.0, 6.0]
        assert "aisle_changes_unreadable 1.0" in other.get("/metrics").text
        assert client.get(f"{PATH}/0001").get_json()["product"]["price"] == 5.0  # it read that when it was sound
        assert patch(other, {"id": "0001", "price": 5}).get_json()["sequence"] == 3
        assert other.get(f"{PATH}/0001").get_json()["product"]["price"] == 5.0
        assert "aisle_changes_unreadable 0.0" in other.get("/metrics").text
    finally:
        engine.close()


def test_a_log_that_is_lost_is_served_on_and_told_and_its_numbers_are_not_used_again(
    client: FlaskClient, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    patch(client, {"id": "0001", "price": 5})
    patch(client, {"id": "0002", "price": 6})
    with caplog.at_level(logging.ERROR, logger="aisle.live"):
        for name in ("changes.log", "changes.sequence"):
            (home.state / name).unlink()
        assert eventually(lambda: "has lost its changes from 1 to 2" in caplog.text)
    assert client.get(f"{PATH}/0001").get_json()["product"]["price"] == 5.0
    assert patch(client, {"id": "0003", "price": 7}).get_json()["sequence"] == 3
    assert client.get(f"{PATH}/0003").get_json()["product"]["price"] == 7.0


def test_without_a_key_for_it_nothing_is_there(client: FlaskClient, home: Home) -> None:
    KeyFile(home.keys).create("reader", ["search", "events"])
    bare = create_app(Settings(home=home.root), engine=client.application.extensions["aisle.engine"]).test_client()
    assert patch(bare, {"id": "0001", "price": 1}).status_code == 401
    reader = KeyFile(home.keys).create("reader2", ["search"])[1]
    assert bare.patch(PATH, json={}, headers={"X-API-Key": reader}).status_code == 403


def test_each_hundred_products_count_as_a_request(home: Home) -> None:
    key = KeyFile(home.keys).create("slow", ["admin"], rate="10/minute")[1]
    client, engine = served(home, key)
    try:
        answer = patch(client, *({"id": f"x{number}", "price": 1} for number in range(500)))
        assert answer.headers["RateLimit"].startswith('"key";r=5;')
    finally:
        engine.close()


def test_a_change_is_logged_with_who_made_it_and_without_what_it_was(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    with caplog.at_level(logging.INFO, logger="aisle.changes"):
        patch(client, {"id": "0001", "price": 5})
    assert "1 products changed, sequence 1 (key " in caplog.text
    assert key not in caplog.text
