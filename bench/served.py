"""A server of a home for the time of a bench, as `python app.py` serves it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Settings under which 32 clients that ask again at once are all answered: 8 at work and 24 waiting, none refused.
PATIENT = {"AISLE_THREADS": "8", "AISLE_DEADLINE_MS": "60000"}
READY_SECONDS = 120


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve a home on a free port; gives its address once it answers by meaning."""
    with serving(home) as (address, _):
        yield address


@contextmanager
def serving(home: Path, **settings: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve a home on a free port with settings of the environment; gives address and process when it is ready.

    Of several processes (AISLE_PROCESSES) all are ready.
    """
    with starting(home, **settings) as (address, server):
        _wait(server, f"{address}/readyz")
        wait_for_all(address, int(settings.get("AISLE_PROCESSES", "1")))
        yield address, server


def wait_for_all(address: str, processes: int) -> None:
    """Wait until so many processes of a server that answers already are ready."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{address}/metrics") as answer:  # noqa: S310 - our own server
            found = re.search(r"^aisle_processes_ready (\d+)", answer.read().decode(), re.MULTILINE)
        if found and int(found[1]) >= processes:
            return
        time.sleep(0.1)
    raise SystemExit(f"not all of {processes} processes were ready in {READY_SECONDS} s")


@contextmanager
def starting(home: Path, **settings: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start to serve a home, see `serving`; gives the address and the process at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "AISLE_RATE_LIMIT": "off", "AISLE_HOME": str(home.resolve()), **settings}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation has its modules compiled
    command = [sys.executable, str(ROOT / "app.py"), "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.terminate()
        server.wait()


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise SystemExit(f"the server ended with code {server.returncode}; try: python app.py")
        try:
            with urllib.request.urlopen(address):  # noqa: S310 - our own server
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.3)
    raise SystemExit(f"the server was not ready in {READY_SECONDS} s")
