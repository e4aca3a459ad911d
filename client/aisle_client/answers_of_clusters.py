"""What is answered about clusters and the map, as in answers.py."""

from __future__ import annotations

from typing import Literal, TypedDict

from aisle_client.answers_of_products import Availability, Degraded, Product
from aisle_client.answers_of_searches import ClusterCount, Query


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
