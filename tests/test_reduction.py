"""Fewer dimensions and coarser vectors: what is kept, what is refused, and that a release of them answers like any."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, FakeEncoder
from shop_fixtures import Shop

from indexer.calibration import foreign_queries
from indexer.report.of_release import subject_of
from search import Engine
from search.arrays import best_rows, unit_rows
from search.dense import PQ_CENTROIDS, PRECISIONS, DenseIndex
from search.errors import AisleError, EncoderMismatch, ReleaseDamaged
from search.home import Layout
from search.reduction import ReducedEncoder, Reduction
from search.release import open_release, verify
from search.segments import SegmentIndex

COARSE = [precision for precision in PRECISIONS if precision != "float32"]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Four hundred unit rows of 32 dimensions, most of whose length lies in 8 directions that are no axes."""
    random = np.random.default_rng(11)
    loud = random.normal(size=(400, 8)) @ random.normal(size=(8, 32))
    return unit_rows(loud + 0.3 * random.normal(size=(400, 32)))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# -- the rotation --


def test_a_rotation_without_a_cut_keeps_inner_products(vectors: np.ndarray) -> None:
    turned = Reduction.fit(vectors, 32).of(vectors)
    assert turned @ turned.T == pytest.approx(vectors @ vectors.T, abs=1e-5)
    assert not np.allclose(turned, vectors, atol=0.1)


def test_a_cut_keeps_as_much_as_the_best_linear_map_and_more_than_the_first_dimensions(vectors: np.ndarray) -> None:
    singular = np.linalg.svd(vectors.astype(np.float64), compute_uv=False) ** 2
    for dim in (1, 8, 20):
        reduction = Reduction.fit(vectors, dim)
        assert reduction.kept(vectors) == pytest.approx(singular[:dim].sum() / singular.sum(), abs=1e-5)
        assert reduction.kept(vectors) > np.square(vectors[:, :dim]).sum(axis=1).mean()
        assert np.linalg.norm(reduction.of(vectors), axis=1) == pytest.approx(np.ones(400), abs=1e-5)


def test_no_dimension_is_much_louder_than_another(vectors: np.ndarray) -> None:
    spread = Reduction.fit(vectors, 16).of(vectors).std(axis=0)
    assert spread.max() < 5 * spread.min()


def test_the_same_vectors_give_the_same_rotation_and_others_another(vectors: np.ndarray) -> None:
    assert Reduction.fit(vectors, 8).digest == Reduction.fit(vectors.copy(), 8).digest
    assert Reduction.fit(vectors, 8).digest != Reduction.fit(vectors[:300], 8).digest


def test_fewer_products_than_dimensions_lose_nothing_between_them() -> None:
    few = unit_rows(np.random.default_rng(2).normal(size=(3, 32)))
    cut = Reduction.fit(few, 3).of(few)
    assert cut @ cut.T == pytest.approx(few @ few.T, abs=1e-5)


def test_segments_turn_with_the_products(vectors: np.ndarray) -> None:
    reduction = Reduction.fit(vectors, 16)
    cut = SegmentIndex.build(np.split(vectors, 100)).mapped(reduction.of)
    codes, scales = cut.of(7)
    assert (cut.rows, cut.dim, codes.shape) == (100, 16, (4, 16))
    assert codes * scales[:, None] == pytest.approx(reduction.of(vectors[28:32]), abs=0.02)


def test_an_encoder_of_another_length_is_refused_with_both_lengths() -> None:
    with pytest.raises(EncoderMismatch, match=r"cuts vectors of 12 dimensions.*gives 13"):
        ReducedEncoder(FakeEncoder(), Reduction(np.eye(12, 4, dtype=np.float32)))


# -- the precisions --


