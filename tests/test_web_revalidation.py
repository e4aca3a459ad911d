"""An unchanged answer is not made and sent again; an answer of another release, language or search always is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient

from app import create_app
from search.engine import Engine
from web.api.openapi import operations
from web.live import FixedEngine

KEPT = [
    "search?q=gown&f.color=red", "suggest?q=mu", "products/0001", "products/0001/similar?limit=3",
    "products/0003/match?q=red+cup", "clusters", "clusters/1", "map", "map/lit?q=gown", "map/shop/points?at=0,1",
    "map/shop/positions", "map/shop/leaves", "map/shop/colors/cluster", "openapi.json",
    "search:export?q=gown",
]  # fmt: skip


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    shop.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(shop)).test_client()


@pytest.mark.parametrize("path", KEPT)
def test_what_the_release_decides_is_not_sent_twice(client: FlaskClient, path: str) -> None:
    first = client.get(f"/api/v1/{path}")
    assert first.status_code == 200
    assert first.headers["Cache-Control"] == "no-cache"
    assert "dur=" in first.headers["Server-Timing"]
    for tag in (first.headers["ETag"], f'"x", {first.headers["ETag"]}', "*"):
        again = client.get(f"/api/v1/{path}", headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get(f"/api/v1/{path}", headers={"If-None-Match": '"x"'}).status_code == 200


def test_every_get_of_the_api_is_among_them(client: FlaskClient) -> None:
    app = client.application
    stated = [(rule, one) for rule, method, one in operations(app) if method == "GET"]
    kept = {rule for rule, one in stated if one.revalidated}
    assert len(kept) == len(KEPT)
    assert {rule for rule, one in stated if one.tag in ("search", "products", "clusters")} < kept


def test_a_problem_is_a_problem_whatever_tag_comes_with_it(client: FlaskClient) -> None:
    for path, status in (("search?page=0", 422), ("products/none", 404), ("clusters/99", 404)):
        answer = client.get(f"/api/v1/{path}", headers={"If-None-Match": "*"})
        assert answer.status_code == status
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers


def test_no_tag_is_shared_by_two_addresses(client: FlaskClient) -> None:
    paths = [*KEPT, "search?q=gown&f.color=blue", "search?q=gown", "suggest?q=m", "products/0002", "clusters/2"]
    tags = [client.get(f"/api/v1/{path}").headers["ETag"] for path in paths]
    assert len(set(tags)) == len(tags)


@dataclass
class Switching:
    """Gives views whichever engine is live."""

    engine: Engine

    def get(self) -> Engine:
        return self.engine


def test_another_release_is_another_answer(tmp_path: Path) -> None:
    old, new = (open_engine(write_release(tmp_path / name, SHOP)) for name in ("old", "new"))
    for engine in (old, new):
        engine.encoder.vectors(["ready"])
    live = Switching(old)
    client = create_app(engine=live).test_client()
    paths = [path for path in KEPT if "shop" not in path and path != "openapi.json"]
    tags = {path: client.get(f"/api/v1/{path}").headers["ETag"] for path in paths}
    live.engine = new
    for path, tag in tags.items():
        answer = client.get(f"/api/v1/{path}", headers={"If-None-Match": tag})
        assert answer.status_code == 200, path
        told = answer.get_json() if answer.is_json else {"release": answer.headers["X-Release"]}
        assert told.get("release", "new") == "new"


def test_what_is_written_in_a_language_has_a_tag_for_each(client: FlaskClient) -> None:
    for path in ("suggest?q=mu", "map", "map/shop/points?at=0"):
        english, german = (
            client.get(f"/api/v1/{path}", headers={"Accept-Language": language}) for language in ("en", "de")
        )
        assert english.headers["ETag"] != german.headers["ETag"]
        assert "Accept-Language" in english.headers["Vary"]


def test_an_answer_that_makes_do_has_no_tag_and_is_not_kept(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "early", SHOP), waits=False)
    client = create_app(engine=FixedEngine(engine)).test_client()
    for path in ("search?q=gown", "map/lit?q=gown", "products/0003/match?q=red+cup"):
        answer = client.get(f"/api/v1/{path}", headers={"If-None-Match": "*"})
        assert answer.status_code == 200
        assert answer.get_json()["degraded"] == "encoder_loading"
        assert answer.headers["Cache-Control"] == "no-store" and "ETag" not in answer.headers
    assert "ETag" in client.get("/api/v1/search?q=gown&mode=lexical").headers


def test_an_address_that_says_what_is_usual_is_the_same(client: FlaskClient) -> None:
    tags = {
        client.get(f"/api/v1/search?{asked}").headers["ETag"]
        for asked in ("q=mug", "q=mug&page=1", "per_page=24&q=mug", "q=%20mug", "q=mug&explain=0&interpret=1")
    }
    assert len(tags) == 1
    assert client.get("/api/v1/search?q=mug&page=2").headers["ETag"] not in tags


def test_what_only_writers_ask_is_passed_over(client: FlaskClient) -> None:
    assert client.get("/api/v1/search?q=mug", headers={"If-Match": '"x"'}).status_code == 200
