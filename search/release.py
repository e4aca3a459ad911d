"""Opening a release: manifest, checks, and every index loaded together or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from search.arrays import Rows, expect, mapped
from search.categories import CategoryIndex
from search.clusters import ClusterIndex
from search.confidence import Confidence
from search.dense import DenseIndex
from search.durable import REFUSALS, disk_cure, paths_in
from search.encoder import file_sha256
from search.errors import AisleError, ReleaseDamaged
from search.facets import FacetIndex
from search.folding import Folding
from search.hold import Hold, hold
from search.home import Layout
from search.lexical import LexicalIndex
from search.ranker import Ranker
from search.reduction import Reduction
from search.remembered import Remembered
from search.segments import SegmentIndex
from search.settings import RankingSettings
from search.shown import ShownTexts
from search.store import ProductStore
from search.understanding import Interpreter

NEEDED = ("rows", "encoder", "vectors", "passages", "settings", "catalog")  # of a manifest, to answer at all
FORMAT = 10
BROWSED, BROWSED_SPARE = 64, 100_000  # answers kept, and the rows they may hold beside two catalogs


@dataclass(frozen=True)
class Release:
    """One release, open for reading. Row r of every part is the same product.

    Attributes:
        reduction: how the encoder's vectors become this release's; None where they are taken as they are.
        interpreter: reads queries with the words of this catalog.
        confidence: knows what unanswerable queries look like here.
        shown: what a card shows.
        group_of: (n,) int64, equal for the variants of one product.
        ranker: learnt from judgments, or None.
        held: keeps other processes from removing the release.
        sequence: number of the last change of prices and stock that it knows, 0 before the first: as opened, those made
            before its catalog was read; search/overlay.py adds others.
    """

    layout: Layout
    manifest: dict[str, Any]
    products: ProductStore
    dense: DenseIndex
    reduction: Reduction | None
    segments: SegmentIndex
    shown: ShownTexts
    lexical: LexicalIndex
    facets: FacetIndex
    clusters: ClusterIndex
    categories: CategoryIndex
    interpreter: Interpreter
    confidence: Confidence
    group_of: Rows
    ranker: Ranker | None
    held: Hold
    sequence: int

    @property
    def name(self) -> str:
        """The release's name, `<utc>-<hash>`."""
        return str(self.manifest["release"])

    @property
    def state(self) -> dict[str, str | int]:
        """What an answer says of where it is from: release and sequence. The same state gives the same answers."""
        return {"release": self.name, "sequence": self.sequence}

    @property
    def rows(self) -> int:
        """How many rows, variants included."""
        return self.products.count

    @cached_property
    def ranking(self) -> RankingSettings:
        """The ranking settings this release was built and judged with."""
        return RankingSettings(**self.manifest["settings"]["ranking"])

    @cached_property
    def folding(self) -> Folding | None:
        """Which rows are one product to a shopper; None when every row is a product of its own."""
        return Folding.of(self.group_of)

    @cached_property
    def browsed(self) -> Remembered[Any, Any]:
        """The last answers to requests without words, which may hold every row; see search/answer.py."""
        return Remembered(BROWSED, 2 * self.rows + BROWSED_SPARE, lambda answer: len(answer.rows))

    @property
    def product_count(self) -> int:
        """How many products, variants counted once."""
        return self.rows if self.folding is None else len(self.folding.sizes)

    @cached_property
    def products_in(self) -> dict[int, int]:
        """Cluster id -> how many products it has, variants counted once."""
        return self.clusters.all_counts(np.arange(self.rows), self.folding)

    @cached_property
    def products_in_category(self) -> dict[str, int]:
        """Category path -> how many products lie in it or below, variants counted once; {} without categories."""
        facet = self.facets.values.get("category")
        if facet is None:
            return {}
        counts = facet.counts(np.arange(self.rows), self.folding)
        return dict(zip(facet.values, counts.tolist(), strict=True))

    @property
    def currency(self) -> str:
        """ISO 4217 code of every price; "" when the catalog never says."""
        return str(self.manifest["catalog"]["currency"])


