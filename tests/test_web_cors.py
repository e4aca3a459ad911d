"""Other sites' scripts read the API only when they are named, and never its admin routes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app import create_app
from search.engine import Engine
from web.live import FixedEngine
from web.serving.cors import origins_of
from web.settings import Settings

ALLOWED, OTHER = "https://widgets.example", "https://evil.example"
SEARCH = "/api/v1/search?mode=lexical&q=lamp"


def client_of(shop: Engine, origins: str) -> FlaskClient:
    settings = Settings.from_environment({"AISLE_CORS_ORIGINS": origins})
    return create_app(settings, engine=FixedEngine(shop)).test_client()


def test_no_other_site_reads_the_api_unless_it_is_named(shop: Engine) -> None:
    headers = client_of(shop, "").get(SEARCH, headers={"Origin": ALLOWED}).headers
    assert not [name for name, _ in headers if name.startswith("Access-Control")]


def test_a_named_site_reads_the_api_and_another_does_not(shop: Engine) -> None:
    client = client_of(shop, f"http://[::1]:3000, {ALLOWED}")
    for origin in (ALLOWED, "http://[::1]:3000"):
        headers = client.get(SEARCH, headers={"Origin": origin}).headers
        assert headers.getlist("Access-Control-Allow-Origin") == [origin]
        assert {"ETag", "X-Request-ID", "RateLimit", "Retry-After", "Server-Timing"} <= set(
            headers["Access-Control-Expose-Headers"].split(", ")
        )
        assert "Access-Control-Allow-Credentials" not in headers
    for origin in (OTHER, f"{ALLOWED}.evil.example", ALLOWED.replace(".", "x"), "null", "http://widgets.example"):
        assert "Access-Control-Allow-Origin" not in client.get(SEARCH, headers={"Origin": origin}).headers


def test_caches_are_told_that_the_answer_depends_on_the_origin(shop: Engine) -> None:
    client = client_of(shop, ALLOWED)
    for headers in ({}, {"Origin": ALLOWED}, {"Origin": OTHER}):
        answer = client.get(SEARCH, headers=headers)
        assert "origin" in answer.vary
        assert answer.headers.getlist("Vary").count("Origin") <= 1
    everyone = client_of(shop, "*").get(SEARCH, headers={"Origin": OTHER})
    assert everyone.headers["Access-Control-Allow-Origin"] == "*"
    assert "origin" not in everyone.vary


def test_a_preflight_is_answered_once_for_two_hours(shop: Engine) -> None:
    asked = {
        "Origin": ALLOWED, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key,x-evil",
    }  # fmt: skip
    answer = client_of(shop, ALLOWED).options("/api/v1/search", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Max-Age"] == "7200"
    assert answer.headers["Access-Control-Allow-Headers"] == "content-type, x-api-key"
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == {"GET", "HEAD", "POST"}


def test_a_method_that_changes_the_shop_passes_no_preflight(shop: Engine) -> None:
    asked = {"Origin": ALLOWED, "Access-Control-Request-Method": "PATCH"}
    answer = client_of(shop, ALLOWED).options("/api/v1/products", headers=asked)
    assert "Access-Control-Allow-Methods" not in answer.headers


def test_problems_can_be_read_too(shop: Engine) -> None:
    answer = client_of(shop, ALLOWED).get("/api/v1/search?nope=1", headers={"Origin": ALLOWED})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (422, ALLOWED)


@pytest.mark.parametrize("path", ["/", "/search?q=lamp", "/api/v1/admin/releases", "/api/v1/adminx", "/healthz"])
@pytest.mark.parametrize("origins", ["*", ALLOWED])
def test_pages_and_admin_routes_stay_closed_to_other_sites(shop: Engine, path: str, origins: str) -> None:
    for ask in (client_of(shop, origins).get, client_of(shop, origins).options):
        answer = ask(path, headers={"Origin": ALLOWED, "Access-Control-Request-Method": "GET"})
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_origins_are_read_in_lower_case_and_once() -> None:
    assert origins_of("https://Shop.Example, https://shop.example,,http://localhost:3000") == (
        "https://shop.example", "http://localhost:3000",
    )  # fmt: skip
    assert origins_of(" ") == ()
    assert origins_of("*") == ("*",)


@pytest.mark.parametrize(
    "text",
    ["shop.example", "https://shop.example/", "https://shop.example/path", "ftp://shop.example", "null", "https://",
     "https://*.shop.example", "https://a b.example", "https://u@shop.example", "https://shop.example:443",
     "https://shop.example:port", "https://bücher.example", "*,https://shop.example", "https://a.example\r\nX: y"],
)  # fmt: skip
def test_an_origin_that_no_browser_sends_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="AISLE_CORS_ORIGINS"):
        Settings.from_environment({"AISLE_CORS_ORIGINS": text})
