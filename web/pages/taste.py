"""More like this, less like that: what a shopper pointed at, as an address and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.engine import Engine
from search.product import Product
from web.pages.cards import Card, cards_of
from web.urls import product_path, taste_path

FOUND = 24


@dataclass(frozen=True)
class Pointed:
    """A product that was pointed at, and the address without it; "" for the last one liked."""

    product: Product
    path: str
    removed: str


@dataclass(frozen=True)
class Suggestion:
    """A product's card and where it leads to ask for more, or less, like it; "" when enough was pointed at."""

    card: Card
    more: str
    less: str


@dataclass(frozen=True)
class Taste:
    """The page of products like some and unlike others."""

    liked: list[Pointed]
    disliked: list[Pointed]
    found: list[Suggestion]


def taste_of(engine: Engine, liked: Sequence[str], disliked: Sequence[str]) -> Taste:
    """Return the page of what was pointed at, each product counted once.

    Raises:
        NotFound: an id is not in the release.
        QueryError: nothing is liked, or the same product is disliked as well.
    """
    liked, disliked = list(dict.fromkeys(liked)), list(dict.fromkeys(disliked))
    cards = cards_of(engine, [product for product, _ in engine.recommend(liked, disliked, limit=FOUND)])

    def pointed(ids: Sequence[str], removed: list[str]) -> list[Pointed]:
        return [Pointed(engine.product(one), product_path(one), path) for one, path in zip(ids, removed, strict=True)]

    return Taste(
        liked=pointed(liked, [taste_path(_without(liked, one), disliked) for one in liked]),
        disliked=pointed(disliked, [taste_path(liked, _without(disliked, one)) for one in disliked]),
        found=[
            Suggestion(
                card, taste_path([*liked, card.product.id], disliked), taste_path(liked, [*disliked, card.product.id])
            )
            for card in cards
        ],
    )


def _without(ids: Sequence[str], left: str) -> list[str]:
    return [one for one in ids if one != left]
