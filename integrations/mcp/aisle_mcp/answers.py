"""What the tools answer: small, typed, and with nothing in it that a reader would not see."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin

from pydantic import BaseModel, Field

JOINERS = "\u200c\u200d"  # of Arabic letters and of emoji: the only invisible characters that belong into a text
SHORT, LONG = 200, 1500  # characters of one text
MAX_VALUES = 6  # shown of a facet
MAX_FACETS = 8
MAX_ATTRIBUTES = 40
MAX_VARIANTS = 20
MAX_WAYS = 4  # out of no results


class ProductSummary(BaseModel):
    """One product in a list."""

    id: str = Field(description="For get_product and similar_products.")
    title: str
    price: float | None = Field(description="In `currency`; null when the catalog says none.")
    currency: str
    brand: str
    category: str = Field(description='Path, widest first: "Kitchen > Knives".')
    rating: float | None = Field(description="0 to 5; null when unrated.")
    availability: str = Field(description="in_stock, out_of_stock, preorder, or empty when unknown.")
    url: str = Field(description="The product's page, to show to people.")
    why: list[str] = Field(default=[], description="What it shares with the search, in short.")
    snippet: str = Field(default="", description="The closest sentence of its description.")


class SearchAnswer(BaseModel):
    """One page of a search."""

    advice: str = Field(description="How far to trust this answer, and what to do next.")
    confidence: str = Field(
        description='"good"; "weak": nothing fits well, these are the closest; "none": nothing fits.'
    )
    total: int = Field(description="Products that fit, on all pages.")
    total_is_exact: bool = Field(description="False: there may be more than `total`.")
    read_as: list[str] = Field(description='Conditions read in the words, such as "price <= 50 (under $50)".')
    products: list[ProductSummary]
    next_page: int | None
    narrow_by: dict[str, dict[str, int]] = Field(description="Fields and values for `filters`, each with its count.")


class ProductDetails(ProductSummary):
    """One product, whole."""

    description: str
    attributes: dict[str, list[str]]
    variants: list[str] = Field(description="Ids of the same product in other sizes, colors and so on.")


class SimilarAnswer(BaseModel):
    """Products like one."""

    like: str
    products: list[ProductSummary]


def visible(text: str, most: int = SHORT) -> str:
    """Return a catalog's text on one line, cut, without characters that people do not see.

    Controls, direction marks, Unicode tags and the like can hide instructions to a model in what looks like a title.
    """
    seen = "".join(
        " " if one.isspace() else one
        for one in text[: 4 * most]
        if one.isspace() or one in JOINERS or unicodedata.category(one) not in ("Cc", "Cf", "Co", "Cs", "Cn")
    )
    line = " ".join(seen.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def summary(product: Mapping[str, Any], shop: str, hit: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the fields of a ProductSummary; `shop` is the address that relative ones belong to."""
    marked = (hit or {}).get("highlights", {}).get("sentence", "")
    own_page = f"/products/{quote(product['id'], safe='')}"
    return {
        "id": product["id"],
        "title": visible(product["title"]),
        "price": product["price"],
        "currency": product["currency"],
        "brand": visible(product["brand"]),
        "category": visible(" > ".join(product["category"])),
        "rating": product["rating"],
        "availability": product["availability"],
        "url": visible(urljoin(shop, product["url"] or own_page), LONG),
        "why": [visible(one) for one in (hit or {}).get("why", [])][:3],
        "snippet": visible(plain(marked)),
    }


def details(answer: Mapping[str, Any], shop: str) -> dict[str, Any]:
    """Return the fields of a ProductDetails."""
    product = answer["product"]
    attributes = list(product["attributes"].items())[:MAX_ATTRIBUTES]
    return {
        **summary(product, shop),
        "description": visible(product["description"], LONG),
        "attributes": {visible(name): [visible(one) for one in values[:MAX_VALUES]] for name, values in attributes},
        "variants": answer["variants"][:MAX_VARIANTS],
    }


def plain(html: str) -> str:
    """Return a highlighted text of the API as the plain text it stands for."""
    text = html.replace("<mark>", "").replace("</mark>", "")
    for entity, meant in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
        text = text.replace(entity, meant)
    return text


def search_answer(answer: Mapping[str, Any], shop: str) -> SearchAnswer:
    """Return the API's answer as much as a model needs of it."""
    return SearchAnswer(
        advice=advice(answer),
        confidence=answer["confidence"],
        total=answer["total"],
        total_is_exact=answer["total_relation"] == "exact",
        read_as=[condition(one) for one in answer["query"]["constraints"]],
        products=[ProductSummary(**summary(hit["product"], shop, hit)) for hit in answer["hits"]],
        next_page=answer["page"] + 1 if answer["links"]["next"] else None,
        narrow_by=narrow_by(answer["facets"]),
    )  # fmt: skip


def condition(read: Mapping[str, Any]) -> str:
    """Return a condition read in the words, with the words: "price <= 50 (under $50)"."""
    return visible(f"{read['field']} {read['op']} {read['value']} ({read['text']})")


def advice(answer: Mapping[str, Any]) -> str:
    """Return in words how far an answer is to be trusted."""
    query, told = answer["query"], []
    if answer["confidence"] == "none":
        told.append("Nothing fits. Say so, or search again with fewer conditions.")
    elif answer["confidence"] == "weak":
        told.append("Nothing fits well: these are only the closest products. Say so before you offer them.")
    for way in ((answer["rescue"] or {}).get("without") or [])[:MAX_WAYS]:
        kept = way["text"] or (f"{way['parameter']} {way['value']}" if way["value"] else way["parameter"])
        told.append(f"Without {visible(kept)} there are {way['total']}.")
    if query["corrected"]:
        told.append(f'Searched for "{visible(query["corrected"])}" instead.')
    if query["did_you_mean"]:
        told.append(f'Perhaps "{visible(query["did_you_mean"])}" was meant.')
    if answer["degraded"]:
        told.append("Found by words alone: meaning is not understood right now. Try again in a minute.")
    return " ".join(told) or "These products fit."


def narrow_by(facets: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return the values of each facet that `filters` takes, with their counts."""
    told = {}
    for name, facet in facets.items():
        if facet["type"] == "values" and facet["values"]:
            told[name] = {visible(one["value"]): one["count"] for one in facet["values"][:MAX_VALUES]}
    return dict(list(told.items())[:MAX_FACETS])
