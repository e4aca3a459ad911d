"""schema.org data about a product, for search engines and assistants.

A product with variants is a `ProductGroup`, each variant at an address of its own, as Google's "Product variant
structured data" describes for sites with a page for each: the page's own variant whole, the others by address.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from search.naming import field_name
from search.product import Product
from web.pages.discovery import absolute
from web.urls import product_path

_AVAILABILITY = {"in_stock": "InStock", "out_of_stock": "OutOfStock", "preorder": "PreOrder"}
# Attributes that schema.org has a property for; variants may differ in these (Google reads no others).
_PROPERTIES = {"color": "color", "colour": "color", "size": "size", "material": "material", "pattern": "pattern"}
_NUMBERS = {"gtin": (8, 12, 13, 14), "ean": (8, 13), "upc": (12,), "isbn": (10, 13)}
MOST_VARIANTS = 100  # named by a page
# Inside a script element these would end it or begin markup; as escapes they are the same JSON.
_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def page_data(product: Product, variants: Sequence[Product]) -> dict[str, Any]:
    """Return the data of a product's page: the product, or its group when it has variants."""
    own = product_data(product)
    others = [variant for variant in variants if variant.id != product.id]
    if not others:
        return {"@context": "https://schema.org", **own}
    varied = {
        _PROPERTIES[field_name(label)]
        for one in variants
        for label in one.attributes
        if field_name(label) in _PROPERTIES and len({each.attributes.get(label) for each in variants}) > 1
    }
    group = {
        "@context": "https://schema.org",
        "@type": "ProductGroup",
        "@id": "#group",
        "name": product.title,
        "description": product.description,
        "brand": own.get("brand"),
        "productGroupID": product.group_id,
        "variesBy": [f"https://schema.org/{name}" for name in sorted(varied)],
        "hasVariant": [
            {**own, "isVariantOf": {"@id": "#group"}},
            *({"@type": "Product", "url": absolute(product_path(one.id))} for one in others[:MOST_VARIANTS]),
        ],
    }
    return {name: value for name, value in group.items() if value}


def product_data(product: Product) -> dict[str, Any]:
    """Return the schema.org Product of a product, addresses absolute; unknown members are left out."""
    data = {
        "@type": "Product",
        "name": product.title,
        "sku": product.id,
        "url": absolute(product_path(product.id)),
        "description": product.description,
        "image": _images(product),
        "brand": {"@type": "Brand", "name": product.brand} if product.brand else "",
        "category": " > ".join(product.category),
        **_properties(product),
        "offers": _offer(product),
        "aggregateRating": _rating(product),
    }
    return {name: value for name, value in data.items() if value}


def breadcrumb_data(trail: Sequence[tuple[str, str]], last: str) -> dict[str, Any]:
    """Return the BreadcrumbList of (name, path) steps that end with this page."""
    steps = [
        {"@type": "ListItem", "position": place, "name": name, "item": absolute(path)}
        for place, (name, path) in enumerate(trail, start=1)
    ]
    steps.append({"@type": "ListItem", "position": len(trail) + 1, "name": last})
    return {"@context": "https://schema.org", "@type": "BreadcrumbList", "itemListElement": steps}


def _properties(product: Product) -> dict[str, Any]:
    found: dict[str, Any] = {}
    others = []
    for label, values in product.attributes.items():
        name, text = field_name(label), ", ".join(values)
        if name in _PROPERTIES:
            found.setdefault(_PROPERTIES[name], text)
        elif name in _NUMBERS and text.isascii() and text.isdigit() and len(text) in _NUMBERS[name]:
            found.setdefault("gtin", text)
        else:
            others.append({"@type": "PropertyValue", "name": label, "value": text})
    return {**found, "additionalProperty": others}


def _images(product: Product) -> str | list[str]:
    found = [absolute(url) for url in (product.image_url, *product.more_image_urls) if url]
    return found if len(found) > 1 else "".join(found)


def _offer(product: Product) -> dict[str, Any]:
    if product.price is None or not product.currency:
        return {}
    offer = {
        "@type": "Offer",
        "price": f"{product.price:.2f}",
        "priceCurrency": product.currency,
        "url": absolute(product_path(product.id)),
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
