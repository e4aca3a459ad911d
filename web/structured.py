"""schema.org data about a product, for search engines and assistants."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urljoin

from markupsafe import Markup

from search.product import Product
from web.urls import product_path

_AVAILABILITY = {"in_stock": "InStock", "out_of_stock": "OutOfStock", "preorder": "PreOrder"}
# Inside a script element these would end it or begin markup; as escapes they are the same JSON.
_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def product_data(product: Product, root: str) -> dict[str, Any]:
    """Return the schema.org Product of a product; `root` makes addresses absolute; unknown members are left out."""
    data = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.title,
        "sku": product.id,
        "url": urljoin(root, product_path(product.id)),
        "description": product.description,
        "image": urljoin(root, product.image_url) if product.image_url else "",
        "brand": {"@type": "Brand", "name": product.brand} if product.brand else "",
        "category": " > ".join(product.category),
        "offers": _offer(product, root),
        "aggregateRating": _rating(product),
    }
    return {name: value for name, value in data.items() if value}


def _offer(product: Product, root: str) -> dict[str, Any]:
    if product.price is None or not product.currency:
        return {}
    offer = {
        "@type": "Offer",
        "price": f"{product.price:.2f}",
        "priceCurrency": product.currency,
        "url": urljoin(root, product_path(product.id)),
    }
    if product.availability:
        offer["availability"] = f"https://schema.org/{_AVAILABILITY[product.availability]}"
    return offer


def _rating(product: Product) -> dict[str, Any]:
    if product.rating is None or not product.rating_count:
        return {}
    return {"@type": "AggregateRating", "ratingValue": product.rating, "ratingCount": product.rating_count}


def script_json(data: Any) -> Markup:
    """Return data as JSON that is safe inside a script element."""
    return Markup(json.dumps(data, ensure_ascii=False).translate(_ESCAPES))  # noqa: S704
