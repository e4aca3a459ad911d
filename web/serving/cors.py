"""Which other sites' scripts may read the API in a visitor's browser: none, until AISLE_CORS_ORIGINS names them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_cors import CORS

ANY = "*"
PREFLIGHT_SECONDS = 7200  # as long as Chromium keeps one; Firefox would keep it for a day
# Named, not "all but admin": a route that is added later is closed to other sites until someone opens it here.
SHARED = re.compile(
    r"/api/v1/(?:search|suggest|products|clusters|map|recommend|events|openapi\.json|version)(?:\W.*)?\Z", re.DOTALL
)
METHODS = ["GET", "HEAD", "POST"]
ASKED = ["Authorization", "Content-Type", "If-None-Match", "X-API-Key", "X-Request-ID"]
EXPOSED = ["ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "Server-Timing", "WWW-Authenticate", "X-Release",
           "X-Request-ID", "X-Sequence", "X-Total-Count"]  # fmt: skip
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def origins_of(text: str) -> tuple[str, ...]:
    """Return the origins of a comma-separated list, in lower case; () when it is empty, ("*",) for every one.

    Raises:
        ValueError: an entry that no browser sends as its Origin, so that it would never match.
    """
    origins = tuple(dict.fromkeys(one.strip().lower() for one in text.split(",") if one.strip()))
    if ANY in origins and len(origins) > 1:
        raise ValueError(f'AISLE_CORS_ORIGINS is "{text}"; give * alone, or the origins without it')
    for origin in origins:
        if origin != ANY and (wrong := _fault_of(origin)):
            raise ValueError(f'AISLE_CORS_ORIGINS holds "{origin}": {wrong}; write it like https://shop.example')
    return origins


def _fault_of(origin: str) -> str:
    """Return what is wrong with an origin; "" when a browser may send it. RFC 6454, section 6.2."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError as error:
        return str(error)
    if origin == "null":
        return "every sandboxed page and local file calls itself null"
    if parts.scheme not in _DEFAULT_PORTS:
        return "it must begin with https:// or http://"
    if origin != f"{parts.scheme}://{parts.netloc}":
        return "an origin ends after its host and port"
    host = parts.netloc.removesuffix(f":{port}") if port is not None else parts.netloc
    if not _HOST.fullmatch(host):
        return "this is no host name (one with other letters is written in its xn-- form; there are no wildcards)"
    if port == _DEFAULT_PORTS[parts.scheme]:
        return f"browsers leave out :{port}"
    return ""


def install(app: Flask, origins: tuple[str, ...]) -> None:
    """Let the scripts of these origins read the API's shared routes; without credentials, since there are no cookies.

    Args:
        origins: as `origins_of` gives them; () changes nothing.
    """
    if not origins:
        return
    if ANY in origins:
        allowed: str | list[re.Pattern[str]] = ANY
    else:
        # As patterns: Flask-CORS would take the brackets of an IPv6 address for a regular expression.
        allowed = [re.compile(re.escape(origin) + r"\Z") for origin in origins]
        app.after_request(_vary)
    CORS(
        app,
        resources=[SHARED],
        origins=allowed,
        methods=METHODS,
        allow_headers=ASKED,
        expose_headers=EXPOSED,
        max_age=PREFLIGHT_SECONDS,
        send_wildcard=True,
        always_send=False,  # else an answer to no origin would list them all, in one header each
        vary_header=False,  # it would only stand on answers to allowed origins; see _vary
        intercept_exceptions=False,  # problems.py answers them, and after_request sees those answers too
    )


def _vary(response: Response) -> Response:
    """Tell caches that an answer depends on who asks, also when it was refused or nobody was named."""
    if SHARED.match(request.path):
        response.vary.add("Origin")
    return response
