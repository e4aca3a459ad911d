"""What a figure was taken on, and what a process holds in memory."""

from __future__ import annotations

import os
import platform
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


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB, files that it maps and has touched included."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return round(int(fields["VmRSS"].split()[0]) * 1024 / 1e6, 1)
