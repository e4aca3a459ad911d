"""What shoppers get: complete pages without JavaScript, every control a real link or form."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient

from app import create_app
from search.engine import Engine
from search.product import Product
from web.live import FixedEngine


class Document(HTMLParser):
    """A page's start tags with their attributes, and its words."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [found for name, found in self.tags if name == tag and all(found.get(k) == v for k, v in wanted.items())]


def page(client: FlaskClient, address: str, status: int = 200) -> Document:
    response = client.get(address)
    assert response.status_code == status
    return Document(response.text)


def cards(document: Document) -> int:
    return len([one for one in document.all("article") if one.get("class", "").startswith("card")])


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    shop.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(shop)).test_client()


def test_every_page_links_only_to_pages_that_exist(client: FlaskClient) -> None:
    waiting, seen = ["/", "/search?q=red+gown"], set()
    while waiting and len(seen) < 150:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        response = client.get(address)
        assert response.status_code == 200, address
        if response.mimetype != "text/html":
            continue
        for tag, attributes in Document(response.text).tags:
            link = attributes.get("href" if tag in ("a", "link", "use") else "src", "").split("#")[0]
            if link.startswith("/"):
                waiting.append(link)
    assert len(seen) > 40


def test_the_query_stays_in_the_field(client: FlaskClient) -> None:
    assert page(client, "/search?q=red+%22gown%22").all("input", name="q")[0]["value"] == 'red "gown"'


def test_the_start_page_shows_departments_with_their_counts(client: FlaskClient) -> None:
    document = page(client, "/")
    assert document.all("a", href="/search?f.category=Kitchen")
    words = " ".join(document.words.split())
    for sentence in ("Clothing 3 products", "Home 1 product", "Kitchen 3 products", "All 7 products"):
        assert sentence in words


def test_a_ticked_filter_is_ticked_on_the_page_and_can_be_taken_off(client: FlaskClient) -> None:
    document = page(client, "/search?q=cup&f.color=red&price_max=50")
    ticked = [one["value"] for one in document.all("input", type="checkbox", name="f.color") if "checked" in one]
    assert ticked == ["red"]
    assert document.all("input", name="price_max")[0]["value"] == "50"
    assert document.all("a", href="/search?q=cup&price_max=50")  # without the color
    assert document.all("a", href="/search?q=cup&f.color=red")  # without the price
    assert document.all("a", href="/search?q=cup")  # without any


def test_the_filter_form_carries_along_what_it_does_not_show(client: FlaskClient) -> None:
    document = page(client, "/search?q=cup&f.category=Kitchen&cluster=1&mode=lexical&page=1")
    hidden = {(one["name"], one["value"]) for one in document.all("input", type="hidden")}
    assert hidden == {("q", "cup"), ("f.category", "Kitchen"), ("cluster", "1"), ("mode", "lexical")}


def test_a_count_beside_a_value_is_what_choosing_it_brings(client: FlaskClient) -> None:
    answer = client.get("/api/v1/search?fold=1").get_json()
    for entry in answer["facets"]["color"]["values"]:
        assert cards(page(client, f"/search?f.color={entry['value']}")) == entry["count"]


def test_variants_are_one_card_that_tells_how_many_there_are(client: FlaskClient) -> None:
    words = " ".join(page(client, "/search?q=mug").words.split())
    assert "$20.00 to $22.00" in words
    assert "2 options" in words
    assert words.count("Travel Mug") == 2  # its title, and the name of its link to similar things


def test_a_card_says_which_variant_it_shows_when_a_filter_leaves_one(client: FlaskClient) -> None:
    document = page(client, "/search?q=mug&f.color=blue")
    words = " ".join(document.words.split())
    assert "$22.00" in words and "$20.00" not in words
    assert "blue1 of 2 options" in words  # two items of a list
    assert document.all("a", href="/products/0002?q=mug")


def test_a_product_is_out_of_stock_when_every_variant_is(client: FlaskClient) -> None:
    assert "Out of stock" not in page(client, "/search?q=mug&sort=price:desc").words
    assert "Out of stock" in page(client, "/search?q=mug&f.color=blue").words


def test_addresses_of_pages_do_not_say_that_they_fold(client: FlaskClient) -> None:
    for address in ("/", "/search?q=mug&per_page=3&fold=1", "/clusters/1?f.color=red", "/map?q=mug", "/search?q=xyzzy"):
        links = [one.get("href", "") for _, one in page(client, address).tags]
        assert not [link for link in links if "fold" in link]
        assert not page(client, address).all("input", name="fold")