def read_manifest(layout: Layout) -> dict[str, Any]:
    """Return the manifest, also of a release of another format.

    Raises:
        ReleaseDamaged: it is unreadable or no manifest.
    """
    try:
        manifest: dict[str, Any] = json.loads(layout.manifest.read_text("utf-8"))
        manifest["format"], manifest["release"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseDamaged(f"{layout.manifest} cannot be read ({error}); build the release again") from error
    return manifest


def expect_readable(layout: Layout) -> dict[str, Any]:
    """Return the manifest of a release that this version can open.

    Raises:
        ReleaseDamaged: the manifest is unreadable, or the release is of another format.
    """
    manifest = read_manifest(layout)
    if manifest["format"] != FORMAT:
        raise ReleaseDamaged(
            f"{layout.manifest} has format {manifest['format']}, this version reads {FORMAT}; build the catalog again"
        )
    if missing := [name for name in NEEDED if name not in manifest]:
        raise ReleaseDamaged(f"{layout.manifest} lacks {', '.join(missing)}; build the catalog again")
    return manifest


def open_release(layout: Layout) -> Release:
    """Open every part of a release and check that they belong together.

    Raises:
        ReleaseMissing: it was just removed.
        ReleaseDamaged: naming the part that is missing, truncated or of the wrong shape.
    """
    held = hold(layout)
    manifest = expect_readable(layout)
    if cut := cut_files(layout, manifest):
        raise ReleaseDamaged(f"{layout.folder}: {cut[0]}{_and_more(cut)}; {_WAY_OUT}")
    try:
        return _opened(layout, manifest, held)
    except Exception as error:  # whatever a library makes of files that are not what the build wrote
        if (refused := _refusal_in(error)) is not None:
            raise ReleaseDamaged(f"{layout.folder} cannot be read: {disk_cure(refused)}") from error
        if isinstance(error, AisleError):
            raise
        raise ReleaseDamaged(f"{layout.folder} cannot be opened ({type(error).__name__}: {error}); {_WAY_OUT}") from (
            error
        )


_WAY_OUT = "see all that is wrong: python -m indexer verify; then go back (rollback) or build the release again"


def _and_more(problems: list[str]) -> str:
    return f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""


def cut_files(layout: Layout, manifest: dict[str, Any]) -> list[str]:
    """Return which files are missing or of another size than the build wrote, a sentence each; reads none of them."""
    problems = []
    for name, expected in manifest.get("sizes", {}).items():
        try:
            size = (layout.folder / name).stat().st_size
        except FileNotFoundError:
            problems.append(f"{name} is missing")
        except OSError as error:
            problems.append(f"{name} cannot be reached ({error})")
        else:
            if size != expected:
                problems.append(f"{name} has {size:,} bytes, the build wrote {expected:,}")
    return problems


def _refusal_in(error: BaseException | None) -> OSError | None:
    """Return the system's refusal behind an error, where it says nothing about what the file holds."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in REFUSALS:
            return error
        error = error.__cause__
    return None


def _opened(layout: Layout, manifest: dict[str, Any], held: Hold) -> Release:
    products = ProductStore(layout.products)
    lexical, facets = LexicalIndex.load(layout.lexical), FacetIndex.load(layout.facets)
    record = manifest["vectors"]
    dense = DenseIndex.load(layout, record)
    reduction = Reduction.load(layout.rotation, record)
    segments = SegmentIndex.load(layout.segments)
    release = Release(
        layout,
        manifest,
        products,
        dense,
        reduction,
        segments,
        ShownTexts.load(layout.shown, lexical.analyzer),
        lexical,
        facets,
        ClusterIndex.load(layout.clusters, products.count),
        CategoryIndex.load(layout.categories, dense.dim),
        Interpreter.load(layout.understanding, facets, lexical),
        Confidence.load(layout.confidence),
        _load_groups(layout, products.count),
        Ranker.load(layout.ranker),
        held,
        int(manifest.get("sequence", 0)),
    )
    rows = {
        "manifest": manifest["rows"], "products": products.count, "embeddings": dense.rows,
        "segments": release.segments.rows, "lexical": release.lexical.rows, "facets": release.facets.rows,
        "shown texts": release.shown.rows,
    }  # fmt: skip
    if len(set(rows.values())) != 1:
        counted = ", ".join(f"{part} {count}" for part, count in rows.items())
        raise ReleaseDamaged(f"the parts of {layout.folder} differ in rows ({counted}); build the release again")
    expect(release.shown.told, (len(segments.scales), 2), np.int32, "told sentences")
    dims = {"manifest": record["dim"], "embeddings": dense.dim, "segments": release.segments.dim}
    if len(set(dims.values())) != 1:
        counted = ", ".join(f"{part} {count}" for part, count in dims.items())
        raise ReleaseDamaged(f"the parts of {layout.folder} differ in dimensions ({counted}); build the release again")
    return release


def _load_groups(layout: Layout, rows: int) -> Rows:
    try:
        return expect(mapped(layout.groups), (rows,), np.int64, "groups")
    except (OSError, ValueError) as error:
        raise ReleaseDamaged(f"{layout.groups} cannot be read ({error}); build the release again") from error


def verify(layout: Layout) -> list[str]:
    """Return what is wrong with a release's files, a sentence each; [] when every checksum fits.

    Raises:
        ReleaseDamaged: the manifest itself cannot be read.
    """
    expected: dict[str, str] = read_manifest(layout)["files"]
    try:
        present = {path.relative_to(layout.folder).as_posix() for path in paths_in(layout.folder) if path.is_file()}
    except OSError as error:
        return [f"{error.filename}: {disk_cure(error)}", *damage_of(layout)]
    strange = [f"{name}: not in the manifest" for name in sorted(present - expected.keys() - {"manifest.json"})]
    return strange + damage_of(layout)


def damage_of(layout: Layout) -> list[str]:
    """Return which files of a release are not what the build wrote, a sentence each; strange files are no damage.

    Raises:
        ReleaseDamaged: the manifest itself cannot be read.
    """
    problems = []
    for name, expected in sorted(read_manifest(layout)["files"].items()):
        path = layout.folder / name
        if not path.is_file():
            problems.append(f"{name}: missing")
            continue
        try:
            if file_sha256(path) != expected:
                problems.append(f"{name}: its content has changed since the build")
        except OSError as error:
            problems.append(f"{name}: {disk_cure(error)}")
    return problems
