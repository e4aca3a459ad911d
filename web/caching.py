"""Which answers may not be kept by anybody."""

from __future__ import annotations

from flask import Response


def uncached(response: Response) -> Response:
    """Let an answer not be kept: it is of this moment, of one asker, or made do."""
    response.headers["Cache-Control"] = "no-store"
    return response
