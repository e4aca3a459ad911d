"""Confidence: what nothing here answers is told from what something does, and damage is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import DIRECTION, SHOP, FakeEncoder, open_engine, write_release

from indexer.calibration import LEAST_QUERIES, MANY_WORDS, background_of, calibrate, foreign_queries, word_index
from search.arrays import unit_rows
from search.confidence import Calibration, Confidence
from search.engine import Engine
from search.errors import ReleaseDamaged
from search.home import Home


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return open_engine(write_release(tmp_path_factory.mktemp("shop") / "release", SHOP))


def calibrated(engine: Engine, queries: list[str]) -> Confidence:
    release = engine.release
    background = background_of(FakeEncoder(), Home(Path("no-such-home")))
    return calibrate(queries, FakeEncoder(), release.dense, release.segments, release.lexical, background)


def test_one_unanswerable_query_in_ten_is_called_good(engine: Engine) -> None:
    queries = [f"insurance {word}{n}" for n, word in enumerate(list(DIRECTION) * 3)]
    confidence = calibrated(engine, queries)
    assert confidence.calibration.queries == len(queries) >= LEAST_QUERIES
    scores = []
    for text, vector in zip(queries, FakeEncoder().encode_queries(queries), strict=True):
        terms = tuple(engine.release.lexical.query_terms(text))
        best = max(
            float(engine.release.dense.scores(vector).max()),
            float(engine.release.segments.closest(vector, np.arange(engine.release.rows)).max()),
        )
        coverage = float(engine.release.lexical.coverage(text).max())
        scores.append(confidence.score(vector, best, engine.release.lexical.best_title_coverage(terms), coverage))
    assert np.mean([score > 0.5 for score in scores]) <= 0.11


def test_queries_that_titles_answer_do_not_count(engine: Engine) -> None:
    hopeless = [f"pension number {'abcdefghijklmnopqrstuvwxyz'[n % 26] * 3}{n}" for n in range(LEAST_QUERIES)]
    assert calibrated(engine, [*hopeless, "travel mug", "desk lamp"]).calibration.queries == LEAST_QUERIES


def test_too_few_queries_leave_the_documented_defaults(engine: Engine) -> None:
    assert calibrated(engine, ["pet insurance"]).calibration == Calibration()


def test_a_score_rises_with_closeness_and_shared_words_and_stays_between_0_and_1() -> None:
    confidence, vector = Confidence(Calibration()), np.array([1.0, 0.0], np.float32)
    closer = [confidence.score(vector, best, 0.0, 0.0) for best in (-1.0, 0.1, 0.4, 1.0)]
    assert closer == sorted(closer)
    assert all(0 <= score <= 1 for score in closer)
    assert confidence.score(vector, 0.1, 1.0, 1.0) > confidence.score(vector, 0.1, 0.0, 1.0) > closer[1]


def test_a_query_near_a_word_of_the_background_is_less_sure() -> None:
    background = background_of(FakeEncoder(), Home(Path("no-such-home")))
    known, unknown = FakeEncoder().encode_queries(["mug", "quux"])
    confidence = Confidence(Calibration(), background)
    assert confidence.score(known, 0.4, 0, 0) < confidence.score(known, 0.9, 0, 0)
    assert confidence.margin(known, 0.5, 0, 0) < Confidence(Calibration()).margin(known, 0.5, 0, 0)
    assert known.shape == unknown.shape


def test_foreign_queries_are_many_distinct_and_not_the_ones_it_is_measured_with() -> None:
    foreign = foreign_queries()
    assert len(foreign) == len(set(foreign)) > 150
    folder = Path(__file__).parents[1] / "bench" / "confidence"
    measured = {line for path in folder.glob("*.txt") for line in path.read_text("utf-8").splitlines()}
    assert len(measured) > 300
    assert not measured & set(foreign)


def test_a_release_remembers_its_confidence(tmp_path: Path) -> None:
    confidence = Confidence(Calibration(0.3, 0.1, 0.4, 99), background_of(FakeEncoder(), Home(tmp_path)))
    confidence.save(tmp_path / "confidence")
    again = Confidence.load(tmp_path / "confidence")
    assert again.calibration == confidence.calibration
    vector = FakeEncoder().encode_queries(["mug"])[0]
    assert again.score(vector, 0.5, 0, 0) == confidence.score(vector, 0.5, 0, 0)


def test_many_words_are_read_in_two_passes_that_find_the_nearest_one(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    words = unit_rows(random.standard_normal((MANY_WORDS, 64)))
    queries = unit_rows(words[:50] + 0.1 * random.standard_normal((50, 64)))
    Confidence(Calibration(), word_index(words)).save(tmp_path / "confidence")
    background = Confidence.load(tmp_path / "confidence").background
    exact = background.reconstruct_n(0, MANY_WORDS)
    np.testing.assert_allclose(exact, words, atol=0.01)  # 8 bits a value
    assert background.base_index.ntotal == MANY_WORDS
    for word, query in enumerate(queries):
        score, nearest = background.search(query[None, :], 1)
        assert nearest[0, 0] == word
        assert score[0, 0] == pytest.approx(exact[word] @ query, abs=1e-5)


@pytest.mark.parametrize("text", ["", "[]", '{"center": "x"}', '{"scale": 0}', '{"other": 1}', '{"scale": -1}'])
def test_a_damaged_calibration_is_named(tmp_path: Path, text: str) -> None:
    Confidence(Calibration()).save(tmp_path / "confidence")
    (tmp_path / "confidence" / "calibration.json").write_text(text)
    with pytest.raises(ReleaseDamaged, match="build the release again"):
        Confidence.load(tmp_path / "confidence")


def test_a_damaged_background_is_named(tmp_path: Path) -> None:
    Confidence(Calibration(), background_of(FakeEncoder(), Home(tmp_path))).save(tmp_path / "confidence")
    (tmp_path / "confidence" / "background.faiss").write_bytes(b"not an index")
    with pytest.raises(ReleaseDamaged, match="build the release again"):
        Confidence.load(tmp_path / "confidence")


def test_the_api_says_how_sure_it_is(engine: Engine) -> None:
    sure, unsure = (engine.search(q).as_json() for q in ("travel mug", "zzyzx quux"))
    assert (sure["confidence"], unsure["confidence"]) == ("good", "weak")
    assert 0 <= unsure["confidence_score"] < 0.5 <= sure["confidence_score"] <= 1
    assert json.dumps(sure)
