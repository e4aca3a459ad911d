"""Columns guessed and named, values kept or dropped, rows rejected with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indexer.catalog import CatalogSettings, Notes, Rejection, open_catalog
from search.errors import CatalogError
from search.product import Product

PLAIN = CatalogSettings()


@pytest.fixture
def read(tmp_path):
    """Write a catalog and return (catalog, outcomes, notes)."""

    def read_text(text: str, settings: CatalogSettings = PLAIN):
        path = tmp_path / "catalog.csv"
        path.write_text(text, encoding="utf-8")
        notes = Notes()
        catalog = open_catalog(path, settings)
        return catalog, [outcome for _, outcome in catalog.read(notes)], notes

    return read_text


def columns(headers: str, read, settings: CatalogSettings = PLAIN) -> dict[str, tuple[str, ...]]:
    values = ",".join("1" for _ in headers.split(","))
    return read(f"{headers}\n{values}\n", settings)[0].mapping


def test_headers_are_matched_whatever_their_case_spaces_and_underscores(read):
    assert columns("Product ID,PRODUCT_NAME,Average Rating,image-url", read) == {
        "id": ("Product ID",),
        "title": ("PRODUCT_NAME",),
        "image_url": ("image-url",),
        "rating": ("Average Rating",),
    }


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        ("upc,asin,uid,handle,sku,product_id,id,title", "id"),
        ("upc,asin,uid,handle,sku,product_id,title", "product_id"),
        ("upc,asin,uid,handle,sku,title", "sku"),
        ("upc,asin,uid,handle,title", "handle"),
        ("upc,asin,uid,title", "uid"),
        ("upc,asin,title", "asin"),
        ("upc,title", "upc"),
    ],
)
def test_the_id_column_is_chosen_in_a_fixed_order(headers, chosen, read):
    assert columns(headers, read)["id"] == (chosen,)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("average_rating", "rating"),
        ("stock", "availability"),
        ("in_stock", "availability"),
        ("current_stock", "availability"),
        ("date_released", "created_at"),
        ("manufacturer", "brand"),
        ("item_group_id", "group_id"),
        ("num_reviews", "rating_count"),
    ],
)
def test_usual_headers_find_their_field(header, field, read):
    assert columns(f"id,title,{header}", read)[field] == (header,)


def test_deeper_category_columns_are_appended_and_list_price_stays_an_attribute(read):
    catalog, (product,), _ = read(
        "id,title,category,sub_category,product_type,price,list_price\n1,Knife,Home > Kitchen,kitchen,Knives,5,8\n"
    )
    assert catalog.mapping["category"] == ("category", "sub_category", "product_type")
    assert product.category == ("Home", "Kitchen", "Knives")
    assert (product.price, product.attributes) == (5.0, {"list_price": ("8",)})


def test_every_field_is_read(read):
    header = (
        "id,title,description,category,brand,price,currency,image_url,url,rating,rating_count,availability,group_id"
    )
    row = '007,"<b>Red</b> &amp; blue",<p>a</p><p>b</p>,A > B,Acme,"$1,299.00",usd,/a.jpg,https://x.example/p,4.5/5,'
    _, (product,), notes = read(f'{header},created_at,Colour\n{row}"1,234",in stock,G1,2020,red | blue\n')
    assert product == Product(
        id="007",
        title="Red & blue",
        description="a b",
        category=("A", "B"),
        brand="Acme",
        price=1299.0,
        currency="USD",
        image_url="/a.jpg",
        url="https://x.example/p",
        rating=4.5,
        rating_count=1234,
        availability="in_stock",
        group_id="G1",
        created_at="2020-01-01",
        attributes={"Colour": ("red", "blue")},
    )
    assert not notes.warnings


def test_a_cell_and_columns_of_several_pictures_are_kept_in_order_each_once(read):
    header = "id,title,image_url,additional_image_link"
    _, found, notes = read(f'{header}\n1,a,"/1.jpg, /2.jpg | /3.jpg","/2.jpg,https://x.example/4.jpg"\n2,b,,/5.jpg\n')
    assert [one.image_url for one in found] == ["/1.jpg", ""]
    assert found[0].more_image_urls == ("/2.jpg", "/3.jpg", "https://x.example/4.jpg")
    assert found[1].more_image_urls == ("/5.jpg",)
    assert not notes.warnings


def test_ids_keep_their_leading_zeros_and_their_case(read):
    _, found, _ = read("id,title\n007,a\n7,b\n7.0,c\nAb,d\nab,e\n")
    assert [product.id for product in found] == ["007", "7", "7.0", "Ab", "ab"]


def test_the_first_row_of_an_id_stays_and_later_ones_name_its_line(read):
    _, found, _ = read('id,title\n1,a\n2,"b\nb"\n 2 ,c\n2,d\n')
    assert [product.title for product in found[:2]] == ["a", "b b"]
    assert [(r.line, r.kind, r.reason) for r in found[2:]] == [
        (5, "duplicate id", "the id is already used on line 3"),
        (6, "duplicate id", "the id is already used on line 3"),
    ]


def test_a_rejected_row_does_not_take_the_id(read):
    _, found, _ = read("id,title,price\n1,a,call us\n1,b,5\n")
    assert isinstance(found[0], Rejection)
    assert found[1].title == "b"


@pytest.mark.parametrize(
    ("row", "column", "kind"),
    [
        (",a,1", "id", "no id"),
        ("  ,a,1", "id", "no id"),
        ("1,,1", "title", "no title"),
        ("1,<p> </p>,1", "title", "no title"),
        ("x" * 300 + ",a,1", "id", "id too long"),
        ("1,a,call us", "price", "price not usable"),
        ("1,a,-5", "price", "price not usable"),
        ("1,a,nan", "price", "price not usable"),
        ("1,a,inf", "price", "price not usable"),
        ("1,a,1e300", "price", "price not usable"),
    ],
)
def test_a_row_without_id_title_or_usable_price_is_rejected_with_a_fix(row, column, kind, read):
    _, (rejection,), _ = read(f"id,title,price\n{row}\n")
    assert (rejection.line, rejection.column, rejection.kind) == (2, column, kind)
    assert rejection.reason and rejection.fix


def test_empty_and_zero_prices_are_kept(read):
    _, found, _ = read("id,title,price\n1,a,\n2,b,0\n")
    assert [product.price for product in found] == [None, 0.0]


def test_a_bad_optional_value_is_dropped_and_noted_while_the_product_stays(read):
    _, (product, other), notes = read(
        "id,title,rating,rating_count,availability,image_url,created_at\n"
        "1,a,9,many,perhaps,javascript:alert(1),someday\n"
        "2,b,bad,1,yes,/x.jpg,2020-01-01\n"
    )
    assert product == Product("1", "a", attributes={"created_at": ("someday",)})
    assert other.availability == "in_stock"
    counted = {column: (warned.count, warned.first_line) for (column, _), warned in notes.warnings.items()}
    assert counted == {
        "rating": (2, 2),
        "rating_count": (1, 2),
        "availability": (1, 2),
        "image_url": (1, 2),
        "created_at": (1, 2),
    }


def test_the_most_frequent_currency_is_the_catalogs_and_others_are_rejected(read):
    text = "id,title,price\n1,a,$5\n2,b,€6\n3,c,7 EUR\n4,d,8\n"
    catalog, found, _ = read(text)
    assert catalog.currency == "EUR"
    assert [(o.line, o.kind) if isinstance(o, Rejection) else (o.id, o.currency) for o in found] == [
        (2, "other currency"),
        ("2", "EUR"),
        ("3", "EUR"),
        ("4", "EUR"),
    ]
    _, found, _ = read(text, CatalogSettings(currency="usd"))
    assert [o.id for o in found if isinstance(o, Product)] == ["1", "4"]


def test_a_dollar_sign_fits_a_catalog_in_another_dollar(read):
    catalog, found, _ = read("id,title,price,currency\n1,a,$5,AUD\n2,b,$6,AUD\n3,c,$7,\n4,d,€8,AUD\n")
    assert catalog.currency == "AUD"
    assert [o.kind if isinstance(o, Rejection) else o.price for o in found] == [5.0, 6.0, 7.0, "two currencies"]


def test_the_price_column_decides_what_1_299_means(read):
    _, german, _ = read("id;title;price\n1;a;1.299\n2;b;19,90\n")
    _, english, _ = read("id,title,price\n1,a,1.299\n2,b,19.90\n")
    assert [p.price for p in german] == [1299.0, 19.9]
    assert [p.price for p in english] == [1.3, 19.9]


def test_a_sale_price_wins_and_the_usual_price_is_shown_as_attribute(read):
    _, found, _ = read("id,title,price,sale_price\n1,a,10,8\n2,b,10,\n")
    assert [(p.price, p.attributes) for p in found] == [(8.0, {"price": ("10",)}), (10.0, {})]


def test_a_column_of_json_objects_is_spread(read):
    specs = json.dumps({"type": "Ink", "pages": 6.0, "colours": ["cyan", "black"]}).replace('"', '""')
    _, (product,), _ = read(f'id,title,attributes\n1,a,"{specs}"\n')
    assert product.attributes == {"type": ("Ink",), "pages": ("6",), "colours": ("cyan", "black")}


def test_a_json_bomb_is_cut_down_to_a_bounded_number_of_attributes(read):
    bomb = json.dumps({f"k{i}": i for i in range(5_000)}).replace('"', '""')
    many = json.dumps({"k": list(range(5_000))}).replace('"', '""')
    _, (product, other), notes = read(f'id,title,attributes\n1,a,"{bomb}"\n2,b,"{many}"\n')
    assert len(product.attributes) == PLAIN.max_attributes
    assert len(other.attributes["k"]) == PLAIN.max_values
    assert any("more attributes" in reason for _, reason in notes.warnings)


def test_blank_and_repeated_headers_get_names_of_their_own(read):
    catalog, (product,), _ = read("id,title,Colour,,Colour,\n1,a,red,x,blue,\n")
    assert catalog.sniffed.headers == ("id", "title", "Colour", "column 4", "Colour (2)")
    assert product.attributes == {"Colour": ("red",), "column 4": ("x",), "Colour (2)": ("blue",)}


def test_map_overrides_the_guess_and_frees_the_column_it_replaces(read):
    settings = CatalogSettings(mapping={"title": "long name", "brand": ""})
    catalog, (product,), _ = read("id,title,Long_Name,brand\n1,short,long,Acme\n", settings)
    assert catalog.mapping == {"id": ("id",), "title": ("Long_Name",)}
    assert (product.title, product.attributes) == ("long", {"title": ("short",), "brand": ("Acme",)})


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"title": "Produkt Nmae"}, "did you mean 'Produkt Name'"),
        ({"titel": "Produkt Name"}, "did you mean 'title'"),
        ({"brand": "zzz"}, "columns: id, Produkt Name"),
    ],
)
def test_an_unknown_field_or_header_in_map_names_the_nearest(mapping, message, read):
    with pytest.raises(CatalogError, match=message):
        read("id,Produkt Name\n1,a\n", CatalogSettings(mapping=mapping))


def test_without_id_or_title_the_error_lists_the_headers_and_the_map_to_type(read):
    with pytest.raises(CatalogError) as error:
        read("Prod Nr,Titel,Preis\n1,a,2\n")
    assert "Prod Nr, Titel, Preis" in str(error.value)
    assert "--map 'id=" in str(error.value) and "title=Titel'" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"id,title\n", "not one row"),
        (b"id,title\n,\n\n", "not one row"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"<?xml version='1.0'?><rss/>", "XML or HTML"),
        (b'[{"id": 1}]', "JSON array"),
        (b"PAR1 torn", "damaged Parquet"),
        (b"\x1f\x8b torn", "damaged gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b'{"id": 1, "price": 2}', "no column for title"),
        (b'{"id": 1, "title": \n{"id"', "line 1: not valid JSON"),
        (b'id,"title\n1,a\n', "header cannot be read"),
    ],
)
def test_a_file_that_is_no_catalog_says_so_and_what_to_do(tmp_path, content, message):
    path = tmp_path / "catalog"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match=message):
        open_catalog(path, PLAIN)


def test_a_torn_gzip_or_a_missing_file_or_a_folder_says_so(tmp_path):
    import gzip
    import random

    noise = random.Random(1).randbytes(200_000).hex()
    whole = gzip.compress(f"id,title\n1,{noise}\n".encode())
    (tmp_path / "torn.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CatalogError, match="damaged gzip"):
        open_catalog(tmp_path / "torn.csv.gz", PLAIN)
    with pytest.raises(CatalogError, match="no catalog at"):
        open_catalog(tmp_path / "absent.csv", PLAIN)
    with pytest.raises(CatalogError, match="not a file"):
        open_catalog(Path(tmp_path), PLAIN)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (CatalogSettings(currency="DOLLARS"), "ISO 4217"),
        (CatalogSettings(encoding="utf-99"), "unknown encoding"),
    ],
)
def test_unknown_currencies_and_encodings_are_refused(tmp_path, settings, message):
    (tmp_path / "a.csv").write_text("id,title\n1,a\n")
    with pytest.raises(CatalogError, match=message):
        open_catalog(tmp_path / "a.csv", settings)
