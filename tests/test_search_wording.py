"""What a card shows in words: what is left unread is what could not have changed the answer."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from conftest import SHOP, open_engine, write_release

from search.analysis import Analyzer, compounds_of
from search.marking import Marker
from search.product import Product
from search.request import SearchRequest
from search.scattered import PREAD, ScatteredFile
from search.shown import BRAND, VALUES, Places
from search.wording import says_more, shares_held, shows_all

PIECES = (
    "key chain keychain key-chain t-shirt tshirt 12 oz 12oz 12-ounce ounces fl. 3.5 inch 10-inch café men's the it "
    "running shoes, (red) steel|cup 8.5 x 11 USB-C wd-40 Ⅻ über-cool"
).split()
ANALYZER = Analyzer("en", compounds_of(["key chain", "keychain", "t-shirt", "i-t"], "en"))


def texts(count: int) -> list[str]:
    chance = Random(0)
    return [" ".join(chance.choices(PIECES, k=chance.randrange(1, 9))) for _ in range(count)]


def test_a_term_that_stands_alone_is_in_a_text_where_one_of_its_words_has_it() -> None:
    lonely, together = set(), set()
    for text in texts(3000):
        whole = set(ANALYZER.terms_of(text))
        apart = set().union(*map(ANALYZER.terms_of_word, text.split()))
        assert set(filter(ANALYZER.stands_alone, whole)) == set(filter(ANALYZER.stands_alone, apart))
        plain = {term for _, term in ANALYZER.plain_terms(text)}
        assert set(filter(ANALYZER.stands_alone, plain)) <= apart
        lonely |= set(filter(ANALYZER.stands_alone, whole))
        together |= whole ^ apart
    assert {"run", "shoe", "red", "steel", "cup", "cafe"} <= lonely
    assert {"keychain", "12oz"} <= together  # what two words make, which is why not every term stands alone


def test_a_text_read_piece_by_piece_has_the_terms_of_the_whole() -> None:
    for text in texts(2000):
        letters = " ".join(piece for piece in text.split() if not any(map(str.isdigit, piece)))
        fresh = Analyzer("en", ANALYZER.compounds)
        assert ANALYZER.terms_of(letters) == [term for _, term in fresh.words_and_terms(letters)]
    assert ANALYZER.terms_of("a key chain, it") == ["key", "chain", "keychain", "i", "t"]
    assert ANALYZER.terms_of_pieces("IT") == {"i", "t"}  # a compound, though a word like it is left out


@pytest.mark.parametrize(
    ("terms", "is_shown"),
    [
        ({"steel", "norr"}, True),
        ({"12oz", "red"}, True),
        ({"steel", "nothing"}, False),
        ({"much"}, False),  # a value too long for a card
        ({"oz"}, False),  # of the number before it
    ],
)
def test_a_card_shows_title_brand_and_short_attributes(terms: set[str], is_shown: bool) -> None:
    product = Product(
        "1", "Steel Cups, 12 oz", "Nothing of this.", brand="Norr",
        attributes={"Color": ("Dark red",), "Note": ("much too long to be shown on a card, and so not read",)},
    )  # fmt: skip
    everywhere = Places(list(range(4)), list(range(3)), {BRAND, VALUES})
    assert shows_all(product, everywhere, Marker(terms, Analyzer()), Analyzer()) == is_shown


def test_a_card_shows_a_compound_that_two_words_of_the_title_make_or_one_of_a_value() -> None:
    everywhere = Places([0, 1], [], {VALUES})
    for title, value, is_shown in (("Key chain", "red", True), ("Key, red", "Keychain", True), ("Key red", "x", False)):
        product = Product("1", title, attributes={"a": (value,)})
        assert shows_all(product, everywhere, Marker({"keychain", "red"}, ANALYZER), ANALYZER) == is_shown


def test_a_sentence_says_more_by_terms_that_the_title_has_not_even_between_its_words() -> None:
    product = Product("1", "Key chain, 12 oz", brand="Norr")
    for sentence in ("A keychain of Norr", "The key chain", "12oz ounces", "12 ounce chain norr key"):
        assert not says_more(sentence, product, ANALYZER)
    assert says_more("A keychain of steel, running", product, ANALYZER)
    assert not says_more("A keychain of steel", product, ANALYZER)


def test_a_row_that_holds_no_term_of_a_query_is_known_to_hold_none(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP))
    analyzer, rows = engine.release.lexical.analyzer, np.arange(len(SHOP))
    for text in ("lamp", "red dress", "steel knife for the kitchen", "qqqq"):
        scored = engine.scored(engine.understood(SearchRequest(q=text, interpret=False, correct=False)), "lexical")
        held = shares_held(engine.release, scored, rows)
        found_at = engine.release.shown.places(rows, scored.terms)
        places = {product.id: found for product, found in zip(SHOP, found_at, strict=True)}
        for product, share in zip(SHOP, held, strict=True):
            shown = f"{product.title} {product.brand} {product.description}"
            marker = Marker(set(scored.terms), analyzer)
            found = marker.held_in(shown.split(), range(len(shown.split())))
            assert share is not None
            assert not any(found) or share > 0
            assert share > 0.999 or not shows_all(product, places[product.id], marker, analyzer)
    dense = engine.scored(engine.understood(SearchRequest(q="lamp", mode="dense", interpret=False)), "dense")
    assert shares_held(engine.release, dense, rows) == [None] * len(SHOP)  # its words were not looked up


@pytest.mark.skipif(PREAD is None, reason="this system reads no pieces of files")
def test_pieces_of_a_file_come_in_their_order_neighbours_or_not(tmp_path: Path) -> None:
    content = np.arange(1000, dtype=np.int32).view(np.int8)
    (tmp_path / "file").write_bytes(content.tobytes())
    file = ScatteredFile(tmp_path / "file")
    for pieces in ([(0, 8), (8, 4), (12, 40), (100, 4)], [(400, 12), (0, 4), (4, 4)], [(8, 8)], [(8, 8), (8, 8)]):
        starts, sizes = np.array(pieces, np.int64).T
        out = np.empty(sizes.sum(), np.int8)
        file.read(out, starts, sizes)
        assert out.tobytes() == b"".join(content[start : start + size].tobytes() for start, size in pieces)
