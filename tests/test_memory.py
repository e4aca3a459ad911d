"""Past queries are remembered where that proves itself: one asked in other words finds what it led to."""

from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from conftest import MEANINGS, FakeEncoder, write_release
from hypothesis import given
from hypothesis import strategies as st

from indexer.evaluation.engine_run import evaluate_engine
from indexer.learning import Learnt, learn, with_learnt
from indexer.training import JudgedQueries
from search.arrays import unit_rows
from search.engine import Engine
from search.errors import ReleaseDamaged
from search.memory import FLOOR, STRENGTH, QueryMemory
from search.product import Product
from search.release import open_release

PAIRS = list(combinations([line.split() for line in MEANINGS if len(line.split()) > 1], 2))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A shop whose best answers share no word and no meaning with the queries; what does share them is second best."""
    names = [f"zor{'abcdefghij'[n // 10]}x{'abcdefghij'[n % 10]}k" for n in range(len(PAIRS))]
    products = [Product(f"liked-{n}", f"Model {name}") for n, name in enumerate(names)]
    products += [Product(f"near-{n}", f"{first[0]} {second[0]}") for n, (first, second) in enumerate(PAIRS)]
    layout = write_release(tmp_path_factory.mktemp("memory") / "release", products)
    return Engine(open_release(layout), FakeEncoder)


def judged(liked: list[int]) -> JudgedQueries:
    """Return two queries a pair, alike in meaning and in no word; pair n likes product liked[n]."""
    queries, judgments = {}, {}
    for n, (first, second) in enumerate(PAIRS):
        for wording in (0, 1):
            queries[f"q{n}-{wording}"] = f"{first[wording]} {second[wording]}"
            judgments[f"q{n}-{wording}"] = {f"liked-{liked[n]}": 3.0, f"near-{n}": 1.0}
    return JudgedQueries(queries, judgments)


def learnt(engine: Engine, given: JudgedQueries) -> Learnt:
    plain = evaluate_engine(engine, given.queries, given.judgments)
    return learn(engine, given, plain, lambda what, done, total: None)


def test_what_a_query_led_to_is_found_by_one_in_other_words(engine: Engine) -> None:
    found = learnt(engine, judged(list(range(len(PAIRS)))))
    assert found.memory is not None and found.memory_report["adopted"]
    assert found.memory_report["comparison"]["metrics"]["nDCG@10"]["b"] > 0.6  # queries it had not learnt from
    first, second = PAIRS[5]
    asked = f"{first[1]} {second[0]}"  # a wording that no judged query has
    remembering = with_learnt(engine, found.memory, None)
    assert "liked-5" not in engine.rank(asked)[0][:10]
    assert "liked-5" in remembering.rank(asked)[0][:2]
    results = remembering.search(asked)
    assert "liked-5" in [hit.id for hit in results.hits[:2]] and results.confidence == "good"
    assert remembering.rank(asked, "lexical")[0] == engine.rank(asked, "lexical")[0]


def test_likes_that_do_not_carry_over_are_not_remembered(engine: Engine) -> None:
    given = judged(list(range(len(PAIRS))))
    chance = random.Random(4)
    for grades in given.judgments.values():  # each query likes something else, its double nothing of it
        grades.clear()
        grades[f"liked-{chance.randrange(len(PAIRS))}"] = 3.0
    for n in range(len(PAIRS)):
        given.judgments[f"q{n}-0"][f"near-{n}"] = 3.0
        given.judgments[f"q{n}-1"][f"near-{n}"] = 3.0
    found = learnt(engine, given)
    assert found.memory is None and "No query is remembered" in found.memory_report["reason"]


def test_neighbours_are_heard_by_how_near_they_are() -> None:
    vectors = unit_rows(np.array([[1, 0, 0], [0.9, (1 - 0.81) ** 0.5, 0], [0, 0, 1]], np.float32))
    memory = QueryMemory.of(vectors, [{7: 1.0}, {7: 1.0, 2: 0.5}, {9: 1.0}])
    rows, recall = memory.recalled(np.array([1, 0, 0], np.float32))
    assert rows.tolist() == [2, 7]  # the third query is far
    say = (0.9 - FLOOR) / (1 - FLOOR)
    assert recall == pytest.approx([say * 0.5, 1.0], abs=1e-5)
    assert STRENGTH == 1.0  # what the same query led to outdoes every other score


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4), min_size=1, max_size=8))
def test_recall_stays_between_0_and_1(queries: list[list[float]]) -> None:
    vectors = unit_rows(np.array(queries, np.float32))
    memory = QueryMemory.of(vectors, [{row: 1.0 / (row + 1) for row in range(3)}] * len(queries))
    rows, recall = memory.recalled(vectors[0])
    assert (np.diff(rows) > 0).all()
    assert ((recall >= 0) & (recall <= 1 + 1e-6)).all()


def test_a_memory_survives_the_disk_and_a_release_without_one_has_none(tmp_path: Path) -> None:
    QueryMemory.of(np.eye(2, dtype=np.float32), [{1: 0.5}, {}]).save(tmp_path / "memory")
    found = QueryMemory.load(tmp_path / "memory", 2, 5)
    assert found is not None and found.rows.tolist() == [1] and found.offsets.tolist() == [0, 1, 1]
    assert QueryMemory.load(tmp_path / "none", 2, 5) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [("vectors", np.eye(3, dtype=np.float32)), ("offsets", np.array([0, 9, 1], np.int64)),
     ("rows", np.array([5], np.int64)), ("gains", np.array([0.5], np.float64)), ("rows", b"cut off"), ("gains", None)],
)  # fmt: skip
def test_a_damaged_memory_is_an_error_that_names_the_folder(tmp_path: Path, name: str, content: object) -> None:
    QueryMemory.of(np.eye(2, dtype=np.float32), [{1: 0.5}, {}]).save(tmp_path / "memory")
    path = tmp_path / "memory" / f"{name}.npy"
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(ReleaseDamaged, match=r"memory|remembered"):
        QueryMemory.load(tmp_path / "memory", 2, 5)
