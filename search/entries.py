"""Which values every row of a catalog has, as codes by row and as rows by code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.arrays import Indices, Rows, expect, mapped, runs


@dataclass(frozen=True)
class Entries:
    """Every value of every row, in codes that no two fields share.

    Attributes:
        starts: (n + 1,) int64; codes: (e,) int32. Those of a row are codes[starts[row]:starts[row + 1]], field after
            field, within a field as the product lists them.
        value_starts: (v + 1,) int64; rows: (e,) int32. The rows of a code, ascending, are
            rows[value_starts[code]:value_starts[code + 1]].
    """

    starts: Rows
    codes: NDArray[np.int32]
    value_starts: Rows
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, rows: NDArray[np.int32], codes: NDArray[np.int32], count: int, values: int) -> Entries:
        """Return the entries of (e,) rows and (e,) codes, of `count` rows and `values` codes.

        Args:
            rows, codes: field after field, within a field by row.
            count: how many rows there are.
            values: how many codes.
        """
        by_row, by_value = (np.argsort(numbers, kind="stable") for numbers in (rows, codes))
        return cls(starts_of(rows, count), codes[by_row], starts_of(codes, values), rows[by_value])

    def within(self, rows: Indices) -> tuple[NDArray[np.int32], Rows]:
        """Return (k,) all codes of these rows, in their order, and (k,) the place in `rows` that each belongs to."""
        codes, lengths = self.of_rows(rows)
        return codes, np.arange(len(rows)).repeat(lengths)

    def of_rows(self, rows: Indices) -> tuple[NDArray[np.int32], Rows]:
        """Return (k,) all codes of these rows, in their order, and (m,) how many each row has."""
        starts = self.starts[rows]
        lengths = self.starts[rows + 1] - starts
        return self.codes.take(runs(starts, lengths)), lengths

    def holders(self, code: int) -> NDArray[np.int32]:
        """Return the rows that carry a code, ascending; a view."""
        return self.rows[self.value_starts[code] : self.value_starts[code + 1]]

    def save(self, folder: Path) -> None:
        """Write the four arrays."""
        folder.mkdir(parents=True)
        for name, array in vars(self).items():
            np.save(folder / f"{name}.npy", array)

    @classmethod
    def load(cls, folder: Path, count: int, values: int) -> Entries:
        """Open them, memory-mapped.

        Args:
            folder: where `save` wrote them.
            count: how many rows there must be.
            values: how many codes.

        Raises:
            ReleaseDamaged, OSError, ValueError: a file is missing, truncated, or they do not fit each other.
        """
        starts = expect(mapped(folder / "starts.npy"), (count + 1,), np.int64, "facet starts")
        codes = expect(mapped(folder / "codes.npy"), (int(starts[-1]),), np.int32, "facet codes")
        value_starts = expect(mapped(folder / "value_starts.npy"), (values + 1,), np.int64, "value starts")
        rows = expect(mapped(folder / "rows.npy"), (int(value_starts[-1]),), np.int32, "rows of values")
        return cls(starts, codes, value_starts, rows)


def starts_of(numbers: NDArray[np.int32], count: int) -> Rows:
    """Return (count + 1,) int64, where each of 0..count - 1 begins among these numbers in order."""
    return np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=count))]).astype(np.int64)
