"""A search request, checked once at the border, and the typed answer it gets."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from search.arrays import Rows
from search.errors import QueryError
from search.naming import nearest
from search.product import Product
from search.variants import Variants

MODES = ("hybrid", "dense", "lexical")
SORTS = ("relevance", "price:asc", "price:desc", "rating:desc", "newest")
MAX_QUERY_CHARACTERS = 512
MAX_PER_PAGE = 100
MAX_WINDOW = 10_000  # page x per_page
MAX_FILTER_VALUES = 50
MAX_FIND_CHARACTERS = 64
MAX_LITERAL = 20


@dataclass(frozen=True)
class SearchRequest:
    """What is asked. Field names are the API's parameter names.

    Raises:
        QueryError: at construction, naming the parameter, when a value is outside its bounds.
    """

    q: str = ""
    page: int = 1
    per_page: int = 24
    mode: str = "hybrid"
    sort: str = "relevance"
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    price_min: float | None = None
    price_max: float | None = None
    rating_min: float | None = None
    in_stock: bool = False
    cluster: int | None = None
    facets: Sequence[str] | None = None  # None: those worth showing; (): none
    find: Mapping[str, str] = field(default_factory=dict)  # facet -> text that its listed values must hold
    explain: bool = False
    interpret: bool = True  # whether words may become constraints
    correct: bool = True  # whether words may be corrected
    fold: bool = False  # whether the variants of a product are one hit, and every number counts products
    cutoff: bool = True  # whether only what is relevant is shown; else everything the legs drew for the words
    literal: Sequence[str] = ()  # words that are no value, as said in `constraints[].text`: "orange" the fruit

    def __post_init__(self) -> None:
        text = self.q if self.q.isprintable() else "".join(c if c.isprintable() else " " for c in self.q)
        text = " ".join(text.split())
        object.__setattr__(self, "q", text)
        if len(text) > MAX_QUERY_CHARACTERS:
            raise QueryError("q", f"the query has {len(text)} characters; at most {MAX_QUERY_CHARACTERS} are read")
        if self.page < 1:
            raise QueryError("page", f"page is {self.page}; pages count from 1")
        if not 1 <= self.per_page <= MAX_PER_PAGE:
            raise QueryError("per_page", f"per_page is {self.per_page}; it must be 1 to {MAX_PER_PAGE}")
        if self.page * self.per_page > MAX_WINDOW:
            raise QueryError(
                "page", f"page x per_page goes past {MAX_WINDOW:,}; narrow the search with filters instead"
            )
        for name, value, known in (("mode", self.mode, MODES), ("sort", self.sort, SORTS)):
            if value not in known:
                raise QueryError(name, f'{name} "{value}" is not known{nearest(value, known)}')
        if sum(len(values) for values in self.filters.values()) > MAX_FILTER_VALUES:
            raise QueryError("f", f"more than {MAX_FILTER_VALUES} filter values; drop some")
        if len(self.literal) > MAX_LITERAL:
            raise QueryError(
                "literal", f"{len(self.literal)} words are to be taken literally; at most {MAX_LITERAL} are read"
            )
        for name, text in self.find.items():
            if len(text) > MAX_FIND_CHARACTERS:
                raise QueryError(
                    f"find.{name}", f"it has {len(text)} characters; at most {MAX_FIND_CHARACTERS} are read"
                )
        for name in ("price_min", "price_max", "rating_min"):
            bound = getattr(self, name)
            if bound is not None and not math.isfinite(bound):
                raise QueryError(name, f"{name} must be a plain number")
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise QueryError("price_min", f"price_min {self.price_min:g} is above price_max {self.price_max:g}")

    @property
    def window(self) -> slice:
        """Which of all hits the page shows."""
        start = (self.page - 1) * self.per_page
        return slice(start, start + self.per_page)

    @cached_property
    def key(self) -> str:
        """What two requests have in common if they ask the same."""
        return json.dumps(vars(self), default=list, sort_keys=True)


@dataclass(frozen=True)
class Hit:
    """One product in an answer; see the contract for each field."""

    id: str
    rank: int
    score: float
    product: Product
    highlights: dict[str, str]
    why: list[str]
    cluster: int
    explain: dict[str, Any] | None = None
    variants: Variants | None = None  # with `fold`

    def as_json(self, product_json: Callable[[Product], Any] = Product.as_json) -> dict[str, Any]:
        """Return the contract's JSON of a hit, what was not asked for left out; `product_json` gives its product's."""
        told: dict[str, Any] = {
            "id": self.id, "rank": self.rank, "score": self.score, "product": product_json(self.product),
            "highlights": self.highlights, "why": self.why, "cluster": self.cluster,
        }  # fmt: skip
        if self.explain is not None:
            told["explain"] = self.explain
        if self.variants is not None:
            told["variants"] = {**vars(self.variants)}
        return told


@dataclass(frozen=True)
class SearchResults:
    """The answer: one page of hits, and counts over the one relevant set it was cut from.

    Attributes:
        sequence: of the last change of prices and stock that the answer knows.
        less_relevant: how many more there are with `cutoff=0`, under the same filters; counted as `total` is.
        rows: int64, the relevant set itself in the wanted order, with `fold` too every variant; not part of the JSON.
        shown: (h,) int64, the rows of the hits; not part of the JSON.
    """

    request: SearchRequest
    query: dict[str, Any]
    query_id: str
    release: str
    sequence: int
    mode: str
    total: int
    total_relation: str
    confidence: str
    confidence_score: float
    degraded: str | None
    pages: int
    hits: list[Hit]
    facets: dict[str, dict[str, Any]]
    clusters: list[dict[str, Any]]
    less_relevant: int
    rescue: dict[str, Any] | None
    currency: str
    took_ms: float
    timings_ms: dict[str, float]
    rows: Rows
    shown: Rows

    def as_json(self, product_json: Callable[[Product], Any] = Product.as_json) -> dict[str, Any]:
        """Return the contract's JSON, without `links` (only the web layer knows addresses).

        Args:
            product_json: gives a product as JSON-ready data, or as whatever the one who writes the JSON understands.
        """
        hits = [hit.as_json(product_json) for hit in self.hits]
        timings = {"timings_ms": self.timings_ms} if self.request.explain else {}
        return {
            "query": self.query, "query_id": self.query_id, "release": self.release, "sequence": self.sequence,
            "mode": self.mode,
            "total": self.total, "total_relation": self.total_relation, "confidence": self.confidence,
            "confidence_score": self.confidence_score,
            "degraded": self.degraded, "page": self.request.page, "per_page": self.request.per_page,
            "pages": self.pages, "hits": hits, "facets": self.facets, "clusters": self.clusters,
            "less_relevant": self.less_relevant, "rescue": self.rescue,
            "currency": self.currency, "took_ms": self.took_ms, **timings,
        }  # fmt: skip
