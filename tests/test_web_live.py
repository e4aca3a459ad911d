"""The running server follows a release switch, keeps answering through it, and refuses a damaged release."""

from __future__ import annotations

import gc
import logging
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import SHOP, FakeEncoder, write_release

from app import create_app
from search.errors import EncoderError, ReleaseDamaged, ReleaseMissing
from search.home import Home
from search.release import open_release
from search.state.batches import Change
from web.live import LiveEngine
from web.settings import Settings


def publish(home: Home, name: str, products: Any = SHOP) -> None:
    write_release(home.releases / name, products)
    point(home, name)


def point(home: Home, name: str) -> None:
    aside = home.current.with_suffix(".new")
    aside.write_text(f"{name}\n")
    aside.replace(home.current)


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def live(home: Home) -> Iterator[LiveEngine]:
    engine = LiveEngine(home, lambda record, home: FakeEncoder())
    yield engine
    engine.close()


def test_a_switch_is_followed_within_a_second_and_old_engines_still_answer(home: Home, live: LiveEngine) -> None:
    publish(home, "one")
    old = live.get()
    assert old.release.name == "one"
    publish(home, "two", SHOP[:4])
    assert eventually(lambda: live.get().release.name == "two", 1.5)
    assert live.get().search().total == 4
    assert old.search().total == 8  # a request in flight ends with the engine it began with
    point(home, "one")
    assert eventually(lambda: live.get().release.name == "one")


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing goes but what nobody refers to any more."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_release_goes_with_its_last_request_files_and_thread_and_all_without_the_search_for_garbage(
    home: Home, live: LiveEngine, uncollected: None
) -> None:
    publish(home, "one")
    client = create_app(Settings(home=home.root, rate_limit=None), live).test_client()
    assert eventually(lambda: live.get().encoder.is_ready)
    for path in (
        "/", "/search?q=red+dress", "/products/0001", "/map", "/api/v1/search?q=travl+mug+under+%2450&explain=1",
        "/api/v1/suggest?q=tra", "/api/v1/products/0001/similar", "/api/v1/facets", "/products/none", "/metrics",
    ):  # fmt: skip
        assert client.get(path).status_code in (200, 404), path
    engine = live.get()
    engine = engine.with_changes({"0001": Change(9.0, None)}, 1)
    engine.search("red dress under $50")
    parts = (engine, engine.release, engine.release.held, engine.matcher, engine.encoder)
    old = [weakref.ref(part) for part in parts]
    connections = list(engine.release.products._idle)
    del engine, parts
    publish(home, "two", SHOP[:4])
    assert eventually(lambda: live.get().release.name == "two")
    assert eventually(lambda: not [one() for one in old if one() is not None])
    for connection in connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_the_encoder_is_warm_before_the_new_release_answers_and_shared_when_it_is_the_same(home: Home) -> None:
    opened: list[str] = []

    def open_encoder(record: dict[str, Any], home: Home) -> FakeEncoder:
        opened.append(record["fingerprint"])
        return FakeEncoder()

    live = LiveEngine(home, open_encoder)
    try:
        publish(home, "one")
        assert eventually(lambda: live.get().encoder.is_ready)
        publish(home, "two")
        assert eventually(lambda: live.get().release.name == "two")
        assert live.get().encoder.is_ready
        assert opened == ["fake"]
    finally:
        live.close()


def test_a_damaged_release_is_logged_and_the_old_one_keeps_answering(
    home: Home, live: LiveEngine, caplog: pytest.LogCaptureFixture
) -> None:
    publish(home, "one")
    live.get()
    write_release(home.releases / "two", SHOP)
    (home.releases / "two" / "embeddings.npy").write_bytes(b"cut")
    with caplog.at_level(logging.ERROR, logger="aisle.live"):
        point(home, "two")
        assert eventually(lambda: "two is not served" in caplog.text)
    assert live.get().release.name == "one"
    publish(home, "three")
    assert eventually(lambda: live.get().release.name == "three")


def test_a_release_whose_encoder_is_missing_does_not_replace_one_that_works(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    def open_encoder(record: dict[str, Any], home: Home) -> FakeEncoder:
        if record["fingerprint"] == "lost":
            raise EncoderError("the folder is gone")
        return FakeEncoder()

    live = LiveEngine(home, open_encoder)
    try:
        publish(home, "one")
        live.get()
        layout = write_release(home.releases / "two", SHOP)
        layout.manifest.write_text(
            layout.manifest.read_text().replace('"fingerprint": "fake"', '"fingerprint": "lost"')
        )
        with caplog.at_level(logging.ERROR, logger="aisle.live"):
            point(home, "two")
            assert eventually(lambda: "the folder is gone" in caplog.text)
        assert live.get().release.name == "one"
    finally:
        live.close()


def test_the_first_release_is_served_as_soon_as_it_is_published(home: Home, live: LiveEngine) -> None:
    with pytest.raises(ReleaseMissing, match="indexer build"):
        live.get()
    publish(home, "one")
    assert live.get().release.name == "one"


def test_a_damaged_first_release_is_not_opened_anew_at_every_request_and_is_served_once_it_is_whole(
    home: Home, live: LiveEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(home, "one")
    whole = home.release("one").embeddings.read_bytes()
    home.release("one").embeddings.write_bytes(b"cut")
    opened: list[str] = []
    monkeypatch.setattr("web.live.open_release", lambda layout: (opened.append(layout.name), open_release(layout))[1])
    with caplog.at_level(logging.ERROR, logger="aisle.live"):
        for _ in range(20):
            with pytest.raises(ReleaseDamaged):
                live.get()
    assert len(opened) < 5
    assert caplog.text.count("nothing is served") == 1
    home.release("one").embeddings.write_bytes(whole)
    assert eventually(lambda: answers(live))


def answers(live: LiveEngine) -> bool:
    try:
        return live.get().release.name == "one"
    except ReleaseDamaged:
        return False
