"""The start page's shelves: searches to begin with, departments, groups, what is loved and new. Laid out once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from search.clusters import Cluster
from search.engine import Engine
from search.invitations import examples_of, kinds_of
from search.naming import PATH_SEPARATOR
from search.product import Product
from search.request import SearchRequest
from web.language import current_locale
from web.pages.cards import Card, Picture, cards_of, one_per_group, picture_of
from web.urls import category_path, cluster_path, search_path

SHOWN_DEPARTMENTS = 18
LEAST_SORTED = 0.5  # of the products lie in the departments shown; else groups are walked through in their place
SHOWN_CLUSTERS = 6
SHOWN_PRODUCTS = 10
SHOWN_NEW = 5
SHOWN_KINDS = 8
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

    release: str
    products: int
    shelf: list[Picture]
    departments: list[Department]
    neighborhoods: list[Neighborhood]
    favorites: list[Card]
    newest: list[Card]
    examples: list[tuple[str, str]]  # search, address
    kinds: list[tuple[str, str]]


_told: WeakKeyDictionary[Engine, tuple[list[str], list[str]]] = WeakKeyDictionary()
_laid_out: WeakKeyDictionary[Engine, dict[str, Start]] = WeakKeyDictionary()


def start_of(engine: Engine) -> Start:
    """Return the start page of a release; the engine is asked only the first time in each locale and state."""
    laid_out, locale = _laid_out.setdefault(engine, {}), str(current_locale())
    if locale not in laid_out:
        before = next(iter(laid_out.values()), None)  # searches are the same in every language
        examples, kinds = (before.examples, before.kinds) if before else _searches(engine.as_built)
        favorites, departments = cards_of(engine, _favorites(engine)), departments_of(engine)
        laid_out[locale] = Start(
            release=engine.release.name,
            products=engine.release.product_count,
            shelf=_shelf(favorites, departments),
            departments=departments,
            neighborhoods=[] if _are_groups(departments) else neighborhoods_of(engine)[:SHOWN_CLUSTERS],
            favorites=favorites,
            newest=cards_of(engine, _newest(engine)),
            examples=examples,
            kinds=kinds,
        )
    return laid_out[locale]


def departments_of(engine: Engine) -> list[Department]:
    """Return the largest top categories in alphabetical order; where few products have one, the largest groups."""
    counts = engine.release.products_in_category
    top = [(value, count) for value, count in counts.items() if PATH_SEPARATOR not in value and count]
    largest = sorted(top, key=lambda entry: (-entry[1], entry[0]))[:SHOWN_DEPARTMENTS]
    if sum(count for _, count in largest) < LEAST_SORTED * engine.release.product_count:
        return _groups_as_departments(engine)
    departments = []
    for value, count in sorted(largest):
        browsing = SearchRequest(filters={"category": (value,)})
        best = _pictures(engine, [one for one in _best(engine, browsing) if one.image_url][:1])
        departments.append(Department(value, count, category_path(value), best[0] if best else None))
    return departments


def _are_groups(departments: list[Department]) -> bool:
    return any(one.address.startswith("/clusters/") for one in departments)


def _groups_as_departments(engine: Engine) -> list[Department]:
    departments = []
    for cluster, products in children_of(engine, None)[:SHOWN_DEPARTMENTS]:
        pictures = samples_of(engine, cluster, 1)
        departments.append(
            Department(cluster.label, products, cluster_path(cluster.id), pictures[0] if pictures else None)
        )
    return sorted(departments, key=lambda one: one.name.casefold())


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


def _searches(engine: Engine) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return (text, address) of examples of what can be said, and of the kinds of things there are plenty of."""
    if engine not in _told:
        kinds = kinds_of(engine.release, SHOWN_KINDS)
        _told[engine] = examples_of(engine.release, kinds), [kind.phrase for kind in kinds]
    examples, phrases = _told[engine]
    return [(text, search_path(text)) for text in examples], [(text, search_path(text)) for text in phrases]


def _shelf(favorites: list[Card], departments: list[Department]) -> list[Picture]:
    """Return three pictures for the head of the page; none where the catalog has not as many."""
    loved = [card.picture for card in favorites]
    found = loved or [department.picture for department in departments if department.picture]
    return found[:3] if len(found) >= 3 else []


def _newest(engine: Engine) -> list[Product]:
    """Return the products that came last; none where the catalog has no dates, or all came at once."""
    created = engine.release.facets.numbers.get("created")
    if created is None or np.nanmin(created) == np.nanmax(created):
        return []
    asked = SearchRequest(sort="newest", per_page=SHOWN_NEW, facets=(), fold=True)
    return [hit.product for hit in engine.search(asked).hits if hit.product.created_at]


def _favorites(engine: Engine) -> list[Product]:
    """Return well-rated products, one of each department first; none where nothing is rated."""
    if "rating" not in engine.release.facets.numbers:
        return []
    best = [product for product in _best(engine, SearchRequest()) if product.rating is not None]
    departments = dict.fromkeys(product.category[:1] for product in best)
    firsts = [next(product for product in best if product.category[:1] == name) for name in departments]
    return one_per_group([*firsts, *best], SHOWN_PRODUCTS)


def _best(engine: Engine, browsing: SearchRequest) -> list[Product]:
    """Return products by rating, those with a picture first; few ratings are drawn towards an ordinary one."""
    asked = SearchRequest(filters=browsing.filters, sort="rating:desc", per_page=BEST_RATED, facets=(), fold=True)
    products = [hit.product for hit in engine.search(asked).hits]

    def worth(product: Product) -> tuple[bool, float]:
        count = product.rating_count or 0
        drawn = ((product.rating or 0) * count + PRIOR_RATING * PRIOR_COUNT) / (count + PRIOR_COUNT)
        return bool(product.image_url), drawn

    return sorted(products, key=worth, reverse=True)
