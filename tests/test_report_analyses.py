"""What the report finds of a whole catalog: loners, clusters, health; something to say of any catalog at all."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from report_subjects import HOSTILE, at, hostile_knowledge, subject_of, titled
from sklearn.metrics import silhouette_samples

from indexer.neighbors import Neighbors, nearest_neighbors
from indexer.report import knowledge_of
from indexer.report.clusters import clusters_of, silhouettes
from indexer.report.health import health_of, is_shouting
from indexer.report.loners import loners_of
from search.arrays import unit_rows
from search.product import Product

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


def test_cosines_that_differ_by_a_step_of_float32_are_drawn() -> None:
    """NumPy finds no room for the bars between two such numbers."""
    cosines = np.full((8, 5), 0.75, np.float32)
    cosines[0] = np.nextafter(np.float32(0.75), np.float32(1))
    items = np.array([[other for other in range(8) if other != item][:5] for item in range(8)])
    found = loners_of(titled(*[f"Mug {n}" for n in range(8)]), Neighbors(items, cosines, True))
    assert sum(found.heights) == 8


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
