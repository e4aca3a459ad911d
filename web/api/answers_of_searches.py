"""What is answered to searches and to what is typed, as in web/api/answers.py."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from web.api.answers import SEQUENCE, Answer, Confidence, Degraded, ProductRecord, Relation, Url, absent


class Constraint(Answer):
    """What the words of a query ask of one field."""

    field: str
    op: Literal["<=", ">=", "~", "=", "in", "!="]
    value: float | str | list[str]
    text: str = Field(description="The words that say so.")
    strength: Literal["filter", "boost"]


class QueryRead(Answer):
    """How the query was read."""

    text: str
    search_text: str = Field(description="What was looked up, without the words of filters.")
    corrected: str | None
    did_you_mean: str | None
    constraints: list[Constraint]
    unknown_words: list[str]


class Highlights(Answer):
    """HTML: escaped, `<mark>` is the only tag."""

    title: str
    description: str
    sentence: str


class Explanation(Answer):
    """What a hit's place is made of."""

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


class VariantsTold(Answer):
    """The variants folded into a hit."""

    count: int
    matching: int
    available: int
    price_min: float | None
    price_max: float | None
    colors: list[str]
    differ_in: list[str]


class Hit(Answer):
    """One product that answers a search."""

    id: str
    rank: int = Field(ge=1)
    score: float = Field(description="Higher is better; comparable within this answer.")
    product: ProductRecord
    highlights: Highlights
    why: list[str] = Field(description="Short reasons a shopper can check.")
    cluster: int
    explain: Explanation = absent("With explain=1 and words to look up.")
    variants: VariantsTold = absent("With fold=1.")


class FacetValue(Answer):
    """A value and how many products have it."""

    value: str
    count: int = Field(ge=0)
    selected: bool


class ValuesFacet(Answer):
    """A facet of discrete values."""

    type: Literal["values"]
    label: str
    is_path: bool = Field(description='Values are paths, "A > B".')
    distinct: int = Field(description="How many values the results have.")
    values: list[FacetValue]


class Bucket(Answer):
    """A bar of a histogram; `to` is exclusive but in the last one."""

    from_: float = Field(alias="from")
    to: float
    count: int = Field(ge=0)


class Threshold(Answer):
    """How many products reach a number."""

    from_: float = Field(alias="from")
    count: int = Field(ge=0)
    selected: bool


class RangeFacet(Answer):
    """A facet of numbers."""

    type: Literal["range"]
    label: str
    min: float | None
    max: float | None
    histogram: list[Bucket]
    thresholds: list[Threshold] = absent("Of ratings.")


Facet = Annotated[ValuesFacet | RangeFacet, Field(discriminator="type")]


class ClusterCount(Answer):
    """A cluster and how many products are in it."""

    id: int
    label: str
    count: int = Field(ge=0)
    parent: int | None


class WayOut(Answer):
    """A condition, and how many products there are without it."""

    parameter: str
    value: str | None
    text: str | None = Field(description="The words of the query that state it.")
    total: int


class CategoryCount(Answer):
    """A category and how many products it has."""

    category: str
    count: int


class Rescue(Answer):
    """Ways out of no results."""

    without: list[WayOut]
    categories: list[CategoryCount]


class PageLinks(Answer):
    """Addresses of this page of results and its neighbors."""

    self: Url
    next: Url | None
    prev: Url | None


class SearchResult(Answer):
    """One page of hits, and counts over the one relevant set it was cut from."""

    query: QueryRead
    query_id: str = Field(description="Ties events to this search.")
    release: str
    sequence: int = SEQUENCE
    mode: Literal["hybrid", "dense", "lexical"]
    total: int = Field(ge=0)
    total_relation: Relation
    confidence: Confidence
    confidence_score: float
    degraded: Degraded | None = Field(description="Why the answer is by words alone.")
    page: int
    per_page: int
    pages: int
    hits: list[Hit]
    facets: dict[str, Facet]
    clusters: list[ClusterCount]
    less_relevant: int = Field(description="How many more there are with cutoff=0.")
    rescue: Rescue | None
    currency: str
    took_ms: float
    timings_ms: dict[str, float] = absent("With explain=1: each stage.")
    moved: bool = Field(False, description="Release, prices or stock are others than in `state`: pages may overlap.")
    links: PageLinks


class BatchAnswer(Answer):
    """Answers to several searches, in their order, all of one release."""

    release: str
    sequence: int = SEQUENCE
    results: list[SearchResult]
    took_ms: float


class SuggestedQuery(Answer):
    """A search to offer."""

    text: str
    url: Url


class SuggestedCategory(Answer):
    """A category to offer."""

    text: str
    category: str
    url: Url


class SuggestedProduct(Answer):
    """A product to offer."""

    text: str
    id: str
    image_url: str
    price: float | None
    currency: str
    price_text: str
    url: Url


class SuggestAnswer(Answer):
    """What to offer while someone types."""

    q: str
    corrected: str | None = Field(description="What it continues, where that is not what was typed.")
    queries: list[SuggestedQuery]
    categories: list[SuggestedCategory]
    products: list[SuggestedProduct]
