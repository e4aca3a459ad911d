"""What becomes of a row: a product, a rejection, or a note that it was set aside."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SHOWN_CHARACTERS = 80  # a rejected value is shortened to one line of a terminal


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that does not become a product.

    Attributes:
        line: 1 = header; the physical line where the row begins (Parquet: row number + 1).
        column: the header concerned; "" when it is the row as a whole.
        value: the offending value, shortened to SHOWN_CHARACTERS, on one line.
        reason: what is wrong, with this row's particulars.
        fix: what to do next.
        kind: the same reason without particulars, for counting: "duplicate id".
    """

    line: int
    column: str
    value: str
    reason: str
    fix: str
    kind: str


@dataclass
class Warned:
    """One reason for a warning: how often, where first and with which value."""

    count: int
    first_line: int
    example: str


@dataclass
class Notes:
    """What one reading of a catalog tells beside its products and rejections.

    `rows` counts every row that is not blank, so rows = products + rejections + folded + unpublished.
    """

    rows: int = 0
    blank: int = 0
    folded: int = 0
    unpublished: int = 0
    warnings: dict[tuple[str, str], Warned] = field(default_factory=dict)

    def warn(self, line: int, column: str, reason: str, value: str = "") -> None:
        """Count a value that was dropped or repaired while its product stayed."""
        warned = self.warnings.get((column, reason))
        if warned:
            warned.count += 1
        else:
            self.warnings[column, reason] = Warned(1, line, shortened(value))


def shortened(value: str) -> str:
    """Return the value on one line of at most SHOWN_CHARACTERS, safe to print: what no terminal shows becomes �."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", "\ufffd", " ".join(value[:500].split()))
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
