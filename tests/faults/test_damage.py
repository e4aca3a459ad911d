"""Files that are cut, empty, garbled or gone are told when a release is opened; the last good one answers instead."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import SHOP, FakeEncoder
from test_pipeline import Shop
from test_web_live import eventually

from app import create_app
from indexer import releases
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.releases import build_lock, prune
from indexer.settings import BuildSettings
from search.durable import ABANDONED_SECONDS, disk_error, write_durably
from search.engine import Engine
from search.errors import AisleError, DiskError, ReleaseDamaged, ReleaseMissing
from search.hold import alone_with
from search.home import Layout
from search.release import open_release, verify
from search.releases import rollback, stand_ins
from web import live as following
from web.live import LiveEngine
from web.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def two(shop: Shop) -> Shop:
    """Two releases: in the first the mug costs 20, in the second, which is live, 18."""
    shop.build()
    shop.rows[0][4] = "18.00"
    shop.build()
    return shop


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


# -- releases in use --

HOLDER = """
import sys, time
sys.path[:0] = [{root!r}]
from pathlib import Path
from search.home import Layout
from search.release import open_release
release = open_release(Layout(Path(sys.argv[1])))
print("open", flush=True)
time.sleep(60)
"""


def test_a_release_that_another_process_reads_is_not_removed_until_it_lets_go(two: Shop) -> None:
    two.rows[0][4] = "17.00"
    two.build()
    oldest = two.home.all_releases()[0]
    command = [sys.executable, "-c", HOLDER.format(root=str(ROOT)), str(oldest.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stdout.readline() == "open\n"
        prune(two.home, keep=1)
        assert [one.name for one in two.home.all_releases()] == [oldest.name, two.home.live().name]
        server.send_signal(signal.SIGKILL)  # the lock goes with the process
        server.wait()
    prune(two.home, keep=1)
    assert two.home.all_releases() == [two.home.live()]
    assert not (two.home.index / "removed").exists()


def test_a_release_that_is_just_being_removed_cannot_be_opened(two: Shop) -> None:
    with alone_with(two.home.live()) as is_alone:
        assert is_alone
        with pytest.raises(ReleaseMissing, match="just removed"):
            open_release(two.home.live())
    open_release(two.home.live())


def test_forms_of_encoders_that_no_kept_release_names_are_removed(two: Shop) -> None:
    live, encoders = two.home.live(), two.home.encoders
    manifest = json.loads(live.manifest.read_text())
    manifest["encoder"]["serving"] = {"runtime": "onnx", "folder": "onnx-now", "sha256": ""}
    live.manifest.write_text(json.dumps(manifest))
    of_release = encoders / manifest["encoder"]["fingerprint"]
    for folder in (of_release / "onnx-now", of_release / "onnx-earlier", encoders / "another" / "onnx-now"):
        folder.mkdir(parents=True)
    (of_release / "weights").touch()  # of the model itself
    prune(two.home)
    assert sorted(path.name for path in encoders.rglob("*")) == sorted([of_release.name, "onnx-now", "weights"])


def test_where_there_are_no_locks_releases_are_kept_by_their_number(two: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("search.hold.fcntl.flock", refused)
    held = open_release(two.home.all_releases()[0])
    prune(two.home, keep=1)
    assert two.home.all_releases() == [two.home.live()]
    assert held.rows == len(SHOP)


# -- who else is there --


def test_a_second_builder_is_told_who_the_first_one_is(shop: Shop) -> None:
    with (
        build_lock(shop.home),
        pytest.raises(
            AisleError, match=rf"another build .* \(process {os.getpid()} on \S+, since \d{{4}}-.* UTC\); wait"
        ),
    ):
        shop.build()


def test_the_lock_of_a_builder_that_was_killed_is_no_lock(shop: Shop) -> None:
    script = f"""
import os, signal, sys
sys.path[:0] = [{str(ROOT)!r}]
from pathlib import Path
from indexer.releases import build_lock
from search.home import Home
with build_lock(Home(Path({str(shop.home.root)!r}))):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -signal.SIGKILL
    assert (shop.home.index / "build.lock").exists() and (shop.home.index / "build.holder").exists()
    assert shop.build().is_live
    assert not (shop.home.index / "build.holder").exists()


def test_a_build_that_fails_leaves_no_half_release_on_the_disk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shop.build()
    monkeypatch.setattr("indexer.pipeline.write_report", full)
    with pytest.raises(DiskError, match=r"writing the report was stopped in .* free there\).*no room left.*is live"):
        shop.build()
    assert not (shop.home.index / "staging").exists()


# -- clocks, links, permissions --


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
