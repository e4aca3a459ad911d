"""Every knob of catalog reading, with its unit and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

# The fields of search/product.py a column can be mapped to; every other column becomes an attribute.
FIELDS = (
    "id",
    "title",
    "description",
    "category",
    "brand",
    "price",
    "currency",
    "image_url",
    "more_image_urls",
    "url",
    "rating",
    "rating_count",
    "availability",
    "group_id",
    "created_at",
)


@dataclass(frozen=True)
class CatalogSettings:
    """How a catalog is read.

    Attributes:
        mapping: our field -> their header, wins over every guess; "" as header leaves the field unmapped.
        currency: ISO 4217 code of the rows to keep; "" = the most frequent one in the sampled rows.
        encoding: codec name; "" = detect (BOM, strict UTF-8, then charset-normalizer).
        max_cell_characters: a longer cell rejects its row; descriptions above this are never prose.
        max_row_characters: bound of the memory one row may take; also ends the hunt for a missing closing quote.
        max_reread_characters: how much text swallowed by missing closing quotes is read again, over the whole file;
            without a bound a hostile file of lone quotes would cost quadratic time.
        max_id_characters: ids live in URLs, and longer ones are a column shifted by a quoting fault.
        max_price: catalog currency; anything above is a typo or an overflow marker such as 9999999999.
        max_attributes: names per product; more is a JSON bomb, the rest is dropped with a warning.
        max_values: values per attribute, for the same reason.
        max_images: pictures of a product beside its first.
        sample_rows: rows read ahead to decide currency, decimal separator, category separator and day order.
        dialect_characters: text handed to the dialect detector, whose time grows with it (0.1 s for 32,768).
        parents_kept: variable products of a WooCommerce export remembered for their variations.
        kept_rejections: rejections a report keeps one by one; beyond, only the counts by reason grow.
    """

    mapping: dict[str, str] = field(default_factory=dict)
    currency: str = ""
    encoding: str = ""
    max_cell_characters: int = 200_000
    max_row_characters: int = 4_000_000
    max_reread_characters: int = 64_000_000
    max_id_characters: int = 256
    max_price: float = 1e9
    max_attributes: int = 300
    max_values: int = 100
    max_images: int = 12
    sample_rows: int = 1_000
    dialect_characters: int = 32_768
    parents_kept: int = 20_000
    kept_rejections: int = 1_000
