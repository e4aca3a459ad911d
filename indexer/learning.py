"""Judgments -> a ranker, kept only if it proves itself on queries it has not learnt from.

Pointwise logistic regression: few weights, so a hundred judged queries suffice, and each can be read. A product that
was not judged counts as not relevant, at a small weight: left out, the ranker would never learn what to keep away from
the top; at full weight it would learn to distrust whatever the judges were not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from indexer.evaluation.compare import compare_evaluations
from indexer.evaluation.engine_run import EngineRun, evaluate_engine
from indexer.evaluation.measures import evaluate_run
from indexer.training import JudgedQueries
from indexer.training.chance import chance
from search.arrays import Floats, Mask
from search.engine import Engine
from search.ranker import FEATURES, Ranker
from search.request import SearchRequest
from search.second_look import head_features

FOLDS = 5
SEED = 20_261_124
UNJUDGED_WEIGHT = 0.2  # bench/ranking/LOG.md, 12
LEAST_QUERIES = 50  # judged queries with a relevant product; fewer cannot prove anything


@dataclass(frozen=True)
class Examples:
    """The first products of one judged query.

    Attributes:
        features: (m, f) float32; is_relevant: (m,); weights: (m,) float32.
    """

    features: Floats
    is_relevant: Mask
    weights: Floats


def with_ranker(engine: Engine, ranker: Ranker | None) -> Engine:
    """Return an engine of the same release that ranks with this ranker, or with none."""
    return Engine(replace(engine.release, ranker=ranker), engine.encoder)


def learn_ranker(
    engine: Engine, judged: JudgedQueries, plain: EngineRun, on_progress: Callable[[str, int, int], None]
) -> tuple[Ranker | None, dict[str, Any]]:
    """Return a ranker that is better on queries it has not seen, or None; and the report.

    Every query is scored by a ranker learnt from the other four fifths. The ranker is kept if the paired bootstrap's
    interval of the change in nDCG@10 lies above 0 and that of judged-only nDCG@10 does not lie below it.

    Args:
        engine: of the new release, without a ranker.
        judged: the shop's judgments.
        plain: what the engine answers to them without a ranker.
        on_progress: called with (what, done, total).
    """
    query_ids = plain.evaluation.query_ids
    if len(query_ids) < LEAST_QUERIES:
        reason = f"{len(query_ids)} judged queries have a relevant product; a ranker needs at least {LEAST_QUERIES}"
        return None, {"adopted": False, "reason": reason}
    examples = [_examples(engine, judged, query_id, plain.evaluation.relevant_from) for query_id in query_ids]
    order = list(range(len(query_ids)))
    chance(SEED, "folds").shuffle(order)
    run, judged_run = dict(plain.run), dict(plain.judged_run)
    for fold in range(FOLDS):
        on_progress("learning to rank, folds", fold, FOLDS)
        unseen = {query_ids[place]: judged.judgments[query_ids[place]] for place in order[fold::FOLDS]}
        seen = [one for query_id, one in zip(query_ids, examples, strict=True) if query_id not in unseen]
        answers = evaluate_engine(with_ranker(engine, fitted(seen)), judged.queries, unseen)
        run |= answers.run
        judged_run |= answers.judged_run
    on_progress("learning to rank, folds", FOLDS, FOLDS)
    learnt = evaluate_run(run, judged.judgments, judged_run=judged_run)
    comparison = compare_evaluations(plain.evaluation, learnt)
    change, among_judged = (comparison.differences[name].change for name in ("nDCG@10", "nDCG@10(judged)"))
    adopted = change.low > 0 and among_judged.high >= 0
    ranker = fitted(examples)
    said = (
        f"on judged queries it had not learnt from, nDCG@10 changed by {change.mean:+.3f} ({change.low:+.3f} to "
        f"{change.high:+.3f}), among judged products by {among_judged.mean:+.3f} ({among_judged.low:+.3f} to "
        f"{among_judged.high:+.3f})"
    )
    reason = f"The learnt ranker was adopted: {said}." if adopted else f"The ranking stays as it is: {said}."
    report = {
        "adopted": adopted, "reason": reason, "queries": len(query_ids), "folds": FOLDS,
        "weights": {name: round(float(weight), 4) for name, weight in zip(FEATURES, ranker.weights, strict=True)},
        "comparison": comparison.as_json(),
        "texts": {move.query_id: judged.queries[move.query_id] for move in (*comparison.gained, *comparison.lost)},
    }  # fmt: skip
    return (ranker if adopted else None), report


def _examples(engine: Engine, judged: JudgedQueries, query_id: str, relevant_from: float) -> Examples:
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
