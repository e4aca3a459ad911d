"""Words, stems, quantities and compounds: what a shopper writes in several ways is found in every way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.analysis import Analyzer, compounds_of, is_identifier, words_of
from search.lexical import LexicalIndex, LexicalSettings

TITLES = ["Plain T-Shirt", "WD-40 Spray", "Brass Keychain", "Leather Key Chain", "Harley Davidson Mug",
          "Harley Davidson Cap", "Water Bottle 12 oz", "Office Chair"]  # fmt: skip


@pytest.fixture(scope="module")
def index() -> LexicalIndex:
    return LexicalIndex.build([(title, "") for title in TITLES], LexicalSettings())


def found(index: LexicalIndex, query: str) -> set[str]:
    """Return the titles that hold the whole query."""
    return {title for title, share in zip(TITLES, index.coverage(query), strict=True) if share > 0.99}


def test_words_lose_case_accents_and_possessives() -> None:
    assert words_of("Women's CRÈME brûlée T-shirt, 500ml") == ["women", "creme", "brulee", "t", "shirt", "500ml"]


def test_each_language_has_its_own_stems() -> None:
    assert Analyzer("de").term_of("tassen") == Analyzer("de").term_of("tasse")
    assert Analyzer("en").terms_of("the running shoes") == ["run", "shoe"]
    assert Analyzer("xx").terms_of("running shoes") == ["running", "shoes"]


@pytest.mark.parametrize("query", ["t-shirt", "tshirt", "t shirt", "T-Shirts", "t‑shirt"])
def test_a_hyphenated_word_is_found_together_and_apart(index: LexicalIndex, query: str) -> None:
    assert found(index, query) == {"Plain T-Shirt"}


@pytest.mark.parametrize("query", ["WD-40", "wd40", "wd 40"])
def test_a_part_number_is_found_with_and_without_its_separator(index: LexicalIndex, query: str) -> None:
    assert found(index, query) == {"WD-40 Spray"}


@pytest.mark.parametrize("query", ["keychain", "key chain", "key chains"])
def test_a_word_the_catalog_writes_both_ways_finds_both(index: LexicalIndex, query: str) -> None:
    assert found(index, query) == {"Brass Keychain", "Leather Key Chain"}


def test_an_unknown_word_is_split_where_titles_hold_both_halves(index: LexicalIndex) -> None:
    assert found(index, "harleydavidson") == {"Harley Davidson Mug", "Harley Davidson Cap"}
    assert index.query_terms("officedavidson") == ["officedavidson"]  # no title holds both: it is simply unknown
    assert index.query_terms("officechair") == ["officechair"]  # one title alone is no evidence


@pytest.mark.parametrize("query", ["12 oz", "12oz", "12-oz", "12 ounces", "12-ounce", "12 OZ."])
def test_a_quantity_is_one_term_however_it_is_written(index: LexicalIndex, query: str) -> None:
    assert found(index, query) == {"Water Bottle 12 oz"}


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('12" plate', ["12", "12in", "plate"]),
        ("1.5l jug", ["1", "5", "1.5l", "jug"]),
        ("1,5l jug", ["1", "5", "1.5l", "jug"]),
        ("2 in 1", ["2", "1"]),  # "in" after a blank is no inch
        ("size 8 m", ["size", "8", "m"]),
        ("iphone 11", ["iphon", "11"]),
        ("12ozone", ["12ozon"]),  # no quantity: the word goes on
        ("4x6in rug", ["4x6in", "rug"]),
    ],
)
def test_quantities_keep_number_and_unit_together(text: str, terms: list[str]) -> None:
    assert Analyzer("en").terms_of(text) == terms


def test_compounds_need_evidence_in_the_catalog() -> None:
    assert compounds_of(["key chain", "keychain", "in to", "into", "out door"], "en") == {"keychain": ("key", "chain")}
    assert compounds_of(["beanie s", "beanies", "vitamin c", "vitaminc"], "en") == {"vitaminc": ("vitamin", "c")}


def test_compounds_survive_the_disk(index: LexicalIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "lexical")
    assert found(LexicalIndex.load(tmp_path / "lexical"), "tshirt") == {"Plain T-Shirt"}


@given(st.text(max_size=60))
def test_a_title_covers_itself_whatever_it_holds(title: str) -> None:
    index = LexicalIndex.build([(title, ""), ("other words", "")], LexicalSettings())
    assert index.coverage(title)[0] == pytest.approx(1.0) or not index.query_terms(title)


@pytest.mark.parametrize("term", ["wd40", "0226", "x1", "614886", "3xlt"])
def test_part_numbers_are_identifiers(term: str) -> None:
    assert is_identifier(term)


@pytest.mark.parametrize("term", ["16oz", "1.5l", "11", "505", "mug", "12in"])
def test_words_small_numbers_and_quantities_are_no_identifiers(term: str) -> None:
    assert not is_identifier(term)


def test_only_identifiers_that_few_products_have_count_as_such(index: LexicalIndex) -> None:
    assert index.identified("zz9999") == 0  # nobody has it
    assert index.identified("plain mug") == 0
    assert 0 < index.identified("wd40 spray") < index.identified("wd40") <= 1
    everywhere = LexicalIndex.build([(f"mp3 player {n}", "") for n in range(30)], LexicalSettings())
    assert everywhere.identified("mp3") == 0
