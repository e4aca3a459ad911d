"""An address that leads nowhere says what was looked for: its last part as a search, products that hold its words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from search.errors import AisleError
from search.request import SearchRequest
from web.live import current_engine
from web.pages.cards import Card, cards_of
from web.urls import search_path

SHOWN = 5
MOST_CHARACTERS = 100
_FILE = re.compile(r"\.(?!html?$)[a-z0-9]{2,5}$", re.IGNORECASE)  # a missing picture or script is nobody's wish
_BETWEEN = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Perhaps:
    """What may have been meant: the words, the address of their search, products that hold them."""

    words: str = ""
    address: str = ""
    cards: list[Card] = field(default_factory=list)


def perhaps(path: str) -> Perhaps:
    """Return what an address may have meant: "/products/red-travel-mug" red travel mugs; without the encoder."""
    if not path.startswith("/products/") and _FILE.search(path):
        return Perhaps()
    last = unquote(path).rstrip("/").rpartition("/")[2].rpartition("?")[2]
    words = _BETWEEN.sub(" ", last.removesuffix(".html"))[:MOST_CHARACTERS].strip()
    if not any(sign.isalpha() for sign in words):
        return Perhaps()
    try:
        engine = current_engine()
        asked = SearchRequest(q=words, mode="lexical", per_page=SHOWN, facets=(), fold=True)
        found = [hit.product for hit in engine.search(asked).hits]
        return Perhaps(words, search_path(words), cards_of(engine, found))
    except AisleError:  # nothing is live, or the words cannot be asked
        return Perhaps()
