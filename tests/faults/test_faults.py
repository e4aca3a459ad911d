"""Whatever breaks wherever a file is touched: what was promised is there, nothing half-written is served, all goes on.

`AISLE_FAULTS=all` tries every site of every operation, the first and the last time it is come by: some minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

TRIALS = Path(__file__).parent / "trials.py"
OPERATIONS = (
    "build", "build --dim", "build --out", "update", "changes", "changes, the first", "changes, rewritten",
    "changes, damaged", "update --prices", "PATCH", "rollback", "open", "events", "events, the first", "keys",
    "insights",
)  # fmt: skip
LEAST_SITES = 40
EVERYTHING = ["all"] if os.environ.get("AISLE_FAULTS") == "all" else []
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where syncing costs nothing

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="faults are injected on Linux alone")
_tried: dict[str, list[dict[str, Any]]] = {}


def tries_of(operation: str) -> list[dict[str, Any]]:
    """Run the trials of an operation, once."""
    if operation not in _tried:
        shared = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=shared) as scratch:
            command = [sys.executable, str(TRIALS), operation, f"{scratch}/faults", *EVERYTHING]
            done = subprocess.run(command, capture_output=True, text=True, timeout=3600 if EVERYTHING else 600)
        assert done.returncode == 0, done.stderr[-3000:]
        _tried[operation] = [json.loads(line) for line in done.stdout.splitlines()][1:]
    return _tried[operation]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_that_breaks_loses_nothing_says_what_to_do_and_goes_on_afterwards(operation: str) -> None:
    tries = tries_of(operation)
    wrong = [one for one in tries if one["problems"]]
    assert not wrong, f"{len(wrong)} of {len(tries)}:\n" + "\n".join(json.dumps(one) for one in wrong[:5])
    assert {one["kind"] for one in tries} == {"error", "kill", "short", "torn"}


def test_more_than_forty_places_were_broken_by_an_error_a_kill_and_a_short_write() -> None:
    kinds: dict[tuple[str, ...], set[str]] = {}
    for operation in OPERATIONS:
        for one in tries_of(operation):
            kinds.setdefault(tuple(one["site"]), set()).add(one["kind"])
    whole = sum(found >= {"error", "kill", "short"} for found in kinds.values())
    tries = sum(len(tries_of(operation)) for operation in OPERATIONS)
    print(f"{whole} places broken by an error, a kill and a short write; {tries} tries of {len(OPERATIONS)} operations")
    assert whole >= LEAST_SITES


def test_every_operation_there_is_is_tried() -> None:
    listed = "import trials; print('\\n'.join(trials.OPERATIONS))"
    done = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, cwd=TRIALS.parent)
    assert tuple(done.stdout.split("\n")[:-1]) == OPERATIONS
