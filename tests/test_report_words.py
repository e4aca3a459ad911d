"""What the report finds of a catalog's words: counts, synonyms, false friends, words the encoder has no feel for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from conftest import FakeEncoder
from report_subjects import ENGLISH, at, titled

from indexer.calibration import background_words, word_index
from indexer.report.feel import feel_of, pieces_of
from indexer.report.vocabulary import Vocabulary, word_vectors
from indexer.report.words import words_of_catalog
from search.arrays import Floats


class Words(FakeEncoder):
    """An encoder that places words where it is told."""

    def __init__(self, places: dict[str, float]):
        super().__init__()
        self.places = places

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        return at(*(self.places[text] for text in texts))


def test_the_words_of_the_titles_are_counted_by_stem_and_by_product() -> None:
    products = titled("Red mug mugs", "Blue Mugs", "A mug of Norr", "Norr 12 oz", "Norr lamp", brand="Norr")
    found = Vocabulary.of(products, ENGLISH, FakeEncoder(), None)
    assert found.words == ("mug", "norr")  # "mugs" is the same stem and no more frequent; the others stand in too few
    assert [rows.tolist() for rows in found.holders] == [[0, 1, 2], [2, 3, 4]]
    assert found.is_brand.tolist() == [False, True]


def test_words_of_the_background_are_not_encoded_again() -> None:
    encoder = FakeEncoder()
    background = word_index(encoder.encode_queries(background_words(encoder)))
    encoder.encoded.clear()
    vectors = word_vectors(["coffee", "qwertz", "lamp"], encoder, background)
    assert encoder.encoded == ["qwertz"]
    exact = FakeEncoder().encode_queries(["coffee", "qwertz", "lamp"])
    assert (vectors * exact).sum(axis=1) == pytest.approx([1, 1, 1], abs=0.01)


def test_synonyms_meet_and_words_that_only_look_alike_are_told_apart() -> None:
    products = titled(*["sofa"] * 3, *["couch"] * 3, *["teal"] * 3, *["tea"] * 3)
    vectors = at(*[0, 1, 2], *[2, 3, 4], *[90, 91, 92], *[178, 179, 180])
    vocabulary = Vocabulary.of(products, ENGLISH, Words({"sofa": 0, "couch": 10, "teal": 170, "tea": 190}), None)
    found = words_of_catalog(vocabulary, vectors)
    assert [(pair.first, pair.second) for pair in found.synonyms] == [("couch", "sofa")]
    assert found.synonyms[0].cosine == pytest.approx(np.cos(np.radians(10)), abs=1e-6)
    assert [(pair.first, pair.second) for pair in found.false_friends] == [("tea", "teal")]
    assert found.needs_a_look and "“tea”" in found.summary
    assert found.frequent[0].nearest[0].word == "sofa"  # of "couch", the first in the alphabet of equal counts


def test_words_that_stand_in_one_title_are_no_synonyms() -> None:
    products = titled(*["sofa couch"] * 3, *["lamp"] * 3)
    vocabulary = Vocabulary.of(products, ENGLISH, Words({"sofa": 0, "couch": 10, "lamp": 90}), None)
    assert words_of_catalog(vocabulary, at(0, 1, 2, 90, 91, 92)).synonyms == ()


def test_a_word_that_finds_other_products_than_those_that_hold_it_is_told_with_counts() -> None:
    """Five kvass at 0 degrees, five lamps at 90; the word "kvass" lies among the lamps."""
    products = titled(*["kvass"] * 5, *["lamp"] * 5)
    vectors = at(0, 1, 2, 3, 4, 90, 91, 92, 93, 94)
    vocabulary = Vocabulary.of(products, ENGLISH, Words({"kvass": 92, "lamp": 92}), None)
    found = feel_of(vocabulary, vectors, {"lamp", "kv", "##ass"})
    assert [(one.word, one.pieces, one.count, one.found) for one in found.spelled] == [("kvass", ("kv", "ass"), 5, 0)]
    assert found.spelled[0].possible >= 3
    assert (found.meant_found, found.touched, found.products) == (0, 5, 10)
    assert {kind.kind: kind.found for kind in found.kinds} == {"known as a whole": 1.0, "spelled from pieces": 0.0}
    assert "finds 0 of the 5 products" in found.summary


def test_a_word_whose_products_are_scattered_is_not_blamed_on_the_encoder() -> None:
    products = titled(*["new"] * 5, *["lamp"] * 5)
    vectors = at(0, 70, 140, 210, 280, 90, 91, 92, 93, 94)
    found = feel_of(Vocabulary.of(products, ENGLISH, Words({"new": 92, "lamp": 92}), None), vectors, {"new", "lamp"})
    assert found.spelled_found + found.meant_found == 0


def test_finding_shoes_without_the_word_counts_for_the_word_shoes() -> None:
    """The word finds five others that are just like the holders: it is understood."""
    products = titled(*["shoes"] * 5, *["boots"] * 5)
    vectors = at(*[0, 10, 1, 9, 5], *[4, 5, 5, 6, 5])
    vocabulary = Vocabulary.of(products, ENGLISH, Words({"shoes": 5, "boots": 5}), None)
    assert feel_of(vocabulary, vectors, {"shoes", "boots"}).meant_found == 0


def test_words_are_spelled_as_the_tokenizer_would() -> None:
    known = {"tea", "##l", "t", "##eal", "app"}
    assert pieces_of("teal", known) == ("tea", "l")
    assert pieces_of("apple", known) == ()
    assert pieces_of("tea", {"tea"}) == ("tea",)
