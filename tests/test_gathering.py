"""Texts gather while searches can work without the encoder, and nobody waits for whoever waits for them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import FakeEncoder
from test_query_encoder import Shared, of, two_cpus, waiting
from test_web_live import eventually

from search.arrays import Floats
from search.gathering import ENOUGH
from search.query_encoder import SHARED, QueryEncoder

__all__ = ["two_cpus"]


@pytest.fixture
def one_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.query_encoder.available_cpus", lambda: 1)


def is_idle(encoder: QueryEncoder) -> bool:
    """Whether nobody waits, works or is counted."""
    one = encoder._gathering
    counted = (one._waiting, one._asked_with, one._queue, one._coming, one._at_work, one._returning, one._ready)
    return not any(counted) and one._at_turn is None and not one._waits_at_turn


def searches(
    encoder: QueryEncoder, turn: threading.Lock, count: int, end: threading.Semaphore
) -> list[threading.Thread]:
    """Start searches that have their vectors and wait for their turn; one at work ends when it is let go."""

    def search() -> None:
        with encoder.turn(turn):
            assert end.acquire(timeout=5)

    threads = [threading.Thread(target=search) for _ in range(count)]
    for one in threads:
        one.start()
    assert eventually(lambda: encoder._gathering._ready == count)
    return threads


def ended(begun: list[threading.Thread], end: threading.Semaphore) -> None:
    """Let searches go, and wait for them."""
    end.release(len(begun))
    for one in begun:
        one.join(5)


def test_while_searches_enough_can_work_texts_gather_and_then_go_together(two_cpus: None) -> None:
    shared, turn, end = Shared(), threading.Lock(), threading.Semaphore(0)
    shared.go.set()
    encoder = of(shared)
    with ThreadPoolExecutor(3) as callers:
        with turn:
            begun = searches(encoder, turn, 2, end)
            asked = [callers.submit(encoder.vectors, [text]) for text in ("red mug", "lamp", "boots")]
            assert eventually(lambda: waiting(encoder) == 3)
            time.sleep(0.05)
            assert shared.calls == []
        found = [one.result(5) for one in asked]  # one of the two has its turn, so that only one waits
    assert [sorted(call) for call in shared.calls] == [["boots", "lamp", "red mug"]]
    np.testing.assert_array_equal(np.concatenate(found), FakeEncoder().encode_queries(["red mug", "lamp", "boots"]))
    ended(begun, end)
    assert eventually(lambda: is_idle(encoder))


def test_who_has_the_turn_waits_for_no_one_that_waits_for_it(two_cpus: None) -> None:
    """A search whose text has no vector when its turn comes: forgotten, or the encoder was not there before."""
    shared, turn, end = Shared(), threading.Lock(), threading.Semaphore(0)
    shared.go.set()
    encoder = of(shared)

    begun: list[threading.Thread] = []
    found: list[Floats] = []

    def search() -> None:
        with encoder.turn(turn):
            begun.extend(searches(encoder, turn, ENOUGH + 1, end))
            found.append(encoder.vectors(["red mug"]))

    threading.Thread(target=search, daemon=True).start()
    assert eventually(lambda: found)
    np.testing.assert_array_equal(found[0], FakeEncoder().encode_queries(["red mug"]))
    ended(begun, end)
    assert eventually(lambda: is_idle(encoder))


def test_no_text_lets_more_searches_pass_than_texts_go_together(two_cpus: None) -> None:
    shared, turn, end = Shared(), threading.Lock(), threading.Semaphore(0)
    shared.go.set()
    encoder = of(shared)
    with ThreadPoolExecutor(1) as callers:
        with turn:
            begun = searches(encoder, turn, SHARED + ENOUGH + 3, end)  # as where many ask for remembered texts
            asked = callers.submit(encoder.vectors, ["lamp"])
            assert eventually(lambda: waiting(encoder) == 1)
        for passed in range(1, SHARED):
            assert eventually(lambda: encoder._gathering._passed == passed)  # noqa: B023 - asked at once
            assert shared.calls == []
            end.release()
        assert asked.result(5).shape == (1, FakeEncoder.dim)
        assert encoder._gathering._ready >= ENOUGH
    ended(begun, end)


@pytest.mark.parametrize("kind", ["is read", "waits for its turn", "works"])
def test_on_one_cpu_texts_gather_while_any_search_can_go_on(one_cpu: None, kind: str) -> None:
    shared, turn, go, inside = Shared(), threading.Lock(), threading.Event(), threading.Event()
    shared.go.set()
    encoder = of(shared)

    def search() -> None:
        with encoder.coming() if kind == "is read" else encoder.turn(turn):
            inside.set()
            assert go.wait(5)

    with ThreadPoolExecutor(4) as callers:
        if kind == "waits for its turn":
            turn.acquire()
        other = callers.submit(search)
        assert eventually(lambda: inside.is_set() or encoder._gathering._ready == 1)
        asked = [callers.submit(encoder.vectors, [text]) for text in ("red mug", "lamp", "boots")]
        assert eventually(lambda: waiting(encoder) == 3)
        time.sleep(0.05)
        assert shared.calls == []
        go.set()
        if kind == "waits for its turn":
            turn.release()
        other.result(5)
        for one in asked:
            one.result(5)
    assert [sorted(call) for call in shared.calls] == [["boots", "lamp", "red mug"]]
    assert eventually(lambda: is_idle(encoder))


def test_what_is_read_in_vain_keeps_nobody_waiting(one_cpu: None) -> None:
    shared, fail = Shared(), threading.Event()
    shared.go.set()
    encoder = of(shared)

    def misunderstood() -> None:
        with encoder.coming():
            assert fail.wait(5)
            raise ValueError("page is not a number")

    with ThreadPoolExecutor(2) as callers:
        other = callers.submit(misunderstood)
        assert eventually(lambda: encoder._gathering._coming)
        asked = callers.submit(encoder.vectors, ["lamp"])
        assert eventually(lambda: waiting(encoder) == 1)
        fail.set()
        assert asked.result(5).shape == (1, FakeEncoder.dim)
        with pytest.raises(ValueError, match="page"):
            other.result(5)
    assert eventually(lambda: is_idle(encoder))


def test_a_search_that_is_read_waits_for_no_longer_than_its_own_texts(one_cpu: None) -> None:
    shared = Shared()
    shared.go.set()
    encoder = of(shared)
    with encoder.coming():
        assert encoder.vectors(["lamp"]).shape == (1, FakeEncoder.dim)
    assert is_idle(encoder)


@pytest.mark.parametrize("cpus", ["one_cpu", "two_cpus"])
def test_a_caller_of_many_texts_does_not_wait_for_itself(request: pytest.FixtureRequest, cpus: str) -> None:
    request.getfixturevalue(cpus)
    shared = Shared()
    shared.go.set()
    encoder = of(shared)
    texts = [f"mug {number}" for number in range(3 * SHARED + 1)]
    with ThreadPoolExecutor(3) as callers:  # the second waits for texts of the first, the third for some of both
        asked = [callers.submit(encoder.vectors, texts[start:]) for start in (0, SHARED - 1, SHARED + 2)]
        for one in asked:
            assert len(one.result(5)) > SHARED
    assert eventually(lambda: is_idle(encoder))


class Sometimes(Shared):
    """Fails where a text says so."""

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        if any("broken" in text for text in texts):
            raise RuntimeError("out of memory")
        return super().encode_queries(texts)


@pytest.mark.parametrize("cpus", ["one_cpu", "two_cpus"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_many_threads_do_each_gets_on(request: pytest.FixtureRequest, cpus: str, seed: int) -> None:
    """Searches of new and known texts, of several, read in vain, encoded in their turn, and lists that take none."""
    request.getfixturevalue(cpus)
    encoder_inside, turn = Sometimes(), threading.Lock()
    encoder_inside.go.set()
    encoder, done = of(encoder_inside), []

    def visitor(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        for step in range(60):
            new = [f"text {number} {step} {place}" for place in range(chance.choice([0, 1, 1, 2, 20]))]
            texts = [*new, *chance.sample(["mug", "lamp", "boots"], chance.randint(0, 2))]
            texts += ["broken"] * (chance.random() < 0.05)
            kind = chance.choice(["search", "search", "search", "list", "in vain", "late"])
            try:
                if kind == "list" and texts:
                    encoder.vectors(texts)
                    continue
                with encoder.coming():
                    with turn:
                        time.sleep(0)
                    if kind == "in vain":
                        raise ValueError(kind)
                    if texts and kind == "search":
                        encoder.vectors(texts)
                with encoder.turn(turn):
                    if texts:
                        encoder.vectors(texts)
            except (ValueError, RuntimeError):
                pass
        done.append(number)

    threads = [threading.Thread(target=visitor, args=(number,), daemon=True) for number in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(done) == list(range(12))
    assert eventually(lambda: is_idle(encoder))
