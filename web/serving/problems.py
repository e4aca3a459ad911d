"""Every error as an answer, mapped in this one place: problem+json (RFC 9457) under /api, a page everywhere else."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from search.errors import (
    AisleError,
    ChangesUnavailable,
    DiskError,
    EncoderError,
    EventsUnavailable,
    KeysError,
    NotFound,
    QueryError,
    ReleaseDamaged,
    ReleaseError,
    ReleaseMissing,
    ReleaseRefused,
)
from search.home import Home
from web.api.validation import InvalidBody, InvalidParameters, escaped
from web.caching import uncached
from web.pages.lost import Perhaps, perhaps

logger = logging.getLogger("aisle.errors")
RETRY_SECONDS = 5
MOST_TOLD = 50  # errors of one request; an answer is not to be much larger than what was asked


@dataclass(frozen=True)
class Problem:
    """One error, ready to be told.

    Attributes:
        status: HTTP status.
        code: for programs, stable within v1.
        title: the kind of error, the same for every occurrence.
        detail: this occurrence, for people.
        errors: what is wrong where: {"parameter" or "pointer", "detail"}.
        headers: extra response headers.
    """

    status: int
    code: str
    title: str
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the RFC 9457 object."""
        return {
            "type": f"urn:aisle:problem:{self.code}", "title": self.title, "status": self.status,
            "detail": self.detail, "instance": quote(request.path, safe="/:@!$&'()*+,;="), "code": self.code,
            "request_id": g.get("request_id", ""),
            "errors": self.errors,
        }  # fmt: skip


class Refused(HTTPException):
    """A request that is turned away before any work, with a problem of its own."""

    def __init__(self, problem: Problem):
        super().__init__(problem.detail)
        self.code = problem.status
        self.problem = problem


# The most particular class first. Status, code, title; the message of the error is the detail.
_MEANING: list[tuple[type[AisleError], int, str, str]] = [
    (QueryError, 422, "invalid_parameter", "A parameter is not understood"),
    (NotFound, 404, "not_found", "Not found"),
    (ReleaseRefused, 409, "release_refused", "The release cannot be made live"),
    (ReleaseMissing, 503, "no_release", "No catalog is live yet"),
    (ReleaseDamaged, 503, "release_damaged", "The live release cannot be opened"),
    (ReleaseError, 503, "release_unusable", "The live release cannot be used"),
    (EncoderError, 503, "encoder_unavailable", "Searching by meaning is not possible right now"),
    (EventsUnavailable, 503, "events_unavailable", "Events cannot be stored or read right now"),
    (DiskError, 503, "disk_refused", "The server's disk refuses"),
    (ChangesUnavailable, 503, "changes_unavailable", "Prices and stock cannot be changed right now"),
    (KeysError, 503, "keys_unreadable", "API keys cannot be checked right now"),
    (AisleError, 500, "internal_error", "Something went wrong"),
]
_HTTP_CODES = {
    400: "bad_request", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 408: "timeout",
    411: "length_required",
    413: "body_too_large", 414: "address_too_long", 415: "unsupported_media_type", 422: "invalid_parameter",
    429: "too_many_requests", 500: "internal_error", 503: "unavailable",
}  # fmt: skip


def problem_of(error: Exception) -> Problem:
    """Return what an exception means to the one who asked; nothing internal is told."""
    if isinstance(error, Refused):
        return error.problem
    if isinstance(error, HTTPException):
        return _problem_of_http(error)
    for kind, status, code, title in _MEANING:
        if isinstance(error, kind) and status != 500:
            headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {}
            return Problem(status, code, title, _told(error), _places(error), headers)
    return Problem(
        500, "internal_error", "Something went wrong", "The request could not be answered; the server's log says why."
    )


def _problem_of_http(error: HTTPException) -> Problem:
    status = error.code or 500
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if status in (429, 503):
        headers["Retry-After"] = str(getattr(error, "retry_after", None) or RETRY_SECONDS)
    code = getattr(error, "problem_code", None) or _HTTP_CODES.get(status, f"http_{status}")
    return Problem(status, code, error.name, error.description or error.name, [], headers)


def _told(error: AisleError) -> str:
    """Return what an error says, but not where on this machine the home is."""
    home: Home = current_app.extensions["aisle.home"]
    return str(error).replace(str(home.root), "AISLE_HOME") if home.root.is_absolute() else str(error)


def _places(error: AisleError) -> list[dict[str, str]]:
    """Return which parameters or, for a JSON body, members (RFC 6901) an error is about."""
    if isinstance(error, InvalidBody):
        return [{"pointer": f"#{pointer}", "detail": detail} for pointer, detail in error.errors[:MOST_TOLD]]
    if isinstance(error, InvalidParameters):
        return [{"parameter": name, "detail": detail} for name, detail in error.errors[:MOST_TOLD]]
    if not isinstance(error, QueryError):
        return []
    if request.method in ("POST", "PUT", "PATCH"):
        return [{"pointer": f"#/{escaped(error.parameter)}", "detail": error.detail}]
    return [{"parameter": error.parameter, "detail": error.detail}]


def is_for_programs(path: str) -> bool:
    """Return whether a path's errors are JSON."""
    return path.startswith("/api/") or path in ("/api", "/healthz", "/readyz")


def problem_response(problem: Problem) -> Response:
    """Return a problem as application/problem+json."""
    response = jsonify(problem.as_json())
    response.status_code = problem.status
    response.mimetype = "application/problem+json"
    return response


def _page(problem: Problem) -> str:
    meant = perhaps(request.path) if problem.status == 404 else Perhaps()
    return render_template("error.html", problem=problem, perhaps=meant)


def install(app: Flask) -> None:
    """Answer every error of an app in the form its path asks for."""

    def answer(error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.code is not None and error.code < 400:
            return Response(error.get_response())  # type: ignore[arg-type]  # a redirect, not an error
        problem = problem_of(error)
        if problem.status == 500 and not isinstance(error, HTTPException):
            logger.error("request %s failed", g.get("request_id", ""), exc_info=error)
        if is_for_programs(request.path):
            response = problem_response(problem)
        else:
            response = Response(_page(problem), problem.status)
        response.headers.update(problem.headers)
        return uncached(response)

    app.register_error_handler(Exception, answer)
