"""What the report finds, on catalogs small enough to work out by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from conftest import FakeEncoder
from sklearn.metrics import silhouette_samples

from indexer import neighbors
from indexer.calibration import background_words, word_index
from indexer.embeddings import encode_products
from indexer.grouping import fold_variants
from indexer.neighbors import Neighbors, nearest_neighbors
from indexer.report import Knowledge, Subject, knowledge_of
from indexer.report.categories import categories_of
from indexer.report.clusters import clusters_of, silhouettes
from indexer.report.duplicates import Duplicates, duplicates_of, is_code
from indexer.report.feel import feel_of, pieces_of
from indexer.report.health import health_of, is_shouting
from indexer.report.loners import loners_of
from indexer.report.vocabulary import Vocabulary, word_vectors
from indexer.report.words import words_of_catalog
from search.analysis import Analyzer
from search.arrays import Floats, unit_rows
from search.passages import texts_of
from search.product import Product

ENGLISH = Analyzer("en")


def at(*degrees: float) -> Floats:
    """Unit vectors in the plane at these angles: their cosines are those of the differences."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def titled(*titles: str, **fields: object) -> list[Product]:
    return [Product(f"p{number}", title, **fields) for number, title in enumerate(titles)]  # type: ignore[arg-type]


def subject_of(products: Sequence[Product], vectors: Floats | None = None) -> Subject:
    encoder = FakeEncoder()
    if vectors is None:
        vectors, _ = encode_products(texts_of(products), encoder)
    everything = np.zeros(len(products), np.int64)
    return Subject.of(products, vectors, fold_variants(products), everything, {0: "All"}, encoder, None, "en")


class Words(FakeEncoder):
    """An encoder that places words where it is told."""

    def __init__(self, places: dict[str, float]):
        super().__init__()
        self.places = places

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        return at(*(self.places[text] for text in texts))


# -- neighbours -------------------------------------------------------------------------------------------------------


def test_neighbours_are_the_nearest_others_and_never_the_product_itself() -> None:
    found = nearest_neighbors(at(0, 10, 30, 180), 2)
    assert found.items.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert found.cosines[0] == pytest.approx(np.cos(np.radians([10, 30])), abs=1e-6)


def test_products_that_lie_on_one_spot_are_neighbours_in_order_and_never_their_own() -> None:
    found = nearest_neighbors(at(*[45] * 6), 3)
    assert all(item not in row for item, row in enumerate(found.items.tolist()))
    assert found.items[5].tolist() == sorted(found.items[5].tolist())


def test_a_single_product_has_no_neighbours() -> None:
    assert nearest_neighbors(at(0), 15).items.shape == (1, 0)


def test_neighbours_found_in_cells_are_mostly_those_of_the_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    points = unit_rows(np.random.default_rng(1).normal(size=(3_000, 16)))
    exact = nearest_neighbors(points, 10)
    monkeypatch.setattr(neighbors, "EXACT_BELOW", 1_000)
    found, again = nearest_neighbors(points, 10), nearest_neighbors(points, 10)
    assert exact.is_exact and not found.is_exact
    assert (found.items == again.items).all()
    shared = [len(set(a) & set(b)) for a, b in zip(exact.items.tolist(), found.items.tolist(), strict=True)]
    assert np.mean(shared) > 6  # of ten; random points have no cells, catalogs do better
    assert (found.cosines[:, :-1] >= found.cosines[:, 1:]).all()


# -- words ------------------------------------------------------------------------------------------------------------


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


# -- categories -------------------------------------------------------------------------------------------------------


def filed(*categories: str) -> list[Product]:
    return [Product(f"p{n}", f"Thing {n}", category=(name,) if name else ()) for n, name in enumerate(categories)]


