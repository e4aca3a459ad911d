"""Suggestions for what was typed so far: queries, categories and products, by prefix; the encoder is not asked."""

from __future__ import annotations

from search.errors import QueryError
from search.release import Release

MAX_PREFIX_CHARACTERS = 128
MAX_SUGGESTIONS = 20  # of each kind


def suggestions(release: Release, prefix: str, limit: int) -> dict[str, list[dict[str, str]]]:
    """Return up to `limit` suggestions of each kind, best first; if there are none, for the prefix rightly spelt.

    Raises:
        QueryError: the prefix is too long, or limit is outside its bounds.
    """
    if len(prefix) > MAX_PREFIX_CHARACTERS:
        raise QueryError("q", f"the prefix has {len(prefix)} characters; at most {MAX_PREFIX_CHARACTERS} are read")
    if not 1 <= limit <= MAX_SUGGESTIONS:
        raise QueryError("limit", f"limit is {limit}; it must be 1 to {MAX_SUGGESTIONS}")
    found = _by_kind(release, prefix, limit)
    if any(found.values()):
        return found
    read = release.interpreter.understood(prefix, interpret=False)
    spelt = read.corrected or read.did_you_mean
    return _by_kind(release, spelt, limit) if spelt else found


def _by_kind(release: Release, prefix: str, limit: int) -> dict[str, list[dict[str, str]]]:
    store = release.products
    return {
        "queries": [{"text": text} for text, _ in store.suggestions("queries", prefix, limit)],
        "categories": [
            {"text": text, "category": target} for text, target in store.suggestions("categories", prefix, limit)
        ],
        "products": [{"text": text, "id": target} for text, target in store.suggestions("products", prefix, limit)],
    }
