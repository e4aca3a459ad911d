"""Updating: a new release of a changed catalog, as the live one was built; or only its prices and stock."""

from __future__ import annotations

import filecmp
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from indexer.catalog import CatalogSettings, Rejection
from indexer.catalog.price_list import PriceList
from indexer.settings import BuildSettings
from indexer.training import TrainingSettings
from search.errors import CatalogError, TooManyRejected
from search.home import Home, Layout
from search.product import Product
from search.release import expect_readable, read_manifest
from search.settings import RankingSettings
from search.state.batches import Change
from search.state.changes import ChangeLog
from search.store import ProductStore


@dataclass(frozen=True)
class Difference:
    """How two releases differ, in products.

    Attributes:
        added, removed: products that only the new, only the old one has.
        changed: that say something else, prices and availability apart.
        repriced, restocked: with another price, another availability; they may be among the changed ones too.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    repriced: int = 0
    restocked: int = 0

    def as_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


def difference(old: Iterable[Product], new: Iterable[Product]) -> Difference:
    """Return how two catalogs differ; of the old one some 200 bytes a product are held."""
    before = {one.id: (_digest(one), one.price, one.availability) for one in old}
    added = changed = repriced = restocked = 0
    for one in new:
        known = before.pop(one.id, None)
        if known is None:
            added += 1
            continue
        changed += known[0] != _digest(one)
        repriced += known[1] != one.price
        restocked += known[2] != one.availability
    return Difference(added, changed, len(before), repriced, restocked)


def _digest(product: Product) -> bytes:
    """Return what tells two products apart, their prices and availability aside."""
    said = repr(replace(product, price=None, availability="")).encode("utf-8", "surrogatepass")
    return blake2b(said, digest_size=16).digest()


def settings_like(live: Layout, catalog_path: Path, **given: Any) -> BuildSettings:
    """Return the settings to build a catalog as a release was built.

    Args:
        live: the release.
        catalog_path: the changed catalog.
        given: settings that differ; None is as before. `mapping` and `currency` are of the catalog's reading.

    Raises:
        ReleaseDamaged: the release is of another format, or its manifest cannot be read.
    """
    manifest = expect_readable(live)
    kept, read = manifest["settings"], manifest["catalog"]
    catalog = _as(CatalogSettings, kept["catalog"])
    mapping, currency = given.pop("mapping", None), given.pop("currency", None)
    catalog = replace(
        catalog,
        mapping={**catalog.mapping, **(mapping or {})},
        currency=currency or catalog.currency or read["currency"],
    )
    training = _as(TrainingSettings, kept["training"])
    settings = BuildSettings(
        catalog_path,
        catalog,
        _as(RankingSettings, kept["ranking"]),
        replace(training, merge_weights=tuple(training.merge_weights)),
        train="never" if kept["train"] == "never" else "auto",  # a decision is kept until the catalog is another one
        model=kept["model"],
        max_rejected=kept["max_rejected"],
        dim=kept["dim"],
        precision=kept["precision"],
        recall=kept["recall"],
    )
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _as(kind: Any, kept: dict[str, Any]) -> Any:
    """Return settings of a manifest as their dataclass; what this version does not know any more is left out."""
    known = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in kept.items() if name in known})


def share_unchanged(old: Layout, new: Layout, home: Home) -> int:
    """Let two releases share each file that is the same byte for byte, by hard links; return the bytes saved.

    A release never changes, so nobody can tell; where the file system has no hard links nothing is saved.
    """
    saved = 0
    before = read_manifest(old)["files"]
    for name, digest in read_manifest(new)["files"].items():
        mine, theirs = new.folder / name, old.folder / name
        try:
            is_same = before.get(name) == digest and filecmp.cmp(mine, theirs, shallow=False)
            if not is_same or mine.samefile(theirs):
                continue
        except OSError:  # the old release is damaged, or just removed; the new one is whole and live
            break
        aside = home.index / f".{secrets.token_hex(8)}.link"  # a release holds its own files only
        try:
            os.link(theirs, aside)
            size = mine.stat().st_size
            aside.replace(mine)
        except OSError:
            with suppress(OSError):
                aside.unlink()
            break
        saved += size
    return saved


@dataclass(frozen=True)
class Repriced:
    """What a list of prices and stock did.

    Attributes:
        release: that it was applied to.
        sequence: of the changes; of the last ones before where nothing was changed.
        rows: of the list.
        accepted: products that were changed.
        unknown: ids that the release does not have.
        rejections: rows that cannot be used.
    """

    release: str
    sequence: int
    rows: int
    accepted: int
    unknown: tuple[str, ...]
    rejections: tuple[Rejection, ...]


def reprice(prices: PriceList, home: Home, max_rejected: float) -> Repriced:
    """Put a list of prices and stock on top of the live release, all of it or nothing; it is on disk then.

    Args:
        prices: the list.
        home: whose live release it is for.
        max_rejected: the largest share of rows that may be unusable, 0..1.

    Raises:
        CatalogError: the list is damaged, or not one product of it is in the release.
        TooManyRejected: too many rows are unusable; nothing is changed.
        ReleaseMissing: nothing is live.
        ChangesUnavailable: they cannot be written; nothing is changed.
    """
    live = home.live()
    manifest = expect_readable(live)
    changes: dict[str, Change] = {}
    rejections: list[Rejection] = []
    for one in prices.read():
        if isinstance(one, Rejection):
            rejections.append(one)
        else:
            changes[one[0]] = one[1]
    rows = len(changes) + len(rejections)
    if len(rejections) > max_rejected * rows:
        first = rejections[0]
        raise TooManyRejected(
            f"nothing was changed: {len(rejections):,} of {rows:,} rows cannot be used, more than --max-rejected "
            f"{max_rejected:.0%} allows; the first: line {first.line}, {first.column or 'row'}: {first.reason}; "
            f"{first.fix}. See all with --rejected FILE"
        )
    known = ProductStore(live.products).known_rows(list(changes))
    unknown = tuple(one for one in changes if one not in known)
    if not known:
        raise CatalogError(
            f"{prices.path}: not one of its {rows:,} products is in the live release, {live.name}; is it of this shop?"
        )
    log, least = ChangeLog(home.changes), int(manifest.get("sequence", 0))
    sequence = log.write({one: change for one, change in changes.items() if one in known}, least)
    return Repriced(live.name, sequence, rows, len(known), unknown, tuple(rejections))
