"""The OpenAPI 3.1 document, made of what each route states (web/api/openapi.py) and of the models of its data.

pydantic writes the schemas; the frame around them is plain data in the words of the specification. Which filters there
are is the catalog's matter, so the document names those of the live release.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from search.engine import Engine
from search.facet_counts import NUMBER_FACETS
from search.request import MAX_FILTER_VALUES, MAX_FIND_CHARACTERS
from web import __version__
from web.api.answers import ProblemAnswer
from web.api.openapi import JSON, Operation, operations
from web.api.schemas import (
    FILTER,
    FIND,
    MAX_ID,
    MAX_TEXT_CHARACTERS,
    NONE,
    RecommendParameters,
    SearchParameters,
)

Schema = dict[str, Any]
PROBLEM = "application/problem+json"
DESCRIPTION = """\
Semantic product search. Open until a key is made; see the security schemes.

- Every failure is a problem (RFC 9457, `application/problem+json`): `code` is for programs, `errors` says what is wrong
  where. An unknown parameter or value is a 422 that names the nearest valid one; a method that a path does not know is
  a 405 with `Allow`.
- Members may be added to answers within v1; none is removed or retyped. Pass over what you do not know.
- An answer with an `ETag` is asked for again with `If-None-Match`; 304 says that nothing has changed.
- An address has at most 8,192 characters. A body is JSON in UTF-8, at most 65,536 bytes, nested at most 8 deep, no
  member twice.