def test_a_group_has_as_many_products_as_its_page_lists(client: FlaskClient) -> None:
    for one in client.get("/api/v1/clusters").get_json()["clusters"]:
        listed = cards(page(client, f"/clusters/{one['id']}"))
        assert listed == one["products"]
        assert one["count"] >= one["products"]
    assert "First half 3" in " ".join(page(client, "/clusters").words.split())


def test_sizes_that_every_boot_comes_in_can_still_be_chosen(tmp_path: Path) -> None:
    boots = [
        Product(f"{name}-{size}", f"{name} Boot", group_id=name, attributes={"Size": (size,)})
        for name in ("Alp", "Fen")
        for size in ("8", "9")
    ]
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "shop", boots)))).test_client()
    assert [one["value"] for one in page(client, "/search").all("input", name="f.size")] == ["8", "9"]
    chosen = {one["href"] for one in page(client, "/search?f.size=9").all("a")}
    assert {"/products/Alp-9", "/products/Fen-9"} <= chosen
    assert "/products/Alp-8" not in chosen


def test_unknown_parameters_such_as_campaign_tags_do_not_break_a_page(client: FlaskClient) -> None:
    assert (
        cards(page(client, "/search?utm_source=letter&price_min=&price_max=&f.color=")) == len(SHOP) - 1
    )  # the mug is one


def test_a_page_past_the_end_leads_back(client: FlaskClient) -> None:
    document = page(client, "/search?per_page=3&page=9")
    assert "There is no page 9" in document.words
    assert document.all("a", href="/search?per_page=3&page=3")


def test_pages_are_real_links(client: FlaskClient) -> None:
    document = page(client, "/search?per_page=3&page=2")
    assert document.all("a", rel="next")[0]["href"] == "/search?per_page=3&page=3"
    assert document.all("a", rel="prev")[0]["href"] == "/search?per_page=3"


def test_nothing_found_keeps_the_query_and_says_what_each_filter_keeps_out(client: FlaskClient) -> None:
    document = page(client, "/search?q=gown&f.brand=Norr&price_max=130")
    words = " ".join(document.words.split())
    assert document.all("input", name="q")[0]["value"] == "gown"
    assert "Without the filter Brand: Norr" in words
    found = client.get("/api/v1/search?q=gown&price_max=130").get_json()["total"]
    assert f"{found} product" in words
    assert document.all("a", href="/search?q=gown&price_max=130")
    assert document.all("a", href="/search?f.category=Clothing")
    assert document.all("section", **{"aria-label": "Categories that come close"})
    assert document.all("a", href="/search?f.category=Clothing+%3E+Dresses")


def test_a_long_list_of_brands_has_a_field_to_look_for_one(tmp_path: Path) -> None:
    many = [replace(SHOP[0], id=f"b{n}", group_id="", brand=f"Brand {n:02}") for n in range(20)]
    engine = open_engine(write_release(tmp_path / "shop", [*SHOP, *many]))
    client = create_app(engine=FixedEngine(engine)).test_client()
    assert page(client, "/search").all("input", name="find.brand")
    found = page(client, "/search?find.brand=brand+1")
    assert [one["value"] for one in found.all("input", name="f.brand")] == [f"Brand {n}" for n in range(10, 20)]
    assert found.all("input", name="find.brand")[0]["value"] == "brand 1"
    assert not found.all("input", name="find.color")  # two colors are seen at a glance


def test_weak_answers_are_called_weak(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP))
    engine.encoder.vectors(["ready"])
    client = create_app(engine=FixedEngine(engine)).test_client()
    weak = client.get("/api/v1/search?q=insurance").get_json()
    assert weak["confidence"] == "weak"
    assert "Nothing fits well" in page(client, "/search?q=insurance").words


def test_while_the_encoder_loads_the_page_says_so_and_is_not_kept(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP), waits=False)
    response = create_app(engine=FixedEngine(engine)).test_client().get("/search?q=gown")
    assert "matched by their words alone" in response.text
    assert response.headers["Cache-Control"] == "no-store"


def test_a_product_page_tells_all_and_links_its_variants(client: FlaskClient) -> None:
    document = page(client, "/products/0001")
    for text in ("Travel Mug", "$20.00", "In stock", "Keeps coffee hot", "0001"):
        assert text in document.words
    assert document.all("a", href="/products/0002")
    assert document.all("a", href="/search?f.category=Kitchen+%3E+Mugs")
    assert document.all("a", href="/clusters/1")


