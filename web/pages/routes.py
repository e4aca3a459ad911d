"""The shop's pages. A view reads the request, asks one function, renders; the address bar is the query."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request

from search.naming import PATH_SEPARATOR
from search.product import Product
from search.request import SearchRequest
from web.api.routes import server_timing
from web.api.schemas import page_request
from web.caching import uncached
from web.formats import availability_text
from web.live import current_engine
from web.pages.cards import cards_of, choices_of
from web.pages.details import facts_of, gallery_of, groups_of, said_of
from web.pages.discovery import absolute, search_address
from web.pages.listing import Listing, listing_of
from web.pages.matching import matching_of
from web.pages.start import children_of, neighborhoods_of, samples_of, start_of, with_products
from web.pages.structured import breadcrumb_data, page_data, script_json
from web.pages.taste import taste_of
from web.urls import category_path, cluster_path, product_path, search_path, taste_path

pages = Blueprint("pages", __name__)
SIMILAR = 10


@pages.get("/")
def start() -> str:
    """Show the search field, departments, groups to explore and well-rated products."""
    return render_template("start.html", start=start_of(current_engine()))


@pages.get("/search")
def search() -> Response:
    """Show the results of a search, or all products when nothing is asked."""
    engine = current_engine()
    listing = listing_of(engine, page_request(request.args, engine))
    trail = category_trail(listing.request)
    canonical, is_indexed = search_address(listing.request)
    told = {"trail": trail, "canonical": canonical, "noindex": not (is_indexed and listing.results.total)}
    if listing.results.total:
        return _answered("search.html", listing, **told)
    return _answered("nothing.html", listing, **told, departments=start_of(engine).departments)


@pages.get("/products/<path:product_id>")
def product(product_id: str) -> Response:
    """Show one product, its variants and what is like it; after a search (`q`), why it matches."""
    engine = current_engine()
    found = engine.product(product_id)
    row = engine.release.products.row_of(product_id)
    cluster = engine.release.clusters.cluster(int(engine.release.clusters.cluster_of[row]))
    q = request.args.get("q", "")
    match = matching_of(engine, product_id, q)
    variants, trail = engine.variants(found), product_trail(found)
    path = product_path(found.id)
    shown = render_template(
        "product.html",
        product=found,
        match=match,
        taste_path=taste_path,
        q=q,
        results=search_path(match.q) if match else "/search",
        canonical=absolute(path),
        said=said_of(found),
        gallery=gallery_of(found, variants, cluster.id, q, request.args.get("image", "")),
        availability=availability_text(found.availability),
        groups=groups_of(engine, cluster.id),
        facts=facts_of(engine, found),
        cluster_products=engine.release.products_in[cluster.id],
        choices=choices_of(found, variants, q),
        similar=cards_of(engine, [near for near, _ in engine.similar(product_id, SIMILAR)]),
        trail=trail,
        structured=[script_json(page_data(found, variants)), script_json(breadcrumb_data(trail, found.title))],
    )
    response = Response(shown)
    return uncached(response) if match and not match.is_complete else response


@pages.get("/similar")
def similar() -> str:
    """Show products like some and unlike others."""
    liked, disliked = request.args.getlist("liked"), request.args.getlist("disliked")
    taste = taste_of(current_engine(), liked, disliked)
    return render_template("similar.html", taste=taste, canonical=absolute(taste_path(liked, disliked)), noindex=True)


@pages.get("/clusters")
def clusters() -> str:
    """Show every group of products and those within it."""
    return render_template("clusters.html", neighborhoods=neighborhoods_of(current_engine()))


@pages.get("/clusters/<int:cluster_id>")
def cluster(cluster_id: int) -> Response:
    """Show the products of one group, to browse and to filter."""
    engine = current_engine()
    clusters = engine.release.clusters
    found = clusters.cluster(cluster_id)
    if found.id != cluster_id:  # the group of an earlier release; its products are in this one now
        query = request.query_string.decode("latin-1")
        return _passed_on(f"{cluster_path(found.id)}{'?' if query else ''}{query}")
    values = request.args.copy()
    values.setlist("cluster", [str(cluster_id)])
    listing = listing_of(engine, page_request(values, engine), path=cluster_path(cluster_id))
    return _answered(
        "cluster.html",
        listing,
        cluster=found,
        parent=None if found.parent is None else clusters.cluster(found.parent),
        children=children_of(engine, cluster_id),
        neighbors=with_products(engine, clusters.neighbors(cluster_id)),
        samples=samples_of(engine, found),
    )


def _passed_on(address: str) -> Response:
    response = redirect(address)
    assert isinstance(response, Response)  # noqa: S101 - Flask's own class, which its type does not say
    return response


def _answered(template: str, listing: Listing, **context: Any) -> Response:
    response = Response(render_template(template, listing=listing, **context))
    response.headers["Server-Timing"] = server_timing(listing.results)
    return uncached(response) if listing.results.degraded else response


def category_trail(asked: SearchRequest) -> list[tuple[str, str]]:
    """Return (name, address) of the one category that is browsed and its ancestors; [] when it is not one."""
    chosen = asked.filters.get("category", ())
    return _trail(tuple(chosen[0].split(PATH_SEPARATOR))) if len(chosen) == 1 else []


def product_trail(found: Product) -> list[tuple[str, str]]:
    """Return (name, address) of a product's categories, the widest first."""
    return _trail(found.category)


def _trail(path: tuple[str, ...]) -> list[tuple[str, str]]:
    return [
        (
            path[depth],
            category_path(PATH_SEPARATOR.join(path[: depth + 1])),
        )
        for depth in range(len(path))
    ]
