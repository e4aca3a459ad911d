"""What hostile requests try: paths, headers, hosts, scripts, bodies; every answer is a plain refusal or harmless."""

from __future__ import annotations

import gzip
import itertools
import re
from html.parser import HTMLParser
from urllib.parse import quote, unquote

import pytest
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient
from test_security_scopes import STATED, WITHOUT, path_of
from werkzeug.test import create_environ, run_wsgi_app

from app import create_app
from search.engine import Engine
from search.product import Product
from web.api.openapi import operations
from web.live import FixedEngine
from web.settings import Settings

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
TRAVERSALS = [
    "../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "%252e%252e%252fetc%252fpasswd", "..%5c..%5c..%5cetc%5cpasswd", "/etc/passwd", "%2fetc%2fpasswd",
    "....//....//etc/passwd",
    "..%c0%af..%c0%afetc/passwd", "app.py", "../app.py", "..%2fapp.py", "%2e%2e%2fapp.py", "x%00.css", "css/%00",
    "css/../../app.py", "0123456789ab/../../app.py", "file:///etc/passwd", "~/.ssh/id_rsa", ".",  "..", "con",
]  # fmt: skip


@pytest.fixture(scope="module")
def client(shop: Engine) -> FlaskClient:
    return create_app(Settings(rate_limit=None, events=False), engine=FixedEngine(shop)).test_client()


def parameterized() -> list[str]:
    """Each rule with one of its path parameters marked, the others filled in."""
    app = create_app(Settings(rate_limit=None, events=False))
    marked = []
    for rule in app.url_map.iter_rules():
        for name in re.findall(r"<[^>]+>", rule.rule):
            marked.append(rule.rule.replace(name, "\0"))
    return sorted(set(marked))


@pytest.mark.parametrize("marked", parameterized())
def test_no_path_parameter_leads_to_a_file_outside(client: FlaskClient, shop: Engine, marked: str) -> None:
    before, _, after = marked.partition("\0")
    before, after = path_of(before, shop), path_of(after, shop)
    for part in TRAVERSALS:
        for method in ("GET", "POST"):
            answer = client.open(f"{before}{part}{after}", method=method)
            told = (method, part, answer.status_code)
            assert answer.status_code in (308, 400, 401, 404, 405, 422), told
            assert b"root:" not in answer.data, told
            assert b"create_app" not in answer.data, told


def parameters() -> list[tuple[str, str, str]]:
    """(rule, method, parameter) of every query parameter of every operation."""
    return [
        (rule, method, name)
        for rule, method, stated in operations(create_app(Settings(rate_limit=None, events=False)))
        if stated.parameters is not None
        for name in [*stated.parameters.model_fields, "f.brand", "find.brand", SCRIPT]
    ]


