"""The start page's shelves: departments, groups to explore, well-rated products. Laid out once a release."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from search.clusters import Cluster
from search.engine import Engine
from search.facets import PATH_SEPARATOR
from search.product import Product
from search.request import SearchRequest
from web.cards import Card, Picture, cards_of, one_per_group, picture_of
from web.language import current_locale
from web.urls import address

SHOWN_DEPARTMENTS = 18
SHOWN_CLUSTERS = 6
SHOWN_PRODUCTS = 10
BEST_RATED = 24  # products looked at for the best
SAMPLES = 4  # pictures that stand for a cluster
PRIOR_RATING, PRIOR_COUNT = 4.0, 25  # what a product without ratings is thought to be worth


@dataclass(frozen=True)
class Department:
    """One top category with a product that stands for it."""

    name: str
    count: int
    address: str
    picture: Picture | None


@dataclass(frozen=True)
class Neighborhood:
    """A cluster with pictures of what it is about, and the clusters below it; both with how many products they have."""

    cluster: Cluster
    products: int
    pictures: list[Picture]
    children: list[tuple[Cluster, int]]


@dataclass(frozen=True)
class Start:
    """Everything the start page shows."""

    products: int
    departments: list[Department]
    neighborhoods: list[Neighborhood]
    favorites: list[Card]


_laid_out: WeakKeyDictionary[Engine, dict[str, Start]] = WeakKeyDictionary()


def start_of(engine: Engine) -> Start:
    """Return the start page of a release; the engine is asked only the first time in each locale."""
    laid_out, locale = _laid_out.setdefault(engine, {}), str(current_locale())
    if locale not in laid_out:
        laid_out[locale] = Start(
            products=engine.release.product_count,
            departments=departments_of(engine),
            neighborhoods=neighborhoods_of(engine)[:SHOWN_CLUSTERS],
            favorites=cards_of(engine, _favorites(engine)),
        )
    return laid_out[locale]


def departments_of(engine: Engine) -> list[Department]:
    """Return the largest top categories in alphabetical order."""
    facet = engine.release.facets.values.get("category")
    if facet is None:
        return []
    counts = facet.counts(np.arange(engine.release.rows, dtype=np.int64), engine.release.folding)
    top = [
        (value, int(count))
        for value, count in zip(facet.values, counts, strict=True)
        if PATH_SEPARATOR not in value and count
    ]
    largest = sorted(top, key=lambda entry: (-entry[1], entry[0]))[:SHOWN_DEPARTMENTS]
    departments = []
    for value, count in sorted(largest):
        browsing = SearchRequest(filters={"category": (value,)})
        best = _pictures(engine, _best(engine, browsing)[:1])
        departments.append(Department(value, count, address("/search", browsing), best[0] if best else None))
    return departments


def neighborhoods_of(engine: Engine) -> list[Neighborhood]:
    """Return the top clusters, most products first, each with sample pictures and the clusters below it."""
    return [
        Neighborhood(cluster, products, samples_of(engine, cluster), children_of(engine, cluster.id))
        for cluster, products in children_of(engine, None)
    ]


def children_of(engine: Engine, cluster_id: int | None) -> list[tuple[Cluster, int]]:
    """Return the clusters below one (None: the top level) with how many products each has, most first."""
    return sorted(with_products(engine, engine.release.clusters.children(cluster_id)), key=lambda pair: -pair[1])


def with_products(engine: Engine, clusters: Iterable[Cluster]) -> list[tuple[Cluster, int]]:
    """Return clusters with how many products each has."""
    return [(cluster, engine.release.products_in.get(cluster.id, 0)) for cluster in clusters]


def samples_of(engine: Engine, cluster: Cluster, count: int = SAMPLES) -> list[Picture]:
    """Return pictures of products near a cluster's middle that do not look alike, the most typical first."""
    nearest = one_per_group(engine.release.products.products(cluster.top_rows), len(cluster.top_rows))
    different = {product.image_url or product.id: product for product in reversed(nearest)}
    chosen = [product for product in nearest if different[product.image_url or product.id] is product]
    return [picture_of(product, cluster.id) for product in chosen[:count]]


def _pictures(engine: Engine, products: list[Product]) -> list[Picture]:
    return [card.picture for card in cards_of(engine, products)]


def _favorites(engine: Engine) -> list[Product]:
    """Return well-rated products, one of each department first."""
    best = _best(engine, SearchRequest())
    departments = dict.fromkeys(product.category[:1] for product in best)
    firsts = [next(product for product in best if product.category[:1] == name) for name in departments]
    return one_per_group([*firsts, *best], SHOWN_PRODUCTS)


def _best(engine: Engine, browsing: SearchRequest) -> list[Product]:
    """Return products with a picture, by rating: few ratings are drawn towards an ordinary one."""
    asked = SearchRequest(filters=browsing.filters, sort="rating:desc", per_page=BEST_RATED, facets=(), fold=True)
    products = [hit.product for hit in engine.search(asked).hits if hit.product.image_url]

    def worth(product: Product) -> float:
        count = product.rating_count or 0
        return ((product.rating or 0) * count + PRIOR_RATING * PRIOR_COUNT) / (count + PRIOR_COUNT)

    return sorted(products, key=worth, reverse=True)
