"""The one place where a search that a person or a program asked for is told to those who listen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from blinker import Namespace
from flask import current_app

from search.engine import Engine
from search.request import Hit, SearchRequest, SearchResults
from web.serving.admission import let_in

Surface = Literal["page", "map", "api", "batch", "export"]
# Sent after every search with `results`, `surface` and `earlier`, the hits of pages that are shown before it; the query
# log and the metrics listen.
searched = Namespace().signal("searched")


def ask(engine: Engine, asked: SearchRequest, surface: Surface, earlier: Sequence[Hit] = ()) -> SearchResults:
    """Answer a search and tell those who listen; one that has to be worked out waits to be let in.

    Args:
        engine: what answers.
        asked: the search.
        surface: where the answer is shown.
        earlier: hits of the pages before, which are shown with it.

    Raises:
        QueryError: a parameter that is not understood.
        Overloaded: more is asked than can be answered in time.
    """
    results = engine.known(asked)
    if results is None:
        let_in()
        results = engine.worked_out(asked)
    _tell(results, surface, earlier)
    return results


def ask_many(engine: Engine, asked: Sequence[SearchRequest]) -> list[SearchResults]:
    """Answer several searches, their texts encoded together, and tell those who listen of each.

    Raises:
        QueryError: a parameter that is not understood.
    """
    answers = engine.search_many(asked)
    for results in answers:
        _tell(results, "batch")
    return answers


def _tell(results: SearchResults, surface: Surface, earlier: Sequence[Hit] = ()) -> None:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    searched.send(app, results=results, surface=surface, earlier=earlier)
