"""The API's documentation for people: the OpenAPI document in the site's look, with examples of the live catalog.

A template of our own and not a vendored viewer; DESIGN.md, "The API", says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, current_app, render_template
from markupsafe import Markup, escape

from search.errors import ReleaseError
from web.api.bodies import MAX_DEPTH
from web.api.example_requests import Subject, examples_of, guide_examples
from web.api.examples import LANGUAGES, METHODS, Example
from web.api.openapi_document import CatalogFields, document, document_of
from web.api.schemas import MAX_BATCH
from web.live import current_engine
from web.pages.discovery import absolute
from web.serving.security import MAX_ADDRESS_CHARACTERS, MAX_BODY_BYTES

docs = Blueprint("docs", __name__)
PATH = "/api/docs"
GUIDE = (
    ("first", "A first search"), ("filters", "Filters and facets"), ("paging", "Pages and whole results"),
    ("many", "Many searches"), ("errors", "Errors"), ("limits", "Limits"), ("keys", "Keys"), ("caching", "Caching"),
    ("degraded", "Degraded answers"), ("events", "Telling what became of answers"),
)  # fmt: skip
TITLES = {
    "search": "Search", "products": "Products", "clusters": "Clusters and the map", "events": "Events",
    "admin": "Administration", "service": "The service",
}  # fmt: skip
# Keywords of JSON Schema that bound a value, as people say them.
BOUNDS = {
    "minimum": "at least {}", "maximum": "at most {}", "minLength": "at least {} characters",
    "maxLength": "at most {} characters", "minItems": "at least {}", "maxItems": "at most {}",
}  # fmt: skip
Schema = dict[str, Any]
Type = list[tuple[str, str]]  # text, and the model it links to or ""


@dataclass(frozen=True)
class Field:
    """One parameter, or one member of a body or an answer."""

    name: str
    type: Type
    description: str
    limits: str
    is_required: bool


@dataclass(frozen=True)
class Model:
    """One named type: its members, or what it stands for."""

    name: str
    description: str
    fields: list[Field]
    type: Type


@dataclass(frozen=True)
class Answer:
    """One good answer of an operation."""

    status: str
    type: Type


@dataclass(frozen=True)
class Shown:
    """One operation as it is shown; `scope` is what a key must be good for, "" for nothing."""

    id: str
    method: str
    path: str
    summary: str
    description: list[str]
    scope: str
    parameters: list[Field]
    body: list[Field]
    body_type: Type
    answers: list[Answer]
    problems: list[tuple[str, str]]
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """The operations of one tag."""

    id: str
    title: str
    description: str
    operations: list[Shown]


@docs.get(PATH)
def page() -> Response:
    """Show how the API is used, and everything it takes and gives."""
    try:
        engine = current_engine()
        fields, subject = CatalogFields.of(engine), Subject.of(engine)
        told = document_of(current_app, engine)
    except ReleaseError:
        fields, subject = CatalogFields(), Subject()
        told = document(current_app, fields)
    return Response(
        render_template(
            "docs.html",
            guide=GUIDE,
            sections=sections_of(told, subject),
            models=models_of(told),
            guide_examples=guide_examples(subject),
            languages=LANGUAGES,
            root=absolute("/").rstrip("/"),
            problems=problems_of(told),
            filters=fields.filters,
            max_batch=MAX_BATCH,
            max_depth=MAX_DEPTH,
            max_address=MAX_ADDRESS_CHARACTERS,
            max_body=MAX_BODY_BYTES,
            version=told["info"]["version"],
        )
    )


def sections_of(told: Schema, subject: Subject) -> list[Section]:
    """Return the operations of an OpenAPI document by tag, each tag's in the order of reading."""
    shown: dict[str, list[Shown]] = {tag["name"]: [] for tag in told["tags"]}
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            shown[one["tags"][0]].append(_shown(path, method.upper(), one, told, subject))
    return [
        Section(f"section-{tag['name']}", TITLES[tag["name"]], tag["description"], sorted(found, key=_order))
        for tag in told["tags"]
        if (found := shown[tag["name"]])
    ]


def _order(one: Shown) -> tuple[int, str]:
    """As the client's methods are listed; what it has no method of its own for comes last."""
    return [*METHODS, one.id].index(one.id), one.path


