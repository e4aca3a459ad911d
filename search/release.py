"""Opening a release: manifest, checks, and every index loaded together or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from search.arrays import Rows, expect
from search.browsed import Browsed
from search.categories import CategoryIndex
from search.clusters import ClusterIndex
from search.confidence import Confidence
from search.dense import DenseIndex
from search.encoder import file_sha256
from search.errors import ReleaseDamaged
from search.facets import FacetIndex
from search.folding import Folding
from search.home import Layout
from search.lexical import LexicalIndex
from search.ranker import Ranker
from search.reduction import Reduction
from search.segments import SegmentIndex
from search.settings import RankingSettings
from search.store import ProductStore
from search.understanding import Interpreter

NEEDED = ("rows", "encoder", "vectors", "passages", "settings", "catalog")  # of a manifest, to answer at all
FORMAT = 9
BROWSED, BROWSED_SPARE = 64, 100_000  # answers kept, and the rows they may hold beside two catalogs


@dataclass(frozen=True)
class Release:
    """One release, open for reading. Row r of every part is the same product.

    Attributes:
        reduction: how the encoder's vectors become this release's; None where they are taken as they are.
        interpreter: reads queries with the words of this catalog.
        confidence: knows what unanswerable queries look like here.
        group_of: (n,) int64, equal for the variants of one product.
        ranker: learnt from judgments, or None.
    """

    layout: Layout
    manifest: dict[str, Any]
    products: ProductStore
    dense: DenseIndex
    reduction: Reduction | None
    segments: SegmentIndex
    lexical: LexicalIndex
    facets: FacetIndex
    clusters: ClusterIndex
    categories: CategoryIndex
    interpreter: Interpreter
    confidence: Confidence
    group_of: Rows
    ranker: Ranker | None

    @property
    def name(self) -> str:
        """The release's name, `<utc>-<hash>`."""
        return str(self.manifest["release"])

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
    def browsed(self) -> Browsed[Any]:
        """The last answers to requests without words, which may hold every row; see `Engine`."""
        return Browsed(BROWSED, 2 * self.rows + BROWSED_SPARE, lambda answer: len(answer.rows))

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
        ReleaseDamaged: naming the part that is missing, truncated or of the wrong shape.
    """
    manifest = expect_readable(layout)
    products = ProductStore(layout.products)
    lexical, facets = LexicalIndex.load(layout.lexical), FacetIndex.load(layout.facets)
    record = manifest["vectors"]
    dense = DenseIndex.load(layout.embeddings, layout.dense_index, record["precision"])
    reduction = Reduction.load(layout.rotation, record)
    release = Release(
        layout,
        manifest,
        products,
        dense,
        reduction,
        SegmentIndex.load(layout.segments),
        lexical,
        facets,
        ClusterIndex.load(layout.clusters, products.count),
        CategoryIndex.load(layout.categories, dense.dim),
        Interpreter.load(layout.understanding, facets, lexical),
        Confidence.load(layout.confidence),
        _load_groups(layout, products.count),
        Ranker.load(layout.ranker),
    )
    rows = {
        "manifest": manifest["rows"], "products": products.count, "embeddings": dense.rows,
        "segments": release.segments.rows, "lexical": release.lexical.rows, "facets": release.facets.rows,
    }  # fmt: skip
    if len(set(rows.values())) != 1:
        counted = ", ".join(f"{part} {count}" for part, count in rows.items())
        raise ReleaseDamaged(f"the parts of {layout.folder} differ in rows ({counted}); build the release again")
    dims = {"manifest": record["dim"], "embeddings": dense.dim, "segments": release.segments.dim}
    if len(set(dims.values())) != 1:
        counted = ", ".join(f"{part} {count}" for part, count in dims.items())
        raise ReleaseDamaged(f"the parts of {layout.folder} differ in dimensions ({counted}); build the release again")
    return release


def _load_groups(layout: Layout, rows: int) -> Rows:
    try:
        return expect(np.load(layout.groups), (rows,), np.int64, "groups")
    except (OSError, ValueError) as error:
        raise ReleaseDamaged(f"{layout.groups} cannot be read ({error}); build the release again") from error


def verify(layout: Layout) -> list[str]:
    """Return what is wrong with a release's files, a sentence each; [] when every checksum fits.

    Raises:
        ReleaseDamaged: the manifest itself cannot be read.
    """
    expected: dict[str, str] = read_manifest(layout)["files"]
    present = {path.relative_to(layout.folder).as_posix() for path in layout.folder.rglob("*") if path.is_file()}
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
        elif file_sha256(path) != expected:
            problems.append(f"{name}: its content has changed since the build")
    return problems
