"""The map of the catalog: its page, and what the page draws with. Binaries are raw little-endian columns by row."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from flask import Blueprint, Response, jsonify, render_template, request
from numpy.typing import NDArray

from search.arrays import Rows
from search.clusters import Cluster, cluster_json
from search.engine import Engine
from search.errors import NotFound
from search.folding import Counted
from search.map import CatalogMap, LegendEntry, MapColor, map_of
from search.naming import nearest
from search.product import Product
from search.request import SearchResults
from web.api.answers_of_clusters import MapAnswer, MapLitAnswer, MapPointsAnswer
from web.api.openapi import BINARY, operation
from web.api.revalidation import revalidated
from web.api.routes import server_timing
from web.api.schemas import BinaryParameters, MapPointParameters, SearchParameters, search_request
from web.api.validation import NoParameters, query_of
from web.caching import uncached
from web.formats import availability_text, date_text, number_text, price_text, round_price_text
from web.language import gettext as _
from web.language import localized
from web.live import current_engine
from web.pages.cards import one_per_group, picture_of
from web.pages.listing import listing_of
from web.pages.readings import facet_label
from web.urls import address, page_pairs, product_path

catalog_map = Blueprint("map", __name__)
API, LIT = "/api/v1/map", "/api/v1/map/lit"
YEAR_SECONDS = 31_536_000
TYPICAL = 3  # products named of each group in the table

_maps: WeakKeyDictionary[Engine, CatalogMap] = WeakKeyDictionary()
_groups: WeakKeyDictionary[Engine, list[GroupRow]] = WeakKeyDictionary()


def current_map(engine: Engine) -> CatalogMap:
    """Return the map of an engine's release, made at the first call, and anew when prices or stock have changed."""
    if engine not in _maps:
        _maps[engine] = map_of(engine.release)
    return _maps[engine]


# -- the page --


@dataclass(frozen=True)
class GroupRow:
    """One line of the table beside the map: a group, its median price for people, and its most typical products."""

    cluster: Cluster
    products: int
    parent: Cluster | None
    price: float | None  # in the catalog's currency
    typical: list[tuple[str, str]]  # title, path


@catalog_map.get("/map")
def page() -> Response:
    """Show every product as a dot, and the same groups as a table."""
    engine = current_engine()
    listing = listing_of(engine, search_request(request.args, engine, lenient=True), path="/map")
    asked = replace(listing.request, sort="relevance", page=1, per_page=24)  # a map has no order and no pages
    is_narrowed = bool(page_pairs(asked))
    response = Response(
        render_template(
            "map.html",
            listing=listing,
            groups=_counted(engine, listing.results) if is_narrowed else [(row, None) for row in groups_of(engine)],
            is_narrowed=is_narrowed,
            lit=address(LIT, asked) if is_narrowed else "",
            as_list=address("/search", asked),
            kept=[pair for pair in page_pairs(asked) if pair[0] != "q"],
            framed=asked.cluster is not None,
            products=engine.release.product_count,
            dots=engine.release.rows,
            currency=engine.release.currency,
        )
    )
    response.headers["Server-Timing"] = server_timing(listing.results)
    return uncached(response) if listing.results.degraded else response


def groups_of(engine: Engine) -> list[GroupRow]:
    """Return a row for every group, parents before what is in them; made at the first call."""
    if engine not in _groups:
        drawn, release = current_map(engine), engine.release
        _groups[engine] = [
            GroupRow(
                cluster,
                release.products_in.get(cluster.id, 0),
                None if cluster.parent is None else release.clusters.cluster(cluster.parent),
                _typical_price(engine, rows),
                [(one.title, product_path(one.id)) for one in _typical(engine, cluster)],
            )
            for cluster, rows in zip(drawn.clusters, drawn.members, strict=True)
        ]
    return _groups[engine]


def _typical(engine: Engine, cluster: Cluster) -> list[Product]:
    nearest_rows = cluster.top_rows[: 4 * TYPICAL]
    return one_per_group(engine.release.products.products(nearest_rows), TYPICAL)


