"""Facets and filters: columns of value codes by row, so that filtering and counting are array work.

A values facet is held as compressed sparse rows: `codes[offsets[row]:offsets[row + 1]]` are the row's value numbers.
A number facet is one float32 per row, NaN where unknown.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.analysis import folded
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
        columns: dict[str, list[tuple[str, ...]]] = {"category": [], "brand": [], "availability": []}
        attributes: dict[str, dict[int, tuple[str, ...]]] = {}
        labels: dict[str, Counter[str]] = {}
        numbers: dict[str, list[float]] = {name: [] for name in NUMBERS}
        row = -1
        for row, product in enumerate(products):
            columns["category"].append(_ancestors(product.category))
            columns["brand"].append((product.brand,) if product.brand else ())
            columns["availability"].append((product.availability,) if product.availability else ())
            for label, texts in product.attributes.items():
                name = field_name(label)
                labels.setdefault(name, Counter())[label] += 1
                earlier = attributes.setdefault(name, {}).get(row, ())
                single = [one for text in texts for one in values_in(text)]
                attributes[name][row] = tuple(dict.fromkeys((*earlier, *single)))
            numbers["price"].append(np.nan if product.price is None else product.price)
            numbers["rating"].append(np.nan if product.rating is None else product.rating)
            numbers["created"].append(_days(product.created_at))
        count = row + 1
        facets = {
            name: _values_facet(name, name.capitalize(), column, is_path=name == "category")
            for name, column in columns.items()
            if any(column)
        }
        for name in _worth_filtering(attributes, count):
            column = [attributes[name].get(row, ()) for row in range(count)]
            label = labels[name].most_common(1)[0][0]
            facets.setdefault(name, _values_facet(name, label.replace("_", " ").capitalize(), column))
        arrays = {name: np.asarray(column, np.float32) for name, column in numbers.items()}
        return cls(facets, {name: array for name, array in arrays.items() if not np.isnan(array).all()}, count)

    def save(self, folder: Path) -> None:
        """Write facets as .npy columns and one JSON of names and values."""
        folder.mkdir(parents=True)
        listing = []
        for number, facet in enumerate(self.values.values()):
            np.save(folder / f"{number:03d}.offsets.npy", facet.offsets)
            np.save(folder / f"{number:03d}.codes.npy", facet.codes)
            entry = {"name": facet.name, "label": facet.label, "is_path": facet.is_path, "values": facet.values}
            listing.append(entry)
        for name, array in self.numbers.items():
            np.save(folder / f"{name}.npy", array)
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
    ) -> Mask | None:
        """Return (n,) bool of the rows that pass every filter, or None when there is no filter.

        Values of one field are alternatives; fields must all hold. A product without a price passes no price bound.

        Raises:
            QueryError: a field that this catalog does not have.
        """
        masks = [self.facet(name, f"f.{name}").rows_with(values) for name, values in filters.items() if values]
        if in_stock and "availability" in self.values:
            masks.append(~self.values["availability"].rows_with(["out_of_stock"]))
        if price_min is not None or price_max is not None:
            prices = self.numbers.get("price", np.full(self.rows, np.nan, np.float32))
            low = -np.inf if price_min is None else np.float32(price_min)
            high = np.inf if price_max is None else np.float32(price_max)
            masks.append((prices >= low) & (prices <= high))  # NaN compares false
        return np.logical_and.reduce(masks) if masks else None

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


def values_in(text: str) -> list[str]:
    """Return the values that an attribute's text lists: "vegan, gluten-free" are two."""
    return [one for part in _LIST.split(text) if (one := part.strip())]


def field_name(label: str) -> str:
    """Return an attribute's name in URLs and JSON: "Skill Level" -> "skill_level"."""
    return "_".join("".join(c if c.isalnum() else " " for c in label.casefold()).split())


