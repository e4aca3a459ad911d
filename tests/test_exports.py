"""Results as files: a catalog again, in the order of the search, and nothing in it runs in a spreadsheet."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st

from app import create_app
from indexer.__main__ import main
from indexer.catalog import CatalogSettings, open_catalog
from search.engine import Engine
from search.export import COLUMNS, guarded, unguarded
from search.product import Product
from web.live import FixedEngine

HOSTILE = (
    Product("-1a", "=cmd|' /C calc'!A0", "+SUM(1) ;=HYPERLINK(1) ünï", ("A", "B"), "@brand", 1299.0, "USD"),
    Product("-5", "-5", "'=as it was", attributes={"=x": ("=1", "-2")}),
    Product("q", 'He said "x", ok', image_url="https://a.b/a.png", url="/q?a=1",
            more_image_urls=("https://a.b/b.png", "https://a.b/c.png")),
)  # fmt: skip


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    shop.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(shop)).test_client()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_engine(write_release(tmp_path_factory.mktemp("hostile") / "shop", (*HOSTILE, *SHOP)))


@given(st.text(alphabet="';=-+@\t\r\n 5,.a＝", max_size=12))
@example("''=1")
@example("a;'=1")
def test_the_guard_comes_off_letter_for_letter(text: str) -> None:
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("+1 2", "'+1 2"), ("@SUM(1)", "'@SUM(1)"), ("-a", "'-a"), ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"), ("  =1", "'  =1"), ("＝1", "'＝1"), ("a;=1", "a;'=1"), ("a;@b;+c d", "a;'@b;'+c d"),
        ("-5", "-5"), ("+5.25", "+5.25"), ("-5,25", "-5,25"), ("a=1", "a=1"), ("a; =1", "a; =1"), ("'90s", "'90s"),
    ],
)  # fmt: skip
def test_no_cell_begins_a_formula_and_numbers_stay(cell: str, written: str) -> None:
    assert guarded(cell) == written


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_a_file_of_results_is_the_same_catalog_again(hostile: Engine, file_format: str, tmp_path: Path) -> None:
    client = create_app(engine=FixedEngine(hostile)).test_client()
    file = tmp_path / f"again.{file_format}"
    file.write_bytes(client.get(f"/api/v1/search:export?format={file_format}").data)
    catalog = open_catalog(file, CatalogSettings())
    again = [one for one in catalog if isinstance(one, Product)]
    currency_known = [replace(one, currency="USD") for one in HOSTILE]
    assert again == [*currency_known, *SHOP]


def test_a_file_has_every_result_in_the_order_of_the_pages(client: FlaskClient) -> None:
    asked = "q=mug+or+dress&sort=price:desc"
    found = client.get(f"/api/v1/search?{asked}&per_page=100").get_json()
    response = client.get(f"/api/v1/search:export?{asked}&format=jsonl")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert len(lines) > 3
    assert lines == [hit["product"] for hit in found["hits"]]
    assert response.headers["X-Total-Count"] == str(found["total"])
    assert response.mimetype == "application/x-ndjson"


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_a_file_is_compressed_on_its_way(client: FlaskClient, file_format: str) -> None:
    address = f"/api/v1/search:export?format={file_format}"
    packed = client.get(address, headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == client.get(address).data


def test_a_file_is_sent_while_it_is_read(client: FlaskClient, shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.export._AT_ONCE", 2)
    monkeypatch.setattr("web.api.exports.LINES_AT_ONCE", 2)
    read: list[int] = []
    real = shop.release.products.products
    monkeypatch.setattr(shop.release.products, "products", lambda rows: read.extend(rows) or real(rows))
    for kept in ({}, {"If-None-Match": '"x"'}):
        read.clear()
        address = "/api/v1/search:export?format=jsonl&mode=lexical"
        pieces = iter(client.get(address, headers=kept, buffered=False).response)
        assert "0001" in str(next(pieces))
        assert len(read) < len(SHOP)  # the first lines are there before the last ones are read
        assert len(list(pieces)) == 3


def test_folded_results_have_a_line_for_each_product(client: FlaskClient) -> None:
    lines = client.get("/api/v1/search:export?q=mug&fold=1&format=jsonl").text.splitlines()
    ids = [json.loads(line)["id"] for line in lines]
    assert len({"0001", "0002"} & set(ids)) == 1


def test_a_csv_file_opens_in_a_spreadsheet(client: FlaskClient) -> None:
    response = client.get("/api/v1/search:export")
    assert response.data.startswith(b"\xef\xbb\xbfid,title,")  # Excel reads UTF-8 by this mark
    rows = list(csv.reader(io.StringIO(response.data.decode("utf-8-sig"), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row[0] for row in rows[1:]] == [one.id for one in SHOP]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("", "products.csv"), ("q=Red+dress", "red-dress.csv"), ("q=..%2F..%2Fetc", "etc.csv"),
        ("q=杯子", "products.csv"),
        ("q=x%0d%0aSet-Cookie:%20a%22;b", "x-set-cookie-a-b.csv"), (f"q={'a' * 512}", f"{'a' * 60}.csv"),
    ],
)  # fmt: skip
def test_a_files_name_holds_letters_digits_and_hyphens_only(client: FlaskClient, asked: str, name: str) -> None:
    response = client.get(f"/api/v1/search:export?mode=lexical&{asked}")
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    ("asked", "parameter", "said"),
    [
        ("page=2", "page", "a page"), ("per_page=5", "per_page", "a page"), ("explain=1", "explain", ""),
        ("find.brand=a", "find.brand", "a page"), ("format=xls", "format", "csv"),
        ("format=csv&format=csv", "format", "2 times"),
        ("f.x=1", "f.x", "brand"), ("qq=1", "qq", "q"), ("sort=up", "sort", ""),
    ],
)  # fmt: skip
def test_what_a_file_cannot_be_asked_for_is_named(client: FlaskClient, asked: str, parameter: str, said: str) -> None:
    answer = client.get(f"/api/v1/search:export?{asked}")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["parameter"] == parameter
    assert said in answer.get_json()["detail"]


def test_a_file_that_did_not_change_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/api/v1/search:export?q=mug")
    other = client.get("/api/v1/search:export?q=mug&format=jsonl")
    assert first.headers["ETag"] != other.headers["ETag"]
    again = client.get("/api/v1/search:export?q=mug", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_file_that_makes_do_with_words_is_not_kept(tmp_path: Path) -> None:
    early = open_engine(write_release(tmp_path / "early", SHOP), waits=False)
    response = create_app(engine=FixedEngine(early)).test_client().get("/api/v1/search:export?q=gown")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store" and "ETag" not in response.headers


def test_the_command_line_writes_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: Engine) -> None:
    monkeypatch.setattr(Engine, "open", lambda *_: shop)
    table, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    done = CliRunner().invoke(main, ["search", "mug", "--csv", str(table), "--jsonl", str(lines)])
    assert done.exit_code == 0, done.output
    client = create_app(engine=FixedEngine(shop)).test_client()
    assert table.read_bytes() == client.get("/api/v1/search:export?q=mug").data
    assert lines.read_bytes() == client.get("/api/v1/search:export?q=mug&format=jsonl").data
