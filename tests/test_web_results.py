"""Results as a page without JavaScript: cards, list and grid, pages one by one and several in a row."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browser_fixtures import POTS
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient
from markupsafe import Markup
from test_web_pages import Document

from app import create_app
from search.product import Product
from web.live import FixedEngine
from web.pages.cards import cut_highlight, shared_title

SHIRTS = tuple(
    Product(f"s{number}", f"Dress, {color}, {size}", "Warm in autumn. Made of wool; a coat for a red light.",
            ("Clothing", "Dresses"), "Velour", 40.0 + number, "USD", f"/illustrations/none/{color}.svg",
            group_id="dress", availability="in_stock",
            attributes={"Color": (color,), "Size": (size,), "Material": ("wool",)})
    for number, (color, size) in enumerate((c, s) for c in ("red", "blue", "navy", "sage", "teal", "odd") for s in "SM")
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    engine = open_engine(write_release(tmp_path_factory.mktemp("results") / "shop", (*SHOP, *POTS, *SHIRTS)))
    engine.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(engine)).test_client()


def shown(client: FlaskClient, address: str) -> list[str]:
    """The products on a page, in order."""
    return [one["data-key"] for one in Document(client.get(address).text).all("article")]


def links(client: FlaskClient, address: str, name: str) -> list[str]:
    """Where the links lead whose class is `name`."""
    return [one["href"] for one in Document(client.get(address).text).all("a") if name in one.get("class", "").split()]


def card(client: FlaskClient, address: str, key: str) -> str:
    """The markup of one card."""
    return client.get(address).text.split(f'data-key="{key}"')[1].split("</article>")[0]


# -- several pages in a row --


def test_pages_in_a_row_hold_what_the_pages_hold_one_by_one(client: FlaskClient) -> None:
    one_by_one = [key for page in (2, 3, 4) for key in shown(client, f"/search?q=coffee&per_page=6&page={page}")]
    assert len(set(one_by_one)) == 18
    assert shown(client, "/search?q=coffee&per_page=6&page=4&from=2") == one_by_one


def test_show_more_leads_to_the_next_page_joined_at_its_first_new_product(client: FlaskClient) -> None:
    [more] = links(client, "/search?q=coffee&per_page=6", "more")
    assert more == "/search?q=coffee&per_page=6&page=2&from=1#more"
    document = Document(client.get(more.partition("#")[0]).text)
    [first_new] = [one for one in document.all("article") if one.get("id") == "more"]
    assert first_new["data-key"] == shown(client, "/search?q=coffee&per_page=6&page=2")[0]
    assert "12 of " in document.words


def test_show_more_ends_with_the_list(client: FlaskClient) -> None:
    assert links(client, "/search?q=gown&per_page=100", "more") == []
    assert "Pages" not in client.get("/search?q=gown&per_page=100").text


def test_after_ten_pages_the_next_begins_afresh(client: FlaskClient) -> None:
    assert links(client, "/search?q=coffee&per_page=1&page=9&from=1", "more")[0].endswith("page=10&from=1#more")
    assert links(client, "/search?q=coffee&per_page=1&page=10&from=1", "more")[0].endswith("page=11")
    assert len(shown(client, "/search?q=coffee&per_page=1&page=20&from=1")) == 10


@pytest.mark.parametrize("first", ["0", "-1", "9", "x", "", "٣", "1e3", "9" * 40])
def test_a_first_page_that_is_none_is_passed_over(client: FlaskClient, first: str) -> None:
    address = "/search?q=coffee&per_page=6&page=3"
    assert shown(client, f"{address}&from={first}") == shown(client, address)


def test_links_to_single_pages_and_filters_do_not_carry_the_first_page(client: FlaskClient) -> None:
    document = Document(client.get("/search?q=coffee&per_page=6&page=3&from=1").text)
    carrying = [one["href"] for one in document.all("a") if "from=" in one.get("href", "")]
    assert [one.partition("#")[0] for one in carrying] == ["/search?q=coffee&per_page=6&page=4&from=1"]
    assert not [one for one in document.all("input") if one.get("name") == "from"]


def test_a_list_that_does_not_begin_at_the_first_product_says_so(client: FlaskClient) -> None:
    text = client.get("/search?q=coffee&per_page=6&page=3").text
    assert "From product 13 on." in text
    assert 'href="/search?q=coffee&amp;per_page=6"' in text.split("restart")[1].split("</p>")[0]
    assert "restart" not in client.get("/search?q=coffee&per_page=6&page=3&from=1").text


# -- list and grid --


def test_the_view_is_kept_by_every_link_and_form_of_the_page(client: FlaskClient) -> None:
    document = Document(client.get("/search?q=coffee&per_page=6&view=list").text)
    to_results = [one["href"] for one in document.all("a") if one.get("href", "").startswith("/search?q=coffee")]
    assert len(to_results) >= 8
    grid = [one for one in to_results if "view=list" not in one]
    assert grid == ["/search?q=coffee&per_page=6"]  # the link to the grid itself
    assert document.all("input", name="view", value="list")
    assert "view" not in links(client, "/search?q=coffee&view=list", "quiet")[0]  # the map has no views


def test_an_unknown_view_is_the_grid(client: FlaskClient) -> None:
    assert 'class="cards grid"' in client.get("/search?q=coffee&view=<b>").text


def test_a_list_tells_more_of_each_product_than_a_grid(client: FlaskClient) -> None:
    grid, listed = (card(client, f"/search?q=gown&view={view}", "0004") for view in ("grid", "list"))
    assert "For evenings." in listed and "For evenings." not in grid
    assert "In stock" in listed and "In stock" not in grid
    assert "<dt>Color</dt><dd>red</dd>" in listed
    assert "<dt>" not in grid


# -- cards --


def test_a_card_of_variants_shows_their_colors_and_the_title_they_share(client: FlaskClient) -> None:
    found = card(client, "/search?q=velour+dress", "dress")
    assert re.search(r"<a href[^>]*>(<mark>)?Dress(</mark>)?</a>", found)
    first, *others = re.findall(r"swatch-(\w+)", found)
    assert f"illustrations/none/{first}" in found  # the one in the picture
    assert others == [one for one in ("red", "blue", "navy", "sage", "teal") if one != first]
    assert "+1" in found  # the sixth is of no color we know
    assert f"Colors: {', '.join((first, *others))} and 1 more" in found
    assert "12 options" in found


def test_one_variant_alone_keeps_its_whole_title_and_has_no_swatches_of_others(client: FlaskClient) -> None:
    found = card(client, "/search?q=velour+dress&f.color=navy&f.size=M", "dress")
    assert "</mark>, navy, M</a>" in found
    assert re.findall(r"swatch-(\w+)", found) == ["navy"]


def test_what_variants_do_not_differ_in_stays_in_the_title(client: FlaskClient) -> None:
    assert "</mark>, navy</a>" in card(client, "/search?q=velour+dress&f.color=navy", "dress")


@pytest.mark.parametrize(
    ("title", "shared"),
    [
        ("Boots, 8", "Boots"), ("Boots - Black / 8", "Boots"), ("Boots (8)", "Boots"),
        ("8", "8"), ("Boots 8", "Boots 8"), ("Boots, Wide, 8", "Boots, Wide"), (", 8", ", 8"),
    ],
)  # fmt: skip
def test_only_values_at_the_end_of_a_title_are_taken_off(title: str, shared: str) -> None:
    product = Product("x", title, attributes={"Size": ("8",), "Color": ("black",), "Width": ("wide",)})
    assert shared_title(product, ("size", "color")) == shared


def test_a_cut_title_keeps_its_marks() -> None:
    marked = Markup("Warm <mark>Boots</mark>, <mark>8</mark>")
    assert cut_highlight(marked, "Warm Boots, 8", "Warm Boots") == "Warm <mark>Boots</mark>"
    assert cut_highlight(Markup("A&lt;b,8"), "A<b,8", "A<b") == "A&lt;b"


def test_the_reason_is_a_sentence_of_the_product_where_the_title_does_not_say_it(client: FlaskClient) -> None:
    assert "<q>Keeps coffee <mark>hot</mark> on a cold platform</q>" in card(client, "/search?q=hot+mug", "mug")
    assert "card-why" not in card(client, "/search?q=travel+mug", "mug")


def test_a_result_leads_to_its_group_but_not_on_the_groups_own_page(client: FlaskClient) -> None:
    assert 'href="/clusters/1">First half</a>' in card(client, "/search?q=gown", "0004")
    assert "First half" not in card(client, "/clusters/1", "0004")


def test_the_first_row_of_pictures_is_wanted_at_once_and_the_others_when_they_are_near(client: FlaskClient) -> None:
    pictures = [
        one for one in Document(client.get("/search?q=coffee+pot").text).all("img") if "/illustrations/" in one["src"]
    ]
    assert [one.get("loading", "") for one in pictures[:6]] == ["", "", "", "", "lazy", "lazy"]
    assert [one.get("fetchpriority") for one in pictures[:5]] == ["high"] * 4 + [None]
    assert all(one["width"] and one["height"] for one in pictures)


def test_similar_leads_to_what_is_like_this_product(client: FlaskClient) -> None:
    [similar] = [one for one in links(client, "/search?q=gown", "card-similar") if "0004" in one]
    assert similar == "/similar?liked=0004"
    assert client.get(similar).status_code == 200


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "x" * 5000, "\u202eright to left", "🧦" * 40])
def test_hostile_products_stay_text_in_both_views(tmp_path: Path, text: str, request: Any) -> None:
    product = Product("h", text, f"{text}. Stands on a table.", (text,), text, attributes={"Color": (text[:50],)})
    engine = open_engine(write_release(tmp_path / "shop", (product, *SHOP)))
    engine.encoder.vectors(["ready"])
    hostile = create_app(engine=FixedEngine(engine)).test_client()
    for view in ("grid", "list"):
        page = hostile.get(f"/search?q=table&view={view}")
        assert page.status_code == 200
        assert "<script>alert" not in page.text
