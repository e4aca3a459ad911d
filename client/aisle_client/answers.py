"""The answers, field by field as the API gives them; what each field means is told at /api/docs.

Dictionaries with known keys, not classes: an answer prints, dumps and goes into a table as the JSON it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

Mode = Literal["hybrid", "dense", "lexical"]
Availability = Literal["in_stock", "out_of_stock", "preorder", ""]
Degraded = Literal["encoder_loading", "encoder_unavailable"]
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


class ClusterLinks(TypedDict):
    """The addresses that belong to a cluster."""

    self: str
    products: str
    page: str


class Cluster(TypedDict):
    """A group of products that are close in meaning."""

    id: int
    label: str
    count: int
    parent: int | None
    products: int
    terms: list[str]
    attributes: dict[str, str]
    neighbors: list[int]
    links: ClusterLinks


class Clusters(TypedDict):
    """Every cluster, parents before their children."""

    release: str
    sequence: int
    clusters: list[Cluster]


class TopProduct(TypedDict):
    """A product near the middle of a cluster."""

    id: str
    product: Product


class ClusterAnswer(TypedDict):
    """One cluster, those below it, and the products nearest its middle."""

    release: str
    sequence: int
    cluster: Cluster
    children: list[Cluster]
    top: list[TopProduct]


class MapColumn(TypedDict):
    """A column of the map: what its numbers are and where they are to be had."""

    type: Literal["uint8", "uint16"]
    url: str


class MapCluster(ClusterCount):
    """A cluster and where its label stands."""

    x: float
    y: float


class LegendLine(TypedDict):
    """What a code of a color means."""

    code: int
    value: str
    count: int
    low: float | None
    high: float | None
    cluster: int | None
    is_other: bool
    products: int
    label: str


class MapColor(MapColumn):
    """A color of the map: a column of codes, and what they mean."""

    name: str
    label: str
    kind: Literal["clusters", "values", "numbers"]
    legend: list[LegendLine]


class MapLinks(TypedDict):
    """The addresses that belong to the map."""

    self: str
    page: str
    lit: str
    points: str


class Map(TypedDict):
    """What is on the map, and where its columns are."""

    release: str
    sequence: int
    count: int
    currency: str
    positions: MapColumn
    leaves: MapColumn
    clusters: list[MapCluster]
    colors: list[MapColor]
    links: MapLinks


class Picture(TypedDict):
    """What stands in a product's frame: an image, or a letter on a tint."""

    url: str
    letter: str
    tint: int


class MapPoint(TypedDict):
    """The product of a row of the map."""

    point: int
    id: str
    title: str
    brand: str
    price: float | None
    price_text: str
    rating: float | None
    rating_count: int | None
    availability: Availability
    picture: Picture
    cluster: ClusterCount
    url: str


class MapPoints(TypedDict):
    """Which products some rows of the map are."""

    release: str
    sequence: int
    points: list[MapPoint]


class LitLinks(TypedDict):
    """The same search on the map and as a list."""

    page: str
    list: str


class Lit(TypedDict):
    """Which rows of the map a search finds, best first."""

    release: str
    sequence: int
    query: Query
    total: int
    total_relation: Literal["exact", "at_least"]
    confidence: Literal["good", "weak", "none"]
    degraded: Degraded | None
    points: list[int]
    products: list[int] | None
    clusters: list[ClusterCount]
    links: LitLinks


class EncoderName(TypedDict):
    """Which encoder answers."""

    name: str
    fingerprint: str


class Version(TypedDict):
    """Which program, release and encoder answer; the last four are None while nothing is live."""

    name: Literal["aisle"]
    version: str
    api: Literal["v1"]
    release: str | None
    sequence: int | None
    products: int | None
    encoder: EncoderName | None


class Events(TypedDict):
    """What became of events; the counts add up to those sent."""

    accepted: int
    duplicates: int
    ignored: int
    unknown: list[str]


class Release(TypedDict):
    """A release that is kept."""

    release: str
    live: bool
    readable: bool
    created_at: str | None
    products: int | None
    catalog: str | None
    rejected: int | None
    encoder: str | None
    fingerprint: str | None
    adopted: bool | None
    metrics: dict[str, dict[str, float]] | None


class Releases(TypedDict):
    """The releases that are kept, oldest first, and which answers."""

    live: str | None
    releases: list[Release]


class Switched(TypedDict):
    """Which release answers from now on, and which did before."""

    live: str
    previous: str | None


class ProductChange(TypedDict):
    """What is new of one product; at least one of the last three."""

    id: str
    price: NotRequired[float]
    availability: NotRequired[Literal["in_stock", "out_of_stock", "preorder"]]
    stock: NotRequired[int]


class Changed(TypedDict):
    """What became of changes; an answer of this sequence or a higher one knows them."""

    release: str
    sequence: int
    accepted: int
    unknown: list[str]
