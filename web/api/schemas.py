"""What may be asked: pydantic models of every route's parameters. An unknown name suggests the nearest known one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic.config import JsonDict
from werkzeug.datastructures import MultiDict

from search.engine import Engine
from search.errors import NotFound, QueryError
from search.facet_counts import expect_known
from search.likeness import MOST
from search.recommend import MAX_RECOMMENDED_FROM
from search.request import (
    MAX_FILTER_VALUES,
    MAX_FIND_CHARACTERS,
    MAX_LITERAL,
    MAX_PER_PAGE,
    MAX_QUERY_CHARACTERS,
    MAX_WINDOW,
    SearchRequest,
)
from search.suggest import MAX_PREFIX_CHARACTERS, MAX_SUGGESTIONS
from web.api.validation import (
    AS_NUMBER,
    AS_WHOLE,
    Flag,
    InvalidBody,
    InvalidParameters,
    Parameters,
    Whole,
    escaped,
    expect_object,
    parsed,
    parsed_body,
    said_twice,
)
from web.urls import PageRequest, page_request_of

FILTER, FIND = "f.", "find."
MAX_POINTS = 60  # dots asked about at once
MAX_BATCH = 50  # searches in one request
MAX_BATCH_HITS = 1250  # of all of them: 50 pages of 24 and a few
MAX_TEXT_CHARACTERS = 512  # of a filter's value and of a product's id
MAX_ID = 2**31 - 1
MAX_PRICE = 1e12
NONE = "none"  # in `facets`: none at all
_DOT = re.compile(r"[0-9]{1,9}")
COMMAS: JsonDict = {"explode": False}  # in an address the values are one text, separated by commas
Price = Annotated[float, Field(ge=0, le=MAX_PRICE, allow_inf_nan=False), AS_NUMBER]
Rating = Annotated[float, Field(ge=0, le=5, allow_inf_nan=False), AS_NUMBER]
Id = Annotated[int, Field(ge=0, le=MAX_ID), AS_WHOLE]
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)]


class SearchParameters(Parameters):
    """The parameters of a search, but for the filters `f.<field>`, whose names the catalog decides."""

    q: str = Field(
        "",
        max_length=MAX_QUERY_CHARACTERS,
        description="What is looked for; empty browses.",
        examples=["red dress under $50"],
    )
    page: Whole = Field(1, ge=1, le=MAX_WINDOW, description="Page, from 1; page x per_page is at most 10,000.")
    per_page: Whole = Field(24, ge=1, le=MAX_PER_PAGE, description="Products on a page.")
    mode: Literal["hybrid", "dense", "lexical"] = Field("hybrid", description="By meaning and words, or one alone.")
    sort: Literal["relevance", "price:asc", "price:desc", "rating:desc", "newest"] = Field(
        "relevance", description="Order within the relevant products."
    )
    price_min: Price | None = Field(None, description="Least price, in the catalog's currency; not above price_max.")
    price_max: Price | None = Field(None, description="Highest price, in the catalog's currency.")
    rating_min: Rating | None = Field(None, description="Least rating; what has none is left out.")
    in_stock: Flag = Field(False, description="1: leave out what is out of stock.")
    facets: list[str] | None = Field(
        None,
        max_length=MAX_FILTER_VALUES,
        json_schema_extra=COMMAS,
        description='Facets to count, or "none"; those worth showing when left out.',
    )
    cluster: Id | None = Field(None, description="Only products of this cluster.")
    explain: Flag = Field(False, description="1: each hit tells its scores and ranks.")
    fold: Flag = Field(False, description="1: one hit for each product; its variants are folded and counted once.")
    interpret: Flag = Field(True, description="0: take the words literally, read no constraints in them.")
    correct: Flag = Field(True, description="0: no spelling correction.")
    cutoff: Flag = Field(True, description="0: the less relevant too, as far as candidates were drawn.")
    literal: list[Text] = Field(
        [], max_length=MAX_LITERAL, description="Words that name no value, as in constraints[].text."
    )


class PageParameters(SearchParameters):
    """The parameters of a page of a search: those of the search, and what the page before was of."""

    state: str | None = Field(
        None,
        max_length=96,
        pattern=r"^[A-Za-z0-9_-]{1,64}\.[0-9]{1,18}$",
        description="Release and sequence of the page before, as links.next has them; the answer tells what moved.",
    )


class BatchParameters(Parameters):
    """Several searches at once; they are refused together when one of them is not understood."""

    queries: list[Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/SearchParameters"})]] = Field(
        min_length=1,
        max_length=MAX_BATCH,
        description=f"Searches, as in the body of one; their per_page together is at most {MAX_BATCH_HITS:,}.",
    )


class SuggestParameters(Parameters):
    """The parameters of suggestions."""

    q: str = Field(
        "",
        max_length=MAX_PREFIX_CHARACTERS,
        description="What was typed so far; empty asks for departments.",
        examples=["cof"],
    )
    limit: Whole = Field(5, ge=1, le=MAX_SUGGESTIONS, description="Suggestions of each kind.")


class SimilarParameters(Parameters):
    """The parameters of similar products."""

    limit: Whole = Field(12, ge=1, le=MOST, description="How many.")


class MatchParameters(Parameters):
    """The parameters of why a product matches a search."""

    q: str = Field(
        min_length=1, max_length=MAX_QUERY_CHARACTERS, description="The search; not blank.", examples=["red dress"]
    )


class RecommendParameters(Parameters):
    """The body of a recommendation; names of filters are decided by the catalog."""

    liked: list[Text] = Field(min_length=1, max_length=MAX_RECOMMENDED_FROM, description="Ids of products to be like.")
    disliked: list[Text] = Field(
        [], max_length=MAX_RECOMMENDED_FROM, description="Ids of products to be unlike; none of those liked."
    )
    filters: dict[str, Annotated[list[Text], Field(max_length=MAX_FILTER_VALUES)]] = Field(
        {}, max_length=MAX_FILTER_VALUES, description='Values by facet, {"brand": ["Acme"]}.'
    )
    limit: Whole = Field(12, ge=1, le=MOST, description="How many.")


def _rows(value: Any) -> Any:
    """Return row numbers from "3,17"."""
    texts = value.split(",") if isinstance(value, str) else []
    if not texts or not all(map(_DOT.fullmatch, texts)):
        raise ValueError('it must be numbers of dots, such as "3,17"')
    if len(texts) > MAX_POINTS:
        raise ValueError(f"{len(texts)} dots are asked about; at most {MAX_POINTS} at once")
    return list(map(int, texts))


class MapPointParameters(Parameters):
    """The parameters of the map's points."""

    at: Annotated[list[Annotated[int, Field(ge=0, le=10**9 - 1)]], BeforeValidator(_rows)] = Field(
        min_length=1,
        max_length=MAX_POINTS,
        json_schema_extra=COMMAS,
        description="Numbers of dots (rows).",
        examples=[[0, 1]],
    )


