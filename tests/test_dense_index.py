"""The dense index of a larger catalog: two passes that find what the exact search finds, and say how surely."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray
from shop_fixtures import Shop

from indexer import dense_index as builder
from indexer.dense_index import dense_index, queries_like
from search.arrays import best_rows, unit_rows
from search.dense import DenseIndex
from search.errors import ReleaseDamaged
from search.first_pass import FirstPass
from search.home import Layout
from search.release import verify

ROWS, DIM = 9_000, 24
Vectors = NDArray[np.float32]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """(ROWS, DIM) unit rows around 60 centres; every hundredth is the row before it again."""
    random = np.random.default_rng(11)
    centres = random.normal(size=(60, DIM))
    found = unit_rows(centres[random.integers(60, size=ROWS)] + 0.5 * random.normal(size=(ROWS, DIM)))
    found[100::100] = found[99:-1:100]
    return found


@pytest.fixture(scope="module")
def queries() -> Vectors:
    return unit_rows(np.random.default_rng(12).normal(size=(40, DIM)))


@pytest.fixture(scope="module")
def whole(vectors: Vectors, queries: Vectors) -> DenseIndex:
    """Every code read."""
    return dense_index(vectors, "float32", lambda: queries)


@pytest.fixture(scope="module")
def shorter(vectors: Vectors, queries: Vectors) -> DenseIndex:
    """Without the last row."""
    return dense_index(vectors[:-1], "float32", lambda: queries)


@pytest.fixture(scope="module")
def celled(vectors: Vectors, queries: Vectors) -> DenseIndex:
    """As if these were very many: some cells read."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(builder, "WHOLE", 1_000)
        return dense_index(vectors, "float32", lambda: queries)


