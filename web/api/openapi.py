"""Each route of the API says once what it takes, what it gives and what it needs.

The OpenAPI document, the docs, the access checks and the metrics read that one statement.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from flask import Flask
from pydantic import BaseModel

Scope = Literal["", "search", "events", "admin"]
Tag = Literal["search", "products", "clusters", "events", "admin", "service"]
View = TypeVar("View", bound=Callable[..., Any])
JSON = "application/json"
BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Operation:
    """What one method of one route takes, gives and needs.

    Attributes:
        id: operationId, lowerCamelCase, unique.
        summary: one line.
        tag: the section of the docs.
        parameters: the model of its query string; None where it takes none.
        body: the model of its JSON body; None where it has none.
        answer: the model of its JSON answer; None where there is no body, or none that JSON Schema describes.
        media: the media types of a good answer; () where it has no body.
        status: of a good answer.
        problems: statuses it may answer with beside those that every route may.
        headers: of a good answer, beside those that every answer may have.
        scope: what a key must be good for once there are keys; "" for what is never closed.
        description: the docstring of the view.
        revalidated: whether its answer has a tag, see web/api/revalidation.py.
    """

    id: str
    summary: str
    tag: Tag
    parameters: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    media: tuple[str, ...] = (JSON,)
    status: int = 200
    problems: tuple[int, ...] = ()
    scope: Scope = "search"
    headers: tuple[str, ...] = ()
    description: str = ""
    revalidated: bool = False


def operation(id: str, summary: str, tag: Tag, **said: Any) -> Callable[[View], View]:
    """Say what a view is, as the fields of `Operation`. Stands below the route's own decorator."""

    def stated(view: View) -> View:
        told = {"description": inspect.getdoc(view) or "", "revalidated": hasattr(view, "is_revalidated"), **said}
        view.operation = Operation(id, summary, tag, **told)  # type: ignore[attr-defined]
        return view

    return stated


def operations(app: Flask) -> Iterator[tuple[str, str, Operation]]:
    """Give (rule, method, operation) of every route that states one."""
    for rule in app.url_map.iter_rules():
        found = operation_of(app, rule.endpoint)
        if found is not None:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule.rule, method, found


def operation_of(app: Flask, endpoint: str | None) -> Operation | None:
    """Return what a route states; None where it states nothing."""
    view = app.view_functions.get(endpoint or "")
    found: Operation | None = getattr(view, "operation", None)
    return found
