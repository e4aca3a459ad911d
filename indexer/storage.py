"""How a release stores its vectors: how many dimensions, in what precision, and where the whole ones stay."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss

from indexer.dense_index import RECALL, dense_index, queries_like
from indexer.embeddings import Embedded
from indexer.neighbors import threads
from indexer.vector_files import VectorFiles
from search.arrays import Floats, Rows, let_go
from search.dense import PQ_CENTROIDS, PQ_DIMENSIONS, DenseIndex
from search.durable import paths_in, sync
from search.encoder import Encoder
from search.errors import AisleError, ReleaseDamaged
from search.first_pass import Plan
from search.home import Home, Layout
from search.reduction import Reduction, has_full_vectors, reduced
from search.release import read_manifest
from search.segments import SegmentIndex

KEEPS_LESS = 0.001  # share of the squared length a rotation made for an earlier catalog may lose against a new one


@dataclass(frozen=True)
class Stored:
    """The vectors of a release, all in one space.

    Attributes:
        embeddings: (n, d) float32 unit rows, before their precision falls.
        dense: the index over them.
        segments: of the same products.
        encoder: gives vectors of this space.
        reduction: what made them of the encoder's own; None for nothing.
        record: the manifest's `vectors` entry.
        files: where the encoder's own vectors and segments lie.
    """

    embeddings: Floats
    dense: DenseIndex
    segments: SegmentIndex
    encoder: Encoder
    reduction: Reduction | None
    record: dict[str, Any]
    files: VectorFiles

    def first_rows(self, queries: Floats, count: int) -> list[Rows]:
        """Return the best `count` rows, best first, for each of (q, d) vectors as the encoder itself gives them."""
        asked = queries if self.reduction is None else self.reduction.of(queries)
        return [self.dense.search(query, count)[0] for query in asked]

    def save(self, layout: Layout) -> None:
        """Write index, segments and rotation, and the embeddings where float32 keeps them."""
        self.dense.save(layout)
        if self.files.segments != layout.segments:
            self.segments.save(layout.segments)
            shutil.copyfile(self.files.spans, layout.spans)
        if self.reduction is not None:
            self.reduction.save(layout.rotation)

    def reopened(self, layout: Layout) -> Stored:
        """Return the same over the files that `save` wrote, mapped: held, the codes of a million rows are 770 MB.

        What was read of vectors and segments is let go of.
        """
        for read in (self.embeddings, self.segments.codes):
            let_go(read)
        with threads(faiss.omp_get_max_threads()):  # a server's are fewer
            return replace(self, dense=DenseIndex.load(layout, self.record))


def expect_storable(dim: int | None, precision: str, full: int, rows: int) -> None:
    """Check, before anything is encoded, that vectors can be stored as wanted.

    Args:
        dim: wanted; None for the encoder's own.
        precision: one of `search.dense.PRECISIONS`.
        full: the encoder's own number of dimensions.
        rows: products.

    Raises:
        AisleError: they cannot; the message says what can be asked for.
    """
    if dim is not None and not 1 <= dim <= full:
        raise AisleError(f"--dim {dim}: the encoder gives {full} dimensions; ask for 1 to {full}")
    if precision == "pq" and (dim or full) % PQ_DIMENSIONS:
        raise AisleError(
            f"--precision pq writes {PQ_DIMENSIONS} dimensions as a byte; {dim or full} cannot be divided so, "
            f"ask for a --dim that {PQ_DIMENSIONS} divides"
        )
    if precision == "pq" and rows < PQ_CENTROIDS:
        raise AisleError(
            f"--precision pq is learnt from at least {PQ_CENTROIDS} products and the catalog has {rows}; so few take "
            "little space anyway: use int8 or leave --precision out"
        )


def stored(
    embedded: Embedded,
    encoder: Encoder,
    dim: int | None,
    precision: str,
    live: Layout | None = None,
    titles: Sequence[str] = (),
    recall: float = RECALL,
    kept: dict[str, Any] | None = None,
) -> Stored:
    """Return a release's vectors, cut to `dim` dimensions and stored in `precision`.

    Args:
        embedded: the encoder's own vectors.
        encoder: that they are from.
        dim: None, or the encoder's own, takes them as they are.
        precision: one of `search.dense.PRECISIONS`.
        live: a release whose rotation is kept if it fits this catalog still, so that its vectors stay comparable.
        titles: of the products, from which queries are made that show how well the index finds.
        recall: see `dense_index`.
        kept: manifest of the live release where next to nothing changed since; how its index is asked is not measured
            again if it is of the same space and recall.
    """
    full = embedded.embeddings.shape[1]
    embeddings, segments = embedded.embeddings, embedded.segments
    reduction, left = None, 1.0
    if dim is not None and dim < full:
        reduction = _rotation(embeddings, dim, encoder.fingerprint, live)
        left = reduction.kept(embeddings)
        embeddings, segments = reduction.of(embeddings), segments.mapped(reduction.of)
    asked = reduced(encoder, reduction)
    plan = None
    if kept is not None and (kept["vectors"]["space"], kept["settings"]["recall"]) == (asked.fingerprint, recall):
        plan = Plan(**kept["vectors"]["search"]) if kept["vectors"]["search"] else None
    dense = dense_index(embeddings, precision, lambda: asked.encode_queries(queries_like(titles)), recall, plan)
    record = {
        "dim": embeddings.shape[1], "of": full, "precision": precision, "space": asked.fingerprint,
        "rotation": None if reduction is None else reduction.digest, "kept": round(left, 6),
        "search": None if dense.plan is None else dense.plan.as_json(),
    }  # fmt: skip
    return Stored(embeddings, dense, segments, asked, reduction, record, embedded.files)


def _rotation(embeddings: Floats, dim: int, fingerprint: str, live: Layout | None) -> Reduction:
    """Return the live release's rotation if it is of this encoder and keeps as much of these vectors as a new one."""
    new = Reduction.fit(embeddings, dim)
    try:
        manifest = read_manifest(live) if live is not None else {}
        record = manifest.get("vectors", {"rotation": None})
        if record["rotation"] is None or manifest["encoder"]["fingerprint"] != fingerprint:
            return new
        before = Reduction.load(live.rotation, record) if live is not None else None
    except ReleaseDamaged:
        return new
    if before is None or (before.full, before.dim) != (new.full, new.dim):
        return new
    return before if before.kept(embeddings) >= new.kept(embeddings) - KEEPS_LESS else new


