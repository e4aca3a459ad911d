"""Facets and filters: value codes by row and rows by value, so that filtering and counting are array work.

The values of the fields lie side by side, in one space of codes: one pass over the rows of a result counts every field,
and a filter reads only the rows that it leaves. Availability, which changes while a catalog stays, lies apart. A number
facet is one float32 per row, NaN where unknown.
"""

from __future__ import annotations

import itertools
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, Indices, Mask, Rows, expect, mapped
from search.entries import Entries, starts_of
from search.errors import QueryError, ReleaseDamaged
from search.folding import Counted, Folding
from search.naming import PATH_SEPARATOR, nearest

FOLDED = "products.npy"  # of the whole catalog, how many products carry each value
APART = "availability"


@dataclass(frozen=True)
class ValuesFacet:
    """One field with discrete values.

    Attributes:
        name: as in URLs and JSON, e.g. "color".
        label: for people, e.g. "Color".
        values: value texts, the most frequent first; a value's code is its position.
        entries: of all fields, or of this one; first: the code there of this field's first value.
        is_path: values are category paths ("A > B"); a row carries every ancestor of its own.
    """

    name: str
    label: str
    values: tuple[str, ...]
    entries: Entries = field(repr=False)
    first: int
    is_path: bool = False
    code_of: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "code_of", {value: code for code, value in enumerate(self.values)})

    @property
    def codes_here(self) -> slice:
        """Where its codes lie among those of all fields."""
        return slice(self.first, self.first + len(self.values))

    @cached_property
    def parents(self) -> tuple[str, ...]:
        """The path above each value, "" at the top."""
        return tuple(value.rpartition(PATH_SEPARATOR)[0] for value in self.values)

    @cached_property
    def is_top(self) -> Mask:
        """(v,) bool: whether there is no path above a value."""
        return np.array([not parent for parent in self.parents], bool)

    def rows_with(self, values: Iterable[str]) -> Mask:
        """Return (n,) bool: rows that carry any of the values; an unknown value matches nothing."""
        mask = np.zeros(len(self.entries.starts) - 1, bool)
        for value in values:
            mask[self.holders(value)] = True
        return mask

    def holders(self, value: str) -> NDArray[np.int32]:
        """Return the rows that carry a value, ascending, a view; none for an unknown one."""
        code = self.code_of.get(value)
        return np.zeros(0, np.int32) if code is None else self.entries.holders(self.first + code)

    def counts(self, rows: Indices, folding: Folding | None = None) -> NDArray[np.int64]:
        """Return (len(values),) how many of the rows, each given once, or of their products carry each value."""
        if len(rows) == len(self.entries.starts) - 1 and folding is None:  # the whole catalog, browsed
            return np.diff(self.entries.value_starts[self.first : self.first + len(self.values) + 1])
        codes, owners = self._of(rows)
        return Counted(rows, folding).counts(codes, len(self.values), owners)

    def _of(self, rows: Indices) -> tuple[NDArray[np.int32], Rows]:
        """Return (k,) the codes that these rows carry and (k,) the place in `rows` that each belongs to."""
        codes, owners = self.entries.within(rows)
        here = (codes >= self.first) & (codes < self.first + len(self.values))
        return codes[here] - np.int32(self.first), owners[here]

    def values_holding(self, text: str) -> list[str]:
        """Return the values that have a case-folded text in them."""
        folded, starts = self._folded
        found, place = [], 0
        while text and (place := folded.find(text, place)) >= 0:
            code = bisect_right(starts, place) - 1
            if place + len(text) < starts[code + 1]:  # else it goes on in the next value
                found.append(self.values[code])
                place = starts[code + 1]
            else:
                place += 1
        return found

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        """All values case-folded, a line each, and where each line begins: searched at once, in one go."""
        lines = [f"{value.casefold()}\n" for value in self.values]
        return "".join(lines), [0, *itertools.accumulate(map(len, lines))]

    def values_of(self, rows: Indices) -> list[tuple[str, ...]]:
        """Return the values that each of a few rows carries, as the product lists them."""
        found: list[list[str]] = [[] for _ in rows]
        for code, owner in zip(*(part.tolist() for part in self._of(rows)), strict=True):
            found[owner].append(self.values[code])
        return [tuple(values) for values in found]

    def carried(self, rows: Indices) -> int:
        """Return how many of the rows carry any value."""
        return len(np.unique(self._of(rows)[1]))

    @cached_property
    def codes(self) -> NDArray[np.int32]:
        """Every row's codes one after the other, see `offsets`; for what reads the whole catalog."""
        return self._of(np.arange(len(self.entries.starts) - 1))[0]

    @cached_property
    def offsets(self) -> Rows:
        """(n + 1,) int64: the codes of a row are codes[offsets[row]:offsets[row + 1]]."""
        return starts_of(self._all_rows, len(self.entries.starts) - 1)

    @cached_property
    def carriers(self) -> int:
        """How many rows of the catalog carry any value."""
        mask = np.zeros(len(self.entries.starts) - 1, bool)
        mask[self._all_rows] = True
        return int(np.count_nonzero(mask))

    @property
    def _all_rows(self) -> NDArray[np.int32]:
        """The row of each of its entries, value after value."""
        start, end = self.entries.value_starts[[self.codes_here.start, self.codes_here.stop]]
        return self.entries.rows[start:end]