class BinaryParameters(Parameters):
    """The parameters of a column of the map."""

    v: str = Field("", max_length=64, description="What its content is, from /api/v1/map; lets it be kept for a year.")


def search_request(values: MultiDict[str, str], engine: Engine, *, lenient: bool = False) -> SearchRequest:
    """Return the search that query parameters describe.

    Args:
        values: as they came; a filter may repeat.
        engine: its catalog decides which filters and clusters there are.
        lenient: pages pass over parameters they do not know (campaign tags), empty ones (untouched form fields), and
            blanks around what was typed.

    Raises:
        InvalidParameters: naming every parameter that is not understood.
        QueryError: a combination that is not possible.
    """
    single: dict[str, Any] = {}
    filters: dict[str, list[str]] = {}
    repeated = []
    for name, texts in values.lists():
        if lenient:
            texts = [" ".join(text.split()) if name == "q" else text.strip() for text in texts if text.strip()]
            if not texts or (not name.startswith((FILTER, FIND)) and name not in SearchParameters.model_fields):
                continue
        if name.startswith(FILTER):
            filters[name.removeprefix(FILTER)] = texts
        elif name == "literal":
            single[name] = texts
        else:
            single[name] = [one.strip() for one in texts[0].split(",")] if name == "facets" else texts[0]
            if len(texts) > 1:
                repeated.append((name, said_twice(name, texts)))
    if repeated:
        raise InvalidParameters(repeated)
    parameters = parsed(SearchParameters, _known_alone(single), lambda: _catalog_names(engine))
    return _request(parameters, single, filters, engine)


def page_request(values: MultiDict[str, str], engine: Engine) -> PageRequest:
    """Return the search and the view that a page's address describes; what only pages know is never an error.

    Raises:
        InvalidParameters, QueryError: as `search_request`.
    """
    asked, first = search_request(values, engine, lenient=True), values.get("from", "")
    view = "list" if values.get("view") == "list" else "grid"
    return page_request_of(asked, view, int(first) if first.isascii() and first.isdigit() and len(first) < 6 else 0)


