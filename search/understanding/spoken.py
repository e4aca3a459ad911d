"""The facet values that a query may name: found at build time, kept where the catalog shows what the words mean.

"Orange" is a colour in a clothes shop and a fruit in a grocer's: a value counts as spoken only if most products whose
titles hold its words carry it.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import pairwise
from pathlib import Path

import numpy as np

from search.analysis import dimensions_in, folded, quantity_of
from search.arrays import Indices, Mask
from search.errors import ReleaseDamaged
from search.facets import FacetIndex, ValuesFacet
from search.lexical import LexicalIndex
from search.naming import PATH_SEPARATOR
from search.understanding.amounts import with_digits

MOST_TERMS = 4
REMEMBERED, TEXTS = 100_000, 100  # words whose form is known, and texts: variants follow each other and share some
LEAST_TITLES = 2  # titles with the words; fewer say nothing about what the words mean
LEAST_CARRIERS = 2  # products with a value that is one word; of a single product it describes, and names nothing
LEAST_SHARE = 0.5  # of them that must carry the value
CLEARLY_MORE = 3  # times as many products, for a value to win over the same word in another field
# Values of the latter name other things, that a product goes with: an oven in a query is the oven itself.
NOT_SPOKEN = {"category", "availability", "compatibility", "compatible_with", "works_with", "fits", "suitable_for"}
EMPTY_VALUES = {"yes", "no", "none", "all", "n/a", "other", "unknown", "various", "assorted", "true", "false"}
# A pack, a box and a count are counted alike; sets and pieces are other things.
PACK = re.compile(
    r"(?P<n>\d+)[\s-]?(?P<kind>packs?|pk|ct|count|sets?|pieces?|pcs?)(?!\w)|"
    r"(?P<of>packs?|sets?|box|bag|bundle|case|count|pieces) of\s+(?P<m>\d+)(?!\w)",
    re.IGNORECASE,
)

Key = tuple[str, ...]


@dataclass(frozen=True)
class SpokenValues:
    """Which words name which value.

    Attributes:
        values: terms, or one quantity, one pack -> (field, value).
        after_not: the same for words that follow a negation, which leaves less doubt that a value is meant.
        by_field: field -> terms -> value, for values that need their field named: "size 8".
        names: pairs of words that stand together in a category's name: "face creams" are no creamy colour.
        mentions: pairs of a value and the word after it that the catalog's texts hold mostly of products without that
            value: the "blue light" that glasses keep out.
        rivals: key -> every (field, value) it may be, the one that most products have first, where there are several.
    """

    values: dict[Key, tuple[str, str]]
    after_not: dict[Key, tuple[str, str]]
    by_field: dict[str, dict[Key, str]]
    names: frozenset[Key]
    mentions: frozenset[Key]
    rivals: dict[Key, tuple[tuple[str, str], ...]]

    @classmethod
    def build(cls, facets: FacetIndex, lexical: LexicalIndex, texts: Iterable[tuple[str, str]] = ()) -> SpokenValues:
        """Find the values of a catalog that can be told from other words.

        Args:
            facets, lexical: of the release.
            texts: title and description of each product, in row order.
        """
        claims: dict[Key, dict[tuple[str, str], int]] = defaultdict(dict)
        doubtful: dict[Key, dict[tuple[str, str], int]] = defaultdict(dict)
        by_field: dict[str, dict[Key, str]] = {}
        things = {words[-1] for _, words in _category_names(facets)}
        for facet in facets.values.values():
            if facet.name in NOT_SPOKEN:
                continue
            by_field[facet.name] = {}
            carriers = facet.counts(np.arange(facets.rows))
            for code, value in enumerate(facet.values):
                for key in dict.fromkeys((*keys_of(value), *keys_of(with_digits(value)))):
                    by_field[facet.name].setdefault(key, value)
                    if not is_telling(key):
                        continue
                    if carriers[code] < LEAST_CARRIERS and len(key) == 1 and not key[0][0].isdigit():
                        continue
                    doubtful[key].setdefault((facet.name, value), int(carriers[code]))
                    is_measure = key[0][0].isdigit()
                    is_thing = key[-1] in things and not (facet.name == "brand" and len(key) > 1)
                    if is_measure or (not is_thing and _means(key, facet, value, lexical)):
                        claims[key].setdefault((facet.name, value), int(carriers[code]))
        values = _clear_winners(claims)
        values |= {key: named for key, named in _switches(facets) if key not in values}
        return cls(
            values, {key: _ranked(named)[0] for key, named in doubtful.items()}, by_field,
            _category_pairs(facets, values),
            _mentions(values, facets, texts),
            {key: tuple(_ranked(named)) for key, named in doubtful.items() if len(named) > 1},
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write them as JSON."""
        data = {
            "values": [[*named, list(key)] for key, named in self.values.items()],
            "names": sorted(map(list, self.names)),
            "mentions": sorted(map(list, self.mentions)),
            "rivals": [[list(key), *map(list, named)] for key, named in self.rivals.items()],
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
                frozenset(map(tuple, data["mentions"])),
                {tuple(key): tuple((field, value) for field, value in named) for key, *named in data["rivals"]},
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
    alike = facet.values_holding(asked)
    bare = asked.removesuffix(f" {facet.name}".casefold())
    if bare != asked:
        alike += [one for one in facet.values_holding(bare) if one.casefold() == bare]
    return facet.rows_with(alike)


def share_of_carriers(facet: ValuesFacet, value: str, rows: Indices) -> float:
    """Return the share of a few rows that `carriers_of` a value; what the catalog's size does not slow down."""
    held = facet.values_of(rows)
    alike = {one: _is_alike(one, value, facet.name) for one in {one for values in held for one in values}}
    return sum(any(alike[one] for one in values) for values in held) / len(held)


def _is_alike(one: str, value: str, field: str) -> bool:
    asked, folded_one = value.casefold(), one.casefold()
    return asked in folded_one or f"{folded_one} {field}".casefold() == asked


def keys_of(value: str) -> Iterator[Key]:
    """Yield the keys a value is looked up by: its quantity or pack if it is one, else its terms."""
    text = value.casefold().strip()
    quantity = quantity_of(text)
    sides = next((term for term, start, end in dimensions_in(text) if (start, end) == (0, len(text))), "")
    pack = PACK.fullmatch(text)
    if quantity:
        yield (quantity,)
    elif sides:
        yield (sides,)
        yield (sides.rstrip("abcdefghijklmnopqrstuvwyz"),)
    elif pack:
        yield (pack_term(pack),)
    elif text not in EMPTY_VALUES:
        terms = tuple(map(form_of, re.findall(r"[^\W_]+", text)))
        if 1 <= len(terms) <= MOST_TERMS:
            yield terms
            if "grey" in terms or "gray" in terms:
                yield tuple({"grey": "gray", "gray": "grey"}.get(term, term) for term in terms)


def pack_term(found: re.Match[str]) -> str:
    """Return the term of a pack, "6-pack", of a set, "4-set", or of pieces, "39-piece"."""
    said = (found["kind"] or found["of"]).lower()
    kind = "piece" if said.startswith(("piece", "pc")) else "set" if said.startswith("set") else "pack"
    return f"{found['n'] or found['m']}-{kind}"


def is_telling(key: Key) -> bool:
    """Return whether words can name a value without its field: not a bare number, letter or size code."""
    joined = "".join(key)
    is_mixed = len(key) == 1 and not joined.isalpha() and not joined.isdigit()  # A4, 2T, 12oz
    is_code = len(key) == 1 and 2 <= len(joined) <= 3 and joined.isalpha() and not set(joined) & set("aeiouy")  # XL
    return is_mixed or is_code or sum(map(str.isalpha, joined)) >= 3


def _means(key: Key, facet: ValuesFacet, value: str, lexical: LexicalIndex) -> bool:
    """Return whether most titles with these words are of products that carry the value."""
    held = reduce(np.intersect1d, [lexical.title_rows(lexical.analyzer.term_of(term)) for term in key])
    if len(held) < LEAST_TITLES:
        return True
    return share_of_carriers(facet, value, held) >= LEAST_SHARE


def _switches(facets: FacetIndex) -> Iterator[tuple[Key, tuple[str, str]]]:
    """Yield the names of fields whose value may be "yes": waterproof."""
    for facet in facets.values.values():
        for value in facet.values:
            if value.casefold() in ("yes", "true") and facet.name not in NOT_SPOKEN:
                yield tuple(map(form_of, facet.name.split("_"))), (facet.name, value)


def _category_pairs(facets: FacetIndex, values: dict[Key, tuple[str, str]]) -> frozenset[Key]:
    """Return the pairs of words in names of categories, but for values that the products in there have."""
    found: set[Key] = set()
    for path, words in _category_names(facets):
        rows = np.flatnonzero(facets.values["category"].rows_with([path]))
        for pair in pairwise(words):
            field, value = values.get(pair[:1], ("", ""))
            if not field or share_of_carriers(facets.values[field], value, rows) < LEAST_SHARE:
                found.add(pair)
    return frozenset(found)


def _mentions(
    values: dict[Key, tuple[str, str]], facets: FacetIndex, texts: Iterable[tuple[str, str]]
) -> frozenset[Key]:
    single = {key[0]: named for key, named in values.items() if len(key) == 1 and key[0].isalpha()}
    # A bit a product: there are thousands of such words, and may be a million products.
    carriers = {word: np.packbits(carriers_of(facets.values[field], value)) for word, (field, value) in single.items()}
    known_form = lru_cache(REMEMBERED)(form_of)

    @lru_cache(TEXTS)
    def forms_and_pairs(text: str) -> tuple[list[str], frozenset[Key]]:
        forms = list(map(known_form, re.findall(r"[^\W_]+", text)))
        return forms, frozenset(pair for pair in pairwise(forms) if pair[0] in single)

    balance: Counter[Key] = Counter()
    for row, (title, description) in enumerate(texts):
        (first, pairs), (then, more) = forms_and_pairs(title), forms_and_pairs(description)
        between = {(first[-1], then[0])} if first and then and first[-1] in single else set()
        for pair in pairs | more | between:
            balance[pair] += 1 if carriers[pair[0]][row >> 3] >> (7 - (row & 7)) & 1 else -1
    return frozenset(pair for pair, carried in balance.items() if carried < 0)


def _category_names(facets: FacetIndex) -> Iterator[tuple[str, list[str]]]:
    """Yield (path, words) of each thing a category is named after, two of "Irons & Boards"; the last is what it is."""
    for path in facets.values["category"].values if "category" in facets.values else ():
        for name in re.split(r"[&,/]| and ", path.rpartition(PATH_SEPARATOR)[2]):
            if words := [form_of(word) for word in re.findall(r"[^\W_]+", name)]:
                yield path, words


def _clear_winners(claims: dict[Key, dict[tuple[str, str], int]]) -> dict[Key, tuple[str, str]]:
    return {key: winner for key, named in claims.items() if (winner := _clear_winner(named, key[0][0].isdigit()))}


def _ranked(named: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    return sorted(named, key=lambda one: (-named[one], one))


def _clear_winner(named: dict[tuple[str, str], int], is_measure: bool) -> tuple[str, str] | None:
    ranked = _ranked(named)
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
