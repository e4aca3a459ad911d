"""Bodies and query strings are read strictly, before anything is done with them."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import BadRequest

from app import create_app
from search.engine import Engine
from web.api.bodies import MAX_DEPTH, parsed_json
from web.live import FixedEngine

JSON = "application/json"


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    shop.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(shop)).test_client()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "line 1 column 2"),
        (b"q=mug", "not JSON"),
        (b'{"q": "caf\xe9"}', "not UTF-8: byte 10"),
        ('{"q": "mug"}'.encode("utf-16"), "not UTF-8"),
        (b'\xef\xbb\xbf{"q": "mug"}', "not JSON"),  # a byte order mark: RFC 8259 has none
        (b'{"q": "mug", "q": "cup"}', '"q" is there twice'),
        (b'{"filters": {"a": 1, "a": 2}}', '"a" is there twice'),
        (b'{"price_max": NaN}', "NaN is no JSON number"),
        (b'{"price_max": -Infinity}', "-Infinity is no JSON number"),
        (b'{"price_max": 1e400}', "too large"),
        (b'{"page": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"q": "\\ud800"}', "half a surrogate pair, \\ud800"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        (b"[" * 30_000, "nested"),
        (b'{"a":' * 9 + b"1" + b"}" * 9, "nested"),
    ],
)
def test_what_programs_read_differently_is_refused_and_said(client: FlaskClient, content: bytes, said: str) -> None:
    for path in ("/api/v1/search", "/api/v1/search:batch", "/api/v1/recommend"):
        answer = client.post(path, data=content, content_type=JSON)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
        assert said in answer.get_json()["detail"]


def test_a_body_may_be_as_deep_as_is_said_and_no_deeper() -> None:
    assert parsed_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    with pytest.raises(BadRequest, match="nested"):
        parsed_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_whole_characters_of_every_plane_are_read(client: FlaskClient) -> None:
    for body in (json.dumps({"q": "mug 🫖 é"}), json.dumps({"q": "mug 🫖 é"}, ensure_ascii=False)):
        answer = client.post("/api/v1/search", data=body.encode(), content_type=JSON)
        assert answer.get_json()["query"]["text"] == "mug 🫖 é"


def test_the_slowest_body_allowed_is_refused_at_once(client: FlaskClient) -> None:
    names = ",".join(f'"{number}":0' for number in range(6_000))
    started = time.perf_counter()
    answer = client.post("/api/v1/search", data=f'{{{names},"0":1}}'[:65_000], content_type=JSON)
    assert answer.status_code == 400
    assert time.perf_counter() - started < 1  # 5 ms; looking for each name among all took seconds


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Content-Type": "text/plain"}, "must be JSON"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "must be JSON"),
        ({"Content-Type": "application/vnd.api+json"}, "must be JSON"),
        ({"Content-Type": ""}, "must be JSON"),
        ({"Content-Type": "application/json; charset=latin-1"}, "charset"),
        ({"Content-Type": JSON, "Content-Encoding": "gzip"}, "compressed"),
        ({"Content-Type": JSON, "Content-Encoding": "br"}, "compressed"),
    ],
)
def test_only_plain_json_in_utf_8_is_read(client: FlaskClient, headers: dict[str, str], said: str) -> None:
    answer = client.post("/api/v1/search", data=gzip.compress(b'{"q": "mug"}'), headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupported_media_type")
    assert said in answer.get_json()["detail"]


def test_a_charset_that_says_what_is_true_does_no_harm(client: FlaskClient) -> None:
    for kind in ("application/json; charset=utf-8", "Application/JSON; charset=UTF-8"):
        answer = client.post("/api/v1/search", data=b'{"q": "mug"}', headers={"Content-Type": kind})
        assert answer.status_code == 200


def test_a_query_string_that_is_not_utf_8_is_refused(client: FlaskClient) -> None:
    for query in ("q=%ff", "q=caf%e9", "q=%ed%a0%80", "%c3=1"):
        answer = client.get(f"/api/v1/search?{query}")
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")
    assert client.get("/search?q=%ff").status_code == 200  # a page makes do
    assert client.get("/api/v1/search?q=%00mug").get_json()["query"]["text"] == "mug"  # NUL is a blank


@pytest.mark.parametrize(
    ("path", "body", "pointer", "said"),
    [
        ("search", {"page": "2"}, "#/page", "integer"),
        ("search", {"page": True}, "#/page", "integer"),
        ("search", {"page": 1.5}, "#/page", "integer"),
        ("search", {"page": 10**30}, "#/page", "10000"),
        ("search", {"price_max": "5"}, "#/price_max", "number"),
        ("search", {"price_max": 1e300}, "#/price_max", "less than"),
        ("search", {"rating_min": 6}, "#/rating_min", "5"),
        ("search", {"q": None}, "#/q", "string"),
        ("search", {"q": "a" * 513}, "#/q", "512"),
        ("search", {"in_stock": "yes"}, "#/in_stock", "0 or 1"),
        ("search", {"facets": "brand,price"}, "#/facets", "list"),
        ("search", {"facets": ["brnd"]}, "#/facets", '"brand"'),
        ("search", {"literal": ["a", 1]}, "#/literal/1", "string"),
        ("search", {"f.color": ["red", 1]}, "#/f.color", "list of texts"),
        ("search", {"f.color": ["red"] * 51}, "#/f.color", "50"),
        ("search", {"f.color": "r" * 513}, "#/f.color", "512"),
        ("search", {"find.color": " " + "r" * 64}, "#/find.color", "65 characters"),
        ("search", {"f.colr": "red"}, "#/f.colr", '"color"'),
        ("search", {"f.a/b~c d": "red"}, "#/f.a~1b~0c%20d", "no filter"),
        ("search", {"cluster": 99}, "#/cluster", "no cluster 99"),
        ("search", {"price_min": 5, "price_max": 2}, "#/price_min", "above"),
        ("search", ["q"], "#", "object"),
        ("search", 7, "#", "object"),
        ("recommend", "0001", "#", "object"),
        ("recommend", {"liked": ["0001"], "filters": {"brand": ["a", 1]}}, "#/filters/brand/1", "string"),
        ("recommend", {"liked": ["0001"], "limit": "3"}, "#/limit", "integer"),
        ("search:batch", {}, "#/queries", "missing"),
        ("search:batch", {"queries": []}, "#/queries", "at least 1"),
        ("search:batch", {"queries": [{}] * 51}, "#/queries", "at most 50"),
        ("search:batch", {"queries": [{}], "query": 1}, "#/query", '"queries"'),
        ("search:batch", {"queries": [{}, "mug"]}, "#/queries/1", "object"),
        ("search:batch", {"queries": [{}, {"per_page": 101}]}, "#/queries/1/per_page", "100"),
        ("search:batch", {"queries": [{"per_pge": 1}]}, "#/queries/0/per_pge", '"per_page"'),
        ("search:batch", {"queries": [{"f.colr": "red"}]}, "#/queries/0/f.colr", '"color"'),
        ("search:batch", {"queries": [{}, {"page": 200, "per_page": 100}]}, "#/queries/1/page", "10,000"),
    ],
)
def test_every_wrong_member_is_pointed_at_with_a_way_out(
    client: FlaskClient, path: str, body: Any, pointer: str, said: str
) -> None:
    answer = client.post(f"/api/v1/{path}", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_parameter")
    error = answer.get_json()["errors"][0]
    assert error["pointer"] == pointer
    assert said in error["detail"]
    assert len(error["detail"]) < 250


def test_an_integer_may_be_written_as_json_schema_reads_it(client: FlaskClient) -> None:
    content = b'{"per_page": 2.0}'
    assert client.post("/api/v1/search", data=content, content_type=JSON).get_json()["per_page"] == 2


@pytest.mark.parametrize(
    "query",
    ["page=1.0", "page=+1", "page=%201", "page=1_0", "page=%D9%A1", "page=", "price_max=1_0", "price_max=inf",
     "price_max=0x1p3", "in_stock=true", "cluster=1e0", "page=" + "9" * 400, "limit=1", "facets=",
     "facets=brand,,price"],
)  # fmt: skip
def test_numbers_of_an_address_have_one_spelling(client: FlaskClient, query: str) -> None:
    assert client.get(f"/api/v1/search?{query}").status_code == 422


def test_a_parameter_of_a_post_stands_in_its_body_and_is_named_as_what_it_is(client: FlaskClient) -> None:
    answer = client.post("/api/v1/search?q=mug", json={}).get_json()
    assert answer["errors"] == [{"parameter": "q", "detail": 'unknown parameter "q"'}]


def test_a_parameter_given_twice_is_named(client: FlaskClient) -> None:
    answer = client.get("/api/v1/suggest?q=a&q=b")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["parameter"] == "q"


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/;q=x,,;"},
        {"Accept-Language": "\xff,;q=1.9,-"},
        {"Accept-Encoding": "br;q=nan, ,;;"},
        {"If-None-Match": 'W/,"'},
        {"If-Modified-Since": "yesterday"},
        {"Range": "bytes=5-1"},
        {"X-Request-ID": "a" * 5000},
        {"Authorization": "Bearer"},
    ],
)
def test_malformed_headers_break_nothing(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/api/v1/search?q=mug", headers=headers).status_code in (200, 400, 401)


def test_head_and_options_behave(client: FlaskClient) -> None:
    got, headed = client.get("/api/v1/suggest?q=mu"), client.head("/api/v1/suggest?q=mu")
    assert (headed.status_code, headed.data) == (200, b"")
    assert headed.headers["ETag"] == got.headers["ETag"]
    assert headed.headers["Content-Length"] == got.headers["Content-Length"]
    allowed = client.options("/api/v1/search")
    assert allowed.status_code in (200, 204)
    assert {"GET", "HEAD", "POST", "OPTIONS"} <= set(allowed.headers["Allow"].split(", "))
    refused = client.delete("/api/v1/search:batch")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "OPTIONS, POST")
    assert refused.mimetype == "application/problem+json"


def test_a_method_that_is_not_known_is_said_before_anything_else(client: FlaskClient) -> None:
    long = "/api/v1/suggest?q=" + "a" * 9000
    assert client.get(long).status_code == 414
    refused = client.put(long, data="x" * 70_000)
    assert (refused.status_code, "GET" in refused.headers["Allow"]) == (405, True)
