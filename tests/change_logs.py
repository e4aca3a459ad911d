"""A log of prices and stock with three batches, and what is put aside of a damaged one."""

from __future__ import annotations

from pathlib import Path

from search.state.batches import Change
from search.state.changes import ChangeLog


def log_of_three(path: Path) -> ChangeLog:
    """Three batches, one line each: a at 1, b at 2, then out of stock."""
    log = ChangeLog(path)
    log.write({"a": Change(1.0)})
    log.write({"b": Change(2.0)})
    log.write({"b": Change(availability="out_of_stock")})
    return log


def asides(path: Path) -> list[Path]:
    return sorted(path.parent.glob("changes.damaged-*"))