def _shown(path: str, method: str, one: Schema, told: Schema, subject: Subject) -> Shown:
    scopes = [scope for way in one["security"] for needed in way.values() for scope in needed]
    body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = one["responses"]
    scope = scopes[0] if scopes else ""
    needs_key = scope == "admin"
    return Shown(
        id=one["operationId"],
        method=method,
        path=path,
        summary=one["summary"],
        description=[" ".join(part.split()) for part in one["description"].split("\n\n")],
        scope=scope,
        parameters=_parameters(one["parameters"]),
        body=_members(_resolved(body, told)) if body else [],
        body_type=type_of(body) if body else [],
        answers=[Answer(status, _answer_type(answers[status])) for status in answers if status < "300"],
        problems=[(status, told["components"]["responses"][f"Problem{status}"]["description"])
                  for status in answers if status >= "400"],
        examples=examples_of(one["operationId"], method, path, subject, needs_key),
    )  # fmt: skip


def _answer_type(answer: Schema) -> Type:
    found: Type = []
    for media, content in answer.get("content", {}).items():
        named = type_of(content["schema"]) if content.get("schema") else [(media, "")]
        found += [(" or ", ""), *named] if found else named
    return found


def problems_of(told: Schema) -> list[tuple[str, str]]:
    """Return (status, what it means) of every problem."""
    return [
        (name.removeprefix("Problem"), answer["description"])
        for name, answer in told["components"]["responses"].items()
    ]


def models_of(told: Schema) -> list[Model]:
    """Return every named type."""
    return [
        Model(name, schema.get("description", ""), _members(schema), [] if "properties" in schema else type_of(schema))
        for name, schema in told["components"]["schemas"].items()
    ]


def _parameters(parameters: Iterable[Schema]) -> list[Field]:
    """Return an operation's own parameters; a catalog's filters, which differ in the name alone, are one line each."""
    fields = []
    named = [one for one in parameters if "name" in one]
    families = {"f.": "f.<field>", "find.": "find.<field>"}
    for one in named:
        prefix = next((prefix for prefix in families if one["name"].startswith(prefix)), "")
        if not prefix:
            fields.append(_field(one["name"], one["schema"], one["required"], one.get("description", "")))
        elif families.get(prefix):
            names = [other["name"].removeprefix(prefix) for other in named if other["name"].startswith(prefix)]
            meaning = "Only these values" if prefix == "f." else "Of this facet's values, list those with this in them"
            fields.append(
                Field(
                    families.pop(prefix), type_of(one["schema"]), f"{meaning}; fields: {', '.join(names)}.", "", False
                )
            )
    return fields


def _members(schema: Schema) -> list[Field]:
    required = schema.get("required", [])
    return [
        _field(name, one, name in required, one.get("description", ""))
        for name, one in schema.get("properties", {}).items()
    ]


def _field(name: str, schema: Schema, is_required: bool, description: str) -> Field:
    return Field(name, type_of(schema), description, limits_of(schema), is_required)


def limits_of(schema: Schema) -> str:
    """Return the bounds and the default of a value as a sentence, what is typed in backticks; "" for none."""
    kinds = [schema, *(one for one in schema.get("anyOf", []) if one.get("type") != "null")]
    said = [text.format(_number(one[word])) for word, text in BOUNDS.items() for one in kinds if word in one]
    default = schema.get("default")
    if default not in (None, "", [], {}):
        said.append(f"`{_number(default)}` when left out")
    sentence = "; ".join(dict.fromkeys(said))
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def type_of(schema: Schema) -> Type:
    """Return a schema's type in words, named types with their name to link to."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [(name, name)]
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return [(" | ".join(dict.fromkeys(_value(one) for one in values)), "")]
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        parts = [type_of(one) for one in alternatives]
        return [piece for place, part in enumerate(parts) for piece in ([(" or ", "")] * (place > 0) + part)]
    if schema.get("type") == "array":
        return [("list of ", ""), *type_of(schema.get("items", {}))]
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return [("object of ", ""), *type_of(schema["additionalProperties"])]
    return [(str(schema.get("type", "any")), "")]


def _value(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _resolved(schema: Schema, told: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = told["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


@docs.app_template_filter("coded")
def coded(text: str) -> Markup:
    """Return a text with `what stands in backticks` as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
