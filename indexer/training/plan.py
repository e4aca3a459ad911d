"""Before any weight moves: which products train, which are held out, and what will be asked of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.evaluation.measures import relevant_from_of
from indexer.training.chance import chance
from indexer.training.evidence import (
    Evidence,
    Phrases,
    WordCounts,
    description_phrases,
    judged_evidence,
    pseudo_evidence,
    turned_title_pair,
)
from indexer.training.gate import JudgedQueries
from indexer.training.pairs import (
    Pair,
    QueryKind,
    VerbatimTexts,
    in_batches,
    title_run,
    title_words,
    training_pairs,
)
from indexer.training.settings import TrainingSettings
from indexer.training.split import Split, groups_of, split_by_group
from indexer.training.vectors import text_vectors
from search.analysis import Analyzer
from search.product import Product

LEAST_TRAINING_PRODUCTS = 64


class Refused(Exception):
    """The base stays, a normal outcome; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What is trained on and what is asked; made before any weight moves.

    Attributes:
        split: rows of training, selection and gate (the last two empty with judged queries).
        group_of: row -> product group, for the whole pool.
        selection, gate: evidence.
        leaks: texts no training query may be taken from word for word.
        title_kind: how training makes queries of titles.
        method: how selection and gate were kept apart, for people.
        taught: pairs of judged queries and their relevant products; where there are any, they alone are trained on.
    """

    split: Split
    group_of: dict[int, int]
    selection: Evidence
    gate: Evidence
    leaks: VerbatimTexts
    title_kind: QueryKind
    method: str
    taught: tuple[Pair, ...] = ()

    def adapted(self, settings: TrainingSettings) -> TrainingSettings:
        """Return the settings to train with: real queries may move the encoder further than pseudo-queries."""
        return replace(settings, anchor_weight=settings.taught_anchor_weight) if self.taught else settings


class Planner:
    """Makes the plan; `warnings` collects what people should know about it."""

    def __init__(
        self,
        products: Sequence[Product],
        base: Any,
        settings: TrainingSettings,
        analyzer: Analyzer,
        progress: Callable[[str, int, int], None],
    ):
        self.products, self.base, self.settings = products, base, settings
        self.analyzer, self.progress = analyzer, progress
        self.warnings: list[str] = []

    def plan(self, judgments: JudgedQueries | None) -> Plan:
        """Return what is trained on, what chooses the merge weight and what is the gate.

        Raises:
            Refused: the catalog is too small, or gives too few questions to prove anything with.
        """
        if len(self.products) < LEAST_TRAINING_PRODUCTS:
            raise Refused(f"{len(self.products)} products are too few to train on (at least {LEAST_TRAINING_PRODUCTS})")
        pool, group_of = self._pool()
        usable = _answerable(self.products, judgments)
        if judgments and len(usable) >= self.settings.least_judged:
            return self._judged_plan(judgments, usable, pool, group_of)
        if judgments:
            self.warnings.append(
                f"Only {len(usable)} judged queries have a relevant product in the catalog; at least "
                f"{self.settings.least_judged} are needed, so the gate used pseudo-queries instead."
            )
        return self._pseudo_plan(pool, group_of)

    def batches(self, plan: Plan) -> tuple[list[Pair], int]:
        """Return (the training pairs in batches, whole steps only; how many were dropped because they leak)."""
        settings = self.settings
        pairs, leaked = list(plan.taught), 0
        if not plan.taught:
            wanted = settings.steps_for(len(plan.split.training)) * settings.batch
            pairs, leaked = training_pairs(
                self.products, plan.split.training, plan.leaks, wanted, settings,
                stop_words=self.analyzer.stop_words, title_kind=plan.title_kind,
            )  # fmt: skip
        asked = {query.casefold() for evidence in (plan.selection, plan.gate) for query in evidence.queries}
        unasked = [pair for pair in pairs if pair.query.casefold() not in asked]
        found = in_batches(unasked, plan.group_of, settings.batch)
        return (found[: settings.taught_steps * settings.batch] if plan.taught else found), leaked

    def _pool(self) -> tuple[list[int], dict[int, int]]:
        """Return the rows that take part and their groups; a large catalog takes part with a random sample."""
        most = self.settings.most_training_products + self.settings.held_out_most
        rows = sorted(self._chance("pool").sample(range(len(self.products)), min(most, len(self.products))))
        self.progress("finding near-duplicates", 0, len(rows))
        members = [self.products[row] for row in rows]
        titles = text_vectors(self.base, [product.title for product in members], self.settings.gate_tokens)
        groups = groups_of(members, titles, self.settings.near_duplicate)
        return rows, dict(zip(rows, groups, strict=True))

    def _judged_plan(
        self, judgments: JudgedQueries, usable: list[str], pool: list[int], group_of: dict[int, int]
    ) -> Plan:
        """Half of the judged queries, by chance, chooses the merge weight; the other half is the gate.

        Of many judged queries, half teach the encoder first, and the rest is halved.
        """
        trained = min(len(pool), self.settings.most_training_products)
        self._chance("judged queries").shuffle(usable)
        teaching = usable[: len(usable) // 2] if len(usable) >= self.settings.least_taught else []
        judging = usable[len(teaching) :]
        half = len(judging) // 2
        halves = [{query: judgments.queries[query] for query in part} for part in (judging[:half], judging[half:])]
        sizes = (self.settings.selection_corpus, self.settings.gate_corpus)
        selection, gate = (
            judged_evidence(self.products, queries, judgments.judgments, size, self.settings.seed)
            for queries, size in zip(halves, sizes, strict=True)
        )
        return Plan(
            Split(tuple(sorted(self._chance("trained").sample(pool, trained))), (), ()),
            group_of,
            selection,
            gate,
            VerbatimTexts([]),
            title_words,
            f"judged queries, split by query at random (seed {self.settings.seed}): "
            + (f"{len(teaching)} taught the encoder, " if teaching else "")
            + f"{half} chose the merge weight, {len(judging) - half} were the gate",
            self._taught(judgments, teaching, group_of),
        )

    def _taught(self, judgments: JudgedQueries, teaching: Sequence[str], group_of: dict[int, int]) -> tuple[Pair, ...]:
        """Return the judged queries with each of their relevant products; new rows join `group_of`, by title."""
        row_of = {product.id: row for row, product in enumerate(self.products)}
        relevant_from = relevant_from_of(judgments.judgments)
        pairs = [
            Pair(judgments.queries[query], row_of[product_id], "judged query")
            for query in teaching
            for product_id, grade in judgments.judgments[query].items()
            if grade >= relevant_from and product_id in row_of
        ]
        titles: dict[str, int] = {}
        for pair in pairs:
            title = self.products[pair.row].title.casefold()
            group_of.setdefault(pair.row, titles.setdefault(title, len(self.products) + len(titles)))
        self._chance("taught").shuffle(pairs)
        return tuple(pairs)

    def _pseudo_plan(self, pool: list[int], group_of: dict[int, int]) -> Plan:
        """Held-out products, by group: half choose the merge weight, half are the gate."""
        settings = self.settings
        groups = [group_of[row] for row in pool]
        split = split_by_group(pool, groups, settings.held_out_of(len(pool)), settings.seed)
        counts = WordCounts([self.products[row] for row in pool], self.analyzer)
        kinds: list[tuple[Phrases, QueryKind]] = [(description_phrases, title_words), (turned_title_pair, title_run)]
        strongest = 0
        for phrases, title_kind in kinds:
            selection = self._asked(split, split.selection, settings.selection_corpus, counts, phrases)
            gate = self._asked(split, split.gate, settings.gate_corpus, counts, phrases)
            strongest = max(strongest, min(selection.strength, gate.strength))
            if min(selection.strength, gate.strength) >= settings.least_queries:
                held = [self.products[row] for row in split.held_out]
                texts = [text for product in held for text in (product.title, product.description)]
                method = (
                    f"{selection.kind} of held-out products, a kind of query the training has not seen; "
                    f"{len(split.selection)} products chose the merge weight, {len(split.gate)} others were the gate"
                )
                return Plan(split, group_of, selection, gate, VerbatimTexts(texts), title_kind, method)
        raise Refused(
            f"no evidence; only {strongest} held-out products allow test queries the training has not practised "
            f"(at least {settings.least_queries} are needed in each half), so a gain could not be proven"
        )

    def _asked(
        self, split: Split, part: tuple[int, ...], corpus: int, counts: WordCounts, phrases: Phrases
    ) -> Evidence:
        """Return the evidence of one half; its corpus never holds the other half."""
        asked = part[:: max(1, -(-3 * len(part) // (2 * corpus)))]  # at most two thirds of the corpus are asked for
        others = sorted(set(range(len(self.products))) - set(split.held_out))
        self._chance("distractors").shuffle(others)
        return pseudo_evidence(
            self.products,
            asked,
            others[: max(0, corpus - len(asked))],
            frozenset(split.training),
            counts,
            phrases,
            self.settings,
        )

    def _chance(self, purpose: str) -> random.Random:
        return chance(self.settings.seed, purpose)


def _answerable(products: Sequence[Product], judgments: JudgedQueries | None) -> list[str]:
    """Return the ids of judged queries that have a relevant product in the catalog, in order."""
    if judgments is None:
        return []
    known = {product.id for product in products}
    return [
        query
        for query in judgments.queries
        if any(grade > 0 and product in known for product, grade in judgments.judgments.get(query, {}).items())
    ]
