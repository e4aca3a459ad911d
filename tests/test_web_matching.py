"""Why a product matches a search, on its page and in the API."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import SHOP, FakeEncoder, open_engine, write_release
from flask.testing import FlaskClient
from test_web_pages import Document, page

from app import create_app
from search.engine import Engine
from search.errors import EncoderError
from search.product import Product
from web.live import FixedEngine

HOSTILE = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>'", "🎁🎁", "\u202eكوب أحمر", "a" * 512,
    "mug " * 120, "e\u0301" * 150, "{{ 7 * 7 }}", "under $40",
]  # fmt: skip


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    shop.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(shop)).test_client()


def marked(document: str) -> dict[str, int]:
    """Return the marked words of the product's texts with their levels."""
    section = document.split("<dt>Title</dt>")[1].split("</dl>")[0]
    return {word: int(level) for level, word in re.findall(r'<mark class="pull pull-(\d)">([^<]+)</mark>', section)}


def test_a_result_leads_to_a_page_that_says_why_it_matches(client: FlaskClient) -> None:
    results = page(client, "/search?q=red+cup")
    assert results.all("a", href="/products/0003?q=red+cup")
    words = " ".join(page(client, "/products/0001?q=hot+red+mug").words.split())
    assert "Why this matches hot red mug" in words
    found = client.get("/api/v1/products/0001/match?q=hot+red+mug").get_json()
    named = [one["word"] for one in found["without"]]
    assert f"Closest by meaning through {named[0]}, {named[1]}, and {named[2]}." in words
    assert f"Closeness now is {found['closeness']:.2f}" in words
    for one in found["without"]:
        assert f"without {', '.join(one['forms'])} {one['closeness']:.2f}" in words
    assert "Words of your search in its text, in some form: hot, red, mug." in words


def test_the_heavier_a_word_the_stronger_its_mark(client: FlaskClient) -> None:
    levels = marked(client.get("/products/0001?q=hot+red+mug").text)
    fields = client.get("/api/v1/products/0001/match?q=hot+red+mug").get_json()["fields"]
    weights = {one["word"]: one["weight"] for words in fields.values() for one in words}
    assert max(levels.values()) == 4
    assert all(weights[one] >= weights[other] for one in levels for other in levels if levels[one] > levels[other])
    assert "coffee" not in levels  # it pulls the other way
    assert not {"on", "a", "for"} & levels.keys()


def test_a_description_that_is_not_read_to_its_end_goes_on(tmp_path: Path) -> None:
    long = Product("long", "Mug", "Holds tea. " * 40)
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "shop", (long, *SHOP))))).test_client()
    assert "Holds tea …" in page(client, "/products/long?q=mug").words
    assert "…" not in page(client, "/products/0003?q=mug").words


def test_marks_are_also_told_in_words(client: FlaskClient) -> None:
    words = " ".join(page(client, "/products/0001?q=hot+red+mug").words.split())
    told = re.search(r"Marked words of the product, the strongest first: ([^.]+)\.", words)
    assert told is not None
    levels = marked(client.get("/products/0001?q=hot+red+mug").text)
    order = told[1].split(", ")
    assert [levels[word] for word in order] == sorted((levels[word] for word in order), reverse=True)


def test_a_word_of_the_search_that_pulls_away_is_named(client: FlaskClient) -> None:
    words = " ".join(page(client, "/products/0003?q=red+cup+dress").words.split())
    assert "dress in your search pulls the other way" in words


def test_where_no_word_matters_none_is_marked_or_named(client: FlaskClient) -> None:
    text = client.get("/products/0008?q=zzz").text
    assert "No single word decides" in text
    assert "<mark" not in text.split('id="why"')[1].split("</section>")[0]


def test_a_product_page_without_a_search_has_no_such_section_and_asks_no_encoder(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "shop", SHOP), encoder))).test_client()
    for address in ("/products/0001", "/products/0001?q=", "/products/0001?q=%20", "/products/0001?q=" + "a" * 600):
        assert 'id="why"' not in client.get(address).text
    assert encoder.encoded == []


def test_the_canonical_address_has_no_search(client: FlaskClient) -> None:
    for address in ("/products/0001", "/products/0001?q=mug"):
        assert page(client, address).all("link", rel="canonical")[0]["href"] == "http://localhost/products/0001"


@pytest.mark.parametrize("q", HOSTILE)
def test_any_search_is_only_text(client: FlaskClient, q: str) -> None:
    response = client.get(f"/products/0001?q={quote(q)}")
    assert response.status_code == 200
    assert 'id="why"' in response.text
    document = Document(response.text)
    assert len(document.all("script")) == len(Document(client.get("/products/0001").text).all("script"))
    for tag, attributes in document.tags:
        assert "style" not in attributes and not [name for name in attributes if name.startswith("on")], tag
    shown = re.sub(r"/static/[0-9a-f]+/", "", response.text.split('id="why"')[1].split("</section>")[0])
    assert "49" not in shown
    answer = client.get(f"/api/v1/products/0001/match?q={quote(q)}")
    assert answer.status_code == 200


def test_markup_in_a_product_is_only_text_there_too(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)> mug"
    product = Product("e", evil, evil, (evil,), evil, attributes={evil: (evil,)})
    engine = open_engine(write_release(tmp_path / "shop", (product, *SHOP)))
    engine.encoder.vectors(["ready"])
    text = create_app(engine=FixedEngine(engine)).test_client().get("/products/e?q=mug").text
    assert 'id="why"' in text
    assert not Document(text).all("img", src="x")


