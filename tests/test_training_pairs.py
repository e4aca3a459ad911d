"""Pseudo-queries, leaks and batches of the fine-tuning."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from indexer.training.pairs import (
    Pair,
    VerbatimTexts,
    attribute_and_noun,
    brand_and_noun,
    category_leaf,
    head_noun,
    in_batches,
    kinds_of,
    title_run,
    title_words,
    training_pairs,
    with_typo,
    words,
)
from indexer.training.settings import TrainingSettings
from search.product import Product

NO_STOP_WORDS: frozenset[str] = frozenset()
MUG = Product(
    "m1",
    "Blue Ceramic Coffee Mug with Handle",
    "Keeps espresso warm at the campsite.",
    category=("Kitchen", "Mugs"),
    brand="Borela",
    attributes={"color": ("Blue",), "sku": ("99812",)},
)


def osa(a: str, b: str) -> int:
    """Edits between two words, a swap of neighbours being one; the slow textbook table."""
    table = {(i, -1): i + 1 for i in range(-1, len(a))} | {(-1, j): j + 1 for j in range(-1, len(b))}
    for i in range(len(a)):
        for j in range(len(b)):
            cost = a[i] != b[j]
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + cost)
            if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(a) - 1, len(b) - 1]


@pytest.mark.parametrize("kind", [title_words, title_run])
def test_title_queries_have_two_to_four_words_of_the_title_at_most_one_of_them_mistyped(kind) -> None:
    title = set(words(MUG.title))
    for seed in range(300):
        [query] = kind(MUG, random.Random(seed), frozenset({"with"}))
        foreign = [word for word in query.split() if word not in title]
        assert 2 <= len(query.split()) <= 4 and len(foreign) <= 1
        assert all(min(osa(word, known) for known in title) == 1 for word in foreign)


def test_only_the_free_kind_of_title_query_changes_the_order_of_words() -> None:
    order = {word: place for place, word in enumerate(words(MUG.title))}

    def in_order(kind) -> set[bool]:
        queries = [kind(MUG, random.Random(seed), frozenset({"with"}))[0].split() for seed in range(300)]
        places = [[order[word] for word in query if word in order] for query in queries]
        return {found == sorted(found) for found in places}

    assert in_order(title_run) == {True}
    assert in_order(title_words) == {True, False}


def test_about_one_title_query_in_ten_has_a_typo() -> None:
    title = set(words(MUG.title))
    queries = [title_words(MUG, random.Random(seed), NO_STOP_WORDS)[0] for seed in range(2_000)]
    assert 0.05 < sum(not title.issuperset(query.split()) for query in queries) / len(queries) < 0.12


def test_a_typo_is_one_edit_in_one_long_word_and_keeps_its_first_letter() -> None:
    for seed in range(200):
        short, long = with_typo(["mug", "ceramic"], random.Random(seed))
        assert short == "mug" and long[0] == "c" and osa(long, "ceramic") <= 1


def test_words_too_short_for_a_typo_stay() -> None:
    assert with_typo(["red", "mug", "12345"], random.Random(0)) == ["red", "mug", "12345"]


@pytest.mark.parametrize(
    ("title", "noun"),
    [
        ("Blue Ceramic Coffee Mug with Handle", "mug"),
        ("Kettle, 1.7 l, steel", "kettle"),
        ("Acme - Running Shoes for Men (Size 9)", "acme"),
        ("Trail Running Shoes (Size 9)", "shoes"),
        ("USB-C Cable 2m", "cable"),
        ("4711", ""),
    ],
)
def test_the_head_noun_is_the_last_word_before_what_the_thing_has(title: str, noun: str) -> None:
    assert head_noun(title) == noun


def test_the_other_kinds_use_category_brand_and_attributes_but_never_bare_codes() -> None:
    draws = [random.Random(seed) for seed in range(60)]
    assert {q for rng in draws for q in category_leaf(MUG, rng, NO_STOP_WORDS)} == {"mugs", "borela mugs", "blue mugs"}
    assert brand_and_noun(MUG, draws[0], NO_STOP_WORDS) == ["borela mug"]
    assert attribute_and_noun(MUG, draws[0], NO_STOP_WORDS) == ["blue mug"]


def test_a_product_without_fields_offers_only_title_queries() -> None:
    plain = Product("p", "Oak table")
    for kind in (category_leaf, brand_and_noun, attribute_and_noun):
        assert kind(plain, random.Random(1), NO_STOP_WORDS) == []


def test_a_query_that_stands_word_for_word_in_a_held_out_text_is_a_leak() -> None:
    texts = VerbatimTexts(["Blue Ceramic Mug", "It's Dan's favourite"])
    assert texts.hold("ceramic mug") and texts.hold("BLUE ceramic") and texts.hold("mug") and texts.hold("dan")
    assert not texts.hold("mug ceramic") and not texts.hold("blue mug") and not texts.hold("ceramic mugs")


def shop(count: int) -> list[Product]:
    colours = ["amber", "teal", "coral", "slate", "olive", "ivory", "plum"]
    things = ["kettle", "lamp", "stool", "rug", "vase", "clock", "bench", "tray", "basket", "mirror", "shelf"]
    return [
        Product(
            f"p{n}", f"{colours[n % 7]} {things[n % 11]} number {n} classic", category=("Home", things[n % 11].title())
        )
        for n in range(count)
    ]


def test_no_training_query_is_a_verbatim_part_of_a_held_out_text() -> None:
    products = shop(200)
    leaks = VerbatimTexts([product.title for product in products[100:]])
    pairs, leaked = training_pairs(products, range(100), leaks, 300, TrainingSettings())
    assert len(pairs) == 300 and leaked > 0
    held_out = [f" {product.title.casefold()} " for product in products[100:]]
    assert not [pair.query for pair in pairs if any(f" {pair.query} " in text for text in held_out)]
    assert {pair.row for pair in pairs} <= set(range(100))


def test_the_same_seed_draws_the_same_pairs_and_another_seed_others() -> None:
    products = shop(100)

    def drawn(seed: int) -> list[Pair]:
        return training_pairs(products, range(100), VerbatimTexts([]), 150, TrainingSettings(seed=seed))[0]

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_batch_never_holds_a_query_or_a_product_group_twice() -> None:
    rng = random.Random(5)
    pairs = [Pair(f"query {rng.randrange(60)}", rng.randrange(200), "title_words") for _ in range(600)]
    group_of = {row: row // 2 for row in range(200)}
    ordered = in_batches(pairs, group_of, 16)
    assert len(ordered) % 16 == 0 and len(ordered) >= 560
    for start in range(0, len(ordered), 16):
        batch = ordered[start : start + 16]
        assert len({pair.query for pair in batch}) == len({group_of[pair.row] for pair in batch}) == 16
    assert not Counter(ordered) - Counter(pairs)


def test_pairs_that_cannot_fill_a_batch_are_left_out() -> None:
    assert in_batches([Pair("mugs", row, "category_leaf") for row in range(40)], {r: r for r in range(40)}, 2) == []


def test_kinds_are_counted_most_frequent_first() -> None:
    assert list(kinds_of([Pair("a", 0, "x"), Pair("b", 1, "y"), Pair("c", 2, "y")]).items()) == [("y", 2), ("x", 1)]
