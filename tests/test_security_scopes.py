"""Every route of the app against every kind of key: generated from the app, so that a new route cannot be forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import SHOP
from flask.testing import FlaskClient
from key_fixtures import keys_in, unknown_key
from werkzeug.test import TestResponse

from app import create_app
from search.engine import Engine
from search.home import Home
from search.state.keys import KeyFile
from web.api.openapi import Operation, operations
from web.live import FixedEngine
from web.settings import Settings

APP = create_app(Settings(rate_limit=None, events=False))
STATED = [(rule, method, stated) for rule, method, stated in operations(APP)]
WITHOUT = [
    rule.rule for rule in APP.url_map.iter_rules()
    if "GET" in (rule.methods or ()) and not hasattr(APP.view_functions[rule.endpoint], "operation")
]  # fmt: skip
BAD = ("unknown", "revoked", "expired", "cut")
KINDS = ("", *BAD, "search", "events", "admin", "all")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def keys(home: Home) -> dict[str, str]:
    return keys_in(home)


@pytest.fixture(scope="module")
def clients(home: Home, keys: dict[str, str], shop: Engine) -> dict[str, FlaskClient]:
    """By what is open without a key."""
    return {
        text: create_app(
            Settings(home=home.root, open_scopes=scopes, rate_limit=None), engine=FixedEngine(shop)
        ).test_client()
        for text, scopes in {
            "search,events": ("search", "events"), "search": ("search",), "events": ("events",), "none": (),
        }.items()
    }  # fmt: skip


def path_of(rule: str, engine: Engine) -> str:
    """An address that a rule answers."""
    known = {"product_id": "0001", "cluster_id": "1", "release": engine.release.name, "number": "1",
             "icon": "box", "color": "red", "scheme": "light"}  # fmt: skip
    parts = rule.replace("<", ">").split(">")
    return "".join(known.get(part.rpartition(":")[2], "x") if place % 2 else part for place, part in enumerate(parts))


def expected(stated: Operation, is_open: bool, kind: str) -> int | None:
    """The refusal that a request meets, worked out from the words of web/serving/access.py; None for none."""
    if not stated.scope:
        return None
    if kind in BAD:
        return 401
    if is_open or kind in (stated.scope, "all"):
        return None
    return 401 if not kind else 403


def ask(client: FlaskClient, method: str, path: str, key: str | None, header: str = "Authorization") -> TestResponse:
    headers = {} if key is None else {header: f"Bearer {key}" if header == "Authorization" else key}
    body = {} if method in ("POST", "PUT", "PATCH") else None
    return client.open(path, method=method, headers=headers, json=body)


@pytest.mark.parametrize("opened", ["search,events", "search", "events", "none"])
@pytest.mark.parametrize(("rule", "method", "stated"), STATED, ids=[stated.id for _, _, stated in STATED])
def test_a_route_answers_whom_its_scope_lets_in_and_no_one_else(
    clients: dict[str, FlaskClient], keys: dict[str, str], shop: Engine, rule: str, method: str, stated: Operation,
    opened: str,
) -> None:  # fmt: skip
    is_open = stated.scope in opened.split(",")
    for kind in KINDS:
        for header in ("Authorization", "X-API-Key"):
            answer = ask(clients[opened], method, path_of(rule, shop), keys[kind] if kind else None, header)
            refused = expected(stated, is_open, kind)
            told = (stated.id, opened, kind, answer.status_code, answer.data[:200])
            if refused is None:
                assert answer.status_code not in (401, 403, 405, 429), told
                assert answer.status_code < 500 or answer.mimetype == "application/problem+json", told
                assert b"requested URL was not found" not in answer.data, told
                continue
            assert answer.status_code == refused, told
            problem, challenge = answer.get_json(), answer.headers["WWW-Authenticate"]
            assert problem["code"] == {401: "unauthorized", 403: "forbidden"}[refused]
            error = {"": "", **dict.fromkeys(BAD, "invalid_token")}.get(kind, "insufficient_scope")
            assert challenge.startswith('Bearer realm="aisle"')
            assert (f'error="{error}"' in challenge) if error else ("error" not in challenge)
            if refused == 403:
                assert f'scope="{stated.scope}"' in challenge
            if kind:
                assert keys[kind][15:] not in answer.text + str(answer.headers)


@pytest.mark.parametrize("rule", WITHOUT)
def test_what_is_closed_shows_no_product_by_any_door(
    clients: dict[str, FlaskClient], keys: dict[str, str], shop: Engine, rule: str
) -> None:
    path = path_of(rule, shop)
    for kind in ("", *BAD, "events", "admin"):
        answer = ask(clients["none"], "GET", path, keys[kind] if kind else None)
        assert answer.status_code < 400 or answer.status_code in (401, 403, 404, 503), (path, kind)
        assert not [one.title for one in SHOP if one.title in answer.text], (path, kind)
        assert "<loc>" not in answer.text


def test_an_address_that_leads_nowhere_suggests_no_product_of_a_closed_shop(clients: dict[str, FlaskClient]) -> None:
    assert "Travel Mug" in clients["search"].get("/travel-mug").text  # else this test says nothing
    answer = clients["none"].get("/travel-mug")
    assert (answer.status_code, "Travel Mug" in answer.text) == (401, False)


def test_what_needed_a_key_is_kept_out_of_shared_caches(
    clients: dict[str, FlaskClient], keys: dict[str, str], shop: Engine
) -> None:
    for opened, kept in (("search", "public"), ("none", "private")):
        headers = {"X-API-Key": keys["search"]}
        column = clients[opened].get("/api/v1/map", headers=headers).get_json()["positions"]["url"]
        answers = [clients[opened].get(path, headers=headers) for path in (column, "/sitemap.xml")]
        for answer in answers:
            assert answer.status_code == 200
            assert kept in answer.headers["Cache-Control"]
            assert ("public" in answer.headers["Cache-Control"]) == (opened == "search")
            assert ("x-api-key" in answer.vary) == (opened == "none")


def test_a_key_for_search_opens_the_pages_of_a_closed_shop(
    clients: dict[str, FlaskClient], keys: dict[str, str]
) -> None:
    page = clients["none"].get("/search?q=mug&mode=lexical", headers={"X-API-Key": keys["search"]})
    assert (page.status_code, "Travel Mug" in page.text) == (200, True)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])
def test_without_a_good_admin_key_admin_routes_are_not_there_whatever_is_asked(
    tmp_path: Path, shop: Engine, method: str
) -> None:
    file = KeyFile(Home(tmp_path).keys)
    client = create_app(Settings(home=tmp_path, rate_limit=None), engine=FixedEngine(shop)).test_client()
    paths = {path_of(rule, shop) for rule, _, stated in STATED if stated.scope == "admin"} | {"/api/v1/admin/none"}
    for made in (lambda: "", lambda: file.create("reader", ["search", "events"])[1], unknown_key):
        key = made()
        answers = {(client.open(path, method=method, headers={"X-API-Key": key} if key else {})).status_code
                   for path in paths}  # fmt: skip
        assert answers == {404}


def test_two_different_keys_are_a_question_back_and_two_equal_ones_are_not(
    clients: dict[str, FlaskClient], keys: dict[str, str]
) -> None:
    def asked(bearer: str, header: str) -> TestResponse:
        return clients["none"].get(
            "/api/v1/clusters", headers={"Authorization": f"bearer {bearer}", "X-API-Key": header}
        )

    assert asked(keys["search"], keys["search"]).status_code == 200
    answer = asked(keys["search"], keys["all"])
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
    assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]
    for headers in ({"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"X-API-Key": ""}):
        assert clients["none"].get("/api/v1/clusters", headers=headers).status_code == 400


def test_a_proxys_own_basic_login_is_not_taken_for_a_key(clients: dict[str, FlaskClient]) -> None:
    headers = {"Authorization": "Basic dXNlcjpwYXNz"}
    assert clients["search"].get("/api/v1/clusters", headers=headers).status_code == 200
    assert clients["none"].get("/api/v1/clusters", headers=headers).status_code == 401


def test_a_key_in_the_address_opens_nothing(clients: dict[str, FlaskClient], keys: dict[str, str]) -> None:
    for name in ("key", "api_key", "access_token", "X-API-Key"):
        assert clients["none"].get(f"/api/v1/clusters?{name}={keys['all']}").status_code == 401


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2, "keys": []}', '{"version": 1, "keys": [{}]}'])
def test_a_damaged_keys_file_opens_nothing_and_says_what_to_do(tmp_path: Path, shop: Engine, content: str) -> None:
    keys = keys_in(Home(tmp_path))
    Home(tmp_path).keys.write_text(content)
    client = create_app(Settings(home=tmp_path, open_scopes=("search",)), engine=FixedEngine(shop)).test_client()
    for rule, method, stated in STATED:
        for kind in ("", "all"):
            answer = ask(client, method, path_of(rule, shop), keys[kind] if kind else None)
            if stated.scope in ("", "search"):
                assert answer.status_code not in (401, 403), stated.id
            elif stated.scope == "events" and not kind:
                assert answer.status_code == 401
            else:
                assert (answer.status_code, answer.get_json()["code"]) == (503, "keys_unreadable"), stated.id
                assert str(tmp_path) not in answer.text
                assert str(tmp_path) not in answer.text
                assert "python -m indexer keys create" in answer.get_json()["detail"]
                assert int(answer.headers["Retry-After"]) > 0
