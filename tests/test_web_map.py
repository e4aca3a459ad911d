"""The map's page and API: binaries say what the release says, and a search lights what it lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SHOP, FakeEncoder, open_engine, write_release
from flask.testing import FlaskClient
from test_web_pages import Document

from app import create_app
from search.engine import Engine
from search.product import Product
from web.live import FixedEngine

POTS = [
    Product(f"p{number}", f"Coffee Pot {number}", "Pours.", ("Kitchen", "Pots"), f"Brand {number % 4}", 10.0 + number,
            "USD", attributes={"Color": (("red", "navy", "black")[number % 3],)})
    for number in range(150)
]  # fmt: skip
ASKED = (
    "q=coffee", "q=red+gown", "q=coffee+pot+under+%2430", "q=coffe+pot", "q=insurance", "q=xyzzy&mode=lexical", "",
    "f.color=red", "q=coffee&f.color=navy&price_max=100", "q=mug&in_stock=1", "cluster=1", "q=coffee&cluster=2",
    "q=coffee&sort=price:asc&page=2&per_page=7",
)  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    layout = write_release(tmp_path_factory.mktemp("map") / "shop", (*SHOP, *POTS))
    positions = np.random.default_rng(7).uniform(-1, 1, (len(SHOP) + len(POTS), 2)).astype(np.float32)
    np.save(layout.clusters / "positions.npy", positions)
    opened = open_engine(layout)
    opened.encoder.vectors(["ready"])
    return opened


@pytest.fixture
def client(engine: Engine) -> FlaskClient:
    return create_app(engine=FixedEngine(engine)).test_client()


@pytest.fixture
def meta(client: FlaskClient) -> dict[str, Any]:
    return client.get("/api/v1/map").get_json()


def column(client: FlaskClient, described: dict[str, Any]) -> np.ndarray:
    response = client.get(described["url"])
    assert response.status_code == 200
    assert response.mimetype == "application/octet-stream"
    return np.frombuffer(response.data, np.dtype(described["type"]).newbyteorder("<"))


def all_ids(client: FlaskClient, asked: str) -> list[str]:
    """Every id of a search, by paging."""
    pairs = [pair for pair in asked.split("&") if pair and not pair.startswith(("page", "per_page"))]
    address: str | None = "/api/v1/search?" + "&".join([*pairs, "per_page=60"])
    found: list[str] = []
    while address:
        answer = client.get(address).get_json()
        found += [hit["id"] for hit in answer["hits"]]
        address = answer["links"]["next"]
    return found


def test_the_map_says_what_is_on_it(meta: dict[str, Any], engine: Engine) -> None:
    assert (meta["release"], meta["count"]) == (engine.release.name, engine.release.rows)
    assert [one["id"] for one in meta["clusters"]] == [one.id for one in engine.clusters()]
    assert all({"id", "parent", "label", "count", "x", "y"} <= set(one) for one in meta["clusters"])
    assert [one["name"] for one in meta["colors"]][:2] == ["cluster", "price"]
    for color in meta["colors"]:
        assert sum(entry["count"] for entry in color["legend"]) == meta["count"]
        assert all(entry["label"] for entry in color["legend"])


def test_the_positions_are_those_of_the_release(client: FlaskClient, meta: dict[str, Any], engine: Engine) -> None:
    read = column(client, meta["positions"]).reshape(-1, 2) / 65535 * 2 - 1
    assert np.abs(read - engine.release.clusters.positions).max() < 2e-5


def test_the_leaves_are_those_of_the_release(client: FlaskClient, meta: dict[str, Any], engine: Engine) -> None:
    ids = [meta["clusters"][place]["id"] for place in column(client, meta["leaves"])]
    assert ids == engine.release.clusters.cluster_of.tolist()


def test_a_color_is_what_each_product_says_of_itself(client: FlaskClient, meta: dict[str, Any]) -> None:
    color = next(one for one in meta["colors"] if one["name"] == "color")
    labels = {entry["code"]: entry["label"] for entry in color["legend"]}
    told = [product.attributes.get("Color", ("Not stated",))[0] for product in (*SHOP, *POTS)]
    assert [labels[code] for code in column(client, color)] == told


def test_a_legend_counts_products_once(client: FlaskClient, meta: dict[str, Any], engine: Engine) -> None:
    groups = [product.group_id or product.id for product in (*SHOP, *POTS)]
    for color in meta["colors"]:
        codes = column(client, color)
        for entry in color["legend"]:
            having = {group for group, code in zip(groups, codes.tolist(), strict=True) if code == entry["code"]}
            assert entry["products"] == len(having), (color["name"], entry)
    red, mugs = client.get("/api/v1/map/lit?f.color=red&fold=1").get_json(), {"0001", "0002"}
    assert len(red["products"]) == len(red["points"])
    every = client.get("/api/v1/map/lit?f.brand=Norr&fold=1").get_json()
    found = engine.release.products.products(every["points"])
    assert len({number for number, one in zip(every["products"], found, strict=True) if one.id in mugs}) == 1
    assert len(set(every["products"])) == every["total"] == len(every["points"]) - 1
    assert client.get("/api/v1/map/lit?f.brand=Norr").get_json()["products"] is None


def test_prices_are_written_as_people_write_them(meta: dict[str, Any]) -> None:
    labels = [entry["label"] for entry in meta["colors"][1]["legend"]]
    assert re.fullmatch(r"under \$\d+", labels[0])
    assert re.fullmatch(r"\$\d+ to \$\d+", labels[1])
    assert re.fullmatch(r"\$\d+ and up", labels[-2])
    assert labels[-1] == "Not stated"  # the lamp has no price


@pytest.mark.parametrize("asked", ASKED)
def test_a_search_lights_exactly_what_it_lists(client: FlaskClient, engine: Engine, asked: str) -> None:
    lit = client.get(f"/api/v1/map/lit?{asked}").get_json()
    listed = all_ids(client, asked)
    assert [one.id for one in engine.release.products.products(lit["points"])] == listed
    assert lit["total"] == len(listed) == client.get(f"/api/v1/search?{asked}").get_json()["total"]
    assert sum(one["count"] for one in lit["clusters"]) == lit["total"]


@pytest.mark.parametrize("asked", ASKED)
def test_folded_every_variant_is_lit_and_the_numbers_are_of_products(client: FlaskClient, asked: str) -> None:
    lit, plain = (client.get(f"/api/v1/map/lit?{asked}&fold={fold}").get_json() for fold in (1, 0))
    assert lit["points"] == plain["points"]
    assert lit["total"] == len(all_ids(client, f"{asked}&fold=1"))
    for one in lit["clusters"]:
        wanted = "&".join(pair for pair in asked.split("&") if not pair.startswith(("page", "per_page", "cluster")))
        assert one["count"] == client.get(f"/api/v1/search?{wanted}&fold=1&cluster={one['id']}").get_json()["total"]


def test_more_than_a_page_is_lit(client: FlaskClient) -> None:
    assert len(client.get("/api/v1/map/lit?q=coffee+pot").get_json()["points"]) > 100


def test_points_say_which_products_they_are(client: FlaskClient, meta: dict[str, Any], engine: Engine) -> None:
    answer = client.get(f"{meta['links']['points']}?at=5,0,3").get_json()
    assert [one["point"] for one in answer["points"]] == [5, 0, 3]
    assert [one["id"] for one in answer["points"]] == ["0006", "0001", "0004"]
    lamp, mug, _ = answer["points"]
    assert (lamp["price"], lamp["price_text"], lamp["picture"]["letter"]) == (None, "", "L")
    assert (mug["title"], mug["price_text"], mug["rating"], mug["url"]) == (
        "Travel Mug", "$20.00", 4.5, "/products/0001",
    )  # fmt: skip
    assert mug["cluster"]["id"] == engine.release.clusters.cluster_of[0]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/v1/map?color=red", 422, "color"),
        ("/api/v1/map/{r}/colors/prise", 404, 'did you mean "price"'),
        ("/api/v1/map/{r}/colors/%2e%2e%2fmanifest", 404, None),
        ("/api/v1/map/{r}/positions?x=1", 422, "x"),
        ("/api/v1/map/another/positions", 404, "another"),
        ("/api/v1/map/another/points?at=1", 404, "another"),
        ("/api/v1/map/{r}/points", 422, "at"),
        ("/api/v1/map/{r}/points?at=", 422, "at"),
        ("/api/v1/map/{r}/points?at=-1", 422, "at"),
        ("/api/v1/map/{r}/points?at=1.5", 422, "at"),
        ("/api/v1/map/{r}/points?at=1,,2", 422, "at"),
        ("/api/v1/map/{r}/points?at=%D9%A3", 422, "at"),  # a digit, but of another script
        ("/api/v1/map/{r}/points?at=158", 404, "158"),
        ("/api/v1/map/{r}/points?at=99999999999999999999999", 422, "at"),
        ("/api/v1/map/{r}/points?at=999999999", 404, "counted from 0"),
        ("/api/v1/map/{r}/points?at=" + "9" * 5000, 422, "at"),
        ("/api/v1/map/{r}/points?at=" + ",".join("1" * 61), 422, "at most 60"),
        ("/api/v1/map/lit?q=" + "x" * 600, 422, "512"),
        ("/api/v1/map/lit?q=a&colour=red", 422, "colour"),
        ("/api/v1/map/lit?f.colr=red", 422, 'did you mean "color"'),
        ("/api/v1/map/lit?cluster=99", 422, "99"),
        ("/api/v1/map/lit?page=0", 422, "page"),
        ("/api/v1/map/lit?facets=brnd", 422, 'did you mean "brand"'),  # told of no facets, but a facet all the same
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_helps(
    client: FlaskClient, engine: Engine, path: str, status: int, said: str | None
) -> None:
    response = client.get(path.replace("{r}", engine.release.name))
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert said is None or said in response.get_json()["detail"]


def test_a_column_is_kept_for_a_year_only_under_the_address_of_its_content(
    client: FlaskClient, meta: dict[str, Any]
) -> None:
    address = meta["positions"]["url"]
    first = client.get(address)
    assert "immutable" in first.headers["Cache-Control"]
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    for other in ("", "?v=0123456789ab"):
        unnamed = client.get(address.partition("?")[0] + other)
        assert unnamed.headers["Cache-Control"] == "no-cache"
        assert unnamed.data == first.data


@pytest.mark.parametrize("address", ["/api/v1/map", "/api/v1/map/lit?q=coffee"])
def test_an_unchanged_answer_is_not_sent_again(client: FlaskClient, address: str) -> None:
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_while_the_encoder_loads_words_light_the_map_and_nothing_is_kept(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "early", SHOP), FakeEncoder(), waits=False)
    client = create_app(engine=FixedEngine(engine)).test_client()
    response = client.get("/api/v1/map/lit?q=gown")
    answer = response.get_json()
    assert answer["degraded"] == "encoder_loading"
    assert [engine.release.products.products(answer["points"])[0].id, answer["total"]] == ["0004", 1]
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers
    page = client.get("/map?q=gown")
    assert page.headers["Cache-Control"] == "no-store"
    assert "matched by their words alone" in page.get_data(as_text=True)


# -- the page --


def words_of(markup: str) -> str:
    """The words of a piece of a page."""
    return " ".join(re.sub(r"<[^>]+>", "", markup).split())


def rows_of(text: str) -> list[list[str]]:
    """The words of each cell of each row of the page's table."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.S)
    return [[words_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)] for row in rows]