def search_request_of_json(body: Any, engine: Engine, at: str = "") -> SearchRequest:
    """Return the search that a JSON object describes: the same names; a filter is a text or a list of texts.

    Args:
        body: as it was read.
        engine: its catalog decides which filters and clusters there are.
        at: JSON pointer to the object, where it is a part of the body.

    Raises:
        InvalidBody: pointing at every member that is not understood.
    """
    expect_object(body, at, 'such as {"q": "red dress"}')
    filters = {
        name: [text] if isinstance(text, str) else text for name, text in body.items() if name.startswith(FILTER)
    }
    wrong = [
        (f"{at}/{escaped(name)}", f"{name} must be a text or a list of texts")
        for name, texts in filters.items()
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts)
    ]
    wrong += [
        (f"{at}/{escaped(name)}", f"{name} must be a text")
        for name, text in body.items()
        if name.startswith(FIND) and not isinstance(text, str)
    ]
    if wrong:
        raise InvalidBody(wrong)
    parameters = parsed_body(SearchParameters, _known_alone(body), lambda: _catalog_names(engine), at)
    try:
        return _request(parameters, body, {name.removeprefix(FILTER): texts for name, texts in filters.items()}, engine)
    except QueryError as error:
        place = f"/{escaped(error.parameter)}" if error.parameter in body else ""
        raise InvalidBody([(at + place, error.detail)]) from error


def state_of(values: MultiDict[str, str]) -> str:
    """Return, and take out of the values of an address, what the page before was of; "" when nothing is said of it.

    Raises:
        InvalidParameters: it is said twice, or is no state.
    """
    given = values.poplist("state")
    if len(given) > 1:
        raise InvalidParameters([("state", said_twice("state", given))])
    return parsed(PageParameters, {"state": given[0]}).state or "" if given else ""


def search_requests_of_json(body: Any, engine: Engine) -> list[SearchRequest]:
    """Return the searches of a batch, in order.

    Raises:
        InvalidBody: pointing at every member of every search that is not understood.
    """
    asked, wrong = [], []
    for place, one in enumerate(parsed_body(BatchParameters, body).queries):
        try:
            asked.append(search_request_of_json(one, engine, f"/queries/{place}"))
        except InvalidBody as error:
            wrong += error.errors
    if wrong:
        raise InvalidBody(wrong)
    shown = sum(one.per_page for one in asked)
    if shown > MAX_BATCH_HITS:
        raise InvalidBody([("/queries", f"per_page of all is {shown}; together at most {MAX_BATCH_HITS}")])
    return asked


def _known_alone(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values whose names no catalog decides."""
    return {name: value for name, value in values.items() if not name.startswith((FILTER, FIND))}


def _catalog_names(engine: Engine) -> list[str]:
    return [f"{prefix}{name}" for prefix in (FILTER, FIND) for name in engine.release.facets.values]


def _request(
    parameters: SearchParameters, given: Mapping[str, Any], filters: Mapping[str, list[str]], engine: Engine
) -> SearchRequest:
    facets = engine.release.facets
    find = {name.removeprefix(FIND): text for name, text in given.items() if name.startswith(FIND)}
    for prefix, names in ((FILTER, filters), (FIND, find)):
        for name in names:
            facets.facet(name, f"{prefix}{name}")
    if sum(map(len, filters.values())) > MAX_FILTER_VALUES:
        most = max(filters, key=lambda name: len(filters[name]))
        raise QueryError(f"{FILTER}{most}", f"more than {MAX_FILTER_VALUES} filter values; drop some")
    for name, texts in filters.items():
        if any(len(text) > MAX_TEXT_CHARACTERS for text in texts):
            raise QueryError(f"{FILTER}{name}", f"a value has more than {MAX_TEXT_CHARACTERS} characters")
    for name, text in find.items():
        if len(text) > MAX_FIND_CHARACTERS:  # as it came, blanks around it too: the document says so
            raise QueryError(f"{FIND}{name}", f"it has {len(text)} characters; at most {MAX_FIND_CHARACTERS} are read")
    told = dict(parameters)
    if parameters.facets is not None:
        told["facets"] = [name for name in dict.fromkeys(parameters.facets) if name != NONE]
        expect_known(facets, told["facets"])
    if parameters.cluster is not None:
        try:
            told["cluster"] = engine.release.clusters.cluster(parameters.cluster).id
        except NotFound as error:
            raise QueryError("cluster", str(error)) from error
    return SearchRequest(
        filters={name: tuple(dict.fromkeys(values)) for name, values in filters.items() if values},
        find={name: text.strip() for name, text in find.items() if text.strip()},
        **told,
    )
