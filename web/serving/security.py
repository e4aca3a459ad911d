"""Around every request: an id, limits before any work, and the headers that keep a browser strict. No cookies."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, g, request
from werkzeug.exceptions import MethodNotAllowed

from web.api.bodies import expect_utf8

MAX_BODY_BYTES = 64 * 1024
LARGER_BODIES = {"/api/v1/products": 512 * 1024}  # a thousand products, each with an id of its longest
MAX_ADDRESS_CHARACTERS = 8 * 1024
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def install(app: Flask) -> None:
    """Give an app its request ids, limits and security headers."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.before_request(_begin)
    app.after_request(_finish)
    app.jinja_env.globals["csp_nonce"] = csp_nonce


def csp_nonce() -> str:
    """Return this response's nonce, for data blocks inside a page."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    nonce: str = g.csp_nonce
    return nonce


def content_security_policy(image_origins: list[str], nonce: str = "") -> str:
    """Return the policy: everything from here, pictures also from the catalog's own origins, nothing inline.

    Args:
        image_origins: from the manifest; what is not a plain http(s) origin is left out.
        nonce: lets one inline data block through; "" when the page has none.
    """
    pictures = " ".join(["'self'", "data:", *_origins(tuple(image_origins))])
    scripts = f"'self' 'nonce-{nonce}'" if nonce else "'self'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src {pictures}; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def page_policy(styles: list[str]) -> str:
    """Return the policy of a page that is complete in itself: these inline styles and nothing else, no script at all.

    Args:
        styles: CSP sources, the hashes of its style blocks.
    """
    allowed = " ".join(styles) or "'none'"
    return (
        f"default-src 'none'; style-src {allowed}; img-src data:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


@lru_cache(8)
def _origins(told: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(filter(_is_origin, told))


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    is_bare = not (parts.path or parts.query or parts.fragment)
    return is_bare and parts.scheme in ("http", "https") and bool(_HOST.fullmatch(parts.netloc))


@lru_cache(16)
def _is_host(host: str) -> bool:
    """Return whether a Host is one; what it writes in punycode must stand for something: addresses are made of it."""
    if not _HOST.fullmatch(host):
        return False
    try:
        host.partition(":")[0].encode("ascii").decode("idna")
    except UnicodeError:
        return False
    return True


def _begin() -> None:
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    of_request = g._get_current_object()
    of_request.started = time.perf_counter()
    name = asked.headers.get("X-Request-ID", "")
    of_request.request_id = name if _REQUEST_ID.fullmatch(name) else uuid.uuid4().hex
    if isinstance(asked.routing_exception, MethodNotAllowed):
        return  # which is what the asker has to know first
    if len(asked.full_path) > MAX_ADDRESS_CHARACTERS:
        abort(414, description=f"the address is longer than {MAX_ADDRESS_CHARACTERS} characters; POST the search")
    most = LARGER_BODIES.get(asked.path, MAX_BODY_BYTES)
    asked.max_content_length = most
    if (asked.content_length or 0) > most:
        abort(413, description=f"the body is larger than {most} bytes")
    if asked.path.startswith("/api/"):
        expect_utf8(asked.query_string)
    if asked.headers.get("Content-Encoding", "identity").lower() != "identity":
        abort(415, description="the body is compressed; send it as it is")  # nothing is ever inflated
    if not _is_host(asked.host):
        asked.host = "host.invalid"  # RFC 2606; the page that says so makes addresses too
        abort(400, description="the Host is no host name")


def _finish(response: Response) -> Response:
    of_request, headers = g._get_current_object(), response.headers
    engine = of_request.get("engine")
    origins = engine.release.manifest["catalog"].get("image_origins", []) if engine is not None else []
    policy = content_security_policy(origins, of_request.get("csp_nonce", ""))
    # `add`, and not `set`: nobody else gives these.
    headers.add("X-Request-ID", of_request.request_id)
    headers.add("X-Content-Type-Options", "nosniff")
    headers.add("Referrer-Policy", "same-origin")
    given = {name.lower() for name, _ in headers}
    if "content-security-policy" not in given:
        headers.add("Content-Security-Policy", policy)
    if "cache-control" not in given:
        headers.add("Cache-Control", "no-cache")
    if "server-timing" not in given and request.path.startswith("/api/"):
        took_ms = (time.perf_counter() - of_request.started) * 1000
        headers.add("Server-Timing", f"total;dur={took_ms:.1f}")
    return response
