"""The JSON API, version 1. A view reads the request, asks the engine once, and hands its answer on."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, current_app, jsonify, request

from search.clusters import Cluster, cluster_json
from search.engine import Engine
from search.errors import ReleaseError
from search.product import Product
from search.request import SearchRequest, SearchResults
from web import __version__
from web.api.answers import MatchAnswer, ProductAnswer, RecommendAnswer, SimilarAnswer, VersionAnswer
from web.api.answers_of_clusters import ClusterAnswer, ClustersAnswer
from web.api.answers_of_searches import BatchAnswer, SearchResult, SuggestAnswer
from web.api.bodies import json_body
from web.api.openapi import operation
from web.api.openapi_document import CatalogFields, document, document_of
from web.api.revalidation import revalidated
from web.api.schemas import (
    BatchParameters,
    MatchParameters,
    PageParameters,
    RecommendParameters,
    SearchParameters,
    SimilarParameters,
    SuggestParameters,
    search_request,
    search_request_of_json,
    search_requests_of_json,
    state_of,
)
from web.api.validation import NoParameters, parsed_body, query_of
from web.asking import ask, ask_many
from web.caching import uncached
from web.formats import price_text
from web.json_answers import product_json
from web.language import localized
from web.live import current_engine
from web.serving.limits import count_as
from web.urls import address, product_path, query_pairs, reachable_pages, with_pairs

api = Blueprint("api", __name__, url_prefix="/api/v1")
SEARCH = "/api/v1/search"
TOP_PRODUCTS = 12  # shown of a cluster


@api.get("/search")
@operation("search", "Search the catalog", "search", parameters=PageParameters, answer=SearchResult)
@revalidated
def search() -> Response:
    """Answer a search; revalidated by ETag, so that an unchanged answer costs nothing."""
    engine, values = current_engine(), request.args.copy()
    state = state_of(values)
    return search_response(ask(engine, search_request(values, engine), "api"), state)


@api.post("/search")
@operation("searchByBody", "Search, the parameters in a body", "search", body=SearchParameters, answer=SearchResult)
def search_by_body() -> Response:
    """Answer the same search with its parameters as a JSON object."""
    query_of(NoParameters, request.args)
    engine = current_engine()
    return uncached(search_response(ask(engine, search_request_of_json(json_body(), engine), "api")))


@api.post("/search:batch")
@operation("searchBatch", "Several searches at once", "search", body=BatchParameters, answer=BatchAnswer)
def search_batch() -> Response:
    """Answer up to 50 searches in their order, all of one release, their texts encoded together.

    All of them are refused when one is not understood. Limits count each of them.
    """
    query_of(NoParameters, request.args)
    started, engine = time.perf_counter(), current_engine()
    asked = search_requests_of_json(json_body(), engine)
    count_as(len(asked))
    answers = ask_many(engine, asked)
    took_ms = round((time.perf_counter() - started) * 1000, 2)
    results = [search_json(one) for one in answers]
    return uncached(jsonify(**engine.release.state, results=results, took_ms=took_ms))


def search_response(results: SearchResults, state: str = "") -> Response:
    """Return the contract's JSON and the time each stage took; an answer that makes do is not to be kept."""
    response = jsonify(search_json(results, state))
    response.headers["Server-Timing"] = server_timing(results)
    return uncached(response) if results.degraded else response


def search_json(results: SearchResults, state: str = "") -> dict[str, Any]:
    """Return the contract's JSON, with links.

    Args:
        results: a page of a search.
        state: of the page before; "" when it is not known.
    """
    has_moved = state not in ("", f"{results.release}.{results.sequence}")
    return {**results.as_json(product_json), "moved": has_moved, "links": links(results)}


def server_timing(results: SearchResults) -> str:
    """Return the Server-Timing header's value."""
    return ", ".join(f"{stage};dur={took}" for stage, took in results.timings_ms.items())


def links(results: SearchResults) -> dict[str, str | None]:
    """Return the addresses of this page and its neighbors, null where there is none.

    The neighbors' hold release and sequence, so that theirs tell whether the two pages fit together.
    """
    asked, last = results.request, reachable_pages(results.pages, results.request.per_page)
    page = asked.page
    return {
        "self": address(SEARCH, asked),
        "next": _neighbor(results, page + 1) if page < last else None,
        "prev": _neighbor(results, min(page - 1, last)) if page > 1 and last else None,
    }


def _neighbor(results: SearchResults, page: int) -> str:
    pairs = [*query_pairs(results.request, page=page), ("state", f"{results.release}.{results.sequence}")]
    return with_pairs(SEARCH, pairs)


