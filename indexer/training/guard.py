"""The guard: general English that a fine-tuned model must not unlearn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from indexer.training.vectors import text_vectors

GUARD_FILE = Path(__file__).with_name("guard.jsonl")
GUARD_TOKENS = 64  # every text of the set fits


@dataclass(frozen=True)
class Triple:
    """A text, another way to say it, and a text in much the same words that means something else."""

    text: str
    paraphrase: str
    contrast: str


@lru_cache(maxsize=1)
def guard_triples() -> tuple[Triple, ...]:
    """Return the hand-written triples, in file order."""
    return tuple(Triple(**json.loads(line)) for line in GUARD_FILE.read_text("utf-8").splitlines())


def guard_score(model: Any) -> float:
    """Return how well the model tells meaning from wording, 0..1.

    The mean over triples of 1 / rank of the paraphrase among all paraphrases and contrasts of the set. The
    contrasts share most words with the text, so a model that drifts towards mere wording sinks at once, and one
    that blurs topics sinks because of the other triples' paraphrases.
    """
    triples = guard_triples()
    texts = text_vectors(model, [triple.text for triple in triples], GUARD_TOKENS)
    answers = [triple.paraphrase for triple in triples] + [triple.contrast for triple in triples]
    return mean_reciprocal_rank(texts @ text_vectors(model, answers, GUARD_TOKENS).T)


def mean_reciprocal_rank(scores: Any) -> float:
    """Return the mean of 1 / rank of column i in row i; ties count against it.

    Args:
        scores: (n, m) with m >= n, higher is closer.
    """
    own = np.take_along_axis(scores, np.arange(len(scores))[:, None], axis=1)
    return float(np.mean(1.0 / (scores >= own).sum(axis=1)))


def forgets(base: float, tuned: float, tolerance: float) -> bool:
    """Return whether the guard score fell by more than the tolerance."""
    return tuned < base - tolerance


def report_of(base: float, tuned: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return the guard scores as JSON-ready data; `tuned` are (merge weight, score)."""
    return {
        "triples": len(guard_triples()),
        "base": round(base, 5),
        "tuned": {f"{weight:g}": round(score, 5) for weight, score in tuned},
    }
