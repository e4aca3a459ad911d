"""Quality against the share of the training pairs: how much would more of them bring?

Each share is a training of its own from the base, on the first so many batches of the full training, one pass over
them as in a build. The merge weight is chosen on the selection half as in a build, but always above 0, so that the
curve shows the training and not the caution; then the gate's held-out queries are asked of the base and of every share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from indexer.evaluation.measures import Interval
from indexer.training.finetune import merged_state, state_of, train
from indexer.training.gate import LEGS, Doubles, Examiner, JudgedQueries, bm25_scores, compare, served_hybrid
from indexer.training.language import main_language
from indexer.training.pairs import Pair
from indexer.training.plan import Plan, Planner, Refused
from indexer.training.settings import TrainingSettings
from search.analysis import Analyzer
from search.encoder import SentenceTransformerEncoder, load_sentence_transformer
from search.product import Product


@dataclass(frozen=True)
class Point:
    """One share of the pairs and what training on it gave, by leg ("dense", "hybrid").

    Attributes:
        share: 0..1, as asked for.
        pairs: how many that is, whole batches.
        merge_weight: the best above 0 on the selection half.
        quality: nDCG@10.
        change: against the base.
        gain: against the share before; None for the first.
    """

    share: float
    pairs: int
    merge_weight: float
    quality: dict[str, float]
    change: dict[str, Interval]
    gain: dict[str, Interval] | None


@dataclass(frozen=True)
class LearningCurve:
    """Quality by share of the pairs, smallest share first.

    Attributes:
        unit, units, queries: what the gate asks: so many independent units, so many queries.
        base: nDCG@10 of the base, by leg.
        points: of each share.
    """

    unit: str
    units: int
    queries: int
    base: dict[str, float]
    points: tuple[Point, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the curve as JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LearningCurve:
        """Rebuild a curve from `as_json` data."""

        def intervals(legs: dict[str, Any] | None) -> dict[str, Interval]:
            return {leg: Interval(**interval) for leg, interval in (legs or {}).items()}

        points = [
            Point(**{**one, "change": intervals(one["change"]), "gain": intervals(one["gain"]) or None})
            for one in data["points"]
        ]
        return cls(**{**data, "points": tuple(points)})


def learning_curve(
    products: Sequence[Product],
    base: SentenceTransformerEncoder,
    workdir: Path,
    settings: TrainingSettings,
    shares: Sequence[float],
    judgments: JudgedQueries | None,
    progress: Callable[[str, int, int], None],
) -> LearningCurve:
    """Train on each share of the pairs and measure it on the gate's held-out queries.

    Args:
        products: the catalog, as it is embedded.
        base: the encoder to start from; it is not changed.
        workdir: for the trainer's scratch files.
        settings: of the training.
        shares: 0..1 each.
        judgments: judged queries, which replace the pseudo-queries as in a build; or None.
        progress: called with (what, done, total).

    Raises:
        Refused: the catalog gives too few pairs or held-out queries to measure anything.
    """
    language = main_language(products)[0] or "en"
    planner = Planner(products, base.model, settings, Analyzer(language), progress)
    plan = planner.plan(judgments)
    batches, _ = planner.batches(plan)
    if len(batches) < settings.batch:
        raise Refused("the catalog gives too few distinct training pairs to fill one batch")
    lexical = bm25_scores(language)
    selection, gate = (
        Examiner(evidence, lexical, served_hybrid, settings.gate_tokens) for evidence in (plan.selection, plan.gate)
    )
    base_scores = gate.scores(base.model)
    points: list[Point] = []
    before: dict[str, Doubles] | None = None
    workdir.mkdir(parents=True, exist_ok=True)
    for share in sorted(set(shares)):
        pairs = batches[: max(1, round(share * len(batches) / settings.batch)) * settings.batch]
        progress(f"training on {share:.0%} of the pairs", 0, len(pairs) // settings.batch)
        model, weight = _trained(base, plan, pairs, products, workdir, settings, selection, progress)
        scores = gate.scores(model)
        points.append(_point(share, len(pairs), weight, base_scores, before, scores, settings))
        before = scores
    return LearningCurve(
        "products" if plan.split.gate else "judged queries",
        plan.gate.strength,
        len(plan.gate.queries),
        {leg: float(base_scores[leg].mean()) for leg in LEGS},
        tuple(points),
    )


def _trained(
    base: SentenceTransformerEncoder,
    plan: Plan,
    pairs: list[Pair],
    products: Sequence[Product],
    workdir: Path,
    settings: TrainingSettings,
    selection: Examiner,
    progress: Callable[[str, int, int], None],
) -> tuple[Any, float]:
    """Return a model trained on the pairs and merged with the base at its best weight, and that weight."""
    model = load_sentence_transformer(base.folder, base.max_tokens)
    base_state = state_of(model)
    run = train(model, base.model, products, pairs, plan.group_of, workdir, plan.adapted(settings), progress)

    def merged(weight: float) -> Any:
        model.load_state_dict(merged_state(base_state, run.state, weight))
        return model

    quality = {
        weight: sum(float(values.mean()) for values in selection.scores(merged(weight)).values())
        for weight in settings.merge_weights
    }
    best = min(quality, key=lambda weight: (-quality[weight], weight))
    return merged(best), best


def _point(
    share: float,
    pairs: int,
    weight: float,
    base: dict[str, Doubles],
    before: dict[str, Doubles] | None,
    scores: dict[str, Doubles],
    settings: TrainingSettings,
) -> Point:
    seed = settings.seed % 2**32
    change = {leg: one.change for leg, one in compare(base, scores, settings.bootstrap_samples, seed).items()}
    gain = None
    if before is not None:
        gain = {leg: one.change for leg, one in compare(before, scores, settings.bootstrap_samples, seed).items()}
    return Point(share, pairs, weight, {leg: float(scores[leg].mean()) for leg in LEGS}, change, gain)
