"""Answers are small on the wire, and caching goes on working."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import brotli
import pytest
from flask import request
from flask.testing import FlaskClient

from app import create_app
from search.engine import Engine
from web.live import FixedEngine
from web.serving import compression


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    shop.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(shop)).test_client()


@pytest.mark.parametrize(
    "address", ["/", "/search?q=mug", "/api/v1/clusters", "/static/css/base.css", "/illustrations/coffee/red.svg"]
)
@pytest.mark.parametrize(("asked", "unpacked"), [("gzip", gzip.decompress), ("br", brotli.decompress)])
def test_an_answer_is_the_same_whether_compressed_or_not(
    client: FlaskClient, address: str, asked: str, unpacked: Callable[[bytes], bytes]
) -> None:
    plain = client.get(address)
    packed = client.get(address, headers={"Accept-Encoding": asked})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == asked
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"]
    if address not in ("/search?q=mug",):  # its answers carry ids of their own
        assert unpacked(packed.data) == plain.data
    assert len(packed.data) < len(plain.data)


def test_an_unchanged_file_is_not_sent_again_nor_compressed_again(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, headers = "/static/css/base.css", {"Accept-Encoding": "br"}
    first = client.get(address, headers=headers)
    monkeypatch.setattr("flask_compress.flask_compress._compress_data", lambda *_: pytest.fail("compressed again"))
    assert client.get(address, headers=headers).data == first.data
    again = client.get(address, headers={**headers, "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    plain = client.get(address)
    assert plain.headers["ETag"] != first.headers["ETag"]
    assert client.get(address, headers={"If-None-Match": plain.headers["ETag"]}).status_code == 304


def test_an_api_answer_is_revalidated_by_the_same_tag_however_it_was_packed(client: FlaskClient) -> None:
    address = "/api/v1/search?q=mug"
    tag = client.get(address, headers={"Accept-Encoding": "gzip"}).headers["ETag"]
    for asked in ("gzip", "br", "identity"):
        answer = client.get(address, headers={"Accept-Encoding": asked, "If-None-Match": tag})
        assert answer.status_code == 304, asked


def test_a_file_is_sent_whole_to_those_who_ask_for_a_part(client: FlaskClient) -> None:
    answer = client.get("/static/css/base.css", headers={"Accept-Encoding": "gzip", "Range": "bytes=0-9"})
    assert answer.status_code == 200
    assert gzip.decompress(answer.data) == client.get("/static/css/base.css").data


def test_made_up_versions_of_a_file_take_no_memory(client: FlaskClient) -> None:
    kept = compression.StaticFiles()
    for number in range(compression.KEPT + 50):
        kept.set(f"gzip;file{number}", b"x")
    kept.set("gzip;", b"a search")
    assert kept.get("gzip;") is None
    assert kept.get("gzip;file0") is None
    assert kept.get(f"gzip;file{compression.KEPT + 49}") == b"x"
    with client.application.test_request_context("/static/css/base.css?v=1"):
        one = compression._key(request)
    with client.application.test_request_context("/static/css/base.css?v=2"):
        assert compression._key(request) == one


def test_a_sitemap_is_compressed_as_it_streams(client: FlaskClient) -> None:
    packed = client.get("/sitemaps/1.xml", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == client.get("/sitemaps/1.xml").data


def test_small_answers_stay_as_they_are(client: FlaskClient) -> None:
    assert "Content-Encoding" not in client.get("/healthz", headers={"Accept-Encoding": "gzip"}).headers
