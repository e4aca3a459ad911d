"""The API's routes as methods."""

from __future__ import annotations

import json
import os
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any, Literal, Unpack
from urllib.parse import quote as _quoted
from urllib.parse import urlencode as _urlencoded

from aisle_client.answers import (
    Changed,
    ClusterAnswer,
    Clusters,
    Events,
    Hit,
    Lit,
    Map,
    MapColumn,
    MapPoints,
    Match,
    Product,
    ProductAnswer,
    ProductChange,
    Recommended,
    Releases,
    SearchAnswer,
    SearchBody,
    SearchParameters,
    Similar,
    Suggestions,
    Switched,
    Version,
)  # fmt: skip
from aisle_client.connection import Connection
from aisle_client.problems import AisleError, AisleProblem

API = "/api/v1"
PREFIXES = {"filters": "f.", "find": "find."}
BATCH = 50  # searches in one request
MOST_PER_PAGE = 100
LONGEST_TARGET = 4_096  # characters; what is longer is sent as a body
AGENT = "aisle-client/0.1.0"
_CODES = {"uint8": "B", "uint16": "H"}


class Aisle:
    """A shop to ask. Safe to share between threads.

    Args:
        url: where it is to be found.
        key: for shops that want one; the environment's AISLE_KEY when left out.
        timeout: seconds without a sign of life after which a call fails.
        retries: further tries of a call that only reads, after 429, 503 (not before Retry-After has passed; not at all
            when it is more than 30 s) or a broken connection.

    Every method raises AisleProblem when the server says no, and AisleUnreachable when no whole answer comes.

    Raises:
        ValueError: the address or the key cannot be used.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", key: str | None = None, *, timeout: float = 10.0, retries: int = 2
    ):
        key = os.environ.get("AISLE_KEY", "") if key is None else key
        self._connection = Connection(url, key.strip(), timeout, retries, AGENT)

    def __repr__(self) -> str:
        return f"Aisle({self._connection.url!r})"

    def __enter__(self) -> Aisle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connection; the next call opens another."""
        self._connection.close()

    # -- search --

    def search(self, q: str = "", **parameters: Unpack[SearchParameters]) -> SearchAnswer:
        """Give one page of a search.

        >>> Aisle().search("mug", filters={"brand": ["Norr"]}, price_max=30)["hits"]  # doctest: +SKIP
        """
        asked: SearchBody = {"q": q, **parameters}
        target = f"{API}/search{_query(asked)}"
        if len(target) > LONGEST_TARGET:
            return self._json("POST", f"{API}/search", body_of(asked))
        return self._json("GET", target)

    def search_all(self, q: str = "", **parameters: Unpack[SearchParameters]) -> Iterator[Hit]:
        """Give every hit of every page, 100 in one request; a search reaches 10,000 of them.

        Raises:
            AisleError: the catalog changed between two pages, which then do not fit together; `export` cannot be cut.
        """
        asked: SearchParameters = {"per_page": MOST_PER_PAGE, "facets": (), **parameters}
        release = ""
        for page in count(asked.get("page", 1)):
            asked["page"] = page
            answer = self.search(q, **asked)
            if release and answer["release"] != release:
                raise AisleError(f"release {answer['release']} replaced {release} between two pages; begin again")
            release = answer["release"]
            yield from answer["hits"]
            if answer["links"]["next"] is None:
                return

    def search_many(self, searches: Iterable[str | SearchBody]) -> list[SearchAnswer]:
        """Give the answer to each of many searches, in their order; 50 are one request and one run of the encoder."""
        asked = iter(searches)
        answers: list[SearchAnswer] = []
        while part := list(islice(asked, BATCH)):
            bodies = [body_of({"q": one} if isinstance(one, str) else one) for one in part]
            answers += self._json("POST", f"{API}/search:batch", {"queries": bodies})["results"]
        return answers

    def export(self, q: str = "", **parameters: Unpack[SearchParameters]) -> Iterator[Product]:
        """Give every product of a search in its order, at most 10,000, while they come; pages play no part in it."""
        target = f"{API}/search:export{_query({'q': q, **parameters}, format='jsonl')}"
        for line in self._connection.lines(target):
            yield json.loads(line)

    def suggest(self, q: str = "", *, limit: int = 5) -> Suggestions:
        """Give searches, categories and products for what was typed so far; departments for nothing."""
        return self._json("GET", f"{API}/suggest?{_encoded({'q': q, 'limit': limit})}")

    # -- products --

    def product(self, product_id: str) -> ProductAnswer:
        """Give one product."""
        return self._json("GET", _product(product_id))

    def similar(self, product_id: str, *, limit: int = 12) -> Similar:
        """Give the products nearest in meaning to one."""
        return self._json("GET", f"{_product(product_id)}/similar?limit={limit}")

    def match(self, product_id: str, q: str) -> Match:
        """Say which words make a product and a search close."""
        return self._json("GET", f"{_product(product_id)}/match?{_encoded({'q': q})}")

    def recommend(
        self, liked: Sequence[str], disliked: Sequence[str] = (), *,
        filters: Mapping[str, Sequence[str]] | None = None, limit: int = 12,
    ) -> Recommended:  # fmt: skip
        """Give products like some and unlike others."""
        body = {"liked": list(liked), "disliked": list(disliked), "filters": dict(filters or {}), "limit": limit}
        return self._json("POST", f"{API}/recommend", body)

    # -- clusters and the map --

    def clusters(self) -> Clusters:
        """Give every cluster, parents before their children."""
        return self._json("GET", f"{API}/clusters")

    def cluster(self, cluster_id: int) -> ClusterAnswer:
        """Give one cluster, those below it and its most typical products."""
        return self._json("GET", f"{API}/clusters/{int(cluster_id)}")

    def map(self) -> Map:
        """Say what is on the map and where its columns are."""
        return self._json("GET", f"{API}/map")

    def map_column(self, column: MapColumn) -> array[int]:
        """Give a column of the map, by row; positions are x and y by turns, 0 is -1 and 65535 is 1.

        >>> numpy.array(shop.map_column(shop.map()["positions"])).reshape(-1, 2)  # doctest: +SKIP
        """
        numbers = array(_CODES[column["type"]])
        numbers.frombytes(self._connection.ask("GET", column["url"]))
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers

    def map_points(self, release: str, at: Sequence[int]) -> MapPoints:
        """Say which products some rows of the map are, at most 60."""
        rows = ",".join(map(str, at))
        return self._json("GET", f"{API}/map/{_quote(release)}/points?{_encoded({'at': rows})}")

    def map_lit(self, q: str = "", **parameters: Unpack[SearchParameters]) -> Lit:
        """Say which rows of the map a search finds, best first: all of them, not a page."""
        return self._json("GET", f"{API}/map/lit{_query({'q': q, **parameters})}")

    # -- events --

    def send_events(self, events: Sequence[Mapping[str, Any]]) -> Events:
        """Tell what came of answers: [{"type": "click", "query_id": ..., "product_id": ..., "position": 1}].

        An event without an `event_id` is given one, so that a further try stores nothing twice.
        """
        return self._json("POST", f"{API}/events", [{"event_id": os.urandom(8).hex(), **one} for one in events])

    # -- the service --

    def version(self) -> Version:
        """Say which program, release and encoder answer."""
        return self._json("GET", f"{API}/version")

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document of the API."""
        return self._json("GET", f"{API}/openapi.json")

    def is_alive(self) -> bool:
        """Return whether the server answers at all."""
        return self._is_well("/healthz")

    def is_ready(self) -> bool:
        """Return whether a release is open and its encoder answers."""
        return self._is_well("/readyz")

    def _is_well(self, path: str) -> bool:
        try:
            self._connection.ask("GET", path, is_safe=False)  # one look: 503 is an answer here
        except AisleError:
            return False
        return True

    # -- administration, with a key that is good for it --

    def releases(self) -> Releases:
        """List the releases that are kept."""
        return self._json("GET", f"{API}/admin/releases")

    def activate(self, name: str) -> Switched:
        """Let a release answer."""
        return self._json("POST", f"{API}/admin/releases/{_quote(name)}:activate")

    def rollback(self) -> Switched:
        """Let the release before the live one answer. Never sent twice by itself: it would go back two."""
        return self._json("POST", f"{API}/admin/releases:rollback", is_safe=False)

    def change_products(self, products: Sequence[ProductChange]) -> Changed:
        """Change prices and stock of up to 1,000 products, all or none: [{"id": "SKU-1", "price": 19.9}]."""
        return self._json("PATCH", f"{API}/products", {"products": list(products)})

    def insights(self, *, days: int = 30, surface: Literal["page", "api"] = "page", limit: int = 20) -> dict[str, Any]:
        """Say what people look for and what they find: the searches most asked, without results, without clicks, ..."""
        return self._json("GET", f"{API}/admin/insights?days={days}&surface={surface}&limit={limit}")

    def _json(self, method: str, target: str, body: Any = None, *, is_safe: bool = True) -> Any:
        answer = self._connection.ask(method, target, body, is_safe=is_safe)
        try:
            return json.loads(answer)
        except ValueError:
            raise AisleProblem(200, {"code": "not_json", "detail": f"{target} is not answered by Aisle"}) from None


def body_of(asked: SearchBody) -> dict[str, Any]:
    """Return a search as the API's JSON: filters as "f.brand", the rest by name."""
    body: dict[str, Any] = {}
    for name, value in asked.items():
        if name in PREFIXES:
            body |= {f"{PREFIXES[name]}{field}": given for field, given in _mapping(value).items()}
        elif value is not None:
            body[name] = value
    return body


def _query(asked: SearchBody, **also: str) -> str:
    """Return a search as an address has it, "?q=mug&f.brand=Norr"; "" when everything is as the server has it."""
    pairs: list[tuple[str, str]] = []
    for name, value in {**body_of(asked), **also}.items():
        if name == "facets":
            pairs.append((name, ",".join(value) or "none"))
        elif isinstance(value, bool):
            pairs.append((name, str(int(value))))
        elif isinstance(value, str):
            pairs += [(name, value)] if value or name != "q" else []
        else:
            pairs += [(name, str(one)) for one in (value if isinstance(value, Sequence) else [value])]
    return f"?{_encoded(pairs)}" if pairs else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError('filters and find are dictionaries, such as {"brand": ["Acme"]}')
    return {field: given if isinstance(given, str) else list(given) for field, given in value.items()}


def _product(product_id: str) -> str:
    return f"{API}/products/{_quote(product_id)}"


def _encoded(pairs: Any) -> str:
    """Return a query string; half a surrogate pair goes as it is, so that the server says what is wrong with it."""
    return _urlencoded(pairs, errors="surrogatepass")


def _quote(text: str) -> str:
    return _quoted(text, safe="", errors="surrogatepass")
