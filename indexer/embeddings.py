"""Passages -> vectors. Nothing is encoded twice: not across builds, not after a build that was killed.

A product's vector is that of its passage, leaning towards that of its kind, which is free at query time (DESIGN.md,
"Two texts, one vector"). It is keyed by a hash of both texts and their shares, and reused from any kept
release that holds whole ones of the same encoder and precision, from those the home keeps beside a release of shorter
or coarser ones, or from the chunks an interrupted build left behind.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats
from search.encoder import Encoder, SentenceTransformerEncoder
from search.errors import ReleaseDamaged
from search.home import Home
from search.passages import Texts, blended
from search.reduction import has_full_vectors
from search.release import read_manifest
from search.segments import SegmentIndex, Segments, quantized

CHUNK = 1024  # products encoded between two writes to the cache
HASH_BYTES = 16
PARITY_SAMPLE = 64
PARITY_COSINE = 0.999  # least cosine between a vector in the faster precision and in float32

Hashes = NDArray[np.uint8]


@dataclass(frozen=True)
class Embedded:
    """Vectors of all products and how they came about.

    Attributes:
        embeddings: (n, d) float32 unit rows.
        segments: of each product; see search/segments.py.
        hashes: (n, 16) uint8, of each product's texts.
        encoded: how many products were encoded in this build.
        precision: "float32" or "bfloat16".
        parity: lowest cosine of the precision against float32 over the sample; None for float32.
    """

    embeddings: Floats
    segments: list[Segments]
    hashes: Hashes
    encoded: int
    precision: str
    parity: float | None

    def save(self, folder: Path) -> None:
        """Write vectors, segments and, last, the hashes that they are found by."""
        folder.mkdir(parents=True)
        np.save(folder / "vectors.npy", self.embeddings)
        SegmentIndex.build(self.segments).save(folder / "segments")
        np.save(folder / "hashes.npy", self.hashes)


def text_hashes(texts: Iterable[Texts]) -> Hashes:
    """Return (n, 16) uint8: blake2b of each product's texts and of their shares in the vector."""
    keys = ("\0".join((f"{text.kind_share:g}", text.kind, text.passage)) for text in texts)
    digests = [hashlib.blake2b(key.encode(), digest_size=HASH_BYTES).digest() for key in keys]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, HASH_BYTES)


