"""Answers compressed for those who can read it: brotli or gzip, by Flask-Compress. Static files only once.

BREACH needs a secret beside what an attacker can choose: there are neither cookies nor other secrets here.
"""

from __future__ import annotations

from collections import OrderedDict

from flask import Flask, Request, Response, current_app, request
from flask_compress import Compress

from web.pages.assets import Assets

# An answer of 24 products, 50 kB: brotli 4 makes it 7.5 kB in .28 ms, 5 6.9 kB in .41 ms; gzip 4 8.2 kB in .27 ms,
# 6 7.5 kB in .44 ms.
BROTLI_LEVEL = GZIP_LEVEL = 4
KEPT = 512  # compressed static files in memory
MIMETYPES = [
    "text/html", "text/css", "text/javascript", "text/plain", "text/xml", "application/xml", "application/json",
    "application/problem+json", "application/octet-stream", "image/svg+xml", "text/csv", "application/x-ndjson",
]  # fmt: skip


class StaticFiles:
    """Compressed static files by content, the least recently used let go; anything else is not kept."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key."""
        return self._files.get(key)

    def set(self, key: str, content: bytes) -> None:
        """Keep a static file; the key of everything else ends with ";"."""
        if key.endswith(";"):
            return
        self._files[key] = content
        self._files.move_to_end(key)
        while len(self._files) > KEPT:
            self._files.popitem(last=False)


def _key(asked: Request) -> str:
    """Return a static file's name and time of change; "" for all else, and so for every search."""
    if asked.endpoint != "static":
        return ""
    known: Assets = current_app.extensions["aisle.assets"]
    return known.stamp((asked.view_args or {}).get("name", ""))


def _in_memory(response: Response) -> Response:
    """Take a static file as a whole: what is streamed is compressed anew for each request."""
    if request.endpoint == "static" and response.status_code == 200:
        response.direct_passthrough = False
        response.headers["Accept-Ranges"] = "none"
        response.make_sequence()
    return response


def _as_a_whole() -> None:
    """Pass over what asks for a part of a file: a part cannot be compressed by itself, and the files are small."""
    if request.endpoint == "static":
        request.environ.pop("HTTP_RANGE", None)


def install(app: Flask) -> None:
    """Compress an app's answers; `ETag` and 304 go on working, and `Vary` tells caches."""
    app.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"], COMPRESS_ALGORITHM_STREAMING=["gzip"], COMPRESS_BR_LEVEL=BROTLI_LEVEL,
        COMPRESS_LEVEL=GZIP_LEVEL,
        COMPRESS_MIMETYPES=MIMETYPES, COMPRESS_CACHE_KEY=_key, COMPRESS_CACHE_BACKEND=StaticFiles,
    )  # fmt: skip
    app.before_request(_as_a_whole)
    Compress(app)
    app.after_request(_in_memory)  # runs before: the last one registered is the first to be called
