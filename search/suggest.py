"""Suggestions for what was typed so far: queries, categories and products, by prefix; the encoder is not asked."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, TypedDict

from search.analysis import words_of
from search.errors import QueryError
from search.naming import PATH_SEPARATOR
from search.release import Release
from search.store import SUGGESTION_KINDS, ProductStore

MAX_PREFIX_CHARACTERS = 128
MAX_SUGGESTIONS = 20  # of each kind
POOL = 60  # of the most useful of a kind, those that begin as typed come first
LEAST_LIKENESS = 0.7  # difflib's ratio of a misspelt word and one that the catalog has in its place


class Suggestions(TypedDict):
    """What to suggest, by kind, best first; `corrected` is what it continues when that is not what was typed."""

    corrected: str | None
    queries: list[dict[str, Any]]  # text
    categories: list[dict[str, Any]]  # text, category
    products: list[dict[str, Any]]  # text, id, image_url, price, currency


def suggestions(release: Release, prefix: str, limit: int) -> Suggestions:
    """Return up to `limit` suggestions of each kind; if there are none, for the prefix rightly spelt.

    Nothing typed gives the departments with the most products.

    Raises:
        QueryError: the prefix is too long, or limit is outside its bounds.
    """
    if len(prefix) > MAX_PREFIX_CHARACTERS:
        raise QueryError("q", f"the prefix has {len(prefix)} characters; at most {MAX_PREFIX_CHARACTERS} are read")
    if not 1 <= limit <= MAX_SUGGESTIONS:
        raise QueryError("limit", f"limit is {limit}; it must be 1 to {MAX_SUGGESTIONS}")
    if not prefix.strip():
        return _departments(release.products, limit)
    found = _by_kind(release.products, prefix, limit)
    if _has_any(found):
        return found
    for spelt in _spellings(release, prefix):
        found = _by_kind(release.products, spelt, limit)
        if _has_any(found):
            return {**found, "corrected": spelt}
    return found


def _has_any(found: Suggestions) -> bool:
    return bool(found["queries"] or found["categories"] or found["products"])


def _departments(store: ProductStore, limit: int) -> Suggestions:
    tops = [entry for entry in store.best_suggestions("categories", POOL) if PATH_SEPARATOR not in entry[1]]
    return {"corrected": None, "queries": [], "categories": _categories(tops[:limit]), "products": []}


def _categories(entries: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"text": text, "category": target} for text, target in entries]


def _by_kind(store: ProductStore, prefix: str, limit: int) -> Suggestions:
    queries, categories, products = (_fitting(store, kind, prefix)[:limit] for kind in SUGGESTION_KINDS)
    rows = [store.row_of(target) for _, target in products]
    return {
        "corrected": None,
        "queries": [{"text": text} for text, _ in queries],
        "categories": _categories(categories),
        "products": [
            {"text": one.title, "id": one.id, "image_url": one.image_url, "price": one.price, "currency": one.currency}
            for one in store.products(rows)
        ],
    }


def _fitting(store: ProductStore, kind: str, prefix: str) -> list[tuple[str, str]]:
    """Return (text, target) of a kind, texts that begin as typed first; two products of one title are told once."""
    begun = " ".join(words_of(prefix))
    found = store.suggestions(kind, prefix, POOL)
    if kind == "products":
        found = list({text.casefold(): (text, target) for text, target in reversed(found)}.values())[::-1]
    return sorted(found, key=lambda entry: not " ".join(words_of(entry[0])).startswith(begun))


def _spellings(release: Release, prefix: str) -> Iterable[str]:
    """Yield other spellings of a prefix: by the catalog's words, then with the last word as the catalog goes on.

    The second is for words that exist, only not here: coffee macker, where the coffee makers are.
    """
    read = release.interpreter.understood(prefix, interpret=False)
    spelt = read.corrected or read.did_you_mean
    if spelt:
        yield spelt
    *begin, last = words_of(spelt or prefix) or [""]
    if begin:
        texts = [text for kind in SUGGESTION_KINDS for text, _ in _fitting(release.products, kind, " ".join(begin))]
        # Only so much of a word as was typed can be like what was typed.
        begun = {word[: len(last) + 1]: word for text in reversed(texts) for word in words_of(text)}
        for near in get_close_matches(last, begun, n=1, cutoff=LEAST_LIKENESS):
            yield " ".join([*begin, begun[near]])
