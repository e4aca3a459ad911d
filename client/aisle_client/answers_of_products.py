"""What is answered about products, as in answers.py."""

from __future__ import annotations

from typing import Literal, TypedDict

Availability = Literal["in_stock", "out_of_stock", "preorder", ""]
Degraded = Literal["encoder_loading", "encoder_unavailable"]


class Product(TypedDict):
    """One row of the catalog."""

    id: str
    title: str
    description: str
    category: list[str]
    brand: str
    price: float | None
    currency: str
    image_url: str
    url: str
    rating: float | None
    rating_count: int | None
    availability: Availability
    group_id: str
    created_at: str
    attributes: dict[str, list[str]]
    more_image_urls: list[str]


class ProductLinks(TypedDict):
    """The addresses that belong to a product."""

    self: str
    similar: str
    match: str
    page: str


class ProductAnswer(TypedDict):
    """One product, the ids of its other variants and its cluster."""

    id: str
    release: str
    sequence: int
    product: Product
    variants: list[str]
    cluster: int
    links: ProductLinks


class NearHit(TypedDict):
    """A product near another one, or near what is liked."""

    id: str
    rank: int
    score: float
    product: Product


class Similar(TypedDict):
    """Products nearest in meaning to one."""

    id: str
    release: str
    sequence: int
    hits: list[NearHit]


class Recommended(TypedDict):
    """Products like some and unlike others."""

    release: str
    sequence: int
    hits: list[NearHit]


class Word(TypedDict):
    """A word where it stands, and its share of what makes query and product close."""

    word: str
    start: int
    end: int
    weight: float


class WithoutWord(TypedDict):
    """How close a product would be without a word."""

    word: str
    forms: list[str]
    closeness: float


class Match(TypedDict):
    """Which words make a product and a search close."""

    id: str
    release: str
    sequence: int
    q: str
    search_text: str
    degraded: Degraded | Literal["no_token_vectors"] | None
    closeness: float | None
    query_words: list[Word]
    passage: str
    truncated: bool
    fields: dict[str, list[Word]]
    without: list[WithoutWord]
    shared: list[str]
