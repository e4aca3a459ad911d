"""Work done ahead by a second process: what it gives, and that nothing but time hangs on it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FakeEncoder
from filelock import FileLock, Timeout

from indexer import ahead as ahead_module
from indexer import groundwork as groundwork_module
from indexer.ahead import Ahead, can_fork
from indexer.groundwork import groundwork
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.rows import StoredProducts
from indexer.settings import BuildSettings
from search.home import Home
from search.product import Product
from search.store import ProductStore


@pytest.fixture(autouse=True)
def _forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests' servers leave threads: these functions take no locks that such a thread could hold."""
    monkeypatch.setattr(ahead_module, "can_fork", lambda: True)


def whose() -> int:
    return os.getpid()


def test_another_process_does_it_and_arrays_come_back() -> None:
    with Ahead({"pid": whose, "array": lambda: np.arange(100_000)}) as ahead:
        assert ahead.take("pid") != os.getpid()
        assert np.array_equal(ahead.take("array"), np.arange(100_000))


def test_what_is_not_worthwhile_is_done_here_when_it_is_asked_for() -> None:
    done = []
    with Ahead({"pid": whose, "never": lambda: done.append(1)}, is_worthwhile=False) as ahead:
        assert ahead.take("pid") == os.getpid()
    assert not done


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def failing() -> None:
    raise ValueError("no such word")


def unsendable() -> Callable[[], int]:
    return lambda: 1


@pytest.mark.parametrize("trouble", [killed, failing, unsendable])
def test_what_a_second_process_could_not_do_is_done_here(trouble: Callable[[], Any]) -> None:
    here = os.getpid()
    with Ahead({"trouble": lambda: trouble() if os.getpid() != here else "done here"}) as ahead:
        assert ahead.take("trouble") == "done here"


def test_what_is_large_and_not_asked_for_yet_keeps_nothing_waiting() -> None:
    """A pipe holds 64 KiB: the work must go on while nobody reads the first of it."""
    wanted = [np.full(1_000_000, number) for number in range(3)]
    with Ahead({str(number): partial(wanted.__getitem__, number) for number in range(3)} | {"pid": whose}) as ahead:
        assert ahead.take("pid") != os.getpid()
        assert all(np.array_equal(ahead.take(str(number)), wanted[number]) for number in (2, 0, 1))


def test_an_error_is_raised_where_it_is_asked_for() -> None:
    with Ahead({"failing": failing}) as ahead, pytest.raises(ValueError, match="no such word"):
        ahead.take("failing")


def test_a_second_process_is_not_left_behind() -> None:
    with Ahead({"long": lambda: time.sleep(60)}) as ahead:
        process = ahead._process
        assert process is not None and process.is_alive()
    assert not process.is_alive()


def test_a_lock_is_free_once_its_holder_lets_go_though_the_second_process_is_at_work(tmp_path: Path) -> None:
    """A build that is killed leaves the second process for a moment: it must not keep the next build out."""
    lock = FileLock(tmp_path / "build.lock")
    lock.acquire()
    started = tmp_path / "started"

    def long() -> None:
        started.touch()
        time.sleep(60)

    with Ahead({"long": long}):
        while not started.exists():
            time.sleep(0.01)
        os.close(lock._context.lock_file_fd)  # type: ignore[attr-defined,arg-type]  # as when the process is killed
        try:
            FileLock(tmp_path / "build.lock").acquire(timeout=0)
        except Timeout:
            pytest.fail("the second process holds the lock")


def test_a_process_with_threads_does_not_fork() -> None:
    waits = threading.Event()
    thread = threading.Thread(target=waits.wait)
    thread.start()
    try:
        assert not can_fork()
    finally:
        waits.set()
        thread.join()


def shop(count: int) -> list[Product]:
    colors, kinds = ("red", "blue", "moss green"), ("mug", "key chain", "keychain", "t-shirt")
    return [
        Product(f"S-{row:04}", f"{colors[row % 3]} {kinds[row % 4]} {row % 11}", f"Holds {row % 7} things.",
                ("Home", kinds[row % 4]), f"Brand {row % 5}", 5.0 + row % 40, "USD",
                group_id=f"g{row // 2}", attributes={"Color": (colors[row % 3],)})
        for row in range(count)
    ]  # fmt: skip


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each second process was begun."""
    begun: list[bool] = []
    real = Ahead._begin
    monkeypatch.setattr(Ahead, "_begin", lambda self: (begun.append(True), real(self))[1])
    return begun


def test_many_products_that_are_held_are_read_ahead_and_stored_ones_are_not(
    tmp_path: Path, pids: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groundwork_module, "LEAST", 100)
    products = shop(120)
    for few in (products[:99], products):
        with groundwork(few, few) as ahead:
            assert ahead.take("language")[0] == "en"
    assert pids == [True]
    store = ProductStore(tmp_path / "products.db", writable=True)
    store.append(products)
    stored = StoredProducts(store)
    with groundwork(stored, stored) as ahead:
        assert ahead.take("suggestions")["categories"][0] == ("Home", "Home")
    assert pids == [True]


def test_a_release_is_the_same_whoever_did_the_groundwork(
    tmp_path: Path, pids: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["id,title,description,category,brand,price,color,group"]
    lines += [
        f"{one.id},{one.title},{one.description},{' > '.join(one.category)},{one.brand},{one.price},"
        f"{one.attributes['Color'][0]},{one.group_id}" for one in shop(150)
    ]  # fmt: skip
    (tmp_path / "shop.csv").write_text("\n".join(lines), "utf-8")
    files = []
    for least in (10_000, 100):
        monkeypatch.setattr(groundwork_module, "LEAST", least)
        settings = BuildSettings(tmp_path / "shop.csv", train="never")
        result = build(settings, Home(tmp_path / f"home-{least}"), Progress(quiet=True), lambda _: FakeEncoder())  # type: ignore[arg-type,return-value]
        files.append({name: digest for name, digest in result.manifest["files"].items() if name != "report.html"})
    assert pids == [True]
    assert files[0] == files[1]
