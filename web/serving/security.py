"""Around every request: an id, limits before any work, and the headers that keep a browser strict. No cookies."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, request
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
    pictures = " ".join(["'self'", "data:", *filter(_is_origin, image_origins)])
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


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    is_bare = not (parts.path or parts.query or parts.fragment)
    return is_bare and parts.scheme in ("http", "https") and bool(_HOST.fullmatch(parts.netloc))


def _is_decoded(host: str) -> bool:
    """Return whether what is written in punycode stands for something: addresses of the site are made of it."""
    try:
        host.partition(":")[0].encode("ascii").decode("idna")
    except UnicodeError:
        return False
    return True


def _begin() -> None:
    g.started = time.perf_counter()
    asked = request.headers.get("X-Request-ID", "")
    g.request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
    if isinstance(request.routing_exception, MethodNotAllowed):
        return  # which is what the asker has to know first
    if len(request.full_path) > MAX_ADDRESS_CHARACTERS:
        abort(414, description=f"the address is longer than {MAX_ADDRESS_CHARACTERS} characters; POST the search")
    most = LARGER_BODIES.get(request.path, MAX_BODY_BYTES)
    request.max_content_length = most
    if (request.content_length or 0) > most:
        abort(413, description=f"the body is larger than {most} bytes")
    if request.path.startswith("/api/"):
        expect_utf8(request.query_string)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        abort(415, description="the body is compressed; send it as it is")  # nothing is ever inflated
    if not _HOST.fullmatch(request.host) or not _is_decoded(request.host):
        request.host = "host.invalid"  # RFC 2606; the page that says so makes addresses too
        abort(400, description="the Host is no host name")


def _finish(response: Response) -> Response:
    origins = g.engine.release.manifest["catalog"].get("image_origins", []) if "engine" in g else []
    response.headers["X-Request-ID"] = g.request_id
    response.headers.setdefault("Content-Security-Policy", content_security_policy(origins, g.get("csp_nonce", "")))
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-cache")
    if request.path.startswith("/api/"):
        took_ms = (time.perf_counter() - g.started) * 1000
        response.headers.setdefault("Server-Timing", f"total;dur={took_ms:.1f}")
    return response