def test_while_the_encoder_loads_the_page_works_says_so_and_is_not_kept(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP), waits=False)
    client = create_app(engine=FixedEngine(engine)).test_client()
    response = client.get("/products/0003?q=red+cup")
    assert response.status_code == 200
    assert "Meaning is still being loaded" in response.text
    assert "Words of your search in its text, in some form: red, cup." in response.text
    assert response.headers["Cache-Control"] == "no-store"
    answer = client.get("/api/v1/products/0003/match?q=red+cup")
    assert answer.status_code == 200
    assert answer.get_json()["degraded"] == "encoder_loading"
    assert answer.headers["Cache-Control"] == "no-store" and "ETag" not in answer.headers


def test_an_encoder_that_cannot_be_loaded_costs_the_section_and_not_the_page(tmp_path: Path) -> None:
    def broken() -> FakeEncoder:
        raise EncoderError("the encoder is gone")

    layout = write_release(tmp_path / "shop", SHOP)
    engine = open_engine(layout)
    engine = Engine(engine.release, broken)
    client = create_app(engine=FixedEngine(engine)).test_client()
    response = client.get("/products/0003?q=red+cup")
    assert response.status_code == 200
    assert "Meaning cannot be looked into right now" in response.text
    problem = client.get("/api/v1/products/0003/match?q=red+cup")
    assert (problem.status_code, problem.get_json()["code"]) == (503, "encoder_unavailable")


def test_the_api_tells_every_word_with_its_place_and_weight(client: FlaskClient) -> None:
    found = client.get("/api/v1/products/0003/match?q=red+cup+under+%2450").get_json()
    assert (found["id"], found["q"], found["search_text"]) == ("0003", "red cup under $50", "red cup")
    assert found["passage"] == "Espresso Cup. Tazza. Mugs. Kitchen. Color: red. Material: steel. Two sips, no more"
    assert list(found["fields"]) == ["title", "brand", "category", "attributes", "description"]
    for words in found["fields"].values():
        for one in words:
            assert found["passage"][one["start"] : one["end"]] == one["word"]
    assert [one["word"] for one in found["query_words"]] == ["red", "cup"]
    assert 0 < found["closeness"] <= 1
    assert found["shared"] == ["red", "cup"]
    assert client.get("/api/v1/products/0003").get_json()["links"]["match"] == "/api/v1/products/0003/match"


@pytest.mark.parametrize(
    ("query", "status", "named"),
    [("", 422, "q"), ("?q=", 422, "q"), ("?q=%20", 422, "q"), ("?q=" + "a" * 513, 422, "q"), ("?qq=mug", 422, "q"),
     ("?q=mug&page=2", 422, "page")],
)  # fmt: skip
def test_what_cannot_be_explained_is_named(client: FlaskClient, query: str, status: int, named: str) -> None:
    answer = client.get(f"/api/v1/products/0003/match{query}")
    assert answer.status_code == status
    assert named in {error["parameter"] for error in answer.get_json()["errors"]}


def test_an_unknown_product_is_not_found(client: FlaskClient) -> None:
    assert client.get("/api/v1/products/9/match?q=mug").status_code == 404
    assert client.get("/products/9?q=mug").status_code == 404


def test_an_unchanged_explanation_is_not_sent_twice(client: FlaskClient) -> None:
    first = client.get("/api/v1/products/0003/match?q=red+cup")
    headers = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/api/v1/products/0003/match?q=red+cup", headers=headers).status_code == 304
    assert client.get("/api/v1/products/0001/match?q=red+cup", headers=headers).status_code == 200
    assert client.get("/api/v1/products/0003/match?q=blue+cup", headers=headers).status_code == 200


# -- more like this, less like that --


def test_a_product_page_offers_less_like_each_similar_thing(client: FlaskClient) -> None:
    document = page(client, "/products/0001")
    assert document.all("a", href="/similar?liked=0001&disliked=0003")


def test_less_like_this_leaves_it_out_and_each_choice_can_be_taken_back(client: FlaskClient) -> None:
    document = page(client, "/similar?liked=0001&disliked=0003")
    assert not document.all("a", href="/products/0003#similar")
    assert document.all("a", href="/similar?liked=0001")  # without the dislike
    assert document.all("a", href="/similar?liked=0001&liked=0004&disliked=0003")
    assert document.all("a", href="/similar?liked=0001&disliked=0003&disliked=0004")
    asked = client.post("/api/v1/recommend", json={"liked": ["0001"], "disliked": ["0003"], "limit": 24}).get_json()
    expected = [f"/products/{hit['id']}" for hit in asked["hits"]]
    assert [one["href"] for one in document.all("a") if one["href"] in expected] == expected


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 422), ("?liked=", 404), ("?liked=9", 404), ("?liked=0001&disliked=0001", 422), ("?disliked=0001", 422),
     ("?" + "&".join(["liked=0001"] * 200), 200), ("?liked=%3Cscript%3E", 404)],
)  # fmt: skip
def test_what_cannot_be_like_anything_is_an_answer_too(client: FlaskClient, query: str, status: int) -> None:
    assert client.get(f"/similar{query}").status_code == status


def test_after_enough_was_pointed_at_no_more_can_be(tmp_path: Path) -> None:
    lamps = [Product(f"lamp-{n}", f"Lamp {n}", "Shines.", ("Home", "Lamps")) for n in range(20)]
    client = create_app(
        engine=FixedEngine(open_engine(write_release(tmp_path / "shop", [*SHOP, *lamps])))
    ).test_client()
    many = "&".join(f"liked=lamp-{n}" for n in range(12))
    document = page(client, f"/similar?{many}")
    assert "Less like this" in document.words
    assert "More like this:" not in document.words
