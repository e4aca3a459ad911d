"""The story of the fine-tuning: pairs, split, training, merge, proof, decision."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.training import guard
from indexer.training.evidence import Evidence
from indexer.training.finetune import TrainingRun, merged_state, save_model, state_of, train
from indexer.training.gate import (
    LEGS,
    Examiner,
    HybridScores,
    JudgedQueries,
    LexicalScores,
    bm25_scores,
    compare,
    refusal,
    served_hybrid,
)
from indexer.training.language import main_language, warn_language
from indexer.training.pairs import Pair, kinds_of
from indexer.training.plan import Plan, Planner, Refused
from indexer.training.settings import TrainingSettings
from search.analysis import Analyzer
from search.encoder import SentenceTransformerEncoder, load_sentence_transformer
from search.product import Product

EXAMPLES = 8  # pseudo-queries shown in the report, of training and gate each

ProgressCall = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Decision:
    """What the gate decided.

    Attributes:
        adopted: whether the tuned model is to be used.
        folder: the merged model, a sentence-transformers folder; None when the base stays.
        merge_weight: share of the tuned weights in it; 0.0 when the base stays.
        reason: a sentence for people.
        report: JSON-ready: counts, steps, seconds, loss curve, scores, guard, warnings, examples.
    """

    adopted: bool
    folder: Path | None
    merge_weight: float
    reason: str
    report: dict[str, Any]


def _quiet(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


def train_and_decide(
    products: Sequence[Product],
    base: SentenceTransformerEncoder,
    workdir: Path,
    settings: TrainingSettings,
    *,
    judgments: JudgedQueries | None = None,
    progress: ProgressCall = _quiet,
    lexical: LexicalScores | None = None,
    hybrid: HybridScores = served_hybrid,
    keep_tuned: bool = False,
) -> Decision:
    """Fine-tune the base on the catalog and adopt the result only if it proves itself; the base is a normal outcome.

    Args:
        products: the catalog.
        base: the encoder to start from; it is not changed.
        workdir: everything is written in here; an adopted model lies in `workdir/adopted`.
        settings: see `TrainingSettings`.
        judgments: real judged queries; they replace the pseudo-queries in selection and gate.
        progress: called with (what, done, total).
        lexical: the BM25 leg of the gate; default: the served one, in the catalog's language.
        hybrid: the blend of the gate; default: the engine's.
        keep_tuned: whether to leave the tuned, unmerged model in `workdir/tuned`, adopted or not, to be measured.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    for left_over in ("adopted", "tuned"):
        shutil.rmtree(workdir / left_over, ignore_errors=True)
    attempt = _Attempt(products, base, workdir, settings, progress, lexical, hybrid, keep_tuned)
    return attempt.decide(judgments)


