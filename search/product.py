"""The product: the one record that knows the shop's own id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

AVAILABILITIES = ("in_stock", "out_of_stock", "preorder", "")


@dataclass(frozen=True, slots=True)
class Product:
    """One row of the catalog, cleaned and typed.

    Attributes:
        id: the shop's id, a string kept letter for letter (leading zeros stay).
        title: plain text, one line, never empty.
        description: plain text; markup and entities are gone. "" when unknown.
        category: path from the department to the leaf, e.g. ("Kitchen", "Knives"). () when unknown.
        brand: "" when unknown.
        price: in the catalog's one currency, two decimals meant; None when unknown.
        currency: ISO 4217 code such as "USD"; "" when the catalog never says.
        image_url, url: as in the catalog, only http(s) or site-relative ("/..."); "" when unknown.
        more_image_urls: further pictures of the same product, in catalog order, image_url not among them.
        rating: 0..5, None when unknown.
        rating_count: how many ratings stand behind it; None when unknown.
        availability: one of AVAILABILITIES; "" when unknown.
        group_id: shared by the variants of one product; "" when it stands alone.
        created_at: ISO 8601 date or date-time; "" when unknown.
        attributes: name (as in the catalog, for show) -> its values, in order, never empty.
        line: `as_json` as the store keeps it, UTF-8, for answers to hold as it is; b"" of a product that was not read
            there, or is not any more what was: `replace` lets go of it.
    """

    id: str
    title: str
    description: str = ""
    category: tuple[str, ...] = ()
    brand: str = ""
    price: float | None = None
    currency: str = ""
    image_url: str = ""
    url: str = ""
    rating: float | None = None
    rating_count: int | None = None
    availability: str = ""
    group_id: str = ""
    created_at: str = ""
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    more_image_urls: tuple[str, ...] = ()
    line: bytes = field(default=b"", init=False, repr=False, compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return the product as JSON-ready data, in field order; unknown values stay as "" or None."""
        return {
            "id": self.id, "title": self.title, "description": self.description, "category": self.category,
            "brand": self.brand, "price": self.price, "currency": self.currency, "image_url": self.image_url,
            "url": self.url, "rating": self.rating, "rating_count": self.rating_count,
            "availability": self.availability, "group_id": self.group_id, "created_at": self.created_at,
            "attributes": self.attributes, "more_image_urls": self.more_image_urls,
        }  # fmt: skip

    def as_line(self) -> bytes:
        """Return the product as JSON text, UTF-8."""
        return self.line or orjson.dumps(self.as_json())

    @classmethod
    def from_line(cls, line: bytes) -> Product:
        """Rebuild a product from `as_line` text."""
        product = cls.from_json(orjson.loads(line))
        object.__setattr__(product, "line", line)
        return product

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Product:
        """Rebuild a product from `as_json` data."""
        return cls(  # one by one: twice as fast as a dictionary of them, and a page has two dozen
            data["id"], data["title"], data["description"], tuple(data["category"]),
            data["brand"], data["price"], data["currency"], data["image_url"], data["url"],
            data["rating"], data["rating_count"], data["availability"], data["group_id"], data["created_at"],
            {name: tuple(values) for name, values in data["attributes"].items()},
            tuple(data["more_image_urls"]),
        )  # fmt: skip


def lexical_fields(product: Product) -> tuple[str, str]:
    """Return (title, rest): the two fields of the BM25 leg; the id weighs like a title word, for it is as telling."""
    attributes = " ".join(f"{name} {' '.join(values)}" for name, values in product.attributes.items())
    rest = (product.brand, " ".join(product.category), attributes, product.description)
    return title_field(product), " ".join(part for part in rest if part)


def title_field(product: Product) -> str:
    """Return the first field of `lexical_fields`."""
    return f"{product.title} {product.id}"
