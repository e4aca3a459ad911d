"""Passages -> vectors. Nothing is encoded twice: not across builds, not after a build that was killed.

A product's vector is that of its passage, leaning towards that of its kind, which is free at query time (DESIGN.md,
"Two texts, one vector"). It is keyed by a hash of both texts and their shares, and reused from any kept
release that holds whole ones of the same encoder and precision, from those the home keeps beside a release of shorter
or coarser ones, or from the chunks an interrupted build left behind.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.spans import spans_of
from indexer.vector_files import HASH_BYTES, Hashes, Known, OnProgress, VectorFiles, chunks_of, keys_of, write_chunk
from search.arrays import Floats, Rows
from search.encoder import Encoder, SentenceTransformerEncoder
from search.errors import ReleaseDamaged
from search.home import Home, Layout
from search.passages import Texts, blended
from search.reduction import has_full_vectors
from search.release import read_manifest
from search.segments import SegmentIndex, members_of

CHUNK = 2048  # products encoded between two writes to the cache; of like length are those of one batch
KINDS_KEPT = 10_000  # vectors of kinds that later chunks may need again: 15 MB
PARITY_SAMPLE = 64
MOST = 0.5  # share of the texts whose vectors are known
PARITY_COSINE = 0.999  # least cosine between a vector in the faster precision and in float32


@dataclass(frozen=True)
class Embedded:
    """Vectors of all products and how they came about.

    Attributes:
        files: where they lie.
        embeddings: (n, d) float32 unit rows, memory-mapped.
        segments: of each product; see search/segments.py.
        encoded: how many products were encoded in this build.
        precision: "float32" or "bfloat16".
        parity: lowest cosine of the precision against float32 over the sample; None for float32.
    """

    files: VectorFiles
    embeddings: Floats
    segments: SegmentIndex
    encoded: int
    precision: str
    parity: float | None


def text_hashes(texts: Iterable[Texts]) -> Hashes:
    """Return (n, 16) uint8: blake2b of each product's texts and of their shares in the vector."""
    keys = ("\0".join((f"{text.kind_share:g}", text.kind, text.passage)) for text in texts)
    digests = b"".join(hashlib.blake2b(key.encode(), digest_size=HASH_BYTES).digest() for key in keys)
    return np.frombuffer(digests, np.uint8).reshape(-1, HASH_BYTES)


def embed(
    texts: Sequence[Texts],
    hashes: Hashes,
    encoder: Encoder,
    home: Home,
    into: VectorFiles,
    on_progress: OnProgress,
    live: Layout | None = None,
) -> Embedded:
    """Write the vectors of all products, encoding only texts that were never encoded with this encoder.

    Args:
        texts: of each product, in row order.
        hashes: `text_hashes` of them.
        encoder: the encoder of this release.
        home: whose releases and cache are searched for vectors; whose cache takes finished chunks.
        into: files to write, not there yet.
        on_progress: called with (what, done, total).
        live: whose precision is kept while most of its vectors are.
    """
    precision, parity = _kept_precision(encoder, hashes, live) or choose_precision(
        encoder, [text.passage for text in texts[:PARITY_SAMPLE]]
    )
    keys, first_row, text_of = np.unique(keys_of(hashes), return_index=True, return_inverse=True)
    known, cache = Known(keys), home.cache / f"{encoder.fingerprint}-{precision}"
    for files in _earlier(home, cache, encoder.fingerprint, precision):
        if len(known.missing()):
            known.look_in(files)
    missing = known.missing()
    missing = missing[np.argsort(first_row[missing])]  # as the catalog has them
    kinds: dict[str, Floats] = {}
    for start in range(0, len(missing), CHUNK):
        on_progress("encoding products", start, len(missing))
        part: Rows = missing[start : start + CHUNK]
        rows = first_row[part]
        vectors, segments = encode_products([texts[row] for row in rows], encoder, precision, kinds)
        known.add(write_chunk(cache, hashes[rows], vectors, segments), part)
    if len(missing):
        on_progress("encoding products", len(missing), len(missing))
    lacking = known.gather(text_of, encoder.dim, into, on_progress)
    embeddings, index = into.opened()
    _find_spans(texts, lacking, index.starts, encoder, into)
    return Embedded(into, embeddings, index, len(missing), precision, parity)


