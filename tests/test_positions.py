"""The map: near is alike, whatever the catalog; and a map that stays when products are added."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness

from indexer import neighbors, positions
from indexer.positions import map_positions, placed, principal_plane
from search.arrays import unit_rows


def shop(kinds: int, each: int, dim: int = 48, noise: float = 0.08) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, d) vectors scattered around one direction per kind, kinds in turn, and (n,) the kind of each."""
    random = np.random.default_rng(5)
    kind_of = np.arange(kinds * each) % kinds
    directions = unit_rows(random.standard_normal((kinds, dim)))
    return unit_rows(directions[kind_of] + noise * random.standard_normal((len(kind_of), dim))), kind_of


def nearest_on_map(places: np.ndarray, count: int) -> np.ndarray:
    """Return (n, count) the nearest other rows on the map."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1)[:, :count]


def assert_sound(places: np.ndarray, count: int) -> None:
    """Check what holds for every map."""
    assert places.shape == (count, 2) and places.dtype == np.float32
    assert np.isfinite(places).all() and np.abs(places).max() <= 1


def benchmark() -> ModuleType:
    """Return bench/map_layout.py, which is no package."""
    path = Path(__file__).resolve().parents[1] / "bench" / "map_layout.py"
    spec = importlib.util.spec_from_file_location("map_layout", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kinds_become_islands_that_fill_the_square():
    embeddings, kind_of = shop(kinds=20, each=30)
    places = map_positions(embeddings)
    assert_sound(places, 600)
    assert (kind_of[nearest_on_map(places, 15)] == kind_of[:, None]).mean() > 0.98
    assert np.ptp(places, axis=0).max() > 1.8 and np.ptp(places, axis=0).min() > 1.2
    assert trustworthiness(embeddings, places, n_neighbors=15) > 0.95
    assert trustworthiness(embeddings, principal_plane(embeddings), n_neighbors=15) < 0.9


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7, 8, 10, 16, 17, 40])
def test_the_smallest_catalogs_have_a_map_on_which_no_product_covers_another(count):
    embeddings = unit_rows(np.random.default_rng(1).standard_normal((count, 32)))
    places = map_positions(embeddings, [np.zeros(count, np.int32), np.arange(count, dtype=np.int32)])
    assert_sound(places, count)
    assert len(np.unique(places, axis=0)) == count
    assert count == 1 or np.abs(places).max() > 0.8


def test_one_product_lies_in_the_middle():
    assert map_positions(np.eye(1, 8, dtype=np.float32)).tolist() == [[0.0, 0.0]]


def test_of_ten_products_in_two_kinds_each_is_nearest_to_its_own_kind():
    embeddings, kind_of = shop(kinds=2, each=5)
    assert (kind_of[nearest_on_map(map_positions(embeddings), 4)] == kind_of[:, None]).all()


@pytest.mark.parametrize("vector", [np.zeros(8, np.float32), np.eye(8, dtype=np.float32)[3]])
def test_products_with_the_same_vector_share_a_small_disc_and_none_covers_another(vector):
    places = map_positions(np.tile(vector, (60, 1)))
    assert_sound(places, 60)
    assert len(np.unique(places, axis=0)) == 60
    assert np.linalg.norm(places, axis=1).max() <= 0.2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(range(-2, 12)), min_size=1, max_size=60))
def test_any_mix_of_equal_and_empty_vectors_has_a_map(axes):
    rows = {-1: np.zeros(12), -2: -np.zeros(12)}
    embeddings = np.array([rows.get(axis, np.eye(12)[max(axis, 0)]) for axis in axes], np.float32)
    places = map_positions(embeddings, [np.maximum(axes, -1).astype(np.int32)])
    assert_sound(places, len(axes))
    assert len(np.unique(places, axis=0)) == len(axes)


def test_vectors_that_differ_by_rounding_only_have_a_map():
    random = np.random.default_rng(2)
    embeddings = unit_rows(np.eye(16)[np.arange(400) % 2] + 1e-7 * random.standard_normal((400, 16)))
    levels = [np.arange(400, dtype=np.int32) % 20]
    assert_sound(map_positions(embeddings, levels), 400)


def test_the_same_catalog_gives_the_same_map_whatever_the_thread_count():
    embeddings, kind_of = shop(kinds=12, each=30)
    threads = faiss.omp_get_max_threads()
    try:
        faiss.omp_set_num_threads(1)
        one = map_positions(embeddings, [kind_of.astype(np.int32)])
        faiss.omp_set_num_threads(2)
        other = map_positions(embeddings.copy(), [kind_of.astype(np.int32)])
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(threads)
    np.testing.assert_array_equal(one, other)


def test_groups_start_beside_the_groups_they_belong_with():
    embeddings, leaf_of = shop(kinds=40, each=10)
    top_of = leaf_of % 4  # nothing in the vectors says so
    start = positions._start(embeddings, [top_of.astype(np.int32), leaf_of.astype(np.int32)])[0]
    nearest = nearest_on_map(start, 30)
    assert (leaf_of[nearest[:, :9]] == leaf_of[:, None]).mean() > 0.98
    assert (top_of[nearest] == top_of[:, None]).mean() > 0.8
    alone = positions._start(embeddings, [leaf_of.astype(np.int32)])[0]
    assert (top_of[nearest_on_map(alone, 30)] == top_of[:, None]).mean() < 0.6


def test_an_outlier_does_not_squeeze_the_others_and_the_aspect_stays():
    random = np.random.default_rng(4)
    flat = np.vstack([random.uniform((-2, -1), (2, 1), (1000, 2)), [[1e6, 0.5]]])
    fitted = positions._fitted(flat)
    assert np.abs(fitted).max() <= 1
    width, height = np.ptp(fitted[:1000], axis=0)
    assert width > 1.85
    assert width / height == pytest.approx(2, rel=0.05)
    assert fitted[-1, 0] == fitted[:, 0].max() == pytest.approx(1)


def test_progress_is_reported_to_the_end():
    heard = []
    map_positions(shop(kinds=6, each=20)[0], on_progress=lambda *said: heard.append(said))
    assert heard[0] == ("finding neighbors", 0, 120)
    laid = [done for what, done, total in heard if what == "laying out the map" and total == 300]  # 100 and 200
    assert laid == list(range(10, 301, 10))


def test_neighbours_sought_in_cells_are_nearly_those_of_an_exact_search(monkeypatch):
    embeddings, _ = shop(kinds=40, each=50)
    exact = positions._neighbour_graph(embeddings, None) > 0
    monkeypatch.setattr(neighbors, "EXACT_BELOW", 1_000)
    by_cells = positions._neighbour_graph(embeddings, None) > 0
    assert (exact != by_cells).nnz < 0.1 * exact.nnz


def test_cells_of_very_unlike_sizes_leave_no_product_without_a_place(monkeypatch):
    random = np.random.default_rng(8)
    crowd = unit_rows(np.eye(32)[0] + 1e-4 * random.standard_normal((900, 32)))
    embeddings = np.vstack([crowd, unit_rows(random.standard_normal((120, 32)))])
    monkeypatch.setattr(neighbors, "EXACT_BELOW", 100)
    monkeypatch.setattr(neighbors, "PROBES", 1)
    places = map_positions(embeddings)
    assert_sound(places, 1020)
    known = np.where(np.arange(1020)[:, None] % 3 == 0, np.nan, places).astype(np.float32)
    assert_sound(placed(embeddings, known), 1020)


def test_known_products_stay_and_new_ones_join_their_kind():
    embeddings, kind_of = shop(kinds=12, each=40)
    is_new = np.arange(480) % 17 == 0
    known = np.full((480, 2), np.nan, np.float32)
    known[~is_new] = map_positions(embeddings[~is_new])
    grown = placed(embeddings, known)
    assert_sound(grown, 480)
    np.testing.assert_array_equal(grown[~is_new], known[~is_new])
    assert (kind_of[nearest_on_map(grown, 15)[is_new]] == kind_of[is_new, None]).mean() > 0.95
    np.testing.assert_array_equal(placed(embeddings, known), grown)
    assert np.isnan(known[is_new]).all()


def test_a_new_product_lies_on_an_island_not_in_the_sea_between_two():
    embeddings = unit_rows(np.array([[1, 0.0], [1, 0.1], [1, 0.2], [0, 1], [0.1, 1], [1, 0.8]]))
    known = np.array([[-0.9, 0], [-0.9, 0.1], [-0.8, 0], [0.9, 0], [0.9, 0.1], [np.nan, np.nan]], np.float32)
    place = placed(embeddings, known)[-1]
    assert np.linalg.norm(known[:5] - place, axis=1).min() < 0.1


def test_new_products_cover_neither_each_other_nor_their_twin():
    embeddings = np.eye(8, dtype=np.float32)[[0, 1, 2, 0, 0, 0, 0]]
    known = np.full((7, 2), np.nan, np.float32)
    known[:3] = [[0.5, 0.5], [-0.5, 0], [1, -1]]
    assert len(np.unique(placed(embeddings, known), axis=0)) == 7


@pytest.mark.parametrize("old", [1, 2, 7, 8])
def test_few_known_products_are_enough_to_place_the_rest(old):
    embeddings = np.vstack([np.eye(7), np.zeros((1, 7))]).astype(np.float32)
    known = np.full((8, 2), np.nan, np.float32)
    known[:old] = np.linspace(-1, 1, 2 * old).reshape(old, 2)
    assert_sound(placed(embeddings, known), 8)


def test_placing_with_nothing_known_or_another_shape_says_what_to_do():
    with pytest.raises(ValueError, match="map_positions"):
        placed(np.eye(3, dtype=np.float32), np.full((3, 2), np.nan, np.float32))
    with pytest.raises(ValueError, match=r"\(2, 2\) for 3 vectors"):
        placed(np.eye(3, dtype=np.float32), np.zeros((2, 2), np.float32))


def test_the_benchmark_measures_trustworthiness_as_scikit_learn_does():
    bench, random = benchmark(), np.random.default_rng(6)
    embeddings = unit_rows(random.standard_normal((200, 16)))
    places = (embeddings[:, :2] + 0.2 * random.standard_normal((200, 2))).astype(np.float32)
    trust, continuity, kept = bench.neighbourhood_scores(embeddings, places, np.arange(200))
    assert trust == pytest.approx(trustworthiness(embeddings, places, n_neighbors=15))
    assert continuity == pytest.approx(trustworthiness(places, embeddings, n_neighbors=15))
    far = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    np.fill_diagonal(far, np.inf)
    wanted = np.argsort(far, axis=1)[:, :15]
    shared = [len(set(a) & set(b)) for a, b in zip(wanted.tolist(), nearest_on_map(places, 15).tolist(), strict=True)]
    assert kept == pytest.approx(np.mean(shared) / 15)
    halves = [bench.neighbourhood_scores(embeddings, places, rows)[0] for rows in (np.arange(100), np.arange(100, 200))]
    assert trust == pytest.approx(np.mean(halves))
