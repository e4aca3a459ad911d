"""What is embedded of a product: its passage, and what kind of thing it is."""

from __future__ import annotations

import numpy as np
from conftest import FakeEncoder

from indexer.embeddings import encode_products, text_hashes
from search.arrays import unit_rows
from search.passages import CATEGORY_SHARE, TITLE_SHARE, blended, texts_of
from search.product import Product

BOOT = Product(
    "1", "Trail Boot", "Walks for years.", ("Shoes", "Boots", "Hiking Boots"), "Hob", attributes={"Color": ("tan",)}
)
LAMP = Product("2", "Desk Lamp", "A small light.", ("Home", "Lamps"))
BARE = Product("3", "Gift Card")


def test_a_kind_is_the_leaf_of_the_category_and_what_it_is_part_of() -> None:
    boot, lamp, bare = texts_of([BOOT, LAMP, BARE])
    assert (boot.kind, boot.kind_share) == ("Hiking Boots. Boots", CATEGORY_SHARE)
    assert boot.passage == "Trail Boot. Hob. Hiking Boots. Boots. Color: tan. Walks for years"
    assert lamp.kind == "Lamps. Home"
    assert (bare.kind, bare.kind_share, bare.passage) == ("Gift Card", TITLE_SHARE, "Gift Card")


def test_where_few_products_have_a_category_titles_are_the_kinds_of_all() -> None:
    texts = texts_of([BOOT, BARE, BARE])
    assert [text.kind for text in texts] == ["Trail Boot", "Gift Card", "Gift Card"]
    assert {text.kind_share for text in texts} == {TITLE_SHARE}


def test_a_vector_is_its_share_of_the_kind_and_the_rest_of_the_passage() -> None:
    texts = texts_of([LAMP])
    vectors, _ = encode_products(texts, FakeEncoder())
    kind, passage = FakeEncoder()._encode([texts[0].kind, texts[0].passage])
    expected = unit_rows((CATEGORY_SHARE * kind + (1 - CATEGORY_SHARE) * passage)[None, :])
    assert np.allclose(vectors, expected, atol=1e-6)
    assert np.allclose(blended(kind[None, :], kind[None, :], texts), unit_rows(kind[None, :]), atol=1e-6)


def test_a_kind_is_encoded_once_and_a_title_that_is_all_there_is_not_again() -> None:
    encoder = FakeEncoder()
    encode_products(texts_of([BOOT, BOOT, LAMP, LAMP]), encoder)
    assert sorted(encoder.encoded).count("Hiking Boots. Boots") == 1
    encoder = FakeEncoder()
    encode_products(texts_of([BARE]), encoder)
    assert encoder.encoded == ["Gift Card"]


def test_another_share_is_another_hash() -> None:
    one, two = texts_of([LAMP])[0], texts_of([LAMP])[0]._replace(kind_share=0.1)
    assert not np.array_equal(*text_hashes([one, two]))
