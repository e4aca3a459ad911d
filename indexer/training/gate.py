"""The gate: a tuned encoder is adopted only if it finds products better, alone and in the served hybrid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.evaluation.measures import Interval, bootstrap_intervals, ndcg
from indexer.training.evidence import Evidence
from indexer.training.vectors import product_vectors, query_vectors
from search.arrays import Floats, best_rows
from search.fusion import DEPTH, Scale, dense_share, fuse
from search.lexical import LexicalIndex, LexicalSettings
from search.settings import RankingSettings

DEPTH_SCORED = 10  # nDCG@10
LEGS = ("dense", "hybrid")
_TIE = 1e-9

Doubles = NDArray[np.float64]
LexicalScores = Callable[[Sequence[tuple[str, str]], Sequence[str]], tuple[Floats, Floats]]
"""fields, queries -> BM25 scores (q, n) and, per query, the best coverage of its terms (q,)."""
HybridScores = Callable[[Floats, Floats, float], Floats]
"""lexical (n,), dense (n,), best coverage -> (n,)."""


@dataclass(frozen=True)
class JudgedQueries:
    """Real queries with graded products.

    Attributes:
        queries: query id -> text.
        judgments: query id -> product id -> grade, higher is better, 0 is not relevant.
    """

    queries: dict[str, str] = field(default_factory=dict)
    judgments: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """One leg, base against tuned, over the evidence's units."""

    base: float
    tuned: float
    change: Interval
    wins: int
    losses: int

    @property
    def is_better(self) -> bool:
        """Whether the 95 % interval of the change lies above 0."""
        return self.change.low > 0

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as JSON-ready data."""
        return {
            "base": round(self.base, 5), "tuned": round(self.tuned, 5), "change": self.change.as_json(),
            "wins": self.wins, "losses": self.losses,
        }  # fmt: skip


def bm25_scores(language: str) -> LexicalScores:
    """Return the served BM25 leg for a language, as a function of fields and queries."""

    def scores(fields: Sequence[tuple[str, str]], queries: Sequence[str]) -> tuple[Floats, Floats]:
        index = LexicalIndex.build(fields, LexicalSettings(language=language))
        found = np.stack([index.scores(index.term_ids(query)) for query in queries])
        terms = [tuple(index.query_terms(query)) for query in queries]
        return found, np.array([index.best_title_coverage(one) if one else 0.0 for one in terms], np.float32)

    return scores


def served_hybrid(lexical: Floats, dense: Floats, title_coverage: float) -> Floats:
    """Return (n,) fused scores, blended as the engine blends them by default."""
    scales = [Scale.of(leg[best_rows(leg, DEPTH)]) for leg in (dense, lexical)]
    return fuse(dense, lexical, scales[0], scales[1], dense_share(RankingSettings().dense_weight, title_coverage))


class Examiner:
    """Scores models on one body of evidence; what does not depend on the model is computed once."""

    def __init__(self, evidence: Evidence, lexical: LexicalScores, hybrid: HybridScores, tokens: int):
        self.evidence = evidence
        self._lexical, self._coverage = lexical(evidence.lexical_texts(), evidence.queries)  # (q, n), (q,)
        self._hybrid = hybrid
        self._tokens = tokens

    def scores(self, model: Any) -> dict[str, Doubles]:
        """Return leg -> (u,) nDCG@10 per unit, in order of the units' numbers."""
        products = product_vectors(model, self.evidence.corpus, self._tokens)
        return self.scores_of(query_vectors(model, self.evidence.queries, self._tokens) @ products.T)

    def scores_of(self, dense: Floats) -> dict[str, Doubles]:
        """Return leg -> (u,) nDCG@10 per unit for (q, n) cosines."""
        per_query: dict[str, list[float]] = {leg: [] for leg in LEGS}
        for place, cosines in enumerate(dense):
            per_query["dense"].append(self._ndcg(place, cosines))
            per_query["hybrid"].append(
                self._ndcg(place, self._hybrid(self._lexical[place], cosines, self._coverage[place]))
            )
        return {leg: per_unit(values, self.evidence.units) for leg, values in per_query.items()}

    def _ndcg(self, place: int, scores: Floats) -> float:
        hidden = self.evidence.hidden[place]
        best = [row for row in best_rows(scores, DEPTH_SCORED + len(hidden)) if int(row) not in hidden]
        ranked = [self.evidence.corpus[row].id for row in best[:DEPTH_SCORED]]
        return ndcg(ranked, self.evidence.grades[place], DEPTH_SCORED)


def per_unit(values: Sequence[float], units: Sequence[int]) -> Doubles:
    """Return the mean of the values of each unit, in order of the units' numbers."""
    _, places = np.unique(np.asarray(units), return_inverse=True)
    return np.bincount(places, weights=values) / np.bincount(places)


def compare(
    base: Mapping[str, Doubles], tuned: Mapping[str, Doubles], samples: int, seed: int
) -> dict[str, Comparison]:
    """Return leg -> comparison, its interval from a paired bootstrap of the units."""
    changes = {leg: tuned[leg] - base[leg] for leg in LEGS}
    intervals = bootstrap_intervals(changes, samples, seed)
    return {
        leg: Comparison(
            float(base[leg].mean()),
            float(tuned[leg].mean()),
            intervals[leg],
            int((changes[leg] > _TIE).sum()),
            int((changes[leg] < -_TIE).sum()),
        )
        for leg in LEGS
    }


def refusal(compared: Mapping[str, Comparison]) -> str:
    """Return why the tuned model must not be adopted, "" when nothing speaks against it."""
    failing = [leg for leg in LEGS if not compared[leg].is_better]
    if not failing:
        return ""
    found = ", ".join(
        f"{leg} {compared[leg].change.mean:+.4f} [{compared[leg].change.low:+.4f}, {compared[leg].change.high:+.4f}]"
        for leg in failing
    )
    return f"not proven better: the change of nDCG@10 is {found}, and its 95 % interval must lie above 0"
