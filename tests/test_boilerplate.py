"""Sentences shared by many products leave what is embedded and matched, and nothing else does."""

from __future__ import annotations

from indexer.boilerplate import LEAST, boilerplate_of, without_boilerplate
from search.product import Product

DELIVERY = "Free delivery on orders over 40 dollars."


def cleaned(products: list[Product]) -> list[Product]:
    return without_boilerplate(products, boilerplate_of(products))


def shop(count: int, description: str = DELIVERY + " Lamp number {}, made of brass.") -> list[Product]:
    return [Product(str(number), f"Lamp {number}", description.format(number)) for number in range(count)]


def test_a_sentence_of_every_product_is_dropped_and_the_rest_stays() -> None:
    products = cleaned(shop(LEAST))
    assert [product.description for product in products[:2]] == [
        "Lamp number 0, made of brass.",
        "Lamp number 1, made of brass.",
    ]
    assert [product.title for product in products] == [product.title for product in shop(LEAST)]


def test_spelling_in_capitals_and_wide_spaces_are_the_same_sentence() -> None:
    products = [*shop(LEAST), Product("shouting", "Lamp", "FREE DELIVERY  on orders over 40 dollars. Brass.")]
    assert cleaned(products)[-1].description == "Brass."


def test_too_few_products_prove_nothing() -> None:
    assert cleaned(shop(LEAST - 1)) == shop(LEAST - 1)


def test_a_rare_sentence_of_a_large_catalog_stays() -> None:
    products = shop(LEAST) + shop(20 * LEAST, "Another text entirely, number {} of many.")
    assert cleaned(products) == products


def test_short_facts_stay() -> None:
    products = shop(LEAST, "100 % cotton. Number {}.")
    assert cleaned(products) == products


def test_variants_of_one_product_count_once() -> None:
    variants = [Product(str(size), f"Boot {size}", DELIVERY, group_id="boot") for size in range(2 * LEAST)]
    assert cleaned(variants) == variants
