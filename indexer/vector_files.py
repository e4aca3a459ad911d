"""Vectors in files: where those of a text lie, and how they come together in a release. A row is never an object.

Vectors of a million products and of their segments are 3 GB. They stay in files, which are read and written a block
at a time and mapped anew for each, so that what was read does not stay in memory.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, Rows, expect, mapped
from search.durable import sync
from search.errors import ReleaseDamaged
from search.home import Layout
from search.segments import SegmentIndex, members_of

HASH_BYTES = 16
BLOCK = 8192  # products copied at a time: 12 MB of vectors and, of five segments each, 16 MB of codes

Hashes = NDArray[np.uint8]
Keys = NDArray[np.bytes_]
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class VectorFiles:
    """The files with the vectors of some texts: of a release, of a home or of a chunk of an unfinished build.

    Attributes:
        vectors: (n, d) float32 unit rows.
        segments: folder of the segments of the same texts.
        hashes: (n, 16) uint8, of the texts. Written last: without it there are no vectors.
        spans: (segments, 2) int32, see `search.release.Release`; they may be missing.
    """

    vectors: Path
    segments: Path
    hashes: Path
    spans: Path

    @classmethod
    def of_release(cls, layout: Layout) -> VectorFiles:
        """Return those of a release that holds the encoder's own vectors."""
        return cls(layout.embeddings, layout.segments, layout.text_hashes, layout.spans)

    @classmethod
    def in_folder(cls, folder: Path) -> VectorFiles:
        """Return those of a folder that holds nothing else."""
        return cls(folder / "vectors.npy", folder / "segments", folder / "hashes.npy", folder / "spans.npy")

    def opened(self) -> tuple[Floats, SegmentIndex]:
        """Return (n, d) float32 vectors, memory-mapped, and their segments, the codes memory-mapped.

        Raises:
            ReleaseDamaged: a file is missing, truncated, or they do not fit each other.
        """
        try:
            vectors = expect(mapped(self.vectors), (None, None), np.float32, self.vectors.name)
        except (OSError, ValueError, EOFError) as error:
            raise ReleaseDamaged(f"{self.vectors} cannot be read ({error}); build the release again") from error
        segments = SegmentIndex.load(self.segments)
        if (segments.rows, segments.dim) != vectors.shape:
            raise ReleaseDamaged(f"{self.vectors} and {self.segments} do not fit each other; build the release again")
        return vectors, segments


def keys_of(hashes: Hashes) -> Keys:
    """Return (n,) sortable keys of (n, 16) uint8 hashes."""
    return np.ascontiguousarray(hashes).view(f"S{HASH_BYTES}").ravel()


