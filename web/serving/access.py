"""Who may ask what: keys, the scope that each route states, and what is open to everyone.

- A key comes as `Authorization: Bearer <key>` (RFC 6750) or `X-API-Key: <key>`.
- `AISLE_OPEN` says which of search and events need no key. Closing search closes the pages too: they show the same
  products, so that an API behind keys beside open pages would be closed in name only. A gateway in front that signs
  people in and adds X-API-Key opens all of it, the pages' own requests included.
- Admin routes are not there at all (404, whatever is asked) while no key is good for them.
- A keys file that cannot be read opens nothing: what needs a key is 503, what is open stays open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Flask, Request, Response, abort, current_app, g, request

from search.errors import KeysError
from search.state.keys import Key, KeyRing, is_whole
from web.api.openapi import Scope, operation_of
from web.serving.problems import Problem, Refused

ADMIN = "/api/v1/admin"
CHANGES = "/api/v1/products"  # there is nothing to read at that address
# Neither closed nor counted: what a page is drawn with, and what a watchdog or a crawler asks.
FREE = ("/static/", "/illustrations/", "/healthz", "/readyz", "/metrics", "/robots.txt", "/favicon.ico")
_BEARER = re.compile(r"bearer(?: +(.*))?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Need:
    """What a request needs: a scope ("" for none), and whether it is counted."""

    scope: Scope
    is_counted: bool


@dataclass
class Gate:
    """An app's keys and what it leaves open.

    Attributes:
        open: of search and events.
        needs: by endpoint, worked out once each.
    """

    ring: KeyRing
    open: tuple[str, ...]
    needs: dict[str | None, Need]


def install(app: Flask, ring: KeyRing, open_scopes: tuple[str, ...]) -> None:
    """Let an app's routes ask for keys.

    Args:
        open_scopes: of search and events, what needs no key.
    """
    app.extensions["aisle.gate"] = Gate(ring, open_scopes, {})
    app.before_request(_identify)


def guard(app: Flask) -> None:
    """Turn away who may not; installed after the limits, so that wrong keys are counted too."""
    app.before_request(_authorize)
    app.after_request(_keep_private)


def need_of(asked: Request) -> Need:
    """Return what a request needs."""
    gate: Gate = current_app.extensions["aisle.gate"]
    rule = asked.url_rule
    endpoint = rule.endpoint if rule else None
    if endpoint not in gate.needs:
        gate.needs[endpoint] = _need_of(endpoint, rule.rule if rule else "")
    return gate.needs[endpoint]


def _need_of(endpoint: str | None, rule: str) -> Need:
    stated = operation_of(current_app, endpoint)
    if stated is not None:
        return Need(stated.scope, is_counted=True)
    if rule.startswith(FREE):
        return Need("", is_counted=False)
    if rule.startswith("/api/"):  # the docs
        return Need("", is_counted=True)
    # A page, or an address that leads nowhere: its page suggests products.
    return Need("search", is_counted=True)


def _identify() -> None:
    """Find out whose key came with the request; what is wrong with it is told once the request was counted."""
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    of_request = g._get_current_object()
    of_request.key, of_request.key_fault = None, None
    if asked.method == "OPTIONS" or not need_of(asked).scope:
        return
    try:
        text = _presented(asked)
        if text is not None:
            of_request.key = _key_of(text)
    except (Refused, KeysError) as error:
        of_request.key_fault = error


def _presented(asked: Request) -> str | None:
    """Return the key as it came; None when there is none. Other schemes (Basic of a proxy) are not ours to judge."""
    bearer = _BEARER.fullmatch(asked.headers.get("Authorization", ""))
    header = asked.headers.get("X-API-Key")
    if bearer and header is not None and bearer[1] != header:
        raise _refused(400, "invalid_request", "Authorization and X-API-Key give two different keys; send one")
    text = bearer[1] or "" if bearer else header
    if text == "":
        raise _refused(400, "invalid_request", "the key is empty; send Authorization: Bearer <key>")
    return text


def _key_of(text: str) -> Key:
    gate: Gate = current_app.extensions["aisle.gate"]
    key = gate.ring.find(text)
    if key is None and not is_whole(text):
        raise _refused(401, "invalid_token", "this is no whole key; it is cut, mistyped, or not one of Aisle's")
    if key is None:
        raise _refused(401, "invalid_token", "this key is not known here, or was revoked")
    if key.has_expired():
        raise _refused(401, "invalid_token", "this key has expired")
    return key


def _authorize() -> None:
    gate: Gate = current_app.extensions["aisle.gate"]
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    need = need_of(asked)
    if need.scope == "admin" or asked.path in (ADMIN, CHANGES) or asked.path.startswith(f"{ADMIN}/"):
        if not gate.ring.opens("admin"):
            abort(404)
        need = Need("admin", need.is_counted)
    if asked.method == "OPTIONS" or not need.scope:
        return
    is_open, fault = need.scope in gate.open, g.key_fault
    if fault is not None and not (is_open and isinstance(fault, KeysError)):
        raise fault
    if is_open:
        return
    g.is_closed = True
    if g.key is None:
        raise _refused(401, "", f"this needs a key with the scope {need.scope}; send Authorization: Bearer <key>")
    if not g.key.is_good_for(need.scope):
        raise _refused(403, "insufficient_scope", f"this needs a key with the scope {need.scope}", need.scope)


def _keep_private(response: Response) -> Response:
    """Keep what needed a key out of caches that many share: the next to ask may have none."""
    if g.get("is_closed"):
        if not response.cache_control.no_store:
            response.cache_control.public = False
            response.cache_control.private = True
        response.vary.update(("Authorization", "X-API-Key"))
    return response


_CODES = {
    400: ("bad_request", "Bad Request"), 401: ("unauthorized", "A key is needed"),
    403: ("forbidden", "This key is not good for that"),
}  # fmt: skip


def _refused(status: int, error: str, detail: str, scope: str = "") -> Refused:
    """Return a refusal with its challenge (RFC 6750, section 3); nothing of the key is told again."""
    said = {"realm": "aisle", "error": error, "error_description": detail if error else "", "scope": scope}
    challenge = ", ".join(f'{name}="{value}"' for name, value in said.items() if value)
    code, title = _CODES[status]
    return Refused(Problem(status, code, title, detail, headers={"WWW-Authenticate": f"Bearer {challenge}"}))