def _typical_price(engine: Engine, rows: Rows) -> float | None:
    prices = engine.release.facets.numbers.get("price")
    known = np.zeros(0) if prices is None else prices[rows]
    known = known[~np.isnan(known)]
    return round(float(np.median(known)), 2) if len(known) else None


def _counted(engine: Engine, results: SearchResults) -> list[tuple[GroupRow, int]]:
    """Return the groups that hold results, each with how many products."""
    counts = engine.release.clusters.all_counts(results.rows, engine.release.folding)
    return [(row, counts[row.cluster.id]) for row in groups_of(engine) if row.cluster.id in counts]


# -- the API --


@catalog_map.get(API)
@operation("map", "What is on the map, and where its columns are", "clusters", answer=MapAnswer)
@revalidated
def meta() -> Response:
    """Say what is on the map and where its columns are."""
    query_of(NoParameters, request.args)
    engine = current_engine()
    drawn, name = current_map(engine), engine.release.name
    answer = jsonify(
        **engine.release.state,
        count=engine.release.rows,
        currency=engine.release.currency,
        positions=_column(name, "positions", drawn.positions),
        leaves=_column(name, "leaves", drawn.leaves),
        clusters=[
            {**cluster_json(cluster), "x": round(float(x), 5), "y": round(float(y), 5)}
            for cluster, (x, y) in zip(drawn.clusters, drawn.centers, strict=True)
        ],
        colors=[_color(color, engine) for color in drawn.colors.values()],
        links={"self": API, "page": "/map", "lit": LIT, "points": f"{API}/{name}/points"},
    )
    return localized(answer)


def _column(release: str, name: str, array: NDArray[Any]) -> dict[str, str]:
    """Return type and address of a column; the address changes with the content."""
    return {"type": array.dtype.name, "url": f"{API}/{release}/{name}?v={_digest(_little(array))}"}


def _little(array: NDArray[Any]) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _color(color: MapColor, engine: Engine) -> dict[str, Any]:
    folding, currency = engine.release.folding, engine.release.currency
    products = {entry.code: entry.count for entry in color.legend}
    if folding is not None:
        products = dict(enumerate(Counted(np.arange(len(color.codes)), folding).counts(color.codes, 256).tolist()))
    legend = [
        {**asdict(entry), "products": products[entry.code], "label": legend_label(color, entry, currency)}
        for entry in color.legend
    ]
    codes = _column(engine.release.name, f"colors/{color.name}", color.codes)
    label = _("Group") if color.name == "cluster" else facet_label(color.name, color.label)
    return {"name": color.name, "label": label, "kind": color.kind, **codes, "legend": legend}


def legend_label(color: MapColor, entry: LegendEntry, currency: str) -> str:
    """Return a color's meaning for people: "Kitchen", "$10 to $25", "Other", "Not stated"."""
    if entry.code == 0:
        return _("Not stated")
    if entry.is_other:
        return _("Other")
    if color.name == "availability":
        return availability_text(entry.value) or entry.value
    if color.kind != "numbers":
        return entry.value
    low, high = (
        None if edge is None else _number_label(color.name, edge, currency) for edge in (entry.low, entry.high)
    )
    if color.name == "created":
        if low is None:
            return _("before %(day)s", day=high)
        return _("since %(day)s", day=low) if high is None else _("%(first)s to %(last)s", first=low, last=high)
    if low is None:
        return _("under %(high)s", high=high)
    return _("%(low)s and up", low=low) if high is None else _("%(low)s to %(high)s", low=low, high=high)


def _number_label(name: str, number: float, currency: str) -> str:
    if name == "created":
        return date_text(np.datetime64(int(number), "D").astype(date))
    return round_price_text(number, currency) if name == "price" else number_text(number)


@catalog_map.get(f"{API}/<release>/positions")
@operation(
    "mapPositions",
    "Where each product stands",
    "clusters",
    parameters=BinaryParameters,
    media=(BINARY,),
    revalidated=True,
)
def positions(release: str) -> Response:
    """Give (n, 2) uint16: x and y of each row, 0 is -1 and 65535 is 1."""
    return _binary(_map_named(release).positions)


