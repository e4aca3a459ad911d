"""Whether anything in the catalog fits a query at all.

Raw cosines cannot say: what is far for a sentence is near for a word. So the best product is compared with a
*background*, the common words of the encoder's own vocabulary: a query whose nearest word is much nearer than any
product is about something that is not here. This is score normalisation against a cohort of impostors (Auckenthaler,
Carey & Lloyd-Thomas 2000; the nearest ones only, as in Sturim & Reynolds 2005). How much is enough is calibrated on
each catalog with queries that no shop answers (indexer/calibration.py).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from search.arrays import Floats
from search.errors import ReleaseDamaged
from search.remembered import remembering

BACKGROUND_WEIGHT = 0.6  # bench/ranking/LOG.md, 20
TITLE_WEIGHT = 0.2
COVERAGE_WEIGHT = 0.1
REMEMBERED = 256  # vectors whose nearest word is known


@dataclass(frozen=True)
class Calibration:
    """What unanswerable queries reach on this catalog.

    Attributes:
        center: margin that one of them in ten passes; there the confidence score is .5.
        scale: how much more margin multiplies the odds by e.
        noise: closeness that three quarters of them find somewhere; a product no closer than that is not relevant.
        queries: how many were asked; 0 means that the values are the defaults, since there was too little to learn.
    """

    center: float = 0.1
    scale: float = 0.05
    noise: float = 0.3
    queries: int = 0


class Confidence:
    """Scores how sure it is that something fits.

    Args:
        calibration: of this catalog.
        background: FAISS index of word vectors (inner product), or None for none.
    """

    def __init__(self, calibration: Calibration, background: Any = None):
        self.calibration, self.background = calibration, background
        self._nearest = remembering(self._nearest_word, REMEMBERED)  # as long as vectors are remembered

    @property
    def noise(self) -> float:
        """Least closeness at which a product is relevant by meaning."""
        return self.calibration.noise

    def margin(self, vector: Floats, best: float, title_coverage: float, coverage: float) -> float:
        """Return how much nearer the best product is than the background, words in common counted in.

        Args:
            vector: (d,) float32 unit vector of the query.
            best: cosine of the closest product or segment.
            title_coverage, coverage: largest share of the query's terms that one title, and one product, holds.
        """
        nearest = self._nearest(vector.tobytes()) if self.background is not None else 0.0
        shared = TITLE_WEIGHT * title_coverage + COVERAGE_WEIGHT * coverage
        return best - BACKGROUND_WEIGHT * nearest + shared

    def _nearest_word(self, vector: bytes) -> float:
        """Return the cosine of the word of the background that is nearest to a (d,) float32 vector."""
        return float(self.background.search(np.frombuffer(vector, np.float32)[None, :], 1)[0][0, 0])

    def score(self, vector: Floats, best: float, title_coverage: float, coverage: float) -> float:
        """Return 0..1: the logistic of the margin, see there.

        On the queries of the calibration, one unanswerable query in ten gets to .5.
        """
        calibration = self.calibration
        distance = (self.margin(vector, best, title_coverage, coverage) - calibration.center) / calibration.scale
        return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, distance))))

    def save(self, folder: Path) -> None:
        """Write calibration and background."""
        import faiss

        folder.mkdir(parents=True)
        (folder / "calibration.json").write_text(json.dumps(asdict(self.calibration)), "utf-8")
        if self.background is not None:
            faiss.write_index(self.background, str(folder / "background.faiss"))

    @classmethod
    def load(cls, folder: Path) -> Confidence:
        """Read both back.

        Raises:
            ReleaseDamaged: a file is missing, truncated or not what it should be.
        """
        import faiss

        try:
            calibration = Calibration(**json.loads((folder / "calibration.json").read_text("utf-8")))
            path = folder / "background.faiss"
            background = faiss.read_index(str(path)) if path.is_file() else None
            numbers = np.array(list(asdict(calibration).values()), np.float64)
            if not np.isfinite(numbers).all() or calibration.scale <= 0:
                raise ValueError("a number is missing or scale is not positive")
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise ReleaseDamaged(f"{folder} cannot be read ({error}); build the release again") from error
        return cls(calibration, background)
