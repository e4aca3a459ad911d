"""What is answered: pydantic models of every route's JSON, from which the OpenAPI document is made.

Answers are built as plain data and not through these models: it would cost time in every search and find nothing there,
since tests hold real answers of every route against the models, nothing missing and nothing unknown.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Confidence = Literal["good", "weak", "none"]
Degraded = Literal["encoder_loading", "encoder_unavailable"]
Relation = Literal["exact", "at_least"]
Availability = Literal["in_stock", "out_of_stock", "preorder", ""]
Url = Annotated[str, Field(description="Absolute path on this server.")]


def absent(description: str) -> Any:
    """Return a member that is not there, rather than null, unless it was asked for."""
    return Field(default_factory=lambda: None, description=description)


class Answer(BaseModel):
    """Base of all answers. Members may be added within v1; none is removed or retyped."""

    # Only the OpenAPI document needs them whole, not a server that starts.
    model_config = ConfigDict(frozen=True, defer_build=True)


SEQUENCE: Any = Field(description="Of the last change of prices and stock that the answer knows; it only grows.")

# -- products --


class ProductRecord(Answer):
    """A product as the catalog has it; what is unknown is "" or null."""

    id: str = Field(description="The shop's own id, letter for letter.")
    title: str
    description: str = Field(description="Plain text.")
    category: list[str] = Field(description="From the department to the leaf.")
    brand: str
    price: float | None = Field(description="In the catalog's currency.")
    currency: str = Field(description="ISO 4217.")
    image_url: str
    url: str
    rating: float | None = Field(description="0 to 5.")
    rating_count: int | None
    availability: Availability
    group_id: str = Field(description="Shared by the variants of one product.")
    created_at: str = Field(description="ISO 8601.")
    attributes: dict[str, list[str]] = Field(description="Everything else the catalog says, value by value.")
    more_image_urls: list[str]


class ProductLinks(Answer):
    """Addresses that belong to a product."""

    self: Url
    similar: Url
    match: Url
    page: Url


class ProductAnswer(Answer):
    """One product."""

    id: str
    release: str
    sequence: int = SEQUENCE
    product: ProductRecord
    variants: list[str] = Field(description="Ids of the other variants of the same product.")
    cluster: int
    links: ProductLinks


class ProductHit(Answer):
    """A product in a list without a search."""

    id: str
    rank: int = Field(ge=1)
    score: float = Field(description="Higher is better.")
    product: ProductRecord


class SimilarAnswer(Answer):
    """Products like one."""

    id: str
    release: str
    sequence: int = SEQUENCE
    hits: list[ProductHit]


class RecommendAnswer(Answer):
    """Products like some and unlike others."""

    release: str
    sequence: int = SEQUENCE
    hits: list[ProductHit]


class WeighedWord(Answer):
    """A word and its share of what pulls query and product together; negative: it pulls them apart."""

    word: str
    start: int = Field(ge=0, description="Its first character.")
    end: int = Field(ge=0, description="The character after its last.")
    weight: float


class WithoutWord(Answer):
    """How close the product would be without a word."""

    word: str
    forms: list[str]
    closeness: float


class MatchAnswer(Answer):
    """Why a product is close to a search."""

    id: str
    release: str
    sequence: int = SEQUENCE
    q: str
    search_text: str
    degraded: Degraded | Literal["no_token_vectors"] | None
    closeness: float | None = Field(description="Cosine of the two vectors.")
    query_words: list[WeighedWord]
    passage: str = Field(description="The product's text as far as the encoder reads it.")
    truncated: bool
    fields: dict[str, list[WeighedWord]]
    without: list[WithoutWord]
    shared: list[str] = Field(description="Words of the query that the product holds too, in some form.")


# -- search --


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


# -- service --


class EncoderNamed(Answer):
    """An encoder."""

    name: str
    fingerprint: str


class VersionAnswer(Answer):
    """What answers; null while nothing is live."""

    name: Literal["aisle"]
    version: str
    api: Literal["v1"]
    release: str | None
    sequence: int | None = SEQUENCE
    products: int | None
    encoder: EncoderNamed | None


class Place(Answer):
    """What is wrong where: a parameter of the address, or a member of the body as a JSON pointer."""

    parameter: str = absent("Name of a parameter.")
    pointer: str = absent("JSON pointer into the body, as a URI fragment.")
    detail: str


class ProblemAnswer(Answer):
    """A problem (RFC 9457)."""

    type: str = Field(description="urn:aisle:problem:<code>")
    title: str = Field(description="The kind of problem.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="This one, for people.")
    instance: str = Field(description="The path that was asked.")
    code: str = Field(description="For programs; stable within v1.")
    request_id: str
    errors: list[Place]
