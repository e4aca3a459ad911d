"""Queries that wait for the encoder go through it together, and each gets its own vector, or its own error."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from conftest import FakeEncoder
from test_web_live import eventually

from search.arrays import Floats
from search.encoder import open_encoder
from search.query_encoder import SHARED, QueryEncoder
from search.watch import Watch


class Held(FakeEncoder):
    """Encodes nothing until it is let go; remembers each call."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.calls: list[list[str]] = []
        self.inside = 0
        self.error: Exception | None = None

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        if list(texts) == ["warm-up"]:
            return self._encode(texts)
        self.inside += 1
        assert self.inside == 1  # tokenizers do not bear two threads
        self.calls.append(list(texts))
        assert self.go.wait(5)
        self.inside -= 1
        if self.error is not None:
            raise self.error
        return self._encode(texts)


def of(encoder: FakeEncoder, watch: Any = None) -> QueryEncoder:
    made = QueryEncoder(lambda: encoder, "fake", FakeEncoder.dim, None, watch or Watch())  # type: ignore[arg-type, return-value]
    made._load()
    return made


def waiting(encoder: QueryEncoder) -> int:
    return len(encoder._gathering._waiting)


def test_texts_that_wait_are_encoded_in_one_call_and_the_same_text_once() -> None:
    held = Held()
    encoder = of(held)
    with ThreadPoolExecutor(8) as callers:
        first = callers.submit(encoder.vectors, ["red mug"])
        assert eventually(lambda: held.calls == [["red mug"]])
        others = [callers.submit(encoder.vectors, [text]) for text in ("blue lamp", "boots", "blue lamp", "red mug")]
        both = callers.submit(encoder.vectors, ["garden", "boots"])
        assert eventually(lambda: waiting(encoder) == 4)  # one is inside
        held.go.set()
        results = [one.result(5)[0] for one in (first, *others)]
    assert held.calls[0] == ["red mug"]
    assert sorted(held.calls[1]) == ["blue lamp", "boots", "garden"]
    assert len(held.calls) == 2
    alone = FakeEncoder()
    for text, vector in zip(("red mug", "blue lamp", "boots", "blue lamp", "red mug"), results, strict=True):
        np.testing.assert_array_equal(vector, alone.encode_queries([text])[0])
    np.testing.assert_array_equal(both.result(), alone.encode_queries(["garden", "boots"]))


def test_an_error_reaches_everyone_who_waited_for_it_and_nobody_after() -> None:
    held = Held()
    encoder = of(held)
    held.error = RuntimeError("out of memory")
    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(encoder.vectors, [text]) for text in ("red mug", "lamp", "lamp", "boots")]
        assert eventually(lambda: len(held.calls) == 1 and waiting(encoder) == 3)
        held.go.set()
        for one in asked:
            with pytest.raises(RuntimeError, match="out of memory"):
                one.result(5)
    held.error = None
    assert encoder.vectors(["lamp"]).shape == (1, FakeEncoder.dim)


def test_passages_and_tokens_wait_their_turn_and_leave_it() -> None:
    held = Held()
    encoder = of(held)
    with ThreadPoolExecutor(4) as callers:
        first = callers.submit(encoder.vectors, ["red mug"])
        assert eventually(lambda: len(held.calls) == 1)
        others = [callers.submit(encoder.passages, ["lamp"]), callers.submit(encoder.tokens, "lamp")]
        time.sleep(0.05)
        assert not any(one.done() for one in others)
        held.go.set()
        for one in (first, *others):
            one.result(5)
    assert encoder.vectors(["boots"]).shape == (1, FakeEncoder.dim)


def test_many_callers_at_once_all_get_what_one_alone_would() -> None:
    encoder, alone = of(FakeEncoder()), FakeEncoder()
    texts = [
        f"{color} {thing} {place}" for color in ("red", "navy") for thing in ("mug", "lamp") for place in range(40)
    ]
    with ThreadPoolExecutor(16) as callers:
        found = list(callers.map(lambda text: encoder.vectors([text])[0], texts * 2))
    np.testing.assert_array_equal(np.stack(found), np.tile(alone.encode_queries(texts), (2, 1)))


def test_what_is_encoded_and_remembered_is_told_to_who_watches() -> None:
    told: list[Any] = []

    class Watching(Watch):
        def encoded(self, texts: int, seconds: float) -> None:
            told.append(("encoded", texts))

        def looked_up(self, cache: str, hits: int, misses: int) -> None:
            told.append((cache, hits, misses))

    encoder = of(FakeEncoder(), Watching())
    encoder.vectors(["lamp", "mug", "lamp"])
    encoder.vectors(["lamp"])
    assert told == [("query_vectors", 0, 2), ("encoded", 2), ("query_vectors", 1, 0)]


