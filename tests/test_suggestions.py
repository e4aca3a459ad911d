"""What the search box suggests: phrases a shopper could type, the most useful first, also for a prefix misspelt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import SHOP, FakeEncoder, open_engine, write_release

from search.engine import Engine
from search.product import Product


def shop_of(folder: Path, products: Sequence[Product]) -> Engine:
    return open_engine(write_release(folder / "shop", products), FakeEncoder())


def texts(found: list[dict[str, Any]]) -> list[str]:
    return [entry["text"] for entry in found]


def test_a_phrase_does_not_go_across_a_comma_and_repeats_no_word(tmp_path: Path) -> None:
    titles = ("Road Running Shoes, blue", "Trail Running Shoes, blue (wide)", "Shoe Rack Shoe", "Old Shoe Rack Shoe")
    shop = shop_of(tmp_path, [Product(str(number), title) for number, title in enumerate(titles)])
    # Left out: "shoes blue", "shoe rack shoe", and "shoe", which is only ever inside a longer phrase.
    assert texts(shop.suggest("blu")["queries"]) == ["blue"]
    assert texts(shop.suggest("sho", 20)["queries"]) == ["shoe rack", "rack shoe", "running shoes"]


def test_variants_are_counted_once(tmp_path: Path) -> None:
    variants = [Product(f"v{size}", f"Larch Tent {size}", group_id="tent") for size in range(5)]
    shop = shop_of(tmp_path, [*variants, Product("a", "Pine Tent"), Product("b", "Pine Bench")])
    assert texts(shop.suggest("larch")["queries"]) == []  # one product, however many sizes
    assert texts(shop.suggest("pine")["queries"]) == ["pine"]
    assert [entry["id"] for entry in shop.suggest("larch")["products"]] == ["v0"]


def test_a_category_that_lists_kinds_is_a_search_for_each_of_them(tmp_path: Path) -> None:
    products = [
        Product(str(n), f"{name} One", category=("Kitchen", "Makers & Grinders")) for n, name in enumerate("ab")
    ]
    shop = shop_of(tmp_path, products)
    assert texts(shop.suggest("grin")["queries"]) == ["grinders"]
    assert texts(shop.suggest("mak")["queries"]) == ["makers"]
    assert texts(shop.suggest("grin")["categories"]) == ["Makers & Grinders"]


def test_of_the_forms_of_one_phrase_the_most_common_is_suggested(tmp_path: Path) -> None:
    titles = ("Red Notebook", "Oak Notebook", "Ruled Notebook", "Two Notebooks", "Six Notebooks")
    shop = shop_of(tmp_path, [Product(str(number), title) for number, title in enumerate(titles)])
    assert texts(shop.suggest("note")["queries"]) == ["notebook"]


def test_what_begins_as_typed_comes_before_what_only_holds_it(tmp_path: Path) -> None:
    products = [
        Product("a", "Big Water Bowl", rating=5, rating_count=100),
        Product("b", "Waterproof Boots", rating=4, rating_count=4),
        Product("c", "Water Bottle", rating=4, rating_count=9),
    ]
    assert [entry["id"] for entry in shop_of(tmp_path, products).suggest("wat")["products"]] == ["c", "b", "a"]


def test_products_of_one_title_are_suggested_once_with_picture_and_price(tmp_path: Path) -> None:
    battery = Product("x", "Laptop Battery", price=20.0, currency="USD", image_url="/illustrations/a/b.svg")
    shop = shop_of(tmp_path, [battery, Product("y", "LAPTOP battery"), Product("z", "Laptop Bag")])
    found = shop.suggest("laptop")["products"]
    assert texts(found) == ["Laptop Bag", "LAPTOP battery"]
    assert found[0] == {"text": "Laptop Bag", "id": "z", "image_url": "", "price": None, "currency": ""}


@pytest.mark.parametrize("typed", ["", "  "])
def test_nothing_typed_gives_the_departments_with_the_most_products(tmp_path: Path, typed: str) -> None:
    odd = Product("odd", "Odd", category=("1",))
    found = shop_of(tmp_path, [*SHOP, odd]).suggest(typed)
    assert texts(found["categories"]) == ["Kitchen", "Clothing", "Home"]  # not Mugs, and "1" is no name
    assert found["categories"][0] == {"text": "Kitchen", "category": "Kitchen"}
    assert (found["queries"], found["products"], found["corrected"]) == ([], [], None)


@pytest.mark.parametrize(
    ("typed", "corrected", "product"),
    [("expresso cup", "espresso cup", "Espresso Cup"),  # a word the catalog does not have
     ("red goan", "red gown", "Red Gown"),
     ("navy drass", "navy dress", "Navy Dress"),
     ("leathr bo", "leather bo", "Leather Boot"),
     ("desk lamp", None, "Desk Lamp"),
     ("navy mug", None, None)],  # two words of the catalog that no suggestion has together
)  # fmt: skip
def test_a_misspelt_prefix_is_continued_as_it_should_be_spelt(
    tmp_path: Path, typed: str, corrected: str | None, product: str | None
) -> None:
    found = shop_of(tmp_path, SHOP).suggest(typed)
    assert found["corrected"] == corrected
    assert texts(found["products"]) == ([product] if product else [])


def test_a_word_that_exists_but_not_here_gives_way_to_one_like_it(tmp_path: Path) -> None:
    products = [
        Product("1", "Drip Coffee Maker"), Product("2", "Macker Wrench"), Product("3", "Coffee Table"),
        Product("4", "Macker Pliers"),
    ]  # fmt: skip
    found = shop_of(tmp_path, products).suggest("coffee macker")
    assert found["corrected"] == "coffee maker"
    assert texts(found["products"]) == ["Drip Coffee Maker"]
    assert shop_of(tmp_path / "b", products).suggest("coffee xyzzy")["products"] == []


def test_only_so_much_of_a_word_is_compared_as_was_typed(tmp_path: Path) -> None:
    shop = shop_of(tmp_path, [Product("1", "Bath Thermostatic Tap"), Product("2", "Bath Mat")])
    assert shop.suggest("bath thermas")["corrected"] == "bath thermostatic"
