"""Shopify, WooCommerce and Google Merchant exports."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog import CatalogSettings, Notes, Rejection, open_catalog
from search.product import Product

SHOPIFY_HEADER = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,"
    "Option2 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,"
    "Variant Price,Image Src,Image Position,Cost per item,Status"
)
WOO_HEADER = (
    "ID,Type,SKU,Name,Published,Short description,Description,In stock?,Stock,Sale price,Regular price,Categories,Tags,"
    "Images,Parent,Attribute 1 name,Attribute 1 value(s),Attribute 1 visible,Meta: _secret"
)
SHOPIFY, WOO = SHOPIFY_HEADER.split(","), WOO_HEADER.split(",")


@pytest.fixture
def read(tmp_path):
    """Write an export from dicts and return (catalog, outcomes, notes)."""

    def read_rows(headers: list[str], rows: list[dict[str, str]], options: CatalogSettings | None = None):
        path = tmp_path / "export.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, headers, restval="")
            writer.writeheader()
            writer.writerows(rows)
        notes = Notes()
        catalog = open_catalog(path, options or CatalogSettings())
        return catalog, [outcome for _, outcome in catalog.read(notes)], notes

    return read_rows


TEE = {
    "Handle": "tee",
    "Title": "Cotton tee",
    "Body (HTML)": "<p>Soft.</p>",
    "Vendor": "Acme",
    "Product Category": "Apparel > Shirts",
    "Type": "T-shirts",
    "Tags": "summer, cotton",
    "Published": "TRUE",
    "Option1 Name": "Colour",
    "Option1 Value": "Red",
    "Option2 Name": "Size",
    "Option2 Value": "M",
    "Variant SKU": "T-R-M",
    "Variant Grams": "150",
    "Variant Inventory Qty": "3",
    "Variant Inventory Policy": "deny",
    "Variant Price": "19.90",
    "Image Src": "https://cdn.example/1.jpg",
    "Cost per item": "4.00",
    "Status": "active",
}


def test_shopify_variants_inherit_from_the_first_row_of_their_handle(read):
    rows = [
        TEE,
        {
            "Handle": "tee",
            "Option1 Value": "Blue",
            "Option2 Value": "L/XL",
            "Variant Price": "21",
            "Variant Inventory Qty": "0",
        },
        {"Handle": "tee", "Image Src": "https://cdn.example/2.jpg", "Image Position": "2"},
    ]
    catalog, found, notes = read(SHOPIFY, rows)
    shared = {
        "title": "Cotton tee",
        "description": "Soft.",
        "brand": "Acme",
        "category": ("Apparel", "Shirts", "T-shirts"),
        "image_url": "https://cdn.example/1.jpg",
        "group_id": "tee",
    }
    assert catalog.preset == "shopify"
    assert catalog.mapping["id"] == ("Variant SKU", "Handle")
    assert found == [
        Product(
            id="T-R-M",
            price=19.9,
            availability="in_stock",
            attributes={"Tags": ("summer", "cotton"), "Colour": ("Red",), "Size": ("M",)},
            **shared,
        ),
        Product(
            id="tee-blue-l-xl",
            price=21.0,
            availability="out_of_stock",
            attributes={"Tags": ("summer", "cotton"), "Colour": ("Blue",), "Size": ("L/XL",)},
            **shared,
        ),
    ]
    assert (notes.rows, notes.folded) == (3, 1)


def test_a_shopify_product_without_options_stands_alone_under_its_handle(read):
    row = TEE | {"Option1 Name": "Title", "Option1 Value": "Default Title", "Option2 Name": "", "Option2 Value": ""}
    _, (product,), _ = read(SHOPIFY, [row | {"Variant SKU": "", "Variant Inventory Policy": "continue"}])
    assert (product.id, product.group_id, product.availability) == ("tee", "", "in_stock")
    assert product.attributes == {"Tags": ("summer", "cotton")}


def test_shopify_drafts_are_set_aside_with_their_variants(read):
    variant = {"Handle": "tee", "Option1 Value": "Blue", "Variant Price": "21"}
    other = TEE | {"Handle": "cap", "Variant SKU": "C"}
    for draft in ({"Status": "draft"}, {"Published": "false"}):
        _, found, notes = read(SHOPIFY, [TEE | draft, variant, other])
        assert [product.id for product in found] == ["C"]
        assert (notes.rows, notes.unpublished) == (3, 2)


def test_a_shopify_continuation_away_from_its_product_is_rejected(read):
    _, found, _ = read(SHOPIFY, [TEE, {"Handle": "cap", "Variant SKU": "C", "Variant Price": "5"}])
    assert [type(outcome) for outcome in found] == [Product, Rejection]
    assert (found[1].line, found[1].kind) == (3, "continuation without its product")


def test_an_option_named_like_a_column_keeps_both(read):
    _, (product,), _ = read(SHOPIFY, [TEE | {"Option1 Name": "Vendor", "Option1 Value": "Sun"}])
    assert product.brand == "Acme"
    assert product.attributes["Vendor (option)"] == ("Sun",)


def test_the_newer_shopify_export_is_read_too(read):
    headers = ["Title", "URL handle", "Description", "Vendor", "SKU", "Option1 name", "Option1 value", "Price"]
    headers += ["Inventory quantity", "Product image URL", "Colour (product.metafields.shopify.colour)"]
    first = dict(
        zip(
            headers,
            ["Tee", "tee", "Soft", "Acme", "A", "Size", "M", "5", "1", "https://x.example/1.jpg", "Red"],
            strict=True,
        )
    )
    second = {"URL handle": "tee", "SKU": "B", "Option1 value": "L", "Price": "6"}
    catalog, found, _ = read(headers, [first, second])
    assert catalog.preset == "shopify"
    assert [(p.id, p.title, p.price, p.group_id) for p in found] == [("A", "Tee", 5.0, "tee"), ("B", "Tee", 6.0, "tee")]
    assert found[1].attributes == {"Colour": ("Red",), "Size": ("L",)}
    assert found[1].image_url == "https://x.example/1.jpg"


HOODIE = {
    "ID": "10",
    "Type": "variable",
    "SKU": "hoodie",
    "Name": "Hoodie",
    "Published": "1",
    "Short description": "Warm",
    "Description": "<p>Very warm</p>",
    "In stock?": "1",
    "Categories": "Clothing > Hoodies, Sale",
    "Tags": "warm, soft",
    "Images": "https://x.example/1.jpg, https://x.example/2.jpg",
    "Attribute 1 name": "Colour",
    "Attribute 1 value(s)": "Red, Blue",
    "Attribute 1 visible": "1",
    "Meta: _secret": "internal",
}


def test_woocommerce_variations_inherit_from_their_product(read):
    variation = {"Type": "variation", "Published": "1", "Attribute 1 name": "Colour"}
    rows = [
        HOODIE,
        variation
        | {
            "ID": "11",
            "SKU": "h-r",
            "Name": "Hoodie - Red",
            "In stock?": "0",
            "Regular price": "40",
            "Sale price": "35",
            "Parent": "hoodie",
            "Attribute 1 value(s)": "Red",
        },
        variation
        | {
            "ID": "12",
            "Regular price": "40",
            "In stock?": "backorder",
            "Parent": "id:10",
            "Attribute 1 value(s)": "Blue",
        },
        {
            "ID": "13",
            "Type": "simple",
            "SKU": "cap",
            "Name": "Cap",
            "Published": "1",
            "Regular price": "9",
            "Categories": "Hats\\, caps > Wool",
        },
    ]
    catalog, found, notes = read(WOO, rows)
    assert catalog.preset == "woocommerce"
    parent, red, blue, cap = found
    assert (parent.id, parent.group_id, parent.price) == ("10", "10", None)
    assert parent.category == ("Clothing", "Hoodies")
    assert parent.image_url == "https://x.example/1.jpg"
    assert parent.more_image_urls == ("https://x.example/2.jpg",)
    assert parent.attributes == {"SKU": ("hoodie",), "Tags": ("warm", "soft"), "Colour": ("Red", "Blue")}
    assert (red.id, red.title, red.price, red.availability, red.group_id) == (
        "11",
        "Hoodie - Red",
        35.0,
        "out_of_stock",
        "10",
    )
    assert red.attributes["Regular price"] == ("40",)
    assert (blue.title, blue.description, blue.price, blue.availability) == ("Hoodie", "Very warm", 40.0, "preorder")
    assert blue.attributes["Colour"] == ("Blue",)
    assert (cap.category, cap.group_id) == (("Hats, caps", "Wool"), "")
    assert not notes.warnings


def test_unpublished_woocommerce_products_and_their_variations_are_set_aside(read):
    variation = {"ID": "11", "Type": "variation", "Published": "1", "Name": "Red", "Parent": "hoodie"}
    shown = {"ID": "12", "Type": "simple", "Published": "1", "Name": "Cap"}
    _, found, notes = read(WOO, [HOODIE | {"Published": "-1"}, variation, shown])
    assert [product.id for product in found] == ["12"]
    assert notes.unpublished == 2


def test_a_woocommerce_variation_above_its_product_stays_if_it_has_a_name(read):
    variation = {"ID": "11", "Type": "variation", "Published": "1", "Name": "Red", "Parent": "gone"}
    _, found, notes = read(WOO, [variation, variation | {"ID": "12", "Name": ""}])
    assert (found[0].id, found[0].group_id) == ("11", "gone")
    assert found[1].kind == "no title"
    assert [warned.count for warned in notes.warnings.values()] == [2]


def test_remembered_woocommerce_products_are_bounded(read):
    parents = [HOODIE | {"ID": str(i), "SKU": f"s{i}"} for i in range(50)]
    late = {"ID": "99", "Type": "variation", "Published": "1", "Name": "x", "Parent": "s0"}
    _, found, notes = read(WOO, [*parents, late], CatalogSettings(parents_kept=10))
    assert len(found) == 51 and found[-1].group_id == "s0"
    assert len(notes.warnings) == 1


def test_a_google_merchant_feed_is_read(read):
    row = {
        "id": "A1",
        "title": "Dress",
        "description": "Red dress",
        "link": "https://x.example/a1",
        "image_link": "https://x.example/a1.jpg",
        "additional_image_link": "https://x.example/a2.jpg",
        "price": "59.90 EUR",
        "sale_price": "49.90 EUR",
        "availability": "in_stock",
        "item_group_id": "A",
        "product_type": "Women > Dresses",
        "google_product_category": "2271",
        "brand": "Acme",
        "gtin": "0123456789012",
        "color": "red",
    }
    other = row | {"id": "A2", "product_type": "", "google_product_category": "Apparel > Dresses", "sale_price": ""}
    catalog, (product, second), notes = read(list(row), [row, other])
    assert (catalog.preset, catalog.currency) == ("google", "EUR")
    assert product == Product(
        id="A1",
        title="Dress",
        description="Red dress",
        category=("Women", "Dresses"),
        brand="Acme",
        price=49.9,
        currency="EUR",
        image_url="https://x.example/a1.jpg",
        url="https://x.example/a1",
        availability="in_stock",
        group_id="A",
        attributes={"price": ("59.90 EUR",), "gtin": ("0123456789012",), "color": ("red",)},
        more_image_urls=("https://x.example/a2.jpg",),
    )
    assert (second.category, second.price) == (("Apparel", "Dresses"), 59.9)
    assert not notes.warnings


CELL = st.sampled_from(
    ["", "tee", "cap", "Red", "19.90", "draft", "FALSE", "variable", "variation", "1", "id:1", "-1", " x "]
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), headers=st.sampled_from([SHOPIFY, WOO]))
def test_every_row_of_an_export_comes_out_exactly_once(tmp_path_factory, data, headers):
    rows = data.draw(st.lists(st.lists(CELL, min_size=len(headers), max_size=len(headers)), min_size=1, max_size=8))
    path = tmp_path_factory.mktemp("export") / "export.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([headers, ["x"] * len(headers), *rows])
    notes = Notes()
    lines = [line for line, _ in open_catalog(path, CatalogSettings()).read(notes)]
    assert len(lines) + notes.folded + notes.unpublished == notes.rows
    assert notes.rows + notes.blank == len(rows) + 1
    assert lines == sorted(set(lines))