class Known:
    """Where the vectors of m texts lie.

    Args:
        keys: (m,) of the texts, ascending and distinct.
    """

    def __init__(self, keys: Keys):
        self.keys = keys
        self.files: list[VectorFiles] = []
        self._file = np.full(len(keys), -1, np.int32)
        self._row = np.zeros(len(keys), np.int64)
        self._segments = np.zeros(len(keys), np.int64)

    def missing(self) -> Rows:
        """Return the positions of the texts whose vectors were not found, ascending."""
        return np.flatnonzero(self._file < 0).astype(np.int64)

    def look_in(self, files: VectorFiles) -> None:
        """Take from these files what was not found before; files that are not whole give nothing."""
        try:
            hashes = expect(np.load(files.hashes), (None, HASH_BYTES), np.uint8, files.hashes.name)
            vectors, index = files.opened()
        except (ReleaseDamaged, OSError, ValueError, EOFError):
            return  # their texts are encoded again
        if len(hashes) != len(vectors):
            return
        keys = keys_of(hashes)
        order = np.argsort(keys, kind="stable")
        wanted = self.missing()
        places = np.searchsorted(keys, self.keys[wanted], sorter=order)
        rows = order[np.minimum(places, len(order) - 1)] if len(order) else np.zeros(0, np.int64)
        found = np.flatnonzero(keys[rows] == self.keys[wanted]) if len(order) else rows
        self._add(files, wanted[found], rows[found], index)

    def add(self, files: VectorFiles, positions: Rows) -> None:
        """Take the vectors of these texts from new files that hold them in this order."""
        self._add(files, positions, np.arange(len(positions)), SegmentIndex.load(files.segments))

    def _add(self, files: VectorFiles, positions: Rows, rows: Rows, index: SegmentIndex) -> None:
        if len(positions):
            self._file[positions], self._row[positions] = len(self.files), rows
            self._segments[positions] = index.starts[rows + 1] - index.starts[rows]
            self.files.append(files)

    def gather(
        self, positions: Rows, dim: int, into: VectorFiles, on_progress: OnProgress = lambda what, done, total: None
    ) -> Rows:
        """Write the vectors of (n,) texts, some perhaps more than once, as n rows; return rows whose spans are unknown.

        Args:
            positions: of the texts, in row order; all known.
            dim: length of every vector.
            into: files that are not there yet.
            on_progress: called with (what, done, total).

        Raises:
            OSError: the disk is full, or cannot be written.
        """
        into.segments.mkdir(parents=True)
        starts = np.concatenate([[0], np.cumsum(self._segments[positions])]).astype(np.int64)
        np.save(into.segments / "starts.npy", starts)
        new_array(into.segments / "codes.npy", (int(starts[-1]), dim), np.int8)
        new_array(into.segments / "scales.npy", (int(starts[-1]),), np.float32)
        new_array(into.vectors, (len(positions), dim), np.float32)
        new_array(into.spans, (int(starts[-1]), 2), np.int32)
        lacking = np.zeros(len(positions), bool)
        file_of, row_of = self._file[positions], self._row[positions]
        done = 0
        for number, files in enumerate(self.files):
            rows = np.flatnonzero(file_of == number)
            for start in range(0, len(rows), BLOCK):
                part = rows[start : start + BLOCK]
                lacking[part] = not _copy(files, row_of[part], into, part, starts)
                done += len(part)
                on_progress("writing vectors", done, len(positions))
        np.save(into.hashes, self.keys[positions].view(np.uint8).reshape(-1, HASH_BYTES))
        return np.flatnonzero(lacking)


def _copy(source: VectorFiles, rows: Rows, target: VectorFiles, to_rows: Rows, to_starts: Rows) -> bool:
    """Copy the vectors and segments of some rows, and their spans or return False; the files are mapped for this call.

    The source's spans are of no use where they do not fit its segments.
    """
    vectors, index = source.opened()
    np.load(target.vectors, mmap_mode="r+")[to_rows] = vectors[rows]
    members, to_members = members_of(index.starts, rows), members_of(to_starts, to_rows)
    np.load(target.segments / "codes.npy", mmap_mode="r+")[to_members] = index.codes[members]
    np.load(target.segments / "scales.npy", mmap_mode="r+")[to_members] = index.scales[members]
    try:
        spans = expect(mapped(source.spans), (len(index.scales), 2), np.int32, source.spans.name)
    except (ReleaseDamaged, OSError, ValueError, EOFError):
        return False
    np.load(target.spans, mmap_mode="r+")[to_members] = spans[members]
    return True


def new_array(path: Path, shape: tuple[int, ...], dtype: Any) -> None:
    """Make the file of an array of zeros, its space taken: a write through a map could not say that the disk is full.

    Raises:
        OSError: there is no space, or it cannot be written.
    """
    np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, max(path.stat().st_size, 1))


def write_chunk(cache: Path, hashes: Hashes, vectors: Floats, segments: SegmentIndex) -> VectorFiles:
    """Keep a finished chunk, written aside and renamed, so that it is whole or not there; return its files."""
    folder = cache / hashes[:1].tobytes().hex()  # every chunk has texts of its own
    aside = folder.with_suffix(".partial")
    shutil.rmtree(aside, ignore_errors=True)  # of a build killed while it wrote it
    shutil.rmtree(folder, ignore_errors=True)  # it was not whole, or its texts were known
    files = VectorFiles.in_folder(aside)
    segments.save(files.segments)
    np.save(files.vectors, vectors)
    np.save(files.hashes, hashes)
    for path in [*files.segments.iterdir(), files.vectors, files.hashes]:
        sync(path)
    aside.replace(folder)
    return VectorFiles.in_folder(folder)


def chunks_of(cache: Path) -> Iterable[VectorFiles]:
    """Return the finished chunks of interrupted builds."""
    folders: Sequence[Path] = sorted(cache.glob("*")) if cache.is_dir() else []
    return [VectorFiles.in_folder(folder) for folder in folders if folder.suffix != ".partial"]
