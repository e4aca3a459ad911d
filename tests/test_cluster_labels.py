"""What clusters are called: words a shopper would accept, no two alike."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.clustering.labels import Description, describe_clusters
from indexer.clustering.terms import TitleTerms, coherence
from search.product import Product


def described(*groups: list[Product], language: str = "en") -> list[Description]:
    """Describe flat clusters, each given by its products; products of a cluster share one vector."""
    products = [product for group in groups for product in group]
    ends = np.cumsum([len(group) for group in groups])
    members = [np.arange(end - len(group), end) for group, end in zip(groups, ends, strict=True)]
    embeddings = np.repeat(np.eye(len(groups), dtype=np.float32), [len(group) for group in groups], axis=0)
    return describe_clusters(products, embeddings, members, [None] * len(groups), language)


def labels(*groups: list[Product], language: str = "en") -> list[str]:
    """Return the labels of flat clusters."""
    return [description.label for description in described(*groups, language=language)]


def titled(*titles: str, category: tuple[str, ...] = (), brand: str = "", description: str = "") -> list[Product]:
    """Return products with these titles and one category, brand and description."""
    return [Product(title, title, description=description, category=category, brand=brand) for title in titles]


MUGS = titled("Red Mug 350 ml", "Blue Mug 250 ml", "Tall Mug 400 ml", "Ceramic Mug 350 ml")
LAMPS = titled("Red Desk Lamp", "Blue Floor Lamp", "Tall Lamp", "Brass Lamp 40 W")
SCARVES = titled("Red Wool Scarf", "Blue Silk Scarf", "Long Scarf", "Cotton Scarf 180 cm")


def test_the_word_that_sets_the_titles_apart_is_the_label():
    assert labels(MUGS, LAMPS, SCARVES) == ["Mug", "Lamp", "Scarf"]


def test_a_phrase_is_used_where_every_second_use_of_the_word_is_that_phrase():
    clocks = titled("Oak Wall Clock", "Steel Wall Clock", "Round Wall Clock", "Alarm Clock")
    assert labels(clocks, LAMPS) == ["Wall clock", "Lamp"]


def test_two_words_share_the_label_where_one_covers_too_little():
    mixed = titled("Oak Piano", "Grand Piano", "Red Piano", "Old Violin", "Small Violin", "Blue Violin")
    assert labels(mixed, LAMPS) == ["Piano & violin", "Lamp"]


def test_sizes_colours_and_brands_do_not_name_a_cluster():
    paint = titled("Acme Black 500 ml", "Acme Black 250 ml", "Acme Black Varnish 750 ml", brand="Acme")
    (label, _) = labels(paint, LAMPS)
    assert label == "Acme"  # only a brand is left: black is a colour, ml a unit, varnish on one title of three
    varnish = titled("Acme Black Varnish 500 ml", "Acme Varnish 250 ml", "Acme White Varnish", brand="Acme")
    assert labels(varnish, LAMPS)[0] == "Varnish"


def test_two_categories_that_share_a_word_are_named_by_it():
    men = titled("Oxford Shirt", "Polo", category=("Clothes", "Men's Clothing"))
    women = titled("Blouse", "Flannel Shirt", category=("Clothes", "Women's Clothing"))
    assert labels(men + women, LAMPS)[0] == "Clothing"


def test_a_colour_may_describe_but_not_end_a_phrase():
    tea = titled("Green Tea Bags", "Green Tea Leaves", "Loose Green Tea", "Pure Green Tea")
    coffee = titled("Filter Coffee Black", "Coffee Black", "Instant Coffee Black", "Coffee Beans")
    assert labels(tea, coffee) == ["Green tea", "Coffee"]


def test_the_category_of_three_fifths_names_the_cluster():
    flasks = titled("Steel Flask", "Flask 1 l", "Thermo Flask", category=("Kitchen", "Travel Mugs & Flasks"))
    others = titled("Flask Brush", "Flask Lid", category=("Kitchen", "Spare Parts"))
    lamps = titled("Desk Lamp", "Floor Lamp", category=("Home", "LED_Lamps"))
    assert labels(flasks + others, lamps) == ["Travel mugs & flasks", "LED lamps"]


def test_two_categories_that_hold_most_of_it_share_the_label():
    speakers = titled("Loud Box", "Small Box", category=("Audio", "Speakers"))
    microphones = titled("Stage Mic", "Studio Mic", category=("Audio", "Microphones"))
    assert labels(speakers + microphones, LAMPS)[0] == "Speakers & microphones"


def test_two_categories_of_one_word_are_not_said_twice():
    local = titled("Cheddar", "Gouda", "Brie", category=("Dairy", "Cheese"))
    foreign = titled("Feta", "Manchego", category=("Dairy", "International Cheese"))
    assert labels(local + foreign, LAMPS)[0] == "Cheese"


def test_clusters_of_one_category_are_told_apart_by_their_titles():
    jackets = ("Apparel", "Jackets")
    denim = titled("Denim Jacket", "Blue Denim Jacket", "Short Denim Jacket", category=jackets)
    puffer = titled("Puffer Jacket", "Warm Puffer Jacket", "Long Puffer Jacket", category=jackets)
    found = labels(denim, puffer, MUGS)
    assert len(set(found)) == 3
    assert "denim" in found[0].lower() and "puffer" in found[1].lower()
    assert "jacket" in found[0].lower() and "jacket" in found[1].lower()


def test_clusters_that_nothing_tells_apart_are_numbered():
    assert labels(titled("Mug", "Mug"), titled("Mug", "Mug"), titled("Mug", "Mug")) == ["Mug", "Mug: 2", "Mug: 3"]


def test_titles_without_any_word_still_give_a_label():
    assert labels(titled("4711", "0815"), titled("12 34 56 78 90")) == ["4711", "12 34 56 78"]


def test_one_word_in_two_spellings_is_named_once():
    colour = titled("Hair Color Cream", "Hair Color Kit", "Hair Colour Cream", "Hair Colour Gel")
    (label, _) = labels(colour, LAMPS)
    assert label.lower().count("colo") <= 1


def test_capitals_stay_where_they_belong():
    prose = "A wreath for every Christmas, because we love Christmas and so we wrote this for Christmas lovers."
    wreaths = titled("Christmas Wreath", "Large Christmas Wreath", "Christmas Wreath Deluxe", description=prose)
    cables = titled("USB Cable", "Long USB Cable", "Short USB Cable")
    assert labels(wreaths, cables) == ["Christmas wreath", "USB cable"]
    terms = described(wreaths, cables)[0].terms
    assert "Christmas" in terms and "wreath" in terms


def test_a_shouting_catalog_is_not_shouted_back():
    mugs = titled("CERAMIC MUG BIRD", "CERAMIC MUG CAT", "CERAMIC MUG DOG")
    assert labels(mugs, titled("TABLE LAMP", "FLOOR LAMP", "STREET LAMP")) == ["Ceramic mug", "Lamp"]


def test_german_nouns_keep_their_capital_and_german_stop_words_are_left_out():
    mugs = titled("Tasse aus Keramik", "Rote Tasse mit Henkel", "Tasse für Tee")
    lamps = titled("Lampe aus Holz", "Kleine Lampe mit Schirm", "Lampe für Tisch")
    assert labels(mugs, lamps, language="de") == ["Tasse", "Lampe"]


def test_an_unknown_language_needs_no_word_list():
    mugs = titled("кружка керамик", "кружка синий", "кружка большой")
    lamps = titled("чырак жыгач", "чырак кичи", "чырак стол")
    assert labels(mugs, lamps, language="ky") == ["Кружка", "Чырак"]


def test_groups_are_named_after_what_is_below_them_and_need_not_differ_from_it():
    products = MUGS + LAMPS + SCARVES
    rows = [np.arange(8), np.arange(8, 12), np.arange(4), np.arange(4, 8)]
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    found = [d.label for d in describe_clusters(products, vectors, rows, [None, None, 0, 0], "en")]
    assert found == ["Mug & lamp", "Scarf", "Mug", "Lamp"]


def test_a_leaf_does_not_bear_the_name_of_its_group():
    scarves = titled(*(f"Wool Scarf {city}" for city in ("Oslo", "Bergen", "Narvik", "Bodo", "Moss")),
                     category=("Apparel", "Clothing"))  # fmt: skip
    ties = titled("Silk Tie", "Tie Dotted", "Tie Plain", category=("Apparel", "Accessories"))
    rows = [np.arange(8), np.arange(8, 12), np.arange(5), np.arange(5, 8)]
    vectors = np.repeat(np.eye(3, dtype=np.float32), [5, 3, 4], axis=0)
    found = [d.label for d in describe_clusters(scarves + ties + MUGS, vectors, rows, [None, None, 0, 0], "en")]
    assert found == ["Clothing", "Mug", "Clothing: wool scarf", "Accessories"]


def test_values_most_products_share_and_others_do_not_are_listed():
    steel = [
        Product(str(n), f"Flask {n}", brand="Thermo", attributes={"material": ("steel",), "use": ("indoor",)})
        for n in range(3)
    ]
    glass = [
        Product(str(n), f"Vase {n}", brand=f"Studio {n}", attributes={"material": ("glass",), "use": ("indoor",)})
        for n in range(3)
    ]
    first, second = described(steel, glass)
    assert first.attributes == {"brand": "Thermo", "material": "steel"}
    assert second.attributes == {"material": "glass"}


def test_units_are_learned_from_where_they_stand():
    terms = TitleTerms(titled("Garn 50 g", "Garn 100 g rot", "Wolle 50 lfm", "Wolle 200 lfm", "Nadel lang"), "de")
    words = {word for term in terms.terms for word in term}
    assert words.isdisjoint({"g", "lfm"})
    assert len(words) == 5  # Garn, rot, Wolle, Nadel, lang


def test_coherence_is_the_mean_cosine_of_different_rows():
    # cosines of the three pairs: 1, 0, 0
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert coherence(vectors, np.arange(3)) == pytest.approx(1 / 3)
    assert coherence(vectors, np.array([2])) == 1.0


def test_terms_are_ordered_by_class_based_tf_idf():
    # Titles with the word, first cluster: mug 3, tea 2, big 2; second: lamp 3, big 1. Commas keep words from pairing.
    first = titled("Mug, Tea, Big", "Mug, Tea", "Mug, Big")
    second = titled("Lamp, Big", "Lamp", "Lamp")
    # A = (7 + 4) / 2 = 5.5:  mug 3/3 log(1 + 5.5/3) = 1.04,  tea 2/3 log(1 + 5.5/2) = 0.88,
    # big 2/3 log(1 + 5.5/3) = 0.69, and less because its titles are not alike.
    assert described(first, second)[0].terms == ("mug", "tea", "big")


def test_a_word_of_the_descriptions_names_a_leaf_whose_titles_name_single_things():
    things = ["Broccoli", "Leeks", "Radish", "Chard", "Turnip"]
    green = [
        Product(f"g{n}", f"{thing} Bounty {n}", description="A fresh vegetable") for n, thing in enumerate(things * 2)
    ]
    other = [Product(f"t{n}", f"Oak Table {n}", description="Solid furniture") for n in range(90)]
    vectors = np.eye(2, dtype=np.float32)[[0] * 10 + [1] * 90]
    meaning = {"vegetable": 0.9, "bounty": 0.2}

    def encode(texts):
        near = np.array([meaning.get(text.casefold(), 0.1) for text in texts], np.float32)
        return np.stack([near, np.sqrt(1 - near**2)], axis=1)

    members, parents = [np.arange(10), np.arange(10, 100)], [None, None]
    labels = [
        [one.label for one in describe_clusters(green + other, vectors, members, parents, "en", known)]
        for known in (None, encode)
    ]
    assert labels[0][0] != "Vegetable" == labels[1][0]
    assert "able" in labels[1][1].casefold()  # the tables keep their name: no word is closer


def test_a_leaf_that_its_category_names_keeps_that_name():
    greens = [Product(str(n), f"Thing {n}", category=("Food", "Roots"), description="vegetable") for n in range(10)]
    others = [Product(f"x{n}", f"Lamp {n}", category=("Home", "Lamps")) for n in range(90)]

    def encode(texts):
        raise AssertionError("there was nothing to compare")

    vectors = np.eye(2, dtype=np.float32)[[0] * 10 + [1] * 90]
    described = describe_clusters(
        greens + others, vectors, [np.arange(10), np.arange(10, 100)], [None, None], "en", encode
    )
    assert [one.label for one in described] == ["Roots", "Lamps"]
