"""Narrowing as pages and API offer it: what each link and field leads to is what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import open_engine, write_release
from flask.testing import FlaskClient
from test_web_pages import Document, cards, page

from app import create_app
from search.engine import Engine
from search.product import Product
from search.request import SearchRequest
from web.live import FixedEngine
from web.pages.readings import rating_text, span_text
from web.urls import address


@pytest.fixture(scope="module")
def client(shop: Engine) -> FlaskClient:
    return create_app(engine=FixedEngine(shop)).test_client()


def links_in(client: FlaskClient, asked: str, label: str) -> list[str]:
    """Return the addresses that a section of this name leads to."""
    after = client.get(asked).text.split(f'aria-label="{label}"', 1)
    return [one["href"] for one in Document(after[1].split("</section>")[0]).all("a")] if len(after) > 1 else []


# -- ratings --


def test_each_rating_on_the_page_says_how_many_it_leaves(client: FlaskClient) -> None:
    document = page(client, "/search")
    steps = [one["value"] for one in document.all("input", name="rating_min")]
    assert steps == ["4.5", "4", "3", ""]
    assert [one["value"] for one in document.all("input", name="rating_min") if "checked" in one] == [""]
    for step in client.get("/api/v1/search?fold=1&facets=rating").get_json()["facets"]["rating"]["thresholds"]:
        assert cards(page(client, f"/search?rating_min={step['from']}")) == step["count"]


def test_a_chosen_rating_is_ticked_in_place_told_above_and_taken_off(client: FlaskClient) -> None:
    document = page(client, "/search?q=cup&rating_min=4.2")
    assert [one["value"] for one in document.all("input", name="rating_min") if "checked" in one] == ["4.2"]
    assert "4.2 and up" in document.words
    assert document.all("a", href="/search?q=cup")


def test_the_api_takes_a_rating_and_the_cut_off_in_address_and_body(client: FlaskClient) -> None:
    got = client.get("/api/v1/search?q=gown&rating_min=3.5&cutoff=0").get_json()
    posted = client.post("/api/v1/search", json={"q": "gown", "rating_min": 3.5, "cutoff": False}).get_json()
    assert got["total"] == posted["total"] > client.get("/api/v1/search?q=gown&rating_min=3.5").get_json()["total"]
    assert got["links"]["self"] == "/api/v1/search?q=gown&rating_min=3.5&cutoff=0"
    refused = client.get("/api/v1/search?rating_mim=4").get_json()
    assert "rating_min" in refused["errors"][0]["detail"]
    assert client.get("/api/v1/search?rating_min=good").status_code == 422
    assert client.get("/api/v1/search?cutoff=2").status_code == 422


def test_a_search_without_either_keeps_the_address_it_had() -> None:
    assert (
        address("/search", SearchRequest("mug", rating_min=4.0, cutoff=False)) == "/search?q=mug&rating_min=4&cutoff=0"
    )
    assert address("/search", SearchRequest("mug")) == "/search?q=mug"


# -- facets --


def test_what_one_product_each_has_is_no_facet(tmp_path: Path) -> None:
    mugs = [
        Product(f"m{n}", "Mug", brand=f"Maker {n}", attributes={"Color": (("red", "blue")[n % 2],)}) for n in range(4)
    ]
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "mugs", mugs)))).test_client()
    document = page(client, "/search")
    assert document.all("input", name="f.color")
    assert not document.all("input", name="f.brand")
    assert page(client, "/search?f.brand=Maker+1").all("input", name="f.brand")  # chosen, it stays


def test_a_category_tree_of_a_few_products_among_many_is_left_out(tmp_path: Path) -> None:
    bare = [Product(str(n), "Mug", category=("Kitchen",) if n < 2 else ()) for n in range(12)]
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "bare", bare)))).test_client()
    assert not page(client, "/search").all("a", href="/search?f.category=Kitchen")
    assert page(client, "/search?f.category=Kitchen").all("a", **{"aria-current": "true"})  # chosen, it stays


def test_stock_is_offered_with_its_number_where_it_leaves_something_out(client: FlaskClient) -> None:
    assert page(client, "/search?q=mug").all("input", name="in_stock")
    assert not page(client, "/search?q=gown").all("input", name="in_stock")  # all of them can be had
    assert page(client, "/search?q=gown&in_stock=1").all("input", name="in_stock")  # chosen, it stays


def test_every_attribute_on_a_card_can_be_filtered_by(client: FlaskClient) -> None:
    """Price, rating, availability, brand and the color are on cards of the shop's mugs; so are their filters."""
    document = page(client, "/search?q=mug")
    named = {one.get("name") for one in document.all("input")}
    assert {"price_min", "price_max", "rating_min", "in_stock", "f.color"} <= named


