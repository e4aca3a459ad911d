"""The short form of bench/soak.py: some seconds of everything at once, while releases are built and rolled back."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from shop_fixtures import ROOT, Shop

sys.path.insert(0, str(ROOT))

from bench.soak import faults_of, soaked
from search.releases import rollback

SECONDS, CLIENTS, WINDOWS = 10.0, 3, 4


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz"):  # noqa: S310 - our own server
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="what a process holds is read from /proc")
def test_under_mixed_load_no_answer_fails_no_event_is_lost_and_nothing_piles_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path)
    shop.build()
    gate = tmp_path / "gate"
    gate.touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def change(number: int) -> None:
        if number == 2:
            rollback(shop.home)
        else:
            shop.rows[0][4] = f"{20 + number}.00"
            shop.build()

    monkeypatch.setenv("AISLE_EVENTS", "on")
    command = [sys.executable, str(ROOT / "tests" / "server_process.py"), str(shop.home.root), str(port), str(gate)]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 60
            while not answers(address) and time.monotonic() < until:
                time.sleep(0.1)
            report = soaked(address, server.pid, shop.home, change, SECONDS, CLIENTS, WINDOWS)
        finally:
            server.terminate()
    wrong = faults_of(report)
    assert not wrong, (wrong, report, (tmp_path / "log").read_text()[-2000:])
    assert report["answers"] > 50 and report["events_acknowledged"] > 0 and report["price_changes"] > 3
    assert sum(one["releases"] for one in report["windows"]) >= WINDOWS  # each was answered from
