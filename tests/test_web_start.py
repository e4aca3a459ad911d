"""The start page invites: searches, departments, what is loved and new, the map; and only with what a catalog has."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient
from test_web_pages import Document

from app import create_app
from search.engine import Engine
from search.product import Product
from web.live import FixedEngine
from web.pages import map_picture
from web.pages.start import start_of

NAMES = ("Fern", "Moss", "Pine", "Oak", "Elm", "Ash", "Fir", "Yew", "Bay")


def client_of(folder: Path, products: list[Product]) -> FlaskClient:
    return create_app(engine=FixedEngine(open_engine(write_release(folder / "shop", products)))).test_client()


def test_every_search_it_offers_finds_something(tmp_path: Path) -> None:
    lamps = [replace(SHOP[5], id=f"l{n}", title=f"{name} Reading Lamp", price=10.0 + n) for n, name in enumerate(NAMES)]
    engine = open_engine(write_release(tmp_path / "shop", [*SHOP, *lamps]))
    engine.encoder.vectors(["ready"])
    client = create_app(engine=FixedEngine(engine)).test_client()
    document = Document(client.get("/").text)
    offered = [one["href"] for one in document.all("a") if one.get("href", "").startswith("/search?q=")]
    assert "/search?q=reading+lamp" in offered
    assert "/search?q=reading+lamp+under+%2415" in offered
    for address in offered:
        assert Document(client.get(address).text).all("article")


def test_what_is_new_comes_by_its_date_and_only_where_there_are_dates(tmp_path: Path, shop: Engine) -> None:
    client = create_app(engine=FixedEngine(shop)).test_client()
    text = client.get("/").text
    shelf = text[text.index('id="new-title"') :]
    assert re.findall(r'class="card-title"><a href="([^"]+)"', shelf)[:2] == ["/products/0005", "/products/0004"]
    undated = client_of(tmp_path / "undated", [replace(one, created_at="") for one in SHOP])
    assert 'id="new-title"' not in undated.get("/").text
    at_once = client_of(tmp_path / "once", [replace(one, created_at="2026-01-01") for one in SHOP])
    assert 'id="new-title"' not in at_once.get("/").text


def test_nothing_is_called_loved_where_nothing_is_rated(tmp_path: Path, shop: Engine) -> None:
    assert 'id="favorites-title"' in create_app(engine=FixedEngine(shop)).test_client().get("/").text
    unrated = client_of(tmp_path, [replace(one, rating=None, rating_count=None) for one in SHOP])
    assert 'id="favorites-title"' not in unrated.get("/").text


def test_where_few_products_have_a_category_the_aisles_are_groups(tmp_path: Path) -> None:
    bare = [replace(one, category=() if number > 2 else one.category) for number, one in enumerate(SHOP)]
    document = Document(client_of(tmp_path, bare).get("/").text)
    assert document.all("section", id="departments")
    assert document.all("a", href="/clusters/0")
    assert not document.all("a", href="/search?f.category=Kitchen")
    assert "Things that belong together" not in document.words  # they are the aisles already


def test_it_is_laid_out_once(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    client = create_app(engine=FixedEngine(shop)).test_client()
    client.get("/")
    monkeypatch.setattr(shop, "search", lambda *_: pytest.fail("asked again"))
    assert client.get("/").status_code == 200
    assert start_of(shop) is start_of(shop)


# -- the picture of the map --


def test_the_picture_is_drawn_once_a_release_and_kept_under_its_name(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_app(engine=FixedEngine(shop)).test_client()
    first = client.get(f"/map/light.svg?v={shop.release.name}")
    assert "immutable" in first.headers["Cache-Control"]
    assert client.get("/map/light.svg").headers["Cache-Control"] == "no-cache"
    monkeypatch.setattr(map_picture, "drawing", lambda *_: pytest.fail("drawn again"))
    assert client.get("/map/light.svg").data == first.data
    assert client.get("/map/blue.svg").status_code == 404


def test_each_product_is_a_dot_within_the_picture_and_names_are_only_text(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP))
    clusters = engine.release.clusters
    object.__setattr__(clusters, "positions", np.linspace(-1, 1, 16, dtype=np.float32).reshape(8, 2))
    clusters.clusters[0] = replace(clusters.clusters[0], label='<script>"&')
    root = ET.fromstring(create_app(engine=FixedEngine(engine)).test_client().get("/map/dark.svg").text)  # noqa: S314
    space = "{http://www.w3.org/2000/svg}"
    steps = "".join(path.get("d") or "" for path in root.iter(f"{space}path"))
    dots = [(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h0", steps)]
    assert len(dots) == 8
    assert all(0 < x < map_picture.WIDTH and 0 < y < map_picture.HEIGHT for x, y in dots)
    assert [text.text for text in root.iter(f"{space}text")] == ['<script>"&']
    hue = map_picture.palette()["dark"]["hue-1"]
    assert {path.get("stroke") for path in root.iter(f"{space}path")} == {hue}


def test_groups_take_hues_as_the_map_does() -> None:
    # One at (2, 0) and eight on the unit circle use every hue once. The tenth, at (-2, 0), takes the first one's, which
    # is farthest. The last, in the middle, may not: that hue is used twice, so it takes the second one's.
    angles = np.arange(8) * np.pi / 4
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    centers = [np.array([2, 0], np.float32), *circle, np.array([-2, 0], np.float32), np.array([0, 0], np.float32)]
    hues = map_picture._hues(centers)
    assert hues[:10] == [*range(9), 0]
    assert hues[10] != 0
