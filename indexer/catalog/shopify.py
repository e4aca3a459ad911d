"""Shopify product exports, the classic columns and the ones of the newer export.

A product takes several rows that share a Handle. The first has the title; the next ones leave it blank and add a
variant, an image, or both. Written from the format as exporters use it, tested on fixtures of our own.
"""

from __future__ import annotations

import re

from indexer.catalog.columns import Columns, normalised
from indexer.catalog.outcomes import Notes, Rejection
from indexer.catalog.rows import Cell, Row

# role -> normalised header, classic export first
ROLES: dict[str, tuple[str, ...]] = {
    "handle": ("handle", "urlhandle"),
    "title": ("title",),
    "description": ("bodyhtml", "body", "description"),
    "brand": ("vendor",),
    "category": ("productcategory", "standardproducttype"),
    "type": ("type", "customproducttype"),
    "sku": ("variantsku", "sku"),
    "price": ("variantprice", "price"),
    "image": ("imagesrc", "productimageurl"),
    "variant_image": ("variantimage", "variantimageurl"),
    "quantity": ("variantinventoryqty", "inventoryquantity"),
    "policy": ("variantinventorypolicy", "continuesellingwhenoutofstock"),
    "published": ("published", "publishedononlinestore"),
    "status": ("status",),
    "tags": ("tags",),
}
# Columns with a value of their own on every variant row; the others are inherited from the product's first row.
VARIANT_LEVEL = (
    *("variant", "option", "image", "productimage", "sku", "barcode", "price", "compareat", "cost", "charge", "tax"),
    *("inventory", "continueselling", "weight", "requiresshipping", "fulfillment"),
)
# The shop's internals: nothing a customer should find or see (cost above all).
NOISE = (
    *("costperitem", "chargetax", "taxname", "tax1", "tax2", "variantgrams", "variantinventory", "inventory"),
    *("continueselling", "weightvalue", "weightunit", "giftcard", "fulfillment", "variantfulfillment", "varianttax"),
    *("variantrequires", "requiresshipping", "variantweight", "imageposition", "imagealt", "seotitle", "seodesc"),
    *("googleshopping", "published", "status", "included", "priceinternational", "compareatpriceinternational"),
    *("unitprice",),
)
OPTION = re.compile(r"option(\d)(name|value|linkedto)")
METAFIELD = re.compile(r"\s*\(product\.metafields\.[^)]*\)$")  # "Colour (product.metafields.shopify.colour)"


def is_shopify(names: set[str]) -> bool:
    """Tell a Shopify export by its normalised headers."""
    return any({handle, "title", sku} <= names for handle, sku in (("handle", "variantsku"), ("urlhandle", "sku")))


def _roles(by_name: dict[str, str]) -> dict[str, str]:
    found = {role: next((by_name[name] for name in names if name in by_name), "") for role, names in ROLES.items()}
    return {role: header for role, header in found.items() if header}


def shopify_columns(by_name: dict[str, str]) -> Columns:
    """Return the mapping for the rewritten rows, from headers by normalised name."""
    roles = _roles(by_name)
    wanted = {
        "id": ("sku", "handle"),
        "title": ("title",),
        "description": ("description",),
        "category": ("category", "type"),
        "brand": ("brand",),
        "price": ("price",),
        "image_url": ("variant_image", "image"),
        "availability": ("quantity",),
        "group_id": ("handle",),
    }
    columns = {field: tuple(roles[role] for role in names if role in roles) for field, names in wanted.items()}
    return {field: headers for field, headers in columns.items() if headers}


