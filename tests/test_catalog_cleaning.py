"""Plain text out of markup, and optional values out of text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.attributes import attribute_pairs
from indexer.catalog.cleaning import TAG, plain_text
from indexer.catalog.conventions import category_separator
from indexer.catalog.outcomes import SHOWN_CHARACTERS, Rejection, shortened
from indexer.catalog.rejected import write_rejected
from indexer.catalog.values import availability_of, date_of, is_day_first, rating_count_of, rating_of, url_of


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>Red</p><p>Blue</p>", "Red Blue"),
        ("a<br>b<br/>c", "a b c"),
        ("<ul><li>one<li>two</ul>", "one two"),
        ("un<b>believ</b>able", "unbelievable"),
        ("<td>x</td><td>y</td>", "x y"),
        ("<script>alert('x')</script>Hi<style>p{color:red}</style>", "Hi"),
        ("<!-- a > b -->shown", "b --> shown".replace("b --> ", "")),
        ("Fish &amp; chips", "Fish & chips"),
        ("Fish &amp;amp; chips", "Fish & chips"),
        ("&lt;p&gt;Red&lt;/p&gt;&lt;p&gt;Blue&lt;/p&gt;", "Red Blue"),
        ("&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;ok", "ok"),
        ("AT&T, R&D", "AT&T, R&D"),
        ("size < 5 and > 3", "size < 5 and > 3"),
        ("size <5, <b>bold</b>", "size <5, bold"),
        ("unfinished <a href", "unfinished <a href"),
        ("I <3 this", "I <3 this"),
        ("5&nbsp;kg", "5 kg"),
        ("e\u0301clair", "éclair"),
        ("a\x00b\x07c\x85d\u200be", "abc de"),
        ("line\n\n  two\tthree ", "line two three"),
        ("فستان أحمر", "فستان أحمر"),
        ("שמלה\u200f אדומה", "שמלה\u200f אדומה"),
        ("👩\u200d👩\u200d👧 mug 🍵", "👩\u200d👩\u200d👧 mug 🍵"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("&#0;&#xD800;x", "\ufffd\ufffdx"),
        ("<frameset><frame></frameset>x", ""),
        ("", ""),
    ],
)
def test_text_is_plain_and_on_one_line(text, plain):
    assert plain_text(text) == plain


def test_deeply_nested_markup_is_cleaned_in_bounded_time():
    started = time.perf_counter()
    assert plain_text("<div>" * 40_000 + "deep") == "deep"
    assert plain_text("<b>" * 60_000 + "x") == "x"
    assert plain_text("<a" * 100_000).startswith("<a<a")
    assert plain_text("&lt;" * 40_000)
    assert time.perf_counter() - started < 3  # unbounded nesting took the parser 7 s for the first alone


@given(st.text(alphabet="ab <>/&;pbrltgam#\"'=!-\u202e\x00\u0301", max_size=60) | st.text(max_size=60))
def test_cleaned_text_is_one_line_and_stays_as_it_is(text):
    once = plain_text(text)
    assert once == " ".join(once.split())
    assert not any(ord(sign) < 32 or sign == "\u202e" for sign in once)


@given(
    st.lists(
        st.sampled_from(["<p>", "</p>", "<b>", "<br/>", "<script>", "</script>", "red", " ", "5 < 6", "<i x='1'>"])
    )
)
def test_no_complete_tag_survives(parts):
    assert not TAG.search(plain_text("".join(parts)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in stock", "in_stock"),
        ("In_Stock", "in_stock"),
        ("https://schema.org/InStock", "in_stock"),
        ("http://schema.org/OutOfStock", "out_of_stock"),
        ("https://schema.org/PreOrder", "preorder"),
        ("backorder", "preorder"),
        ("yes", "in_stock"),
        ("FALSE", "out_of_stock"),
        ("15", "in_stock"),
        ("0", "out_of_stock"),
        ("-3", "out_of_stock"),
        ("0.0", "out_of_stock"),
        ("Sold out", "out_of_stock"),
        ("maybe", None),
    ],
)
def test_availability_is_understood(text, expected):
    assert availability_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("4.5", 4.5), ("4,5", 4.5), ("4.5/5", 4.5), ("4.5 out of 5", 4.5), ("4 out of 5 stars", 4.0), ("8/10", 4.0)],
        *[("0", 0.0), ("5", 5.0), ("5.1", None), ("-1", None), ("11/10", None), ("3/0", None), ("good", None)],
        *[("nan", None), ("9" * 400, None)],
    ],
)
def test_ratings_are_on_a_scale_of_five(text, expected):
    assert rating_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("87", 87), ("1,234", 1234), ("1.234", 1234), ("(87)", 87), ("12 reviews", 12), ("12.0", 12)],
        *[("many", None), ("-1", None), ("1.5", None), ("9" * 100, None)],
    ],
)
def test_rating_counts_are_whole_numbers(text, expected):
    assert rating_count_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://shop.example/a.jpg", "https://shop.example/a.jpg"),
        ("HTTP://shop.example/a.jpg", "HTTP://shop.example/a.jpg"),
        ("/images/a b.jpg", "/images/a%20b.jpg"),
        ("//cdn.example/a.jpg", "https://cdn.example/a.jpg"),
        ("https://a.example/1.jpg, https://a.example/2.jpg", "https://a.example/1.jpg"),
        ("https://a.example/1.jpg|https://a.example/2.jpg", "https://a.example/1.jpg"),
        ("https://a.example/w_300,h_300/1.jpg", "https://a.example/w_300,h_300/1.jpg"),
        ("https://a.example/\"onload='x'", "https://a.example/%22onload=%27x%27"),
        ("https://bücher.example/ä%20b", "https://b%C3%BCcher.example/%C3%A4%20b"),
        ("javascript:alert(1)", None),
        ("JavaScript:alert(1)//https://a.example", None),
        ("data:image/png;base64,AAAA", None),
        ("ftp://a.example/x", None),
        ("images/a.jpg", None),
        ("www.shop.example/a.jpg", None),
        ("https://", None),
        ("https:/a.jpg", None),
        ("/\\evil.example", None),
        ("///evil.example/x", None),
        ("https://[::1", None),
        ("https://a.example/" + "x" * 3000, None),
    ],
)
def test_only_http_and_site_relative_addresses_are_kept(text, expected):
    assert url_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2009-12-10", "2009-12-10"),
        ("2020", "2020-01-01"),
        ("2020.0", "2020-01-01"),
        ("2020-05", "2020-05-01"),
        ("May 2020", "2020-05-01"),
        ("3 Mar 2021", "2021-03-03"),
        ("20200131", "2020-01-31"),
        ("2020-01-01T10:00:00Z", "2020-01-01T10:00:00+00:00"),
        ("2020-01-01 10:30", "2020-01-01T10:30:00"),
        ("10/12/2009", "2009-10-12"),
        ("13/12/2009", "2009-12-13"),
        ("1577836800", "2020-01-01T00:00:00+00:00"),
        ("1577836800000", "2020-01-01T00:00:00+00:00"),
        ("10 May", None),
        ("Monday", None),
        ("yesterday", None),
        ("2020-13-45", None),
        ("0001-01-01", None),
        ("9999999999999", None),
        ("12.5", None),
        ("x" * 10_000, None),
    ],
)
def test_dates_become_iso_and_nothing_is_filled_in_from_today(text, expected):
    assert date_of(text, False) == expected


def test_the_column_decides_which_number_is_the_day():
    assert is_day_first(["10/12/2009", "13/12/2009"])
    assert not is_day_first(["10/12/2009", "12/13/2009"])
    assert not is_day_first(["10/12/2009", "2009-12-10", ""])
    assert is_day_first(["10.12.2009"])
    assert date_of("10/12/2009", True) == "2009-12-10"


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["Home > Kitchen", "Home", "Garden"], ">"),
        (["Home/Kitchen", "Home/Bath", "Garden"], "/"),
        (["Audio/Video", "Phones", "Cameras"], ""),
        (["A|B", "A|C"], "|"),
        (["A > B / C", "D"], ">"),
        (["Kitchen, Garden & Pets"], ""),
        ([], ""),
    ],
)
def test_a_category_separator_must_be_used_consistently(values, separator):
    assert category_separator(values) == separator


def test_attribute_cells_with_bars_objects_and_lists_give_several_values():
    assert list(attribute_pairs("Colour", "red | <b>blue</b>|")) == [("Colour", "red"), ("Colour", "blue")]
    assert list(attribute_pairs("specs", '{"ram": 8.0, "ports": ["usb", "hdmi"], "none": null}')) == [
        ("ram", "8"),
        ("ports", "usb"),
        ("ports", "hdmi"),
    ]
    assert list(attribute_pairs("Note", "{not json}")) == [("Note", "{not json}")]
    assert list(attribute_pairs("Empty", "  ")) == []


def test_rejected_rows_are_written_so_that_no_cell_is_a_formula(tmp_path):
    path = tmp_path / "rejected.csv"
    hostile = ["=1+1", "+1", "-1", "@x", "\t=1", "  =cmd|' /C calc'!A0", "harmless", 'a,"b"']
    write_rejected(path, [Rejection(i, "c", value, "r", "f", "k") for i, value in enumerate(hostile, 2)])
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["line", "column", "value", "reason", "fix"]
    assert [row[0] for row in rows[1:]] == [str(i) for i in range(2, 10)]
    values = [row[2] for row in rows[1:]]
    assert values == ["'=1+1", "+1", "-1", "'@x", "'\t=1", "'  =cmd|' /C calc'!A0", "harmless", 'a,"b"']


@given(st.text(max_size=200))
def test_a_shown_value_is_short_printable_and_encodable(value):
    shown = shortened(value)
    assert len(shown) <= SHOWN_CHARACTERS
    assert "\n" not in shown and "\x1b" not in shown
    shown.encode()
