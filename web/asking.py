"""The one place where a search that a person or a program asked for meets the engine; others may listen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from blinker import Namespace
from flask import current_app

from search.engine import Engine
from search.request import SearchRequest, SearchResults

Surface = Literal["page", "api", "batch"]
# Sent after every search with `results` and `surface`; the query log and the metrics listen.
searched = Namespace().signal("searched")


def ask(engine: Engine, asked: SearchRequest, surface: Surface) -> SearchResults:
    """Answer a search and tell those who listen.

    Raises:
        QueryError: a parameter that is not understood.
    """
    results = engine.search(asked)
    _tell(results, surface)
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


def _tell(results: SearchResults, surface: Surface) -> None:
    searched.send(current_app._get_current_object(), results=results, surface=surface)  # type: ignore[attr-defined]
