"""Why a product matches: each word's weight, the words it belongs to, and the check that takes it out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, FakeEncoder, open_engine, write_release
from hypothesis import given
from hypothesis import strategies as st

from search.analysis import Analyzer
from search.arrays import unit_rows
from search.encoder import open_encoder
from search.engine import Engine
from search.errors import EncoderError, NotFound, QueryError
from search.match import Match, TermSums, Word, without_term, words_in, words_of_tokens
from search.product import Product
from search.tokens import Tokens

ENGLISH = Analyzer("en")


def written(text: str) -> list[str]:
    return [text[word.start : word.end] for word in words_in(text, ENGLISH)]


def weight_of(match: Match, term: str) -> float:
    return next(word.weight for word in match.words if word.term == term)


# -- words --


def test_words_are_whole_in_any_script_and_signs_are_none() -> None:
    assert written("Crème brûlée, a T-shirt's 12.5 oz 🎁 red/blue 红色 كوب") == [
        "Crème", "brûlée", "a", "T-shirt's", "12.5", "oz", "red", "blue", "红色", "كوب",
    ]  # fmt: skip
    assert written("cafe\u0301s open") == ["cafe\u0301s", "open"]  # the accent a character of its own
    assert written("🎁 -- ...") == []


def test_the_forms_of_a_word_are_one_term() -> None:
    mug, mugs, accented, plain, owned = words_in("Mug mugs crème creme mug's", ENGLISH)
    assert mug.term == mugs.term == owned.term
    assert accented.term == plain.term != mug.term


@given(st.text(max_size=80))
def test_words_stand_in_order_and_do_not_overlap(text: str) -> None:
    spans = [(word.start, word.end) for word in words_in(text, ENGLISH)]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_a_token_belongs_to_the_word_it_ends_in() -> None:
    words = [Word(0, 9, "insulated"), Word(10, 13, "mug")]
    places = np.array([(0, 0), (0, 3), (3, 9), (9, 13), (13, 14), (0, 0)])  # a piece may begin with the blank
    assert words_of_tokens(words, places).tolist() == [-1, 0, 0, 1, -1, -1]
    assert words_of_tokens([], places).tolist() == [-1] * 6


def test_taking_a_word_out_takes_all_its_forms_and_nothing_else() -> None:
    mug = words_in("mug", ENGLISH)[0].term
    assert without_term("A Mug. Travel Mugs. A smug mug-like cup", mug, ENGLISH) == "A . Travel . A smug mug-like cup"


def test_the_tokens_of_a_term_are_summed_and_those_of_no_word_stay() -> None:
    places = np.array([(0, 0), (0, 3), (3, 4), (5, 9)])
    sums = TermSums.of("mug! mugs", Tokens(np.eye(4, dtype=np.float32), places), ENGLISH)
    assert sums.terms == ["mug"]
    assert sums.sums.tolist() == [[0, 1, 0, 1]]
    assert sums.without(["mug", "cup"]) == pytest.approx(unit_rows(np.array([[1, 0, 1, 0], [1, 1, 1, 1.0]])))


# -- a match worked by hand --


def test_the_closeness_and_every_word_without_are_as_worked_by_hand(shop: Engine) -> None:
    # Espresso Cup. Tazza. Mugs. Kitchen. Color: red. Material: steel. Two sips, no more -> of the axes (mug, coffee,
    # red, last) the passage has 2, 1, 1, .1 and the kind, Mugs. Kitchen, 1, 0, 0, .1.
    def closeness(passage: Sequence[float], kind: Sequence[float]) -> float:
        of_passage, of_kind = 0.75 / math.hypot(*passage), 0.25 / math.hypot(*kind)
        product = [of_passage * one + of_kind * other for one, other in zip(passage, kind, strict=True)]
        asked = (1, 0, 1, 0.1)  # red cup
        dot = sum(one * other for one, other in zip(product, asked, strict=True))
        return dot / math.hypot(*product) / math.hypot(*asked)

    match = shop.match("0003", "red cup")
    whole = closeness((2, 1, 1, 0.1), (1, 0, 0, 0.1))
    expected = {
        "cup": closeness((1, 1, 1, 0.1), (1, 0, 0, 0.1)), "mug": closeness((1, 1, 1, 0.1), (0, 0, 0, 0.1)),
        "red": closeness((2, 1, 0, 0.1), (1, 0, 0, 0.1)), "espresso": closeness((2, 0, 1, 0.1), (1, 0, 0, 0.1)),
    }  # fmt: skip
    assert match.closeness == pytest.approx(whole, abs=1e-6)
    falls = {term: whole - left for term, left in expected.items()}
    fallen = sum(fall for fall in falls.values() if fall > 0)
    assert {term: weight_of(match, term) for term in falls} == pytest.approx(
        {term: fall / fallen for term, fall in falls.items()}, abs=1e-5
    )
    assert weight_of(match, "espresso") < 0 < weight_of(match, "red")  # nobody asked for coffee
    assert weight_of(match, "cup") < 0  # with "Mugs" twice in the vector, one less leaves more of the red
    assert {one.forms: one.closeness for one in match.without} == pytest.approx(
        {("red",): expected["red"], ("mugs",): expected["mug"]}, abs=1e-6
    )


def test_the_checked_words_come_with_the_largest_fall_first(shop: Engine) -> None:
    left = [one.closeness for one in shop.match("0001", "hot red mug").without]
    assert left == sorted(left)
    assert len(left) == 3
    assert max(left) < (shop.match("0001", "hot red mug").closeness or 0)


def test_the_words_of_each_field_are_found_in_it(shop: Engine) -> None:
    match = shop.match("0001", "hot red mug")
    texts = {part.field: [word.text for word in match.words_of(part)] for part in match.parts}
    assert texts["title"] == ["Travel", "Mug"]
    assert texts["brand"] == ["Norr"]
    assert texts["attributes"] == ["Color", "red"]
    assert texts["description"] == ["Keeps", "coffee", "hot", "on", "a", "cold", "platform"]
    assert all(match.passage[word.start : word.end] == word.text for word in match.words)
    assert all(match.search_text[word.start : word.end] == word.text for word in match.query_words)


def test_what_pulls_together_adds_up_to_one(shop: Engine) -> None:
    match = shop.match("0001", "hot red mug")
    for words in (match.words, match.query_words):
        weights = {word.term: word.weight for word in words}
        assert sum(weight for weight in weights.values() if weight > 0) == pytest.approx(1, abs=1e-5)


def test_words_in_both_are_told_and_conditions_are_not_compared(shop: Engine) -> None:
    match = shop.match("0001", "red mugs under $30")
    assert match.search_text == "red mugs"
    assert match.shared == ["red", "mugs"]
    only_a_price = shop.match("0001", "under $30")
    assert (only_a_price.search_text, only_a_price.closeness, only_a_price.words) == ("", None, [])


def test_a_match_asked_for_again_encodes_nothing(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    engine = open_engine(write_release(tmp_path / "shop", SHOP), encoder)
    first = engine.match("0001", "hot mug")
    encoder.encoded.clear()
    assert engine.match("0001", " hot  mug ") == first
    assert encoder.encoded == []


def test_what_is_not_asked_or_not_there_is_an_error_that_names_it(shop: Engine) -> None:
    for q in ("", "  \n", "a" * 513):
        with pytest.raises(QueryError) as caught:
            shop.match("0001", q)
        assert caught.value.parameter == "q"
    with pytest.raises(NotFound):
        shop.match("9", "mug")


@pytest.mark.parametrize(
    "q", ["<script>alert(1)</script>", "🎁🎁", "\u202eكوب أحمر", "a" * 512, "e\u0301" * 200, "? ! -", "mug " * 128]
)
def test_any_text_is_explained(shop: Engine, q: str) -> None:
    match = shop.match("0001", q)
    assert match.degraded is None
    assert all(match.search_text[word.start : word.end] == word.text for word in match.query_words)
    assert all(math.isfinite(word.weight) for word in (*match.words, *match.query_words))


def test_a_product_without_any_word_is_explained(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", (Product("x", "🎁"), *SHOP)))
    match = engine.match("x", "mug")
    assert (match.words, match.parts, match.passage, match.without) == ([], [], "", [])


# -- what the encoder can and cannot say --


class ShortSighted(FakeEncoder):
    """Reads four words of a text."""

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        return [Tokens(*(part[:5] for part in tokens)) for tokens in super().encode_tokens(texts)]


def test_what_the_encoder_does_not_read_is_not_in_the_match(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP), ShortSighted())
    match = engine.match("0001", "hot mug")
    assert match.passage == "Travel Mug. Norr. Mugs"
    assert match.is_cut
    assert [(part.field, match.passage[part.start : part.end]) for part in match.parts] == [
        ("title", "Travel Mug"), ("brand", "Norr"), ("category", "Mugs"),
    ]  # fmt: skip


class Whole(FakeEncoder):
    """Does not pool by the mean."""

    pools_by_mean = False

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        raise AssertionError("it must not be asked")


def test_an_encoder_without_token_vectors_is_said_to_have_none(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP), Whole())
    match = engine.match("0003", "red cup")
    assert match.degraded == "no_token_vectors"
    hit = next(hit for hit in engine.search("red cup", explain=True).hits if hit.id == "0003")
    assert hit.explain and match.closeness == pytest.approx(hit.explain["dense_score"], abs=1e-4)
    assert match.shared == ["red", "cup"]


def test_while_the_encoder_loads_only_shared_words_are_told(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP), waits=False)
    match = engine.match("0003", "red cup")
    assert (match.degraded, match.closeness, match.shared) == ("encoder_loading", None, ["red", "cup"])
    engine.encoder.vectors(["ready"])
    assert engine.match("0003", "red cup").degraded is None


@pytest.mark.slow
def test_the_real_encoders_vectors_are_the_means_of_their_tokens() -> None:
    encoder = open_encoder()
    texts = ["insulated mug", "Crème brûlée 🎁 holder, 12.5 oz", "", "travel mug " * 200]
    tokens = encoder.encode_tokens(texts)
    means = unit_rows(np.stack([one.vectors.sum(axis=0) for one in tokens]))
    assert np.allclose(means, encoder.encode_passages(texts), atol=1e-5)
    assert np.allclose(means, encoder.encode_queries(texts), atol=1e-5)
    assert len(tokens[3].vectors) == encoder.max_tokens
    # The cosine is the sum over all pairs of tokens, so that each has its share in it.
    one, other = tokens[0].vectors, tokens[1].vectors
    shares = (one @ other.T) / np.linalg.norm(one.sum(axis=0)) / np.linalg.norm(other.sum(axis=0))
    assert shares.sum() == pytest.approx(float(means[0] @ means[1]), abs=1e-5)


@pytest.mark.slow
def test_the_real_encoders_pieces_find_their_words() -> None:
    encoder = open_encoder()
    text = "Crème brûlée T-shirt 🎁 Hushwater, 12.5 oz " + "mug " * 200
    places = encoder.encode_tokens([text])[0].places
    words = words_in(text, ENGLISH)
    found = words_of_tokens(words, places)
    read = [text[words[place].start : words[place].end] for place in np.unique(found[found >= 0])]
    assert read[:6] == ["Crème", "brûlée", "T-shirt", "Hushwater", "12.5", "oz"]
    assert set(read[6:]) == {"mug"}
    assert 80 < len(read) < 120  # the encoder stops at 128 tokens
    for place, (start, end) in zip(found, places, strict=True):
        if place >= 0:
            assert words[place].start <= start < end <= words[place].end


@pytest.mark.slow
def test_an_encoder_that_does_not_pool_by_the_mean_refuses_tokens() -> None:
    encoder = open_encoder()
    encoder.model[1].pooling_mode = "cls"
    with pytest.raises(EncoderError, match="pool by the mean"):
        encoder.encode_tokens(["mug"])
