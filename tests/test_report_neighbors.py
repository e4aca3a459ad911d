"""What the report finds of products among their neighbours: misfiled ones, categories that overlap, duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from report_subjects import ENGLISH, at, subject_of, titled

from indexer import neighbors
from indexer.neighbors import Neighbors, nearest_neighbors
from indexer.report import knowledge_of
from indexer.report.categories import categories_of
from indexer.report.duplicates import Duplicates, duplicates_of, is_code
from search.arrays import Floats, unit_rows
from search.product import Product

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


def test_neighbours_without_enough_in_their_cells_are_padded_out_of_the_way() -> None:
    padded = Neighbors(np.array([[1], [1]]), np.array([[0.9], [-1.0]], np.float32), False)
    found = categories_of(filed("Bowls", "Books"), at(0, 90), padded)
    assert found.misfiled == ()


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
