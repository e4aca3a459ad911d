"""Held-out products: whole groups, never in training."""

from __future__ import annotations

import numpy as np

from indexer.training.split import groups_of, split_by_group
from search.arrays import unit_rows
from search.product import Product


def test_variants_equal_titles_and_near_duplicates_form_one_group_and_chains_join() -> None:
    products = [
        Product("a", "Red mug", group_id="g1"),
        Product("b", "Cup, scarlet", group_id="g1"),
        Product("c", "RED MUG!"),
        Product("d", "Oak table"),
        Product("e", "Oaken table"),
        Product("f", "Steel kettle"),
    ]
    titles = np.eye(6, dtype=np.float32)
    titles[4] = [0, 0, 0, 0.99, np.sqrt(1 - 0.99**2), 0]  # e is almost d
    groups = groups_of(products, titles, 0.95)
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[4]
    assert len(set(groups)) == 3


def test_titles_just_under_the_threshold_stay_apart() -> None:
    titles = np.array([[1, 0], [0.94, np.sqrt(1 - 0.94**2)]], np.float32)
    assert groups_of([Product("a", "one"), Product("b", "two")], titles, 0.95) == [0, 1]


def test_groups_are_the_same_when_they_cross_the_comparison_blocks() -> None:
    rng = np.random.default_rng(0)
    titles = unit_rows(rng.normal(size=(2_300, 24)))
    titles[2_250] = titles[3]
    groups = groups_of([Product(str(n), f"title {n}") for n in range(2_300)], titles, 0.95)
    assert groups[2_250] == groups[3] and len(set(groups)) == 2_299


def test_no_group_straddles_training_selection_and_gate() -> None:
    rng = np.random.default_rng(1)
    rows = list(range(100, 1_100))
    groups = rng.integers(0, 400, 1_000).tolist()
    split = split_by_group(rows, groups, 250, seed=7)
    assert sorted(split.training + split.held_out) == rows
    group_of = dict(zip(rows, groups, strict=True))
    parts = [{group_of[row] for row in part} for part in (split.training, split.selection, split.gate)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert 110 <= len(split.selection) <= 125 and 110 <= len(split.gate) <= 125


def test_a_group_too_large_to_be_evidence_always_trains() -> None:
    groups = [0] * 60 + list(range(1, 141))
    for seed in range(5):
        split = split_by_group(range(200), groups, 80, seed)
        assert set(range(60)) <= set(split.training)


def test_the_split_depends_on_the_seed_alone() -> None:
    groups = list(range(100))
    assert split_by_group(range(100), groups, 40, 1) == split_by_group(range(100), groups, 40, 1)
    assert split_by_group(range(100), groups, 40, 1) != split_by_group(range(100), groups, 40, 2)
