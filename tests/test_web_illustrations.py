"""The sample catalog's pictures: well-formed, in the product's color, and only those there are."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from app import create_app
from web.pages.illustrations import ICONS, PALETTE, illustration

COLORS = (
    "black white grey silver brown tan beige cream red burgundy pink orange yellow green olive sage teal blue navy "
    "purple gold copper clear multicolor"
)


@pytest.fixture
def client() -> FlaskClient:
    return create_app().test_client()


def test_every_color_name_has_a_paint() -> None:
    assert set(PALETTE) == set(COLORS.split())


@pytest.mark.parametrize("color", [*PALETTE, "plain"])
def test_every_icon_is_drawn_as_well_formed_svg(color: str) -> None:
    for file in ICONS.glob("*.svg"):
        svg = illustration(file.stem, color)
        assert svg is not None
        root = ElementTree.fromstring(svg)  # noqa: S314 - our own files
        assert root.get("viewBox") == "0 0 480 480"
        ids = {element.get("id") for element in root.iter() if element.get("id")}
        used = {part.split(")")[0] for part in svg.split("url(#")[1:]}
        assert used <= ids


def test_the_object_is_painted_in_its_color() -> None:
    navy, red = illustration("dress", "navy"), illustration("dress", "red")
    assert navy is not None
    assert PALETTE["navy"].body in navy
    assert navy != red


def test_pictures_are_kept_for_ever(client: FlaskClient) -> None:
    response = client.get("/illustrations/dress/plain.svg")
    assert response.mimetype == "image/svg+xml"
    assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path", ["dress/mauve.svg", "unicorn-cart/red.svg", "dress/red.png", "..%2F..%2Fmark/red.svg", "Dress/red.svg"]
)
def test_what_there_is_no_picture_of_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(f"/illustrations/{path}").status_code == 404