def _ancestors(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(PATH_SEPARATOR.join(path[: depth + 1]) for depth in range(len(path)))


def _days(created_at: str) -> float:
    """Return days since 1970 of an ISO date, NaN when unknown."""
    try:
        return float(np.datetime64(created_at[:10], "D").astype(np.int64)) if created_at else np.nan
    except ValueError:
        return np.nan


def _worth_filtering(attributes: dict[str, dict[int, tuple[str, ...]]], rows: int) -> list[str]:
    """Return attribute names with enough coverage and few, short values, the most covered first."""
    worthy = []
    for name, column in attributes.items():
        counts = Counter(text for texts in column.values() for text in texts)
        enough = len(column) >= max(2, MIN_SHARE * rows)
        few = 2 <= len(counts) <= MAX_VALUES
        shared = sum(count for count in counts.values() if count > 1) >= SHARED * counts.total()
        if name and name not in NUMBERS and enough and few and shared and max(map(len, counts)) <= MAX_VALUE_CHARACTERS:
            worthy.append(name)
    return sorted(worthy, key=lambda name: (-len(attributes[name]), name))[:MAX_ATTRIBUTE_FACETS]


def _values_facet(name: str, label: str, column: list[tuple[str, ...]], is_path: bool = False) -> ValuesFacet:
    counts = Counter(text for texts in column for text in texts)
    values = tuple(sorted(counts, key=lambda text: (-counts[text], text)))
    code_of = {value: code for code, value in enumerate(values)}
    offsets = np.concatenate([[0], np.cumsum([len(texts) for texts in column])]).astype(np.int64)
    codes = np.fromiter((code_of[text] for texts in column for text in texts), np.int32, int(offsets[-1]))
    return ValuesFacet(name, label, values, offsets, codes, is_path)


def facet_json(
    facet: ValuesFacet,
    rows: Rows,
    selected: Sequence[str],
    limit: int,
    find: str = "",
    folding: Folding | None = None,
) -> dict[str, Any]:
    """Return `{"type": "values", ...}`: values by frequency, selected ones always among them.

    Up to `limit` values; of paths up to `limit` below each open branch, a branch being open at the top and where it,
    or something below it, is selected.

    Args:
        facet: to count.
        rows: that it is counted over.
        selected: values chosen.
        limit: most values listed.
        find: only values with this text in them are listed, however deep; the others count as before.
        folding: counts products in place of rows.
    """
    counts = facet.counts(rows, folding)
    present = np.flatnonzero(counts)
    codes = present[np.argsort(-counts[present], kind="stable")].tolist()
    if find:
        listed = [code for code in codes if folded(find) in folded(facet.values[code])][:limit]
    else:
        listed = _open_branches(facet, codes, selected, limit) if facet.is_path else codes[:limit]
    chosen = {facet.code_of[value] for value in selected if value in facet.code_of}
    shown = listed + [code for code in codes if code in chosen and code not in listed]
    values = [
        {"value": facet.values[code], "count": int(counts[code]), "selected": facet.values[code] in selected}
        for code in shown
    ]
    told = {entry["value"] for entry in values}
    values += [{"value": value, "count": 0, "selected": True} for value in selected if value not in told]
    return {
        "type": "values", "label": facet.label, "is_path": facet.is_path, "distinct": len(codes), "values": values,
    }  # fmt: skip


def _open_branches(facet: ValuesFacet, codes: list[int], selected: Sequence[str], limit: int) -> list[int]:
    opened = {""}
    for path in selected:
        levels = tuple(path.split(PATH_SEPARATOR))
        opened.update(_ancestors(levels))
    taken: Counter[str] = Counter()
    shown = []
    for code in codes:
        parent = facet.values[code].rpartition(PATH_SEPARATOR)[0]
        if parent in opened and taken[parent] < limit:
            taken[parent] += 1
            shown.append(code)
    return shown


def range_json(
    label: str, numbers: Floats, rows: Rows, folding: Folding | None = None, buckets: int = 12
) -> dict[str, Any]:
    """Return `{"type": "range", min, max, histogram}` of the rows' known numbers; min and max None when none is known.

    The histogram counts rows or, with a folding, products.

    Buckets are equal in width between min and the 98th percentile; the last one takes the rest, so that one
    expensive thing does not flatten all others into a single bar. `from` is inclusive, `to` exclusive but in the last.
    """
    rows = rows[~np.isnan(numbers[rows])]
    known = numbers[rows]
    summary: dict[str, Any] = {"type": "range", "label": label, "min": None, "max": None, "histogram": []}
    if len(known) == 0:
        return summary
    low, high, most = float(known.min()), float(known.max()), float(np.percentile(known, 98))
    summary |= {"min": round(low, 2), "max": round(high, 2)}
    edges = np.unique(np.round([*np.linspace(low, most, buckets), high], 2)) if high > low else np.array([low, high])
    edges[0], edges[-1] = low, high
    bucket_of = np.minimum(np.searchsorted(edges, known.astype(np.float64), side="right") - 1, len(edges) - 2)
    if folding is not None:
        counts = folding.bucket_counts(rows, bucket_of, len(edges) - 1)
    else:
        counts = np.bincount(bucket_of, minlength=len(edges) - 1).tolist()
    summary["histogram"] = [
        {"from": round(float(edges[i]), 2), "to": round(float(edges[i + 1]), 2), "count": counts[i]}
        for i in range(len(edges) - 1)
    ]
    return summary