- Filters are those of the live catalog; this document names them.
"""
TAGS = {
    "search": "Searching and suggesting.",
    "products": "Products and their likes.",
    "clusters": "Groups of products, and the map they are drawn on.",
    "events": "What shoppers do with answers.",
    "admin": "Running the shop; only there when a key is.",
    "service": "What answers, and how it does.",
}
PROBLEMS = {
    400: "The request is malformed.", 401: "A key is needed.", 403: "The key is not good for this.",
    404: "There is no such thing in the live release.", 409: "It conflicts with what is there.",
    413: "The body is too large.", 414: "The address is too long.", 415: "The body is not plain JSON in UTF-8.",
    422: "A parameter or member is not understood.", 429: "Too many requests.", 500: "Something went wrong.",
    503: "Nothing can answer right now.",
}  # fmt: skip
ALWAYS = (400, 413, 414, 422, 429, 500, 503)
HEADERS: dict[str, tuple[str, Schema]] = {
    "X-Request-ID": ("Names this request in the server's log.", {"type": "string"}),
    "ETag": ("Changes with the answer; absent where the answer makes do.", {"type": "string"}),
    "Cache-Control": ("How long the answer may be kept.", {"type": "string"}),
    "Server-Timing": ("Milliseconds of each stage.", {"type": "string"}),
    "Retry-After": ("Seconds to wait.", {"type": "integer", "minimum": 0}),
    "RateLimit": ("What is left (IETF draft).", {"type": "string"}),
    "RateLimit-Policy": ("What is allowed (IETF draft).", {"type": "string"}),
    "X-Total-Count": ("How many results there are; a file has at most 10,000.", {"type": "integer", "minimum": 0}),
    "X-Release": ("The release that the file is of.", {"type": "string"}),
    "X-Sequence": ("Of the last change of prices and stock that the file knows.", {"type": "integer", "minimum": 0}),
}
ARGUMENTS: dict[str, tuple[str, Schema]] = {
    "product_id": ("The shop's own id, percent-encoded; it may hold any character.", {"minLength": 1}),
    "cluster_id": ("A cluster; the id of one that is gone leads to where its products are.", {"maximum": MAX_ID}),
    "release": ("The name of a release.", {}),
    "name": ("The name of a color, from /api/v1/map.", {}),
}
_ARGUMENT = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")
_VALUE = {"type": "string", "maxLength": MAX_TEXT_CHARACTERS}
_VALUES = {"type": "array", "items": _VALUE, "maxItems": MAX_FILTER_VALUES}
_TYPED = {"type": "string", "maxLength": MAX_FIND_CHARACTERS}


@dataclass(frozen=True)
class CatalogFields:
    """What of the document the catalog decides.

    Attributes:
        filters: names of the facets that can be filtered by; numbers: facets of numbers.
        examples: of path arguments, by name.
    """

    filters: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    examples: tuple[tuple[str, str | int], ...] = ()

    @classmethod
    def of(cls, engine: Engine) -> CatalogFields:
        """Return those of a live release."""
        release = engine.release
        numbers = tuple(name for name in NUMBER_FACETS if name in release.facets.numbers)
        first: dict[str, str | int] = {
            "product_id": release.products.products([0])[0].id, "cluster_id": engine.clusters()[0].id,
            "release": release.name, "name": "cluster",
        }  # fmt: skip
        return cls(tuple(release.facets.values), numbers, tuple(first.items()))


def document_of(app: Flask, engine: Engine) -> dict[str, Any]:
    """Return the document of an app while a release is live, made at the first call."""
    made: WeakKeyDictionary[Engine, dict[str, Any]]
    made = app.extensions.setdefault("aisle.openapi", WeakKeyDictionary())
    if engine not in made:
        made[engine] = document(app, CatalogFields.of(engine))
    return made[engine]


def document(app: Flask, fields: CatalogFields) -> dict[str, Any]:
    """Return the document of an app's API.

    Args:
        app: whose routes state their operations.
        fields: of the live release; empty ones while there is none.
    """
    stated = sorted(operations(app), key=lambda one: one[:2])
    models = [model for *_, one in stated for model in (one.parameters, one.body, one.answer) if model]
    schemas = _schemas([*models, ProblemAnswer], fields)
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, one in stated:
        described = _operation(rule, one, schemas, fields)
        paths.setdefault(_ARGUMENT.sub(r"{\2}", rule), {})[method.lower()] = described
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Aisle", "version": __version__, "summary": "Semantic product search for any catalog",
            "description": DESCRIPTION, "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "headers": {name: {"description": text, "schema": schema} for name, (text, schema) in HEADERS.items()},
            "parameters": {"IfNoneMatch": {
                "name": "If-None-Match", "in": "header", "schema": {"type": "string"},
                "description": "The ETag of the answer at hand.",
            }},
            "responses": {f"Problem{status}": _problem(status) for status in PROBLEMS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key, made with: indexer keys."},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
            },
        },
    }  # fmt: skip
    found["components"]["schemas"] = _used(schemas, found)
    return found


def _operation(rule: str, one: Operation, schemas: dict[str, Schema], fields: CatalogFields) -> dict[str, Any]:
    examples = dict(fields.examples)
    parameters = [_argument(kind, name, examples) for kind, name in _ARGUMENT.findall(rule)]
    parameters += _query(one.parameters, schemas) if one.parameters else []
    parameters += [{"$ref": "#/components/parameters/IfNoneMatch"}] if one.revalidated else []
    problems = {*ALWAYS, *one.problems}
    problems |= {404} if "<" in rule else set()
    problems |= {415} if one.body else set()
    problems |= {401, 403} if one.scope else set()
    problems |= {404} if one.scope == "admin" else set()  # nothing is there until a key is good for it
    responses = {str(one.status): _answer(one)}
    if one.revalidated:
        responses["304"] = {"description": "The answer at hand is still right.", "headers": _headers("X-Request-ID")}
    responses |= {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(problems)}
    told: dict[str, Any] = {
        "operationId": one.id, "summary": one.summary, "description": one.description, "tags": [one.tag],
        "parameters": parameters, "responses": responses, "security": _security(one),
    }  # fmt: skip
    if one.body:
        reference = {"$ref": f"#/components/schemas/{one.body.__name__}"}
        told["requestBody"] = {"required": True, "content": {JSON: {"schema": reference}}}
    return told


def _security(one: Operation) -> list[dict[str, list[str]]]:
    """Return who may ask: anybody as long as no key is made, but for what only keys open."""
    keys: list[dict[str, list[str]]] = [{"bearer": [one.scope]}, {"key": [one.scope]}]
    return [] if not one.scope else keys if one.scope == "admin" else [{}, *keys]


def _argument(kind: str, name: str, examples: dict[str, str | int]) -> dict[str, Any]:
    text, bounds = ARGUMENTS.get(name, ("", {}))
    base = {"type": "integer", "minimum": 0} if kind == "int" else {"type": "string"}
    told = {"name": name, "in": "path", "required": True, "description": text, "schema": base | bounds}
    return told | ({"example": examples[name]} if name in examples else {})


def _answer(one: Operation) -> dict[str, Any]:
    """Return a good answer: JSON of its model, or bytes."""
    names = ["X-Request-ID", "Cache-Control", "Server-Timing", "RateLimit", "RateLimit-Policy"]
    names += [*(["ETag"] if one.revalidated else []), *one.headers]
    schema: Schema = {"$ref": f"#/components/schemas/{one.answer.__name__}"} if one.answer else {"type": "object"}
    content = {media: {"schema": schema} if media == JSON else {} for media in one.media}
    return {"description": one.summary, "headers": _headers(*names)} | ({"content": content} if content else {})


def _problem(status: int) -> dict[str, Any]:
    names = ["X-Request-ID", *(["Retry-After"] if status in (429, 503) else [])]
    schema = {"$ref": f"#/components/schemas/{ProblemAnswer.__name__}"}
    return {"description": PROBLEMS[status], "headers": _headers(*names), "content": {PROBLEM: {"schema": schema}}}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


# -- schemas --


class _Plain(GenerateJsonSchema):
    """pydantic's JSON Schema without a title on every member, which only says its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _schemas(models: Iterable[type[BaseModel]], fields: CatalogFields) -> dict[str, Schema]:
    """Return the schema of every model by name, those of searches with what the catalog adds."""
    distinct = sorted(set(models), key=lambda one: one.__name__)
    _, told = models_json_schema(
        [(model, "validation") for model in distinct],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Plain,
    )
    schemas: dict[str, Schema] = told["$defs"]
    for model in distinct:
        if issubclass(model, SearchParameters):
            _add_filters(schemas[model.__name__], fields)
        if issubclass(model, RecommendParameters) and fields.filters:
            filters = schemas[model.__name__]["properties"]["filters"]
            filters["propertyNames"] = {"enum": list(fields.filters)}
    return schemas


