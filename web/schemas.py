"""What may be asked: pydantic models of every route's parameters. An unknown name suggests the nearest known one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from werkzeug.datastructures import MultiDict

from search.engine import Engine
from search.errors import NotFound, QueryError
from search.facets import nearest
from search.request import MAX_PER_PAGE, MAX_QUERY_CHARACTERS, SearchRequest
from web.urls import PageRequest, page_request_of

FILTER, FIND = "f.", "find."
MAX_POINTS = 60  # dots asked about at once
MAX_RAW_QUERY = 4 * MAX_QUERY_CHARACTERS  # spaces are folded before the real limit is checked


def _flag(value: Any) -> Any:
    """Return True or False for the two spellings of a switch."""
    known = {"0": False, "1": True, 0: False, 1: True}
    if isinstance(value, bool):
        return value
    if isinstance(value, (str, int)) and value in known:
        return known[value]
    raise ValueError("it must be 0 or 1")


def _names(value: Any) -> Any:
    """Return facet names from "brand,price", "none" or a list."""
    if isinstance(value, str):
        value = [] if value == "none" else [name.strip() for name in value.split(",")]
    return value


def _texts(value: Any) -> Any:
    """Return a list of one text or several."""
    return [value] if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag)]
Model = TypeVar("Model", bound="Parameters")


class Parameters(BaseModel):
    """Base of all parameter models: nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchParameters(Parameters):
    """The parameters of a search, but for the filters `f.<field>`, whose names the catalog decides."""

    q: str = Field("", max_length=MAX_RAW_QUERY, description="What is looked for; empty browses. 512 characters.")
    page: int = Field(1, ge=1, description="Page, from 1.")
    per_page: int = Field(24, ge=1, le=MAX_PER_PAGE, description="Products on a page.")
    mode: Literal["hybrid", "dense", "lexical"] = Field("hybrid", description="By meaning and words, or one alone.")
    sort: Literal["relevance", "price:asc", "price:desc", "rating:desc", "newest"] = Field(
        "relevance", description="Order within the relevant products."
    )
    price_min: float | None = Field(None, description="Least price, in the catalog's currency.")
    price_max: float | None = Field(None, description="Highest price, in the catalog's currency.")
    rating_min: float | None = Field(None, description="Least rating, 0 to 5; what has none is left out.")
    in_stock: Flag = Field(False, description="1: leave out what is out of stock.")
    facets: Annotated[list[str] | None, BeforeValidator(_names)] = Field(
        None, description='Facets to count, comma-separated, or "none"; those worth showing when left out.'
    )
    cluster: int | None = Field(None, description="Only products of this cluster.")
    explain: Flag = Field(False, description="1: each hit tells its scores and ranks.")
    fold: Flag = Field(False, description="1: one hit for each product; its variants are folded and counted once.")
    interpret: Flag = Field(True, description="0: take the words literally, read no constraints in them.")
    correct: Flag = Field(True, description="0: no spelling correction.")
    cutoff: Flag = Field(True, description="0: the less relevant too, as far as candidates were drawn.")
    literal: Annotated[list[str], BeforeValidator(_texts)] = Field(
        [], description="Words that name no value, as in constraints[].text; may repeat."
    )


class SuggestParameters(Parameters):
    """The parameters of suggestions."""

    q: str = Field("", description="What was typed so far; 128 characters.")
    limit: int = Field(5, description="Suggestions of each kind, 1 to 20.")


class SimilarParameters(Parameters):
    """The parameters of similar products."""

    limit: int = Field(12, description="How many, 1 to 100.")


class MatchParameters(Parameters):
    """The parameters of why a product matches a search."""

    q: str = Field(max_length=MAX_RAW_QUERY, description="The search; not empty, 512 characters.")


class RecommendParameters(Parameters):
    """The body of a recommendation; names of filters are decided by the catalog."""

    liked: list[str] = Field(description="Ids of products to be like; at least one, at most 100.")
    disliked: list[str] = Field([], description="Ids of products to be unlike; at most 100.")
    filters: dict[str, list[str]] = Field({}, description='Values by facet, {"brand": ["Acme"]}.')
    limit: int = Field(12, description="How many, 1 to 100.")


def _rows(value: Any) -> Any:
    """Return row numbers from "3,17"."""
    texts = value.split(",") if isinstance(value, str) else []
    if not texts or not all(one.isascii() and one.isdigit() for one in texts):
        raise ValueError('it must be numbers of dots, such as "3,17"')
    if len(texts) > MAX_POINTS:
        raise ValueError(f"{len(texts)} dots are asked about; at most {MAX_POINTS} at once")
    return [int(one) for one in texts]


class MapPointParameters(Parameters):
    """The parameters of the map's points."""

    at: Annotated[list[int], BeforeValidator(_rows)] = Field(
        description="Numbers of dots (rows), comma-separated, at most 60."
    )


class BinaryParameters(Parameters):
    """The parameters of a column of the map."""

    v: str = Field("", max_length=64, description="What its content is, from /api/v1/map; lets it be kept for a year.")


