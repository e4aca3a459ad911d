"""What a product's page shows beside the product itself: its pictures, its facts and where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from search.engine import Engine
from search.naming import field_name, values_in
from search.product import Product
from search.request import SearchRequest
from web.formats import availability_text, price_text
from web.language import gettext as _
from web.pages.cards import Picture, picture_of, traits_of
from web.urls import address, cluster_path, product_path

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


@dataclass(frozen=True)
class Gallery:
    """The picture that is looked at, and all there are to choose from; none when there is but one."""

    shown: Picture
    thumbnails: list[Thumbnail]


def gallery_of(product: Product, variants: Sequence[Product], cluster: int, q: str, chosen: str) -> Gallery:
    """Return a product's own pictures and those of its variants that look different, variants in catalog order.

    Args:
        product: whose page it is.
        variants: of its group, itself included; () when it stands alone.
        cluster: whose tint stands in for missing pictures.
        q: the search the visitor came with; it goes along.
        chosen: number of the own picture to look at, "2"; anything else is the first.
    """
    own = [url for url in (product.image_url, *product.more_image_urls) if url]
    place = int(chosen) - 1 if chosen.isascii() and chosen.isdigit() and 0 < int(chosen[:3]) <= len(own) else 0
    shown = picture_of(replace(product, image_url=own[place]) if own else product, cluster)
    thumbnails: list[Thumbnail] = []
    seen = set(own)
    for variant in variants or (product,):
        if variant.id == product.id:
            thumbnails += [_own_thumbnail(product, own, number, place, cluster, q) for number in range(len(own))]
        elif variant.image_url and variant.image_url not in seen:
            seen.add(variant.image_url)
            path = product_path(variant.id, q)
            thumbnails.append(Thumbnail(picture_of(variant, cluster), path, _label(variant), False))
    return Gallery(shown, thumbnails[:MOST_THUMBNAILS] if len(thumbnails) > 1 else [])


def _own_thumbnail(product: Product, own: list[str], number: int, shown: int, cluster: int, q: str) -> Thumbnail:
    """Return the thumbnail of the own picture `number`, from 0."""
    label = _("Picture %(number)s of %(count)s", number=number + 1, count=len(own)) if len(own) > 1 else _label(product)
    pairs = ([("q", q)] if q else []) + ([("image", str(number + 1))] if number else [])
    path = product_path(product.id) + (f"?{urlencode(pairs)}" if pairs else "")
    return Thumbnail(picture_of(replace(product, image_url=own[number]), cluster), path, label, number == shown)


def _label(product: Product) -> str:
    return ", ".join(trait.value for trait in traits_of(product)) or product.title


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
    return [(one.label, cluster_path(one.id)) for one in (*parents, found)]


def said_of(product: Product) -> str:
    """Return what a product's description in a list of results says: the beginning of its own, else what is known."""
    if product.description:
        return product.description[: 2 * SNIPPET]
    known = (
        product.title, product.brand, price_text(product.price, product.currency),
        availability_text(product.availability),
    )  # fmt: skip
    return " · ".join(filter(None, known))
