"""A ranker learnt from judgments: kept when it proves itself on unseen queries, else the ranking stays as it is."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from conftest import DIRECTION, FakeEncoder, write_release
from hypothesis import given
from hypothesis import strategies as st

from indexer.evaluation.engine_run import EngineRun, evaluate_engine
from indexer.learning import learn_ranker, with_ranker
from indexer.training import JudgedQueries
from search.engine import Engine
from search.errors import ReleaseDamaged
from search.product import Product
from search.ranker import FEATURES, Ranker
from search.release import open_release
from search.understanding import Understood

THINGS = 60


def thing(n: int) -> str:
    """Return an invented word without digits, which would be taken for a part number."""
    return f"zor{'abcdefghij'[n // 10]}x{'abcdefghij'[n % 10]}k"


def accessory_shop() -> list[Product]:
    """For each thing a case named after it, and the thing itself, which only its description names."""
    chance, products = random.Random(5), []
    for n in range(THINGS):
        for_case, for_real = (" ".join(chance.sample(sorted(DIRECTION), 4)) for _ in range(2))  # far from each other
        products.append(Product(f"case-{n}", f"{thing(n)} case", for_case))
        products.append(Product(f"real-{n}", f"Model {chr(65 + n % 26)}", f"The best {thing(n)} we make, {for_real}"))
    return products


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    layout = write_release(tmp_path_factory.mktemp("shop") / "release", accessory_shop())
    return Engine(open_release(layout), FakeEncoder)


def judged_by(wanted: list[str]) -> JudgedQueries:
    """Return judgments in which query n wants "case" or "real" n and not the other."""
    queries = {f"q{n}": thing(n) for n in range(len(wanted))}
    judgments = {f"q{n}": {f"case-{n}": 3.0 * (w == "case"), f"real-{n}": 3.0 * (w == "real")}
                 for n, w in enumerate(wanted)}  # fmt: skip
    return JudgedQueries(queries, judgments)


def plain_answers(engine: Engine, judged: JudgedQueries) -> EngineRun:
    return evaluate_engine(engine, judged.queries, judged.judgments)


def learnt(engine: Engine, judged: JudgedQueries) -> tuple[Ranker | None, dict]:
    return learn_ranker(engine, judged, plain_answers(engine, judged), lambda what, done, total: None)


def test_where_titles_name_accessories_the_ranker_learns_it_and_is_adopted(engine: Engine) -> None:
    judged = judged_by(["real"] * THINGS)
    assert plain_answers(engine, judged).evaluation.intervals["nDCG@10"].mean < 0.7
    ranker, report = learnt(engine, judged)
    assert ranker is not None and report["adopted"]
    assert report["comparison"]["metrics"]["nDCG@10"]["b"] > 0.95  # on queries it had not learnt from
    assert report["weights"]["title_coverage"] < 0
    assert with_ranker(engine, ranker).rank(thing(7))[0][:2] == ["real-7", "case-7"]


def test_judgments_without_a_pattern_teach_nothing_that_is_kept(engine: Engine) -> None:
    wanted = ["case", "real"] * (THINGS // 2)
    random.Random(3).shuffle(wanted)
    ranker, report = learnt(engine, judged_by(wanted))
    assert ranker is None
    assert "stays as it is" in report["reason"]


def test_few_judgments_teach_nothing(engine: Engine) -> None:
    ranker, report = learnt(engine, judged_by(["real"] * 20))
    assert ranker is None
    assert report == {
        "adopted": False,
        "reason": "20 judged queries have a relevant product; a ranker needs at least 50",
    }


def test_the_same_judgments_teach_the_same_weights(engine: Engine) -> None:
    judged = judged_by(["real"] * THINGS)
    assert learnt(engine, judged)[1] == learnt(engine, judged)[1]


def test_a_ranker_reorders_the_head_and_nothing_else(engine: Engine) -> None:
    ranker, _ = learnt(engine, judged_by(["real"] * THINGS))
    before, after = (
        engine.scored(Understood(thing(7), thing(7)), "hybrid"),
        with_ranker(engine, ranker).scored(Understood(thing(7), thing(7)), "hybrid"),
    )
    assert before.head.tolist() == after.head.tolist()
    assert after.head_scores.max() == pytest.approx(before.head_scores.max(), abs=1e-5)
    assert after.head_scores.min() >= before.head_scores.min() - 1e-5
    same = engine.search(thing(7)).as_json(), with_ranker(engine, ranker).search(thing(7)).as_json()
    assert same[0]["total"] == same[1]["total"] and same[0]["facets"] == same[1]["facets"]
    assert with_ranker(engine, ranker).rank(thing(7), "dense")[0] == engine.rank(thing(7), "dense")[0]


@given(st.lists(st.floats(0, 1, width=32), min_size=0, max_size=20))
def test_reranked_scores_stay_within_the_range_they_replace(values: list[float]) -> None:
    scores = np.array(values, np.float32)
    features = np.random.default_rng(1).normal(size=(len(values), len(FEATURES)))
    ranker = Ranker(np.zeros(len(FEATURES)), np.ones(len(FEATURES)), np.ones(len(FEATURES)))
    found = ranker.reranked(scores, features)
    assert found.shape == scores.shape and found.dtype == np.float32
    if len(values):
        assert found.min() >= scores.min() - 1e-6 and found.max() <= scores.max() + 1e-6


def test_a_ranker_survives_the_disk(tmp_path: Path) -> None:
    size = len(FEATURES)
    Ranker(np.arange(size) / 7, np.ones(size), np.arange(size) - 3.5).save(tmp_path / "ranker.json")
    found = Ranker.load(tmp_path / "ranker.json")
    assert found is not None and found.weights.tolist() == (np.arange(size) - 3.5).tolist()
    assert Ranker.load(tmp_path / "none.json") is None


GOOD = {name: {"mean": 0.0, "scale": 1.0, "weight": 1.0} for name in FEATURES}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", json.dumps({**GOOD, "other": GOOD["words"]}), json.dumps({**GOOD, "words": {"mean": 0}}),
     json.dumps({**GOOD, "words": {"mean": 0, "scale": 0, "weight": 1}}),
     json.dumps({**GOOD, "words": {"mean": 0, "scale": 1, "weight": float("nan")}})],
)  # fmt: skip
def test_a_damaged_ranker_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "ranker.json").write_text(text)
    with pytest.raises(ReleaseDamaged, match=r"ranker\.json"):
        Ranker.load(tmp_path / "ranker.json")
