"""`POST /api/v1/events`: what came of a search."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, abort, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, RootModel

from search.errors import NotFound, ReleaseError
from search.request import MAX_WINDOW
from search.state.database import Event
from web.event_log import current_log, refuses_tracking, visitor_of
from web.live import current_engine
from web.openapi import operation
from web.schemas import InvalidParameters, NoParameters, Parameters, parsed

events = Blueprint("events", __name__, url_prefix="/api/v1")
MOST_EVENTS = 100  # in one request
QUERY_ID = r"^[0-9a-f]{32}$"


class EventBody(Parameters):
    """One event."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: Literal["view", "click", "cart", "purchase"] = Field(description="What happened to the product.")
    product_id: str = Field(min_length=1, max_length=256, description="The product's id.")
    query_id: str | None = Field(None, pattern=QUERY_ID, description="Of the answer that showed it.")
    position: int | None = Field(None, ge=1, le=MAX_WINDOW, description="Its rank in that answer, from 1.")
    value: float | None = Field(None, ge=0, le=1e12, allow_inf_nan=False, description="What was paid.")
    event_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._:-]{1,64}$", description="Your own id: the same one is stored once."
    )


class EventsBody(RootModel[EventBody | Annotated[list[EventBody], Field(min_length=1, max_length=MOST_EVENTS)]]):
    """One event, or a list of at most 100."""


class EventsAnswer(BaseModel):
    """What became of the events; all counts add up to those sent."""

    accepted: int = Field(description="Stored, and on disk.")
    duplicates: int = Field(description="Stored before: the same event_id, or the same query_id, product and type.")
    ignored: int = Field(description="Not kept: the sender asked not to be tracked, or the shop keeps no events.")
    unknown: list[str] = Field(description="Product ids that the live release does not have; stored all the same.")


@events.post("/events")
@operation(
    "sendEvents", "Tell what came of a search", "events", body=EventsBody, answer=EventsAnswer, status=202,
    problems=(403, 503), scope="events",
)  # fmt: skip
def send_events() -> tuple[Response, int]:
    """Store one event or a list of at most 100, all or none; what is accepted is on disk.

    A body of type text/plain, which `navigator.sendBeacon` may send without asking first, is read from this site's own
    pages only; other sites need application/json, which CORS governs. A query_id or product that is not known is
    stored: the search may not be written yet, the product may be of another release.
    """
    parsed(NoParameters, request.args.to_dict())
    told = _told(_body(request))
    log = current_log()
    if log is None or refuses_tracking(request):
        return _answer(ignored=len(told)), 202
    now, visitor = time.time(), visitor_of(request)
    stored = log.store([Event(time=now, visitor=visitor, **one.model_dump()) for one in told])
    return _answer(accepted=sum(stored), duplicates=stored.count(False), unknown=_unknown(told)), 202


def _body(asked: Request) -> Any:
    """Return the JSON of a body.

    Raises:
        HTTPException: 403, 400 or 415.
    """
    origin = asked.headers.get("Origin")
    if asked.mimetype == "text/plain":
        if origin is not None and urlsplit(origin).netloc != asked.host:
            abort(403, description="events as text/plain are taken from this site's own pages; send application/json")
    elif not asked.is_json:
        abort(415, description="send the events as application/json")
    try:
        return json.loads(asked.get_data())
    except (ValueError, RecursionError):
        abort(400, description="the body is not JSON")


def _told(body: Any) -> list[EventBody]:
    """Return the events of a body.

    Raises:
        InvalidParameters: naming each member that is not understood; none is stored then.
    """
    if isinstance(body, dict):
        return [parsed(EventBody, body)]
    if not isinstance(body, list) or not 1 <= len(body) <= MOST_EVENTS:
        raise InvalidParameters([("", f"the body must be one event or a list of 1 to {MOST_EVENTS} events")])
    found, errors = [], []
    for place, one in enumerate(body):
        try:
            found.append(parsed(EventBody, one if isinstance(one, dict) else {"": one}))
        except InvalidParameters as error:
            errors += [(f"{place}/{name}", detail) for name, detail in error.errors]
    if errors:
        raise InvalidParameters(errors)
    return found


def _unknown(told: list[EventBody]) -> list[str]:
    try:
        products = current_engine().release.products
    except ReleaseError:
        return []

    def is_known(product_id: str) -> bool:
        try:
            products.row_of(product_id)
        except NotFound:
            return False
        return True

    return [one for one in dict.fromkeys(one.product_id for one in told) if not is_known(one)]


def _answer(accepted: int = 0, duplicates: int = 0, ignored: int = 0, unknown: list[str] | None = None) -> Response:
    response = jsonify(accepted=accepted, duplicates=duplicates, ignored=ignored, unknown=unknown or [])
    response.headers["Cache-Control"] = "no-store"
    return response