@catalog_map.get(f"{API}/<release>/leaves")
@operation(
    "mapLeaves",
    "The cluster of each product",
    "clusters",
    parameters=BinaryParameters,
    media=(BINARY,),
    revalidated=True,
)
def leaves(release: str) -> Response:
    """Give (n,) uint16: each row's leaf group as its place in the map's list of clusters."""
    return _binary(_map_named(release).leaves)


@catalog_map.get(f"{API}/<release>/colors/<name>")
@operation(
    "mapColors", "One color of each product", "clusters", parameters=BinaryParameters, media=(BINARY,), revalidated=True
)
def color_codes(release: str, name: str) -> Response:
    """Give (n,) uint8: each row's code in the legend of one color."""
    colors = _map_named(release).colors
    if name not in colors:
        raise NotFound(f'the map has no color "{name}"{nearest(name, colors)}')
    return _binary(colors[name].codes)


def _map_named(release: str) -> CatalogMap:
    """Return the live release's map, asked for by name, since rows mean nothing in another release."""
    engine = current_engine()
    _expect_live(release, engine)
    return current_map(engine)


def _expect_live(release: str, engine: Engine) -> None:
    if release != engine.release.name:
        raise NotFound(f'release "{release:.80}" does not answer now; see {API} for the one that does')


def _binary(array: NDArray[Any]) -> Response:
    """Return a column as bytes, to be kept for a year under the address that names its content."""
    asked = query_of(BinaryParameters, request.args)
    content = _little(array)
    response = Response(content, mimetype="application/octet-stream")
    response.set_etag(_digest(content))
    is_current = asked.v == _digest(content)
    response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable" if is_current else "no-cache"
    response.make_conditional(request)
    return response


@catalog_map.get(f"{API}/<release>/points")
@operation("mapPoints", "What some dots are", "clusters", parameters=MapPointParameters, answer=MapPointsAnswer)
@revalidated
def points(release: str) -> Response:
    """Say which products a few dots are."""
    asked = query_of(MapPointParameters, request.args)
    engine = current_engine()
    _expect_live(release, engine)
    for row in asked.at:
        if row >= engine.release.rows:
            raise NotFound(f"no dot {row} on this map; it has {engine.release.rows}, counted from 0")
    found = engine.release.products.products(asked.at)
    told = [_point(row, one, engine) for row, one in zip(asked.at, found, strict=True)]
    return localized(jsonify(**engine.release.state, points=told))


def _point(row: int, product: Product, engine: Engine) -> dict[str, Any]:
    cluster = engine.release.clusters.cluster(int(engine.release.clusters.cluster_of[row]))
    return {
        "point": row, "id": product.id, "title": product.title, "brand": product.brand,
        "price": product.price, "price_text": price_text(product.price, product.currency),
        "rating": product.rating, "rating_count": product.rating_count, "availability": product.availability,
        "picture": asdict(picture_of(product, cluster.id)), "cluster": cluster_json(cluster),
        "url": product_path(product.id),
    }  # fmt: skip


@catalog_map.get(LIT)
@operation("mapLit", "Which dots a search lights", "clusters", parameters=SearchParameters, answer=MapLitAnswer)
@revalidated
def lit() -> Response:
    """Say which dots a search lights: every row of the relevant set of the same search, best first.

    With `fold` the numbers are of products; the dots of all their variants that answer are lit, and `products` numbers
    the product of each.
    """
    engine = current_engine()
    asked = search_request(request.args, engine)
    results = engine.search(replace(asked, facets=(), page=1, per_page=1))
    folding = engine.release.folding if asked.fold else None
    response = jsonify(
        release=results.release, sequence=results.sequence, query=results.query,
        total=results.total, total_relation=results.total_relation,
        confidence=results.confidence, degraded=results.degraded, points=results.rows.tolist(),
        products=None if folding is None else folding.product_of[results.rows].tolist(),
        clusters=[cluster_json(*counted) for counted in engine.release.clusters.counts(results.rows, folding)],
        links={"page": address("/map", asked), "list": address("/search", asked)},
    )  # fmt: skip
    response.headers["Server-Timing"] = server_timing(results)
    return uncached(response) if results.degraded else response
