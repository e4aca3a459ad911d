"""Judgments -> a ranker over named features.

Pointwise logistic regression: few weights, so a hundred judged queries suffice, and each can be read. A product that
was not judged counts as not relevant, at a small weight: left out, the ranker would never learn what to keep away from
the top; at full weight it would learn to distrust whatever the judges were not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.training import JudgedQueries
from search.arrays import Floats, Mask
from search.engine import Engine
from search.ranker import FEATURES, Ranker
from search.request import SearchRequest
from search.scoring import head_features

UNJUDGED_WEIGHT = 0.2  # bench/ranking/LOG.md, 12


@dataclass(frozen=True)
class Examples:
    """The first products of one judged query.

    Attributes:
        features: (m, f) float32; is_relevant: (m,); weights: (m,) float32.
    """

    features: Floats
    is_relevant: Mask
    weights: Floats


def examples_of(engine: Engine, judged: JudgedQueries, query_id: str, relevant_from: float) -> Examples:
    """Return the features of a query's first products and what the judges said of them."""
    scored = engine.scored(engine.understood(SearchRequest(q=judged.queries[query_id])), "hybrid")
    products = engine.release.products.products(scored.head)
    grades = [judged.judgments[query_id].get(product.id) for product in products]
    return Examples(
        head_features(engine.release, scored),
        np.array([grade is not None and grade >= relevant_from for grade in grades], bool),
        np.array([UNJUDGED_WEIGHT if grade is None else 1.0 for grade in grades], np.float32),
    )


def fitted(examples: Sequence[Examples]) -> Ranker:
    """Return the ranker that these queries teach: L2-regularised logistic regression over standardised features."""
    from sklearn.linear_model import LogisticRegression

    features = np.concatenate([one.features for one in examples]).astype(np.float64)
    is_relevant = np.concatenate([one.is_relevant for one in examples])
    means, scales = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    if is_relevant.all() or not is_relevant.any():  # nothing to tell apart: keep the order there is
        return Ranker(means, scales, np.eye(len(FEATURES))[0])
    model = LogisticRegression(max_iter=1000)
    model.fit((features - means) / scales, is_relevant, np.concatenate([one.weights for one in examples]))
    return Ranker(means, scales, model.coef_[0].astype(np.float64))
