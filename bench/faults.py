"""Every place that touches a file, broken in every way: python bench/faults.py [OPERATION ...] [--syscalls]

Tries all sites of tests/faults (the suite tries some of those of builds), the first and the last time each is come by,
with an error, a kill, a short write and a kill amid a write. With --syscalls the same from below, with strace: the
n-th write, fsync, rename, ... of the process, whichever library makes it, fails or is the last thing it does. Prints a
table; exits with 1 when anything was wrong, and tells what as JSON lines.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
TRIALS = ROOT / "tests" / "faults" / "trials.py"
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "faults")]


def tried(operation: str, *options: str) -> list[dict[str, object]]:
    """Return what became of each try."""
    shared = Path("/dev/shm")  # noqa: S108 - where syncing costs nothing
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as scratch:
        command = [sys.executable, str(TRIALS), operation, f"{scratch}/faults", *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{operation}: the trials ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()][1:]


@click.command(help=__doc__.split("\n")[0])
@click.argument("operations", nargs=-1)
@click.option("--syscalls", is_flag=True, help="With strace, each system call in turn.")
@click.option("--every", default=1, show_default=True, help="Of the system calls, every so manieth.")
def main(operations: tuple[str, ...], syscalls: bool, every: int) -> None:
    """Try all, print a line for each operation."""
    from operations import OPERATIONS

    if syscalls and shutil.which("strace") is None:
        raise SystemExit("strace is not installed")
    wrong: list[dict[str, object]] = []
    for name in operations or OPERATIONS:
        tries = tried(name, f"syscalls={every}") if syscalls else tried(name, "all")
        bad = [one for one in tries if one["problems"]]
        sites = {json.dumps(one["site"]) for one in tries}
        click.echo(f"{name:<18} {len(sites):5} places {len(tries):6} tries {len(bad):4} wrong")
        wrong += bad
    for one in wrong:
        click.echo(json.dumps(one))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