def test_without_javascript_the_groups_are_a_table(client: FlaskClient, engine: Engine) -> None:
    text = client.get("/map").get_data(as_text=True)
    head, *rows = rows_of(text)
    assert head == ["Group", "Products", "Typical price", "Most typical"]
    assert [row[0] for row in rows] == ["Everything", "First half, in Everything", "Second half, in Everything"]
    assert [int(row[1]) for row in rows] == [157, 78, 79]  # the two mugs are one product
    prices = np.array([one.price for one in (*SHOP, *POTS) if one.price is not None])
    assert rows[0][2] == f"${np.median(prices):.2f}"
    assert "Travel Mug" in rows[0][3]
    links = {link["href"] for link in Document(text).all("a")}
    assert {"/clusters/0", "/clusters/1", "/clusters/2", "/products/0001"} <= links


def test_a_search_counts_its_results_in_every_group(client: FlaskClient) -> None:
    head, *rows = rows_of(client.get("/map?q=coffee&f.color=navy").get_data(as_text=True))
    total = client.get("/api/v1/search?q=coffee&f.color=navy&fold=1").get_json()["total"]
    assert head[:3] == ["Group", "Results", "Products"]
    assert int(rows[0][1]) == total == sum(int(row[1]) for row in rows[1:]) > 0