class ShopifyRows:
    """Rewrites variant rows so that they stand alone, and folds rows that only add an image.

    Remembers one product, the last: an export keeps a product's rows together.
    """

    def __init__(self, headers: tuple[str, ...]) -> None:
        by_name = {normalised(header): header for header in reversed(headers)}
        self._roles = _roles(by_name)
        self._options = {match.group(1, 2): by_name[name] for name in by_name if (match := OPTION.fullmatch(name))}
        self._first: dict[str, Cell] = {}

    def rewrite(self, row: Row, notes: Notes) -> Row | Rejection | None:
        """Return the variant as a row of its own; see indexer.catalog.presets."""
        handle, title = self._text(row.cells, "handle"), self._text(row.cells, "title")
        if title:
            self._first = row.cells
        elif handle != self._text(self._first, "handle") or not handle:
            return Rejection(
                row.line,
                self._roles["title"],
                handle,
                "no title, and the row above belongs to another handle",
                "keep the rows of a product together, the one with its title first",
                "continuation without its product",
            )
        elif not self._is_variant(row.cells):
            notes.folded += 1
            return None
        if not self._is_published():
            notes.unpublished += 1
            return None
        return Row(row.line, self._standing_alone(row.cells))

    def _is_variant(self, cells: dict[str, Cell]) -> bool:
        filled = (self._text(cells, "sku"), self._text(cells, "price"), *self._option_values(cells))
        return any(filled)

    def _is_published(self) -> bool:
        status = self._text(self._first, "status").casefold()
        published = self._text(self._first, "published").casefold()
        return status not in ("draft", "archived", "unlisted") and published not in ("false", "no", "0")

    def _standing_alone(self, own: dict[str, Cell]) -> dict[str, Cell]:
        cells: dict[str, Cell] = {}
        for header, cell in own.items():
            name = normalised(header)
            inherits = not name.startswith(VARIANT_LEVEL)
            cells[header] = cell or (self._first.get(header, "") if inherits else "")
        values = self._option_values(own)
        options = self._named_options(values)
        handle = self._text(cells, "handle")
        sku = self._text(own, "sku") or "-".join([handle, *map(_slug, options.values())])
        self._set(cells, "sku", sku)
        self._set(cells, "handle", handle if options else "")
        self._set(cells, "image", self._text(own, "image") or self._text(self._first, "image"))
        self._set(cells, "quantity", self._availability(own))
        if "tags" in self._roles:
            tags = self._text(cells, "tags").split(",")
            cells[self._roles["tags"]] = [tag for tag in map(str.strip, tags) if tag]
        kept = {METAFIELD.sub("", h): cell for h, cell in cells.items() if not self._is_internal(h)}
        return kept | {name if name not in kept else f"{name} (option)": value for name, value in options.items()}

    def _set(self, cells: dict[str, Cell], role: str, text: str) -> None:
        if role in self._roles:
            cells[self._roles[role]] = text

    def _is_internal(self, header: str) -> bool:
        if header == self._roles.get("quantity"):
            return False
        name = normalised(header)
        return name.startswith(NOISE) or OPTION.fullmatch(name) is not None

    def _availability(self, own: dict[str, Cell]) -> str:
        quantity = self._text(own, "quantity")
        if self._text(own, "policy").casefold() in ("continue", "true", "yes"):
            return "in stock"
        return quantity

    def _option_values(self, cells: dict[str, Cell]) -> list[str]:
        return [_plain(cells.get(self._options.get((number, "value"), ""), "")) for number in "123"]

    def _named_options(self, values: list[str]) -> dict[str, str]:
        # "Title: Default Title" is how Shopify writes that there are no options.
        names = [_plain(self._first.get(self._options.get((number, "name"), ""), "")) for number in "123"]
        pairs = zip(names, values, strict=True)
        return {name or "Option": value for name, value in pairs if value and value != "Default Title"}

    def _text(self, cells: dict[str, Cell], role: str) -> str:
        return _plain(cells.get(self._roles.get(role, ""), ""))


def _plain(cell: Cell) -> str:
    return cell.strip() if isinstance(cell, str) else ""


def _slug(value: str) -> str:
    return re.sub(r"[\W_]+", "-", value.casefold()).strip("-")
