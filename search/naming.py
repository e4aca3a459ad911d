"""How fields and values are written: names in URLs, values listed in one text, paths, and the nearest known name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

PATH_SEPARATOR = " > "
_LIST = re.compile(r"[,;] (?=\D)")  # "vegan, gluten-free" are two values; "20,000 mm" is one


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
