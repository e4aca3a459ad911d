"""One constraint a query states, and the rows that keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from search.arrays import Mask
from search.facets import FacetIndex

AROUND = 0.25  # "around $40" is $30 to $50
NUMBERS = ("price", "rating")


@dataclass(frozen=True)
class Constraint:
    """What a query asks of one field.

    Attributes:
        field: "price", "rating", "availability", a facet's name, or "words" for a word that must not be stated.
        op: "<=", ">=", "~" (around), "=", "in", "!=".
        value: a number, a facet's value, the values of "in", or the unwanted words.
        text: the query's words that say so.
        is_filter: whether products must keep it; otherwise it only lifts those that do.
    """

    field: str
    op: str
    value: float | str | tuple[str, ...]
    text: str
    is_filter: bool

    def as_json(self) -> dict[str, Any]:
        """Return the contract's JSON."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        strength = "filter" if self.is_filter else "boost"
        return {"field": self.field, "op": self.op, "value": value, "text": self.text, "strength": strength}

    def kept_by(self, facets: FacetIndex, unwanted: Mask | None = None) -> Mask:
        """Return (n,) bool: the rows that keep it. A row whose price or rating is unknown keeps no bound on it.

        Args:
            facets: of the release.
            unwanted: (n,) rows that state the unwanted words; for "!=" only.
        """
        if self.op == "!=":
            kept = np.ones(facets.rows, bool) if unwanted is None else ~unwanted
            return kept if self.field == "words" else kept & ~facets.values[self.field].rows_with([str(self.value)])
        if self.field in NUMBERS:
            return self._within(facets)
        if self.field == "availability":
            return facets.in_stock()
        values = self.value if isinstance(self.value, tuple) else (str(self.value),)
        return facets.values[self.field].rows_with(values)

    def _within(self, facets: FacetIndex) -> Mask:
        bound = float(self.value)  # type: ignore[arg-type]
        low = {"~": bound * (1 - AROUND), ">=": bound}.get(self.op)
        high = {"~": bound * (1 + AROUND), "<=": bound}.get(self.op)
        return facets.between(self.field, low, high)


@dataclass(frozen=True)
class Found:
    """Constraints and where a text states them.

    Attributes:
        constraints: what is asked.
        start, end: of the characters that say so.
        also: further spans that say nothing else, "my budget" of "my budget for a lamp is $40".
    """

    constraints: tuple[Constraint, ...]
    start: int
    end: int
    also: tuple[tuple[int, int], ...] = ()

    def blanked(self, text: str) -> str:
        """Return the text with all these characters blotted out, in place."""
        for start, end in ((self.start, self.end), *self.also):
            text = text[:start] + "\0" * (end - start) + text[end:]
        return text