def test_a_product_whose_neighbours_agree_on_another_category_is_told() -> None:
    """Ten bowls round 0 degrees, ten books round 90; one of the bowls is filed as a book."""
    products = filed(*["Bowls"] * 10, *["Books"] * 10, "Books")
    vectors = at(*range(10), *range(90, 100), 4.5)
    found = categories_of(products, vectors, nearest_neighbors(vectors, 8))
    assert [(one.product.id, one.proposed) for one in found.misfiled] == [("p20", ("Bowls",))]
    assert (found.misfiled[0].share, found.misfiled[0].own_share) == (pytest.approx(1.0), 0.0)
    assert found.misfiled[0].like == ("Thing 4", "Thing 5", "Thing 3")
    assert (found.judged, found.count, found.overlaps) == (21, 2, ())
    assert found.largest[0].path == ("Books",) and found.largest[0].nearest[0].path == ("Bowls",)


def test_categories_that_hold_the_same_things_overlap_and_blame_no_product() -> None:
    """Five handbags lie among twenty bags: that is how the shop files them."""
    products = filed(*["Bags"] * 20, *["Handbags"] * 5)
    vectors = at(*range(20), 2.5, 6.5, 9.5, 12.5, 16.5)
    found = categories_of(products, vectors, nearest_neighbors(vectors, 6))
    assert found.misfiled == ()
    assert [(one.first, one.second, one.moved, one.count) for one in found.overlaps] == [
        (("Handbags",), ("Bags",), 5, 5)
    ]
    assert "“Handbags” and “Bags”" in found.summary


def test_a_small_category_and_a_part_of_the_own_one_prove_nothing() -> None:
    products = filed(*["Bowls"] * 10, "Rare")
    vectors = at(*range(10), 4.5)
    assert categories_of(products, vectors, nearest_neighbors(vectors, 8)).misfiled == ()
    finer = [replace(product, category=("Bowls", "Deep")) for product in products[:10]]
    coarse = [replace(product, category=("Bowls",)) for product in filed(*["x"] * 5)]
    vectors = at(*range(10), *[4.5, 5.5, 3.5, 60, 61])
    assert categories_of([*finer, *coarse], vectors, nearest_neighbors(vectors, 8)).misfiled == ()


# -- duplicates -------------------------------------------------------------------------------------------------------


def compared(products: Sequence[Product], vectors: Floats) -> Duplicates:
    return duplicates_of(products, vectors, nearest_neighbors(vectors, 15), ENGLISH)


def test_the_same_words_in_any_order_and_spelling_are_one_product_twice() -> None:
    products = titled("Shampoo for babies, 12 oz", "Baby Shampoo 12-Ounce", "Baby Shampoo 16 oz", "Lamp")
    found = compared(products, at(0, 5, 6, 90))
    assert [[one.id for one in group.products] for group in found.twice.shown] == [["p0", "p1"]]
    assert found.twice.shown[0].cosine == pytest.approx(np.cos(np.radians(5)), abs=1e-6)
    assert (found.twice.count, found.twice.products) == (1, 2)


def test_a_rare_part_number_joins_titles_in_other_words_but_not_another_size_of_the_thing() -> None:
    products = titled(
        "Ninja BL201 kitchen blender",
        "BL201 pulse system by Ninja, black finish",
        "Dress AB1234 red",
        "Dress AB1234 blue",
    )
    found = compared(products, at(0, 20, 90, 91))
    assert [[one.id for one in group.products] for group in found.twice.shown] == [["p0", "p1"]]


def test_a_part_number_in_products_far_apart_joins_nothing() -> None:
    products = titled("Camera XT2000 body with lens", "Leather case made to fit the XT2000")
    assert compared(products, at(0, 60)).twice.count == 0


def test_equal_titles_with_another_price_attribute_or_category_say_what_differs() -> None:
    one = Product("a", "Desk mount", brand="Norr", price=10.0, attributes={"Width": ("40 cm",)}, category=("Mounts",))
    others = [
        replace(one, id="b", price=20.0), replace(one, id="c", attributes={"Width": ("60 cm",)}),
        replace(one, id="d", price=20.5, attributes={"Width": ("60 cm",)}, category=("Other",)),
        replace(one, id="e", brand="Hob"), replace(one, id="f", brand=""),
    ]  # fmt: skip
    found = compared([one, *others], at(0, 1, 2, 3, 4, 5))
    assert found.same_title.shown[0].size == 5
    assert set(found.same_title.shown[0].told_apart) == {"price", "Width", "category", "brand"}
    assert [product.id for product in found.twice.shown[0].products] == ["e", "f"]  # no brand tells nothing