def _find_spans(texts: Sequence[Texts], rows: Rows, starts: Rows, encoder: Encoder, into: VectorFiles) -> None:
    """Write where the segments of some rows stand in their passages; of the others an earlier build found it out."""
    for at in range(0, len(rows), CHUNK):
        part = rows[at : at + CHUNK]
        counts = np.concatenate([[0], np.cumsum(starts[part + 1] - starts[part])]).astype(np.int64)
        spans = spans_of([texts[row].passage for row in part.tolist()], counts, encoder)
        np.load(into.spans, mmap_mode="r+")[members_of(starts, part)] = spans


def encode_products(
    texts: Sequence[Texts],
    encoder: Encoder,
    precision: str = "float32",
    kinds: dict[str, Floats] | None = None,
) -> tuple[Floats, SegmentIndex]:
    """Return (n, d) float32 unit rows, see `blended`, and the segments of each product's passage.

    Args:
        texts: of n products, at least one.
        encoder: to encode with.
        precision: it computes in, if it can choose.
        kinds: vectors of kinds encoded before; takes those of new ones, up to KINDS_KEPT.
    """
    kinds = {} if kinds is None else kinds
    passages = [text.passage for text in texts]
    with _precision(encoder, precision):
        vectors, segments = encoder.encode_segmented(passages)
        known = kinds | dict(zip(passages, vectors, strict=True))  # a title may be all there is
        new = [kind for kind in dict.fromkeys(text.kind for text in texts) if kind not in known]
        known |= zip(new, encoder.encode_passages(new), strict=True) if new else ()
    for kind in new[: max(KINDS_KEPT - len(kinds), 0)]:
        kinds[kind] = known[kind]
    return blended(np.stack([known[text.kind] for text in texts]), vectors, texts), SegmentIndex.build(segments)


def choose_precision(encoder: Encoder, sample: Sequence[str]) -> tuple[str, float | None]:
    """Return ("bfloat16", parity) where the CPU computes it natively and this catalog's texts survive it, else float32.

    Without native support bfloat16 is emulated and several times slower than float32.
    """
    if not isinstance(encoder, SentenceTransformerEncoder) or not sample or not _is_bfloat16_faster():
        return "float32", None
    exact = encoder.encode_passages(sample)
    with encoder.computing_in("bfloat16"):
        fast = encoder.encode_passages(sample)
    parity = float((exact * fast).sum(axis=1).min())
    return ("bfloat16", round(parity, 6)) if parity >= PARITY_COSINE else ("float32", round(parity, 6))


def _is_bfloat16_faster() -> bool:
    import torch

    is_native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(is_native) and not torch.cuda.is_available()


def _kept_precision(encoder: Encoder, hashes: Hashes, live: Layout | None) -> tuple[str, float | None] | None:
    """Return a release's precision and parity if it has most of these texts' vectors, which another would not use."""
    try:
        record = read_manifest(live)["encoder"] if live is not None else {}
        if live is None or record["fingerprint"] != encoder.fingerprint:
            return None
        known = np.isin(keys_of(hashes), keys_of(np.load(live.text_hashes))).mean()
        precision, parity = str(record["precision"]), record["precision_parity"]
    except (ReleaseDamaged, KeyError, OSError, ValueError, EOFError):
        return None
    is_fit = precision == "float32" or _is_bfloat16_faster()
    return (precision, parity) if known > MOST and is_fit else None


def _precision(encoder: Encoder, name: str) -> AbstractContextManager[None]:
    """Return a context in which the encoder computes in this precision."""
    return encoder.computing_in(name) if isinstance(encoder, SentenceTransformerEncoder) else nullcontext()


def _earlier(home: Home, cache: Path, fingerprint: str, precision: str) -> Iterator[VectorFiles]:
    """Yield the files that may hold vectors of this encoder and precision: of releases, the home, interrupted builds.

    The newest release comes first: most of what has not changed is there.
    """
    for layout in reversed(home.all_releases()):
        try:
            manifest = read_manifest(layout)
            record = manifest["encoder"]
            is_same = (record["fingerprint"], record["precision"]) == (fingerprint, precision)
            if is_same and has_full_vectors(manifest):
                yield VectorFiles.of_release(layout)
        except (ReleaseDamaged, KeyError):
            continue  # a damaged release has nothing to give; its products are encoded again
    yield VectorFiles.in_folder(home.vectors / cache.name)
    yield from chunks_of(cache)


def forget_chunks(home: Home) -> None:
    """Remove the chunks of interrupted builds; a published release holds the vectors now."""
    shutil.rmtree(home.cache, ignore_errors=True)