class Tags(HTMLParser):
    """Collects what a browser would run: script elements and event handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag == "img" and values.get("src") == "x":
            self.found.append("img")
        if tag == "script" and "src" not in values and values.get("type") != "application/ld+json":
            self.found.append("script")
        self.found += [name for name in values if name.startswith("on")]
        led = [values.get(name) or "" for name in ("href", "action", "formaction", "xlink:href")]
        self.found += [address for address in led if address.lower().startswith("javascript:")]


def runnable(page: str) -> list[str]:
    tags = Tags()
    tags.feed(page)
    return tags.found


@pytest.mark.parametrize(("rule", "method", "name"), parameters())
def test_a_script_in_a_parameter_of_the_api_is_data_that_no_browser_runs(
    client: FlaskClient, shop: Engine, rule: str, method: str, name: str
) -> None:
    answer = client.open(path_of(rule, shop), method=method, query_string={name: SCRIPT})
    assert answer.status_code < 500
    assert answer.mimetype != "text/html"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_script_in_any_member_of_a_body_is_data(client: FlaskClient, shop: Engine) -> None:
    for rule, method, stated in STATED:
        if stated.body is None:
            continue
        for name in [*stated.body.model_fields, "f.brand", SCRIPT]:
            for value in (SCRIPT, [SCRIPT], {SCRIPT: [SCRIPT]}, [{SCRIPT: SCRIPT}]):
                answer = client.open(path_of(rule, shop), method=method, json={name: value})
                assert answer.status_code < 500, (stated.id, name)
                assert answer.mimetype.endswith("json"), (stated.id, name)


PAGES = ["/", "/search", "/products/0001", "/similar", "/clusters", "/clusters/1", "/map"]
FIELDS = ["q", "page", "per_page", "mode", "sort", "price_min", "price_max", "rating_min", "in_stock", "facets",
          "cluster", "f.brand", "f.category", "f.color", "find.brand", "view", "from", "literal", "liked", "disliked",
          "image", "utm_source", SCRIPT]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_script_in_a_parameter_of_a_page_is_shown_as_text(client: FlaskClient, path: str) -> None:
    for name in FIELDS:
        answer = client.get(path, query_string={name: SCRIPT, "mode": "lexical"} if name != "mode" else {name: SCRIPT})
        assert answer.status_code < 500, name
        assert runnable(answer.text) == [], name
        assert ">49<" not in answer.text  # {{7*7}} was not worked out


def test_a_script_in_the_path_or_a_header_is_shown_as_text(client: FlaskClient) -> None:
    for path in (f"/{quote(SCRIPT)}", f"/products/{quote(SCRIPT)}", f"/clusters/{quote(SCRIPT)}"):
        answer = client.get(path, headers={"Accept-Language": "de<script>", "Referer": f"http://x/{quote(SCRIPT)}",
                                           "X-Request-ID": "<script>"})  # fmt: skip
        assert answer.status_code == 404
        assert runnable(answer.text) == []
        assert "<script>" not in answer.headers["X-Request-ID"]


def test_a_script_in_any_field_of_the_catalog_is_shown_as_text(tmp_path_factory: pytest.TempPathFactory) -> None:
    hostile = Product(
        SCRIPT, SCRIPT, SCRIPT, (SCRIPT, SCRIPT), SCRIPT, 9.0, "USD", image_url=f"https://x.example/{SCRIPT}",
        url=f"https://x.example/{SCRIPT}", availability="in_stock", group_id=SCRIPT, attributes={SCRIPT: (SCRIPT,)},
    )  # fmt: skip
    layout = write_release(tmp_path_factory.mktemp("hostile") / "shop", [hostile, *SHOP])
    client = create_app(Settings(rate_limit=None, events=False), engine=FixedEngine(open_engine(layout))).test_client()
    own = quote(SCRIPT, safe="")
    for path in ("/", "/search?mode=lexical", "/search?mode=lexical&q=alert", f"/products/{own}",
                 f"/products/{own}?q=alert",
                 "/clusters/1", "/clusters", "/map", f"/similar?liked={own}", "/sitemaps/1.xml", "/none"):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code in (200, 404), path
        assert runnable(answer.text) == [], path
    shown = client.get(f"/products/{own}").text
    assert "&lt;script&gt;" in shown  # else this test saw nothing
    assert "</script><" not in re.sub(r"<script[^>]*>.*?</script>", "", shown, flags=re.DOTALL)


# -- headers, hosts, redirects --


@pytest.mark.parametrize(
    "value", ["a%0d%0aSet-Cookie:%20x=1", "a%0aX-Evil:%201", "%0d%0a%0d%0a<html>", "a%e5%98%8a%e5%98%8dX: y"]
)
def test_line_ends_in_an_address_add_no_header(client: FlaskClient, shop: Engine, value: str) -> None:
    for path in ("/{}", "/products/{}", "/clusters/9?x={}", "/clusters/{}", "/search?mode=lexical&q={}&page={}",
                 "/api/v1/products/{}", "/api/v1/search?q={}&mode=lexical", "/static/{}",
                 "/map?q={}&mode=lexical"):  # fmt: skip
        headers = client.get(path.replace("{}", value)).headers
        assert not {"Set-Cookie", "X-Evil", "X"} & set(headers.keys()), path
        assert not [one for _, one in headers if "\n" in one or "\r" in one], path


@pytest.mark.parametrize(
    "given", ["a\tb", "a b", "a;b", "x" * 65, "<b>", "é", "a/../b", "", "aisle key", "$(id)", "a,b", "%0d%0a"]
)
def test_a_request_id_that_is_not_plain_is_replaced(client: FlaskClient, given: str) -> None:
    told = client.get("/api/v1/nothing", headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{32}", told.headers["X-Request-ID"])
    assert told.get_json()["request_id"] == told.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "host",
    [
        'evil.example"><script>alert(1)</script>',
        "evil.example/path",
        "a b",
        "shop.example@evil.example",
        "x\ty",
        "é",
        "[::1",
    ],
)
def test_a_host_that_is_no_host_is_refused(client: FlaskClient, host: str) -> None:
    for path in ("/", "/api/v1/clusters", "/sitemap.xml", "/robots.txt"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 400
        assert host not in answer.text


def test_absolute_links_lead_to_the_shops_own_address_whatever_the_host_says(shop: Engine) -> None:
    client = create_app(
        Settings(url="https://shop.example", rate_limit=None, events=False), engine=FixedEngine(shop)
    ).test_client()
    for path in ("/", "/search?mode=lexical&q=lamp", "/products/0001", "/sitemap.xml", "/sitemaps/1.xml", "/robots.txt",
                 "/favicon.ico", "/none"):  # fmt: skip
        answer = client.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example",
                                           "Forwarded": "host=evil.example"})  # fmt: skip
        assert "evil.example" not in answer.text + str(answer.headers), path
    assert "https://shop.example/products/0001" in client.get("/products/0001").text


def test_no_link_of_the_api_names_a_host(client: FlaskClient) -> None:
    for path in (
        "/api/v1/search?mode=lexical",
        "/api/v1/products/0001",
        "/api/v1/clusters",
        "/api/v1/map",
        "/api/v1/suggest?q=mu",
    ):
        assert "evil.example" not in client.get(path, headers={"Host": "evil.example"}).text


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "//evil.example/%2e%2e", "/\\evil.example", "/%5cevil.example", "/%2f%2fevil.example",
     "///evil.example/clusters/9", "/https://evil.example", "/clusters/9?next=//evil.example",
     "/clusters//evil.example/9", "/search?q=x&next=https://evil.example&mode=lexical"],
)  # fmt: skip
def test_no_address_leads_on_to_another_site(client: FlaskClient, path: str) -> None:
    path, _, query = path.partition("?")
    answer = client.get("/", environ_overrides={"PATH_INFO": unquote(path), "QUERY_STRING": query})
    assert answer.status_code in (200, 404, 301, 302, 308)
    if "Location" in answer.headers:
        assert re.match(r"/(?![/\\])|http://localhost/", answer.headers["Location"]), answer.headers["Location"]


def test_a_moved_group_leads_on_within_the_shop(client: FlaskClient) -> None:
    answer = client.get("/clusters/9?q=//evil.example%0d%0aX:y")  # 9 was renamed 2 in this release
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/clusters/2?")


# -- bodies --


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip", "x-unknown"])
def test_a_compressed_body_is_refused_and_never_inflated(client: FlaskClient, coding: str) -> None:
    bomb = gzip.compress(b'{"q": "' + b"a" * 10_000_000 + b'"}')
    assert len(bomb) < 64 * 1024
    answer = client.post(
        "/api/v1/search", data=bomb, headers={"Content-Encoding": coding, "Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupported_media_type")
    plain = client.post("/api/v1/search", json={"mode": "lexical"}, headers={"Content-Encoding": "identity"})
    assert plain.status_code == 200


def test_a_large_body_is_refused_whatever_its_length_says(client: FlaskClient) -> None:
    body = b'{"q": "' + b"a" * 70_000 + b'"}'
    kinds = {"/api/v1/search": 413, "/api/v1/recommend": 413, "/api/v1/nothing": 413, "/search": 405}
    for path, status in kinds.items():
        assert client.post(path, data=body, content_type="application/json").status_code == status
    streamed = client.post(
        "/api/v1/search", content_type="application/json",
        environ_overrides={"wsgi.input": _Endless(), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )  # fmt: skip
    assert streamed.status_code in (400, 413)  # cut at the limit it is no JSON any more


class _Endless:
    """A body that never ends, as a chunked one may."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        assert self.given < 1_000_000, "far more was read than the limit"
        size = 10_000 if size < 0 else size
        self.given += size
        return b"a" * size

    def readline(self, size: int = -1) -> bytes:
        return self.read(size)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "body",
    [b"[" * 30_000, b'{"a":' * 10_000, b"1" * 60_000, b'{"q": "\\ud800"}', b"\xff\xfe{", b"NaN", b"null", b'"x"',
     b'{"price_max": Infinity}', b'{"price_max": 1e999}', b'{"page": 99999999999999999999999}',
     b'{"q": "a", "q": "b"}', b'{"q": "a\\u0000b", "mode": "lexical"}'],
)  # fmt: skip
def test_json_made_to_hurt_is_answered_plainly(client: FlaskClient, shop: Engine, body: bytes) -> None:
    for rule, method, stated in STATED:
        if stated.body is not None:
            answer = client.open(path_of(rule, shop), method=method, data=body, content_type="application/json")
            assert answer.status_code < 500, (stated.id, body[:20])