@pytest.fixture(scope="module")
def flat() -> Vectors:
    """(ROWS, DIM) unit rows most of whose length lies along a third of the dimensions, turned."""
    random = np.random.default_rng(21)
    turn, _ = np.linalg.qr(random.normal(size=(DIM, DIM)))
    lengths = np.where(np.arange(DIM) < DIM // 3, 1, 0.01)
    return unit_rows((random.normal(size=(ROWS, DIM)) * lengths) @ turn)


@pytest.fixture(scope="module")
def cut(flat: Vectors) -> DenseIndex:
    """As if these were many: coded by half of their dimensions."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(builder, "CUT", 1_000)
        return dense_index(flat, "float32", lambda: flat[:40])


def exact(vectors: Vectors, query: Vectors, count: int, allowed: NDArray[np.bool_] | None = None) -> list[int]:
    scores = vectors @ query if allowed is None else np.where(allowed, vectors @ query, -np.inf)
    return best_rows(scores, min(count, len(vectors) if allowed is None else int(allowed.sum()))).tolist()


def recall(index: DenseIndex, vectors: Vectors, queries: Vectors, allowed: NDArray[np.bool_] | None = None) -> float:
    shares = []
    for query in queries:
        expected = exact(vectors, query, 100, allowed)
        shares.append(len(set(expected) & set(index.search(query, 100, allowed)[0].tolist())) / len(expected))
    return float(np.mean(shares))


def test_few_vectors_are_read_whole_and_many_in_two_passes(vectors: Vectors, whole: DenseIndex) -> None:
    assert dense_index(vectors[:500], "float32", lambda: vectors[:0]).plan is None
    assert whole.plan is not None
    assert (whole.plan.cells, whole.plan.probes, whole.precision) == (1, 1, "float32")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.3, 0.7, 1.0])
def test_two_passes_find_what_brute_force_finds(
    vectors: Vectors, queries: Vectors, whole: DenseIndex, share: float
) -> None:
    allowed = np.random.default_rng(5).random(ROWS) < share
    for query in queries[:10]:
        rows, scores = whole.search(query, 50, allowed)
        expected = exact(vectors, query, 50, allowed)
        assert len(set(expected) & set(rows.tolist())) >= 0.98 * len(expected) and len(rows) == len(expected)
        assert scores == pytest.approx(vectors[rows] @ query, abs=1e-5)
        assert allowed[rows].all() and (np.diff(scores) <= 0).all()


def test_equal_vectors_come_in_row_order(vectors: Vectors, whole: DenseIndex) -> None:
    for row in (99, 4_299, 8_899):
        rows, scores = whole.search(vectors[row], 2)
        assert rows.tolist() == [row, row + 1]
        assert scores[0] == scores[1] == pytest.approx(1, abs=1e-5)


def test_more_rows_than_there_are_come_back_as_all(vectors: Vectors, queries: Vectors, whole: DenseIndex) -> None:
    assert sorted(whole.search(queries[0], 10 * ROWS)[0].tolist()) == list(range(ROWS))


def test_the_recall_that_a_release_tells_is_kept_by_other_queries(vectors: Vectors, celled: DenseIndex) -> None:
    plan = celled.plan
    assert plan is not None
    assert plan.cells == 94 and 8 <= plan.probes < plan.cells
    assert plan.recall["top"] >= 0.99 and plan.recall["filtered"] >= 0.99
    others = unit_rows(np.random.default_rng(77).normal(size=(40, DIM)))
    assert recall(celled, vectors, others) >= 0.98


def test_a_filter_far_from_most_queries_loses_nothing(
    vectors: Vectors, queries: Vectors, celled: DenseIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like a category: allowed are the neighbours of one row, and the cells nearest to a query may hold none."""
    monkeypatch.setattr("search.first_pass.ALWAYS_EXACT_IN_CELLS", 0)
    for row in (3, 500, 7_000):
        nearness = vectors @ vectors[row]
        assert recall(celled, vectors, queries, nearness >= np.quantile(nearness, 0.85)) >= 0.99


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_filter_of_rows_at_random_keeps_the_recall(
    vectors: Vectors, queries: Vectors, celled: DenseIndex, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.first_pass.ALWAYS_EXACT_IN_CELLS", 0)
    assert recall(celled, vectors, queries, np.random.default_rng(3).random(ROWS) < share) >= 0.98


def test_who_wants_all_found_has_every_cell_read(
    vectors: Vectors, queries: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "WHOLE", 1_000)
    plan = dense_index(vectors, "float32", lambda: queries, recall=1.0).plan
    assert plan is not None
    assert plan.probes == plan.filtered_probes == plan.cells == 94


def test_codes_are_of_half_the_dimensions_where_these_tell_enough(flat: Vectors, cut: DenseIndex) -> None:
    assert cut.plan is not None and cut.first is not None
    assert (cut.plan.dimensions, cut.first.index.d, cut.dim) == (DIM // 2, DIM // 2, DIM)
    assert cut.plan.recall["pool"] >= 0.999
    others = unit_rows(flat[40:80] + flat[80:120])
    assert recall(cut, flat, others) >= 0.99
    rows, scores = cut.search(others[0], 30)
    assert scores == pytest.approx(flat[rows] @ others[0], abs=3e-5)  # by the whole vectors
    assert recall(cut, flat, others, np.random.default_rng(3).random(ROWS) < 0.4) >= 0.99


def test_codes_are_of_all_dimensions_where_fewer_would_not_tell_enough(
    vectors: Vectors, queries: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "CUT", 1_000)
    built = dense_index(vectors, "float32", lambda: queries)
    assert built.plan is not None and built.first is not None
    assert (built.plan.dimensions, built.first.index.d) == (None, DIM)


def test_a_plan_that_was_measured_says_of_which_dimensions_codes_are_made(
    flat: Vectors, cut: DenseIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "CUT", 1_000)
    monkeypatch.setattr(builder, "measured_plan", None)
    again = dense_index(flat[:-3], "float32", lambda: flat[:40], plan=cut.plan)
    assert again.plan == cut.plan and again.first is not None and again.first.index.d == DIM // 2


def test_an_index_of_cut_vectors_survives_the_disk_and_is_refused_under_another_plan(
    flat: Vectors, cut: DenseIndex, tmp_path: Path
) -> None:
    cut.save(Layout(tmp_path))
    assert cut.plan is not None
    record = cut.plan.as_json()
    loaded = DenseIndex.load(Layout(tmp_path), {"precision": "float32", "search": record})
    for query in flat[:5]:
        assert loaded.search(query, 50)[0].tolist() == cut.search(query, 50)[0].tolist()
    for dimensions in (None, DIM):
        with pytest.raises(ReleaseDamaged, match="build the release again"):
            DenseIndex.load(Layout(tmp_path), {"precision": "float32", "search": {**record, "dimensions": dimensions}})


def test_vectors_turned_in_an_unknown_way_are_refused(flat: Vectors, cut: DenseIndex) -> None:
    assert cut.first is not None and cut.plan is not None
    centred, half = faiss.PCAMatrix(DIM, DIM // 2), cut.first.index
    centred.train(flat)
    twice = faiss.IndexPreTransform(half)
    for turn in (faiss.RandomRotationMatrix(DIM // 2, DIM // 2), faiss.RandomRotationMatrix(DIM, DIM // 2)):
        turn.init(1)
        twice.prepend_transform(turn)
    for stored in (faiss.IndexPreTransform(centred, half), twice):
        with pytest.raises(ReleaseDamaged, match="unknown way"):
            FirstPass(stored, cut.plan)
    with pytest.raises(ReleaseDamaged, match="IndexFlatIP is no first pass"):
        FirstPass(faiss.IndexFlatIP(DIM), cut.plan)


@pytest.mark.parametrize(("precision", "within"), [("float32", 3e-5), ("float16", 1e-3), ("int8", 0.01)])
def test_every_precision_survives_the_disk_and_scores_what_it_stores(
    vectors: Vectors, queries: Vectors, tmp_path: Path, precision: str, within: float
) -> None:
    built = dense_index(vectors, precision, lambda: queries)
    built.save(Layout(tmp_path))
    assert built.plan is not None
    loaded = DenseIndex.load(Layout(tmp_path), {"precision": precision, "search": built.plan.as_json()})
    assert (loaded.rows, loaded.dim, loaded.precision) == (ROWS, DIM, precision)
    assert (tmp_path / "embeddings.npy").exists() == (precision == "float32")
    rows, scores = loaded.search(queries[0], 30)
    assert scores == pytest.approx(vectors[rows] @ queries[0], abs=within)
    assert loaded.scores_of(queries[0], rows).tolist() == scores.tolist() == loaded.scores(queries[0])[rows].tolist()
    assert loaded.gathered(rows) == pytest.approx(vectors[rows], abs=within)
    assert loaded.embeddings[rows] == pytest.approx(vectors[rows], abs=within)
    assert loaded.ranks(queries[0], rows[[0, 7]]) == [1, 8]


def test_building_twice_gives_the_same_files(vectors: Vectors, queries: Vectors, tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        dense_index(vectors, "float32", lambda: queries).save(Layout(tmp_path / name))
        files.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert files[0].keys() == {"embeddings.npy", "dense.faiss", "dense.codes.npy", "dense.scales.npy"}
    assert files[0] == files[1]


@pytest.mark.parametrize("part", ["dense.faiss", "dense.codes.npy", "dense.scales.npy", "embeddings.npy"])
@pytest.mark.parametrize("harm", ["missing", "truncated", "nonsense", "of fewer rows"])
def test_a_damaged_part_is_an_error_that_names_the_folder(
    whole: DenseIndex, shorter: DenseIndex, tmp_path: Path, part: str, harm: str
) -> None:
    whole.save(Layout(tmp_path))
    path = tmp_path / part
    content = path.read_bytes()
    path.unlink()
    if harm == "truncated":
        path.write_bytes(content[: len(content) // 2])
    if harm == "nonsense":
        path.write_bytes(b"not what you think" * 20)
    if harm == "of fewer rows":
        other = Layout(tmp_path / "other")
        other.folder.mkdir()
        shorter.save(other)
        path.write_bytes((other.folder / part).read_bytes())
    assert whole.plan is not None
    with pytest.raises(ReleaseDamaged, match=str(tmp_path)):
        DenseIndex.load(Layout(tmp_path), {"precision": "float32", "search": whole.plan.as_json()})


@pytest.mark.parametrize(
    "search", [None, {}, {"cells": 7}, {"probes": 0}, {"surplus": 0.5}, {"filtered_probes": 2}, {"more": 1}]
)
def test_a_manifest_that_does_not_fit_the_index_is_refused(
    whole: DenseIndex, tmp_path: Path, search: dict[str, float] | None
) -> None:
    whole.save(Layout(tmp_path))
    assert whole.plan is not None
    known = whole.plan.as_json()
    record = {**known, **search} if search else search
    with pytest.raises(ReleaseDamaged, match="build"):
        DenseIndex.load(Layout(tmp_path), {"precision": "float32", "search": record})


def test_queries_are_the_first_words_of_titles_from_all_over() -> None:
    titles = [f"red wool coat number {n}" for n in range(1_000)]
    assert len(queries_like(titles)) == 200 and set(queries_like(titles)) == {"red wool coat"}
    assert queries_like(["Mug"]) == ["Mug"] and queries_like([]) == []


def test_a_release_in_two_passes_answers_from_end_to_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "FEW", 256)
    colours, goods = ("red", "blue", "leather", "steel"), ("Mug", "Dress", "Lamp", "Desk", "Boot", "Plant", "Knife")
    shop.rows = [[f"{n}", f"{colours[n % 4]} {goods[n // 4 % 7]} {n}", "", "", "", "Home > Goods"] for n in range(280)]
    result = shop.build()
    assert result.manifest["vectors"]["search"]["recall"]["top"] == 1.0
    assert verify(result.layout) == []
    engine = shop.engine()
    found = engine.search("crimson gown", mode="dense", explain=True).hits[0]
    assert "red Dress" in found.product.title and found.explain["dense_rank"] == 1
    assert "red Dress" in engine.similar(found.id)[0][0].title
    assert "Dress" in engine.recommend([found.id], [])[0][0].title

    def measured_again(*_: object) -> None:
        raise AssertionError("next to nothing changed")

    monkeypatch.setattr(builder, "measured_plan", measured_again)
    again = shop.build().manifest
    assert again["encoded"] == 0 and again["vectors"]["search"] == result.manifest["vectors"]["search"]
    with pytest.raises(AssertionError):
        shop.build(recall=1.0)
