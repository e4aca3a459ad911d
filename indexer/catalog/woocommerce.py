"""WooCommerce product exports: variations lean on their variable product, attributes take column pairs.

Written from the format as exporters use it, tested on fixtures of our own.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass

from indexer.catalog.columns import Columns, normalised
from indexer.catalog.outcomes import Notes, Rejection
from indexer.catalog.rows import Cell, Row

COMMA = re.compile(r"(?<!\\),")  # the exporter escapes commas inside names as \,
ATTRIBUTE = re.compile(r"attribute(\d+)(name|values?)")
INHERITED = ("name", "description", "shortdescription", "categories", "images", "brands", "tags")
# Settings of the shop, not properties of the product.
NOISE = (
    *("type", "published", "isfeatured", "visibility", "datesale", "tax", "lowstock", "backorders", "soldindividually"),
    *("allowcustomer", "purchasenote", "shippingclass", "download", "groupedproducts", "upsells", "crosssells"),
    *("buttontext", "position", "meta", "attribute", "costofgoods", "swatches"),
)
COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "sku"),
    "title": ("name",),
    "description": ("description", "shortdescription"),
    "category": ("categories",),
    "brand": ("brands", "brand"),
    "price": ("saleprice", "regularprice"),
    "image_url": ("images",),
    "url": ("externalurl",),
    "availability": ("instock",),
    "group_id": ("parent",),
}


def is_woocommerce(names: set[str]) -> bool:
    """Tell a WooCommerce export by its normalised headers."""
    return {"name", "sku", "regularprice"} <= names and bool(names & {"type", "published", "instock"})


def woocommerce_columns(by_name: dict[str, str]) -> Columns:
    """Return the mapping for the rewritten rows, from headers by normalised name."""
    columns = {field: tuple(by_name[name] for name in names if name in by_name) for field, names in COLUMNS.items()}
    columns["id"] = columns["id"][:1]  # rows without an ID get their SKU written there; the SKU stays an attribute
    return {field: headers for field, headers in columns.items() if headers}


@dataclass(frozen=True, slots=True)
class _Parent:
    id: str
    is_published: bool
    inherited: dict[str, Cell]
    attributes: dict[str, Cell]


class WooCommerceRows:
    """Rewrites variations so that they stand alone; remembers variable products by id and by SKU."""

    def __init__(self, headers: tuple[str, ...], parents_kept: int) -> None:
        self._by_name = {normalised(header): header for header in reversed(headers)}
        self._parents: OrderedDict[str, _Parent] = OrderedDict()
        self._parents_kept = parents_kept

    def rewrite(self, row: Row, notes: Notes) -> Row | Rejection | None:
        """Return the product or variation as a row of its own; see indexer.catalog.presets."""
        kind = self._text(row.cells, "type").casefold()
        parent = self._parent_of(row, notes) if "variation" in kind else None
        is_published = self._text(row.cells, "published") in ("1", "", "true", "TRUE")
        if "variable" in kind:
            self._remember(row.cells, is_published)
        if not is_published or (parent and not parent.is_published):
            notes.unpublished += 1
            return None
        return Row(row.line, self._standing_alone(row.cells, parent, is_variable="variable" in kind))

    def _parent_of(self, row: Row, notes: Notes) -> _Parent | None:
        reference = self._text(row.cells, "parent")
        parent = self._parents.get(reference)
        if parent is None:
            column = self._by_name.get("parent", "")
            notes.warn(row.line, column, "the variation's product is not above it; nothing inherited", reference)
        return parent

    def _remember(self, cells: dict[str, Cell], is_published: bool) -> None:
        own_id, sku = self._text(cells, "id"), self._text(cells, "sku")
        headers = [self._by_name[name] for name in INHERITED if name in self._by_name]
        parent = _Parent(
            own_id or sku, is_published, {h: cells.get(h, "") for h in headers}, self._attributes(cells, several=True)
        )
        # An export names the parent by SKU, or as id:12 where it has none.
        for key in (sku, f"id:{own_id}"):
            if key not in ("", "id:"):
                self._parents[key] = parent
        while len(self._parents) > 2 * self._parents_kept:
            self._parents.popitem(last=False)

    def _standing_alone(self, own: dict[str, Cell], parent: _Parent | None, *, is_variable: bool) -> dict[str, Cell]:
        cells = dict(own)
        attributes = self._attributes(own, several=parent is None)
        if parent:
            cells |= {header: cell for header, cell in parent.inherited.items() if not cells.get(header)}
            attributes = parent.attributes | attributes
        group = parent.id if parent else (self._text(own, "id") or self._text(own, "sku")) if is_variable else ""
        for name, text in (
            ("id", self._text(own, "id") or self._text(own, "sku")),
            ("categories", _first_category(self._text(cells, "categories"))),
            ("parent", group or self._text(own, "parent")),
        ):
            if name in self._by_name:
                cells[self._by_name[name]] = text
        if "tags" in self._by_name:
            cells[self._by_name["tags"]] = _several(self._text(cells, "tags"))
        kept = {header: cell for header, cell in cells.items() if not normalised(header).startswith(NOISE)}
        return kept | {name if name not in kept else f"{name} (attribute)": cell for name, cell in attributes.items()}

    def _attributes(self, cells: dict[str, Cell], *, several: bool) -> dict[str, Cell]:
        pairs: dict[str, dict[str, str]] = {}
        for name in self._by_name:
            if match := ATTRIBUTE.fullmatch(name):
                pairs.setdefault(match[1], {})[match[2].rstrip("s")] = self._text(cells, name)
        return {
            pair["name"]: _several(pair["value"]) if several else pair["value"]
            for pair in pairs.values()
            if pair.get("name") and pair.get("value")
        }

    def _text(self, cells: dict[str, Cell], name: str) -> str:
        cell = cells.get(self._by_name.get(name, ""), "")
        return cell.strip() if isinstance(cell, str) else ""


def _several(text: str) -> Cell:
    return [part.replace("\\,", ",").strip() for part in COMMA.split(text) if part.strip()]


def _first_category(text: str) -> str:
    return COMMA.split(text)[0].replace("\\,", ",").strip()
