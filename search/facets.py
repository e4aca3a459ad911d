"""Facets and filters: columns of value codes by row, so that filtering and counting are array work.

A values facet is held as compressed sparse rows: `codes[offsets[row]:offsets[row + 1]]` are the row's value numbers.
A number facet is one float32 per row, NaN where unknown.
"""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, Mask, Rows, expect
from search.errors import QueryError, ReleaseDamaged
from search.folding import Folding
from search.product import Product

MAX_VALUES = 500  # an attribute with more distinct values is read, not filtered by
SHARED = 0.5  # so is one less than half of whose mentions are of values that several products have
MIN_SHARE = 0.02  # and one that under 2 % of the products have is not offered at all
MAX_ATTRIBUTE_FACETS = 40
MAX_VALUE_CHARACTERS = 60
NUMBERS = ("price", "rating", "created")
PATH_SEPARATOR = " > "
_LIST = re.compile(r"[,;] (?=\D)")  # "vegan, gluten-free" are two values; "20,000 mm" is one


@dataclass(frozen=True)
class ValuesFacet:
    """One field with discrete values.

    Attributes:
        name: as in URLs and JSON, e.g. "color".
        label: for people, e.g. "Color".
        values: value texts, the most frequent first; a value's code is its position.
        offsets: (n + 1,) int64; codes: int32 (see module).
        is_path: values are category paths ("A > B"); a row carries every ancestor of its own.
    """

    name: str
    label: str
    values: tuple[str, ...]
    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    is_path: bool = False
    code_of: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "code_of", {value: code for code, value in enumerate(self.values)})

    def rows_with(self, values: Iterable[str]) -> Mask:
        """Return (n,) bool: rows that carry any of the values; an unknown value matches nothing."""
        wanted = np.zeros(len(self.values) + 1, bool)
        wanted[[self.code_of[value] for value in values if value in self.code_of]] = True
        hits = np.flatnonzero(wanted[self.codes])
        mask = np.zeros(len(self.offsets) - 1, bool)
        mask[np.searchsorted(self.offsets, hits, side="right") - 1] = True
        return mask

    def counts(self, rows: Rows, folding: Folding | None = None) -> NDArray[np.int64]:
        """Return (len(values),) how many of the rows, each given once, or of their products carry each value."""
        entries = self._entries(rows)
        if folding is not None:
            return folding.pairs(f"f.{self.name}", self.codes, self.offsets).counts(entries, len(self.values))
        return np.bincount(self.codes[entries], minlength=len(self.values))

    def _entries(self, rows: Rows) -> Rows | slice:
        """Return where in `codes` the values of these rows are."""
        if len(rows) == len(self.offsets) - 1:  # the whole catalog, browsed
            return slice(None)
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        # Positions of all codes of all rows, without a Python loop: a start repeated, plus 0..length-1.
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.repeat(starts, lengths) + within

    def values_of(self, rows: Rows) -> list[tuple[str, ...]]:
        """Return the values that each of a few rows carries."""
        starts, ends = self.offsets[rows].tolist(), self.offsets[rows + 1].tolist()
        return [
            tuple(self.values[code] for code in self.codes[start:end].tolist())
            for start, end in zip(starts, ends, strict=True)
        ]

    def carried(self, rows: Rows) -> int:
        """Return how many of the rows carry any value."""
        return int(np.count_nonzero(self.offsets[rows + 1] > self.offsets[rows]))


@dataclass(frozen=True)
class FacetIndex:
    """All facets of a release."""

    values: dict[str, ValuesFacet]
    numbers: dict[str, Floats]
    rows: int

    @classmethod
    def build(cls, products: Iterable[Product]) -> FacetIndex:
        """Make facets from the catalog: category, brand, availability and every attribute worth filtering by."""
        columns = {name: _Column() for name in ("category", "brand", "availability")}
        attributes: dict[str, _Column] = {}
        labels: dict[str, Counter[str]] = {}
        numbers = {name: array("f") for name in NUMBERS}
        row = -1
        for row, product in enumerate(products):
            columns["category"].add(row, ancestors(product.category))
            columns["brand"].add(row, (product.brand,) if product.brand else ())
            columns["availability"].add(row, (product.availability,) if product.availability else ())
            for name, texts in _attributes_of(product, labels).items():
                attributes.setdefault(name, _Column(MAX_VALUES, MAX_VALUE_CHARACTERS)).add(row, texts)
            numbers["price"].append(np.nan if product.price is None else product.price)
            numbers["rating"].append(np.nan if product.rating is None else product.rating)
            numbers["created"].append(_days(product.created_at))
        count = row + 1
        facets = {
            name: column.facet(name, name.capitalize(), count, is_path=name == "category")
            for name, column in columns.items()
            if column.holders
        }
        for name in _worth_filtering(attributes, count):
            label = labels[name].most_common(1)[0][0].replace("_", " ").capitalize()
            facets.setdefault(name, attributes[name].facet(name, label, count))
        arrays = {name: np.array(column, np.float32) for name, column in numbers.items()}
        return cls(facets, {name: found for name, found in arrays.items() if not np.isnan(found).all()}, count)

    def save(self, folder: Path) -> None:
        """Write facets as .npy columns and one JSON of names and values."""
        folder.mkdir(parents=True)
        listing = []
        for number, facet in enumerate(self.values.values()):
            np.save(folder / f"{number:03d}.offsets.npy", facet.offsets)
            np.save(folder / f"{number:03d}.codes.npy", facet.codes)
            entry = {"name": facet.name, "label": facet.label, "is_path": facet.is_path, "values": facet.values}
            listing.append(entry)
        for name, column in self.numbers.items():
            np.save(folder / f"{name}.npy", column)
        data = {"rows": self.rows, "values": listing, "numbers": list(self.numbers)}
        (folder / "facets.json").write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> FacetIndex:
        """Read facets back.

        Raises:
            ReleaseDamaged: a file is missing or does not fit.
        """
        try:
            data = json.loads((folder / "facets.json").read_text("utf-8"))
            rows = data["rows"]
            values = {}
            for number, entry in enumerate(data["values"]):
                offsets = expect(np.load(folder / f"{number:03d}.offsets.npy"), (rows + 1,), np.int64, "facet offsets")
                codes = expect(np.load(folder / f"{number:03d}.codes.npy"), (int(offsets[-1]),), np.int32, "codes")
                facet = ValuesFacet(
                    entry["name"], entry["label"], tuple(entry["values"]), offsets, codes, entry["is_path"]
                )
                values[facet.name] = facet
            numbers = {
                name: expect(np.load(folder / f"{name}.npy"), (rows,), np.float32, name) for name in data["numbers"]
            }
        except (OSError, ValueError, KeyError) as error:
            raise ReleaseDamaged(f"the facets in {folder} cannot be read ({error}); build the release again") from error
        return cls(values, numbers, rows)

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


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the closest known name, else a list of what there is."""
    from rapidfuzz import process

    names = list(known)
    found = process.extractOne(name, names, score_cutoff=60)
    if found:
        return f'; did you mean "{found[0]}"?'
    return f"; there are: {', '.join(names[:20])}" if names else ""


@lru_cache(maxsize=50_000)
def values_in(text: str) -> tuple[str, ...]:
    """Return the values that an attribute's text lists: "vegan, gluten-free" are two."""
    return tuple(one for part in _LIST.split(text) if (one := part.strip()))


