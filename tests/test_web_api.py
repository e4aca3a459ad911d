"""What programs get: the contract's JSON, validation that helps, caching that never shows an old release."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import SHOP, FakeEncoder, open_engine, write_release
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from search.engine import Engine
from search.product import Product
from web.live import FixedEngine


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    shop.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(shop)).test_client()


def ids(response: TestResponse) -> list[str]:
    return [hit["id"] for hit in response.get_json()["hits"]]


def test_a_search_answers_with_every_field_of_the_contract(client: FlaskClient) -> None:
    answer = client.get("/api/v1/search?q=red+dress&explain=1").get_json()
    assert set(answer) >= {
        "query", "query_id", "release", "mode", "total", "total_relation", "confidence", "degraded", "page",
        "per_page", "pages", "hits", "facets", "clusters", "took_ms", "links",
    }  # fmt: skip
    assert set(answer["query"]) >= {"text", "search_text", "corrected", "did_you_mean", "constraints"}
    hit = answer["hits"][0]
    assert set(hit) >= {"id", "rank", "score", "product", "highlights", "why", "cluster", "explain"}
    assert hit["rank"] == 1
    assert hit["product"]["title"] == next(one.title for one in SHOP if one.id == hit["id"])
    assert answer["degraded"] is None


def test_a_hit_is_explained_only_when_asked(client: FlaskClient) -> None:
    assert "explain" not in client.get("/api/v1/search?q=gown").get_json()["hits"][0]


def test_values_of_one_filter_are_alternatives_and_filters_all_hold(client: FlaskClient) -> None:
    assert set(ids(client.get("/api/v1/search?f.brand=Norr&f.brand=Hob"))) == {"0001", "0002", "0007", "0008"}
    assert set(ids(client.get("/api/v1/search?f.brand=Norr&f.color=blue"))) == {"0002"}


def test_prices_and_stock_bound_the_answer(client: FlaskClient) -> None:
    assert set(ids(client.get("/api/v1/search?price_min=20&price_max=60&in_stock=1"))) == {"0001", "0005"}


def test_a_body_asks_the_same_as_an_address(client: FlaskClient) -> None:
    address = client.get("/api/v1/search?q=cup&f.color=red&per_page=2")
    body = client.post("/api/v1/search", json={"q": "cup", "f.color": "red", "per_page": 2})
    assert ids(body) == ids(address) != []
    listed = client.post("/api/v1/search", json={"q": "cup", "f.color": ["red"], "per_page": 2})
    assert ids(listed) == ids(address)


def test_following_next_reaches_every_product_once_and_then_stops(client: FlaskClient) -> None:
    address: str | None = "/api/v1/search?per_page=3&sort=price:asc"
    seen: list[str] = []
    while address:
        response = client.get(address)
        seen += ids(response)
        address = response.get_json()["links"]["next"]
    assert sorted(seen) == [product.id for product in SHOP]
    prices = [one.price for product_id in seen for one in SHOP if one.id == product_id]
    assert prices == [9.0, 20.0, 22.0, 60.0, 75.0, 120.0, 140.0, None]


def test_links_keep_what_was_asked(client: FlaskClient) -> None:
    links = client.get("/api/v1/search?per_page=2&page=2&f.category=Clothing").get_json()["links"]
    assert links["next"] is None  # three products are in Clothing, two were on page 1
    assert parse_qs(urlsplit(links["prev"]).query) == {
        "f.category": ["Clothing"], "per_page": ["2"], "state": ["shop.0"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "parameter", "hint"),
    [
        ("qury=dress", "qury", '"q"'),
        ("per_pge=3", "per_pge", '"per_page"'),
        ("sort=price:up", "sort", "price:"),
        ("mode=hybird", "mode", '"hybrid"'),
        ("f.colour=red", "f.colour", '"color"'),
        ("facets=brnd", "facets", '"brand"'),
        ("page=0", "page", "1"),
        ("page=two", "page", "integer"),
        ("per_page=101", "per_page", "100"),
        ("price_min=5&price_max=2", "price_min", "above"),
        ("price_max=nan", "price_max", "number"),
        ("in_stock=yes", "in_stock", "0 or 1"),
        ("cluster=99", "cluster", "no cluster 99"),
        ("page=2&page=3", "page", "2 times"),
        ("q=" + "a" * 513, "q", "512"),
        ("page=101&per_page=100", "page", "10,000"),
    ],
)
def test_what_is_not_understood_is_named_with_a_way_out(
    client: FlaskClient, query: str, parameter: str, hint: str
) -> None:
    response = client.get(f"/api/v1/search?{query}")
    problem = response.get_json()
    assert response.status_code == 422
    assert response.mimetype == "application/problem+json"
    assert problem["code"] == "invalid_parameter"
    assert problem["errors"][0]["parameter"] == parameter
    assert hint in problem["errors"][0]["detail"]


def test_every_wrong_member_of_a_body_is_pointed_at(client: FlaskClient) -> None:
    problem = client.post("/api/v1/search", json={"q": "cup", "pages": 2, "mode": "magic"}).get_json()
    assert {error["pointer"] for error in problem["errors"]} == {"#/pages", "#/mode"}
    assert client.post("/api/v1/search", json=["cup"]).get_json()["errors"][0]["pointer"] == "#"
    assert client.post("/api/v1/search", json={"f.color": 3}).get_json()["errors"][0]["pointer"] == "#/f.color"


def test_interpret_and_correct_are_accepted_switches(client: FlaskClient) -> None:
    plain = client.get("/api/v1/search?q=red+gown")
    assert ids(client.get("/api/v1/search?q=red+gown&interpret=0&correct=0")) == ids(plain)
    assert client.get("/api/v1/search?interpret=maybe").status_code == 422


def test_an_unchanged_answer_is_not_sent_twice(client: FlaskClient) -> None:
    first = client.get("/api/v1/search?q=gown&f.color=red&f.brand=Velour")
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get(
        "/api/v1/search?f.brand=Velour&f.color=red&q=gown", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
    other = client.get("/api/v1/search?q=gown", headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


def test_folded_a_product_is_one_hit_that_tells_of_its_variants(client: FlaskClient) -> None:
    folded = client.get("/api/v1/search?q=mug&f.brand=Norr&facets=color&sort=price:asc&fold=1").get_json()
    mug = next(hit for hit in folded["hits"] if hit["id"] == "0001")
    told = {"count": 2, "matching": 2, "available": 1, "price_min": 20.0, "price_max": 22.0}
    assert mug["variants"] == told | {"colors": ["red", "blue"], "differ_in": ["color"]}
    assert "0002" not in [hit["id"] for hit in folded["hits"]]
    assert {one["value"]: one["count"] for one in folded["facets"]["color"]["values"]} == {"red": 1, "blue": 1}
    body = {"q": "mug", "f.brand": "Norr", "facets": ["color"], "sort": "price:asc", "fold": True}
    posted = client.post("/api/v1/search", json=body).get_json()
    assert (posted["hits"], posted["total"]) == (folded["hits"], folded["total"])
    plain = client.get("/api/v1/search?q=mug&f.brand=Norr&fold=0").get_json()
    assert plain["total"] == folded["total"] + 1
    assert "variants" not in plain["hits"][0]
    assert client.get("/api/v1/search?fold=maybe").status_code == 422


def test_folded_answers_have_their_own_links_and_tags(client: FlaskClient) -> None:
    folded, plain = client.get("/api/v1/search?per_page=3&fold=1"), client.get("/api/v1/search?per_page=3")
    assert folded.headers["ETag"] != plain.headers["ETag"]
    links = folded.get_json()["links"]
    assert parse_qs(urlsplit(links["self"]).query) == {"per_page": ["3"], "fold": ["1"]}
    seen, address = [], links["self"]
    while address:
        answer = client.get(address).get_json()
        seen += [hit["id"] for hit in answer["hits"]]
        address = answer["links"]["next"]
    assert seen == [one.id for one in SHOP if one.id != "0002"]


def test_an_answer_by_words_only_says_so_and_is_never_kept(tmp_path: Any) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP), waits=False)
    client = create_app(engine=FixedEngine(engine)).test_client()
    hasty = client.get("/api/v1/search?q=gown")
    assert hasty.get_json()["degraded"] == "encoder_loading"
    assert hasty.headers["Cache-Control"] == "no-store"
    assert "ETag" not in hasty.headers
    engine.encoder.vectors(["ready"])
    assert client.get("/api/v1/search?q=gown").get_json()["degraded"] is None


def test_the_time_of_each_stage_is_told(client: FlaskClient) -> None:
    stages = client.get("/api/v1/search?q=gown").headers["Server-Timing"]
    assert [stage.split(";dur=")[0] for stage in stages.split(", ")] == ["score", "count", "show"]


def test_suggestions_lead_somewhere_and_never_encode(tmp_path: Any) -> None:
    encoder = FakeEncoder()
    engine = open_engine(write_release(tmp_path / "shop", SHOP), encoder)
    client = create_app(engine=FixedEngine(engine)).test_client()
    found = client.get("/api/v1/suggest?q=dre").get_json()
    assert {"text": "Dresses", "category": "Clothing > Dresses", "url": found["categories"][0]["url"]} in found[
        "categories"
    ]
    assert client.get(found["categories"][0]["url"]).status_code == 200
    assert [entry["text"] for entry in found["products"]] == ["Navy Dress"]
    assert (found["products"][0]["price"], found["products"][0]["price_text"]) == (60.0, "$60.00")
    assert client.get(found["products"][0]["url"]).status_code == 200
    assert client.get("/api/v1/suggest?q=drass").get_json()["corrected"] == "dress"
    assert encoder.encoded == []
    assert client.get("/api/v1/suggest?q=a&limit=21").status_code == 422


def test_a_product_comes_with_its_variants_and_neighbors(client: FlaskClient) -> None:
    answer = client.get("/api/v1/products/0001").get_json()
    assert answer["product"]["title"] == "Travel Mug"
    assert answer["variants"] == ["0002"]
    near = client.get(answer["links"]["similar"]).get_json()["hits"]
    assert near[0]["id"] == "0003"
    assert {"0001", "0002"}.isdisjoint(hit["id"] for hit in near)
    assert client.get("/api/v1/products/1").status_code == 404  # leading zeros are part of an id


@pytest.mark.parametrize("product_id", ["a/b", "a//b", "50% off?", "ünï #1", "..", "<b>"])
def test_an_id_may_hold_any_sign(tmp_path: Any, product_id: str) -> None:
    products = (Product(product_id, "Odd One"), *SHOP)
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "shop", products)))).test_client()
    hit = client.get("/api/v1/search?q=odd&mode=lexical").get_json()["hits"][0]
    assert hit["id"] == product_id
    links = client.get("/api/v1/suggest?q=odd").get_json()["products"][0]
    if product_id != "..":  # clients resolve dot segments before they ask
        assert client.get(links["url"]).status_code == 200


def test_clusters_are_listed_parents_first_and_browsed_by_id(client: FlaskClient) -> None:
    listed = client.get("/api/v1/clusters").get_json()["clusters"]
    assert [(cluster["id"], cluster["parent"], cluster["count"]) for cluster in listed] == [
        (0, None, 8), (1, 0, 4), (2, 0, 4),
    ]  # fmt: skip
    one = client.get("/api/v1/clusters/0").get_json()
    assert [child["id"] for child in one["children"]] == [1, 2]
    assert one["top"][0]["id"] == "0001"
    assert len(ids(client.get(listed[1]["links"]["products"]))) == 4
    assert client.get("/api/v1/clusters/1").get_json()["cluster"]["neighbors"] == [2]
    assert client.get("/api/v1/clusters/7").status_code == 404


def test_the_id_of_a_group_that_is_gone_leads_to_where_its_products_are(client: FlaskClient) -> None:
    assert client.get("/api/v1/clusters/9").get_json()["cluster"]["id"] == 2
    assert ids(client.get("/api/v1/search?cluster=9")) == ids(client.get("/api/v1/search?cluster=2"))
    moved = client.get("/clusters/9?f.color=red")
    assert (moved.status_code, moved.location) == (302, "/clusters/2?f.color=red")


def test_the_version_names_release_and_encoder(client: FlaskClient) -> None:
    assert client.get("/api/v1/version").get_json() == {
        "name": "aisle", "version": "0.1.0", "api": "v1", "release": "shop", "sequence": 0,
        "products": 8,
        "encoder": {"name": "fake", "fingerprint": "fake"},
    }  # fmt: skip


def test_highlights_hold_no_markup_of_the_catalogs(tmp_path: Any) -> None:
    product = Product("x", "<script>alert(1)</script> dress", "<img src=x onerror=alert(1)> dress")
    client = create_app(
        engine=FixedEngine(open_engine(write_release(tmp_path / "shop", (product, *SHOP))))
    ).test_client()
    hits = client.get("/api/v1/search?q=dress&mode=lexical").get_json()["hits"]
    shown = next(hit for hit in hits if hit["id"] == "x")["highlights"]
    assert "<script" not in json.dumps(shown)
    assert "<mark>dress</mark>" in shown["title"]


def test_facet_values_are_found_by_their_letters(client: FlaskClient) -> None:
    answer = client.get("/api/v1/search?find.brand=ve&facets=brand").get_json()
    assert [one["value"] for one in answer["facets"]["brand"]["values"]] == ["Velour"]
    body = {"find.brand": "ve", "facets": ["brand"]}
    assert client.post("/api/v1/search", json=body).get_json()["facets"] == answer["facets"]
    assert answer["links"]["self"].endswith("?find.brand=ve&facets=brand")


@pytest.mark.parametrize(
    ("address", "parameter"), [("?find.brnd=a", "find.brnd"), (f"?find.brand={'a' * 65}", "find.brand")]
)
def test_a_facet_that_is_not_there_cannot_be_looked_through(client: FlaskClient, address: str, parameter: str) -> None:
    answer = client.get(f"/api/v1/search{address}")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["parameter"] == parameter


def test_a_body_looks_for_text_only(client: FlaskClient) -> None:
    answer = client.post("/api/v1/search", json={"find.brand": ["ve"]})
    assert answer.status_code == 422 and "find.brand" in answer.get_json()["detail"]


def test_no_results_come_with_ways_out(client: FlaskClient) -> None:
    answer = client.get("/api/v1/search?q=gown&f.brand=Norr").get_json()
    assert answer["total"] == 0
    assert answer["rescue"]["without"][0]["parameter"] == "f.brand"
    assert client.get("/api/v1/search?q=gown").get_json()["rescue"] is None


def recommended(client: FlaskClient, **body: Any) -> list[str]:
    return ids(client.post("/api/v1/recommend", json=body))


def test_recommendations_are_like_what_is_liked_and_leave_it_and_its_variants_out(client: FlaskClient) -> None:
    assert recommended(client, liked=["0001"])[0] == "0003"  # the other cup, not the mug's own variant
    assert not {"0001", "0002"} & set(recommended(client, liked=["0001"], limit=100))
    both = recommended(client, liked=["0003"])  # a red cup
    assert recommended(client, liked=["0003"], disliked=["0004"]) != both  # but nothing like the red gown
    assert "0004" not in recommended(client, liked=["0003"], disliked=["0004"], limit=100)


def test_recommendations_keep_filters(client: FlaskClient) -> None:
    found = client.post("/api/v1/recommend", json={"liked": ["0003"], "filters": {"brand": ["Velour"]}}).get_json()
    assert {hit["product"]["brand"] for hit in found["hits"]} == {"Velour"}
    assert [hit["rank"] for hit in found["hits"]] == [1, 2]


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({}, 422, "liked"), ({"liked": []}, 422, "liked"), ({"liked": ["9"]}, 404, "9"), ([], 422, "object"),
        ({"liked": ["0001"], "disliked": ["0001"]}, 422, "both"), ({"liked": ["0001"], "limit": 0}, 422, "limit"),
        ({"liked": ["0001"] * 101}, 422, "101"), ({"liked": ["0001"], "filters": {"brnd": ["a"]}}, 422, "brand"),
        ({"liked": ["0001"], "dislikd": []}, 422, "disliked"), ({"liked": "0001"}, 422, "liked"),
    ],
)  # fmt: skip
def test_what_cannot_be_recommended_from_is_named(client: FlaskClient, body: Any, status: int, named: str) -> None:
    answer = client.post("/api/v1/recommend", json=body)
    assert answer.status_code == status
    assert named in answer.get_json()["detail"]


def test_words_are_taken_literally_one_by_one(client: FlaskClient) -> None:
    def said(answer: TestResponse) -> list[str]:
        return [one["text"] for one in answer.get_json()["query"]["constraints"]]

    assert said(client.get("/api/v1/search?q=red+mug+of+steel&literal=red")) == ["steel"]
    assert said(client.get("/api/v1/search?q=red+mug+of+steel&literal=red&literal=steel")) == []
    assert said(client.post("/api/v1/search", json={"q": "red mug of steel", "literal": ["red"]})) == ["steel"]
    assert (
        client.get("/api/v1/search?q=mug&literal=b&literal=a")
        .get_json()["links"]["self"]
        .endswith("literal=a&literal=b")
    )
    assert client.post("/api/v1/search", json={"literal": [1]}).status_code == 422
    assert client.get("/api/v1/search?" + "&".join(f"literal=w{n}" for n in range(21))).status_code == 422