def test_titles_that_differ_in_one_word_or_size_are_variants_and_models_are_not() -> None:
    products = titled(
        "Norr travel mug with lid, red", "Norr travel mug with lid, blue", "Norr travel mug with lid, 12 oz",
        "Roomba vacuum cleaning robot 585", "Roomba vacuum cleaning robot 650", "mug, red", "mug, blue",
    )  # fmt: skip
    found = compared(products, at(0, 1, 2, 90, 91, 180, 181))
    assert [[one.id for one in group.products] for group in found.variants.shown] == [["p0", "p1", "p2"]]
    assert {"red", "blue"} <= set(found.variants.shown[0].told_apart)


def test_declared_variants_are_never_told_as_duplicates() -> None:
    products = [Product(f"p{n}", "Travel Mug", group_id="mug") for n in range(3)]
    knowledge = knowledge_of(subject_of([*products, Product("q", "Desk Lamp")]))
    assert (knowledge.rows, knowledge.items, knowledge.duplicates.twice.count) == (4, 2, 0)


@pytest.mark.parametrize(
    ("term", "is_one"), [("lds4821ww", True), ("12oz", False), ("2015", False), ("ps4", False), ("14x72", False)]
)
def test_part_numbers_are_told_from_sizes_and_years(term: str, is_one: bool) -> None:
    assert is_code(term) is is_one


# -- loners, clusters, health -----------------------------------------------------------------------------------------


def test_the_product_far_from_everything_is_found() -> None:
    vectors = at(*np.linspace(0, 20, 40), 140)
    found = loners_of(titled(*[f"Mug {n}" for n in range(40)], "Kayak"), nearest_neighbors(vectors, 15))
    assert (found.found, found.loners[0].product.title, found.products) == (1, "Kayak", 41)
    assert found.loners[0].nearest == "Mug 39"
    assert sum(found.heights) == 41
    assert "“Kayak”" in found.summary


def test_where_all_are_alike_none_stands_alone() -> None:
    found = loners_of(titled(*["Mug"] * 20), nearest_neighbors(at(*[0] * 20), 15))
    assert (found.found, found.needs_a_look) == (0, False)
    assert "none stands far" in found.summary


def test_silhouettes_equal_those_of_scikit_learn() -> None:
    random = np.random.default_rng(3)
    vectors = unit_rows(random.normal(size=(200, 6)))
    groups = random.integers(0, 7, 200)
    expected = silhouette_samples(vectors.astype(np.float64), groups, metric="cosine")
    assert silhouettes(vectors, groups) == pytest.approx(expected, abs=1e-4)


def test_the_cluster_that_does_not_hold_together_comes_last() -> None:
    vectors = at(0, 1, 2, 3, 90, 91, 92, 93, 45, 2, 91, 180)
    groups = np.repeat([4, 7, 9], 4)
    labels = {4: "mugs", 7: "lamps", 9: "leftovers"}
    found = clusters_of(titled(*[f"t{n}" for n in range(12)]), vectors, groups, labels)
    assert [one.label for one in found.worst] == ["leftovers"]
    assert found.best[0].silhouette > 0.9 and found.worst[0].silhouette < 0
    assert (found.count, found.median_size) == (3, 4)
    assert found.best[0].titles[0] in ("t1", "t2", "t5", "t6")
    assert "“leftovers”" in found.summary


def test_catalog_health_counts_what_is_missing_short_shouted_and_repeated() -> None:
    text = "A mug that keeps coffee hot for hours on cold platforms."
    whole = Product("a", "Travel Mug", text, ("Mugs",), "Norr", 9.0, image_url="/a.png")
    products = [
        whole, replace(whole, id="b"), replace(whole, id="c"), replace(whole, id="d", description="Nice."),
        replace(whole, id="e", title="BUY THIS GREAT MUG NOW", description=""),
        replace(whole, id="f", price=0.0, description="Another text, long enough to say what this one is for."),
        replace(whole, id="g", price=None, image_url="", brand="", category=(), title="Mug", description=""),
    ]  # fmt: skip
    found = {one.name: one.count for one in health_of(products).findings}
    assert found == {
        "with a description that others have word for word": 3, "without a description": 2,
        "with a description of fewer than 8 words": 1, "with a shouting title": 1, "with a price of zero": 1,
        "without a price": 1, "without a picture": 1, "without a brand": 1, "without a category": 1,
        "with a title of a single word": 1,
    }  # fmt: skip


