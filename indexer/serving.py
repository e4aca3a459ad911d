"""The encoder as it serves: an ONNX form of it, proven on this catalog before any release names it.

In float32 it must give the vectors that torch gives. In 8 bits a query takes less than half the time; that form serves
where it is faster on this machine, its vectors are near enough, and products are found as well by the beginnings of
their titles (DESIGN.md, "Encoder").
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from indexer.onnx_export import export, quantize
from search.arrays import Floats, Rows, unit_rows
from search.durable import sync
from search.encoder import Encoder, SentenceTransformerEncoder, file_sha256
from search.encoders import encoder_damage
from search.errors import AisleError, EncoderError
from search.home import Home, Layout
from search.onnx_encoder import SETTINGS, OnnxEncoder, damage_of_encoder
from search.release import read_manifest

SAMPLE = 64  # passages that are encoded by torch and by the ONNX form; as many titles
LEAST_COSINE = {"float32": 0.9999, "int8": 0.998}
MOST_LOST = 0.002  # of nDCG@10
ASKED = 1000  # products that are looked for by the beginning of their title, among at most
AMONG = 50_000
TITLE_WORDS = 4  # of such a question: about as many as a shopper types
DEPTH = 10
TIMED = 16  # questions that are encoded one by one to tell which form is faster
FASTER = 0.8  # of the time in float32: what rounding must at least save to be worth it
SEED = 20_261_126


@dataclass(frozen=True)
class Proof:
    """What the forms of an encoder are compared on: this catalog's texts and their vectors.

    Attributes:
        catalog: its file's name.
        passages: of all products, in row order; titles: likewise.
        embeddings: (n, d) float32 unit rows, the encoder's own.
    """

    catalog: str
    passages: Sequence[str]
    titles: Sequence[str]
    embeddings: Floats

    @cached_property
    def sample(self) -> list[str]:
        """Some passages, evenly drawn from the shortest to the longest."""
        order = sorted(range(len(self.passages)), key=lambda row: (len(self.passages[row]), row))
        places = np.linspace(0, len(order) - 1, min(SAMPLE, len(order))).astype(int)
        return [self.passages[order[place]] for place in places]

    @cached_property
    def among(self) -> Rows:
        """The rows that are searched."""
        rows = np.arange(len(self.titles))
        return rows if len(rows) <= AMONG else np.sort(np.random.default_rng(SEED).choice(rows, AMONG, replace=False))

    @cached_property
    def asked(self) -> Rows:
        """Which of `among` are asked for."""
        places = np.random.default_rng(SEED).permutation(len(self.among))[:ASKED]
        return np.sort(places)

    @cached_property
    def questions(self) -> list[str]:
        """The beginning of the title of each that is asked for."""
        return [" ".join(self.titles[row].split()[:TITLE_WORDS]) for row in self.among[self.asked]]

    def found(self, queries: Floats) -> float:
        """Return nDCG@10 of the questions, each product the one right answer to its own; (q, d) float32 unit rows."""
        vectors = np.asarray(self.embeddings[self.among], np.float32)
        gains = []
        for start in range(0, len(queries), 100):
            scores = queries[start : start + 100] @ vectors.T
            places = self.asked[start : start + 100]
            own = scores[np.arange(len(places)), places]
            ranks = 1 + (scores > own[:, None]).sum(axis=1)
            gains.append(np.where(ranks <= DEPTH, 1 / np.log2(1 + ranks), 0))
        return float(np.concatenate(gains).mean())


def prepare_to_serve(encoder: Encoder, home: Home, proof: Proof, live: Layout | None) -> dict[str, Any]:
    """Return the manifest's record of how the encoder serves; its ONNX form then lies in the home's encoders.

    What the live release of the same catalog serves with is kept. Where the encoder cannot be exported, or its ONNX
    form is not as good, the record says `"runtime": "torch"` and the reason.
    """
    if not isinstance(encoder, SentenceTransformerEncoder):
        return {"runtime": "own"}
    if (kept := _kept(encoder, home, proof.catalog, live)) is not None:
        return kept
    place = home.encoders / encoder.fingerprint
    for left in place.glob(".incoming-*"):  # by a build that was killed
        shutil.rmtree(left, ignore_errors=True)
    aside = place / f".incoming-{secrets.token_hex(4)}"
    try:
        exact = OnnxEncoder(export(encoder, aside / "float32"))
        alike = _expect_alike(encoder, exact, proof)
        rounded = OnnxEncoder(quantize(exact.folder, aside / "int8"))
        compared = _compared(exact, rounded, proof)
        chosen = exact if compared["refused"] else rounded
        folder = _placed(chosen.folder, place)
    except Exception as error:  # whatever torch's exporter and the runtime raise over a model that they do not know
        told = str(error) if isinstance(error, AisleError) else f"{type(error).__name__}: {error}"
        return {"runtime": "torch", "reason": told.strip().splitlines()[0]}
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return {
        "runtime": "onnx", "precision": chosen.precision, "folder": folder.name,
        "sha256": file_sha256(folder / SETTINGS),
        "parity": {"catalog": proof.catalog, "float32": alike, "int8": compared},
    }  # fmt: skip


def _kept(encoder: Encoder, home: Home, catalog: str, live: Layout | None) -> dict[str, Any] | None:
    """Return the live release's record if it is of this encoder, proven on this catalog, and its files are whole."""
    record = read_manifest(live)["encoder"] if live is not None else {}
    serving: dict[str, Any] = record.get("serving") or {}
    if record.get("fingerprint") != encoder.fingerprint or serving.get("runtime") != "onnx":
        return None
    is_proven = serving["parity"]["catalog"] == catalog
    return serving if is_proven and not encoder_damage(record, home) else None


