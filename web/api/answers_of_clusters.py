"""What is answered about clusters and the map, as in web/api/answers.py."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from web.api.answers import SEQUENCE, Answer, Availability, Confidence, Degraded, ProductRecord, Relation, Url
from web.api.answers_of_searches import ClusterCount, QueryRead


class ClusterLinks(Answer):
    """Addresses that belong to a cluster."""

    self: Url
    products: Url
    page: Url


class ClusterRecord(ClusterCount):
    """A cluster; `count` is of catalog rows, variants included."""

    products: int = Field(description="How many products, variants counted once.")
    terms: list[str] = Field(description="Title terms that tell it from the others, strongest first.")
    attributes: dict[str, str] = Field(description="What most of its products share and most others do not.")
    neighbors: list[int] = Field(description="Clusters of its level most like it, nearest first.")
    links: ClusterLinks


class ClustersAnswer(Answer):
    """Every cluster, parents before their children."""

    release: str
    sequence: int = SEQUENCE
    clusters: list[ClusterRecord]


class TypicalProduct(Answer):
    """A product near the middle of a cluster."""

    id: str
    product: ProductRecord


class ClusterAnswer(Answer):
    """One cluster, those below it, and the products nearest its middle."""

    release: str
    sequence: int = SEQUENCE
    cluster: ClusterRecord
    children: list[ClusterRecord]
    top: list[TypicalProduct]


class Column(Answer):
    """A binary column: little-endian numbers by row. Its address changes with its content."""

    type: Literal["uint8", "uint16"]
    url: Url


class ClusterOnMap(ClusterCount):
    """A cluster and where its name stands, -1 to 1."""

    x: float = Field(ge=-1, le=1)
    y: float = Field(ge=-1, le=1)


class LegendLine(Answer):
    """One color of the map."""

    code: int = Field(ge=0, le=255, description="As in the column; 0 is unknown.")
    value: str
    count: int = Field(description="How many dots have it.")
    low: float | None = Field(description="Inclusive.")
    high: float | None = Field(description="Exclusive.")
    cluster: int | None
    is_other: bool
    products: int
    label: str = Field(description="In the language asked for.")


class MapColoring(Column):
    """One thing the dots can be colored by, and where each dot's color is."""

    name: str
    label: str
    kind: Literal["clusters", "values", "numbers"]
    legend: list[LegendLine]


class MapLinks(Answer):
    """Addresses that belong to the map."""

    self: Url
    page: Url
    lit: Url
    points: Url


class MapAnswer(Answer):
    """What is on the map, and where its columns are."""

    release: str
    sequence: int = SEQUENCE
    count: int
    currency: str
    positions: Column
    leaves: Column
    clusters: list[ClusterOnMap]
    colors: list[MapColoring]
    links: MapLinks


class PictureShown(Answer):
    """What stands in a product's frame: an image, or a letter on a tint."""

    url: str
    letter: str
    tint: int


class MapPoint(Answer):
    """The product of a dot."""

    point: int
    id: str
    title: str
    brand: str
    price: float | None
    price_text: str
    rating: float | None
    rating_count: int | None
    availability: Availability
    picture: PictureShown
    cluster: ClusterCount
    url: Url


class MapPointsAnswer(Answer):
    """Which products some dots are."""

    release: str
    sequence: int = SEQUENCE
    points: list[MapPoint]


class LitLinks(Answer):
    """The same search on the map and as a list."""

    page: Url
    list: Url


class MapLitAnswer(Answer):
    """Which dots a search lights: rows of its relevant set, best first."""

    release: str
    sequence: int = SEQUENCE
    query: QueryRead
    total: int
    total_relation: Relation
    confidence: Confidence
    degraded: Degraded | None
    points: list[int]
    products: list[int] | None = Field(description="With fold=1: the product of each dot.")
    clusters: list[ClusterCount]
    links: LitLinks
