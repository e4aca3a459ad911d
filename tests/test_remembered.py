"""What is remembered stays bounded, and what is read from the store stays what the catalog said."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, FakeEncoder, open_engine, write_release

from indexer.spans import spans_of
from search.engine import Engine
from search.known_answers import KnownAnswers
from search.product import Product
from search.release import open_release
from search.remembered import Remembered
from search.request import SearchRequest
from search.state.batches import Change
from search.store import ProductStore


def test_the_newest_are_remembered_and_no_more() -> None:
    known: Remembered[int, str] = Remembered(3)
    for number in range(10):
        known.put(number, str(number))
    assert [known.get(number) for number in (6, 7, 8, 9)] == [None, "7", "8", "9"]
    assert len(known) == 3


def test_full_is_what_would_push_one_out() -> None:
    counted: Remembered[int, bytes] = Remembered(3)
    sized: Remembered[int, bytes] = Remembered(100, 10, len)
    for number, (by_count, by_size) in enumerate([(False, False), (False, False), (False, True)]):
        assert (counted.is_full, sized.is_full) == (by_count, by_size)
        counted.put(number, b"four")
        sized.put(number, b"four")
    assert counted.is_full and len(sized) == 2


def test_what_is_asked_for_again_outlives_a_flood_of_what_is_asked_once() -> None:
    known: Remembered[str, int] = Remembered(4)
    for text in ("shoes", "dress"):
        known.put(text, 1)
    for number in range(100):
        known.put(f"once {number}", number)
        assert known.get("shoes") == known.get("dress") == 1
    assert len(known) == 4
    for number in range(8):  # what is asked for again is another thing by now
        known.put(f"later {number}", number)
        assert known.get(f"later {number}") == number
    assert known.get("shoes") is known.get("dress") is None


def test_what_is_put_again_is_replaced_and_its_size_with_it() -> None:
    known: Remembered[str, str] = Remembered(9, room=10, size=len)
    for value in ("a" * 8, "b", "c" * 4):
        known.put("text", value)
    known.put("other", "d" * 6)
    assert known.items() == [("text", "cccc"), ("other", "dddddd")]
    known.put("more", "e")
    assert [key for key, _ in known.items()] == ["other", "more"]


def test_threads_that_remember_at_once_lose_nothing_but_the_oldest() -> None:
    known: Remembered[tuple[int, int], int] = Remembered(100)

    def put(thread: int) -> None:
        for number in range(2000):
            known.put((thread, number), number)

    threads = [threading.Thread(target=put, args=(thread,)) for thread in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(known) == 100
    assert any(known.get((thread, 1999)) == 1999 for thread in range(4))


def test_a_product_is_written_as_it_was_read_until_it_changes() -> None:
    line = SHOP[0].as_line()
    read = Product.from_line(line)
    assert read == SHOP[0]
    assert read.as_line() is line
    assert b'"price":20.0' in line
    assert b'"price":18.5' in replace(read, price=18.5).as_line()
    assert Product.from_line(replace(read, price=18.5).as_line()).price == 18.5


def test_threads_that_read_the_store_at_once_get_their_own_products(tmp_path: Path) -> None:
    store = ProductStore(write_release(tmp_path / "shop", SHOP).products)
    wrong: list[str] = []

    def read(first: int) -> None:
        for turn in range(300):
            row = (first + turn) % len(SHOP)
            if store.products([row]) != [SHOP[row]] or store.row_of(SHOP[row].id) != row:
                wrong.append(SHOP[row].id)

    threads = [threading.Thread(target=read, args=(first,)) for first in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


def test_the_same_row_asked_for_twice_is_given_twice(tmp_path: Path) -> None:
    store = ProductStore(write_release(tmp_path / "shop", SHOP).products)
    assert store.products([3, 0, 3]) == [SHOP[3], SHOP[0], SHOP[3]]
    assert store.products([]) == []
    assert store.products(list(range(len(SHOP))) * 20) == list(SHOP) * 20  # more than are remembered at once


def test_a_span_is_known_for_every_segment_that_fits_its_text() -> None:
    passages = ["A cup. On a desk.", "A cup. Of no kind. On a desk."]
    starts = np.array([0, 2, 4])  # the sentence without a known word has no segment
    spans = spans_of(passages, starts, FakeEncoder())
    texts = [passages[row][start:end] for row, (start, end) in zip((0, 0, 1, 1), spans.tolist(), strict=True)]
    assert texts == ["A cup. ", "On a desk.", "A cup. ", "On a desk."]
    assert spans_of(passages, np.array([0, 2, 6]), FakeEncoder())[2:].tolist() == [[-1, -1]] * 4


def test_no_search_asks_the_tokenizer(tmp_path: Path) -> None:
    class Mute(FakeEncoder):
        def segments_read(self, passages: object) -> list[list[tuple[int, int]]]:
            raise AssertionError("the spans of a release are read, not worked out")

    engine = open_engine(write_release(tmp_path / "shop", SHOP), Mute())
    assert engine.search("table light").hits


def test_an_answer_asked_for_again_is_the_same_but_for_its_id(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP))
    first, again = (engine.search("red mug", filters={"color": ("red",)}) for _ in range(2))
    assert again.query_id != first.query_id and again.timings_ms == dict.fromkeys(first.timings_ms, 0.0)
    assert engine.search("red mug", filters={"color": ("red",)}, page=2).timings_ms["count"] > 0
    assert engine.search("red mug").total >= first.total


@pytest.mark.parametrize(
    "request_",
    [
        SearchRequest(q="red mug", explain=True),
        SearchRequest(q="red mug under $21", fold=True),
        SearchRequest(q="mug", sort="price:desc", per_page=2, page=2),
        SearchRequest(q="qqqq", filters={"brand": ("Norr",)}),
        SearchRequest(filters={"color": ("red",)}, facets=("brand",)),
        SearchRequest(q="steel", mode="lexical", cutoff=False),
    ],
)
def test_a_remembered_answer_is_equal_in_all_it_tells(tmp_path: Path, request_: SearchRequest) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP))
    first, again = engine.search(request_), engine.search(request_)
    assert len(engine._answers) == 1
    for name, told in vars(first).items():
        if name in ("rows", "shown"):
            assert getattr(again, name).tolist() == told.tolist() and getattr(again, name).dtype == told.dtype
        elif name not in ("query_id", "took_ms", "timings_ms"):
            assert getattr(again, name) == told, name
    assert [engine.release.products.row_of(hit.id) for hit in again.hits] == again.shown.tolist()


def test_remembered_answers_take_the_memory_that_they_are_counted_with(tmp_path: Path) -> None:
    """What a library gives may be larger than it says: bytes that have grown keep room to grow."""
    engine = open_engine(write_release(tmp_path / "shop", SHOP))
    answers = [engine.search(f"red mug {number}", cutoff=False, explain=True) for number in range(50)]
    known = KnownAnswers(engine.release.products)
    known.put(answers[0])  # what is made once
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for answer in answers:
        known.put(answer)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    counted = sum(kept.nbytes for _, kept in known._kept.items())
    assert len(known) == len(answers)
    assert taken <= 1.2 * counted, (taken, counted)


def test_only_what_is_asked_again_pushes_out_a_remembered_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.known_answers.MOST", 3)
    engine = open_engine(write_release(tmp_path / "shop", SHOP))
    known = [SearchRequest(q=text) for text in ("red mug", "lamp", "boots")]
    for request in known:
        engine.search(request)
    for number in range(20):
        engine.search(f"asked once {number}")
    assert all(engine.known(request) for request in known)
    assert engine.known(SearchRequest(q="asked once 3")) is None
    engine.search("asked once 3")  # the second time
    assert engine.known(SearchRequest(q="asked once 3")) is not None
    assert len(engine._answers) == 3


def test_an_answer_that_is_no_text_is_given_but_not_remembered(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP))
    for _ in range(2):
        assert engine.search("mug", filters={"color": ("\ud800",)}).total == 0
    assert len(engine._answers) == 0


def test_an_answer_is_not_remembered_over_a_change_of_prices(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "shop", SHOP))
    before = engine.search("mug").hits[0]
    changed = engine.with_changes({before.id: Change(price=1.5)}, 1)
    after = {hit.id: hit.product.price for hit in changed.search("mug").hits}
    assert after[before.id] == 1.5
    assert engine.search("mug").hits[0].product.price == before.product.price


def test_an_answer_by_words_alone_is_not_remembered_once_the_encoder_is_there(tmp_path: Path) -> None:
    layout, gate = write_release(tmp_path / "shop", SHOP), threading.Event()

    def opened() -> FakeEncoder:
        gate.wait(10)
        return FakeEncoder()

    engine = Engine(open_release(layout), opened, waits=False)
    assert engine.search("mug").degraded == "encoder_loading"
    gate.set()
    engine.encoder.vectors(["mug"])
    assert engine.search("mug").degraded is None
