"""Catalog file -> a stream of Products and Rejections.

>>> catalog = open_catalog("catalog/products.csv", CatalogSettings())         # doctest: +SKIP
>>> products = [outcome for outcome in catalog if isinstance(outcome, Product)]  # doctest: +SKIP
"""

from indexer.catalog.catalog import Catalog, open_catalog
from indexer.catalog.check import CheckReport, check_catalog
from indexer.catalog.outcomes import Notes, Rejection
from indexer.catalog.rejected import write_rejected
from indexer.catalog.settings import FIELDS, CatalogSettings
from indexer.catalog.sniffing import Sniffed

__all__ = [
    "FIELDS",
    "Catalog",
    "CatalogSettings",
    "CheckReport",
    "Notes",
    "Rejection",
    "Sniffed",
    "check_catalog",
    "open_catalog",
    "write_rejected",
]
