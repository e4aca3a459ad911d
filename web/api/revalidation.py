"""Answers that are asked about before each use: the one place where an unchanged answer is not made and sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps

from flask import Response, request

from web import __version__
from web.language import current_locale
from web.live import current_engine

View = Callable[..., Response]


def revalidated(view: View) -> View:
    """Give the answers of a view a tag, and answer 304 to those who have the answer already.

    For views whose answer the live release, the address and the language decide. An answer that makes do, which says
    so with `Cache-Control: no-store`, gets no tag; neither does a problem. Stands between the view and `operation`.
    """

    @wraps(view)
    def answered(**arguments: str | int) -> Response:
        tag = etag(current_engine().release.name)
        if request.if_none_match.is_weak(tag) or request.if_none_match.is_strong(tag):
            return tagged(Response(status=304), tag)
        response = view(**arguments)
        if response.headers.get("Cache-Control") == "no-store":
            return response
        tagged(response, tag).make_conditional(request)  # for If-None-Match: *, which only a good answer may answer
        return response

    answered.is_revalidated = True  # type: ignore[attr-defined]
    return answered


def etag(release: str) -> str:
    """Return the tag of what is asked now: it changes with program, release, address and language.

    Parameters in another order are the same address.
    """
    asked = sorted(request.args.items(multi=True))
    text = repr((__version__, release, request.path, asked, str(current_locale())))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def tagged(response: Response, tag: str) -> Response:
    """Let an answer be kept, but asked about before each use: a release may be switched at any time."""
    response.set_etag(tag, weak=True)  # weak: query_id and took_ms differ from one answer to the next
    response.headers["Cache-Control"] = "no-cache"
    return response
