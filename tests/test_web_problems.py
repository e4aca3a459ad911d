"""What goes wrong, told in the form the asker expects, with nothing internal in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from search.engine import Engine
from search.errors import EncoderMismatch, ReleaseDamaged
from web.live import FixedEngine
from web.serving.security import content_security_policy
from web.settings import Settings


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    return create_app(engine=FixedEngine(shop)).test_client()


class Failing:
    """Raises where an engine is asked for."""

    engine, is_opening, trouble = None, False, ""

    def __init__(self, error: Exception):
        self.error = error

    def get(self) -> Engine:
        raise self.error


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/api/v1/nothing", {}, 404, "not_found"),
        ("GET", "/api/", {}, 404, "not_found"),
        ("GET", "/api/v1/products/none", {}, 404, "not_found"),
        ("DELETE", "/api/v1/search", {}, 405, "method_not_allowed"),
        ("POST", "/api/v1/suggest", {}, 405, "method_not_allowed"),
        ("POST", "/api/v1/search", {"data": "q=x", "content_type": "text/plain"}, 415, "unsupported_media_type"),
        ("POST", "/api/v1/search", {"data": "{", "content_type": "application/json"}, 400, "bad_request"),
        ("POST", "/api/v1/search", {"data": "x" * 65_537, "content_type": "application/json"}, 413, "body_too_large"),
        ("GET", "/api/v1/search?q=" + "a" * 9000, {}, 414, "address_too_long"),
        ("GET", "/api/v1/search?nope=1", {}, 422, "invalid_parameter"),
    ],
)
def test_every_error_of_the_api_is_a_problem_document(
    client: FlaskClient, method: str, path: str, options: dict[str, str], status: int, code: str
) -> None:
    response = client.open(path, method=method, **options)  # type: ignore[arg-type]
    problem = response.get_json()
    assert response.status_code == problem["status"] == status
    assert response.mimetype == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}
    assert problem["code"] == code
    assert problem["instance"] == path.split("?")[0]
    assert problem["request_id"] == response.headers["X-Request-ID"]


def test_a_refused_method_says_which_are_allowed(client: FlaskClient) -> None:
    assert "GET" in client.delete("/api/v1/search").headers["Allow"]


@pytest.mark.parametrize("path", ["/nothing", "/products/none", "/clusters/99", "/search?page=0", "/search?f.x=1"])
def test_pages_get_their_errors_in_the_shops_layout(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code in (404, 422)
    assert response.mimetype == "text/html"
    assert 'role="search"' in response.text
    assert response.headers["X-Request-ID"] in response.text


def test_a_failure_tells_the_asker_nothing_of_the_inside() -> None:
    app = create_app(engine=Failing(RuntimeError("secret path /home/x")))
    for path in ("/api/v1/search", "/search?q=lamp"):
        response = app.test_client().get(path)
        assert response.status_code == 500
        assert "secret" not in response.text
    assert 'value="lamp"' in response.text  # the query is kept


@pytest.mark.parametrize(
    ("error", "code"),
    [(ReleaseDamaged("products.sqlite is cut"), "release_damaged"), (EncoderMismatch("other"), "encoder_unavailable")],
)
def test_what_may_pass_is_a_503_that_says_when_to_come_back(error: Exception, code: str) -> None:
    response = create_app(engine=Failing(error)).test_client().get("/api/v1/search")
    assert (response.status_code, response.get_json()["code"]) == (503, code)
    assert int(response.headers["Retry-After"]) > 0


def test_before_the_first_build_the_page_says_which_command_to_run(tmp_path: Path) -> None:
    client = create_app(Settings(home=tmp_path)).test_client()
    page = client.get("/")
    assert page.status_code == 503
    assert "python -m indexer build" in page.text
    assert client.get("/api/v1/search").get_json()["code"] == "no_release"
    assert str(tmp_path) not in client.get("/api/v1/search").text + client.get("/").text
    assert client.get("/healthz").get_json() == {"status": "alive"}
    assert client.get("/readyz").status_code == 503
    assert client.get("/api/v1/version").get_json()["release"] is None


def test_ready_means_a_release_is_open_and_the_encoder_answers(shop: Engine) -> None:
    shop.encoder.vectors(["ready"])
    ready = create_app(engine=FixedEngine(shop)).test_client().get("/readyz")
    assert (ready.status_code, ready.get_json()["status"]) == (200, "ready")


def test_not_ready_says_that_the_encoder_is_missing(shop: Engine) -> None:
    unready = Engine(shop.release, lambda: shop.encoder, waits=False)  # type: ignore[arg-type, return-value]
    response = create_app(engine=FixedEngine(unready)).test_client().get("/readyz")
    assert (response.status_code, response.get_json()["code"]) == (503, "encoder_loading")


def test_a_callers_request_id_is_kept_when_it_is_a_plain_one(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "shop-1.a"}).headers["X-Request-ID"] == "shop-1.a"
    assert client.get("/healthz", headers={"X-Request-ID": "a b<c>"}).headers["X-Request-ID"] != "a b<c>"


def test_every_answer_keeps_browsers_strict_and_sets_no_cookie(client: FlaskClient) -> None:
    for path in ("/", "/search?q=lamp", "/nothing", "/api/v1/search", "/static/css/base.css"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Set-Cookie" not in headers


def test_pictures_may_come_from_the_catalogs_origins_and_nothing_else_slips_into_the_policy() -> None:
    policy = content_security_policy(["https://img.shop.example", "https://x.example; script-src *", "data:", "//y"])
    assert "img-src 'self' data: https://img.shop.example;" in policy
    assert "script-src 'self';" in policy
    assert "*" not in policy
