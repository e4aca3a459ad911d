"""What the examples of the API ask: things of the live catalog, so that every example can be run as it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from search.engine import Engine
from search.product import Product
from web.api.examples import Example
from web.pages.start import start_of


@dataclass(frozen=True)
class Subject:
    """Things of the live catalog to ask about; invented ones while there is no catalog.

    Attributes:
        q: a search that finds something; product, other: ids; cluster: an id.
        facet, value: a filter that `product` keeps; "" when it has none.
        price: a round price above that of `product`; None when unknown.
    """

    q: str = "travel mug"
    product: str = "SKU-1"
    other: str = "SKU-2"
    cluster: int = 1
    facet: str = "brand"
    value: str = "Acme"
    price: int | None = 50
    release: str = "20260101T000000Z-00000000"

    @classmethod
    def of(cls, engine: Engine) -> Subject:
        """Return what can be asked of a live release."""
        release = engine.release
        found, other = (release.products.products([row])[0] for row in (0, release.rows - 1))
        facet, value = _filter_of(engine, found)
        searches = start_of(engine).examples
        return cls(
            q=searches[0][0] if searches else found.title,
            product=found.id,
            other=other.id,
            cluster=int(release.clusters.cluster_of[0]),
            facet=facet,
            value=value,
            price=None if found.price is None else math.ceil((found.price + 1) / 10) * 10,
            release=release.name,
        )


def _filter_of(engine: Engine, product: Product) -> tuple[str, str]:
    facets = engine.release.facets.values
    row = engine.release.products.row_of(product.id)
    for name in ("brand", *facets):
        facet = facets.get(name)
        if facet is not None and (codes := facet.codes[facet.offsets[row] : facet.offsets[row + 1]]).size:
            return name, facet.values[int(codes[-1])]
    return "", ""


def examples_of(operation: str, method: str, path: str, subject: Subject, needs_key: bool = False) -> list[Example]:
    """Return the examples of an operation.

    Args:
        operation, method, path: as the OpenAPI document has them.
        subject: what to ask about.
        needs_key: whether a key is sent.
    """
    return [
        Example(operation, method, path, needs_key=needs_key, **stated)
        for stated in _requests(subject).get(operation, [])
    ]


def guide_examples(subject: Subject) -> dict[str, Example]:
    """Return the examples of the guide by name."""
    search, export, batch = (f"/api/v1/search{rest}" for rest in ("", ":export", ":batch"))
    chosen = _chosen(subject)
    priced = {"price_max": subject.price} if subject.price else {}
    return {
        "first": Example("search", "GET", search, query={"q": subject.q, "per_page": 3}, shown=("total",)),
        "filters": Example("search", "GET", search, query={**chosen, **priced, "sort": "price:asc"},
                           shown=("hits", 0, "product", "title")),
        "paging": Example("search", "GET", search, query={"q": subject.q, "page": 2}, shown=("pages",)),
        "export": Example("exportSearch", "GET", export, query={"format": "jsonl", **chosen}, shown=(0, "title")),
        "many": Example("searchBatch", "POST", batch, body={"queries": [{"q": subject.q}, {"q": subject.q, **priced}]},
                        shown=("results", 1, "total")),
        "errors": Example("search", "GET", search, query={"q": subject.q, "sort": "price"}, code="invalid_parameter"),
    }  # fmt: skip


def _chosen(subject: Subject) -> dict[str, str]:
    return {f"f.{subject.facet}": subject.value} if subject.facet else {}


def _requests(subject: Subject) -> dict[str, list[dict[str, Any]]]:
    """Return what is asked of each operation: the fields of `Example` that the document does not know."""
    s, product = subject, {"product_id": subject.product}
    chosen, release = _chosen(s), {"release": s.release}
    body = {"q": s.q, **{name: [value] for name, value in chosen.items()}, "per_page": 3}
    filters = {"filters": {s.facet: [s.value]}} if s.facet else {}
    event = {"type": "click", "query_id": "0" * 32, "product_id": s.product, "position": 1, "event_id": "example-1"}
    return {
        "search": [{"query": {"q": s.q, **chosen, "explain": True, "per_page": 1}, "shown": ("confidence",)}],
        "searchByBody": [{"body": body, "shown": ("total",)}],
        "searchBatch": [{"body": {"queries": [{"q": s.q}, {"q": s.q, **chosen}]}, "shown": ("results", 0, "total")}],
        "exportSearch": [{"query": {"format": "jsonl", **chosen}, "shown": (0, "id")}],
        "suggest": [{"query": {"q": s.q[:3], "limit": 3}, "shown": ("q",)}],
        "product": [{"arguments": product, "shown": ("product", "title")}],
        "similarProducts": [{"arguments": product, "query": {"limit": 3}, "shown": ("hits", 0, "id")}],
        "match": [{"arguments": product, "query": {"q": s.q}, "shown": ("passage",)}],
        "recommend": [{"body": {"liked": [s.product], "disliked": [s.other], "limit": 3, **filters},
                       "shown": ("release",)}],
        "clusters": [{"shown": ("clusters", 0, "label")}],
        "cluster": [{"arguments": {"cluster_id": s.cluster}, "shown": ("cluster", "label")}],
        "map": [{"shown": ("count",)}],
        "mapPositions": [{"arguments": release, "shown": (0,)}],
        "mapLeaves": [{"arguments": release, "shown": (0,)}],
        "mapColors": [{"arguments": {**release, "name": "cluster"}, "shown": (0,)}],
        "mapPoints": [{"arguments": release, "query": {"at": "0,1"}, "shown": ("points", 0, "title")}],
        "mapLit": [{"query": {"q": s.q}, "shown": ("total",)}],
        "sendEvents": [{"body": [event], "shown": ("ignored",)}],
        "version": [{"shown": ("release",)}],
        "openapi": [{"shown": ("info", "title")}],
        "changeProducts": [{"body": {"products": [{"id": s.product, "price": s.price or 20, "stock": 3}]},
                            "shown": ("accepted",)}],
        "releases": [{"shown": ("live",)}],
        "activateRelease": [{"arguments": {"release": s.release}, "shown": ("live",)}],
        "rollbackRelease": [{"shown": ("live",)}],
        "insights": [{"query": {"days": 7, "limit": 5}, "shown": ("searches",)}],
    }  # fmt: skip
