"""What a figure was taken on, and what a process and those that it made hold in memory."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path


def machine() -> str:
    """Return processor, cores, memory, Python and the date, as benches print them."""
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []:
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{processor}, {cores} cores, {memory:.0f} GB, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    )


def family(pid: int) -> list[int]:
    """Return a process and those that it made."""
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def resident_mb(pid: int | str) -> float:
    """Return the resident memory of a process, or of "self", in MB, files that it maps and has touched included."""
    return _mb(pid, "status", "VmRSS")


def own_mb(pid: int) -> float:
    """Return what no file stands behind of a process's resident memory, in MB."""
    return _mb(pid, "status", "RssAnon")


def memory_mb(pid: int) -> dict[str, float]:
    """Return what a process and those it made hold, in MB.

    `resident_mb` counts what several of them share in each, `proportional_mb` shares it out among all who map it.
    """
    members = family(pid)
    return {
        "resident_mb": round(sum(resident_mb(one) for one in members), 1),
        "proportional_mb": round(sum(_mb(one, "smaps_rollup", "Pss") for one in members), 1),
    }


def memory_kb(pid: int | str, file: str, field: str) -> int:
    """Return a number of KiB that /proc tells of a process in its `status` or `smaps_rollup`."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def _mb(pid: int | str, file: str, field: str) -> float:
    return round(memory_kb(pid, file, field) * 1024 / 1e6, 1)
