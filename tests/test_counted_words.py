"""Words that were counted before are not counted again, and nobody can tell from the index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer import counted_words as counting
from indexer.counted_words import Lender, counted_words
from search.analysis import Analyzer
from search.lexical import LexicalIndex, LexicalSettings
from search.product import Product

SETTINGS = LexicalSettings()
WORDS = (
    "key chain keychain key-chain keychains left-hander left hand handed lefthand clip-on clip on in into "
    "in-to t-shirt tshirt shirts t e-bike ebike bikes WD-40 wd 40 wd40 12 oz 12oz second-hand glasses-case "
    "glasses case o-ring ring"
).split()
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
catalogs = st.lists(st.tuples(texts, texts), min_size=1, max_size=7)


def products(catalog: list[tuple[str, str]]) -> list[Product]:
    return [
        Product("7", title, description, attributes={"size_12": (description, "oz"), "key": ("chain", title)})
        for title, description in catalog
    ]


def same(one: LexicalIndex, other: LexicalIndex) -> None:
    assert list(one.vocabulary) == list(other.vocabulary)
    assert one.analyzer.compounds == other.analyzer.compounds
    for name in ("weights", "title_weights", "evenly"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("holders", "titled"):
        for part in ("starts", "rows"):
            np.testing.assert_array_equal(getattr(getattr(one, name), part), getattr(getattr(other, name), part))


@settings(max_examples=400, deadline=None)
@given(catalogs, catalogs, st.lists(st.booleans(), min_size=7, max_size=7))
@example([("left hand", ""), ("mug", "")], [("left hand", ""), ("left-hander", "")], [True] * 7)
@example([("left-hander", ""), ("left hand", "")], [("second-hand", ""), ("left hand", "")], [True] * 7)
def test_an_index_of_borrowed_counts_is_that_of_new_ones(
    before: list[tuple[str, str]], after: list[tuple[str, str]], stays: list[bool]
) -> None:
    lender = Lender.lending(*counted_words(products(before), SETTINGS, None))
    kept = [pair for pair, stay in zip(before, stays, strict=False) if stay]
    catalog = products([*after[:2], *kept, *after[2:]])
    borrowed, stated, then = counted_words(catalog, SETTINGS, lender)
    fresh, stated_anew, anew = counted_words(catalog, SETTINGS, None)
    same(borrowed, fresh)
    for name in ("offsets", "rows", "partly"):
        np.testing.assert_array_equal(getattr(stated, name), getattr(stated_anew, name))
    assert stated.rows.dtype == stated_anew.rows.dtype
    np.testing.assert_array_equal(then.counts, anew.counts)
    np.testing.assert_array_equal(then.hashes, anew.hashes)


def test_only_what_changed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = [Product("1", "red mug", "of clay"), Product("2", "blue mug", "of glass"), Product("3", "red mug")]
    lender = Lender.lending(*counted_words(shop, SETTINGS, None))
    read: list[str] = []
    terms_of = Analyzer.terms_of
    monkeypatch.setattr(Analyzer, "terms_of", lambda analyzer, text: read.append(text) or terms_of(analyzer, text))
    counted_words([*shop[:2], Product("3", "green mug")], SETTINGS, lender)
    assert read == ["green mug 3", "", "green mug", ""]  # as it is searched, and what it states


def test_a_word_that_a_text_repeats_more_often_than_is_kept_is_counted_anew() -> None:
    shop = products([("mug " * 300, "cup"), ("cup", "mug " * 256)])
    found = counted_words(shop, SETTINGS, None)
    same(counted_words(shop, SETTINGS, Lender.lending(*found))[0], found[0])


def test_other_code_borrows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counting.code_digest()
    other = tmp_path / "analysis.py"
    other.write_text("# reads otherwise", "utf-8")
    monkeypatch.setattr(counting.analysis, "__file__", str(other))
    assert counting.code_digest() != before
