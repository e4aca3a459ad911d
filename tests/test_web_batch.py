"""Several searches in one request: the answers of single ones, their texts encoded together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import SHOP, FakeEncoder, open_engine, write_release
from flask.testing import FlaskClient

from app import create_app
from search.engine import Engine
from search.request import SearchRequest
from web.asking import searched
from web.live import FixedEngine

QUERIES = [
    {"q": "red mug", "per_page": 3},
    {"q": "gown", "f.brand": "Velour", "facets": ["color"]},
    {"q": "warm cup under $15"},
    {"q": "tumbler", "mode": "dense", "fold": 1},
    {"q": "blade", "mode": "lexical"},
    {"q": ""},
    {"q": "red mug", "page": 2, "per_page": 1},
    {"q": "leathr boot"},  # misspelt
]


class Counting(FakeEncoder):
    """The fake encoder, which says how often queries were encoded, and how many texts each time."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []

    def encode_queries(self, texts: Any) -> Any:
        self.calls.append(list(texts))
        return self._encode(texts)


def fresh(folder: Path) -> tuple[Engine, Counting]:
    encoder = Counting()
    engine = open_engine(write_release(folder / "shop", SHOP), encoder)
    engine.encoder.vectors(["ready"])
    encoder.calls.clear()
    return engine, encoder


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    shop.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(shop)).test_client()


def without_clock(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("took_ms", "query_id")}


def test_a_batch_answers_what_single_searches_do_in_the_same_order(client: FlaskClient) -> None:
    batch = client.post("/api/v1/search:batch", json={"queries": QUERIES}).get_json()
    single = [client.post("/api/v1/search", json=one).get_json() for one in QUERIES]
    assert [without_clock(one) for one in batch["results"]] == [without_clock(one) for one in single]
    assert {one["release"] for one in batch["results"]} == {batch["release"]}
    assert len({one["query_id"] for one in batch["results"]}) == len(QUERIES)
    assert batch["took_ms"] > 0


def test_all_texts_of_a_batch_are_encoded_in_one_call(tmp_path: Path) -> None:
    engine, encoder = fresh(tmp_path)
    client = create_app(engine=FixedEngine(engine)).test_client()
    assert client.post("/api/v1/search:batch", json={"queries": QUERIES}).status_code == 200
    assert len(encoder.calls) == 1
    assert {"red mug", "gown", "tumbler"} <= set(encoder.calls[0])
    assert "blade" not in encoder.calls[0]  # by words alone
    assert len(encoder.calls[0]) == len(set(encoder.calls[0]))
    alone, one_by_one = fresh(tmp_path / "alone")
    for one in QUERIES:
        create_app(engine=FixedEngine(alone)).test_client().post("/api/v1/search", json=one)
    assert len(one_by_one.calls) >= 5


def test_a_correction_that_is_weighed_is_encoded_with_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    engine, encoder = fresh(tmp_path)
    reader = engine.release.interpreter
    understood = reader.understood

    def offering(text: str, **options: Any) -> Any:
        read = understood(text, **options)
        return replace(read, did_you_mean="red gown") if text == "crimson lamp" else read

    monkeypatch.setattr(reader, "understood", offering)
    found = engine.search_many([SearchRequest(q="crimson lamp"), SearchRequest(q="lamp")])
    assert encoder.calls == [["crimson lamp", "red gown", "lamp"]]
    assert len(found) == 2


def test_a_batch_is_refused_as_a_whole_and_every_fault_is_pointed_at(client: FlaskClient) -> None:
    heard: list[Any] = []
    with searched.connected_to(lambda *_, **said: heard.append(said)):
        body = {"queries": [{"q": "mug"}, {"per_page": 0, "mode": "magic"}, {"f.colr": "red"}]}
        answer = client.post("/api/v1/search:batch", json=body)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.get_json()["errors"]] == [
        "#/queries/1/per_page", "#/queries/1/mode", "#/queries/2/f.colr",
    ]  # fmt: skip
    assert heard == []


def test_those_who_listen_hear_of_every_search_of_a_batch(client: FlaskClient) -> None:
    heard: list[Any] = []
    with searched.connected_to(lambda *_, **said: heard.append((said["surface"], said["results"].request.q))):
        client.post("/api/v1/search:batch", json={"queries": [{"q": "mug"}, {"q": "gown"}]})
    assert heard == [("batch", "mug"), ("batch", "gown")]


def test_while_the_encoder_loads_a_batch_is_answered_by_words_and_says_so(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "early", SHOP), waits=False)
    client = create_app(engine=FixedEngine(engine)).test_client()
    answer = client.post("/api/v1/search:batch", json={"queries": [{"q": "gown"}, {"q": "", "per_page": 1}]})
    assert [one["degraded"] for one in answer.get_json()["results"]] == ["encoder_loading", None]
    assert answer.headers["Cache-Control"] == "no-store"
    assert engine.search_many([]) == []


def test_what_all_of_a_batch_show_is_bounded(client: FlaskClient) -> None:
    answer = client.post("/api/v1/search:batch", json={"queries": [{"q": "mug", "per_page": 100}] * 13})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "#/queries"
