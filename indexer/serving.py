"""The encoder as it serves: an ONNX form of it, proven on this catalog before any release names it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from indexer.eight_bits import FORM, in_eight_bits
from indexer.onnx_export import export
from search.arrays import Floats, Rows, unit_rows
from search.durable import sync
from search.encoder import Encoder, SentenceTransformerEncoder, file_sha256
from search.encoders import encoder_damage
from search.errors import AisleError, EncoderError, ReleaseDamaged
from search.home import Home, Layout
from search.onnx_encoder import SETTINGS, OnnxEncoder, damage_of_encoder
from search.release import read_manifest

SAMPLE = 64  # passages that torch and the ONNX form encode, and as many queries
SHOWN = 256  # further ones, whose texts show what the form in eight bits is to multiply
QUERY_WORDS = 4  # of a passage, taken as a query: about as many as a shopper types
LEAST_COSINE = 0.9999
# In eight bits: up to .9993 no ranking was measurably worse, and a sound form has .9998 (DESIGN.md, "Eight bits").
LEAST_ROUNDED_COSINE = 0.9995
FIRST = 10  # rows: a page's best
LEAST_SHARED = 0.95  # of the first rows that queries find in float32; .98 to .99 were measured

FirstRows = Callable[[Floats, int], list[Rows]]


def prepare_to_serve(
    encoder: Encoder, home: Home, catalog: str, passages: Sequence[str], first_rows: FirstRows, live: Layout | None
) -> dict[str, Any]:
    """Return the manifest's record of how the encoder serves; its ONNX form then lies in the home's encoders.

    What the live release of the same catalog serves with is kept. Otherwise the encoder is exported; the form in eight
    bits serves if it finds the same products, else that in float32, and `eight_bits` says why. Where the encoder
    cannot be exported, or its ONNX form gives other vectors, the record says `"runtime": "torch"` and the reason.

    Args:
        encoder: of the release.
        catalog: its file's name; passages: of all products.
        first_rows: what (q, d) float32 query vectors find in the release, so many rows each.
        live: the live release, or None.
    """
    if not isinstance(encoder, SentenceTransformerEncoder):
        return {"runtime": "own"}
    if (kept := _kept(encoder, home, catalog, live)) is not None:
        return kept
    place, by_length = home.encoders / encoder.fingerprint, sorted(passages, key=len)
    sample, shown = sample_of(by_length), texts_besides(by_length)
    for left in place.glob(".incoming-*"):  # by a build that was killed
        shutil.rmtree(left, ignore_errors=True)
    exact, rounded = (place / f".incoming-{secrets.token_hex(4)}" for _ in range(2))
    try:
        parity = parity_of(encoder, OnnxEncoder(export(encoder, exact)), sample)
        eight_bits = try_eight_bits(encoder, lambda: in_eight_bits(exact, rounded, shown), sample, first_rows)
        folder = _placed(rounded if eight_bits["adopted"] else exact, place)
    except Exception as error:  # whatever torch's exporter and the runtime raise over a model that they do not know
        return {"runtime": "torch", "reason": _told(error)}
    finally:
        for aside in (exact, rounded):
            shutil.rmtree(aside, ignore_errors=True)
    return {
        "runtime": "onnx", "precision": "int8" if eight_bits["adopted"] else "float32", "folder": folder.name,
        "sha256": file_sha256(folder / SETTINGS), "parity": {"catalog": catalog, **parity}, "eight_bits": eight_bits,
    }  # fmt: skip


def try_eight_bits(
    encoder: Encoder, written: Callable[[], Path], passages: Sequence[str], first_rows: FirstRows
) -> dict[str, Any]:
    """Return whether an encoder's form in eight bits may serve, with figures or the reason.

    Args:
        written: writes it and returns its folder.
    """
    queries = queries_of(passages)
    try:
        rounded = OnnxEncoder(written())
        parity = parity_of(encoder, rounded, passages, LEAST_ROUNDED_COSINE)
        found = (first_rows(one.encode_queries(queries), FIRST) for one in (encoder, rounded))
        shared = float(np.mean([np.isin(*pair).mean() for pair in zip(*found, strict=True)]))
        if not shared >= LEAST_SHARED:
            raise EncoderError(f"queries find {shared:.3f} of the first {FIRST} products that they find in float32")
    except Exception as error:  # as above: float32 serves
        return {"adopted": False, "form": FORM, "reason": _told(error)}
    return {"adopted": True, "form": FORM, **parity, "first_rows": round(shared, 4)}


def _told(error: Exception) -> str:
    """Return the first line of what an error says."""
    told = str(error) if isinstance(error, AisleError) else f"{type(error).__name__}: {error}"
    return told.strip().splitlines()[0]


def sample_of(passages: Sequence[str], count: int = SAMPLE) -> list[str]:
    """Return some passages, evenly drawn from the first to the last; ordered by length, short and long ones."""
    places = np.linspace(0, len(passages) - 1, min(count, len(passages))).astype(int)
    return [passages[place] for place in places]


def texts_besides(passages: Sequence[str]) -> list[str]:
    """Return queries and passages such as those of the sample, which is to prove what was learnt from these.

    Where there are too few passages for both, they are the sample's.
    """
    sample = set(sample_of(passages))
    shown = [passage for passage in sample_of(passages, SHOWN + SAMPLE) if passage not in sample] or sorted(sample)
    return [*queries_of(shown), *shown[:: SHOWN // SAMPLE]]


def queries_of(passages: Sequence[str]) -> list[str]:
    """Return what a shopper who looks for each of these products could type."""
    return [" ".join(passage.split()[:QUERY_WORDS]) for passage in passages]


def parity_of(
    model: Encoder, exported: Encoder, passages: Sequence[str], least: float = LEAST_COSINE
) -> dict[str, float]:
    """Return how near an exported encoder's vectors are to the model's: the least cosine of each kind of text.

    Raises:
        EncoderError: they are not the same vectors, or not of the same tokens.
    """
    queries = queries_of(passages)
    cosines = {
        "passages": _least_cosine(model.encode_passages(passages), exported.encode_passages(passages)),
        "queries": _least_cosine(model.encode_queries(queries), exported.encode_queries(queries)),
    }
    if model.pools_by_mean:
        pairs = list(zip(model.encode_tokens(passages), exported.encode_tokens(passages), strict=True))
        if any(not np.array_equal(one.places, other.places) for one, other in pairs):
            raise EncoderError("its tokenizer reads texts differently outside transformers")
        sums = [np.stack([one.vectors.sum(axis=0) for one in of_kind]) for of_kind in zip(*pairs, strict=True)]
        cosines["tokens"] = _least_cosine(*map(unit_rows, sums))
    kind = min(cosines, key=cosines.__getitem__)
    if not cosines[kind] >= least:  # NaN is no cosine
        raise EncoderError(
            f"its ONNX form gives other vectors of {kind} (a cosine of {cosines[kind]:.5f}, not {least})"
        )
    return cosines


def _least_cosine(vectors: Floats, others: Floats) -> float:
    return round(float((vectors * others).sum(axis=1).min()), 6)


def _kept(encoder: Encoder, home: Home, catalog: str, live: Layout | None) -> dict[str, Any] | None:
    """Return the live release's record if it is of this encoder, proven on this catalog, and its files are whole."""
    try:
        record = read_manifest(live)["encoder"] if live is not None else {}
    except ReleaseDamaged:
        return None
    serving: dict[str, Any] = record.get("serving") or {}
    if record.get("fingerprint") != encoder.fingerprint or serving.get("runtime") != "onnx":
        return None
    is_of_today = serving.get("eight_bits", {}).get("form") == FORM  # earlier builds had another, or did not try
    is_proven = serving["parity"]["catalog"] == catalog and is_of_today
    return serving if is_proven and not encoder_damage(record, home) else None


def _placed(form: Path, place: Path) -> Path:
    """Move an encoder's form to where releases may name it, synced, in one rename; its name tells its content."""
    folder = place / f"onnx-{file_sha256(form / SETTINGS)[:16]}"
    if folder.is_dir():
        if not damage_of_encoder(folder):
            return folder
        shutil.rmtree(folder)
    for path in (*form.iterdir(), form):
        sync(path)
    form.replace(folder)
    sync(place)
    sync(place.parent)
    return folder