@contextmanager
def vectors_place(home: Home, staging: Layout, dim: int | None, precision: str, full: int) -> Iterator[VectorFiles]:
    """Give the files to write the encoder's own vectors to, and at the end remove what nothing took.

    They are the release's own where it holds them as they are; else they lie aside until `keep_whole` takes them.

    Args:
        home: to lie in.
        staging: the release in the making.
        dim: wanted; None for the encoder's own.
        precision: wanted, one of `search.dense.PRECISIONS`.
        full: the encoder's own number of dimensions.
    """
    aside = _aside(home)
    shutil.rmtree(aside, ignore_errors=True)
    is_whole = precision == "float32" and (dim is None or dim >= full)
    try:
        yield VectorFiles.of_release(staging) if is_whole else VectorFiles.in_folder(aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def keep_whole(home: Home, embedded: Embedded, manifest: dict[str, Any]) -> None:
    """See that the home holds the encoder's own vectors of what goes live, once, so that no later build encodes them.

    A float32 release of the encoder's own dimensions holds them itself; for any other they lie in the home.

    Args:
        home: to keep them in.
        embedded: the vectors.
        manifest: of the release.
    """
    shutil.rmtree(home.vectors, ignore_errors=True)
    if not has_full_vectors(manifest):
        home.vectors.mkdir()
        for path in paths_in(_aside(home)):
            sync(path)
        _aside(home).replace(home.vectors / f"{manifest['encoder']['fingerprint']}-{embedded.precision}")


def _aside(home: Home) -> Path:
    return home.root / "vectors.new"
