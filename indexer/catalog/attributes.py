"""A product's attributes: every column that is no field of ours; objects are spread, "a | b" is several values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from indexer.catalog.cleaning import plain_text
from indexer.catalog.columns import normalised
from indexer.catalog.rows import Cell, as_object

# Columns that only hold attributes: their keys are shown alone. Elsewhere the column's name leads: "size height".
CONTAINERS = frozenset(
    [
        "attributes",
        "attribute",
        "attrs",
        "specs",
        "spec",
        "specifications",
        "specification",
        "properties",
        "features",
        "details",
        "params",
        "parameters",
        "metadata",
        "extra",
        "extras",
        "productattributes",
        "customattributes",
        "additionalattributes",
        "productspecifications",
    ]
)
SHORT = 100  # characters of a cell that may well stand in many rows
KNOWN = 20_000  # of them whose pairs are known
MAX_NAME_CHARACTERS = 120  # a longer "name" is text that slipped into a key


def attribute_pairs(header: str, cell: Cell) -> Iterator[tuple[str, str]]:
    """Yield (name, value) for every filled value of a column, cleaned, in order.

    >>> list(attribute_pairs("Colour", "red | blue"))
    [('Colour', 'red'), ('Colour', 'blue')]
    >>> list(attribute_pairs("specs", '{"colour": "red", "size": {"height": 3}}'))
    [('colour', 'red'), ('size height', '3')]
    """
    if isinstance(cell, str):
        yield from _known_pairs(header, cell) if len(cell) <= SHORT else _pairs_in(header, cell)
    elif isinstance(cell, list):
        for item in cell:
            yield from _named_pair(item) if _is_named(item) else attribute_pairs(header, item)
    else:
        for key, inner in cell.items():
            yield from attribute_pairs(key if normalised(header) in CONTAINERS else f"{header} {key}", inner)


@lru_cache(KNOWN)
def _known_pairs(header: str, cell: str) -> tuple[tuple[str, str], ...]:
    return tuple(_pairs_in(header, cell))


def _pairs_in(header: str, cell: str) -> Iterator[tuple[str, str]]:
    text = cell.strip()
    spread = as_object(text)
    yield from _text_pairs(header, text) if spread is None else attribute_pairs(header, spread)


def _text_pairs(header: str, text: str) -> Iterator[tuple[str, str]]:
    name = _shown(header)
    if not name or len(name) > MAX_NAME_CHARACTERS:
        return
    for part in text.split("|") if "|" in text else [text]:
        value = plain_text(part)
        if value:
            yield name, value


@lru_cache(maxsize=8192)  # names repeat from row to row
def _shown(header: str) -> str:
    return plain_text(header)


def _is_named(item: Any) -> bool:
    # [{"name": "Colour", "value": "red"}], the usual shape of specifications in JSON feeds
    return isinstance(item, dict) and isinstance(item.get("name", item.get("key")), str) and "value" in item


def _named_pair(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from attribute_pairs(" ".join(str(item.get("name", item.get("key"))).split()), item["value"])
