"""Quality against the share of the training pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_training_decide import QUICK, invented_shop

from indexer.training.curve import LearningCurve, learning_curve
from indexer.training.plan import Refused
from search.encoder import open_encoder


def quiet(what: str, done: int, total: int) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> LearningCurve:
    settings = replace(QUICK, pairs_per_product=2.5)
    folder = tmp_path_factory.mktemp("curve")
    found = learning_curve(invented_shop(), open_encoder(), folder, settings, [1.0, 0.2], None, quiet)
    assert list(folder.iterdir()) == []
    return found


@pytest.mark.slow
def test_more_pairs_teach_more_where_there_is_something_to_learn(curve: LearningCurve) -> None:
    few, all_pairs = curve.points
    assert (few.share, all_pairs.share) == (0.2, 1.0)
    assert few.pairs % QUICK.batch == 0 and few.pairs == pytest.approx(0.2 * all_pairs.pairs, abs=QUICK.batch)
    assert all_pairs.change["dense"].low > 0
    assert few.gain is None and all_pairs.gain is not None and all_pairs.gain["dense"].low > 0


@pytest.mark.slow
def test_a_points_quality_is_the_bases_plus_its_change(curve: LearningCurve) -> None:
    for point in curve.points:
        for leg in ("dense", "hybrid"):
            assert point.quality[leg] == pytest.approx(curve.base[leg] + point.change[leg].mean, abs=1e-4)


def test_a_catalog_too_small_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="too few"):
        learning_curve(invented_shop()[:20], open_encoder(), tmp_path, QUICK, [1.0], None, quiet)
