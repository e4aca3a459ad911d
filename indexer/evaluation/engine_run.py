"""An engine's answers to judged queries, as runs that the measures read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from indexer.evaluation.judgments import Judgments, Run
from indexer.evaluation.measures import Evaluation, evaluate_run
from search.engine import Engine
from search.errors import EvaluationError
from search.request import SearchRequest

DEPTH = 1000
SHOWN = 100  # --cutoff: products read off the page's pages


@dataclass(frozen=True)
class EngineRun:
    """What an engine answered.

    Attributes:
        run: per query the best products before the cut-off (or what the page shows, with `cutoff`).
        judged_run: per query every judged product, by the same score.
        evaluation: both measured.
    """

    run: Run
    judged_run: Run
    evaluation: Evaluation


def evaluate_engine(
    engine: Engine,
    queries: Mapping[str, str],
    judgments: Judgments,
    *,
    mode: str = "hybrid",
    cutoff: bool = False,
    interpret: bool = True,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> EngineRun:
    """Rank the whole catalog for every judged query and measure the result.

    Args:
        engine: an engine that waits for its encoder.
        queries: query id -> text; every judged query must be there.
        judgments: query id -> product id -> grade.
        mode: hybrid, dense or lexical.
        cutoff: measure what the page shows instead, after the relevance cut-off.
        interpret: whether constraints are read and words corrected.
        on_progress: called with (what, done, total).

    Raises:
        EvaluationError: a judged query has no text, or the judgments name no product of this release.
    """
    missing = sorted(set(judgments) - set(queries))
    if missing:
        raise EvaluationError(f'the judgments name query "{missing[0]}", which the queries file does not have')
    present = _present_judgments(engine, judgments)
    if mode != "lexical":
        asked = [SearchRequest(q=queries[query_id], interpret=interpret, correct=interpret) for query_id in present]
        texts = [engine.understood(one).search_text for one in asked]
        engine.encoder.vectors([text for text in texts if text] or [""])  # one batch, remembered
    run: dict[str, list[tuple[str, float]]] = {}
    judged_run: dict[str, list[tuple[str, float]]] = {}
    for place, (query_id, grades) in enumerate(present.items()):
        on_progress("asking queries", place, len(judgments))
        text = SearchRequest(q=queries[query_id]).q
        run[query_id] = _shown(engine, text, mode, interpret) if cutoff else _ranked(engine, text, mode, interpret)
        scores = engine.scores_of(text, list(grades), mode, interpret)
        judged_run[query_id] = sorted(
            zip(grades, map(float, scores), strict=True), key=lambda pair: (-pair[1], pair[0])
        )
    return EngineRun(run, judged_run, evaluate_run(run, judgments, judged_run=judged_run))


def _present_judgments(engine: Engine, judgments: Judgments) -> Judgments:
    """Return the judgments of products that are in the release; the others count as missed, not as an error."""
    store = engine.release.products
    known = {product.id for product in store}
    present = {
        query_id: {product_id: grade for product_id, grade in grades.items() if product_id in known}
        for query_id, grades in judgments.items()
    }
    if not any(present.values()):
        raise EvaluationError(
            "none of the judged products is in this release; are the judgments of another catalog, or ids changed?"
        )
    return present


def _ranked(engine: Engine, text: str, mode: str, interpret: bool) -> list[tuple[str, float]]:
    ids, scores = engine.rank(text, mode, DEPTH, interpret)
    return list(zip(ids, map(float, scores), strict=True))


def _shown(engine: Engine, text: str, mode: str, interpret: bool) -> list[tuple[str, float]]:
    results = engine.search(
        SearchRequest(q=text, mode=mode, per_page=SHOWN, facets=(), interpret=interpret, correct=interpret)
    )
    return [(hit.id, hit.score) for hit in results.hits]
