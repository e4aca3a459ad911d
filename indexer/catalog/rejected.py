"""The file of rejected rows, for the person who repairs the catalog in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from indexer.catalog.outcomes import Rejection
from search.export import guarded


def write_rejected(path: str | Path, rejections: Iterable[Rejection]) -> None:
    """Write line, column, value, reason, fix as UTF-8 CSV; no cell can run as a spreadsheet formula."""
    with Path(path).open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["line", "column", "value", "reason", "fix"])
        for rejection in rejections:
            texts = (rejection.column, rejection.value, rejection.reason, rejection.fix)
            writer.writerow([rejection.line, *map(guarded, texts)])