@api.get("/suggest")
@operation("suggest", "Suggest while someone types", "search", parameters=SuggestParameters, answer=SuggestAnswer)
@revalidated
def suggest() -> Response:
    """Suggest searches, categories and products for what was typed so far, or departments; never runs the encoder."""
    asked = query_of(SuggestParameters, request.args)
    found = current_engine().suggest(asked.q, asked.limit)
    answer = jsonify(
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
    return localized(answer)  # price_text is written as the language asked for writes it


@api.get("/products/<path:product_id>")
@operation("product", "One product", "products", answer=ProductAnswer)
@revalidated
def product(product_id: str) -> Response:
    """Give one product, its variants and its cluster."""
    query_of(NoParameters, request.args)
    engine = current_engine()
    found = engine.product(product_id)
    row = engine.release.products.row_of(product_id)
    return jsonify(
        id=found.id,
        **engine.release.state,
        product=product_json(found),
        variants=[variant.id for variant in engine.variants(found) if variant.id != found.id],
        cluster=int(engine.release.clusters.cluster_of[row]),
        links=product_links(found),
    )


@api.get("/products/<path:product_id>/similar")
@operation(
    "similarProducts", "Products nearest in meaning", "products", parameters=SimilarParameters, answer=SimilarAnswer
)
@revalidated
def similar(product_id: str) -> Response:
    """Give the products nearest in meaning, one of each group."""
    asked = query_of(SimilarParameters, request.args)
    engine = current_engine()
    hits = [
        {"id": found.id, "rank": place, "score": score, "product": product_json(found)}
        for place, (found, score) in enumerate(engine.similar(product_id, asked.limit), start=1)
    ]
    return jsonify(id=product_id, **engine.release.state, hits=hits)


@api.get("/products/<path:product_id>/match")
@operation("match", "Why a product matches a search", "products", parameters=MatchParameters, answer=MatchAnswer)
@revalidated
def match(product_id: str) -> Response:
    """Say which words of a search and of a product make them close; by words alone while the encoder loads."""
    asked = query_of(MatchParameters, request.args)
    engine = current_engine()
    found = engine.match(product_id, asked.q)
    response = jsonify(
        id=product_id,
        **engine.release.state,
        q=SearchRequest(q=asked.q).q,
        **found.as_json(),
    )
    return response if found.degraded in (None, "no_token_vectors") else uncached(response)


@api.post("/recommend")
@operation(
    "recommend", "Products like some and unlike others", "products", body=RecommendParameters, answer=RecommendAnswer,
    problems=(404,),
)  # fmt: skip
def recommend() -> Response:
    """Give products like those liked and unlike those disliked."""
    query_of(NoParameters, request.args)
    asked = parsed_body(RecommendParameters, json_body())
    engine = current_engine()
    found = engine.recommend(asked.liked, asked.disliked, asked.filters, asked.limit)
    hits = [
        {"id": one.id, "rank": place, "score": score, "product": product_json(one)}
        for place, (one, score) in enumerate(found, start=1)
    ]
    return uncached(jsonify(**engine.release.state, hits=hits))


def product_links(found: Product) -> dict[str, str]:
    """Return the addresses that belong to a product."""
    own = f"/api/v1/products/{quote(found.id, safe='')}"
    return {"self": own, "similar": f"{own}/similar", "match": f"{own}/match", "page": product_path(found.id)}


@api.get("/clusters")
@operation("clusters", "Every cluster", "clusters", answer=ClustersAnswer)
@revalidated
def clusters() -> Response:
    """Give every cluster, parents before their children."""
    query_of(NoParameters, request.args)
    engine = current_engine()
    return jsonify(
        **engine.release.state,
        clusters=[_cluster(one, engine) for one in engine.clusters()],
    )


@api.get("/clusters/<int:cluster_id>")
@operation("cluster", "One cluster", "clusters", answer=ClusterAnswer)
@revalidated
def cluster(cluster_id: int) -> Response:
    """Give one cluster, those below it, and the products nearest its middle."""
    query_of(NoParameters, request.args)
    engine = current_engine()
    found = engine.release.clusters.cluster(cluster_id)
    top = engine.release.products.products(found.top_rows[:TOP_PRODUCTS])
    return jsonify(
        **engine.release.state,
        cluster=_cluster(found, engine),
        children=[_cluster(child, engine) for child in engine.release.clusters.children(cluster_id)],
        top=[{"id": one.id, "product": product_json(one)} for one in top],
    )


def _cluster(found: Cluster, engine: Engine) -> dict[str, Any]:
    page = f"/clusters/{found.id}"
    told = {
        "products": engine.release.products_in.get(found.id, 0), "terms": list(found.terms),
        "attributes": found.attributes, "neighbors": list(found.neighbors),
    }  # fmt: skip
    links = {"self": f"/api/v1{page}", "products": f"{SEARCH}?cluster={found.id}", "page": page}
    return {**cluster_json(found), **told, "links": links}


@api.get("/openapi.json")
@operation("openapi", "This document", "service", scope="", revalidated=True)
def openapi() -> Response:
    """Give the OpenAPI 3.1 document of this server, with the filters of the catalog that is live."""
    query_of(NoParameters, request.args)
    try:
        response = jsonify(document_of(current_app, current_engine()))
    except ReleaseError:
        response = jsonify(document(current_app, CatalogFields()))
    response.add_etag()
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


@api.get("/version")
@operation("version", "What answers", "service", answer=VersionAnswer, scope="")
def version() -> Response:
    """Say which program, release and encoder answer; release and encoder are null while nothing is live."""
    query_of(NoParameters, request.args)
    try:
        engine = current_engine()
    except ReleaseError:
        return jsonify(
            name="aisle", version=__version__, api="v1", release=None, sequence=None, products=None, encoder=None
        )
    encoder = {name: engine.release.manifest["encoder"][name] for name in ("name", "fingerprint")}
    return jsonify(
        name="aisle", version=__version__, api="v1", **engine.release.state, products=engine.release.rows,
        encoder=encoder,
    )  # fmt: skip
