"""The JSON API, version 1. A view reads the request, asks the engine once, and hands its answer on."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, jsonify, request

from search.clusters import Cluster, cluster_json
from search.engine import Engine
from search.errors import ReleaseError
from search.product import Product
from search.request import SearchRequest, SearchResults
from web import __version__
from web.asking import ask
from web.formats import price_text
from web.live import current_engine
from web.openapi import operation
from web.schemas import (
    MatchParameters,
    NoParameters,
    RecommendParameters,
    SearchParameters,
    SimilarParameters,
    SuggestParameters,
    parsed,
    search_request,
    search_request_of_json,
)
from web.urls import address, product_path, query_pairs, reachable_pages

api = Blueprint("api", __name__, url_prefix="/api/v1")
SEARCH = "/api/v1/search"
TOP_PRODUCTS = 12  # shown of a cluster


@api.get("/search")
@operation("search", "Search the catalog", "search", parameters=SearchParameters)
def search() -> Response:
    """Answer a search; revalidated by ETag, so that an unchanged answer costs nothing."""
    engine = current_engine()
    asked = search_request(request.args, engine)
    tag = etag(engine, asked)
    if is_complete(engine, asked) and request.if_none_match.contains_weak(tag):
        return tagged(Response(status=304), tag)
    results = ask(engine, asked, "api")
    response = search_response(results)
    return tagged(response, tag) if results.degraded is None else response


@api.post("/search")
@operation("searchByBody", "Search the catalog, the parameters in a JSON body", "search", body=SearchParameters)
def search_by_body() -> Response:
    """Answer the same search with its parameters as a JSON object."""
    parsed(NoParameters, request.args)
    engine = current_engine()
    return search_response(ask(engine, search_request_of_json(request.get_json(), engine), "api"))


def etag(engine: Engine, asked: SearchRequest, subject: str = "") -> str:
    """Return the tag of an answer: it changes with the release, the search, what of it, and this program's version."""
    text = f"{__version__} {engine.release.name} {subject} {urlencode(query_pairs(asked))}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def is_complete(engine: Engine, asked: SearchRequest) -> bool:
    """Return whether the engine would answer this now without making do with words."""
    return asked.mode == "lexical" or not asked.q or engine.encoder.is_ready


def tagged(response: Response, tag: str) -> Response:
    """Let an answer be kept, but asked about before each use: a release may be switched at any time."""
    response.set_etag(tag, weak=True)  # weak: query_id and took_ms differ from one answer to the next
    response.headers["Cache-Control"] = "no-cache"
    return response


def search_response(results: SearchResults) -> Response:
    """Return the contract's JSON with links and the time each stage took."""
    response = jsonify({**results.as_json(), "links": links(results)})
    response.headers["Server-Timing"] = server_timing(results)
    response.headers["Cache-Control"] = "no-store"
    return response


def server_timing(results: SearchResults) -> str:
    """Return the Server-Timing header's value."""
    return ", ".join(f"{stage};dur={took}" for stage, took in results.timings_ms.items())


def links(results: SearchResults) -> dict[str, str | None]:
    """Return the addresses of this page and its neighbors, null where there is none."""
    asked, last = results.request, reachable_pages(results.pages, results.request.per_page)
    page = asked.page
    return {
        "self": address(SEARCH, asked),
        "next": address(SEARCH, asked, page=page + 1) if page < last else None,
        "prev": address(SEARCH, asked, page=min(page - 1, last)) if page > 1 and last else None,
    }


@api.get("/suggest")
@operation("suggest", "Suggest while someone types", "search", parameters=SuggestParameters)
def suggest() -> Response:
    """Suggest searches, categories and products for what was typed so far, or departments; never runs the encoder."""
    asked = parsed(SuggestParameters, request.args.to_dict())
    found = current_engine().suggest(asked.q, asked.limit)
    return jsonify(
        q=asked.q,
        corrected=found["corrected"],
        queries=[{**entry, "url": f"/search?{urlencode({'q': entry['text']})}"} for entry in found["queries"]],
        categories=[
            {**entry, "url": f"/search?{urlencode({'f.category': entry['category']})}"} for entry in found["categories"]
        ],
        products=[
            {**entry, "price_text": price_text(entry["price"], entry["currency"]), "url": product_path(entry["id"])}
            for entry in found["products"]
        ],
    )


@api.get("/products/<path:product_id>")
@operation("product", "One product", "products")
def product(product_id: str) -> Response:
    """Give one product, its variants and its cluster."""
    parsed(NoParameters, request.args.to_dict())
    engine = current_engine()
    found = engine.product(product_id)
    row = engine.release.products.row_of(product_id)
    return jsonify(
        id=found.id,
        release=engine.release.name,
        product=found.as_json(),
        variants=[variant.id for variant in engine.variants(found) if variant.id != found.id],
        cluster=int(engine.release.clusters.cluster_of[row]),
        links=product_links(found),
    )


