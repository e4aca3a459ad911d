"""What search engines are told: each page's one address, what to leave out, and a map of the site.

- A search is an infinite space that is of no use in another engine's index (Google's "Search Essentials"): it is
  `noindex, follow`, and robots.txt keeps crawlers from asking, since each search and each "why this matches" costs an
  encoding. Browsing one category, a group, or a product is what people look for: indexed.
- The address of an indexed page leaves out everything but its page number; parameters that only change order, filters
  or looks make no page of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from flask import Blueprint, Flask, Response, current_app, redirect, request
from markupsafe import escape
from werkzeug.wrappers import Response as AnyResponse

from search.engine import Engine
from search.errors import NotFound
from search.request import SearchRequest
from web.live import current_engine
from web.pages.assets import asset
from web.urls import address, cluster_path, page_pairs, product_path

PER_SITEMAP = 50_000  # addresses in one file, at most: sitemaps.org
BROWSING = {"f.category", "page", "per_page", "sort", "view"}  # parameters of a page that is to be found
ROBOTS = """\
User-agent: *
Disallow: /*?q=
Disallow: /*&q=
Disallow: /similar
Disallow: /api/

Sitemap: {root}sitemap.xml
"""
_XMLNS = "http://www.sitemaps.org/schemas/sitemap/0.9"

discovery = Blueprint("discovery", __name__)


def site_root() -> str:
    """Return the shop's public address with a slash at the end: `AISLE_URL`, else as this request came."""
    public: str = current_app.config.get("PUBLIC_URL", "")
    return f"{public.rstrip('/')}/" if public else request.url_root


def absolute(path: str) -> str:
    """Return the public address of a path that begins with "/"; what is absolute already stays."""
    return site_root() + path[1:] if path.startswith("/") and not path.startswith("//") else path


def printed_address() -> str:
    """Return the public address of this very page, as people read it on paper."""
    return site_root() + request.url.removeprefix(request.url_root)


def canonical_address() -> str:
    """Return the one address of a page whose parameters say nothing about what it is, but for its page."""
    page = request.args.get("page", "")
    is_later = page.isascii() and page.isdigit() and int(page[:9]) > 1
    return absolute(quote(request.path, safe="/%:@!$&'()*+,;=~")) + (f"?page={int(page[:9])}" if is_later else "")


def search_address(asked: SearchRequest) -> tuple[str, bool]:
    """Return the canonical address of a page of results, and whether it is one to be found in search engines."""
    said = {name for name, _ in page_pairs(asked)}
    is_browsing = said <= BROWSING and len(asked.filters.get("category", ())) <= 1
    shown = SearchRequest(filters=asked.filters, page=asked.page) if is_browsing else asked
    return absolute(address("/search", shown)), is_browsing


@discovery.get("/robots.txt")
def robots() -> Response:
    """Say where crawlers need not go, and where the sitemap is."""
    return _kept(Response(ROBOTS.format(root=site_root()), mimetype="text/plain"))


@discovery.get("/favicon.ico")
def favicon() -> AnyResponse:
    """Lead those who ask by habit to the shop's mark."""
    return redirect(asset("mark.svg"))


@discovery.get("/sitemap.xml")
def sitemap_index() -> Response:
    """List the sitemaps: one of the groups, one for each 50,000 products."""
    count = -(-current_engine().release.rows // PER_SITEMAP)
    names = ["groups", *map(str, range(1, count + 1))]
    root = site_root()  # before the answer streams: then the request is over
    entries = (f"<sitemap><loc>{escape(root)}sitemaps/{name}.xml</loc></sitemap>\n" for name in names)
    return _xml("sitemapindex", entries)


@discovery.get("/sitemaps/groups.xml")
def sitemap_of_groups() -> Response:
    """List the start page, the groups and each of them."""
    groups = [cluster_path(cluster.id) for cluster in current_engine().clusters()]
    return _xml("urlset", _locations(["/", "/clusters", "/map", *groups]))


@discovery.get("/sitemaps/<int:number>.xml")
def sitemap_of_products(number: int) -> Response:
    """List the products of one part of the catalog, every variant at its own address."""
    engine = current_engine()
    start = (number - 1) * PER_SITEMAP
    if not 0 <= start < engine.release.rows:
        raise NotFound(f"there is no sitemap {number}; see /sitemap.xml")
    return _xml("urlset", _locations(_product_paths(engine, start)))


def _product_paths(engine: Engine, start: int) -> Iterator[str]:
    end = min(start + PER_SITEMAP, engine.release.rows)
    for first in range(start, end, 1000):
        yield from map(product_path, engine.release.products.ids(range(first, min(first + 1000, end))))


def _locations(paths: Iterator[str] | list[str]) -> Iterator[str]:
    root = site_root()
    return (f"<url><loc>{escape(root + path[1:])}</loc></url>\n" for path in paths)


def _xml(element: str, entries: Iterator[str]) -> Response:
    def lines() -> Iterator[str]:
        yield f'<?xml version="1.0" encoding="UTF-8"?>\n<{element} xmlns="{_XMLNS}">\n'
        yield from entries
        yield f"</{element}>\n"

    return _kept(Response(lines(), mimetype="application/xml"))


def _kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def install(app: Flask, public_url: str = "") -> None:
    """Give an app its robots.txt and sitemap, and templates `canonical_address()` and `absolute(path)`.

    Args:
        public_url: where the shop is to be found, such as "https://shop.example"; "" for where each request came to.
    """
    app.config["PUBLIC_URL"] = public_url
    app.jinja_env.globals.update(
        canonical_address=canonical_address, absolute=absolute, printed_address=printed_address
    )
    app.register_blueprint(discovery)