def test_a_long_address_or_very_many_parameters_are_refused(client: FlaskClient) -> None:
    assert client.get("/api/v1/search?q=" + "a" * 9000).status_code == 414
    many = "&".join(f"f.x{number}=1" for number in range(700))
    assert client.get(f"/api/v1/search?{many}").status_code == 422


def test_no_method_that_is_not_stated_does_anything(client: FlaskClient, shop: Engine) -> None:
    methods = {rule: {method for one, method, _ in STATED if one == rule} for rule, _, _ in STATED}
    for rule, method in itertools.product(methods, ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT")):
        if method not in methods[rule]:
            answer = client.open(path_of(rule, shop), method=method)
            assert answer.status_code in (404, 405), (rule, method)
    for rule in WITHOUT:
        for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE"):
            assert client.open(path_of(rule, shop), method=method).status_code in (404, 405), (rule, method)


@pytest.mark.parametrize("host", ["xn--a", "xn--", "a.xn--0", "xn--a.example:80"])
def test_a_host_that_stands_for_nothing_is_refused_on_every_kind_of_page(client: FlaskClient, host: str) -> None:
    for path in ("/", "/api/docs", "/robots.txt", "/sitemap.xml", "/nope", "/api/v1/search?q=mug"):
        asked = {**create_environ(path), "HTTP_HOST": host}  # the tests' client itself cannot read such a host
        _, status, _ = run_wsgi_app(client.application, asked, buffered=True)
        assert status.startswith("400")


def test_many_errors_make_no_answer_much_larger_than_what_was_asked(client: FlaskClient) -> None:
    queries = [{f"unknown{place}{number}": 1 for number in range(60)} for place in range(50)]
    answer = client.post("/api/v1/search:batch", json={"queries": queries})
    assert (answer.status_code, len(answer.get_json()["errors"])) == (422, 50)


def test_the_path_of_a_problem_is_a_reference(client: FlaskClient) -> None:
    assert client.get("/api/v1/products/a%20b%00").get_json()["instance"] == "/api/v1/products/a%20b%00"
