"""The dry run: reads the whole catalog and tells what a build would find."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from dataclasses import asdict, dataclass, field
from math import log
from pathlib import Path
from time import perf_counter
from typing import Any

from indexer.catalog.catalog import Catalog, open_catalog
from indexer.catalog.check_text import report_text
from indexer.catalog.outcomes import Notes, Rejection, Warned
from indexer.catalog.settings import FIELDS, CatalogSettings
from search.product import Product

EXAMPLES = 10  # lines shown for each kind of oddity
MIN_PRICES = 20  # fewer say nothing about what is extreme
# Log-prices further than this many robust standard deviations from the median, and at least tenfold, are reported.
EXTREME_DEVIATIONS = 6.0
COUNTED_ATTRIBUTES = 2_000  # distinct names; a JSON column can bring thousands


@dataclass
class RejectedKind:
    """How many rows one kind of fault cost, where it appears first and what to do."""

    count: int
    first_line: int
    fix: str


@dataclass(frozen=True)
class OddPrice:
    """An accepted price worth a look."""

    line: int
    price: float


@dataclass
class Prices:
    """Prices of the accepted products, in the catalog's currency; None where there is no price."""

    count: int = 0
    lowest: float | None = None
    median: float | None = None
    highest: float | None = None
    zero: int = 0
    zero_examples: list[OddPrice] = field(default_factory=list)
    extreme: int = 0
    extreme_examples: list[OddPrice] = field(default_factory=list)


@dataclass
class CheckReport:
    """What a build of this catalog would read, keep and reject.

    rows_read = accepted + rejected + folded + unpublished; blank rows count nowhere else.
    `rejections` holds the first `CatalogSettings.kept_rejections`; `rejected_by_kind` counts them all.
    """

    catalog: Catalog
    accepted: int = 0
    rejected: int = 0
    notes: Notes = field(default_factory=Notes)
    rejections: list[Rejection] = field(default_factory=list)
    rejected_by_kind: dict[str, RejectedKind] = field(default_factory=dict)
    filled: Counter[str] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)
    prices: Prices = field(default_factory=Prices)
    seconds: float = 0.0

    @property
    def rows_read(self) -> int:
        """Rows that are not blank."""
        return self.notes.rows

    @property
    def duplicates(self) -> int:
        """Rows rejected because an earlier row has their id."""
        kind = self.rejected_by_kind.get("duplicate id")
        return kind.count if kind else 0

    @property
    def empty(self) -> dict[str, int]:
        """Our field -> accepted products without a value."""
        return {name: self.accepted - self.filled[name] for name in FIELDS}

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """What was dropped or repaired while its product stayed, the most frequent first."""
        found = [
            {"column": column, "reason": reason, **asdict(warned)}
            for (column, reason), warned in self.notes.warnings.items()
        ]
        found += [{"column": "", "reason": reason, **asdict(Warned(1, 1, ""))} for reason in _file_warnings(self)]
        return sorted(found, key=lambda warning: -warning["count"])

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready data; the field names are part of the contract."""
        sniffed = self.catalog.sniffed
        return {
            "catalog": str(self.catalog.path),
            "format": sniffed.format,
            "gzipped": sniffed.gzipped,
            "encoding": sniffed.encoding,
            "delimiter": sniffed.delimiter,
            "quotechar": sniffed.quotechar,
            "headers": list(sniffed.headers),
            "preset": self.catalog.preset,
            "mapping": {name: list(headers) for name, headers in self.catalog.mapping.items()},
            "conventions": asdict(self.catalog.conventions),
            "currency": self.catalog.currency,
            "rows_read": self.rows_read,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "folded": self.notes.folded,
            "unpublished": self.notes.unpublished,
            "blank": self.notes.blank,
            "duplicates": self.duplicates,
            "rejected_by_kind": {kind: asdict(found) for kind, found in self.rejected_by_kind.items()},
            "rejections": [asdict(rejection) for rejection in self.rejections],
            "empty": self.empty,
            "attributes": dict(self.attributes.most_common()),
            "prices": asdict(self.prices),
            "warnings": self.warnings,
            "seconds": round(self.seconds, 3),
        }

    def as_text(self) -> str:
        """Return the report for people, a screen or two."""
        return report_text(self.as_json())


def check_catalog(path: str | Path, settings: CatalogSettings) -> CheckReport:
    """Read the whole catalog without writing anything; raises CatalogError as `open_catalog` does."""
    started = perf_counter()
    report = CheckReport(open_catalog(path, settings))
    prices = _PriceWatch()
    for line, outcome in report.catalog.read(report.notes):
        if isinstance(outcome, Rejection):
            _count_rejection(report, outcome, settings.kept_rejections)
        else:
            _count_product(report, outcome)
            prices.add(line, outcome)
    report.prices = prices.summary()
    report.seconds = perf_counter() - started
    return report


def _count_rejection(report: CheckReport, rejection: Rejection, kept: int) -> None:
    report.rejected += 1
    if len(report.rejections) < kept:
        report.rejections.append(rejection)
    found = report.rejected_by_kind.setdefault(rejection.kind, RejectedKind(0, rejection.line, rejection.fix))
    found.count += 1


def _count_product(report: CheckReport, product: Product) -> None:
    report.accepted += 1
    report.filled.update(name for name in FIELDS if getattr(product, name) not in ("", None, ()))
    for name in product.attributes:
        if name in report.attributes or len(report.attributes) < COUNTED_ATTRIBUTES:
            report.attributes[name] += 1


def _file_warnings(report: CheckReport) -> list[str]:
    encoding = report.catalog.sniffed.encoding
    reasons = []
    if not encoding.startswith("utf"):
        reasons.append(f"the file is not UTF-8; read as {encoding}, check accented letters")
    if report.prices.count and not report.catalog.currency:
        reasons.append("no row says the currency; name it with --currency")
    return reasons


class _PriceWatch:
    """Collects prices with their lines, 16 bytes a product, to find the extreme ones at the end."""

    def __init__(self) -> None:
        self._prices = array("d")
        self._lines = array("q")

    def add(self, line: int, product: Product) -> None:
        if product.price is not None:
            self._prices.append(product.price)
            self._lines.append(line)

    def summary(self) -> Prices:
        if not self._prices:
            return Prices()
        zeros = [OddPrice(line, 0.0) for line, price in zip(self._lines, self._prices, strict=True) if price == 0]
        extremes = self._extremes()
        return Prices(
            count=len(self._prices),
            lowest=min(self._prices),
            median=statistics.median(self._prices),
            highest=max(self._prices),
            zero=len(zeros),
            zero_examples=zeros[:EXAMPLES],
            extreme=len(extremes),
            extreme_examples=extremes[:EXAMPLES],
        )

    def _extremes(self) -> list[OddPrice]:
        # On logarithms, because prices spread by factors; by the median deviation, because the errors themselves
        # (a price in cents, a phone number) would widen a standard deviation until they look normal.
        logs = [log(price) for price in self._prices if price > 0]
        if len(logs) < MIN_PRICES:
            return []
        middle = statistics.median(logs)
        deviation = 1.4826 * statistics.median(abs(value - middle) for value in logs)
        allowed = max(EXTREME_DEVIATIONS * deviation, log(10))
        return [
            OddPrice(line, price)
            for line, price in zip(self._lines, self._prices, strict=True)
            if price > 0 and abs(log(price) - middle) > allowed
        ]