@lru_cache(maxsize=10_000)
def field_name(label: str) -> str:
    """Return an attribute's name in URLs and JSON: "Skill Level" -> "skill_level"."""
    return "_".join("".join(c if c.isalnum() else " " for c in label.casefold()).split())


def ancestors(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return a category and every one above it as path texts, the widest first."""
    return tuple(PATH_SEPARATOR.join(path[: depth + 1]) for depth in range(len(path)))


def _days(created_at: str) -> float:
    """Return days since 1970 of an ISO date, NaN when unknown."""
    try:
        return float(np.datetime64(created_at[:10], "D").astype(np.int64)) if created_at else np.nan
    except ValueError:
        return np.nan


def _attributes_of(product: Product, labels: dict[str, Counter[str]]) -> dict[str, tuple[str, ...]]:
    """Return name -> single values of a product's attributes, and count how their names are written."""
    found: dict[str, tuple[str, ...]] = {}
    for label, texts in product.attributes.items():
        name = field_name(label)
        labels.setdefault(name, Counter())[label] += 1
        single = [one for text in texts for one in values_in(text)]
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *single)))
    return found


class _Column:
    """A field in the making: the values of the rows that have any, as numbers.

    Args:
        most: distinct values; of a column with more only the number of rows that have one is known.
        longest: characters of a value; the same for a column with a longer one.

    Attributes:
        holders: how many rows were added with or without values.
        is_over: whether one of the bounds was passed.
    """

    def __init__(self, most: int | None = None, longest: int | None = None):
        self.most, self.longest = most, longest
        self.number_of: dict[str, int] = {}
        self.holders, self.is_over = 0, False
        self._rows, self._codes = array("i"), array("i")

    def add(self, row: int, texts: tuple[str, ...]) -> None:
        """Add a row, each once and ascending."""
        self.holders += bool(texts) or self.most is not None
        if self.is_over:
            return
        for text in texts:
            self._codes.append(self.number_of.setdefault(text, len(self.number_of)))
            self._rows.append(row)
            if self.longest is not None and len(text) > self.longest:
                self.is_over = True
        if self.is_over or (self.most is not None and len(self.number_of) > self.most):
            self.is_over = True
            self.number_of, self._rows, self._codes = {}, array("i"), array("i")

    def counts(self) -> NDArray[np.int64]:
        """Return how many rows have each value."""
        return np.bincount(np.array(self._codes, np.int32), minlength=len(self.number_of))

    def facet(self, name: str, label: str, rows: int, is_path: bool = False) -> ValuesFacet:
        """Return the facet of so many rows."""
        counts = dict(zip(self.number_of, self.counts().tolist(), strict=True))
        values = tuple(sorted(counts, key=lambda text: (-counts[text], text)))
        code_of = {value: code for code, value in enumerate(values)}
        codes = np.array([code_of[text] for text in self.number_of], np.int32)[np.array(self._codes, np.int32)]
        lengths = np.bincount(np.array(self._rows, np.int32), minlength=rows)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return ValuesFacet(name, label, values, offsets, codes, is_path)


def _worth_filtering(attributes: dict[str, _Column], rows: int) -> list[str]:
    """Return attribute names with enough coverage and few, short values, the most covered first."""
    worthy = []
    for name, column in attributes.items():
        if not name or name in NUMBERS or column.is_over or column.holders < max(2, MIN_SHARE * rows):
            continue
        counts = column.counts()
        if len(counts) >= 2 and counts[counts > 1].sum() >= SHARED * counts.sum():
            worthy.append(name)
    return sorted(worthy, key=lambda name: (-attributes[name].holders, name))[:MAX_ATTRIBUTE_FACETS]
