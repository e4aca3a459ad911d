"""Part numbers come first, however they are written; numbers that name nothing change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import open_engine, write_release

from search.codes import code_of, codes_in
from search.engine import Engine
from search.product import Product

PARTS = (
    Product("00614886", "Travel mug", "Keeps coffee hot."),
    Product("OUT-2252-TEA", "Desk lamp, blue", "A small light.", group_id="OUT-2252"),
    Product("OUT-2252-BLK", "Desk lamp, navy", "A small light.", group_id="OUT-2252"),
    Product("KIT-0226", "Knife", "A blade.", attributes={"MPN": ("TL-WR841N",), "EAN": ("4006381333931",)}),
    Product("2000", "Red gown", "For evenings."),
    Product("hd-1", "Screen XJ9000Z", "A light."),
    *(Product(f"v{n}", f"Cable 1080p number {'abcdefghijkl'[n]}", "Leather") for n in range(12)),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_engine(write_release(tmp_path_factory.mktemp("parts") / "release", PARTS))


def found(engine: Engine, text: str) -> list[str]:
    return [hit.id for hit in engine.search(text).hits]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("00614886", ["00614886"]),
        ("614886", ["00614886"]),  # a spreadsheet ate the zeros
        ("0061488", ["00614886"]),
        ("out 2252 tea", ["OUT-2252-TEA", "OUT-2252-BLK"]),  # its variants follow
        ("out2252", ["OUT-2252-TEA", "OUT-2252-BLK"]),
        ("kit 0226", ["KIT-0226"]),
        ("tlwr841n", ["KIT-0226"]),
        ("TL-WR841", ["KIT-0226"]),
        ("4006381333931", ["KIT-0226"]),
        ("2000", ["2000"]),
    ],
)
@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
def test_a_part_number_shows_its_product_and_nothing_by_meaning(
    engine: Engine, typed: str, expected: list[str], mode: str
) -> None:
    results = engine.search(typed, mode=mode)
    assert [hit.id for hit in results.hits] == expected
    assert (results.total, results.confidence, results.query["corrected"]) == (len(expected), "good", None)


def test_a_part_number_among_words_comes_first_and_the_rest_follows(engine: Engine) -> None:
    ids = found(engine, "coffee mug or TL-WR841N")
    assert ids[0] == "KIT-0226"
    assert "00614886" in ids


def test_a_model_number_in_a_title_comes_first(engine: Engine) -> None:
    assert found(engine, "light xj9000z")[0] == "hd-1"


def test_numbers_that_many_titles_share_or_that_are_short_name_no_product(engine: Engine) -> None:
    store = engine.release.products
    assert len(codes_in("leather cable 1080p", store).rows) == 0
    assert len(codes_in("windows 2000", store).rows) == 0
    assert len(codes_in("red gown", store).rows) == 0


def test_filters_hold_for_part_numbers_too(tmp_path: Path) -> None:
    shop = (Product("AB-1001", "Mug", price=5.0), Product("AB-1002", "Mug", price=50.0))
    engine = open_engine(write_release(tmp_path / "release", shop))
    assert [hit.id for hit in engine.search("ab-100", price_max=10).hits] == ["AB-1001"]


@pytest.mark.parametrize(
    "typed", ["", "   ", "-" * 300, "0000", "1" * 500, "'; DROP TABLE codes; --1", "٣٤٥٦٧", "1\U0010ffff"]
)
def test_hostile_codes_find_nothing_and_break_nothing(engine: Engine, typed: str) -> None:
    assert len(codes_in(typed, engine.release.products).rows) == 0


def test_a_code_is_letters_and_digits_without_leading_zeros() -> None:
    assert code_of(" 00-AB 12/ö ") == "ab12o"