def test_variants_may_share_their_description() -> None:
    products = [Product(f"p{n}", "Travel Mug", "The same for all of them, it is one.", group_id="g") for n in range(5)]
    assert "with a description that others have word for word" not in {one.name for one in health_of(products).findings}


def test_repeated_sentences_are_listed_with_their_counts() -> None:
    products = [Product(f"p{n}", "Mug", f"Number {n}. Free delivery on all orders.") for n in range(30)]
    found = health_of(products)
    assert [(one.text, one.count) for one in found.sentences] == [("free delivery on all orders.", 30)]


@pytest.mark.parametrize(
    ("title", "shouts"),
    [("BEST MUG EVER", True), ("USB HDMI DVI", False), ("NIKE Running Shoes", False), ("MUG", False),
     ("TASSE À CAFÉ ÉMAILLÉE", True), ("咖啡杯 陶瓷", False), ("", False)],
)  # fmt: skip
def test_shouting_is_told_from_acronyms(title: str, shouts: bool) -> None:
    assert is_shouting(title) is shouts


# -- hostile catalogs -------------------------------------------------------------------------------------------------

HOSTILE = {
    "one product": titled("Mug"),
    "two products": titled("Mug", "Lamp"),
    "no words in the titles": titled(*["!!!"] * 6),
    "all the same": titled(*["Red Mug"] * 30, description="A mug.", category=("Mugs",)),
    "a word of 5,000 letters": titled(*["x" * 5_000] * 4, *["Mug"] * 3),
    "markup": titled(*["<script>alert(1)</script> mug"] * 3, category=("<b>Mugs</b>",)),
    "other scripts": titled(*["咖啡杯 陶瓷"] * 3, *["кружка красная"] * 3),
    "one group": [Product(f"p{n}", "Mug", group_id="g") for n in range(5)],
    "no description": titled(*[f"Mug number {n}" for n in range(8)]),
}


def hostile_knowledge(name: str) -> Knowledge:
    return knowledge_of(subject_of(HOSTILE[name]))


@pytest.mark.parametrize("name", HOSTILE)
def test_every_section_has_a_sentence_for_any_catalog(name: str) -> None:
    data = hostile_knowledge(name).as_json()
    for section in ("words", "feel", "categories", "duplicates", "loners", "clusters", "health"):
        summary = data[section]["summary"]
        assert summary.endswith(".") and "nan" not in summary
    assert "NaN" not in json.dumps(data)


def test_vectors_that_are_all_zero_or_equal_break_nothing() -> None:
    products = titled(*[f"Mug {n}" for n in range(12)])
    for vectors in (np.zeros((12, 13), np.float32), np.ones((12, 13), np.float32) / 13**0.5):
        found = knowledge_of(subject_of(products, vectors))
        assert found.loners.found == 0
        assert "NaN" not in json.dumps(found.as_json())


def test_the_same_catalog_gives_the_same_knowledge() -> None:
    products = titled(*[f"{color} {thing} {n}" for n, (color, thing) in enumerate(
        (color, thing) for color in ("Red", "Blue", "Navy") for thing in ("Mug", "Lamp", "Boot", "Dress") for _ in "ab"
    )])  # fmt: skip
    assert knowledge_of(subject_of(products)).as_json() == knowledge_of(subject_of(products)).as_json()


def test_neighbours_without_enough_in_their_cells_are_padded_out_of_the_way() -> None:
    padded = Neighbors(np.array([[1], [1]]), np.array([[0.9], [-1.0]], np.float32), False)
    found = categories_of(filed("Bowls", "Books"), at(0, 90), padded)
    assert found.misfiled == ()
