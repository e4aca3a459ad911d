"""How many CPUs this process really has: fewer than the machine where a container or a service has a quota."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def cpu_threads() -> int:
    """Return how many threads this process may keep busy: `AISLE_THREADS`, else one a CPU that it has."""
    wanted = os.environ.get("AISLE_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    return available_cpus()


def available_cpus() -> int:
    """Return how many CPUs affinity and quota leave this process, at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Rounded down: a thread more than the quota pays for only brings forward when all of them are stopped.
    return max(1, math.floor(min(allowed, cpu_quota())))


def keep_to_own_cpu(place: int, of: int) -> None:
    """Keep this process, with every thread that it will start, on a CPU of its own where there is one for each.

    Left to itself the system wakes a thread near the one that woke it. Of two busy processes of several threads each,
    both then often stand on one CPU while the other one idles (DESIGN.md, "Several processes"). Nothing is done where
    there are more CPUs than processes, or a quota, under which others may be kept to the same ones.

    Args:
        place: 0 .. of - 1, of this process among those that share the CPUs.
        of: how many these are.
    """
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if 1 < of == len(cpus) <= cpu_quota():
        with suppress(OSError):  # forbidden: it serves as well, a little slower
            os.sched_setaffinity(0, {cpus[place]})


def cpu_quota(mounted: Path = CGROUPS, own: Path = OWN_CGROUP) -> float:
    """Return how many CPUs' time the control groups of this process grant it, infinity where they set no limit.

    Args:
        mounted: where control groups (version 2, or the `cpu` hierarchy of version 1) are mounted.
        own: the file that names this process's groups, a line each: `number:controllers:path`.
    """
    return min((_quota_in(folder) for folder in _groups(mounted, own)), default=math.inf)


def _groups(mounted: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of this process's groups and of all above, which limit it as well."""
    lines = [line.split(":", 2) for line in _read(own).splitlines() if line.count(":") >= 2]
    for _, controllers, path in lines:
        if controllers and "cpu" not in controllers.split(","):
            continue
        roots = [mounted / name for name in (controllers, "cpu") if name] if controllers else [mounted]
        root = next((folder for folder in roots if folder.is_dir()), None)
        if root is not None:  # in a container the path may be of the host, and the root alone is there
            names = [name for name in path.split("/") if name not in ("", "..")]
            yield from (root.joinpath(*names[:depth]) for depth in range(len(names) + 1))


def _quota_in(folder: Path) -> float:
    """Return the CPUs that one group grants: one file of "QUOTA PERIOD" or "max PERIOD" (v2), or a file each (v1)."""
    numbers = _read(folder / "cpu.max").split()
    if not numbers:
        numbers = [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    try:
        quota, period = map(int, numbers)
    except ValueError:  # "max", or no such file
        return math.inf
    return quota / period if quota > 0 and period > 0 else math.inf  # version 1 writes -1 for no limit


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
