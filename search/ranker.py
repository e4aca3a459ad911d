"""A ranker learnt from a catalog's own judgments: a linear model over named features of the first products.

It only puts the head of the ranking in another order. Weights are never carried from one catalog to another: what a
matching title word is worth differs between shops. Learnt and proven by `indexer.learning`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats
from search.errors import ReleaseDamaged

FEATURES = (
    "smoothed",  # the score after the second look, which the ranker replaces
    "fused",  # both legs, before smoothing
    "cosine",  # of query and product
    "meaning",  # the dense leg after feedback, scaled to 0..1
    "words",  # the lexical leg, scaled to 0..1
    "coverage",  # share of the query's terms, by rarity, that the product holds
    "title_coverage",  # the same for its title
    "last_in_title",  # 1 if the title holds the query's last term, in English the thing itself
    "all_in_title",  # 1 if the title holds every term
)


Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Ranker:
    """Weights of standardised features.

    Attributes:
        means, scales, weights: (f,) float64, in the order of FEATURES; scales are above 0.
    """

    means: Doubles
    scales: Doubles
    weights: Doubles

    def reranked(self, scores: Floats, features: Floats) -> Floats:
        """Return (m,) float32: the features' decision, mapped to the range of the scores it replaces.

        Args:
            scores: (m,) float32 of the head; their range is kept, so that the head stays above all other rows.
            features: (m, f), in the order of FEATURES.
        """
        if len(scores) < 2:
            return scores
        decisions = ((features - self.means) / self.scales) @ self.weights
        low, high = float(scores.min()), float(scores.max())
        span = float(np.ptp(decisions))
        shares = (decisions - decisions.min()) / span if span > 0 else np.ones(len(scores))
        return (low + (high - low) * shares).round(6).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write the ranker as JSON."""
        columns = zip(FEATURES, self.means.tolist(), self.scales.tolist(), self.weights.tolist(), strict=True)
        data = {name: {"mean": mean, "scale": scale, "weight": weight} for name, mean, scale, weight in columns}
        path.write_text(json.dumps(data, indent=1), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Ranker | None:
        """Read a release's ranker back; None when it has none.

        Raises:
            ReleaseDamaged: the file is no ranker, or one over other features.
        """
        if not path.exists():
            return None
        try:
            data = json.loads(path.read_text("utf-8"))
            columns = [np.array([data[name][key] for name in FEATURES], float) for key in ("mean", "scale", "weight")]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReleaseDamaged(f"{path} cannot be read ({error!r}); build the release again") from error
        if len(data) != len(FEATURES) or not np.isfinite(columns).all() or columns[1].min() <= 0:
            raise ReleaseDamaged(f"{path} does not fit this version's features; build the release again")
        return cls(*columns)
