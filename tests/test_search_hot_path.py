"""What a query reads is sparse, shared or remembered; each must agree with a slow way that is none of it."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest
from conftest import SHOP, open_engine, write_release
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.facets import facets_of
from search.arrays import SPARSE, Sums, common_places, common_to, looked_up, places_of
from search.engine import Engine
from search.facet_counts import range_json, thresholds_json
from search.folding import Counted, Folding
from search.known_answers import KnownAnswers
from search.lexical import LexicalIndex, LexicalSettings
from search.product import Product
from search.remembered import Remembered
from search.request import SearchRequest
from search.understanding import Constraint, Understood
from search.understanding.spoken import carriers_of

ROWS = st.sets(st.integers(0, 40), max_size=12).map(sorted)


# -- lists of rows --


@given(st.lists(ROWS, max_size=4), st.sampled_from([41, 41 * SPARSE * 50]), st.randoms())
def test_rows_are_summed_alike_by_sorting_and_in_an_array_of_all(
    lists: list[list[int]], count: int, chance: Random
) -> None:
    rows = [np.array(one, np.int32) for one in lists]
    weights = [np.array([chance.randint(1, 8) / 8 for _ in one], np.float32) for one in lists]
    shares = [chance.randint(1, 8) / 8 for _ in lists]
    slow_weights: Counter[int] = Counter()
    slow_shares: Counter[int] = Counter()
    for one, each, share in zip(lists, weights, shares, strict=True):
        for row, weight in zip(one, each.tolist(), strict=True):
            slow_weights[row] += weight
            slow_shares[row] += share
    adding = Sums(count)
    for _ in range(2):  # the second time in the arrays of the first
        found, sums = adding.of(rows, [weights, shares])
        assert found.tolist() == sorted(slow_weights)
        assert sums[0].tolist() == [slow_weights[row] for row in found.tolist()]
        assert sums[1].tolist() == [slow_shares[row] for row in found.tolist()]
        assert adding.largest(rows, shares) == max(slow_shares.values(), default=0)


def test_threads_that_add_up_at_once_do_not_share_their_arrays() -> None:
    adding, draw = Sums(5000), np.random.default_rng(0)
    lists = [[np.sort(draw.choice(5000, 900, replace=False)).astype(np.int32) for _ in range(3)] for _ in range(40)]
    expected = [np.bincount(np.concatenate(rows), minlength=5000) for rows in lists]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda rows: adding.of(rows, [[1.0] * 3]), lists * 5))
    for (found, (sums,)), counts in zip(told, expected * 5, strict=True):
        np.testing.assert_array_equal(found, np.flatnonzero(counts))
        np.testing.assert_array_equal(sums, counts[found])


@given(ROWS, ROWS)
def test_what_two_lists_have_in_common_and_where(first: list[int], second: list[int]) -> None:
    one, other = np.array(first, np.int32), np.array(second, np.int64)
    assert common_to(one, other).tolist() == sorted({*first} & {*second})
    values = np.arange(1, len(one) + 1, dtype=np.float32)
    expected = [first.index(row) + 1 if row in first else 0 for row in second]
    assert looked_up(one, values, other).tolist() == expected
    assert common_places(other, one.astype(np.int64)).tolist() == [second.index(row) for row in first if row in second]
    if first:
        assert places_of(one, other)[1].tolist() == [row in first for row in second]


# -- words --

TITLES = st.lists(
    st.lists(st.sampled_from(["red", "mug", "cup", "vase", "lamp"]), max_size=4).map(" ".join), min_size=1, max_size=9
)


@settings(deadline=None, max_examples=60)  # the first index loads bm25s and SciPy
@given(TITLES, TITLES, st.lists(st.sampled_from(["red", "mug", "cup", "unicorn"]), max_size=4))
def test_what_words_match_agrees_with_every_row_scored_by_itself(
    titles: list[str], rests: list[str], words: list[str]
) -> None:
    rests = (rests * len(titles))[: len(titles)]
    index = LexicalIndex.build(zip(titles, rests, strict=True), LexicalSettings())
    held = [{*title.split(), *rest.split()} for title, rest in zip(titles, rests, strict=True)]
    terms = list(dict.fromkeys(words))
    rarity = {
        term: np.log1p((len(titles) - count + 0.5) / (count + 0.5))
        for term in terms
        for count in [sum(term in one for one in held)]
    }
    found = index.matches(" ".join(words))
    assert found.rows.tolist() == [row for row, one in enumerate(held) if one & {*terms}]
    total = sum(rarity.values())
    slow = [sum(rarity[term] for term in terms if term in held[row]) / total for row in found.rows.tolist()]
    assert found.shares.tolist() == pytest.approx(slow, abs=1e-6)
    assert found.scores == pytest.approx(index.scores(index.term_ids(" ".join(words)))[found.rows], abs=1e-6)
    best = (
        max((sum(rarity[term] for term in terms if term in title.split()) / total for title in titles), default=0)
        if terms
        else 1
    )
    assert index.best_title_coverage(terms) == pytest.approx(best, abs=1e-6)
    scores, shares = found.scores_and_shares_of(np.arange(len(titles)))
    assert scores == pytest.approx(index.scores(index.term_ids(" ".join(words))), abs=1e-6)
    assert shares == pytest.approx(index.coverage(" ".join(words)), abs=1e-6)


# -- facets --

PRODUCTS = st.lists(
    st.tuples(st.sampled_from(["red", "blue", ""]), st.lists(st.sampled_from("abcd"), max_size=3, unique=True),
              st.sampled_from(["in_stock", "out_of_stock", ""]), st.integers(0, 3)),
    min_size=1, max_size=14,
)  # fmt: skip


def shelf(drawn: list[tuple[str, list[str], str, int]]) -> list[Product]:
    """Return products with these colors, tags and stock; enough others that both are facets."""
    every = [*drawn, *[("red", ["a"], "in_stock", 0), ("blue", ["b"], "in_stock", 1)] * 8]
    return [
        Product(str(n), "x", availability=stock, attributes={**({"Color": (color,)} if color else {}),
                                                             **({"Tag": tuple(tags)} if tags else {})})
        for n, (color, tags, stock, _) in enumerate(every)
    ]  # fmt: skip


def values_of(product: Product, name: str) -> tuple[str, ...]:
    if name == "availability":
        return (product.availability,) if product.availability else ()
    return product.attributes.get(name.capitalize(), ())


@settings(deadline=None, max_examples=60)
@given(PRODUCTS, st.booleans(), st.randoms())
def test_one_pass_counts_every_facet_as_looking_at_each_product_does(
    drawn: list[tuple[str, list[str], str, int]], is_folded: bool, chance: Random
) -> None:
    products = shelf(drawn)
    index = facets_of(products)
    groups = [group for _, _, _, group in drawn] + list(range(10, 10 + len(products) - len(drawn)))
    folding = Folding.of(np.array(groups, np.int64)) if is_folded else None
    some = chance.sample(range(len(products)), chance.randint(1, len(products)))
    for rows in (some, range(len(products))):
        counted = Counted(np.array(rows, np.int64), folding)
        tally = index.tally(counted)
        for name, facet in index.values.items():
            owners: dict[str, set[int]] = {value: set() for value in facet.values}
            for row in rows:
                for value in values_of(products[row], name):
                    owners[value].add(groups[row] if folding else row)
            expected = [len(owners[value]) for value in facet.values]
            assert index.counts(name, counted, tally).tolist() == expected
            assert facet.counts(counted.rows, folding).tolist() == expected
            carried = sum(bool(values_of(products[row], name)) for row in rows)
            assert facet.carried(counted.rows) == carried
            if name in index.places:
                assert tally.carried[index.places[name]] == carried
        listed = index.values["tag"].values_of(np.array(rows)) if "tag" in index.values else []
        assert listed in ([], [values_of(products[row], "tag") for row in rows])
    for facet in index.values.values():
        held = [facet.codes[start:end].tolist() for start, end in zip(facet.offsets, facet.offsets[1:], strict=False)]
        assert held == [[facet.code_of[one] for one in values_of(product, facet.name)] for product in products]


@given(st.lists(st.floats(0, 5, width=32) | st.just(float("nan")), min_size=1, max_size=30), st.booleans())
def test_numbers_are_counted_as_looking_at_each_product_does(numbers: list[float], is_folded: bool) -> None:
    column, groups = np.array(numbers, np.float32), [row // 3 for row in range(len(numbers))]
    folding = Folding.of(np.array(groups, np.int64)) if is_folded else None
    among = Counted(np.arange(len(numbers)), folding)

    def count(rows: list[int]) -> int:
        return len({groups[row] for row in rows}) if folding else len(rows)

    known = [row for row, number in enumerate(numbers) if not np.isnan(number)]
    for step in thresholds_json(column, among, 2.5):
        assert step["count"] == count([row for row in known if column[row] >= np.float32(step["from"])])
    told = range_json("Rating", column, among)
    if not known:
        assert told["histogram"] == []
        return
    assert told["min"] == round(float(np.nanmin(column)), 2)
    assert told["max"] == round(float(np.nanmax(column)), 2)
    counts = [bucket["count"] for bucket in told["histogram"]]
    assert sum(counts) >= count(known) if folding else sum(counts) == len(known)


def test_prices_that_differ_by_less_than_a_cent_are_one_bucket() -> None:
    told = range_json("Price", np.array([1.001, 1.004], np.float32), Counted(np.arange(2)))
    assert told["histogram"] == [{"from": 1.0, "to": 1.0, "count": 2}]


def test_a_value_is_found_within_longer_ones_and_never_across_two() -> None:
    products = [Product(str(n), "x", attributes={"Sleeve": (value,)}) for n, value in
                enumerate(["Long", "Extra LONG", "Short", "longish\nx"] * 2)]  # fmt: skip
    facet = facets_of(products).values["sleeve"]
    assert {*facet.values_holding("long")} == {"Long", "Extra LONG", "longish\nx"}
    assert facet.values_holding("long\nshort") == []
    assert facet.values_holding("") == []
    assert np.flatnonzero(carriers_of(facet, "short sleeve")).tolist() == [2, 6]


# -- what is remembered --


def test_what_nobody_asked_for_again_is_forgotten_when_the_room_is_full() -> None:
    kept: Remembered[str, str] = Remembered(most=3, room=10, size=len)
    made: list[str] = []

    def value(text: str) -> str:
        return kept.made(text, lambda: made.append(text) or text)  # type: ignore[func-returns-value]

    for text in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb", "d" * 50, "d" * 50):
        assert value(text) == text
    # "bbbb" went when "cccc" came, for "aaaa" was asked for again; what is larger than all room stays alone.
    assert made == ["aaaa", "bbbb", "cccc", "bbbb", "d" * 50]


def test_many_threads_share_what_is_remembered() -> None:
    kept: Remembered[int, int] = Remembered(most=5, room=100, size=lambda _: 1)
    wrong: list[int] = []

    def ask(seed: int) -> None:
        chance = Random(seed)
        for _ in range(500):
            number = chance.randrange(12)
            if kept.made(number, lambda number=number: number * 2) != number * 2:  # type: ignore[misc]
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(kept) == kept._held == len(kept.items()) == 5


def test_browsing_is_worked_out_once_for_all_pages_and_apart_for_every_filter_sort_and_folding(shop: Engine) -> None:
    def ids(**parameters: object) -> list[str]:
        return [hit.id for hit in shop.search(SearchRequest(**parameters)).hits]  # type: ignore[arg-type]

    everything = [product.id for product in SHOP]
    assert ids(per_page=3) + ids(per_page=3, page=2) + ids(per_page=3, page=3) == everything
    assert ids(sort="price:asc")[0] == "0003"
    assert ids(sort="price:desc")[0] == "0007"
    assert ids(fold=True) == [one for one in everything if one != "0002"]
    assert ids(filters={"brand": ("Hob",)}) == ["0007"]
    assert ids(filters={"brand": ["Norr"]}) == ["0001", "0002", "0008"]
    assert ids(q="under $10") == ["0003"]
    assert ids(price_max=10) == ["0003"]
    assert ids(rating_min=4.9) == ["0007"]
    assert ids(cluster=1) == everything[:4]
    assert ids(in_stock=True) == [one for one in everything if one != "0002"]
    assert ids() == everything
    assert shop.search(SearchRequest(facets=("color",))).facets.keys() == {"color"}


def test_a_query_is_scored_once_whatever_values_its_words_are_taken_for(shop: Engine) -> None:
    words = "red mug of steel"
    named, literal = (shop.understood(SearchRequest(q=words, literal=spared)) for spared in ((), ("red", "steel")))
    assert named.constraints and not literal.constraints
    for read in (named, literal, named):
        scored = shop.scored(read, "hybrid")
        assert scored is shop.scored(read, "hybrid")
        assert scored.boost.named == read.constraints
        assert set(scored.boost.rows.tolist()) == {
            row for one in read.constraints for row in np.flatnonzero(shop.release.interpreter.kept_by(one)).tolist()
        }
        assert [key for key, _ in shop.queries._scored.items() if key[0] == words] == [(words, "hybrid", frozenset())]


def test_long_queries_are_not_kept_beyond_the_room_for_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.lexical.CACHED_ROWS", 5)
    shop = open_engine(write_release(tmp_path / "shop", SHOP))
    for q in ("red", "mug cup", "steel", "norr", "boot", "coffee mug"):
        shop.search(q, mode="lexical")
        kept = [matches for _, matches in shop.release.lexical._matches.items()]
        assert sum(map(len, kept)) <= 5 or len(kept) == 1
    assert len(kept) < len(shop.queries._scored) == 6


def test_scored_queries_are_kept_within_their_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = write_release(tmp_path / "shop", SHOP)
    size = open_engine(layout).queries.scored(Understood("red mug", "red mug"), "hybrid").nbytes
    monkeypatch.setattr("search.queries.CACHED_SCORES_BYTES", 3 * size)
    shop = open_engine(layout)
    for q in ("mug", "steel", "norr", "boot", "red mug"):
        shop.search(q)
        held = [scored.nbytes for _, scored in shop.queries._scored.items()]
        assert sum(held) <= 3 * size
    assert 1 < len(held) < 5


@pytest.mark.parametrize("filters", [{}, {"brand": ("Norr",)}, {"color": ("red",)}])
@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
def test_a_query_whose_words_are_forgotten_but_not_its_scores_answers_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, filters: dict[str, tuple[str, ...]]
) -> None:
    monkeypatch.setattr("search.lexical.CACHED_MATCHES", 1)
    shop = open_engine(write_release(tmp_path / "shop", SHOP))
    before = shop.search("red mug", mode=mode, filters=filters, explain=True)
    shop.search("boot cup", mode="lexical")
    shop._answers, read = KnownAnswers(shop.release.products), shop.understood(SearchRequest(q="red mug", mode=mode))
    scored = shop.scored(read, mode)
    after = shop.search("red mug", mode=mode, filters=filters, explain=True)
    assert scored is shop.scored(read, mode)
    assert (after.hits, after.facets, after.total) == (before.hits, before.facets, before.total)


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
@pytest.mark.parametrize("cutoff", [True, False])
def test_a_condition_in_the_words_keeps_what_the_same_filter_keeps(shop: Engine, mode: str, cutoff: bool) -> None:
    """The query is scored among what keeps its own condition, so nothing is left to be filtered."""
    said = shop.search(SearchRequest(q="red mug under $30", mode=mode, cutoff=cutoff))
    assert said.total > 0
    assert all(hit.product.price is not None and hit.product.price <= 30 for hit in said.hits)
    # A filter that all of these pass anyway goes the long way round: over a mask, with pools drawn anew.
    chosen = shop.search(SearchRequest(q="red mug under $30", mode=mode, cutoff=cutoff, price_max=1000.0))
    assert [hit.id for hit in chosen.hits] == [hit.id for hit in said.hits]
    assert [hit.score for hit in chosen.hits] == [hit.score for hit in said.hits]
    assert (chosen.total, chosen.total_relation) == (said.total, said.total_relation)
    assert chosen.less_relevant == said.less_relevant


def test_a_condition_that_nothing_keeps_finds_nothing(shop: Engine) -> None:
    assert shop.search("red mug under $1").total == 0


def test_a_query_read_with_other_preferences_is_scored_as_if_it_were_the_first(tmp_path: Path) -> None:
    layout = write_release(tmp_path / "shop", SHOP)
    used = open_engine(layout)
    red = Constraint("color", "=", "red", "red", is_filter=False)
    cheap = Constraint("price", "<=", 30.0, "under 30", is_filter=True)
    texts = ("red dress", "steel knife")
    reads = [
        Understood(text, text, constraints=given) for text in texts for given in ((), (red,), (cheap,), (red, cheap))
    ]
    for read in reads:
        mine, fresh = used.scored(read, "hybrid"), open_engine(layout).scored(read, "hybrid")
        for name, value in vars(fresh).items():
            if name in ("words", "boost", "codes", "dense_scale", "lexical_scale"):
                mine_of, value = vars(getattr(mine, name)), vars(value)
                assert all(np.array_equal(mine_of[part], value[part]) for part in value), name
            else:
                np.testing.assert_equal(getattr(mine, name), value, name)