def test_the_row_above_the_results_leads_to_what_it_says(tmp_path: Path) -> None:
    lamps = [Product(f"l{n}", "Lamp", attributes={"Color": (("red", "blue")[n % 3 > 0],)}) for n in range(12)]
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "lamps", lamps)))).test_client()
    row = client.get("/search?q=lamp").text.split('aria-label="Quick filters"', 1)[1].split('<div class="split"', 1)[0]
    chips = Document(row).all("a")
    counts = [int(part.split("<")[0]) for part in row.split('<span class="count">')[1:]]
    assert counts == [6, 6, 8, 4]  # two groups, two colors
    for chip, count in zip(chips, counts, strict=True):
        assert cards(page(client, chip["href"])) == count
    few = client.get("/search?q=lamp&f.color=red").text
    assert "Quick filters" in few  # chosen, it stays, however few are left
    assert "Quick filters" not in client.get("/search?q=lamp&price_max=1").text


# -- ways on --


def test_few_results_tell_what_there_is_without_each_filter(client: FlaskClient) -> None:
    document = page(client, "/search?q=cup&f.color=red&price_max=15")
    assert cards(document) == 1
    ways = [one["href"] for one in document.all("a") if one.get("class") == "way"]
    assert ways == ["/search?q=cup&f.color=red"]  # without the color there is still one
    assert f"{cards(page(client, ways[0]))} products" in document.words


def test_the_less_relevant_are_offered_only_where_there_are_some(client: FlaskClient) -> None:
    assert page(client, "/search?q=gown").all("a", href="/search?q=gown&cutoff=0")
    assert not page(client, "/search").all("a", href="/search?cutoff=0")
    wide = page(client, "/search?q=gown&cutoff=0")
    assert "Less relevant products are shown too" in wide.words
    assert ("cutoff", "0") in {(one["name"], one["value"]) for one in wide.all("input", type="hidden")}


def test_a_word_nothing_has_is_told_with_the_search_for_the_rest(client: FlaskClient) -> None:
    document = page(client, "/search?q=cluttercore+mug")
    assert "No product mentions" in document.words
    assert document.all("a", href="/search?q=mug")
    assert "No product mentions" not in page(client, "/search?q=mug").words


def test_related_categories_lead_to_their_products(client: FlaskClient) -> None:
    found = links_in(client, "/search?q=espresso+cup", "Related categories")
    assert "/search?f.category=Kitchen+%3E+Mugs" in found
    for link in found:
        assert cards(page(client, link)) > 0
    assert links_in(client, "/search", "Related categories") == []


def test_categories_of_one_name_are_told_apart(tmp_path: Path) -> None:
    shop = [Product(f"{who}{n}", "Boot", category=(who, "Boots")) for who in ("Men", "Women") for n in range(3)]
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "boots", shop)))).test_client()
    words = page(client, "/search?q=boot").words
    assert "Men › Boots" in words and "Women › Boots" in words


def test_without_categories_groups_are_related(tmp_path: Path) -> None:
    bare = [Product(str(n), "Mug", price=float(n + 1)) for n in range(4)]
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "bare", bare)))).test_client()
    assert "/clusters/1" in links_in(client, "/search?q=mug", "Related groups")


# -- words --


def test_spans_and_ratings_are_whole_phrases() -> None:
    assert [span_text(*ends, "USD") for ends in ((5, 9), (5, None), (None, 9))] == [
        "$5.00 to $9.00", "from $5.00", "up to $9.00",
    ]  # fmt: skip
    assert rating_text(4.5) == "4.5 and up"


def test_what_the_words_say_of_a_price_and_what_they_rule_out_are_chips(client: FlaskClient) -> None:
    document = page(client, "/search?q=gown+under+%24130+not+blue")
    words = " ".join(document.words.split())
    assert "Price: up to $130.00" in words
    assert "Color: not blue" in words or "Without: blue" in words
    assert document.all("a", href="/search?q=gown+not+blue")
    assert document.all("a", href="/search?q=gown+under+%24130")
