"""What can go wrong, as one tree.

AisleError
├── AisleProblem        the server answered, and not with what was asked for
└── AisleUnreachable    no whole answer came
"""

from __future__ import annotations

import json
from email.message import Message
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

SHOWN = 200  # characters of an answer that is no JSON


class AisleError(Exception):
    """Base of every error this client raises about an answer."""


class AisleUnreachable(AisleError):
    """The server cannot be reached, takes too long, or broke off in the middle of its answer."""


class AisleProblem(AisleError):
    """An answer that is no success: a problem in the sense of RFC 9457.

    Attributes:
        status: HTTP status.
        code: which kind of problem, for programs; stable within v1. "http_502" when not Aisle but a proxy answered.
        title: which kind of problem, for people.
        detail: this occurrence, for people.
        errors: what is wrong where: {"parameter" or "pointer", "detail"}.
        request_id: what the server's log knows the request by; "" when unknown.
        retry_after: seconds to wait before trying again; None when the server does not say.
    """

    def __init__(self, status: int, told: dict[str, Any], retry_after: float | None = None):
        self.status = status
        self.code = str(told.get("code") or f"http_{status}")
        self.title = str(told.get("title") or "")
        self.detail = str(told.get("detail") or self.title)
        self.errors: list[dict[str, str]] = told.get("errors") or []
        self.request_id = str(told.get("request_id") or "")
        self.retry_after = retry_after
        known_as = f" (request {self.request_id})" if self.request_id else ""
        super().__init__(f"{status} {self.code}: {self.detail}{known_as}")


def problem_of(status: int, headers: Message, body: bytes) -> AisleProblem:
    """Return the problem that an answer tells, whoever wrote it."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        told = {"detail": body[:SHOWN].decode("utf-8", "replace"), "request_id": headers.get("X-Request-ID")}
    return AisleProblem(status, told, seconds_of(headers.get("Retry-After")))


def seconds_of(retry_after: str | None) -> float | None:
    """Return how long to wait: Retry-After is a number of seconds or a date (RFC 9110, 10.2.3); None for neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except ValueError:
        return None