def _add_filters(schema: Schema, fields: CatalogFields) -> None:
    properties = schema["properties"]
    one_or_more = {"anyOf": [_VALUE, _VALUES]}
    if fields.filters:
        named = {f"{FILTER}{name}": {**one_or_more, "description": f"Only this {name}."} for name in fields.filters}
        typed = {f"{FIND}{name}": {**_TYPED, "description": f"List {name} with this in it."} for name in fields.filters}
        if "facets" not in properties:  # of a file: it has no counts
            properties |= named
            return
        properties |= named | typed
        names = {"type": "string", "enum": [*dict.fromkeys((*fields.filters, *fields.numbers, NONE))]}
        next(one for one in properties["facets"]["anyOf"] if one["type"] == "array")["items"] = names
    else:
        schema["patternProperties"] = {r"^f\.": one_or_more, r"^find\.": _TYPED}


def _query(model: type[BaseModel], schemas: dict[str, Schema]) -> list[dict[str, Any]]:
    """Return a model's members as parameters of an address."""
    schema = schemas[model.__name__]
    required = schema.get("required", [])
    return [_parameter(name, member, name in required) for name, member in schema["properties"].items()]


def _parameter(name: str, member: Schema, required: bool) -> dict[str, Any]:
    """Return a member of a body as a parameter: no null, a switch as 0 or 1, a list repeated or with commas."""
    schema = {key: value for key, value in member.items() if key not in ("description", "explode", "examples")}
    kinds = [one for one in schema.pop("anyOf", []) if one["type"] != "null"]
    if kinds:  # one kind or null; or a text or a list of texts, which is the list
        schema |= kinds[-1]
    if schema.get("default", "") is None:
        del schema["default"]
    if "enum" in schema and True in schema["enum"]:
        schema = {"type": "integer", "enum": [0, 1], "default": int(schema["default"])}
    told = {"name": name, "in": "query", "required": required, "description": member.get("description", "")}
    if schema.get("type") == "array":
        told |= {"style": "form", "explode": member.get("explode", True)}
        schema |= {} if told["explode"] else {"minItems": 1}  # with commas, no value and an empty one look alike
    if "examples" in member:
        told["example"] = member["examples"][0]
    return told | {"schema": schema}


def _used(schemas: dict[str, Schema], found: dict[str, Any]) -> dict[str, Schema]:
    """Return the schemas that a document refers to, and those that these refer to."""
    named: dict[str, Schema] = {}
    text = json.dumps(found)
    while new := set(re.findall(r'"#/components/schemas/(\w+)"', text)) - named.keys():
        named |= {name: schemas[name] for name in new}
        text = json.dumps({name: schemas[name] for name in new})
    for schema in named.values():
        for member in schema.get("properties", {}).values():
            member.pop("explode", None)  # means nothing in a body
    return dict(sorted(named.items()))
