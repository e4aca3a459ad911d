"""What the live release's embedding knows: its own pages, report.html and queries.html, under a policy of their own."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from flask import Blueprint, Response

from search.errors import NotFound
from web.live import current_engine
from web.serving.security import page_policy

report = Blueprint("report", __name__)
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
# What the pages say of each other and of products, for a file on disk, and where that is in the shop. Texts of the
# catalog cannot hold these: their quotes and brackets are escaped.
_ADDRESSES = (
    ('<a data-page="/', '<a href="/'),
    ('<a hidden data-page="/', '<a href="/'),
    ('<a href="queries.html"', '<a href="/report/queries.html"'),
    ('<a href="report.html"', '<a href="/report"'),
)


@report.get("/report")
def knowledge() -> Response:
    """Show what the embedding knows of the catalog, and how it was made."""
    return _page(current_engine().release.layout.report)


@report.get("/report/queries.html")
def queries() -> Response:
    """Show how every judged query is answered."""
    return _page(current_engine().release.layout.query_report)


def _page(path: Path) -> Response:
    """Return a page of the release, its links leading into the shop; nothing but its own style may run.

    Raises:
        NotFound: the release has no such page.
    """
    try:
        page = path.read_text("utf-8")
    except OSError:
        raise NotFound(f"the live release has no {path.name}; the next build may write one") from None
    styles = [_source(style) for style in _STYLE.findall(page)]
    for on_disk, in_shop in _ADDRESSES:
        page = page.replace(on_disk, in_shop)
    response = Response(page, mimetype="text/html")
    response.headers["Content-Security-Policy"] = page_policy(styles)
    return response


def _source(style: str) -> str:
    """Return the CSP source that allows exactly this style block."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