@api.get("/products/<path:product_id>/similar")
@operation("similarProducts", "Products nearest in meaning", "products", parameters=SimilarParameters)
def similar(product_id: str) -> Response:
    """Give the products nearest in meaning, one of each group."""
    asked = parsed(SimilarParameters, request.args.to_dict())
    engine = current_engine()
    hits = [
        {"id": found.id, "rank": place, "score": score, "product": found.as_json()}
        for place, (found, score) in enumerate(engine.similar(product_id, asked.limit), start=1)
    ]
    return jsonify(id=product_id, release=engine.release.name, hits=hits)


@api.get("/products/<path:product_id>/match")
@operation("match", "Why a product matches a search", "products", parameters=MatchParameters)
def match(product_id: str) -> Response:
    """Say which words of a search and of a product make them close; by words alone while the encoder loads."""
    asked = parsed(MatchParameters, request.args.to_dict())
    engine = current_engine()
    search_for = SearchRequest(q=asked.q)
    tag = etag(engine, search_for, f"match {product_id}")
    if is_complete(engine, search_for) and request.if_none_match.contains_weak(tag):
        return tagged(Response(status=304), tag)
    found = engine.match(product_id, asked.q)
    response = jsonify(id=product_id, release=engine.release.name, q=search_for.q, **found.as_json())
    response.headers["Cache-Control"] = "no-store"
    return tagged(response, tag) if found.degraded in (None, "no_token_vectors") else response


@api.post("/recommend")
@operation("recommend", "Products like some and unlike others", "products", body=RecommendParameters)
def recommend() -> Response:
    """Give products like those liked and unlike those disliked."""
    parsed(NoParameters, request.args.to_dict())
    body = request.get_json()
    asked = parsed(RecommendParameters, body if isinstance(body, dict) else {})
    engine = current_engine()
    found = engine.recommend(asked.liked, asked.disliked, asked.filters, asked.limit)
    hits = [
        {"id": one.id, "rank": place, "score": score, "product": one.as_json()}
        for place, (one, score) in enumerate(found, start=1)
    ]
    return jsonify(release=engine.release.name, hits=hits)


def product_links(found: Product) -> dict[str, str]:
    """Return the addresses that belong to a product."""
    own = f"/api/v1/products/{quote(found.id, safe='')}"
    return {"self": own, "similar": f"{own}/similar", "match": f"{own}/match", "page": product_path(found.id)}


@api.get("/clusters")
@operation("clusters", "Every cluster", "clusters")
def clusters() -> Response:
    """Give every cluster, parents before their children."""
    parsed(NoParameters, request.args.to_dict())
    engine = current_engine()
    return jsonify(release=engine.release.name, clusters=[_cluster(one, engine) for one in engine.clusters()])


@api.get("/clusters/<int:cluster_id>")
@operation("cluster", "One cluster", "clusters")
def cluster(cluster_id: int) -> Response:
    """Give one cluster, those below it, and the products nearest its middle."""
    parsed(NoParameters, request.args.to_dict())
    engine = current_engine()
    found = engine.release.clusters.cluster(cluster_id)
    top = engine.release.products.products(found.top_rows[:TOP_PRODUCTS])
    return jsonify(
        release=engine.release.name,
        cluster=_cluster(found, engine),
        children=[_cluster(child, engine) for child in engine.release.clusters.children(cluster_id)],
        top=[{"id": one.id, "product": one.as_json()} for one in top],
    )


def _cluster(found: Cluster, engine: Engine) -> dict[str, Any]:
    page = f"/clusters/{found.id}"
    told = {
        "products": engine.release.products_in.get(found.id, 0), "terms": list(found.terms),
        "attributes": found.attributes, "neighbors": list(found.neighbors),
    }  # fmt: skip
    links = {"self": f"/api/v1{page}", "products": f"{SEARCH}?cluster={found.id}", "page": page}
    return {**cluster_json(found), **told, "links": links}


@api.get("/version")
@operation("version", "What answers", "service", scope="")
def version() -> Response:
    """Say which program, release and encoder answer; release and encoder are null while nothing is live."""
    try:
        engine = current_engine()
    except ReleaseError:
        return jsonify(name="aisle", version=__version__, api="v1", release=None, products=None, encoder=None)
    encoder = {name: engine.release.manifest["encoder"][name] for name in ("name", "fingerprint")}
    return jsonify(
        name="aisle", version=__version__, api="v1", release=engine.release.name, products=engine.release.rows,
        encoder=encoder,
    )  # fmt: skip
