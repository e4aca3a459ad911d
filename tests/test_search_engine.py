"""What a search answers: order, relevance, filters, counts and honesty, on a shop small enough to know by heart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, FakeEncoder, open_engine, write_release
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search import Engine
from search.errors import EncoderMismatch, NotFound, QueryError
from search.likeness import likeness
from search.product import Product


def ids(results: object) -> list[str]:
    return [hit.id for hit in results.hits]  # type: ignore[attr-defined]


def test_a_synonym_finds_what_no_shared_word_would(shop: Engine) -> None:
    results = shop.search("crimson gown", facets=())
    assert ids(results)[0] == "0004"


def test_a_products_own_text_finds_it_first(shop: Engine) -> None:
    assert ids(shop.search("Leather Boot"))[0] == "0007"


def test_an_id_with_leading_zeros_is_found_by_its_digits(shop: Engine) -> None:
    assert ids(shop.search("0008"))[0] == "0008"


def test_two_products_with_the_same_text_are_both_found(shop: Engine) -> None:
    assert set(ids(shop.search("travel mug"))) >= {"0001", "0002"}


def test_equal_scores_come_in_catalog_order(shop: Engine) -> None:
    found = ids(shop.search("travel mug hot coffee", mode="lexical"))
    assert found.index("0001") < found.index("0002")


def test_words_alone_rank_by_bm25_and_never_ask_the_encoder(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    engine = open_engine(write_release(tmp_path / "r", SHOP), encoder)
    assert ids(engine.search("knife", mode="lexical")) == ["0008"]
    assert encoder.encoded == []


def test_dense_mode_ignores_shared_words_that_mean_nothing_to_the_encoder(shop: Engine) -> None:
    assert ids(shop.search("blade", mode="dense"))[0] == "0008"


def test_an_empty_query_browses_everything_in_catalog_order(shop: Engine) -> None:
    results = shop.search("")
    assert ids(results) == [product.id for product in SHOP]
    assert (results.total, results.total_relation, results.confidence) == (8, "exact", "good")


def test_what_nothing_matches_is_marked_as_closest_matches(shop: Engine) -> None:
    results = shop.search("zzyzx quux")
    assert results.confidence == "weak"
    assert results.total <= shop.release.ranking.closest


def test_words_alone_that_nothing_holds_find_nothing(shop: Engine) -> None:
    results = shop.search("zzyzx quux", mode="lexical")
    assert (results.total, results.confidence, results.hits) == (0, "none", [])


def test_price_bounds_are_inclusive_and_leave_out_unknown_prices(shop: Engine) -> None:
    assert ids(shop.search("", price_min=20, price_max=75)) == ["0001", "0002", "0005", "0008"]


def test_values_of_a_field_are_alternatives_and_fields_must_all_hold(shop: Engine) -> None:
    assert ids(shop.search("", filters={"brand": ["Norr", "Tazza"], "color": ["red"]})) == ["0001", "0003"]


def test_a_category_filter_takes_everything_below_it(shop: Engine) -> None:
    assert ids(shop.search("", filters={"category": ["Clothing"]})) == ["0004", "0005", "0007"]
    assert ids(shop.search("", filters={"category": ["Clothing > Boots"]})) == ["0007"]


def test_in_stock_hides_only_what_is_known_to_be_sold_out(shop: Engine) -> None:
    assert "0002" not in ids(shop.search("", in_stock=True))


def test_sorting_puts_unknown_prices_last(shop: Engine) -> None:
    assert ids(shop.search("", sort="price:asc")) == ["0003", "0001", "0002", "0005", "0008", "0004", "0007", "0006"]
    assert ids(shop.search("", sort="price:desc"))[-1] == "0006"
    assert ids(shop.search("", sort="newest"))[:2] == ["0005", "0004"]
    assert ids(shop.search("", sort="rating:desc"))[0] == "0007"


def test_sorting_never_changes_the_set(shop: Engine) -> None:
    by_relevance = shop.search("red dress")
    by_price = shop.search("red dress", sort="price:asc")
    assert sorted(ids(by_relevance)) == sorted(ids(by_price))


def test_pages_continue_each_other_without_gap_or_repeat(shop: Engine) -> None:
    whole = ids(shop.search("", per_page=8))
    paged = [found for page in (1, 2, 3) for found in ids(shop.search("", per_page=3, page=page))]
    assert paged == whole
    assert ids(shop.search("", per_page=3, page=4)) == []


def test_a_fields_own_selection_does_not_narrow_its_own_counts(shop: Engine) -> None:
    facet = shop.search("", filters={"brand": ["Norr"]}, facets=["brand", "color"]).facets
    assert {v["value"]: v["count"] for v in facet["brand"]["values"]}["Velour"] == 2
    assert {v["value"]: v["count"] for v in facet["color"]["values"]} == {"red": 1, "blue": 1}


def test_a_selected_value_that_matches_nothing_stays_visible(shop: Engine) -> None:
    facets = shop.search("", filters={"color": ["red"], "brand": ["Hob"]}, facets=["color"]).facets
    assert {"value": "red", "count": 0, "selected": True} in facets["color"]["values"]


def test_cluster_counts_add_up_to_the_total(shop: Engine) -> None:
    results = shop.search("")
    assert sum(cluster["count"] for cluster in results.clusters) == results.total


def test_choosing_a_cluster_gives_what_its_count_said(shop: Engine) -> None:
    for cluster in shop.search("red").clusters:
        assert shop.search("red", cluster=cluster["id"]).total == cluster["count"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    q=st.sampled_from(["", "red", "mug", "hot coffee cup", "lamp", "zzyzx", "blade steel", "0003"]),
    mode=st.sampled_from(["hybrid", "dense", "lexical"]),
    color=st.lists(st.sampled_from(["red", "blue", "green"]), max_size=2, unique=True),
    brand=st.lists(st.sampled_from(["Norr", "Velour"]), max_size=1),
    low=st.sampled_from([None, 10.0, 60.0]),
    stock=st.booleans(),
)
def test_every_count_is_a_number_of_things_one_can_reach(
    shop: Engine, q: str, mode: str, color: list[str], brand: list[str], low: float | None, stock: bool
) -> None:
    filters = {"color": color, "brand": brand}
    bounds = {"mode": mode, "price_min": low, "in_stock": stock}
    results = shop.search(q, filters=filters, facets=["brand", "color"], **bounds)
    paged = [ids(shop.search(q, filters=filters, facets=(), per_page=3, page=page, **bounds)) for page in range(1, 5)]
    reached = [found for page in paged for found in page]
    assert len(reached) == len(set(reached)) == results.total
    for name, facet in results.facets.items():
        for value in facet["values"]:
            again = shop.search(q, filters={**filters, name: [value["value"]]}, facets=(), **bounds)
            assert again.total == value["count"], (name, value)


def test_a_full_pool_above_the_cut_off_says_at_least(tmp_path: Path) -> None:
    products = [Product(str(number), f"Red Mug {number}") for number in range(30)]
    engine = open_engine(write_release(tmp_path / "r", products, {"pool": 10}))
    results = engine.search("red mug")
    assert (results.total_relation, results.total) == ("at_least", 10)
    assert engine.search("").total_relation == "exact"


def test_highlights_are_escaped_and_marked(tmp_path: Path) -> None:
    products = [Product("1", "<b>Mug</b> & cup", '<script>alert("x")</script>'), Product("2", "Lamp")]
    hit = open_engine(write_release(tmp_path / "r", products)).search("cup").hits[0]
    assert hit.highlights["title"] == "&lt;b&gt;Mug&lt;/b&gt; &amp; <mark>cup</mark>"
    assert "<script" not in hit.highlights["description"]


def test_reasons_name_what_was_asked_for(shop: Engine) -> None:
    hit = next(hit for hit in shop.search("red espresso cup").hits if hit.id == "0003")
    assert hit.why == ["Color: red", "title: espresso cup"]
    synonym = next(hit for hit in shop.search("tumbler").hits if hit.id == "0001")
    assert synonym.why == ["close in meaning"]


def test_explain_shows_what_a_place_is_made_of_and_only_when_asked(shop: Engine) -> None:
    results = shop.search("hot red mug under $21", explain=True)
    first = results.hits[0]
    assert first.id == "0001" and first.explain is not None
    assert (
        first.explain["dense_rank"] == 1 and first.explain["lexical_rank"] == 2
    )  # the red gown has "red" in its title
    assert first.explain["boost"] > 0 and first.explain["constraints"] == ["red", "under $21"]
    assert first.explain["closest_sentence"] >= first.explain["dense_score"]
    assert set(results.as_json()["timings_ms"]) == {"score", "count", "show"}
    plain = shop.search("hot red mug under $21")
    assert all(hit.explain is None for hit in plain.hits) and "timings_ms" not in plain.as_json()


def test_similar_products_leave_out_the_product_and_its_variants(shop: Engine) -> None:
    found = [product.id for product, _ in shop.similar("0001")]
    assert found[0] == "0003"
    assert not {"0001", "0002"} & set(found)


def test_likeness_is_symmetric_and_highest_for_the_product_itself(shop: Engine) -> None:
    table = np.stack([likeness(shop.release, row) for row in range(shop.release.rows)])
    np.testing.assert_allclose(table, table.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(table), 1.0, atol=1e-6)
    assert table.max() <= 1.0 + 1e-6


def test_a_shared_model_number_makes_products_alike_that_meaning_cannot_tell_apart(tmp_path: Path) -> None:
    products = [
        Product("a", "Nordwind fridge KX-4410"),
        Product("b", "Nordwind fridge KX-9902"),
        Product("c", "Nordwind fridge, the KX-4410 in a box"),
        Product("d", "Wooden spoon"),
    ]
    engine = open_engine(write_release(tmp_path / "r", products), FakeEncoder())
    assert engine.similar("a")[0][0].id == "c"


@pytest.mark.parametrize(
    ("typed", "expected"), [("travle", "0001"), ("expresso cup", "0003"), ("leathr", "0007"), ("quux", None)]
)
def test_suggestions_forgive_a_typo(shop: Engine, typed: str, expected: str | None) -> None:
    assert [one["id"] for one in shop.suggest(typed)["products"]] == ([expected] if expected else [])


def test_suggestions_continue_what_was_typed_without_the_encoder(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    engine = open_engine(write_release(tmp_path / "r", SHOP), encoder)
    found = engine.suggest("tra")
    assert [one["id"] for one in found["products"]] == ["0001"]
    assert [one["category"] for one in engine.suggest("boo")["categories"]] == ["Clothing > Boots"]
    assert engine.suggest('"* OR') == {"corrected": None, "queries": [], "categories": [], "products": []}
    assert encoder.encoded == []


def test_while_the_encoder_loads_the_answer_is_lexical_and_says_so(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "r", SHOP), waits=False)
    results = engine.search("knife")
    assert (results.degraded, results.mode, ids(results)) == ("encoder_loading", "lexical", ["0008"])
    engine.encoder.vectors(["anything"])
    assert engine.search("knife").degraded is None


def test_another_encoder_is_refused_by_name(tmp_path: Path) -> None:
    other = FakeEncoder()
    other.fingerprint = "other"
    engine = open_engine(write_release(tmp_path / "r", SHOP), other)
    with pytest.raises(EncoderMismatch, match=r"fake.*other"):
        engine.search("mug")


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"page": 0}, "page"),
        ({"per_page": 101}, "per_page"),
        ({"page": 500, "per_page": 100}, "page"),
        ({"mode": "hybird"}, "mode"),
        ({"sort": "cheap"}, "sort"),
        ({"q": "x" * 513}, "q"),
        ({"filters": {"colr": ["red"]}}, "f.colr"),
        ({"facets": ["brnd"]}, "facets"),
        ({"price_min": float("nan")}, "price_min"),
        ({"price_min": 5, "price_max": 4}, "price_min"),
        ({"filters": {"color": ["x"] * 51}}, "f"),
    ],
)
def test_a_bad_parameter_is_named(shop: Engine, parameters: dict, named: str) -> None:
    with pytest.raises(QueryError) as raised:
        shop.search(**parameters)
    assert raised.value.parameter == named


def test_an_unknown_filter_suggests_the_nearest(shop: Engine) -> None:
    with pytest.raises(QueryError, match='did you mean "color"'):
        shop.search("", filters={"colr": ["red"]})


def test_unknown_products_and_clusters_are_not_found(shop: Engine) -> None:
    with pytest.raises(NotFound, match="nope"):
        shop.product("nope")
    with pytest.raises(NotFound, match="99"):
        shop.search("", cluster=99)


def test_a_thousand_unknown_words_leave_the_index_unchanged(shop: Engine) -> None:
    before = (len(shop.release.lexical.vocabulary), shop.release.rows)
    for number in range(1000):
        shop.search(f"unknown{number}", mode="lexical", facets=())
    assert (len(shop.release.lexical.vocabulary), shop.release.rows) == before


def test_control_characters_and_emoji_in_a_query_do_no_harm(shop: Engine) -> None:
    for text in ("\x00\x01", "🫖", "مرحبا", "a" * 512, "%_'\"\\", "<script>"):
        assert shop.search(text).total >= 0


def test_ranks_before_the_cut_off_cover_the_whole_small_catalog(shop: Engine) -> None:
    found, scores = shop.rank("red cup")
    assert sorted(found) == [product.id for product in SHOP]
    assert list(scores) == sorted(scores, reverse=True)
    assert np.allclose(shop.scores_of("red cup", found), scores)


def test_no_results_tell_what_each_condition_keeps_out_and_which_categories_come_close(shop: Engine) -> None:
    answer = shop.search("gown under $130", filters={"brand": ("Norr",)})
    assert answer.total == 0 and answer.rescue is not None
    ways = {(one["parameter"], one["value"], one["text"]): one["total"] for one in answer.rescue["without"]}
    assert ways == {
        ("f.brand", "Norr", None): shop.search("gown under $130").total,
        ("q", None, "under $130"): shop.search("gown", filters={"brand": ("Norr",)}).total,
    }
    assert answer.rescue["categories"][0] == {"category": "Clothing > Dresses", "count": 2}
    assert shop.search("gown").rescue is None


def test_words_alone_name_the_categories_of_what_holds_them(tmp_path: Path) -> None:
    shop = open_engine(write_release(tmp_path / "shop", SHOP))
    answer = shop.search("travel mug", mode="lexical", filters={"brand": ("Velour",)})
    assert answer.total == 0 and answer.rescue is not None
    assert [one["category"] for one in answer.rescue["categories"]] == ["Kitchen > Mugs"]


def test_a_catalog_without_categories_names_none(tmp_path: Path) -> None:
    bare = [replace(one, category=()) for one in SHOP]
    answer = open_engine(write_release(tmp_path / "bare", bare)).search("gown", filters={"brand": ("Norr",)})
    assert answer.rescue is not None and answer.rescue["categories"] == []


def test_a_long_facet_can_be_looked_through_and_its_counts_stay(shop: Engine) -> None:
    every = {one["value"]: one["count"] for one in shop.search("").facets["brand"]["values"]}
    found = shop.search("", find={"brand": "o"}).facets["brand"]["values"]
    assert {one["value"]: one["count"] for one in found} == {
        name: n for name, n in every.items() if "o" in name.lower()
    }
    kept = shop.search("", find={"brand": "qq"}, filters={"brand": ("Norr",)}).facets["brand"]["values"]
    assert [(one["value"], one["selected"]) for one in kept] == [("Norr", True)]  # what is chosen stays to be taken off
    with pytest.raises(QueryError) as refused:
        shop.search("", find={"brand": "x" * 65})
    assert refused.value.parameter == "find.brand"
