"""What a product's page shows beside the product itself: its pictures, its facts and where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from search.engine import Engine
from search.facets import field_name, values_in
from search.product import Product
from search.request import SearchRequest
from web.cards import Picture, availability_text, picture_of, traits_of
from web.formats import price_text
from web.urls import address, product_path

MOST_THUMBNAILS = 12
SNIPPET = 155  # characters of a description that search engines show


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of the product or of a variant, and the page it leads to.

    Attributes:
        label: what tells it from the others, "red, M"; its title when nothing does.
    """

    picture: Picture
    path: str
    label: str
    is_current: bool


@dataclass(frozen=True)
class Fact:
    """One line of the table of attributes; a value with an address leads to all that have it."""

    label: str
    values: list[tuple[str, str]]


def gallery_of(product: Product, variants: Sequence[Product], cluster: int, q: str) -> list[Thumbnail]:
    """Return the different pictures of a product and its variants, in catalog order; [] when there is but one."""
    shown = {product.image_url: product}
    for variant in variants:
        if variant.image_url:
            shown.setdefault(variant.image_url, variant)
    if len(shown) < 2 or not product.image_url:
        return []
    order = [url for url in dict.fromkeys(variant.image_url for variant in variants) if url in shown]
    return [
        Thumbnail(
            picture_of(shown[url], cluster),
            product_path(shown[url].id, q),
            ", ".join(trait.value for trait in traits_of(shown[url])) or shown[url].title,
            url == product.image_url,
        )
        for url in order[:MOST_THUMBNAILS]
    ]


def facts_of(engine: Engine, product: Product) -> list[Fact]:
    """Return brand and attributes; a value that can be filtered by leads to the products that have it."""
    lines: list[tuple[str, str, tuple[str, ...]]] = []
    if product.brand:
        lines.append((_("Brand"), "brand", (product.brand,)))
    lines += [
        (label.replace("_", " ").capitalize(), field_name(label), values)
        for label, values in product.attributes.items()
    ]
    return [
        Fact(label, [(one, _with_value(engine, name, one)) for value in values for one in values_in(value)])
        for label, name, values in lines
    ]


def _with_value(engine: Engine, name: str, value: str) -> str:
    facet = engine.release.facets.values.get(name)
    if facet is None or facet.is_path or value not in facet.code_of:
        return ""
    return address("/search", SearchRequest(filters={name: (value,)}))


def groups_of(engine: Engine, cluster_id: int) -> list[tuple[str, str]]:
    """Return (name, address) of a cluster and the one it is part of, the widest first."""
    clusters = engine.release.clusters
    found = clusters.cluster(cluster_id)
    parents = [] if found.parent is None else [clusters.cluster(found.parent)]
    return [(one.label, f"/clusters/{one.id}") for one in (*parents, found)]


def said_of(product: Product) -> str:
    """Return what a product's description in a list of results says: the beginning of its own, else what is known."""
    if product.description:
        return product.description[: 2 * SNIPPET]
    known = (
        product.title, product.brand, price_text(product.price, product.currency),
        availability_text(product.availability),
    )  # fmt: skip
    return " · ".join(filter(None, known))
