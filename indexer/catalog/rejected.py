"""The file of rejected rows, for the person who repairs the catalog in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from indexer.catalog.outcomes import Rejection


def write_rejected(path: str | Path, rejections: Iterable[Rejection]) -> None:
    """Write line, column, value, reason, fix as UTF-8 CSV; no cell can run as a spreadsheet formula."""
    with Path(path).open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["line", "column", "value", "reason", "fix"])
        for rejection in rejections:
            texts = (rejection.column, rejection.value, rejection.reason, rejection.fix)
            writer.writerow([rejection.line, *map(_as_text, texts)])


def _as_text(cell: str) -> str:
    """Prefix ' where a spreadsheet would start a formula (OWASP, "CSV Injection")."""
    return (
        "'" + cell if cell.lstrip()[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠") or cell[:1] in "\t\r" else cell
    )