def _expect_alike(model: Encoder, exported: OnnxEncoder, proof: Proof) -> dict[str, float]:
    """Return how near the ONNX form's vectors are to torch's, the least cosine of each kind of text.

    Raises:
        EncoderError: they are not the same vectors, or not of the same tokens.
    """
    titles = proof.questions[:SAMPLE]
    cosines = {
        "passages": _least_cosine(model.encode_passages(proof.sample), exported.encode_passages(proof.sample)),
        "queries": _least_cosine(model.encode_queries(titles), exported.encode_queries(titles)),
    }
    if model.pools_by_mean:
        pairs = list(zip(model.encode_tokens(proof.sample), exported.encode_tokens(proof.sample), strict=True))
        if any(not np.array_equal(one.places, other.places) for one, other in pairs):
            raise EncoderError("its tokenizer reads texts differently outside transformers")
        sums = [np.stack([one.vectors.sum(axis=0) for one in of_kind]) for of_kind in zip(*pairs, strict=True)]
        cosines["tokens"] = _least_cosine(*map(unit_rows, sums))
    if min(cosines.values()) < LEAST_COSINE["float32"]:
        kind = min(cosines, key=cosines.__getitem__)
        raise EncoderError(f"its ONNX form gives other vectors of {kind} (cosine {cosines[kind]:.5f})")
    return cosines


def _compared(exact: OnnxEncoder, rounded: OnnxEncoder, proof: Proof) -> dict[str, Any]:
    """Return how the 8-bit form compares with the float32 one, and why it is refused, "" where it is not."""
    vectors, near = exact.encode_queries(proof.questions), rounded.encode_queries(proof.questions)
    cosine = min(
        _least_cosine(vectors, near),
        _least_cosine(exact.encode_passages(proof.sample), rounded.encode_passages(proof.sample)),
    )
    before, after = proof.found(vectors), proof.found(near)
    share = _seconds(rounded, proof.questions[:TIMED]) / _seconds(exact, proof.questions[:TIMED])
    refused = ""
    if cosine < LEAST_COSINE["int8"]:
        refused = f"its vectors are off (cosine {cosine:.4f})"
    elif abs(after - before) > MOST_LOST:
        refused = f"nDCG@10 of products by their titles is {after:.4f}, in float32 {before:.4f}"
    elif share > FASTER:
        refused = f"it takes {share:.0%} of the time in float32 on this machine"
    return {
        "cosine": cosine, "nDCG@10": round(after, 4), "nDCG@10 in float32": round(before, 4), "time": round(share, 2),
        "refused": refused,
    }  # fmt: skip


def _least_cosine(vectors: Floats, others: Floats) -> float:
    return round(float((vectors * others).sum(axis=1).min()), 6)


def _seconds(encoder: OnnxEncoder, texts: Sequence[str]) -> float:
    """Return the CPU time of encoding these texts one by one, each as fast as in the best of three rounds."""
    best = [float("inf")] * len(texts)
    for _ in range(3):
        for place, text in enumerate(texts):
            started = time.thread_time()
            encoder.encode_queries([text])
            best[place] = min(best[place], time.thread_time() - started)
    return sum(best)


def _placed(form: Path, place: Path) -> Path:
    """Move a form where releases may name it, synced, in one rename; its name tells its content."""
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
