"""Releases that somebody reads are not removed, and of two builders the second is told who the first one is."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SHOP
from shop_fixtures import Shop, built_twice

from indexer.releases import build_lock, prune
from search.errors import AisleError, ReleaseMissing
from search.hold import alone_with
from search.release import open_release

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def two(shop: Shop) -> Shop:
    return built_twice(shop)


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
