"""The log of searches: what is kept of each, and of whom nothing is.

Nothing is kept of those who ask not to be tracked (DNT, Global Privacy Control), neither search nor event: a search
that no event may follow would count as one that nobody liked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from flask import Flask, Request, current_app, request

from search.home import Home
from search.request import Hit, SearchRequest, SearchResults
from search.state.database import Searched
from search.state.events import EventLog
from search.state.visitors import Visitors
from web.asking import Surface, searched
from web.serving.stopping import at_stop
from web.serving.workers import Workers
from web.settings import Settings


def refuses_tracking(asked: Request) -> bool:
    """Return whether a browser asks not to be tracked."""
    return "1" in (asked.headers.get("DNT"), asked.headers.get("Sec-GPC"))


def visitor_of(asked: Request) -> int:
    """Return today's number of who asks; address and browser themselves are not kept."""
    visitors: Visitors = current_app.extensions["aisle.visitors"]
    return visitors.number(asked.remote_addr or "", asked.headers.get("User-Agent", ""))


def current_log() -> EventLog | None:
    """Return where the running app keeps searches and events; None where it keeps none."""
    found: EventLog | None = current_app.extensions["aisle.events"]
    return found


def keeps_events() -> bool:
    """Return whether what this visitor does is kept: the page then tells what is clicked."""
    return current_log() is not None and not refuses_tracking(request)


def searched_of(results: SearchResults, surface: Surface, visitor: int | None, earlier: Sequence[Hit]) -> Searched:
    """Return what is kept of a search; with the pages before it on one page, it is the first of them."""
    asked, query, hits = results.request, results.query, [*earlier, *results.hits]
    page = asked.page - len(earlier) // asked.per_page
    return Searched(
        time=time.time(), query_id=results.query_id, text=asked.q, corrected=query["corrected"], surface=surface,
        mode=results.mode, page=page, total=results.total, confidence=results.confidence,
        degraded=results.degraded, filters=narrowed_by(asked), release=results.release, took_ms=results.took_ms,
        visitor=visitor, first=hits[0].rank if hits else 1,
        shown=tuple([hit.id for hit in hits]),
    )  # fmt: skip


def narrowed_by(asked: SearchRequest) -> tuple[str, ...]:
    """Return the names of what narrows or orders a search beside its words; values are not kept."""
    found = set(asked.filters)
    if asked.price_min is not None or asked.price_max is not None:
        found.add("price")
    if asked.rating_min is not None:
        found.add("rating")
    if asked.in_stock:
        found.add("in_stock")
    if asked.cluster is not None:
        found.add("cluster")
    if asked.sort != "relevance":
        found.add(f"sort:{asked.sort}")
    if not asked.cutoff:
        found.add("less_relevant")
    return tuple(sorted(found))


def install(app: Flask, settings: Settings) -> None:
    """Let an app keep searches and events, as its settings say; what waits is written before the server ends."""
    home: Home = app.extensions["aisle.home"]
    log = EventLog(home.events, settings.events_days, settings.events_mb) if settings.events else None
    app.extensions["aisle.events"] = log
    if log is not None:
        at_stop(app, log.close)
    workers: Workers = app.extensions["aisle.workers"]
    app.extensions["aisle.visitors"] = Visitors(key_of=workers.key_of_day)
    app.jinja_env.globals["keeps_events"] = keeps_events

    def note(_: Flask, results: SearchResults, surface: Surface, earlier: Sequence[Hit]) -> None:
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]
        if log is not None and not refuses_tracking(asked):
            log.note(searched_of(results, surface, visitor_of(asked), earlier))

    app.extensions["aisle.events.listener"] = note  # the signal itself would let go of it
    searched.connect(note, sender=app)