def test_product_data_cannot_end_its_own_script_and_carries_the_nonce(tmp_path: Path) -> None:
    evil = Product("e", "</script><script>alert(1)</script>", "a & b < c", price=3.5, currency="USD", rating=4.0,
                   rating_count=2, availability="in_stock", image_url="/p.png")  # fmt: skip
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "shop", (evil, *SHOP))))).test_client()
    response = client.get("/products/e")
    script = re.search(r'<script type="application/ld\+json" nonce="([^"]+)">(.*?)</script>', response.text, re.DOTALL)
    assert script is not None
    assert f"'nonce-{script[1]}'" in response.headers["Content-Security-Policy"]
    data = json.loads(script[2])
    assert data["name"] == evil.title
    assert data["offers"] == {
        "@type": "Offer", "price": "3.50", "priceCurrency": "USD", "url": "http://localhost/products/e",
        "availability": "https://schema.org/InStock",
    }  # fmt: skip
    assert data["image"] == "http://localhost/p.png"
    assert data["aggregateRating"]["ratingCount"] == 2
    assert "<script>alert" not in response.text


@pytest.mark.parametrize("address", ["/", "/search", "/search?q=x", "/products/e", "/clusters", "/clusters/1"])
def test_markup_in_a_catalog_is_only_text(tmp_path: Path, address: str) -> None:
    evil = "\"><img src=x onerror=alert(1)>'"
    product = Product("e", f"x {evil}", evil, (evil,), evil, 3.0, "USD", "/p.png", rating=5.0, rating_count=9,
                      attributes={evil: (evil,), "Color": (evil, "red")})  # fmt: skip
    client = create_app(
        engine=FixedEngine(open_engine(write_release(tmp_path / "shop", (product, *SHOP))))
    ).test_client()
    response = client.get(address)
    assert response.status_code == 200
    assert "<img src=x" not in response.text
    assert not [one for one in Document(response.text).all("img") if "onerror" in one]


def test_a_cluster_is_browsed_and_filtered_at_its_own_address(client: FlaskClient) -> None:
    document = page(client, "/clusters/1?f.color=red")
    expected = client.get("/api/v1/search?cluster=1&f.color=red&fold=1").get_json()["total"]
    assert cards(document) == expected > 0
    assert document.all("form", id="filter-form")[0]["action"] == "/clusters/1"
    assert document.all("a", href="/clusters/1")  # without the color


def test_pages_hold_no_inline_style_or_handler(client: FlaskClient) -> None:
    for address in ("/", "/search?q=gown", "/products/0001", "/clusters", "/clusters/0", "/nothing"):
        for tag, attributes in Document(client.get(address).text).tags:
            assert tag != "style"
            assert "style" not in attributes
            assert not [name for name in attributes if name.startswith("on")]
            assert tag != "script" or "src" in attributes or attributes["type"] == "application/ld+json"


def test_static_files_are_kept_for_a_year_only_under_their_contents_address(client: FlaskClient) -> None:
    sheet = next(one["href"] for one in page(client, "/").all("link") if "base.css" in one["href"])
    assert "immutable" in client.get(sheet).headers["Cache-Control"]
    assert client.get("/static/css/base.css").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/css/base.css?v=old").headers["Cache-Control"] == "no-cache"


def test_choosing_a_color_keeps_the_size(tmp_path: Path) -> None:
    shirts = [
        Product(f"{color}-{size}", "Shirt", group_id="g", attributes={"Color": (color,), "Size": (size,)})
        for color in ("red", "blue")
        for size in ("S", "M")
    ]
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "shop", shirts)))).test_client()
    document = page(client, "/products/red-M")
    chips = [one["href"] for one in document.all("a") if "chip" in one.get("class", "") and "/products" in one["href"]]
    assert chips == ["/products/red-M", "/products/blue-M", "/products/red-S", "/products/red-M"]


def engine_of(products: Any, folder: Path) -> Engine:
    return open_engine(write_release(folder, products))


def test_a_catalog_of_titles_alone_still_makes_every_page(tmp_path: Path) -> None:
    bare = [Product("1", "Thing"), Product("2", "Other thing")]
    client = create_app(engine=FixedEngine(engine_of(bare, tmp_path / "bare"))).test_client()
    for address in (
        "/",
        "/search",
        "/search?q=thing&mode=lexical",
        "/search?sort=price:asc",
        "/products/1",
        "/clusters",
    ):
        assert client.get(address).status_code == 200
