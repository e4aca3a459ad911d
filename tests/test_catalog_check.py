"""The dry run and its report."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from indexer.catalog import FIELDS, CatalogSettings, CheckReport, check_catalog

MESSY = """id,title,price,rating,brand
1,a,$10.00,4.5,Acme
2,b,$12.00,9,
1,c,$5.00,,
3,,$5.00,,
4,d,call us,,
5,e,0,,
6,f
,,,,
"""
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def report(tmp_path) -> CheckReport:
    path = tmp_path / "messy.csv"
    path.write_text(MESSY)
    return check_catalog(path, CatalogSettings())


def test_rows_are_counted_by_what_became_of_them(report):
    assert (report.rows_read, report.accepted, report.rejected, report.notes.blank) == (7, 3, 4, 1)
    assert report.duplicates == 1
    assert [(r.line, r.kind) for r in report.rejections] == [
        (4, "duplicate id"),
        (5, "no title"),
        (6, "price not usable"),
        (8, "too few cells"),
    ]


def test_empty_fields_zero_prices_and_warnings_are_reported(report):
    assert (report.empty["brand"], report.empty["rating"], report.empty["title"]) == (2, 2, 0)
    assert (report.prices.zero, report.prices.zero_examples[0].line) == (1, 7)
    assert [(w["column"], w["count"], w["first_line"], w["example"]) for w in report.warnings] == [
        ("rating", 1, 3, "9")
    ]


def test_the_json_form_says_all_of_it(report):
    data = json.loads(json.dumps(report.as_json()))
    assert data["rows_read"] == data["accepted"] + data["rejected"] + data["folded"] + data["unpublished"]
    assert data["mapping"]["title"] == ["title"]
    assert (data["currency"], data["format"], data["encoding"], data["delimiter"]) == ("USD", "csv", "utf-8", ",")
    assert data["rejected_by_kind"]["duplicate id"]["first_line"] == 4
    assert set(data["empty"]) == set(FIELDS)


def test_the_text_form_names_lines_reasons_and_fixes(report):
    text = report.as_text()
    assert "7 rows: 3 products, 4 rejected" in text
    assert "line 4, id: the id is already used on line 2  [1]" in text
    assert "1 are zero: line 7: 0.00" in text
    assert "rating: rating is not a number from 0 to 5; left empty (first on line 3: 9)" in text


def test_extreme_prices_are_named_with_their_line(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f"{i},t,{10 + i % 7}\n" for i in range(100))
    path.write_text(f"id,title,price\n{rows}x,t,99999\ny,t,0.01\n")
    prices = check_catalog(path, CatalogSettings()).prices
    assert [(odd.line, odd.price) for odd in prices.extreme_examples] == [(102, 99999.0), (103, 0.01)]


def test_only_the_first_rejections_are_kept_while_all_are_counted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,title\nok,ok\n" + ",t\n" * 500)
    report = check_catalog(path, CatalogSettings(kept_rejections=10))
    assert (len(report.rejections), report.rejected, report.rejected_by_kind["no id"].count) == (10, 500, 500)


def test_another_encoding_and_a_missing_currency_are_pointed_out(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,title,price\n1,Größe Übergröße,5\n".encode("cp1252"))
    reasons = " ".join(warning["reason"] for warning in check_catalog(path, CatalogSettings()).warnings)
    assert "read as cp1252" in reasons and "--currency" in reasons


# Rows read, products, rejections by kind: rows and duplicates as the data folder's own notes count them.
EXPECTED = {
    "aws_retail_demo_store": (2_465, {}),
    "bigbasket_part": (6_079, {}),
    "chorus_icecat": (19_406, {}),
    "crowdflower": (9_702, {}),
    "dotnet_eshop": (101, {}),
    "homedepot": (54_667, {}),
    "product_matching_abt_buy": (2_103, {}),
    "product_matching_walmart_amazon": (6_935, {}),
    "retrotech": (48_194, {"duplicate id": 2_038}),
    "vespa_shopping_24k": (24_576, {"no title": 1}),
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_real_catalogs_lose_only_rows_that_are_really_bad(name):
    path = SHARED / name / "products.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path.name} of {name} here")
    rows, rejected = EXPECTED[name]
    report = check_catalog(path, CatalogSettings())
    assert report.rows_read == rows
    assert {kind: found.count for kind, found in report.rejected_by_kind.items()} == rejected
    assert report.accepted == rows - sum(rejected.values())
    with gzip.open(path, "rt", encoding="utf-8") as file:
        assert tuple(next(file).strip().split(",")) == report.catalog.sniffed.headers
