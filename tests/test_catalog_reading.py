"""Every format, encoding and kind of damage, as rows with true line numbers."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog import CatalogSettings, Notes, Rejection, open_catalog
from indexer.catalog.delimited import delimited_rows
from indexer.catalog.rows import cell_of
from search.product import Product

PLAIN = CatalogSettings()


def outcomes(path: Path, settings: CatalogSettings = PLAIN) -> list[tuple[int, Product | Rejection]]:
    return list(open_catalog(path, settings).read(Notes()))


def products(path: Path, settings: CatalogSettings = PLAIN) -> list[Product]:
    return [outcome for _, outcome in outcomes(path, settings) if isinstance(outcome, Product)]


def rejections(path: Path, settings: CatalogSettings = PLAIN) -> list[Rejection]:
    return [outcome for _, outcome in outcomes(path, settings) if isinstance(outcome, Rejection)]


@pytest.fixture
def written(tmp_path):
    """Write text or bytes as a catalog file."""

    def write(content: str | bytes, name: str = "catalog.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_the_same_products_come_out_of_csv_tsv_jsonl_parquet_and_their_gzips(tmp_path):
    rows = [{"id": "007", "title": "Tea, green", "price": "4.50"}, {"id": "008", "title": "Pot", "price": "12"}]
    csv_text = 'id,title,price\n007,"Tea, green",4.50\n008,Pot,12\n'
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    files = {
        "a.csv": csv_text.encode(),
        "a.tsv": b"id\ttitle\tprice\n007\tTea, green\t4.50\n008\tPot\t12\n",
        "a.jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "a.parquet": parquet.getvalue(),
    }
    expected = [Product("007", "Tea, green", price=4.5), Product("008", "Pot", price=12.0)]
    for name, content in files.items():
        for path, data in ((tmp_path / name, content), (tmp_path / f"{name}.gz", gzip.compress(content))):
            path.write_bytes(data)
            catalog = open_catalog(path, PLAIN)
            assert [outcome for _, outcome in catalog.read(Notes())] == expected, path.name
            assert catalog.sniffed.format == name.split(".")[1]
            assert catalog.sniffed.gzipped == path.name.endswith(".gz")


def test_gzip_and_parquet_are_known_by_their_first_bytes_not_by_their_name(written):
    parquet = io.BytesIO()
    pq.write_table(pa.table({"id": ["1"], "title": ["a"]}), parquet)
    path = written(gzip.compress(parquet.getvalue()), "products.csv")
    assert open_catalog(path, PLAIN).sniffed.format == "parquet"
    assert products(path) == [Product("1", "a")]


def test_a_catalog_can_be_read_twice(written):
    catalog = open_catalog(written("id,title\n1,a\n1,b\n"), PLAIN)
    first, second = list(catalog), list(catalog)
    assert first == second
    assert [type(outcome) for outcome in first] == [Product, Rejection]


def test_line_numbers_count_line_breaks_inside_quoted_cells(written):
    path = written('id,title,description\n1,a,"one\ntwo\n\nthree"\n2,,x\n\n3,c,y\n')
    found = outcomes(path)
    assert [line for line, _ in found] == [2, 6, 8]
    assert found[0][1].description == "one two three"
    assert found[1][1].line == 6 and found[1][1].column == "title"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(written, newline):
    path = written(newline.join(["id,title", "1,a", "2,", "3,c"]))
    assert [product.id for product in products(path)] == ["1", "3"]
    assert rejections(path)[0].line == 3


@pytest.mark.parametrize(
    ("name", "delimiter", "text"),
    [
        ("semicolons with decimal commas", ";", "id;title;price\n1;a, b;2,50\n2;c, d;3,10\n"),
        ("pipes", "|", "id|title|price\n1|a,b|2\n2|c;d|3\n"),
        ("tabs with commas in prose", "\t", "id\ttitle\tprice\n1\ta, b, c\t1\n2\td; e\t2\n"),
        ("ragged", ",", "id,title,x\n1,a,b\n2,a\n3,a,b,c\n4,a,b\n"),
        ("inch marks", ",", "id,title,x\n1,17\" screen,it's\n2,15' cable,'tis\n"),
        ("excel's hint", ";", "sep=;\nid;title\n1;a\n"),
        ("a sentence of commas in one column", ",", 'id,title\n1,"a; b; c; d"\n2,"e; f; g; h"\n'),
    ],
)
def test_the_delimiter_is_found_in(written, name, delimiter, text):
    catalog = open_catalog(written(text), PLAIN)
    assert catalog.sniffed.delimiter == delimiter
    assert catalog.sniffed.headers[:2] == ("id", "title")
    assert any(isinstance(outcome, Product) for outcome in catalog)


def test_backslash_escaped_quotes_are_read_and_plain_backslashes_are_kept(written):
    escaped = written('id,title\n1,"17\\" screen"\n2,"15\\" screen"\n', "escaped.csv")
    assert [product.title for product in products(escaped)] == ['17" screen', '15" screen']
    plain = written('id,title\n1,"C:\\new\\"\n2,"D:\\temp"\n', "plain.csv")
    assert [product.title for product in products(plain)] == ["C:\\new\\", "D:\\temp"]


def test_excels_separator_line_shifts_the_line_numbers(written):
    assert rejections(written("sep=;\nid;title\n1;a\n2;\n"))[0].line == 4


def test_rows_with_too_many_or_too_few_cells_are_rejected_saying_which(written):
    found = rejections(written("id,title,brand,price\n1,a,b,5\n2,a\n3,a,b,5,6\n4,a,b,5,,\n"))
    assert [(r.line, r.kind, r.column) for r in found] == [(3, "too few cells", "brand"), (4, "too many cells", "")]
    assert "2 cells, the header has 4: missing brand, price" in found[0].reason


def test_rows_of_empty_cells_are_counted_as_blank_and_cost_nothing(written):
    notes = Notes()
    catalog = open_catalog(written("id,title\n1,a\n,\n , \n\n2,b\n"), PLAIN)
    assert [line for line, _ in catalog.read(notes)] == [2, 6]
    assert (notes.rows, notes.blank) == (2, 2)


def test_a_quote_that_never_closes_costs_its_own_row_only(written):
    rows = "".join(f"{i},title {i},text\n" for i in range(2, 50))
    path = written(f'id,title,description\n1,a,"17 inch\n{rows}')
    assert [r.line for r in rejections(path)] == [2]
    assert [product.id for product in products(path)] == [str(i) for i in range(2, 50)]


def test_a_stray_quote_that_swallows_lines_up_to_the_next_quote_costs_its_own_row_only(written):
    path = written('id,title,description\n1,a,"17 inch\n2,b,plain\n3,c,"quoted, text"\n4,d,e\n')
    assert [r.line for r in rejections(path)] == [2]
    assert [product.id for product in products(path)] == ["2", "3", "4"]


def test_a_tabbed_line_with_unquoted_quotes_is_read_literally(written):
    path = written('id\ttitle\tdescription\n1\t"Best" shirt\tx\n2\t"quoted"\ty\n', "a.tsv")
    assert [product.title for product in products(path)] == ['"Best" shirt', "quoted"]


def test_a_file_of_lone_quotes_is_read_in_bounded_time(written):
    # Each line opens a quote that the next line's doubled quotes keep open: the worst case for reading again.
    small = CatalogSettings(max_row_characters=5_000, max_reread_characters=50_000)
    path = written("id,title\n0,ok\n" + '1,"a""b\n' * 20_000)
    found = outcomes(path, small)
    assert found[0][1] == Product("0", "ok")
    assert all(isinstance(outcome, Rejection) for _, outcome in found[1:])
    lines = [line for line, _ in found]
    assert lines == sorted(set(lines)) and lines[-1] <= 20_002


def test_a_megabyte_in_one_cell_rejects_its_row_with_its_line(written):
    huge = "x" * 1_000_000
    for description in (huge, f'"{huge}"', '"' + "line\n" * 200_000 + '"'):
        path = written(f"id,title,description\n1,a,b\n2,b,{description}\n3,c,d\n")
        (rejected,) = rejections(path)
        assert (rejected.line, rejected.column, rejected.kind) == (3, "description", "cell too long")
        assert len(rejected.value) <= 80
        assert [product.id for product in products(path)] == ["1", "3"]


def test_a_line_longer_than_any_row_is_passed_over(written):
    path = written("id,title\n1,a\n2," + "y" * 50_000 + "\n3,c\n")
    found = outcomes(path, CatalogSettings(max_row_characters=10_000))
    assert [(line, type(outcome)) for line, outcome in found] == [(2, Product), (3, Rejection), (4, Product)]


def test_nul_bytes_are_removed_and_noted(written):
    notes = Notes()
    catalog = open_catalog(written(b"id,title\n1\0,a\0b\n"), PLAIN)
    assert [outcome for _, outcome in catalog.read(notes)] == [Product("1", "ab")]
    assert notes.warnings["title", "NUL bytes removed"].first_line == 2


def test_undecodable_bytes_reject_their_row_only(written):
    good = "".join(f"{i},crème brûlée\n" for i in range(3, 30))
    path = written(b"id,title\n1,a\n2," + b"caf\xe9\xff\n" + good.encode())
    (rejected,) = rejections(path)
    assert (rejected.line, rejected.column, rejected.kind) == (3, "title", "undecodable bytes")
    assert len(products(path)) == 28


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("utf-8", "Crème brûlée 🍮 فستان"),
        ("utf-8-sig", "Crème brûlée"),
        ("utf-16", "Crème brûlée"),
        ("utf-16-le", "Creme brulee"),
        ("utf-16-be", "Creme brulee"),
        ("utf-32", "Crème"),
        ("cp1252", "Café crème “à la mode” 20 €"),
        ("cp1250", "Łódź żółty kabel do świątecznych ozdób"),
        ("cp1251", "Красное платье из хлопка"),
        ("gb18030", "红色连衣裙 棉质 夏季新款"),
    ],
)
def test_text_in_any_usual_encoding_is_read(written, encoding, title):
    rows = "".join(f'{i},"{title} {i}"\n' for i in range(1, 30))
    path = written(f"id,title\n{rows}".encode(encoding))
    assert [product.title for product in products(path)] == [f"{title} {i}" for i in range(1, 30)]


def test_an_accent_far_down_an_ascii_file_still_decides_the_encoding(written):
    rows = "".join(f"{i},plain\n" for i in range(20_000))
    path = written(f"id,title\n{rows}x,Größe Übergröße schön\n".encode("cp1252"))
    assert products(path)[-1].title == "Größe Übergröße schön"


def test_a_damaged_utf16_file_never_stops_the_reading(written):
    text = "id,title\n1,a\n2,b\n3,c\n".encode("utf-16")
    lone_surrogate = b"\x00\xd8"
    path = written(text + "4,".encode("utf-16-le") + lone_surrogate + "\n5,e\n".encode("utf-16-le") + b"x")
    assert {"1", "2", "3"} <= {product.id for product in products(path)}


def test_a_named_encoding_wins_over_detection(written):
    path = written("id,title\n1,Größe\n".encode())
    assert products(path, CatalogSettings(encoding="latin-1"))[0].title == "GrÃ¶Ã\x9fe".replace("\x9f", "")


def test_bad_json_lines_are_rejected_with_their_line(written):
    deep = "[" * 100_000
    path = written(
        '{"id": 1, "title": "a"}\n{"id": 2,\n\n[1]\n' + f'{{"id": {deep}\n' + '{"id": 3, "title": "c"}\n', "a.jsonl"
    )
    assert [r.line for r in rejections(path)] == [2, 4, 5]
    assert [product.id for product in products(path)] == ["1", "3"]


def test_nested_json_objects_are_spread_and_lists_become_several_values(written):
    record = {
        "id": 7.0,
        "title": "Mug",
        "price": {"amount": 5.5, "currency": "EUR"},
        "category": ["Kitchen", "Mugs"],
        "colour": ["red", "blue", None],
        "size": {"height": 9.0, "unit": "cm"},
        "specs": {"material": "clay", "dishwasher": True},
        "features": [{"name": "Handle", "value": "left"}, {"name": "Volume", "value": "0.3 l"}],
    }
    (product,) = products(written(json.dumps(record), "a.jsonl"))
    assert (product.id, product.price, product.currency) == ("7", 5.5, "EUR")
    assert product.category == ("Kitchen", "Mugs")
    assert product.attributes == {
        "colour": ("red", "blue"),
        "size height": ("9",),
        "size unit": ("cm",),
        "material": ("clay",),
        "dishwasher": ("true",),
        "Handle": ("left",),
        "Volume": ("0.3 l",),
    }


def test_a_lone_surrogate_in_json_rejects_its_row(written):
    path = written('{"id": "1", "title": "a\\ud800b"}\n{"id": "2", "title": "b"}\n', "a.jsonl")
    assert [(r.line, r.kind) for r in rejections(path)] == [(1, "undecodable bytes")]


def test_headers_are_shown_without_control_characters_or_undecodable_bytes(written):
    path = written(
        b"id,title,Co\x1b[31mlour\xff\n1,a,red\n2,caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9,blue\n"
    )
    assert open_catalog(path, PLAIN).sniffed.headers == ("id", "title", "Co[31mlour\ufffd")
    named = written('{"id": "1", "title": "a", "Co\\ud800lour\\u0000": "red"}', "a.jsonl")
    assert products(named)[0].attributes == {"Co\ufffdlour": ("red",)}


def test_parquet_numbers_dates_and_missing_values_read_as_a_shop_writes_them(tmp_path):
    import datetime

    table = pa.table(
        {
            "id": pa.array([7.0, None, 9.0]),
            "title": ["a", "b", "c"],
            "price": pa.array([19.9, float("nan"), float("nan")]),
            "created_at": [datetime.date(2020, 1, 2), None, None],
            "details": [{"colour": "red"}, None, None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second, third = outcomes(tmp_path / "a.parquet")
    assert first[1] == Product("7", "a", price=19.9, created_at="2020-01-02", attributes={"colour": ("red",)})
    assert (second[0], second[1].kind) == (3, "no id")
    assert third[1] == Product("9", "c")


@pytest.mark.parametrize(
    ("value", "text"),
    [(7.0, "7"), (0.1, "0.1"), (2.0**60, str(2.0**60)), (float("inf"), "inf"), (None, ""), (b"a", "a")],
)
def test_scalars_become_text(value, text):
    assert cell_of(value) == text


def test_the_reader_holds_few_rows_at_a_time(tmp_path):
    import tracemalloc

    path = tmp_path / "big.csv.gz"
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("id,title,description\n")
        for i in range(30_000):
            file.write(f"{i},title {i},{'lorem ipsum ' * 40}\n")  # 15 MB of text
    catalog = open_catalog(path, PLAIN)
    tracemalloc.start()
    count = sum(1 for _ in delimited_rows(path, catalog.sniffed, PLAIN))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 30_000
    assert peak < 2_000_000


CELL = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=15), delimiter=st.sampled_from(",;\t|"))
def test_every_row_comes_out_exactly_once_whatever_its_cells_hold(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.mktemp("property") / "catalog.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(["id", "title", "colour"])
        writer.writerow(["first", "always a product", ""])
        writer.writerows(rows)
    notes = Notes()
    found = list(open_catalog(path, PLAIN).read(notes))
    accepted = sum(isinstance(outcome, Product) for _, outcome in found)
    rejected = sum(isinstance(outcome, Rejection) for _, outcome in found)
    assert accepted + rejected + notes.folded + notes.unpublished == notes.rows
    assert notes.rows + notes.blank == len(rows) + 1
    lines = [line for line, _ in found]
    assert lines == sorted(set(lines))


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300))
def test_no_bytes_below_a_header_stop_the_reading(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "catalog.csv"
    path.write_bytes(b"id,title,price\nfirst,ok,1\n" + data)
    found = [outcome for _, outcome in open_catalog(path, CatalogSettings(encoding="utf-8")).read(Notes())]
    assert found[0] == Product("first", "ok", price=1.0)
    assert all(isinstance(outcome, Product | Rejection) for outcome in found)
