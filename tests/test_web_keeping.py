"""A release that stays is left out of the search for garbage, and one that went is not kept by it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from web.serving import server


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.unfreeze()  # what a server of an earlier test froze
    yield
    gc.unfreeze()


class Circle:
    """Holds itself, as caches of bound methods do: only the collector can let go of it."""

    def __init__(self, name: str = "first") -> None:
        self.release = SimpleNamespace(name=name)
        self.encoder = SimpleNamespace(is_ready=True)
        self.problem = None
        self.itself = self


def test_a_release_is_frozen_once_it_answers_in_full() -> None:
    engines = SimpleNamespace(engine=None)
    keeping = server.Keeping(engines)  # type: ignore[arg-type]
    keeping.look()
    assert gc.get_freeze_count() == 0  # nothing is open
    engines.engine = Circle()
    engines.engine.encoder.is_ready = False
    keeping.look()
    assert gc.get_freeze_count() == 0  # its encoder is still loading
    engines.engine.encoder.is_ready = True
    keeping.look()
    assert gc.get_freeze_count() > 0


def test_the_release_before_is_let_go_of_when_another_has_settled(monkeypatch: Any) -> None:
    now = 1000.0
    monkeypatch.setattr(server.time, "monotonic", lambda: now)
    engines = SimpleNamespace(engine=Circle())
    keeping = server.Keeping(engines)  # type: ignore[arg-type]
    keeping.look()
    before = weakref.ref(engines.engine)
    engines.engine = Circle("second")
    keeping.look()  # its last requests may still be at work
    assert before() is not None
    now += server.SETTLED_SECONDS
    keeping.look()
    assert before() is None
    assert gc.get_freeze_count() > 0
