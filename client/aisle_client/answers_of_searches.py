"""What a search is asked with, and what is answered to searches and to what is typed, as in answers.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

from aisle_client.answers_of_products import Degraded, Product

Mode = Literal["hybrid", "dense", "lexical"]
Sort = Literal["relevance", "price:asc", "price:desc", "rating:desc", "newest"]


class SearchParameters(TypedDict, total=False):
    """What a search may be asked with, beside its words; what is left out is as the server has it."""

    page: int
    per_page: int
    mode: Mode
    sort: Sort
    filters: Mapping[str, str | Sequence[str]]  # {"brand": ["Acme", "Norr"]}: either; every field must hold
    price_min: float | None
    price_max: float | None
    rating_min: float | None
    in_stock: bool
    facets: Sequence[str] | None  # (): none; None: those worth showing
    find: Mapping[str, str]  # facet -> letters that its listed values must hold
    cluster: int | None
    explain: bool
    fold: bool
    interpret: bool
    correct: bool
    cutoff: bool
    literal: Sequence[str]


class SearchBody(SearchParameters, total=False):
    """One search of many: its parameters and its words."""

    q: str


class Constraint(TypedDict):
    """What was read in the words of a search."""

    field: str
    op: Literal["<=", ">=", "~", "=", "in", "!="]
    value: float | str | list[str]
    text: str
    strength: Literal["filter", "boost"]


class Query(TypedDict):
    """How the words of a search were read."""

    text: str
    search_text: str
    corrected: str | None
    did_you_mean: str | None
    constraints: list[Constraint]
    unknown_words: list[str]


class Variants(TypedDict):
    """The variants behind a hit, with `fold`."""

    count: int
    matching: int
    available: int
    price_min: float | None
    price_max: float | None
    colors: list[str]
    differ_in: list[str]


class Highlights(TypedDict):
    """HTML: escaped, `<mark>` is the only tag."""

    title: str
    description: str
    sentence: str


class Explanation(TypedDict):
    """What a hit's place is made of, with `explain`."""

    dense_score: float | None
    dense_rank: int | None
    closest_sentence: float | None
    lexical_score: float
    lexical_rank: int | None
    coverage: float
    dense_share: float
    boost: float
    constraints: list[str]
    fused: float


class Hit(TypedDict):
    """One product in an answer."""

    id: str
    rank: int
    score: float
    product: Product
    highlights: Highlights
    why: list[str]
    cluster: int
    explain: NotRequired[Explanation]
    variants: NotRequired[Variants]


class FacetValue(TypedDict):
    """A value and how many products have it."""

    value: str
    count: int
    selected: bool


class ValuesFacet(TypedDict):
    """A facet of discrete values."""

    type: Literal["values"]
    label: str
    is_path: bool
    distinct: int
    values: list[FacetValue]


Bucket = TypedDict("Bucket", {"from": float, "to": float, "count": int})  # "from" cannot be a name in a class
Threshold = TypedDict("Threshold", {"from": float, "count": int, "selected": bool})


class RangeFacet(TypedDict):
    """A facet of numbers."""

    type: Literal["range"]
    label: str
    min: float | None
    max: float | None
    histogram: list[Bucket]
    thresholds: NotRequired[list[Threshold]]


class WayOut(TypedDict):
    """A condition, and how many products there are without it."""

    parameter: str
    value: str | None
    text: str | None
    total: int


class CategoryCount(TypedDict):
    """A category and how many products it has."""

    category: str
    count: int


class Rescue(TypedDict):
    """Ways out of no results."""

    without: list[WayOut]
    categories: list[CategoryCount]


class ClusterCount(TypedDict):
    """A cluster and how many of the results are in it."""

    id: int
    label: str
    count: int
    parent: int | None


class Links(TypedDict):
    """The addresses of a page and its neighbors."""

    self: str
    next: str | None
    prev: str | None


class SearchAnswer(TypedDict):
    """One page of a search, and counts over all of its results."""

    query: Query
    query_id: str
    release: str
    sequence: int
    mode: Mode
    total: int
    total_relation: Literal["exact", "at_least"]
    confidence: Literal["good", "weak", "none"]
    confidence_score: float
    degraded: Degraded | None
    page: int
    per_page: int
    pages: int
    hits: list[Hit]
    facets: dict[str, ValuesFacet | RangeFacet]
    clusters: list[ClusterCount]
    less_relevant: int
    rescue: Rescue | None
    currency: str
    took_ms: float
    timings_ms: NotRequired[dict[str, float]]
    moved: bool
    links: Links


class Batch(TypedDict):
    """The answers to several searches, all of one release."""

    release: str
    sequence: int
    results: list[SearchAnswer]
    took_ms: float


class SuggestedQuery(TypedDict):
    """A search to suggest."""

    text: str
    url: str


class SuggestedCategory(TypedDict):
    """A category to suggest."""

    text: str
    category: str
    url: str


class SuggestedProduct(TypedDict):
    """A product to suggest."""

    text: str
    id: str
    image_url: str
    price: float | None
    currency: str
    price_text: str
    url: str


class Suggestions(TypedDict):
    """What to suggest for what was typed so far."""

    q: str
    corrected: str | None
    queries: list[SuggestedQuery]
    categories: list[SuggestedCategory]
    products: list[SuggestedProduct]
