"""What search engines get: one address a page, robots.txt, sitemaps, data about products that holds by its shape."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.robotparser import RobotFileParser

import pytest
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient
from test_web_pages import Document

from app import create_app
from search.engine import Engine
from search.product import Product
from web.live import FixedEngine
from web.pages import discovery
from web.settings import Settings

SPACE = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
HOSTILE = (
    Product("a/b ?&<ü>", "</script><script>alert(1)</script>", "]]> & \" '", ("<b>", "x"), "A & B", 1.0, "USD",
            group_id="<g>", attributes={"Color": ("<i>",), "EAN": ("4905524584622",)}),
    Product("evil-2", "</script> two", group_id="<g>", attributes={"Color": ("red",)}),
    Product("bare", "Bare"),
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    engine = open_engine(write_release(tmp_path_factory.mktemp("shop") / "shop", (*SHOP, *HOSTILE)))
    engine.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(engine)).test_client()


def head(client: FlaskClient, address: str) -> tuple[str, str, Document]:
    document = Document(client.get(address).text)
    (canonical,) = document.all("link", rel="canonical")
    (robots,) = document.all("meta", name="robots")
    return canonical["href"], robots["content"], document


@pytest.mark.parametrize(
    ("address", "canonical", "is_indexed"),
    [
        ("/", "/", True),
        ("/?utm_source=letter", "/", True),
        ("/clusters", "/clusters", True),
        ("/clusters/1?f.color=red&sort=price:asc", "/clusters/1", True),
        ("/clusters/0?page=2", "/clusters/0?page=2", True),
        ("/map?q=mug", "/map", True),
        ("/products/0001?q=red+mug", "/products/0001", True),
        ("/search", "/search", True),
        ("/search?f.category=Kitchen&sort=price:asc&utm_source=x", "/search?f.category=Kitchen", True),
        ("/search?f.category=Kitchen&per_page=3&page=2", "/search?f.category=Kitchen&page=2", True),
        ("/search?f.category=Kitchen&f.color=red", "/search?f.category=Kitchen&f.color=red", False),
        ("/search?q=mug", "/search?q=mug", False),
        ("/search?q=zzzz&f.category=Kitchen&mode=lexical", None, False),
        ("/search?price_max=20", "/search?price_max=20", False),
        ("/similar?liked=0001", "/similar?liked=0001", False),
    ],
)
def test_a_page_names_its_one_address_and_only_a_search_is_left_out(
    client: FlaskClient, address: str, canonical: str | None, is_indexed: bool
) -> None:
    found, robots, _ = head(client, address)
    if canonical:
        assert found == f"http://localhost{canonical}"
    assert ("noindex" in robots) is not is_indexed


def test_the_public_address_stands_in_for_the_one_a_request_came_to(shop: Engine) -> None:
    client = create_app(Settings(url="https://shop.example", events=False), FixedEngine(shop)).test_client()
    assert head(client, "/products/0001")[0] == "https://shop.example/products/0001"
    assert "Sitemap: https://shop.example/sitemap.xml" in client.get("/robots.txt").text
    assert "<loc>https://shop.example/products/0001</loc>" in client.get("/sitemaps/1.xml").text
    with pytest.raises(ValueError, match="AISLE_URL"):
        Settings.from_environment({"AISLE_URL": "shop.example"})


def test_titles_and_descriptions_differ_from_page_to_page(client: FlaskClient) -> None:
    told = set()
    addresses = ("/", "/clusters", "/clusters/1", "/search?f.category=Kitchen", "/products/0003", "/products/bare")
    for address in addresses:
        text = client.get(address).text
        title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)
        (description,) = Document(text).all("meta", name="description")
        assert title is not None
        assert 3 < len(description["content"]) <= 160
        told |= {title[1], description["content"]}
    assert len(told) == 2 * len(addresses)


def test_robots_keep_crawlers_from_what_costs_an_encoding_and_let_them_read_the_shop(client: FlaskClient) -> None:
    text = client.get("/robots.txt").text
    rules = [line.removeprefix("Disallow: ") for line in text.splitlines() if line.startswith("Disallow")]
    patterns = [re.compile(re.escape(rule).replace(r"\*", ".*")) for rule in rules]

    def is_allowed(path: str) -> bool:
        return not any(pattern.match(path) for pattern in patterns)

    assert not is_allowed("/search?q=mug")
    assert not is_allowed("/search?f.category=Kitchen&q=mug")
    assert not is_allowed("/products/0001?q=mug")
    assert not is_allowed("/similar?liked=0001")
    assert not is_allowed("/api/v1/search")
    for path in ("/", "/search?f.category=Kitchen&page=2", "/products/q=1", "/clusters/1", "/map", "/static/mark.svg"):
        assert is_allowed(path), path
    parser = RobotFileParser()
    parser.parse(text.splitlines())
    assert parser.site_maps() == ["http://localhost/sitemap.xml"]


def test_the_sitemap_leads_to_every_product_and_group_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "PER_SITEMAP", 4)  # 11 products: three parts
    index = ET.fromstring(client.get("/sitemap.xml").text)  # noqa: S314 - our own
    parts = [one.text or "" for one in index.findall("s:sitemap/s:loc", SPACE)]
    assert len(parts) == 4
    found: list[str] = []
    for part in parts:
        answer = client.get(urlsplit(part).path)
        assert answer.mimetype == "application/xml"
        found += [one.text or "" for one in ET.fromstring(answer.text).findall("s:url/s:loc", SPACE)]  # noqa: S314
    assert len(found) == len(set(found))
    products = {unquote(urlsplit(one).path) for one in found if "/products/" in one}
    assert products == {f"/products/{one.id}" for one in (*SHOP, *HOSTILE)}
    for one in found:
        assert client.get(one.removeprefix("http://localhost")).status_code == 200, one
    assert client.get("/sitemaps/4.xml").status_code == 404
    assert client.get("/sitemaps/0.xml").status_code == 404


def test_whoever_asks_for_favicon_ico_is_led_to_the_mark(client: FlaskClient) -> None:
    answer = client.get("/favicon.ico")
    assert client.get(answer.headers["Location"]).mimetype == "image/svg+xml"


# -- data about products --


def data_of(client: FlaskClient, product_id: str) -> list[dict[str, Any]]:
    text = client.get(f"/products/{product_id}").text
    blocks = re.findall(r'<script type="application/ld\+json" nonce="[^"]+">(.*?)</script>', text, re.DOTALL)
    return [json.loads(block) for block in blocks]


def test_variants_are_a_group_and_the_page_s_own_is_told_whole(client: FlaskClient) -> None:
    group, crumbs = data_of(client, "0001")
    assert (group["@type"], group["productGroupID"]) == ("ProductGroup", "mug")
    assert group["variesBy"] == ["https://schema.org/color"]
    own, other = group["hasVariant"]
    assert (own["sku"], own["color"], own["offers"]["price"]) == ("0001", "red", "20.00")
    assert own["isVariantOf"] == {"@id": group["@id"]}
    assert other == {"@type": "Product", "url": "http://localhost/products/0002"}
    assert [one["name"] for one in crumbs["itemListElement"]] == ["Kitchen", "Mugs", "Travel Mug"]
    assert [one["position"] for one in crumbs["itemListElement"]] == [1, 2, 3]
    assert crumbs["itemListElement"][1]["item"] == "http://localhost/search?f.category=Kitchen+%3E+Mugs"


def test_a_product_that_misses_everything_has_a_page_and_data(client: FlaskClient) -> None:
    data, crumbs = data_of(client, "bare")
    assert data == {
        "@context": "https://schema.org", "@type": "Product", "name": "Bare", "sku": "bare",
        "url": "http://localhost/products/bare",
    }  # fmt: skip
    assert [one["name"] for one in crumbs["itemListElement"]] == ["Bare"]


def test_hostile_texts_are_only_texts_in_head_and_data(client: FlaskClient) -> None:
    path = "/products/a%2Fb%20%3F%26%3C%C3%BC%3E"
    text = client.get(path).text
    assert "<script>alert" not in text
    canonical, _, document = head(client, path)
    assert canonical == f"http://localhost{path}"
    assert document.all("meta", property="og:title")[0]["content"].startswith("</script><script>alert(1)</script>")
    group, _ = data_of(client, path.removeprefix("/products/"))
    assert group["name"] == HOSTILE[0].title
    assert group["hasVariant"][0]["gtin"] == "4905524584622"


def test_every_page_of_search_engines_has_social_tags(client: FlaskClient) -> None:
    for address in ("/", "/clusters/1", "/products/0003"):
        canonical, _, document = head(client, address)
        assert document.all("meta", property="og:url")[0]["content"] == canonical
        assert document.all("meta", property="og:title")
        assert document.all("meta", property="og:description")
    assert document.all("meta", property="og:type")[0]["content"] == "product"


# -- lost --


def test_an_address_of_nothing_offers_what_its_words_name(client: FlaskClient) -> None:
    answer = client.get("/products/old-desk-lamp.html")
    assert answer.status_code == 404
    document = Document(answer.text)
    assert document.all("a", href="/search?q=old+desk+lamp")
    assert document.all("a", href="/products/0006")
    assert not document.all("link", rel="canonical")
    assert "Perhaps" not in client.get("/products/123").text
    assert "Perhaps" not in client.get("/illustrations/mug/none.svg").text
    assert client.get("/products/%3Cscript%3Ealert(1)%3C%2Fscript%3E").status_code == 404
    assert client.get(f"/{'x' * 3000}").status_code == 404


def test_with_nothing_live_a_lost_page_is_still_a_page(tmp_path: Path) -> None:
    client = create_app(Settings(home=tmp_path)).test_client()
    assert client.get("/red-mug").status_code == 404
    assert client.get("/sitemap.xml").status_code == 503
    assert client.get("/robots.txt").status_code == 200