class NoParameters(Parameters):
    """For routes that take none."""


class InvalidParameters(QueryError):
    """One or more parameters are not understood; `errors` lists each with its name and what is wrong."""

    def __init__(self, errors: list[tuple[str, str]]):
        super().__init__(*errors[0])
        self.errors = errors


def search_request(values: MultiDict[str, str], engine: Engine, *, lenient: bool = False) -> SearchRequest:
    """Return the search that query parameters describe.

    Args:
        values: as they came; a filter may repeat.
        engine: its catalog decides which filters and clusters there are.
        lenient: pages pass over parameters they do not know (campaign tags) and empty ones (untouched form fields).

    Raises:
        InvalidParameters: naming every parameter that is not understood.
        QueryError: a combination that is not possible.
    """
    single: dict[str, Any] = {}
    filters: dict[str, list[str]] = {}
    repeated = []
    for name, texts in values.lists():
        if lenient:
            texts = [text for text in texts if text.strip()]
            if not texts or (not name.startswith((FILTER, FIND)) and name not in SearchParameters.model_fields):
                continue
        if name.startswith(FILTER):
            filters[name.removeprefix(FILTER)] = texts
        elif name == "literal":
            single[name] = texts
        else:
            single[name] = texts[0]
            if len(texts) > 1:
                repeated.append((name, f"{name} is given {len(texts)} times; once is enough"))
    if repeated:
        raise InvalidParameters(repeated)
    return _request(single, filters, engine)


def page_request(values: MultiDict[str, str], engine: Engine) -> PageRequest:
    """Return the search and the view that a page's address describes; what only pages know is never an error.

    Raises:
        InvalidParameters, QueryError: as `search_request`.
    """
    asked, first = search_request(values, engine, lenient=True), values.get("from", "")
    view = "list" if values.get("view") == "list" else "grid"
    return page_request_of(asked, view, int(first) if first.isascii() and first.isdigit() and len(first) < 6 else 0)


def search_request_of_json(body: Any, engine: Engine) -> SearchRequest:
    """Return the search that a JSON object describes: the same names; a filter is a text or a list of texts.

    Raises:
        InvalidParameters: naming every member that is not understood.
        QueryError: a combination that is not possible.
    """
    if not isinstance(body, dict):
        raise InvalidParameters([("", 'the body must be a JSON object such as {"q": "red dress"}')])
    filters: dict[str, list[str]] = {}
    for name in [name for name in body if name.startswith(FILTER)]:
        texts = [body[name]] if isinstance(body[name], str) else body[name]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InvalidParameters([(name, f"{name} must be a text or a list of texts")])
        filters[name.removeprefix(FILTER)] = texts
    single = {name: value for name, value in body.items() if not name.startswith(FILTER)}
    for name, value in single.items():
        if name.startswith(FIND) and not isinstance(value, str):
            raise InvalidParameters([(name, f"{name} must be a text")])
    return _request(single, filters, engine)


def _request(single: Mapping[str, Any], filters: Mapping[str, list[str]], engine: Engine) -> SearchRequest:
    facets = engine.release.facets
    also = [f"{prefix}{name}" for prefix in (FILTER, FIND) for name in facets.values]
    find = {name.removeprefix(FIND): text for name, text in single.items() if name.startswith(FIND)}
    rest = {name: value for name, value in single.items() if not name.startswith(FIND)}
    parameters = parsed(SearchParameters, rest, also=also)
    for prefix, names in ((FILTER, filters), (FIND, find)):
        for name in names:
            facets.facet(name, f"{prefix}{name}")
    if parameters.cluster is not None:
        try:
            current = engine.release.clusters.cluster(parameters.cluster).id
        except NotFound as error:
            raise QueryError("cluster", str(error)) from error
        parameters = parameters.model_copy(update={"cluster": current})
    return SearchRequest(
        filters={name: tuple(dict.fromkeys(values)) for name, values in filters.items() if values},
        find={name: text.strip() for name, text in find.items() if text.strip()},
        **parameters.model_dump(),
    )


def parsed(model: type[Model], values: Mapping[str, Any], also: list[str] | None = None) -> Model:
    """Return the values as a model.

    Raises:
        InvalidParameters: naming each parameter that is unknown or out of bounds; `also` are further known names.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        known = [*model.model_fields, *(also or [])]
        raise InvalidParameters([_said(problem, known) for problem in error.errors()]) from None


def _said(problem: Any, known: list[str]) -> tuple[str, str]:
    """Return (parameter, sentence) of one pydantic error."""
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return name, f'unknown parameter "{name}"{nearest(name, known)}'
    if problem["type"] == "literal_error":
        choices = [choice.strip(" '") for choice in problem["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return name, f'{name} "{problem["input"]}" is not known{nearest(str(problem["input"]), choices)}'
    if problem["type"] == "value_error":
        return name, f'{name} is "{problem["input"]}"; {problem["ctx"]["error"]}'
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return name, f"{name} is {problem['input']!r:.60}: {message}"