@pytest.mark.parametrize("precision", PRECISIONS)
def test_faiss_agrees_with_brute_force_over_what_is_stored_under_filters(vectors: np.ndarray, precision: str) -> None:
    random, index = np.random.default_rng(5), DenseIndex.build(vectors, precision)
    decoded = index.embeddings
    for share in (0.0, 0.01, 0.1, 0.5, 1.0):
        allowed = random.random(400) < share
        query = unit_rows(random.normal(size=(1, 32)))[0]
        exact = np.where(allowed, decoded @ query, -np.inf)
        expected = exact[best_rows(exact, min(20, int(allowed.sum())))]
        rows, scores = index.search(query, 20, allowed)
        assert scores == pytest.approx(expected, abs=1e-5)  # of equal codes any row may come first
        assert scores == pytest.approx(exact[rows], abs=1e-5)
        assert index.scores(query) == pytest.approx(decoded @ query, abs=1e-5)
        assert index.scores_of(query, rows) == pytest.approx(scores, abs=1e-5)
        assert index.gathered(rows).shape == (len(rows), 32)


@pytest.mark.parametrize(("precision", "within"), [("float32", 1e-6), ("float16", 1e-3), ("int8", 0.02), ("pq", 0.1)])
def test_a_products_own_vector_finds_it_first_with_a_score_near_one(
    vectors: np.ndarray, precision: str, within: float
) -> None:
    index = DenseIndex.build(vectors, precision)
    for row in range(0, 400, 20):
        rows, scores = index.search(vectors[row], 1)
        assert rows.tolist() == [row]
        assert scores[0] == pytest.approx(1, abs=within)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_precision_takes_the_room_it_promises_and_survives_the_disk(
    vectors: np.ndarray, precision: str, tmp_path: Path
) -> None:
    many = np.tile(vectors, (20, 1))
    built = DenseIndex.build(many, precision)
    built.save(Layout(tmp_path))
    size = sum(path.stat().st_size for path in tmp_path.iterdir()) / len(many)
    least = {"float32": 256, "float16": 64, "int8": 32, "pq": 8}[precision]
    assert least <= size < least + 8  # a product quantiser's 32 kB of centroids are 4 bytes of each of 8,000
    loaded = DenseIndex.load(Layout(tmp_path), {"precision": precision})
    assert (loaded.rows, loaded.dim, loaded.precision) == (8000, 32, precision)
    assert loaded.embeddings == pytest.approx(built.embeddings)


def test_an_index_of_another_precision_than_the_manifest_says_is_refused(vectors: np.ndarray, tmp_path: Path) -> None:
    DenseIndex.build(vectors, "int8").save(Layout(tmp_path))
    with pytest.raises(ReleaseDamaged, match=r"dense\.faiss is int8, the manifest says float16"):
        DenseIndex.load(Layout(tmp_path), {"precision": "float16"})


@pytest.mark.parametrize("precision", COARSE)
def test_a_truncated_index_is_an_error_that_names_its_folder(
    vectors: np.ndarray, tmp_path: Path, precision: str
) -> None:
    path = tmp_path / "dense.faiss"
    DenseIndex.build(vectors, precision).save(Layout(tmp_path))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ReleaseDamaged, match=str(tmp_path)):
        DenseIndex.load(Layout(tmp_path), {"precision": precision})


# -- releases --


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_a_cut_release_answers_from_end_to_end(shop: Shop, precision: str) -> None:
    result = shop.build(dim=6, precision=precision)
    record = result.manifest["vectors"]
    assert (result.manifest["dim"], record["dim"], record["of"], record["precision"]) == (6, 6, 13, precision)
    assert 0.5 < record["kept"] < 1
    assert result.layout.embeddings.is_file() == (precision == "float32")
    assert verify(result.layout) == []
    engine = shop.engine()
    assert engine.search("crimson gown").hits[0].id == "0004"
    assert engine.search("crimson gown", mode="dense").hits[0].product.category[-1] == "Dresses"
    assert engine.search("espresso", filters={"brand": ["Tazza"]}, explain=True).hits[0].explain["dense_rank"] >= 1
    assert engine.similar("0004")[0][0].id == "0005"
    assert "0005" in [product.id for product, _ in engine.recommend(["0004"], ["0006"])]
    assert engine.encoder.vectors(["red cup"]).shape == (1, 6)
    assert engine.release.categories.centroids.shape[1] == engine.release.segments.dim == 6


