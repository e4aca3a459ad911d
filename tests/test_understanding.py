"""What is read in a query's words: constraints, negations and spelling, and that nothing else is."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, write_release
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from indexer.facets import facets_of
from search import Engine
from search.analysis import dimensions_in
from search.errors import ReleaseDamaged
from search.lexical import LexicalIndex, LexicalSettings
from search.product import Product, lexical_fields
from search.release import Release, open_release
from search.request import SearchRequest
from search.scoring import FirstLook, ScoredQuery
from search.second_look import second_look
from search.understanding import Interpreter, Understood
from search.understanding.amounts import number_of
from search.understanding.comparing import compared
from search.understanding.spelling import Speller

ONE_OF_EACH = (
    Product("d1", "Long Sleeve Dress", price=40, attributes={"color": ("red",), "sleeve": ("long",)}),
    Product("d2", "Summer Dress", price=60, attributes={"color": ("blue",), "sleeve": ("sleeveless",)}),
    Product("d3", "Sleeveless Gown", price=90, rating=4.5, attributes={"color": ("red",), "material": ("silk",)}),
    Product("d4", "Hand Cream", price=9, rating=3.0, category=("Care", "Hand Creams"), attributes={"scent": ("rose",)}),
    Product("d5", "Cream Sweater", price=50, attributes={"color": ("cream",), "material": ("wool",)}),
    Product("d6", "Leather Boot", price=140, availability="out_of_stock", attributes={"material": ("leather",)}),
    Product("d7", "Vegan Boot, leather-free", price=90, availability="in_stock", attributes={"material": ("cork",)}),
    Product("d8", "Orange Juice", price=4, attributes={"flavor": ("orange",), "capacity": ("500 ml",)}),
    Product("d9", "Orange Marmalade", price=5, attributes={"flavor": ("orange",), "capacity": ("250 ml",)}),
    Product("e1", "Steel Skillet", price=30, attributes={"size": ("10 in",), "material": ("steel",)}),
    Product("e2", "Iron Skillet", price=35, attributes={"size": ("12 in",), "material": ("iron",)}),
)  # fmt: skip
# Three of each, for a value of one product alone makes no facet.
DRESSES = tuple(replace(one, id=one.id + copy) for copy in ("", "-2", "-3") for one in ONE_OF_EACH)


def interpreter_of(products: tuple[Product, ...], common: frozenset[str] = frozenset()) -> Interpreter:
    lexical = LexicalIndex.build(map(lexical_fields, products), LexicalSettings())
    return Interpreter.build(products, facets_of(products), lexical, common)


@pytest.fixture(scope="module")
def dresses() -> Interpreter:
    return interpreter_of(DRESSES, frozenset({"slate", "under", "without"}))


def said(read: Understood) -> list[tuple[str, str, object]]:
    return [(one.field, one.op, one.value) for one in read.constraints]


@pytest.mark.parametrize(
    ("query", "constraints", "search_text"),
    [
        ("dress under $50", [("price", "<=", 50.0)], "dress"),
        ("dress between 20 and 40 dollars", [("price", ">=", 20.0), ("price", "<=", 40.0)], "dress"),
        ("$1,299.50 and up watch", [("price", ">=", 1299.5)], "watch"),
        ("gift for around fifty bucks", [("price", "~", 50.0)], "gift"),
        ("dress rated 4 stars or more", [("rating", ">=", 4.0)], "dress"),
        ("boot in stock", [("availability", "=", "in_stock")], "boot"),
        ("boot no leather", [("material", "!=", "leather")], "boot"),
        ("skillet 12 inch", [("size", "=", "12 in")], "skillet 12 inch"),
        ("juice 500ml", [("capacity", "=", "500 ml")], "juice 500ml"),
        ("red or blue gown", [("color", "in", ("red", "blue"))], "red or blue gown"),
        ("dress without sleeves", [("words", "!=", "sleeves")], "dress sleeveless"),
        ("under $50", [("price", "<=", 50.0)], ""),
        ("hand cream", [], "hand cream"),
        ("over the door hook", [], "over the door hook"),
        ("shelf under 30 inches", [], "shelf under 30 inches"),
        ("non-stick pan", [], "non-stick pan"),
        ("wireless mouse", [], "wireless mouse"),
        ("sugar-free gum", [], "sugar-free gum"),
        ("24/7 clock", [], "24/7 clock"),
    ],
)
def test_words_become_constraints_and_nothing_else_does(
    dresses: Interpreter, query: str, constraints: list[tuple[str, str, object]], search_text: str
) -> None:
    read = dresses.understood(query, correct=False)
    assert (said(read), read.search_text) == (constraints, search_text)


def test_words_are_taken_literally_when_asked_to(dresses: Interpreter) -> None:
    query = "red dress under $50 without sleeves"
    assert dresses.understood(query, interpret=False, correct=False) == Understood(query, query)


def test_a_catalog_without_prices_reads_none() -> None:
    assert said(interpreter_of((Product("a", "Lamp"), Product("b", "Desk"))).understood("lamp under $50")) == []


def test_what_is_not_wanted_is_kept_out_and_what_lacks_it_stays(dresses: Interpreter) -> None:
    def left(query: str) -> set[str]:
        kept = [dresses.kept_by(one) for one in dresses.understood(query).constraints]
        return {DRESSES[row].id for row in np.flatnonzero(np.logical_and.reduce(kept))}

    assert "d1" not in left("dress without sleeves")  # its sleeves are long
    assert {"d2", "d3"} <= left("dress without sleeves")
    assert "d6" not in left("boot without leather")
    assert "d7" in left("boot without leather")


@pytest.mark.parametrize(
    ("query", "corrected"),
    [("skilet", "skillet"), ("steel skillte", "steel skillet"), ("marmelade", "marmalade"), ("swaeter", "sweater")],
)
def test_a_misspelt_word_becomes_the_catalogs_own(dresses: Interpreter, query: str, corrected: str) -> None:
    read = dresses.understood(query)
    assert (read.corrected, read.search_text) == (corrected, corrected)
    assert dresses.understood(query, correct=False).corrected is None


def test_a_form_that_lacks_a_letter_of_the_catalogs_own_is_no_word() -> None:
    shoes = (Product("a", "Running Shoe"), Product("b", "Running Vest"), Product("c", "Long Run Cap"))
    reader = interpreter_of(shoes, frozenset({"walk"}))
    assert reader.understood("runing shoe").corrected == "running shoe"
    assert reader.understood("walking shoe").corrected is None


def test_a_word_that_the_encoder_knows_is_never_replaced() -> None:
    plates = (Product("a", "Steel Plate"), Product("b", "Dinner Plate"))
    assert interpreter_of(plates).understood("slatte").corrected is None
    assert interpreter_of(plates).understood("plats").corrected == "plate"
    kept = interpreter_of(plates, frozenset({"plats"})).understood("plats")
    assert (kept.corrected, kept.did_you_mean) == (None, None)


def test_numbers_and_part_numbers_are_never_corrected(dresses: Interpreter) -> None:
    for query in ("KX-4410", "wd40", "1234567", "boot 45x"):
        assert dresses.understood(query).corrected is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("fifty", 50), ("twenty five", 25), ("a hundred", 100), ("two hundred and fifty", 250), ("1.5k", 1500)],
)  # fmt: skip
def test_numbers_in_words(text: str, number: float) -> None:
    assert number_of(text) == number


@given(st.text(max_size=80))
def test_no_text_breaks_the_reading(text: str) -> None:
    reader = _reader()
    line = " ".join(text.split())
    read = reader.understood(line)
    assert all(one.text.strip() for one in read.constraints)
    assert reader.understood(line) == read


def _reader(made: list[Interpreter] = []) -> Interpreter:  # noqa: B006  made once for all examples
    if not made:
        made.append(interpreter_of(DRESSES))
    return made[0]


def test_a_price_in_the_words_holds_for_every_product_shown_and_counted(shop: Engine) -> None:
    results = shop.search("mug under $21", per_page=100)
    assert results.hits
    assert all(hit.product.price is not None and hit.product.price <= 21 for hit in results.hits)
    assert results.query["constraints"] == [
        {"field": "price", "op": "<=", "value": 21.0, "text": "under $21", "strength": "filter"}
    ]
    assert results.query["search_text"] == "mug"
    free = shop.search("mug under $21", per_page=100, interpret=False)
    assert any(hit.product.price is None or hit.product.price > 21 for hit in free.hits)


def test_a_query_of_filters_alone_browses_what_is_left(shop: Engine) -> None:
    results = shop.search("under $21")
    assert {hit.id for hit in results.hits} == {product.id for product in SHOP if product.price and product.price <= 21}
    assert results.total_relation == "exact"


def test_what_breaks_a_filter_ranks_below_all_that_keeps_it(shop: Engine) -> None:
    ids = [product.id for product in SHOP]
    scores = dict(zip(ids, shop.scores_of("mug under $21", ids), strict=True))
    assert min(scores["0001"], scores["0003"]) > max(scores["0002"], scores["0006"])


@pytest.mark.parametrize("name", ["spoken.json", "words.json", "stated.rows.npy"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    layout = write_release(tmp_path / "r", SHOP)
    (layout.understanding / name).write_text("{}")
    with pytest.raises(ReleaseDamaged, match="understanding"):
        open_release(layout)


HOSTILE = (
    "that is " * 64, "not to " * 73, "$1 " * 170, "1 x " * 128, "five " * 102, "one hundred and " * 32, "rated " * 85,
    "1" * 512, "a" * 512, "without " * 64, "no no " * 85, "my budget is " * 39, "under " * 85 + "5", "n't " * 128,
    f"red {'or ' * 160}cheap blue",
)  # fmt: skip


@pytest.mark.parametrize("query", HOSTILE)
def test_no_text_takes_long_to_read(dresses: Interpreter, query: str) -> None:
    """A pattern that backtracks without end would take minutes here; the bound leaves room for a busy machine."""
    started = time.perf_counter()
    dresses.understood(query[:512])
    assert time.perf_counter() - started < 5


WORDS = st.text(alphabet="abcdeé", min_size=3, max_size=9)


@given(st.sets(WORDS, min_size=1, max_size=24), WORDS, st.sampled_from([1, 2]))
def test_the_words_within_a_few_edits_are_those_a_slow_search_finds(words: set[str], typed: str, most: int) -> None:
    found = Speller(dict.fromkeys(words, 1), frozenset())._near(typed, most)
    edits = {word: OSA.distance(word, typed) for word in words if word != typed}
    assert found == {word: count for word, count in edits.items() if count <= most}


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("under 50 dollars", "<="), ("not under 50 dollars", ">="), ("nothing over 50 dollars", "<="),
        ("i don't want to pay more than 50 dollars", "<="), ("no leather boots over 50 dollars", ">="),
        ("50 dollars or less", "<="), ("50 dollars and up", ">="), ("over 50 dollars is too much", "<="),
        ("about 50 dollars", "~"), ("50 dollars or so", "~"), ("up to about 50 dollars max", "<="), ("50 dollars", ""),
    ],
)  # fmt: skip
def test_comparing_words_point_where_people_mean(text: str, op: str) -> None:
    assert compared(text, text.index("50"), text.index("50") + len("50 dollars")).op == op


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('8.5" x 11" paper', ["8.5x11in"]), ("rug 8 by 10 feet", ["8x10ft"]), ("6x9 in mailers", ["6x9in"]),
        ("frame 5 x 7", ["5x7"]), ("12 x 8 x 4 cm box", ["12x8x4cm"]),
        ("1920x1080", ["1920x1080"]), ("2 by the sea", []),
    ],
)  # fmt: skip
def test_sizes_of_several_sides_are_one_term(text: str, terms: list[str]) -> None:
    assert [term for term, _, _ in dimensions_in(text)] == terms


def test_a_doubtful_correction_is_made_where_the_answer_is_much_surer_with_it(shop: Engine) -> None:
    assert shop.release.interpreter.understood("gowm").corrected is None  # four letters are too few to be sure
    query = shop.search("gowm").query
    assert (query["corrected"], query["did_you_mean"], query["search_text"]) == ("gown", None, "gown")
    assert shop.search("red gowm").query["did_you_mean"] == "red gown"  # red things were found already
    assert shop.search("gowm", correct=False).query["corrected"] is None
    by_words = shop.search("gowm", mode="lexical").query  # nothing tells there how sure an answer is
    assert (by_words["corrected"], by_words["did_you_mean"]) == (None, "gown")


def test_a_correction_that_is_only_offered_gets_no_second_look(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(shop.release, shop.encoder)  # of its own, so that it remembers no answers
    looked: list[tuple[str, ...]] = []

    def watched(release: Release, first: FirstLook) -> ScoredQuery:
        looked.append(first.scored.terms)
        return second_look(release, first)

    monkeypatch.setattr("search.queries.second_look", watched)
    for page in (1, 2):
        assert engine.search("red gowm", page=page).query["corrected"] is None
        assert looked == [("red", "gowm")]
    assert engine.search("gowm").query["corrected"] == "gown"
    assert looked == [("red", "gowm"), ("gowm",), ("gown",)]
    assert engine.search("gowm", page=2).query["corrected"] == "gown"
    assert len(looked) == 3


def test_a_guess_taken_back_leaves_the_other_readings(shop: Engine) -> None:
    read = shop.understood(SearchRequest(q="red mug of steel under $21"))
    assert [one.text for one in read.constraints] == ["red", "steel", "under $21"]
    kept = shop.understood(SearchRequest(q="red mug of steel under $21", literal=("RED",)))
    assert [one.text for one in kept.constraints] == ["steel", "under $21"]
    assert kept.search_text == read.search_text  # the word is still looked up
    filters = shop.understood(SearchRequest(q="mug under $21", literal=("under $21",)))
    assert [one.text for one in filters.constraints] == ["under $21"]  # a filter goes with its words, not without them
