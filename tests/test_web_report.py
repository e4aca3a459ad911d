"""The report in the shop: public, linked from every page, and under a policy that runs nothing but its own style."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient
from report_fixtures import add_report

from app import create_app
from web.live import FixedEngine


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    layout = write_release(tmp_path_factory.mktemp("report") / "shop", SHOP)
    add_report(layout, SHOP)
    engine = open_engine(layout)
    engine.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(engine)).test_client()


def test_the_live_releases_report_is_linked_from_every_page_and_served(client: FlaskClient) -> None:
    assert 'href="/report"' in client.get("/").text
    response = client.get("/report")
    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert "What this shop’s embedding knows" in response.text


def test_its_policy_allows_exactly_its_own_style(client: FlaskClient) -> None:
    for address in ("/report", "/report/queries.html"):
        response = client.get(address)
        policy = response.headers["Content-Security-Policy"]
        style = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
        assert f"style-src 'sha256-{hashed}';" in policy
        assert "unsafe" not in policy and "script-src" not in policy and "default-src 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_other_pages_keep_the_shops_policy(client: FlaskClient) -> None:
    assert "style-src 'self'" in client.get("/").headers["Content-Security-Policy"]


def test_its_links_lead_into_the_shop(client: FlaskClient) -> None:
    text = client.get("/report").text
    assert "data-page" not in text
    links = set(re.findall(r'href="(/[^"]*)"', text))
    assert {"/", "/report/queries.html"} <= links
    assert any(link.startswith("/products/") for link in links)
    assert {client.get(link).status_code for link in links} == {200}
    assert 'href="/report"' in client.get("/report/queries.html").text


def test_a_release_without_a_report_says_so(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "bare", SHOP))
    bare = create_app(engine=FixedEngine(engine)).test_client()
    for address in ("/report", "/report/queries.html"):
        response = bare.get(address)
        assert response.status_code == 404
        assert "style-src 'self'" in response.headers["Content-Security-Policy"]
    assert bare.get("/report/manifest.json").status_code == 404
