"""What is answered about the service and its releases, to events and to changes of products, as in answers.py."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


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
