"""`POST /api/v1/events`: what came of a search."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from flask import Blueprint, Request, Response, abort, jsonify, request
from pydantic import Field, RootModel

from search.errors import NotFound, ReleaseError
from search.request import MAX_WINDOW
from search.state.database import Event
from web.api.answers import Answer
from web.api.bodies import json_body, parsed_json
from web.api.openapi import operation
from web.api.validation import AS_WHOLE, InvalidBody, NoParameters, Parameters, parsed_body, query_of
from web.caching import uncached
from web.live import current_engine
from web.serving.event_log import current_log, refuses_tracking, visitor_of
from web.serving.limits import count_as

events = Blueprint("events", __name__, url_prefix="/api/v1")
MOST_EVENTS = 100  # in one request
QUERY_ID = r"^[0-9a-f]{32}$"


class EventBody(Parameters):
    """One event."""

    type: Literal["view", "click", "cart", "purchase"] = Field(description="What happened to the product.")
    product_id: str = Field(min_length=1, max_length=256, description="The product's id.")
    query_id: str | None = Field(
        None, pattern=QUERY_ID, min_length=32, max_length=32, description="Of the answer that showed it."
    )
    position: Annotated[int | None, Field(ge=1, le=MAX_WINDOW), AS_WHOLE] = Field(
        None, description="Its rank in that answer, from 1."
    )
    value: float | None = Field(None, ge=0, le=1e12, allow_inf_nan=False, description="What was paid.")
    event_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._:-]{1,64}$", max_length=64, description="Your own id: the same one is stored once."
    )


class EventsBody(RootModel[EventBody | Annotated[list[EventBody], Field(min_length=1, max_length=MOST_EVENTS)]]):
    """One event, or a list of at most 100."""


class EventsAnswer(Answer):
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
    pages only; other sites need application/json, which CORS governs. Limits count each event. A query_id or product
    that is not known is stored: the search may not be written yet, the product may be of another release.
    """
    query_of(NoParameters, request.args)
    told = _told(_body(request))
    count_as(len(told))
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
    if asked.mimetype != "text/plain":
        return json_body()
    origin = asked.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != asked.host:
        abort(403, description="events as text/plain are taken from this site's own pages; send application/json")
    return parsed_json(asked.get_data())


def _told(body: Any) -> list[EventBody]:
    """Return the events of a body.

    Raises:
        InvalidBody: pointing at each member that is not understood; none is stored then.
    """
    if not isinstance(body, list):
        return [parsed_body(EventBody, body)]
    if not 1 <= len(body) <= MOST_EVENTS:
        raise InvalidBody([("", f"the list has {len(body)} events; it must have 1 to {MOST_EVENTS}")])
    found, errors = [], []
    for place, one in enumerate(body):
        try:
            found.append(parsed_body(EventBody, one, at=f"/{place}"))
        except InvalidBody as error:
            errors += error.errors
    if errors:
        raise InvalidBody(errors)
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
    return uncached(response)