class Shared(Held):
    """Bears threads: remembers who was inside at once, and in which thread."""

    bears_threads = True

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self.threads: set[str] = set()

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        if list(texts) == ["warm-up"]:
            return self._encode(texts)
        with lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.calls.append(list(texts))
            self.threads.add(threading.current_thread().name)
        assert self.go.wait(5)
        with lock:
            self.inside -= 1
        if self.error is not None:
            raise self.error
        return self._encode(texts)


lock = threading.Lock()


@pytest.fixture
def two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.query_encoder.available_cpus", lambda: 2)


def test_an_encoder_that_bears_threads_works_on_every_cpu_and_on_no_more(two_cpus: None) -> None:
    shared, alone = Shared(), FakeEncoder()
    encoder = of(shared)
    texts = [f"{color} mug {number}" for color in ("red", "navy") for number in range(12)]
    with ThreadPoolExecutor(24) as callers:
        asked = [callers.submit(encoder.vectors, [text]) for text in texts]
        assert eventually(lambda: len(shared.calls) == 2 and waiting(encoder) == 24)
        time.sleep(0.05)
        assert len(shared.calls) == 2
        shared.go.set()
        found = np.concatenate([one.result(5) for one in asked])
    np.testing.assert_array_equal(found, alone.encode_queries(texts))
    assert (shared.most, waiting(encoder)) == (2, 0)
    assert eventually(lambda: encoder._gathering._at_work == 0)
    assert sorted(text for call in shared.calls for text in call) == sorted(texts)
    assert max(map(len, shared.calls)) == SHARED  # those that waited went together, shared among the CPUs


def test_a_lone_text_is_encoded_where_it_is_asked_and_a_batch_on_every_cpu(two_cpus: None) -> None:
    shared = Shared()
    shared.go.set()
    encoder = of(shared)
    encoder.vectors(["red mug"])
    assert shared.threads == {threading.current_thread().name}
    texts = [f"mug {number}" for number in range(20)]
    np.testing.assert_array_equal(encoder.vectors(texts), FakeEncoder().encode_queries(texts))
    assert sorted(map(len, shared.calls[1:])) == [4, SHARED, SHARED]
    assert eventually(lambda: encoder._gathering._at_work == 0)


def test_an_error_of_one_cpu_is_the_error_of_its_texts_alone(two_cpus: None) -> None:
    shared = Shared()
    encoder = of(shared)
    shared.error = RuntimeError("out of memory")
    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(encoder.vectors, [text]) for text in ("red mug", "lamp", "boots")]
        assert eventually(lambda: len(shared.calls) == 2)
        shared.go.set()
        for one in asked:
            with pytest.raises(RuntimeError, match="out of memory"):
                one.result(5)
    shared.error = None
    assert encoder.vectors(["lamp"]).shape == (1, FakeEncoder.dim)
    assert eventually(lambda: encoder._gathering._at_work == 0)


@pytest.mark.slow
def test_encoded_together_a_query_means_what_it_means_alone() -> None:
    texts = [
        "usb c cable",
        "tv",
        "a warm insulated mug for coffee on long cold train rides",
        "Größe 42 Stiefel",
        "c" * 200,
    ]
    encoder = open_encoder(threads=1)
    together = encoder.encode_queries(texts)
    alone = np.concatenate([encoder.encode_queries([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=2e-6)
    passages = encoder.encode_passages([f"{text} {other}" for text in texts for other in texts])
    np.testing.assert_array_equal(np.argsort(-(together @ passages.T)), np.argsort(-(alone @ passages.T)))


def test_what_is_not_a_query_has_its_turn_while_queries_keep_coming() -> None:
    class Busy(FakeEncoder):
        def encode_queries(self, texts: Sequence[str]) -> Floats:
            time.sleep(0.01)
            return self._encode(texts)

    encoder, done = of(Busy()), threading.Event()

    def keep_asking(name: int) -> None:
        number = 0
        while not done.is_set():
            number += 1
            encoder.vectors([f"mug {name} {number}"])

    with ThreadPoolExecutor(5) as callers:
        for name in range(4):
            callers.submit(keep_asking, name)
        time.sleep(0.05)
        try:
            assert len(callers.submit(encoder.tokens, "red mug").result(2).vectors) == 3
        finally:
            done.set()