def test_a_later_report_of_a_cut_release_asks_in_its_space(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.build(dim=6)
    monkeypatch.setattr("indexer.report.of_release.find_encoder", lambda record, home, threads: shop.encoder)
    subject = subject_of(open_release(shop.home.live()), shop.home)
    assert subject.encoder.encode_queries(["a word"]).shape == (1, 6) == (1, subject.vectors.shape[1])


def test_the_encoders_own_dimensions_are_not_turned(shop: Shop) -> None:
    plain = shop.build().manifest["files"]
    asked = shop.build(dim=13).manifest
    assert asked["vectors"]["rotation"] is None
    assert asked["files"]["embeddings.npy"] == plain["embeddings.npy"]


def test_an_unchanged_catalog_encodes_nothing_however_its_vectors_are_stored(shop: Shop) -> None:
    assert shop.build(dim=6, precision="int8").manifest["encoded"] == 7
    first = shop.home.live()
    for options in ({"dim": 6, "precision": "int8"}, {"dim": 4}, {"precision": "float16"}, {}, {"dim": 6}, {}):
        assert shop.build(**options).manifest["encoded"] == 0, options
        if shop.encoder.encoded:  # asked anew but where all is as in the live release
            assert shop.encoder.encoded[-len(foreign_queries()) :] == foreign_queries()
    assert first not in shop.home.all_releases()  # only the five newest are kept


def test_one_changed_row_encodes_one_and_the_rotation_stays(shop: Shop) -> None:
    before = shop.build(dim=10).manifest
    shop.rows[0][4] = "18.00"
    assert shop.build(dim=10).manifest["vectors"] == before["vectors"]
    shop.rows[3][2] = "For evenings and weddings."
    after = shop.build(dim=10).manifest
    assert (after["encoded"], after["vectors"]["rotation"]) == (1, before["vectors"]["rotation"])


def test_a_rotation_that_no_longer_fits_the_catalog_is_made_anew(shop: Shop) -> None:
    before = shop.build(dim=3).manifest["vectors"]["rotation"]
    shop.rows = [[f"{n}", "Garden Plant Knife", "", "", "", "Garden"] for n in range(6)] + shop.rows[:2]
    assert shop.build(dim=3, force=True).manifest["vectors"]["rotation"] != before


def test_building_twice_with_fewer_dimensions_gives_the_same_files(shop: Shop) -> None:
    first, second = (shop.build(dim=6, precision="int8").manifest["files"] for _ in range(2))
    assert {name for name in first if first[name] != second[name]} <= {"report.html"}


def test_a_refused_or_unpublished_build_leaves_the_whole_vectors_of_the_live_one(shop: Shop) -> None:
    shop.build(dim=6)
    rows, shop.rows = shop.rows, [["0100", "Garden Plant", "", "", "", "Garden"]]
    with pytest.raises(AisleError, match="shrank"):
        shop.build(dim=6)
    shop.build(dim=6, publish=False)
    shop.rows = rows
    assert shop.build(dim=6).manifest["encoded"] == 0


@pytest.mark.parametrize("harm", ["missing", "truncated", "nonsense", "another", "skewed"])
def test_a_damaged_rotation_is_an_error_that_names_it(shop: Shop, harm: str) -> None:
    layout = shop.build(dim=6).layout
    path, rotation = layout.rotation, np.load(layout.rotation)
    content = path.read_bytes()
    path.unlink()
    if harm == "truncated":
        path.write_bytes(content[: len(content) // 2])
    if harm == "nonsense":
        path.write_bytes(bytes(reversed(content)))
    if harm == "another":
        np.save(path, np.ascontiguousarray(rotation[:, ::-1]))
    if harm == "skewed":
        np.save(path, rotation * 2)
    told = {"missing": "is missing", "truncated": r"has \d+ bytes, the build wrote"}.get(harm, "cannot be used")
    with pytest.raises(ReleaseDamaged, match=rf"rotation\.npy {told}"):
        open_release(layout)


def test_a_manifest_of_other_dimensions_than_the_vectors_is_refused(shop: Shop) -> None:
    layout = shop.build().layout
    manifest = json.loads(layout.manifest.read_text())
    manifest["vectors"]["dim"] = 12
    layout.manifest.write_text(json.dumps(manifest))
    with pytest.raises(ReleaseDamaged, match="manifest 12, embeddings 13"):
        open_release(layout)


def test_an_encoder_of_other_dimensions_than_the_release_is_refused_with_both(shop: Shop) -> None:
    shop.build()

    class Shorter(FakeEncoder):
        def encode_queries(self, texts):  # type: ignore[no-untyped-def]
            return self._encode(texts)[:, :9]

    engine = Engine(open_release(shop.home.live()), Shorter)
    with pytest.raises(EncoderMismatch, match=r"vectors of 13 dimensions.*gives 9"):
        engine.encoder.vectors(["mug"])


@pytest.mark.parametrize("dim", [-1, 0, 14, 1000])
def test_dimensions_that_the_encoder_does_not_have_are_an_error_that_says_which_it_has(shop: Shop, dim: int) -> None:
    with pytest.raises(AisleError, match=f"--dim {dim}: the encoder gives 13 dimensions; ask for 1 to 13"):
        shop.build(dim=dim)
    assert shop.encoder.encoded == []


def test_a_product_quantiser_wants_products_and_dimensions_that_divide(shop: Shop) -> None:
    with pytest.raises(AisleError, match=r"at least 256 products and the catalog has 8.*int8"):
        shop.build(dim=8, precision="pq")
    with pytest.raises(AisleError, match="4 dimensions as a byte; 13"):
        shop.build(precision="pq")


def test_a_product_quantised_release_answers(shop: Shop) -> None:
    colours = ("red", "blue", "leather", "steel")
    goods = ("Mug", "Dress", "Lamp", "Desk", "Boot", "Plant", "Knife", "Coffee")
    shop.rows = [
        [f"{n}", f"{colours[n % 4]} {goods[n // 4 % 8]} {n}", "", "", "", "Home > Goods"] for n in range(PQ_CENTROIDS)
    ]
    result = shop.build(dim=8, precision="pq")
    assert not result.layout.embeddings.exists()
    assert "red Dress" in shop.engine().search("crimson gown", mode="dense").hits[0].product.title
    assert shop.build(dim=8, precision="pq").manifest["encoded"] == 0


def test_an_index_without_its_vectors_is_refused(vectors: np.ndarray) -> None:
    with pytest.raises(ReleaseDamaged, match="do not belong together"):
        DenseIndex(DenseIndex.build(vectors).whole)


def test_a_release_is_cut_only_if_its_parts_all_are(shop: Shop) -> None:
    layout, whole = shop.build(dim=6).layout, shop.build().layout
    codes, manifest = layout.segments / "codes.npy", json.loads(layout.manifest.read_text())
    codes.chmod(0o644)
    codes.write_bytes((whole.segments / "codes.npy").read_bytes())
    manifest["sizes"]["segments/codes.npy"] = codes.stat().st_size  # as if the build had written it
    layout.manifest.write_text(json.dumps(manifest))
    with pytest.raises(ReleaseDamaged, match=r"differ in dimensions.*segments 13"):
        open_release(Layout(layout.folder))


def test_every_product_keeps_its_own_vector_when_all_are_cut(shop: Shop) -> None:
    shop.build()
    whole = shop.engine().release.dense.embeddings.copy()
    shop.build(dim=6)
    release = shop.engine().release
    assert release.reduction is not None
    assert release.dense.embeddings == pytest.approx(release.reduction.of(whole), abs=1e-5)
    assert [product.id for product in release.products] == [product.id for product in SHOP]
