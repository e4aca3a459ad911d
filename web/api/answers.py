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
