"""The facet values that a query may name: found at build time, kept where the catalog shows what the words mean.

"Orange" is a colour in a clothes shop and a fruit in a grocer's: a value counts as spoken only if most products whose
titles hold its words carry it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from search.analysis import folded, quantity_of
from search.arrays import Mask
from search.errors import ReleaseDamaged
from search.facets import PATH_SEPARATOR, FacetIndex, ValuesFacet
from search.lexical import LexicalIndex

MOST_TERMS = 4
LEAST_TITLES = 1  # titles with the words; fewer say nothing about what the words mean
LEAST_CARRIERS = 2  # products with a value that is one word; of a single product it describes, and names nothing
LEAST_SHARE = 0.5  # of them that must carry the value
CLEARLY_MORE = 3  # times as many products, for a value to win over the same word in another field
# Values of the latter name other things, that a product goes with: an oven in a query is the oven itself.
NOT_SPOKEN = {"category", "availability", "compatibility", "compatible_with", "works_with", "fits", "suitable_for"}
EMPTY_VALUES = {"yes", "no", "none", "all", "n/a", "other", "unknown", "various", "assorted", "true", "false"}
_PACK = re.compile(r"(\d+)[\s-]?(?:pack|pk|ct|count)|(?:pack|set) of (\d+)")

Key = tuple[str, ...]


@dataclass(frozen=True)
class SpokenValues:
    """Which words name which value.

    Attributes:
        values: terms, or one quantity, one pack -> (field, value).
        after_not: the same for words that follow a negation, which leaves less doubt that a value is meant.
        by_field: field -> terms -> value, for values that need their field named: "size 8".
        names: pairs of words that stand together in a category's name: "face creams" are no creamy colour.
    """

    values: dict[Key, tuple[str, str]]
    after_not: dict[Key, tuple[str, str]]
    by_field: dict[str, dict[Key, str]]
    names: frozenset[Key]

    @classmethod
    def build(cls, facets: FacetIndex, lexical: LexicalIndex) -> SpokenValues:
        """Find the values of a catalog that can be told from other words."""
        claims: dict[Key, dict[tuple[str, str], int]] = defaultdict(dict)
        doubtful: dict[Key, dict[tuple[str, str], int]] = defaultdict(dict)
        by_field: dict[str, dict[Key, str]] = {}
        things = {name[-1] for name in _category_names(facets)}
        for facet in facets.values.values():
            if facet.name in NOT_SPOKEN:
                continue
            by_field[facet.name] = {}
            carriers = facet.counts(np.arange(facets.rows))
            for code, value in enumerate(facet.values):
                for key in keys_of(value):
                    by_field[facet.name].setdefault(key, value)
                    if not is_telling(key):
                        continue
                    if carriers[code] < LEAST_CARRIERS and len(key) == 1 and not key[0][0].isdigit():
                        continue
                    doubtful[key].setdefault((facet.name, value), int(carriers[code]))
                    if key[-1] not in things and _means(key, facet, value, lexical):
                        claims[key].setdefault((facet.name, value), int(carriers[code]))
        return cls(_clear_winners(claims), _clear_winners(doubtful), by_field, _category_pairs(facets))

    def save(self, path: Path) -> None:
        """Write them as JSON."""
        data = {
            "values": [[*named, list(key)] for key, named in self.values.items()],
            "names": sorted(map(list, self.names)),
            "after_not": [[*named, list(key)] for key, named in self.after_not.items()],
            "by_field": {
                field: [[value, list(key)] for key, value in keys.items()] for field, keys in self.by_field.items()
            },
        }
        path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, path: Path) -> SpokenValues:
        """Read them back.

        Raises:
            ReleaseDamaged: the file is missing or not what `save` wrote.
        """
        try:
            data = json.loads(path.read_text("utf-8"))
            return cls(
                {tuple(key): (field, value) for field, value, key in data["values"]},
                {tuple(key): (field, value) for field, value, key in data["after_not"]},
                {field: {tuple(key): value for value, key in keys} for field, keys in data["by_field"].items()},
                frozenset(map(tuple, data["names"])),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseDamaged(f"{path} cannot be read ({error!r}); build the release again") from error


def form_of(word: str) -> str:
    """Return a word as values are compared by: folded, and singular. A stem would take "number" for "numbered"."""
    word = folded(word)
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def carriers_of(facet: ValuesFacet, value: str) -> Mask:
    """Return (n,) bool: the rows that carry a value or a closer one, "merino wool" for "wool".

    Or the same without the field's name, as "long" for "long sleeve" where the field is the sleeve.
    """
    asked = value.casefold()
    alike = [one for one in facet.values if asked in one.casefold() or f"{one} {facet.name}".casefold() == asked]
    return facet.rows_with(alike)


def keys_of(value: str) -> Iterator[Key]:
    """Yield the keys a value is looked up by: its quantity or pack if it is one, else its terms."""
    text = value.casefold().strip()
    quantity = quantity_of(text)
    pack = _PACK.fullmatch(text)
    if quantity:
        yield (quantity,)
    elif pack:
        yield (f"{pack[1] or pack[2]}-pack",)
    elif text not in EMPTY_VALUES:
        terms = tuple(map(form_of, re.findall(r"[^\W_]+", text)))
        if 1 <= len(terms) <= MOST_TERMS:
            yield terms
            if "grey" in terms or "gray" in terms:
                yield tuple({"grey": "gray", "gray": "grey"}.get(term, term) for term in terms)


def is_telling(key: Key) -> bool:
    """Return whether words can name a value without its field: not a bare number, letter or size code."""
    return any(sum(map(str.isalpha, term)) >= 3 for term in key) or (
        len(key) == 1 and key[0][0].isdigit() and len(key[0]) > 2 and not key[0].isdigit()
    )


def _means(key: Key, facet: ValuesFacet, value: str, lexical: LexicalIndex) -> bool:
    """Return whether most titles with these words are of products that carry the value."""
    held = None
    for term in key:
        rows = lexical.title_rows(lexical.analyzer.term_of(term))
        held = rows if held is None else np.intersect1d(held, rows)
    if held is None or len(held) < LEAST_TITLES:
        return True
    return float(carriers_of(facet, value)[held].mean()) >= LEAST_SHARE


def _category_pairs(facets: FacetIndex) -> frozenset[Key]:
    return frozenset(pair for name in _category_names(facets) for pair in pairwise(name))


def _category_names(facets: FacetIndex) -> list[list[str]]:
    """Return the words of each thing a category is named after, two of "Irons & Boards"; the last says what it is."""
    paths = facets.values["category"].values if "category" in facets.values else ()
    names = [part for path in paths for part in re.split(r"[&,/]| and ", path.rpartition(PATH_SEPARATOR)[2])]
    return [words for name in names if (words := [form_of(word) for word in re.findall(r"[^\W_]+", name)])]


def _clear_winners(claims: dict[Key, dict[tuple[str, str], int]]) -> dict[Key, tuple[str, str]]:
    return {key: winner for key, named in claims.items() if (winner := _clear_winner(named, key[0][0].isdigit()))}


def _clear_winner(named: dict[tuple[str, str], int], is_measure: bool) -> tuple[str, str] | None:
    ranked = sorted(named, key=lambda one: (-named[one], one))
    if is_measure:
        return ranked[0]
    if len(ranked) > 1 and ranked[0][0] != ranked[1][0] and named[ranked[0]] < CLEARLY_MORE * named[ranked[1]]:
        return None
    return ranked[0]


def longest(keys: Sequence[str], known: dict[Key, tuple[str, str]] | dict[Key, str], start: int) -> int:
    """Return how many of the terms from `start` on name a known value, the longest such run; 0 for none."""
    for length in range(min(MOST_TERMS, len(keys) - start), 0, -1):
        if tuple(keys[start : start + length]) in known:
            return length
    return 0
