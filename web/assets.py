"""Static files under addresses that change with their content, so that browsers may keep them for a year."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request

STATIC = Path(__file__).resolve().parent.parent / "static"


@lru_cache(maxsize=256)
def _version(path: Path, changed_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """Return the address of a file in static/, e.g. "/static/css/base.css?v=1f0c…"."""
    path = STATIC / name
    return f"/static/{name}?v={_version(path, path.stat().st_mtime_ns)}"


def _keep(response: Response) -> Response:
    if request.endpoint == "static" and response.status_code in (200, 304):
        asked = request.args.get("v", "")
        path = STATIC / (request.view_args or {}).get("filename", "")
        is_current = bool(asked) and path.is_file() and asked == _version(path, path.stat().st_mtime_ns)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_current else "no-cache"
    return response


def install(app: Flask) -> None:
    """Give templates `asset(name)`, and static answers their caching."""
    app.jinja_env.globals["asset"] = asset
    app.after_request(_keep)
