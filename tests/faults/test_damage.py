"""Files that are cut, empty, garbled or gone are told when a release is opened; the last good one answers instead."""

from __future__ import annotations

import logging
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import FakeEncoder
from shop_fixtures import Shop, built_twice
from test_web_live import eventually

from app import create_app
from search.engine import Engine
from search.errors import AisleError, ReleaseDamaged
from search.home import Layout
from search.release import open_release, verify
from search.releases import rollback, stand_ins
from web import live as following
from web.live import LiveEngine
from web.settings import Settings


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def two(shop: Shop) -> Shop:
    return built_twice(shop)


@pytest.fixture
def served(shop: Shop) -> Iterator[LiveEngine]:
    engine = LiveEngine(shop.home, lambda record, home: FakeEncoder())
    yield engine
    engine.close()


def files_of(layout: Layout) -> list[Path]:
    return sorted(path for path in layout.folder.rglob("*") if path.is_file() and path != layout.manifest)


def change(path: Path, content: bytes) -> None:
    """Write over a file that is read-only, as whoever damages one does."""
    path.chmod(0o644)
    path.write_bytes(content)


def whole_of(layout: Layout) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in files_of(layout)}


# -- every file --


def test_every_file_that_is_cut_empty_or_gone_is_told_at_opening_by_its_name(shop: Shop) -> None:
    layout = shop.build().layout
    for path, content in whole_of(layout).items():
        for damaged in (content[: len(content) // 2], content[:-1], b"", content + b"!"):
            if damaged == content:
                continue
            change(path, damaged)
            with pytest.raises(ReleaseDamaged, match=f"{path.relative_to(layout.folder)}.*bytes.*verify.*build"):
                open_release(layout)
        path.unlink()
        with pytest.raises(ReleaseDamaged, match=f"{path.relative_to(layout.folder)} is missing"):
            open_release(layout)
        path.write_bytes(content)
    assert verify(layout) == []
    open_release(layout)


def test_files_of_the_right_length_and_the_wrong_content_break_nothing_else_and_are_told_by_verify(shop: Shop) -> None:
    layout = shop.build().layout
    noise = random.Random(3)
    for path, content in whole_of(layout).items():
        if not content:
            continue
        garbled = noise.randbytes(len(content)), content[:-8] + bytes(8)
        for damaged in garbled:
            if damaged == content:
                continue
            change(path, damaged)
            assert [one.split(":")[0] for one in verify(layout)] == [path.relative_to(layout.folder).as_posix()]
            assert _ends_well(layout) == 0, path
        change(path, content)


def _ends_well(layout: Layout) -> int:
    """Return 0 when a process that opens the release and asks it ends with answers or an error of ours."""
    child = os.fork()
    if child == 0:
        ended = 1
        try:
            engine = Engine(open_release(layout), FakeEncoder)  # type: ignore[arg-type]
            engine.search("red mug under $50")
            ended = 0
        except AisleError:
            ended = 0
        finally:
            os._exit(ended)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"format": 9}', b"\xff\xfe", b'{"format": 9, "release": 1}']
)
def test_a_manifest_that_is_none_is_told(shop: Shop, content: bytes) -> None:
    layout = shop.build().layout
    layout.manifest.write_bytes(content)
    with pytest.raises(ReleaseDamaged, match="build"):
        open_release(layout)


def test_a_sealed_release_is_read_only_and_can_be_removed(shop: Shop) -> None:
    layout = shop.build().layout
    assert {path.stat().st_mode & 0o777 for path in files_of(layout)} == {0o444}
    shutil.rmtree(layout.folder)
    assert not layout.folder.exists()


# -- the last good one --


def test_a_server_that_starts_on_a_damaged_release_answers_from_the_one_before_and_says_so(
    two: Shop, served: LiveEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.1)
    damaged, (good,) = two.home.live(), stand_ins(two.home)
    whole = damaged.embeddings.read_bytes()
    change(damaged.embeddings, whole[:100])
    client = create_app(Settings(home=two.home.root, rate_limit=None), served).test_client()
    with caplog.at_level(logging.ERROR, logger="aisle.live"):
        assert client.get("/api/v1/products/0001").json["product"]["price"] == 20.0
        assert eventually(lambda: client.get("/readyz").status_code == 200)
        time.sleep(1.2)  # it is tried again and again meanwhile
    told = client.get("/readyz").json
    assert told["release"] == good.name
    assert damaged.name in told["trouble"] and good.name in told["trouble"]
    assert str(two.home.root) not in told["trouble"]
    assert caplog.text.count("is not served") == 1 and "embeddings.npy has 100 bytes" in caplog.text
    assert "aisle_release_stands_in 1.0" in client.get("/metrics").text
    change(damaged.embeddings, whole)
    assert eventually(lambda: served.get().release.name == damaged.name)
    assert client.get("/api/v1/products/0001").json["product"]["price"] == 18.0
    assert "trouble" not in client.get("/readyz").json
    assert "aisle_release_stands_in 0.0" in client.get("/metrics").text


def test_a_live_release_that_is_gone_is_stood_in_for_too(two: Shop, served: LiveEngine) -> None:
    shutil.rmtree(two.home.live().folder)
    assert served.get().product("0001").price == 20.0
    assert served.trouble


def test_a_release_that_was_never_live_does_not_stand_in(shop: Shop, served: LiveEngine) -> None:
    shop.build(publish=False)
    live = shop.build().layout
    change(live.embeddings, b"cut")
    with pytest.raises(ReleaseDamaged, match=r"embeddings\.npy"):
        served.get()


def test_of_several_damaged_releases_the_last_good_one_stands_in(two: Shop, served: LiveEngine) -> None:
    two.rows[0][4] = "17.00"
    two.build()
    for layout in two.home.all_releases()[1:]:
        change(layout.groups, b"cut")
    assert served.get().release.name == two.home.all_releases()[0].name


def test_who_rolled_back_is_stood_in_for_by_what_was_live_before(two: Shop, served: LiveEngine) -> None:
    newest = two.home.live().name
    rollback(two.home)
    change(two.home.live().groups, b"cut")
    assert served.get().release.name == newest


def test_a_release_damaged_while_it_is_served_still_answers_and_files_removed_are_answered_from(
    two: Shop, served: LiveEngine
) -> None:
    engine = served.get()
    assert eventually(lambda: engine.encoder.is_ready)  # until then words alone answer
    before = [hit.id for hit in engine.search("red cup").hits]
    shutil.rmtree(two.home.live().folder)  # mapped files stay until they are let go of
    assert [hit.id for hit in engine.search("red cup").hits] == before
    assert engine.search("leather boot").hits[0].id == "0007"
