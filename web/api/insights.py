"""`GET /api/v1/admin/insights`: what people look for and what they find."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, Response, current_app, jsonify, request
from pydantic import Field, RootModel

from search.home import Home
from search.state.insights import Insights, insights_of
from web.api.openapi import operation
from web.api.validation import AS_WHOLE, Parameters, query_of
from web.caching import uncached

insights = Blueprint("insights", __name__, url_prefix="/api/v1/admin")


class InsightParameters(Parameters):
    """The parameters of the insights."""

    days: Annotated[int, Field(ge=1, le=3650), AS_WHOLE] = Field(30, description="How far back.")
    surface: Literal["page", "api"] = Field("page", description="Searches of the shop's pages, or of programs.")
    limit: Annotated[int, Field(ge=1, le=1000), AS_WHOLE] = Field(20, description="Rows of each list.")


class InsightsAnswer(RootModel[Insights]):
    """What was looked for, and what came of it."""


@insights.get("/insights")
@operation(
    "insights", "What people look for and what they find", "admin", parameters=InsightParameters,
    answer=InsightsAnswer, problems=(503,), scope="admin",
)  # fmt: skip
def read_insights() -> Response:
    """Give searches a day, top, empty, weak and unclicked queries, click-through, positions and reformulations."""
    asked = query_of(InsightParameters, request.args)
    home: Home = current_app.extensions["aisle.home"]
    path = home.events if home.events.is_file() else None  # nothing was asked yet
    found = insights_of(path, days=asked.days, surface=asked.surface, limit=asked.limit)
    response = jsonify(found.as_json())
    return uncached(response)
