"""Whether the server lives, and whether it can answer in full."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify

from search.errors import AisleError, ReleaseError
from web.caching import uncached
from web.live import current_engine
from web.serving.problems import RETRY_SECONDS, Problem, problem_of, problem_response
from web.serving.stopping import is_stopping

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> Response:
    """Say that the process answers; asks nothing of the catalog."""
    return uncached(jsonify(status="alive"))


@health.get("/readyz")
def readyz() -> Response:
    """Say whether a release is open, its encoder answers and the server goes on; else 503 with what is missing.

    With `trouble` it answers in full, but from an earlier release than the live one, which is damaged.
    """
    if is_stopping():
        return _not_ready("stopping", "the server is stopping; it answers what was asked and takes nothing new")
    provider = current_app.extensions["aisle.engine"]
    if provider.is_opening:
        return _not_ready("release_opening", "the live release is being opened")
    try:
        engine = current_engine()
    except ReleaseError as error:
        told = problem_of(error)
        return _not_ready(told.code, told.detail)
    if engine.encoder.is_ready:
        trouble = {"trouble": provider.trouble} if provider.trouble else {}
        return uncached(jsonify(status="ready", release=engine.release.name, products=engine.release.rows, **trouble))
    failure: AisleError | None = engine.problem
    if failure is not None:
        return _not_ready("encoder_unavailable", problem_of(failure).detail)
    return _not_ready("encoder_loading", "the encoder is loading; searches are answered by their words until then")


def _not_ready(code: str, detail: str) -> Response:
    response = problem_response(Problem(503, code, "Not ready", detail))
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return uncached(response)