def embed(
    texts: Sequence[Texts], encoder: Encoder, home: Home, on_progress: Callable[[str, int, int], None]
) -> Embedded:
    """Return the vectors of all products, encoding only texts that were never encoded with this encoder.

    Args:
        texts: of each product, in row order.
        encoder: the encoder of this release.
        home: whose releases and cache are searched for vectors; whose cache takes finished chunks.
        on_progress: called with (what, done, total).
    """
    hashes = text_hashes(texts)
    precision, parity = choose_precision(encoder, [text.passage for text in texts[:PARITY_SAMPLE]])
    cache = home.cache / f"{encoder.fingerprint}-{precision}"
    known = _known_vectors(home, cache, encoder.fingerprint, precision)
    keys = [row.tobytes() for row in hashes]
    first_row = {key: row for row, key in reversed(list(enumerate(keys))) if key not in known}
    # Chunks hold texts of like length, which wastes no padding; long and short ones in turn keep the ETA true.
    missing = sorted(first_row.values(), key=lambda row: (-len(texts[row].passage), row))
    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
    done = 0
    for turn in range(len(chunks)):
        on_progress("encoding products", done, len(missing))
        rows = chunks[-(turn + 1) // 2 if turn % 2 else turn // 2]
        done += len(rows)
        vectors, segments = encode_products([texts[row] for row in rows], encoder, precision)
        _write_chunk(cache, hashes[rows], vectors, segments)
        known |= {keys[row]: pair for row, pair in zip(rows, zip(vectors, segments, strict=True), strict=True)}
    if missing:
        on_progress("encoding products", len(missing), len(missing))
    embeddings = np.stack([known[key][0] for key in keys])
    return Embedded(embeddings, [known[key][1] for key in keys], hashes, len(missing), precision, parity)


def encode_products(
    texts: Sequence[Texts], encoder: Encoder, precision: str = "float32"
) -> tuple[Floats, list[Segments]]:
    """Return (n, d) float32 unit rows, see `blended`, and the segments of each product's passage."""
    with _precision(precision):
        vectors, segments = encoder.encode_segmented([text.passage for text in texts])
        known = {
            text.passage: vector for text, vector in zip(texts, vectors, strict=True)
        }  # a title may be all there is
        kinds = [kind for kind in dict.fromkeys(text.kind for text in texts) if kind not in known]
        known |= dict(zip(kinds, encoder.encode_passages(kinds), strict=True)) if kinds else {}
    return blended(np.stack([known[text.kind] for text in texts]), vectors, texts), list(map(quantized, segments))


def choose_precision(encoder: Encoder, sample: Sequence[str]) -> tuple[str, float | None]:
    """Return ("bfloat16", parity) where the CPU computes it natively and this catalog's texts survive it, else float32.

    Without native support bfloat16 is emulated and several times slower than float32.
    """
    if not isinstance(encoder, SentenceTransformerEncoder) or not sample:
        return "float32", None
    import torch

    is_native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    if not is_native or torch.cuda.is_available():
        return "float32", None
    exact = encoder.encode_passages(sample)
    with _precision("bfloat16"):
        fast = encoder.encode_passages(sample)
    parity = float((exact * fast).sum(axis=1).min())
    return ("bfloat16", round(parity, 6)) if parity >= PARITY_COSINE else ("float32", round(parity, 6))


def _precision(name: str) -> Any:
    """Return a context in which the encoder computes in this precision."""
    import contextlib

    if name == "float32":
        return contextlib.nullcontext()
    import torch

    return torch.autocast("cpu", dtype=torch.bfloat16)


def _known_vectors(home: Home, cache: Path, fingerprint: str, precision: str) -> dict[bytes, tuple[Floats, Segments]]:
    """Return text hash -> vector and segments, from kept releases, the home and interrupted builds' chunks."""
    known: dict[bytes, tuple[Floats, Segments]] = {}
    for layout in home.all_releases():
        try:
            manifest = read_manifest(layout)
            record = manifest["encoder"]
            if (record["fingerprint"], record["precision"]) != (fingerprint, precision):
                continue
            if not has_full_vectors(manifest):
                continue
            hashes, index = np.load(layout.text_hashes), SegmentIndex.load(layout.segments)
            _add_known(known, hashes, np.load(layout.embeddings, mmap_mode="r"), index)
        except (ReleaseDamaged, OSError, ValueError):
            continue  # a damaged release has nothing to give; its products are encoded again
    kept = home.vectors / f"{fingerprint}-{precision}"
    try:
        if kept.is_dir():
            index = SegmentIndex.load(kept / "segments")
            _add_known(known, np.load(kept / "hashes.npy"), np.load(kept / "vectors.npy", mmap_mode="r"), index)
    except (ReleaseDamaged, OSError, ValueError):
        pass  # as with a damaged release
    for path in sorted(cache.glob("*.hashes.npy")):
        name = path.name.removesuffix(".hashes.npy")
        try:
            index = SegmentIndex.load(cache / f"{name}.segments")
            _add_known(known, np.load(path), np.load(cache / f"{name}.vectors.npy"), index)
        except (ReleaseDamaged, OSError, ValueError, EOFError):
            continue  # numpy does not always say that its last bytes found no room; encoded again
    return known


def _add_known(
    known: dict[bytes, tuple[Floats, Segments]], hashes: Hashes, vectors: Floats, index: SegmentIndex
) -> None:
    for row, (key, vector) in enumerate(zip(hashes, vectors, strict=True)):
        known[key.tobytes()] = vector, index.of(row)


def _write_chunk(cache: Path, hashes: Hashes, vectors: Floats, segments: Sequence[Segments]) -> None:
    """Keep a finished chunk; the hashes file comes last and by rename, so a chunk is whole or not there."""
    cache.mkdir(parents=True, exist_ok=True)
    name = hashlib.blake2b(hashes.tobytes(), digest_size=8).hexdigest()
    shutil.rmtree(cache / f"{name}.segments", ignore_errors=True)  # of a build killed while it wrote them
    SegmentIndex.build(segments).save(cache / f"{name}.segments")
    np.save(cache / f"{name}.vectors.npy", vectors)
    aside = cache / f"{name}.partial.npy"
    np.save(aside, hashes)
    aside.replace(cache / f"{name}.hashes.npy")


def forget_chunks(home: Home) -> None:
    """Remove the chunks of interrupted builds; a published release holds the vectors now."""
    shutil.rmtree(home.cache, ignore_errors=True)
