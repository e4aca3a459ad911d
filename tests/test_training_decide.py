"""Train and decide: the gate adopts what proves itself and nothing else."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.training import JudgedQueries, TrainingSettings, decide, plan, train_and_decide
from indexer.training.gate import served_hybrid
from indexer.training.pairs import Pair
from search.encoder import SentenceTransformerEncoder, open_encoder
from search.product import Product

QUICK = TrainingSettings(
    held_out_share=0.35,
    least_queries=20,
    pairs_per_product=4.0,
    least_steps=4,
    batch=24,
    learning_rate=1e-4,  # invented words are far from anything the base knows, and the steps are few
    cloze_share=0.9,
    max_tokens=28,
    merge_weights=(1.0,),
    gate_tokens=16,
    selection_corpus=160,
    gate_corpus=240,
    most_relevant=20,
    guard_tolerance=0.03,  # forgetting has its own tests; this hurried training is about learning
)


USES = """drinking tea; slicing bread; washing dogs; painting fences; catching fish; mowing grass; brushing teeth;
repairing bicycles; playing chess; sewing buttons; storing wine; grilling sausages; climbing rocks; milking goats;
sharpening pencils; polishing boots; drying laundry; feeding parrots; lifting weights; measuring rainfall;
crushing garlic; sweeping chimneys; folding napkins; tuning violins; heating soup; picking cherries; cleaning windows;
carrying babies; hanging pictures; opening oysters; freezing berries; digging trenches; watching birds;
charging phones; wrapping presents; grinding coffee; chopping firewood; steaming rice; ironing shirts;
scaring crows""".replace("\n", " ").split("; ")
FILLER = "People who bought this liked how well it was made."


def invented_words(count: int) -> list[str]:
    """Words such as "zorble" that no encoder has met."""
    parts = ("z br qu v dr sn gl th kr pl", "or im ux ef ab il og", "ble vin mot ka dex pu")
    every = ["".join(syllables) for syllables in itertools.product(*(part.split() for part in parts))]
    return random.Random(11).sample(every, count)


def invented_shop(each: int = 8) -> list[Product]:
    """Things with made-up names, each kind with its own use: a zorble is for drinking tea.

    In every second description the use comes so late that an encoder under QUICK.gate_tokens does not read it:
    such a product is found by its use only if its name is known to go with it.
    """
    colours = ["amber", "teal", "coral", "slate", "olive", "ivory", "plum", "ochre"]
    products = []
    for kind, (noun, use) in enumerate(zip(invented_words(len(USES)), USES, strict=True)):
        for n in range(each):
            told = f"It is for {use}."
            text = f"{told} {FILLER}" if n % 2 else f"{FILLER} {told}"
            products.append(Product(f"{noun}-{n}", f"{colours[(3 * kind + n) % 8]} {noun}".title(), text))
    random.Random(12).shuffle(products)
    return products


@pytest.fixture(scope="module")
def base() -> SentenceTransformerEncoder:
    return open_encoder()


@pytest.mark.slow
def test_a_catalog_with_words_the_base_cannot_know_wins(base: SentenceTransformerEncoder, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    decision = train_and_decide(
        invented_shop(), base, tmp_path, QUICK, progress=lambda what, done, total: seen.append((what, done, total))
    )
    assert decision.adopted, decision.reason
    assert decision.folder == tmp_path / "adopted" and decision.merge_weight in QUICK.merge_weights
    tuned = SentenceTransformerEncoder(decision.folder, "tuned")
    assert tuned.fingerprint != base.fingerprint and tuned.encode_queries(["zorble"]).shape == (1, base.dim)
    legs = decision.report["gate"]["legs"]
    assert legs["dense"]["change"]["low"] > 0 and legs["hybrid"]["change"]["low"] > 0
    assert "adopted" in decision.reason and json.dumps(decision.report)
    assert {"fine-tuning steps", "merge weights", "gate"} <= {what for what, _, _ in seen}
    assert all(0 <= done <= total for _, done, total in seen)


@pytest.mark.slow
def test_pairs_of_queries_and_random_products_are_refused(
    base: SentenceTransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = plan.training_pairs

    def shuffled(*args: object, **kwargs: object) -> tuple[list[Pair], int]:
        pairs, leaked = real(*args, **kwargs)
        rows = [pair.row for pair in pairs]
        random.Random(2).shuffle(rows)
        return [replace(pair, row=row) for pair, row in zip(pairs, rows, strict=True)], leaked

    monkeypatch.setattr(plan, "training_pairs", shuffled)
    decision = train_and_decide(invented_shop(), base, tmp_path, replace(QUICK, pairs_per_product=1.2))
    assert not decision.adopted and decision.folder is None and decision.merge_weight == 0.0
    assert decision.report["training"]["steps"] > 0, "it must have trained to be refused for what it learnt"
    assert decision.reason.startswith("The base encoder stays:")
    assert list(tmp_path.iterdir()) == []


def test_held_out_groups_are_never_trained_on(
    base: SentenceTransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = [replace(product, group_id=f"g{n // 2}") for n, product in enumerate(invented_shop())]
    trained: list[Pair] = []
    asked: list[Product] = []

    def stop(model: object, base: object, products: object, pairs: Sequence[Pair], *rest: object) -> None:
        trained.extend(pairs)
        raise decide.Refused("stopped by the test before any training")

    real = decide.Planner.plan

    def watched(planner: decide.Planner, judgments: JudgedQueries | None) -> decide.Plan:
        plan = real(planner, judgments)
        asked.extend(products[row] for row in plan.split.held_out)
        return plan

    monkeypatch.setattr(decide, "train", stop)
    monkeypatch.setattr(decide.Planner, "plan", watched)
    train_and_decide(products, base, tmp_path, QUICK)
    assert len(trained) >= QUICK.batch and len(asked) > 60
    assert not {products[pair.row].group_id for pair in trained} & {product.group_id for product in asked}


@pytest.mark.parametrize(
    ("products", "why"),
    [
        (invented_shop(each=1), "are too few to train on"),
        ([Product(str(n), f"lamp {n}") for n in range(200)], "no evidence"),
    ],
)
def test_without_evidence_the_base_stays_and_the_reason_says_why(
    products: list[Product], why: str, base: SentenceTransformerEncoder, tmp_path: Path
) -> None:
    decision = train_and_decide(products, base, tmp_path, replace(QUICK, least_queries=50))
    assert not decision.adopted and why in decision.reason
    assert json.dumps(decision.report)


def test_judged_queries_replace_the_pseudo_queries(
    base: SentenceTransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = invented_shop()
    judged = JudgedQueries(
        {f"q{n}": product.title for n, product in enumerate(products[:60])},
        {f"q{n}": {product.id: 2.0} for n, product in enumerate(products[:60])},
    )
    plans: list[decide.Plan] = []

    def stop(attempt: object, plan: decide.Plan) -> None:
        plans.append(plan)
        raise decide.Refused("stopped by the test before any training")

    monkeypatch.setattr(decide._Attempt, "_train", stop)
    train_and_decide(products, base, tmp_path, QUICK, judgments=judged)
    [plan] = plans
    assert plan.selection.kind == plan.gate.kind == "judged queries"
    assert len(plan.selection.queries) == len(plan.gate.queries) == 30
    assert not set(plan.selection.queries) & set(plan.gate.queries)
    assert len(plan.split.training) == len(products)  # real queries need no product held out


def test_many_judged_queries_teach_the_encoder_and_none_of_those_judges_it(
    base: SentenceTransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = invented_shop()
    asked = {f"q{n}": f"{product.title} please" for n, product in enumerate(products[:80])}
    grades = {f"q{n}": {product.id: 2.0, products[-1].id: 0.0} for n, product in enumerate(products[:80])}
    steps: list[tuple[decide.Plan, list[Pair]]] = []

    def stop(attempt: decide._Attempt, plan: decide.Plan) -> None:
        steps.append((plan, attempt._pairs(plan)))
        raise decide.Refused("stopped by the test before any training")

    monkeypatch.setattr(decide._Attempt, "_train", stop)
    settings = replace(QUICK, least_taught=80, batch=8, taught_steps=4)
    decision = train_and_decide(products, base, tmp_path, settings, judgments=JudgedQueries(asked, grades))
    [(plan, pairs)] = steps
    assert len(plan.taught) == 40
    assert not {pair.query for pair in plan.taught} & {*plan.selection.queries, *plan.gate.queries}
    assert all(products[pair.row].title in pair.query for pair in plan.taught)
    assert len(plan.selection.queries) == len(plan.gate.queries) == 20
    assert len(pairs) == 4 * 8  # the ceiling on steps
    assert decision.report["pairs"]["by_kind"] == {"judged query": 32}


def test_too_few_judged_queries_are_not_used_and_the_report_says_so(
    base: SentenceTransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = invented_shop()
    few = JudgedQueries({"q1": "zorble"}, {"q1": {products[0].id: 1.0}})

    def stop(attempt: object, plan: decide.Plan) -> None:
        raise decide.Refused(f"stopped by the test with {plan.gate.kind}")

    monkeypatch.setattr(decide._Attempt, "_train", stop)
    decision = train_and_decide(products, base, tmp_path, QUICK, judgments=few)
    assert "with description phrases" in decision.reason
    assert "Only 1 judged queries" in decision.report["warnings"][0]


@pytest.mark.parametrize(
    ("scores", "weight"), [([0.55, 0.547], 1.0), ([0.55, 0.5, 0.546], 0.5), ([0.55, 0.5, 0.54], None)]
)
def test_a_merge_weight_that_forgets_general_english_gives_way_to_the_next_best(
    scores: list[float],
    weight: float | None,
    base: SentenceTransformerEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = TrainingSettings(guard_tolerance=0.005)
    attempt = decide._Attempt([], base, tmp_path, settings, lambda *_: None, None, served_hybrid, False)
    attempt._model = None
    upcoming = iter(scores)
    monkeypatch.setattr(decide.guard, "guard_score", lambda model: next(upcoming))
    monkeypatch.setattr(attempt, "_load", lambda *_: None)
    if weight is None:
        with pytest.raises(decide.Refused, match="lost general English"):
            attempt._guarded([1.0, 0.5], None, {})
    else:
        assert attempt._guarded([1.0, 0.5], None, {}) == weight
    assert attempt.report["guard"]["base"] == 0.55
