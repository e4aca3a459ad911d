"""Exports whose rows lean on other rows or columns: each is rewritten into rows that stand alone.

A preset sees the raw rows in file order and gives back a row the general mapping understands, a Rejection, or None
for a row that is set aside (a continuation folded into another row, an unpublished product), which it notes.
"""

from __future__ import annotations

from typing import Protocol

from indexer.catalog.columns import Columns, guess_columns, normalised
from indexer.catalog.outcomes import Notes, Rejection
from indexer.catalog.rows import Cell, Row
from indexer.catalog.settings import CatalogSettings
from indexer.catalog.shopify import ShopifyRows, is_shopify, shopify_columns
from indexer.catalog.woocommerce import WooCommerceRows, is_woocommerce, woocommerce_columns


class Preset(Protocol):
    """Rewrites the rows of one reading; keeps what later rows need, so each reading takes a new one."""

    def rewrite(self, row: Row, notes: Notes) -> Row | Rejection | None:
        """Return the row so that it stands alone, or None when it was set aside."""


class PlainRows:
    """Catalogs whose every row stands alone."""

    def rewrite(self, row: Row, notes: Notes) -> Row:
        """Return the row as it is."""
        return row


class GoogleRows:
    """Google Merchant feeds: the shop's own product_type goes before Google's category; switches are no attributes."""

    NOISE = ("identifierexists", "shipping", "tax", "adult", "adsredirect", "customlabel")

    def rewrite(self, row: Row, notes: Notes) -> Row:
        """Keep one of the two category columns; a category that is only Google's number is dropped."""
        own = any(normalised(header) == "producttype" and cell for header, cell in row.cells.items())
        return Row(row.line, {h: cell for h, cell in row.cells.items() if not self._drops(normalised(h), cell, own)})

    def _drops(self, name: str, cell: Cell, has_own_category: bool) -> bool:
        if name == "googleproductcategory":
            return has_own_category or (isinstance(cell, str) and cell.strip().isdecimal())
        return name.startswith(self.NOISE)


def is_google(names: set[str]) -> bool:
    """Tell a Google Merchant feed by its required columns and one that only feeds have."""
    own = {"googleproductcategory", "itemgroupid", "gtin", "mpn", "identifierexists", "imagelink"}
    return {"id", "title", "link"} <= names and len(own & names) >= 2


def preset_for(headers: tuple[str, ...]) -> str:
    """Return "shopify", "woocommerce", "google" or "" from the headers."""
    names = {normalised(header) for header in headers}
    if is_shopify(names):
        return "shopify"
    if is_woocommerce(names):
        return "woocommerce"
    return "google" if is_google(names) else ""


def columns_for(preset: str, headers: tuple[str, ...]) -> Columns:
    """Return the column mapping of the preset; the guess from the headers where there is none."""
    by_name = {normalised(header): header for header in reversed(headers)}
    if preset == "shopify":
        return shopify_columns(by_name)
    if preset == "woocommerce":
        return woocommerce_columns(by_name)
    columns = guess_columns(headers)
    if preset == "google" and "googleproductcategory" in by_name:
        rest = [header for header in columns.get("category", ()) if header != by_name["googleproductcategory"]]
        columns["category"] = (by_name["googleproductcategory"], *rest)
    return columns


def rows_of(preset: str, headers: tuple[str, ...], settings: CatalogSettings) -> Preset:
    """Return a fresh rewriter for one reading."""
    if preset == "shopify":
        return ShopifyRows(headers)
    if preset == "woocommerce":
        return WooCommerceRows(headers, settings.parents_kept)
    return GoogleRows() if preset == "google" else PlainRows()
