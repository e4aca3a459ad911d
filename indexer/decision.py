"""Which encoder a release uses: keep the last decision, or train and let the gate decide again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.embeddings import Hashes
from indexer.settings import BuildSettings
from indexer.training import Decision, JudgedQueries, train_and_decide
from search.encoder import SentenceTransformerEncoder
from search.errors import EncoderError
from search.home import Home, Layout
from search.product import Product
from search.release import read_manifest

CHANGED_SHARE = 0.20  # --train auto decides again once more than this share of the passages is new


@dataclass(frozen=True)
class EncoderChoice:
    """The encoder of a release and why.

    Attributes:
        encoder: opened, verified.
        source: "base", "adopted", or the --model value: where the query side finds it again.
        report: the training report, or the sentence that says why there was no training; JSON-ready.
        decided_on: (m, 16) text hashes of the catalog the decision was made on; empty when nothing was decided.
    """

    encoder: SentenceTransformerEncoder
    source: str
    report: dict[str, Any]
    decided_on: Hashes

    def record(self, dim: int, precision: str, parity: float | None) -> dict[str, Any]:
        """Return the manifest's `encoder` entry."""
        return {
            "name": self.encoder.name, "fingerprint": self.encoder.fingerprint, "source": self.source,
            "dim": dim, "max_tokens": self.encoder.max_tokens, "precision": precision,
            "precision_parity": parity,
        }  # fmt: skip


def choose_encoder(
    settings: BuildSettings,
    home: Home,
    base: SentenceTransformerEncoder,
    products: Sequence[Product],
    hashes: Hashes,
    judged: JudgedQueries | None,
    live: Layout | None,
    on_progress: Callable[[str, int, int], None],
) -> EncoderChoice:
    """Return the encoder to build with.

    Args:
        settings: `train` says whether a decision may or must be made anew.
        home: where adopted encoders and a killed build's decision lie.
        base: the encoder that is fine-tuned, or used as it is.
        products: all products, in row order.
        hashes: (n, 16) text hashes of the catalog.
        judged: judged queries for the gate, or None.
        live: the release whose decision may be kept.
        on_progress: called with (what, done, total).
    """
    base_source = settings.model or "base"
    nothing = np.zeros((0, hashes.shape[1]), np.uint8)
    if settings.train == "never":
        return EncoderChoice(base, base_source, _untrained(base, "training was switched off (--train never)"), nothing)
    if settings.train == "auto":
        for kept in _kept_decisions(home, live):
            if kept["base"] == base.fingerprint and _changed(kept["decided_on"], hashes) <= CHANGED_SHARE:
                try:
                    return _as_kept(kept, base, base_source, home)
                except EncoderError:
                    continue  # its folder is gone: decide again
    decision = train_and_decide(
        products, base, home.cache / "training", settings.training, judgments=judged, progress=on_progress
    )
    return _as_decided(decision, base, base_source, hashes, home)


def _untrained(base: SentenceTransformerEncoder, reason: str) -> dict[str, Any]:
    return {"adopted": False, "decided": False, "base": base.fingerprint, "reason": reason}


def _as_decided(
    decision: Decision, base: SentenceTransformerEncoder, base_source: str, hashes: Hashes, home: Home
) -> EncoderChoice:
    """Turn the gate's decision into a choice; an adopted model moves to the home's encoders, for good."""
    report = {
        **decision.report, "adopted": decision.adopted, "decided": True, "base": base.fingerprint,
        "merge_weight": decision.merge_weight, "reason": decision.reason,
    }  # fmt: skip
    encoder, source = base, base_source
    if decision.adopted and decision.folder:
        name = f"{base.name}, fine-tuned"
        fingerprint = SentenceTransformerEncoder(decision.folder, name, base.max_tokens).fingerprint
        folder = home.encoders / fingerprint
        if not folder.is_dir():
            home.encoders.mkdir(parents=True, exist_ok=True)
            decision.folder.replace(folder)
        encoder, source = SentenceTransformerEncoder(folder, name, base.max_tokens), "adopted"
    shutil.rmtree(home.cache / "training", ignore_errors=True)
    _remember(home, {"report": report, "source": source, "fingerprint": encoder.fingerprint}, hashes)
    return EncoderChoice(encoder, source, report, hashes)


def _remember(home: Home, record: dict[str, Any], hashes: Hashes) -> None:
    """Keep the decision for the next build, should this one be killed before it publishes."""
    folder = home.cache / "decision"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "decided_on.npy", hashes)
    aside = folder / "decision.new"
    aside.write_text(json.dumps(record), "utf-8")
    aside.replace(folder / "decision.json")


def _kept_decisions(home: Home, live: Layout | None) -> list[dict[str, Any]]:
    """Return earlier decisions, the newest first: a killed build's, then the live release's."""
    kept = []
    folder = home.cache / "decision"
    if (folder / "decision.json").is_file():
        record = json.loads((folder / "decision.json").read_text("utf-8"))
        kept.append({**record, "decided_on": np.load(folder / "decided_on.npy")})
    if live is not None:
        manifest = read_manifest(live)
        if manifest["training"]["decided"]:
            record = {"report": manifest["training"], **manifest["encoder"]}
            kept.append({**record, "decided_on": np.load(live.decided_on)})
    return [{**record, "base": record["report"]["base"]} for record in kept]


def _changed(decided_on: Hashes, hashes: Hashes) -> float:
    """Return the share of the catalog's texts that the decision has not seen."""
    seen = {row.tobytes() for row in decided_on}
    return sum(row.tobytes() not in seen for row in hashes) / max(len(hashes), 1)


def _as_kept(kept: dict[str, Any], base: SentenceTransformerEncoder, base_source: str, home: Home) -> EncoderChoice:
    """Return the choice an earlier decision stands for.

    Raises:
        EncoderError: the adopted model's folder is gone or is not a model.
    """
    report = {**kept["report"], "kept": True}
    if kept["source"] != "adopted":
        return EncoderChoice(base, base_source, report, kept["decided_on"])
    folder: Path = home.encoders / kept["fingerprint"]
    encoder = SentenceTransformerEncoder(folder, f"{base.name}, fine-tuned", base.max_tokens)
    return EncoderChoice(encoder, "adopted", report, kept["decided_on"])