@dataclass(frozen=True)
class Tally:
    """What a set of rows carries, of all fields at once.

    Attributes:
        counts: (v,) int64, how many of the rows, or of their products, carry each code.
        carried: (f,) int64, how many of the rows carry any value of each field.
    """

    counts: Rows
    carried: Rows


@dataclass(frozen=True)
class FacetIndex:
    """All facets of a release.

    Attributes:
        values: by name, in the order of their codes.
        numbers: by name.
        rows: how many there are.
        entries: the values of every row, of all fields but one that lies apart.
    """

    values: dict[str, ValuesFacet]
    numbers: dict[str, Floats]
    rows: int
    entries: Entries

    @classmethod
    def of_listing(
        cls, listing: Sequence[dict[str, Any]], numbers: dict[str, Floats], together: Entries, apart: Entries
    ) -> FacetIndex:
        """Return the facets that a listing names, in the order of their codes."""
        values, first = {}, 0
        for one in listing:
            name, label, texts, is_path = one["name"], one["label"], tuple(one["values"]), one["is_path"]
            if name == APART:
                values[name] = ValuesFacet(name, label, texts, apart, 0, is_path)
            else:
                values[name] = ValuesFacet(name, label, texts, together, first, is_path)
                first += len(texts)
        return cls(values, numbers, len(together.starts) - 1, together)

    def save(self, folder: Path) -> None:
        """Write facets as .npy columns and one JSON of names and values."""
        folder.mkdir(parents=True)
        self.entries.save(folder / "together")
        if APART in self.values:
            self.values[APART].entries.save(folder / APART)
        for name, column in self.numbers.items():
            np.save(folder / f"number.{name}.npy", column)
        if True in self._wholes:
            np.save(folder / FOLDED, self._wholes[True].counts)
        listing = [
            {"name": facet.name, "label": facet.label, "is_path": facet.is_path, "values": facet.values}
            for facet in self.values.values()
        ]
        carried = self._whole(Counted(np.arange(self.rows))).carried.tolist()
        data = {"rows": self.rows, "values": listing, "numbers": list(self.numbers), "carried": carried}
        (folder / "facets.json").write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> FacetIndex:
        """Open facets, their arrays memory-mapped.

        Raises:
            ReleaseDamaged: a file is missing or does not fit.
        """
        try:
            data = json.loads((folder / "facets.json").read_text("utf-8"))
            rows, sizes = data["rows"], {one["name"]: len(one["values"]) for one in data["values"]}
            apart = sizes.pop(APART, 0)
            together = Entries.load(folder / "together", rows, sum(sizes.values()))
            numbers = {
                name: expect(mapped(folder / f"number.{name}.npy"), (rows,), np.float32, name)
                for name in data["numbers"]
            }
            available = Entries.load(folder / APART, rows, apart) if apart else together
            index = cls.of_listing(data["values"], numbers, together, available)
            if "carried" in data:
                carried = expect(np.array(data["carried"], np.int64), (len(index.places),), np.int64, "carriers")
                index._wholes[False] = Tally(np.diff(together.value_starts), carried)
                if (folder / FOLDED).is_file():
                    counts = expect(np.load(folder / FOLDED), (sum(sizes.values()),), np.int64, "products of values")
                    index._wholes[True] = Tally(counts, carried)
            return index
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseDamaged(f"the facets in {folder} cannot be read ({error}); build the release again") from error

    @cached_property
    def _field_of(self) -> Rows:
        """(v,) the number of the field that each code is of."""
        return np.repeat(np.arange(len(self.places)), np.diff(self._firsts))

    @cached_property
    def _firsts(self) -> Rows:
        """(f + 1,) where the codes of each field begin."""
        return np.cumsum([0, *(len(self.values[name].values) for name in self.places)])

    @cached_property
    def places(self) -> dict[str, int]:
        """The number of each field that `tally` tells of."""
        together = [name for name, facet in self.values.items() if facet.entries is self.entries]
        return {name: place for place, name in enumerate(together)}

    def counts(self, name: str, counted: Counted, tally: Tally | None = None) -> Rows:
        """Return (len(values),) int64, how many of the rows, or of their products, carry each value of a facet.

        Args:
            name: of the facet.
            counted: what is counted.
            tally: of the same, where it is known.
        """
        facet = self.values[name]
        if name not in self.places:
            return facet.counts(counted.rows, counted.folding)
        return (tally or self.tally(counted)).counts[facet.codes_here]

    def tally(self, counted: Counted) -> Tally:
        """Return what a set of rows carries; of the whole catalog it is remembered."""
        if len(counted) == self.rows:
            return self._whole(counted)
        return self._tally(counted)

    def _tally(self, counted: Counted) -> Tally:
        own, lengths = self.entries.of_rows(counted.rows)
        codes = own.astype(np.intp)  # once, for each use of an index of another type is a copy
        fields = self._field_of.take(codes)
        is_further = np.zeros(len(fields) + 1, bool)  # not the first code of a field in a row
        np.equal(fields[1:], fields[:-1], out=is_further[1:-1])
        is_further[lengths.cumsum() - lengths] = False
        further = fields[is_further.nonzero()[0]]
        counts = np.bincount(codes, minlength=len(self._field_of))
        carried = self._sums(counts) - np.bincount(further, minlength=len(self.places))
        if counted.folding is not None:
            counts = counted.counts(codes, len(counts), np.arange(len(lengths)).repeat(lengths))
        return Tally(counts, carried)

    def _sums(self, counts: Rows) -> Rows:
        """Return (f,) int64, the sum of the (v,) counts of each field."""
        up_to = np.zeros(len(counts) + 1, np.int64)
        counts.cumsum(out=up_to[1:])
        up_to = up_to[self._firsts]
        return up_to[1:] - up_to[:-1]

    @cached_property
    def _wholes(self) -> dict[bool, Tally]:
        return {}

    def _whole(self, counted: Counted) -> Tally:
        is_folded = counted.folding is not None
        if (found := self._wholes.get(is_folded)) is None:
            carried = np.array([self.values[name].carriers for name in self.places], np.int64)
            counts = self._tally(counted).counts if is_folded else np.diff(self.entries.value_starts)
            found = self._wholes[is_folded] = Tally(counts, carried)
        return found

    def count_products(self, group_of: Rows) -> None:
        """Count the products of the whole catalog once and for all: of a million rows it takes seconds.

        Args:
            group_of: (n,) int64, equal for the variants of one product.
        """
        if (folding := Folding.of(group_of)) is not None:
            self._whole(Counted(np.arange(self.rows), folding))

    def best_of_each(self, tally: Tally, most: int) -> tuple[Rows, Rows]:
        """Return (f, most) int64, the largest counts above 1 of each field, falling, filled up with 0, and (f,) sums.

        Args:
            tally: of a set of rows.
            most: counts of each field.
        """
        several = (tally.counts > 1).nonzero()[0]
        # One number for both, so that they are in order once it is: the field, then how much less than the most.
        base = int(tally.counts.max(initial=0)) + 1
        ordered = self._field_of[several] * base + (base - 1 - tally.counts[several])
        ordered.sort()
        fields, less = np.divmod(ordered, base)
        firsts = fields.searchsorted(np.arange(len(self.places)))
        ranks = np.arange(len(fields)) - firsts[fields]
        largest = np.zeros((len(self.places), most), np.int64)
        seen = ranks < most
        largest[fields[seen], ranks[seen]] = base - 1 - less[seen]
        return largest, self._sums(tally.counts)

    def allowed(
        self,
        filters: Mapping[str, Sequence[str]],
        price_min: float | None = None,
        price_max: float | None = None,
        in_stock: bool = False,
        rating_min: float | None = None,
    ) -> Mask | None:
        """Return (n,) bool of the rows that pass every filter, or None when there is no filter.

        Values of one field are alternatives; fields must all hold. What has no price passes no price bound, and so on.

        Raises:
            QueryError: a field that this catalog does not have.
        """
        masks = [self.facet(name, f"f.{name}").rows_with(values) for name, values in filters.items() if values]
        if in_stock:
            masks.append(self.in_stock())
        if price_min is not None or price_max is not None:
            masks.append(self.between("price", price_min, price_max))
        if rating_min is not None:
            masks.append(self.between("rating", rating_min))
        return np.logical_and.reduce(masks) if masks else None

    def between(self, name: str, low: float | None = None, high: float | None = None) -> Mask:
        """Return (n,) bool: rows whose number lies within the bounds, both included; an unknown one never does."""
        numbers = self.numbers.get(name, np.full(self.rows, np.nan, np.float32))
        least = -np.inf if low is None else np.float32(low)
        most = np.inf if high is None else np.float32(high)
        return (numbers >= least) & (numbers <= most)  # NaN compares false

    def in_stock(self) -> Mask:
        """Return (n,) bool: rows that are not said to be out of stock."""
        facet = self.values.get("availability")
        return np.ones(self.rows, bool) if facet is None else ~facet.rows_with(["out_of_stock"])

    def facet(self, name: str, parameter: str) -> ValuesFacet:
        """Return a values facet by name.

        Raises:
            QueryError: there is none; the nearest name is suggested.
        """
        if name not in self.values:
            raise QueryError(parameter, f'this catalog has no filter "{name}"{nearest(name, self.values)}')
        return self.values[name]
