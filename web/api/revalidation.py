"""Answers that are asked about before each use: the one place where an unchanged answer is not made and sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, wraps

from flask import Request, Response, current_app, request
from pydantic import BaseModel

from web import __version__
from web.api.openapi import operation_of
from web.language import current_locale
from web.live import current_engine

View = Callable[..., Response]


def revalidated(view: View) -> View:
    """Give the answers of a view a tag, and answer 304 to those who have the answer already.

    For views whose answer the live release with its changes, the address and the language decide. An answer that makes
    do, which says so with `Cache-Control: no-store`, gets no tag; neither does a problem. Stands between the view and
    `operation`.
    """

    @wraps(view)
    def answered(**arguments: str | int) -> Response:
        tag = etag(str(current_engine().release.state))
        known = request.if_none_match
        if known.is_weak(tag) or known.is_strong(tag):
            return tagged(Response(status=304), tag)
        response = view(**arguments)
        if response.headers.get("Cache-Control") == "no-store":
            return response
        if known.star_tag:  # which any answer answers, but a good one only
            response = Response(status=304)
        return tagged(response, tag)

    answered.is_revalidated = True  # type: ignore[attr-defined]
    return answered


def etag(state: str) -> str:
    """Return the tag of what is asked now: it changes with program, release, sequence, address and language.

    Parameters in another order, said as they are when left out, or with other blanks, are the same address.
    """
    of_request: Request = request._get_current_object()  # type: ignore[attr-defined]
    operation = operation_of(current_app, of_request.endpoint)
    usual = _defaults(operation.parameters) if operation and operation.parameters else {}
    asked = sorted((name, " ".join(value.split())) for name, value in of_request.args.items(multi=True))
    asked = [(name, value) for name, value in asked if usual.get(name) != value]
    text = repr((__version__, state, of_request.path, asked, str(current_locale())))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


@cache
def _defaults(model: type[BaseModel]) -> dict[str, str]:
    """Return the defaults of parameters as an address would say them."""
    defaults = {name: field.default for name, field in model.model_fields.items()}
    return {name: str(int(one) if isinstance(one, bool) else one) for name, one in defaults.items()}


def tagged(response: Response, tag: str) -> Response:
    """Let an answer be kept, but asked about before each use: release and prices may change at any time."""
    response.set_etag(tag, weak=True)  # weak: query_id and took_ms differ from one answer to the next
    response.headers["Cache-Control"] = "no-cache"
    return response