def test_the_page_of_a_search_leads_to_its_list_and_names_what_it_lights(client: FlaskClient) -> None:
    text = client.get("/map?q=coffee&f.color=navy&page=3&sort=newest").get_data(as_text=True)
    document = Document(text)
    assert "/search?q=coffee&f.color=navy" in {link["href"] for link in document.all("a")}
    found = next(tag for _, tag in document.tags if "data-lit" in tag)
    assert found["data-lit"] == "/api/v1/map/lit?q=coffee&f.color=navy&fold=1"
    assert client.get(found["data-lit"]).status_code == 200
    assert {"name": "f.color", "value": "navy"}.items() <= document.all("input", form="map-form")[0].items()


def test_nothing_found_is_said(client: FlaskClient) -> None:
    text = client.get("/map?q=gown&f.brand=Norr").get_data(as_text=True)
    assert "0 products" in text
    assert "No product fits" in text


def test_unknown_campaign_tags_and_colors_do_not_break_the_page(client: FlaskClient) -> None:
    assert client.get("/map?utm_source=mail&color=nothing").status_code == 200


@pytest.mark.parametrize("address", ["/map?q=" + "x" * 600, "/map?cluster=99", "/map?price_min=cheap"])
def test_a_bad_parameter_is_told_on_a_page(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 422
    assert response.mimetype == "text/html"


def test_the_map_is_loaded_on_its_own_page_only(client: FlaskClient) -> None:
    for address in ("/", "/search?q=coffee", "/clusters", "/products/0001"):
        text = client.get(address).get_data(as_text=True)
        assert "map.css" not in text
        assert "js/map" not in text
        assert 'href="/map"' in text


def test_lists_and_groups_lead_to_their_place_on_the_map(client: FlaskClient) -> None:
    search = client.get("/search?q=coffee&f.color=navy&page=2&sort=price:asc").get_data(as_text=True)
    assert 'href="/map?q=coffee&amp;f.color=navy"' in search
    assert 'href="/map?cluster=1"' in client.get("/clusters/1").get_data(as_text=True)


@pytest.mark.parametrize("products", [SHOP[:1], SHOP[:3], [Product(str(row), f"Thing {row}") for row in range(4)]])
def test_a_tiny_or_bare_catalog_has_a_page_and_columns(tmp_path: Path, products: list[Product]) -> None:
    engine = open_engine(write_release(tmp_path / "tiny", products))
    client = create_app(engine=FixedEngine(engine)).test_client()
    assert client.get("/map").status_code == 200
    meta = client.get("/api/v1/map").get_json()
    assert len(column(client, meta["positions"])) == 2 * len(products)
    for color in meta["colors"]:
        assert len(column(client, color)) == len(products)