class _Attempt:
    """One run of the story, with the report it leaves behind."""

    def __init__(
        self,
        products: Sequence[Product],
        base: SentenceTransformerEncoder,
        workdir: Path,
        settings: TrainingSettings,
        progress: ProgressCall,
        lexical: LexicalScores | None,
        hybrid: HybridScores,
        keep_tuned: bool,
    ):
        self.keep_tuned = keep_tuned
        self.products, self.base, self.workdir = products, base, workdir
        self.settings, self.progress, self.hybrid = settings, progress, hybrid
        language = main_language(products)
        self.language = language[0] or "en"
        self.lexical = lexical or bm25_scores(self.language)
        self.analyzer = Analyzer(self.language)
        warning = warn_language(language, base)
        self.report: dict[str, Any] = {"warnings": [warning] if warning else [], "language": self.language}
        self._started = time.perf_counter()

    def decide(self, judgments: JudgedQueries | None) -> Decision:
        weight, folder, adopted = 0.0, None, False
        try:
            plan = self._planned(judgments)
            run, base_state = self._train(plan)
            weight, folder = self._prove(plan, run, base_state)
            adopted, reason = True, self._praise(weight)
        except Refused as refused:
            reason = f"The base encoder stays: {refused}."
        self.report["seconds"] = round(time.perf_counter() - self._started, 1)
        return Decision(adopted, folder, weight, reason, self.report)

    def _praise(self, weight: float) -> str:
        dense, hybrid = (self.report["gate"]["legs"][leg] for leg in LEGS)
        is_judged = self.report["gate"]["unit"] != "products"
        beyond = "" if is_judged else "These queries were made from the catalog: shoppers' own may gain less."
        return (
            f"The fine-tuned encoder (merge weight {weight:g}) was adopted: on {self.report['gate']['units']} held-out "
            f"{self.report['gate']['unit']} nDCG@10 rose from {dense['base']:.3f} to {dense['tuned']:.3f} by meaning "
            f"alone and from {hybrid['base']:.3f} to {hybrid['tuned']:.3f} in the hybrid. {beyond}".rstrip()
        )

    def _planned(self, judgments: JudgedQueries | None) -> Plan:
        self.planner = Planner(self.products, self.base.model, self.settings, self.analyzer, self.progress)
        try:
            return self.planner.plan(judgments)
        finally:
            self.report["warnings"] += self.planner.warnings

    # -- training ---------------------------------------------------------------------------------------------------

    def _pairs(self, plan: Plan) -> list[Pair]:
        """Return the training pairs in batches, whole steps only."""
        batches, leaked = self.planner.batches(plan)
        self.report["pairs"] = {
            "used": len(batches),
            "by_kind": kinds_of(batches),
            "dropped_as_leaks": leaked,
            "training_products": len(plan.split.training),
            "examples": _examples(batches, self.products),
        }
        if len(batches) < self.settings.batch:
            raise Refused("the catalog's titles and fields give too few distinct pseudo-queries to fill one batch")
        return batches

    def _train(self, plan: Plan) -> tuple[TrainingRun, dict[str, Any]]:
        self.report["method"] = plan.method
        pairs = self._pairs(plan)
        self._model = load_sentence_transformer(self.base.folder, self.base.max_tokens)
        base_state = state_of(self._model)
        run = train(
            self._model, self.base.model, self.products, pairs, plan.group_of, self.workdir,
            plan.adapted(self.settings), self.progress,
        )  # fmt: skip
        if run.stopped_early:
            self.report["warnings"].append(
                f"The time ceiling of {self.settings.time_ceiling_minutes:g} minutes stopped the training after "
                f"{run.steps} steps; another build may stop elsewhere and differ."
            )
        self.report["training"] = {
            "steps": run.steps, "seconds": round(run.seconds, 1), "loss_curve": run.loss_curve,
        }  # fmt: skip
        if self.keep_tuned:
            save_model(self._model, self.workdir / "tuned")
        return run, base_state

    # -- proof ------------------------------------------------------------------------------------------------------

    def _prove(self, plan: Plan, run: TrainingRun, base_state: dict[str, Any]) -> tuple[float, Path]:
        """Return the merge weight and folder of a model that passed.

        Raises:
            Refused: saying what it failed.
        """
        weight = self._chosen_weight(plan.selection, run, base_state)
        self._load(base_state, run, weight)
        examiner = Examiner(plan.gate, self.lexical, self.hybrid, self.settings.gate_tokens)
        self.progress("gate", 0, 2)
        before = examiner.scores(self.base.model)
        self.progress("gate", 1, 2)
        compared = compare(
            before, examiner.scores(self._model), self.settings.bootstrap_samples, self.settings.seed % 2**32
        )
        self.progress("gate", 2, 2)
        self.report["gate"] = {
            "unit": "products" if plan.split.gate else "judged queries",
            "units": plan.gate.strength,
            "queries": len(plan.gate.queries),
            "corpus": len(plan.gate.corpus),
            "merge_weight": weight,
            "legs": {leg: comparison.as_json() for leg, comparison in compared.items()},
            "examples": list(plan.gate.queries[:EXAMPLES]),
        }
        against = refusal(compared)
        if against:
            raise Refused(f"the fine-tuned one was {against}")
        return weight, save_model(self._model, self.workdir / "adopted")

    def _chosen_weight(self, evidence: Evidence, run: TrainingRun, base_state: dict[str, Any]) -> float:
        """Return the merge weight with the best mean of both legs on the selection half that the guard permits."""
        examiner = Examiner(evidence, self.lexical, self.hybrid, self.settings.gate_tokens)
        weights = self.settings.merge_weights
        found = [{"merge_weight": 0.0, **_means(examiner.scores(self.base.model))}]
        for done, weight in enumerate(weights):
            self.progress("merge weights", done, len(weights))
            self._load(base_state, run, weight)
            found.append({"merge_weight": weight, **_means(examiner.scores(self._model))})
        self.progress("merge weights", len(weights), len(weights))
        self.report["selection"] = {
            "queries": len(evidence.queries),
            "corpus": len(evidence.corpus),
            "scores": found,
        }
        # Equal scores: the smaller weight, which stays closer to the base.
        ranked = sorted(found, key=lambda row: (-row["dense"] - row["hybrid"], row["merge_weight"]))
        weights_ranked = [row["merge_weight"] for row in ranked]
        better = weights_ranked[: weights_ranked.index(0.0)]
        if not better:
            raise Refused("no merge weight was better than the base on the held-out half that chooses it")
        return self._guarded(better, run, base_state)

    def _guarded(self, weights: Sequence[float], run: TrainingRun, base_state: dict[str, Any]) -> float:
        """Return the first of the weights whose model still knows general English."""
        before = guard.guard_score(self.base.model)
        scores: list[tuple[float, float]] = []
        for weight in weights:
            self._load(base_state, run, weight)
            scores.append((weight, guard.guard_score(self._model)))
            self.report["guard"] = guard.report_of(before, scores)
            if not guard.forgets(before, scores[-1][1], self.settings.guard_tolerance):
                return weight
        raise Refused(
            f"every merge weight that found products better lost general English (guard score {before:.3f} before, "
            f"{max(score for _, score in scores):.3f} after, {self.settings.guard_tolerance:g} allowed)"
        )

    def _load(self, base_state: dict[str, Any], run: TrainingRun, weight: float) -> None:
        self._model.load_state_dict(merged_state(base_state, run.state, weight))


def _means(scores: dict[str, Any]) -> dict[str, float]:
    return {leg: round(float(values.mean()), 5) for leg, values in scores.items()}


def _examples(pairs: Sequence[Pair], products: Sequence[Product]) -> list[dict[str, str]]:
    """Return a few pairs of every kind, to read."""
    shown: dict[str, list[dict[str, str]]] = {}
    for pair in pairs:
        of_kind = shown.setdefault(pair.kind, [])
        if len(of_kind) < EXAMPLES // 2:
            of_kind.append({"kind": pair.kind, "query": pair.query, "title": products[pair.row].title})
    return [example for of_kind in shown.values() for example in of_kind]
