"""What the server could say to a search field, the field's state, and what axe finds wrong in a part of the page."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

ANSWERS = "**/api/v1/suggest?*"
QUERIES = ("coffee", "coffee pot")
STATE = """field => ({
    value: field.value,
    expanded: field.getAttribute("aria-expanded") === "true",
    active: [...document.querySelectorAll("[role=option]")].findIndex(
        ({ id }) => id === field.getAttribute("aria-activedescendant")),
    focus: document.activeElement === field,
    start: field.selectionStart, end: field.selectionEnd,
})"""


def answer(q: str, *, queries: tuple[str, ...] = QUERIES, corrected: str | None = None) -> dict[str, Any]:
    """What the server could say: four suggestions, one department for nothing."""
    department = {"text": "Kitchen", "category": "Kitchen", "url": "/search?f.category=Kitchen"}
    if not q:
        return {"q": q, "corrected": None, "queries": [], "categories": [department], "products": []}
    product = {"text": "Coffee Pot 7", "id": "p7", "image_url": "", "price": 17.0, "currency": "USD",
               "price_text": "$17.00", "url": "/products/p7"}  # fmt: skip
    return {
        "q": q, "corrected": corrected, "categories": [department], "products": [product],
        "queries": [{"text": text, "url": f"/search?q={text}"} for text in queries],
    }  # fmt: skip


def fixed(page: Any, **facts: Any) -> None:
    """Let every question be answered the same."""
    page.route(ANSWERS, lambda route: route.fulfill(json=answer(asked_of(route), **facts)))


def asked_of(route: Any) -> str:
    """What a request for suggestions asks about."""
    return parse_qs(urlsplit(route.request.url).query, keep_blank_values=True)["q"][0]


def faults(page: Any, part: str) -> list[str]:
    """What axe-core finds wrong in a part of the page."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs: pip install axe-playwright-python"
    )
    found = axe.Axe().run(page, context=part).response
    return [f"{fault['id']}: {node['html']}" for fault in found["violations"] for node in fault["nodes"]]
