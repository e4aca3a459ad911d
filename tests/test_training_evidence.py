"""What the gate asks: queries of a kind that was not trained on, with known answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from indexer.training.evidence import (
    WordCounts,
    description_phrases,
    judged_evidence,
    pseudo_evidence,
    turned_title_pair,
)
from indexer.training.settings import TrainingSettings
from search.analysis import Analyzer, words_of
from search.product import Product

SETTINGS = TrainingSettings()
FILLER = [Product(f"f{n}", f"Thing {n}", f"Plain sentence number{n}.") for n in range(60)]
FLASK = Product(
    "flask", "Steel flask", "The flask holds piping soup on frosty hikes. Steel, 9912.", category=("Outdoor",)
)
TWIN = Product("twin", "Wool hat", "Warm on frosty hikes, even with piping soup.")
SHOP = [FLASK, TWIN, *FILLER]


@pytest.fixture(scope="module")
def counts() -> WordCounts:
    return WordCounts(SHOP, Analyzer("en"))


def test_key_phrases_come_from_the_description_and_share_no_word_with_the_other_fields(counts: WordCounts) -> None:
    # "flask", "steel" are in the title, "holds" is in this description alone, "9912" is a code.
    assert description_phrases(FLASK, counts) == ["piping soup frosty hikes"]


def test_words_found_in_one_product_only_or_in_very_many_are_no_key_words(counts: WordCounts) -> None:
    assert counts.rarity("holds") == 0  # this product alone: a code or a slip
    assert counts.rarity("sentence") == 0  # 60 of 62 products
    assert counts.rarity("the") == counts.rarity("9912") == counts.rarity("unheard") == 0
    assert counts.rarity("soup") == pytest.approx(3.434, abs=1e-3)  # ln(62 / 2)


def test_a_title_pair_is_turned_round_so_that_training_in_title_order_has_not_seen_it() -> None:
    titles = ["pail of zinc, tall", "zinc: tall pail", "zinc rod"]  # zinc is the least rare of the three words
    products = [*(Product(title, title) for title in titles), *FILLER]
    assert turned_title_pair(products[0], WordCounts(products, Analyzer("en"))) == ["tall pail"]


def test_every_product_with_all_the_words_answers_and_training_products_are_hidden(counts: WordCounts) -> None:
    def asked(trained: set[int]):
        return pseudo_evidence(SHOP, [0], range(1, 62), frozenset(trained), counts, description_phrases, SETTINGS)

    open_twin = asked({5, 6})
    assert open_twin.queries == ("piping soup frosty hikes",)
    assert open_twin.grades == ({"flask": 1.0, "twin": 1.0},)
    assert open_twin.hidden == (frozenset(),)
    trained_twin = asked({1})
    assert trained_twin.grades == ({"flask": 1.0},)
    assert trained_twin.hidden == (frozenset({1}),)


def test_a_query_that_too_many_products_answer_is_left_out() -> None:
    twins = [replace(TWIN, id=f"t{n}") for n in range(3)]
    products = [FLASK, *twins, *FILLER]
    counts = WordCounts(products, Analyzer("en"))
    for most, queries in ((4, 1), (3, 0)):
        settings = replace(SETTINGS, most_relevant=most)
        found = pseudo_evidence(products, [0], range(1, 64), frozenset(), counts, description_phrases, settings)
        assert len(found.queries) == queries


def test_the_lexical_leg_does_not_read_the_descriptions_that_the_queries_come_from(counts: WordCounts) -> None:
    found = pseudo_evidence(SHOP, [0], range(1, 62), frozenset(), counts, description_phrases, SETTINGS)
    asked = set(words_of(found.queries[0]))
    assert not [field for fields in found.lexical_texts() for field in fields if asked & set(words_of(field))]
    turned = pseudo_evidence(SHOP, [0], [1], frozenset(), counts, turned_title_pair, SETTINGS)
    assert "piping soup" in turned.lexical_texts()[0][1]


def test_judged_queries_bring_their_products_and_random_others_fill_the_corpus() -> None:
    queries = {"q1": "flask", "q2": "nothing relevant", "q3": "hat"}
    judgments = {"q1": {"flask": 3.0, "gone": 2.0}, "q2": {"f1": 0.0}, "q3": {"twin": 1.0, "f2": 0.0}}
    found = judged_evidence(SHOP, queries, judgments, 20, seed=1)
    assert found.queries == ("flask", "hat")
    assert found.grades == ({"flask": 3.0}, {"twin": 1.0, "f2": 0.0})
    assert len(found.corpus) == 20 and {"flask", "twin", "f2"} <= {product.id for product in found.corpus}
    assert not found.asks_description and found.strength == 2


def test_more_judged_products_than_the_corpus_holds_leave_every_query_an_equal_share_with_an_answer() -> None:
    judgments = {f"q{n}": {f"f{m}": float(m == n) for m in range(60)} for n in range(3)}
    found = judged_evidence(SHOP, {f"q{n}": "thing" for n in range(3)}, judgments, 18, seed=1)
    assert [len(grades) for grades in found.grades] == [6, 6, 6]
    assert [grades[f"f{n}"] for n, grades in enumerate(found.grades)] == [1.0, 1.0, 1.0]
