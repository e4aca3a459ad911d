"""Homes on full and read-only disks, behind links, under clocks that go back, with what killed writers left."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import FakeEncoder
from shop_fixtures import Shop

from app import create_app
from indexer import releases
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.releases import prune
from indexer.settings import BuildSettings
from search.durable import ABANDONED_SECONDS, disk_error, write_durably
from search.errors import DiskError
from search.release import verify
from search.releases import rollback
from web.live import LiveEngine
from web.settings import Settings


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_build_that_fails_leaves_no_half_release_on_the_disk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shop.build()
    monkeypatch.setattr("indexer.pipeline.write_report", full)
    with pytest.raises(DiskError, match=r"writing the report was stopped in .* free there\).*no room left.*is live"):
        shop.build()
    assert not (shop.home.index / "staging").exists()


def test_a_clock_that_goes_back_changes_neither_the_order_of_releases_nor_which_is_live(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Earlier(releases.datetime):  # type: ignore[name-defined,misc]
        @classmethod
        def now(cls, tz: object = None) -> object:
            return cls(2020, 1, 1, tzinfo=tz)

    first = shop.build().layout.name
    monkeypatch.setattr(releases, "datetime", Earlier)
    shop.rows[0][4] = "5.00"
    second = shop.build().layout.name
    assert first < second and shop.home.live().name == second
    assert rollback(shop.home) == first


def test_a_home_behind_a_symbolic_link_is_built_served_and_pruned(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    shop = Shop(tmp_path / "link")
    shop.build()
    shop.build()
    prune(shop.home, keep=1)
    assert shop.engine().search("crimson gown").hits[0].id == "0004"
    assert verify(shop.home.live()) == []


def test_what_killed_writers_left_aside_goes_after_an_hour(tmp_path: Path) -> None:
    old, young, other = (tmp_path / name for name in (".current.0123", ".current.4567", ".history.0123"))
    for path in (old, young, other):
        path.touch()
    long_ago = time.time() - ABANDONED_SECONDS - 10
    os.utime(old, (long_ago, long_ago))
    os.utime(other, (long_ago, long_ago))
    write_durably(tmp_path / "current", "one\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".current.4567", ".history.0123", "current"]


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (errno.ENOSPC, "free some"), (errno.EDQUOT, "free some"), (errno.EROFS, "mount it for writing"),
        (errno.EACCES, "chown"), (errno.EIO, "system's log"), (errno.EMFILE, "ulimit"), (errno.EBUSY, "try again"),
    ],
)  # fmt: skip
def test_what_a_disk_refuses_is_told_with_the_way_out(tmp_path: Path, code: int, cure: str) -> None:
    told = str(disk_error(OSError(code, os.strerror(code), "x.npy"), tmp_path, "embedding"))
    assert told.startswith(f"embedding was stopped in {tmp_path} (") and cure in told and "x.npy" in told


def as_nobody(work: Callable[[], object]) -> str:
    """Do some work as a user who owns nothing here; return the error it ended with, "" for none."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            work()
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_read_only_home_is_served_in_full_without_events_and_building_there_says_so() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shop = Shop(folder)
        shop.build()
        shop.home.state.mkdir()

        def serve() -> None:
            engine = LiveEngine(shop.home, lambda record, home: FakeEncoder())
            app = create_app(Settings(home=shop.home.root, rate_limit=None, events=True), engine)
            client = app.test_client()
            for path in ("/", "/search?q=red+cup", "/products/0001", "/map", "/api/v1/suggest?q=tra", "/metrics"):
                assert client.get(path).status_code == 200, path
            assert client.get("/api/v1/search?q=crimson+gown").json["hits"][0]["id"] == "0004"
            refused = client.post("/api/v1/events", json={"type": "click", "product_id": "0001"})
            assert refused.status_code == 503 and "may be written" in refused.json["detail"], refused.json
            assert client.get("/api/v1/search?q=red").status_code == 200

        assert as_nobody(serve) == ""
        settings, quiet = BuildSettings(shop.catalog, train="never"), Progress(quiet=True)
        told = as_nobody(lambda: build(settings, shop.home, quiet, lambda model: FakeEncoder()))  # type: ignore[arg-type,return-value]
        assert "this user may not" in told and "chown" in told and str(shop.home.root) in told, told
