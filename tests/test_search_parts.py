"""The rooms of search/, each against numbers worked by hand or an independent slow way."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
from conftest import SHOP, write_release
from hypothesis import given
from hypothesis import strategies as st

from indexer.facets import facets_of
from search.analysis import Analyzer
from search.arrays import FEW, best_first, best_positive, best_rows, expect, let_go, mapped, taken, union_of, unit_rows
from search.dense import DenseIndex
from search.errors import ReleaseDamaged, ReleaseMissing
from search.facet_counts import facet_json, range_json
from search.facets import FacetIndex
from search.folding import Counted
from search.fusion import Scale, fuse
from search.home import Home
from search.lexical import LexicalIndex, LexicalSettings
from search.marking import SNIPPET_WORDS, Marker
from search.naming import field_name
from search.passages import SENTENCE_ENDS
from search.product import Product
from search.release import open_release, verify


def test_bm25_equals_numbers_worked_by_hand() -> None:
    # Three titles of 2, 2 and 4 terms; mean 8/3. "mug" is in two of three: idf = ln(1 + 1.5/2.5).
    fields = [("red mug", ""), ("blue mug", ""), ("tall green glass vase", "")]
    index = LexicalIndex.build(fields, LexicalSettings(k1=0.9, b=0.6))
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = idf * 1 / (1 + 0.9 * (1 - 0.6 + 0.6 * 2 / (8 / 3)))
    assert index.scores(index.term_ids("mug")) == pytest.approx([expected, expected, 0], abs=1e-6)


def test_the_rest_counts_a_quarter_of_the_title() -> None:
    index = LexicalIndex.build([("vase", "x y"), ("x y", "vase")], LexicalSettings())
    title, rest = index.scores(index.term_ids("vase"))
    # Both fields of the two rows mirror each other in length (1 and 2 terms), so only the field's weight and the
    # length normalisation differ: a 1-term title against a 1-term rest.
    assert rest == pytest.approx(title * 0.25)


def test_coverage_weighs_terms_by_rarity_and_counts_unknown_words_against() -> None:
    index = LexicalIndex.build([("red mug", ""), ("red vase", ""), ("red lamp", "")], LexicalSettings())
    common, rare = math.log1p(0.5 / 3.5), math.log1p(2.5 / 1.5)
    assert index.coverage("red mug") == pytest.approx([1, common / (common + rare), common / (common + rare)], abs=1e-6)
    assert index.coverage("red unicorn").max() < 0.2
    assert index.coverage("").max() == 0


def test_a_lexical_index_survives_the_disk(tmp_path: Path) -> None:
    built = LexicalIndex.build([("red mug", "steel"), ("", "")], LexicalSettings())
    built.save(tmp_path / "lexical")
    loaded = LexicalIndex.load(tmp_path / "lexical")
    ids = loaded.term_ids("steel mug")
    assert loaded.scores(ids) == pytest.approx(built.scores(ids))


def test_a_catalog_without_a_single_word_can_be_indexed() -> None:
    index = LexicalIndex.build([("!!!", ""), ("the", "")], LexicalSettings())
    assert index.scores(index.term_ids("anything")).tolist() == [0, 0]


def test_faiss_agrees_with_brute_force_under_fifty_random_filters() -> None:
    random = np.random.default_rng(7)
    embeddings = unit_rows(random.normal(size=(500, 16)))
    index = DenseIndex.build(embeddings)
    for share in np.linspace(0.01, 1, 50):
        allowed = random.random(500) < share
        query = unit_rows(random.normal(size=(1, 16)))[0]
        rows, scores = index.search(query, 20, allowed)
        exact = np.where(allowed, embeddings @ query, -np.inf)
        expected = best_rows(exact, min(20, int(allowed.sum())))
        assert rows.tolist() == expected.tolist()
        assert scores == pytest.approx(exact[expected], abs=1e-6)


def test_a_products_own_embedding_scores_one_at_rank_one() -> None:
    embeddings = unit_rows(np.random.default_rng(3).normal(size=(50, 8)))
    rows, scores = DenseIndex.build(embeddings).search(embeddings[17], 1)
    assert (rows.tolist(), scores[0]) == ([17], pytest.approx(1, abs=1e-6))


def test_no_allowed_row_gives_no_result() -> None:
    index = DenseIndex.build(unit_rows(np.eye(4)))
    assert len(index.search(np.eye(4, dtype=np.float32)[0], 3, np.zeros(4, bool))[0]) == 0


def test_equal_scores_are_ordered_by_row() -> None:
    assert best_rows(np.array([1.0, 3, 3, 2, 3]), 2).tolist() == [1, 2]
    assert best_rows(np.array([1.0, 2]), 5).tolist() == [1, 0]
    assert best_rows(np.array([]), 5).tolist() == []


@given(st.lists(st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0]), max_size=30), st.randoms())
def test_many_scores_are_in_the_order_of_a_stable_sort(values: list[float], chance: Random) -> None:
    scores = np.array(chance.choices([0.5, *values], k=3 * FEW), np.float32)
    assert best_first(scores).tolist() == np.argsort(-scores, kind="stable").tolist()
    assert best_rows(scores, 2 * FEW).tolist() == np.argsort(-scores, kind="stable").tolist()[: 2 * FEW]


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=40), st.integers(0, 12), st.randoms())
def test_the_best_above_zero_are_those_a_slow_sort_finds(values: list[float], count: int, chance: Random) -> None:
    scores = np.array(values, np.float32)
    allowed = np.array([chance.random() < 0.7 for _ in values], bool)
    ranked = sorted((row for row in range(len(values)) if values[row] > 0), key=lambda row: (-values[row], row))
    assert best_positive(scores, count).tolist() == ranked[:count]
    assert best_positive(scores, count, allowed).tolist() == [row for row in ranked if allowed[row]][:count]


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_a_union_is_ascending_and_holds_each_row_once(first: set[int], second: set[int]) -> None:
    rows = union_of(np.array(list(first), np.int64), np.array(list(second), np.int64))
    assert rows.tolist() == sorted(first | second)


def test_a_wrong_shape_is_named() -> None:
    with pytest.raises(ReleaseDamaged, match=r"embeddings: expected shape \(3, 4\)"):
        expect(np.zeros((3, 5), np.float32), (3, 4), np.float32, "embeddings")


def test_fusion_worked_by_hand() -> None:
    dense, lexical = np.array([0.8, 0.6, 0.4], np.float32), np.array([0.0, 5, 10], np.float32)
    fused = fuse(dense, lexical, Scale(0.4, 0.8), Scale(0, 10), 0.5)
    # Row 0: 0.5 x 1 + 0.5 x 0; row 1: 0.5 x 0.5 + 0.5 x 0.5; row 2: 0 + 0.5; each x 0.999 + 0.001 x cosine.
    assert fused == pytest.approx([0.4995 + 0.0008, 0.4995 + 0.0006, 0.4995 + 0.0004], abs=1e-6)


def test_a_leg_with_one_score_gives_its_hits_one_and_the_rest_nothing() -> None:
    assert Scale(0, 0).apply(np.array([0.0, 0], np.float32)).tolist() == [0, 0]
    assert Scale(2, 2).apply(np.array([2.0, 0], np.float32)).tolist() == [1, 0]


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=4, unique=True), min_size=1, max_size=12))
def test_filter_and_count_agree_with_a_slow_way(rows: list[list[str]]) -> None:
    products = [Product(str(n), "x", attributes={"Tag": tuple(tags)} if tags else {}) for n, tags in enumerate(rows)]
    products += [Product("z1", "x", attributes={"Tag": ("a",)}), Product("z2", "x", attributes={"Tag": ("b",)})] * 6
    facet = facets_of(products).values["tag"]
    everything = np.arange(len(products))
    for code, value in enumerate(facet.values):
        expected = [value in product.attributes.get("Tag", ()) for product in products]
        assert facet.rows_with([value]).tolist() == expected
        assert facet.counts(everything)[code] == sum(expected)
        assert facet.counts(everything[::2])[code] == sum(expected[::2])


def test_attributes_with_a_value_for_every_product_are_no_facet() -> None:
    products = [Product(str(n), "x", attributes={"Serial": (f"s{n}",), "Kind": (f"k{n % 2}",)}) for n in range(20)]
    assert set(facets_of(products).values) == {"kind"}


def test_a_histogram_counts_every_known_price_once() -> None:
    prices = np.array([1, 2, 3, 4, 1000, np.nan], np.float32)
    summary = range_json("Price", prices, Counted(np.arange(6)))
    assert (summary["min"], summary["max"]) == (1.0, 1000.0)
    assert sum(bucket["count"] for bucket in summary["histogram"]) == 5
    alone = range_json("Price", prices, Counted(np.array([2])))
    assert alone["histogram"] == [{"from": 3.0, "to": 3.0, "count": 1}]
    assert range_json("Price", prices, Counted(np.array([5])))["min"] is None


def test_facets_survive_the_disk(tmp_path: Path) -> None:
    built = facets_of(SHOP)
    built.save(tmp_path / "facets")
    loaded = FacetIndex.load(tmp_path / "facets")
    assert {name: facet.values for name, facet in loaded.values.items()} == {
        name: facet.values for name, facet in built.values.items()
    }
    assert loaded.allowed({"color": ["red"]}).tolist() == built.allowed({"color": ["red"]}).tolist()


def test_field_names_are_fit_for_an_address() -> None:
    assert field_name("Skill Level (1-5)") == "skill_level_1_5"


@pytest.mark.parametrize(
    "part", ["products.sqlite", "embeddings.npy", "dense.faiss", "lexical/weights.npy", "facets/facets.json",
             "clusters/cluster_of.npy", "manifest.json"],
)  # fmt: skip
@pytest.mark.parametrize("harm", ["missing", "truncated", "nonsense"])
def test_a_damaged_part_is_an_error_that_names_it(tmp_path: Path, part: str, harm: str) -> None:
    layout = write_release(tmp_path / "release", SHOP)
    path = layout.folder / part
    content = path.read_bytes()
    path.unlink()
    if harm == "truncated":
        path.write_bytes(content[: len(content) // 3])
    if harm == "nonsense":
        path.write_bytes(b"not what you think" * 20)
    with pytest.raises(ReleaseDamaged, match=str(tmp_path)):
        open_release(layout)


def test_parts_of_different_releases_are_refused(tmp_path: Path) -> None:
    layout, shorter = write_release(tmp_path / "a", SHOP), write_release(tmp_path / "b", SHOP[:5])
    layout.products.write_bytes(shorter.products.read_bytes())
    with pytest.raises(ReleaseDamaged):
        open_release(layout)


def test_verify_names_changed_missing_and_foreign_files(tmp_path: Path) -> None:
    layout = write_release(tmp_path / "release", SHOP)
    manifest = json.loads(layout.manifest.read_text())
    manifest["files"] = {"embeddings.npy": "0" * 64, "gone.npy": "0" * 64}
    layout.manifest.write_text(json.dumps(manifest))
    problems = "\n".join(verify(layout))
    assert "embeddings.npy: its content has changed" in problems
    assert "gone.npy: missing" in problems
    assert "dense.faiss: not in the manifest" in problems


def test_an_empty_home_says_how_to_build(tmp_path: Path) -> None:
    with pytest.raises(ReleaseMissing, match="python -m indexer build"):
        Home(tmp_path).live()


def test_a_release_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ReleaseMissing):
        Home(tmp_path).release("../../etc")


def test_a_chosen_category_shows_what_is_below_it_however_many_others_there_are() -> None:
    products = [Product(f"{n}", "x", category=(f"D{n % 40}", f"S{n % 3}")) for n in range(400)]
    facet = facets_of(products).values["category"]
    counts = facet.counts(np.arange(400))
    closed = [entry["value"] for entry in facet_json(facet, counts, (), 50)["values"]]
    assert len(closed) == 40
    assert not any(" > " in value for value in closed)
    opened = [entry["value"] for entry in facet_json(facet, counts, ("D7",), 50)["values"]]
    assert {value for value in opened if " > " in value} == {"D7 > S0", "D7 > S1", "D7 > S2"}


def test_a_highlight_leaves_punctuation_outside_the_mark() -> None:
    marker = Marker({"red", "jacket"}, Analyzer())
    assert marker.highlight("Jacket, “red” 50%", [0, 1, 2]) == "<mark>Jacket</mark>, “<mark>red</mark>” 50%"
    assert Marker(set(), Analyzer()).highlight("a < b", []) == "a &lt; b"


def test_a_snippet_shows_the_stretch_that_answers() -> None:
    text = " ".join(["word"] * 40 + ["red", "kettle"] + ["word"] * 40)
    shown = Marker({"red", "kettl"}, Analyzer()).snippet(text, [3, 40, 41])  # 3 is none of the words asked for
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert "<mark>red</mark> <mark>kettle</mark>" in shown


@given(st.lists(st.booleans(), max_size=90))
def test_a_snippet_is_the_first_of_the_stretches_that_hold_the_most(asked: list[bool]) -> None:
    words = [f"{'red' if is_asked else 'word'}" for is_asked in asked]
    counts = [sum(asked[start : start + SNIPPET_WORDS]) for start in range(max(1, len(asked) - SNIPPET_WORDS + 1))]
    start = counts.index(max(counts))
    shown = " ".join(words[start : start + SNIPPET_WORDS]).replace("red", "<mark>red</mark>")
    before, after = "… " if start else "", " …" if start + SNIPPET_WORDS < len(words) else ""
    snippet = Marker({"red"}, Analyzer()).snippet(" ".join(words), range(len(words)))
    assert snippet == f"{before}{shown}{after}"


def test_a_part_of_a_text_is_marked_where_the_text_is_and_where_it_was_cut_within_a_word() -> None:
    marker = Marker({"red", "mug"}, Analyzer())
    text = "Blue. A red mug; or red|mug•mugs here. Nothing red"
    places = list(range(len(text.split())))
    for part, marked in (
        ("A red mug", "A <mark>red</mark> <mark>mug</mark>"),
        ("mug", "<mark>mug</mark>"),
        ("mugs here", "<mark>mugs</mark> here"),
        ("or red", "or <mark>red</mark>"),
        ("Nothing red …", "Nothing <mark>red</mark> …"),
    ):
        assert marker.snippets(text, part.split(), places)[1] == marked


@given(st.text(alphabet=st.sampled_from("aé1.;,5 oz\"-'’½%"), max_size=9))
def test_what_ends_a_sentence_is_no_part_of_a_words_terms(text: str) -> None:
    for piece in text.split():
        assert Analyzer().terms_of_word(piece) == Analyzer().terms_of_word(piece.rstrip(SENTENCE_ENDS))


@pytest.mark.parametrize("name", ["rows", "encoder", "vectors", "passages", "settings", "catalog"])
def test_a_manifest_that_lacks_an_entry_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    layout = write_release(tmp_path / "shop", SHOP)
    manifest = json.loads(layout.manifest.read_text("utf-8"))
    del manifest[name]
    layout.manifest.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ReleaseDamaged, match=f"lacks {name}"):
        open_release(layout)


def _mapped_memory() -> int:
    """Return the kB of mapped files that are resident."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(told["RssFile"].split()[0])


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells what is resident")
def test_what_was_read_of_a_mapped_array_is_let_go_and_can_be_read_again(tmp_path: Path) -> None:
    numbers = np.arange(4_000_000, dtype=np.float64)
    np.save(tmp_path / "numbers.npy", numbers)
    array = mapped(tmp_path / "numbers.npy")
    before = _mapped_memory()
    assert array.sum() == numbers.sum()
    assert _mapped_memory() > before + 25_000  # of 32,000 kB
    let_go(array[1:])  # a part stands for the whole
    assert _mapped_memory() < before + 5_000
    for rows in (slice(100, 3_900_000), np.arange(100, 3_900_000)):
        np.testing.assert_array_equal(taken(array, rows), numbers[rows].astype(np.float32))
        assert _mapped_memory() < before + 5_000
    let_go(numbers)  # is not mapped, and stays
    assert array.sum() == numbers.sum()
