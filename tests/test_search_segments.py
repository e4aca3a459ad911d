"""Segments: a sentence of a passage has a vector of its own, found again with its product."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import open_engine, write_release
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from search.arrays import unit_rows
from search.encoder import SentenceTransformerEncoder, open_encoder
from search.errors import ReleaseDamaged
from search.product import Product
from search.segments import SegmentIndex, segment_spans
from search.tokens import LEAST_TOKENS


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformerEncoder:
    return open_encoder(threads=1)


def vectors(seed: int, count: int, dim: int = 24) -> NDArray[np.float32]:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)))


@given(st.text(alphabet="ab.!?; \n5", max_size=60))
def test_sentences_cover_the_passage_in_order(passage: str) -> None:
    assert "".join(passage[start:end] for start, end in segment_spans(passage)) == passage


def test_a_dot_within_a_number_ends_nothing() -> None:
    assert segment_spans("Jar 8.5 oz. Keeps jam.") == [(0, 12), (12, 22)]


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_the_closest_segment_of_each_product_is_found(counts: list[int], seed: int) -> None:
    parts = [vectors(seed * 10 + place, count) for place, count in enumerate(counts)]
    index = SegmentIndex.build(parts)
    query = vectors(seed + 1, 1)[0]
    rows = np.random.default_rng(seed).permutation(len(counts)).astype(np.int64)
    assert index.closest(query, rows) == pytest.approx([(parts[row] @ query).max() for row in rows], abs=0.01)


def test_no_rows_have_no_segments() -> None:
    index = SegmentIndex.build([vectors(0, 2)])
    assert len(index.closest(vectors(1, 1)[0], np.zeros(0, np.int64))) == 0


def test_an_index_comes_back_as_it_was(tmp_path: Path) -> None:
    index = SegmentIndex.build([vectors(n, n + 1) for n in range(3)])
    index.save(tmp_path / "segments")
    again = SegmentIndex.load(tmp_path / "segments")
    assert again.rows == 3
    assert all((again.of(row)[0] == index.of(row)[0]).all() for row in range(3))


@pytest.mark.parametrize("damage", ["missing", "truncated", "other starts", "empty product", "wrong type"])
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "segments"
    SegmentIndex.build([vectors(n, 2) for n in range(3)]).save(folder)
    if damage == "missing":
        (folder / "scales.npy").unlink()
    elif damage == "truncated":
        (folder / "codes.npy").write_bytes((folder / "codes.npy").read_bytes()[:100])
    elif damage == "other starts":
        np.save(folder / "starts.npy", np.array([0, 2, 4, 7]))
    elif damage == "empty product":
        np.save(folder / "starts.npy", np.array([0, 2, 2, 6]))
    else:
        np.save(folder / "codes.npy", np.zeros((6, 24)))
    with pytest.raises(ReleaseDamaged, match="build the release again"):
        SegmentIndex.load(folder)


def test_one_sentence_outweighs_the_mean_of_the_passage(tmp_path: Path) -> None:
    """Both lie in one clause; the product whose sentence is about nothing else comes first."""
    mixed = "hot desk boot knife navy crimson table blade shoe garden plant."
    shop = (
        Product("mixed", "Thing one", f"Insulated {mixed} {mixed}"),
        Product("told", "Thing two", f"{mixed} {mixed} Insulated hot warm."),
    )
    engine = open_engine(write_release(tmp_path / "release", shop))
    assert engine.search("something insulated", mode="hybrid").hits[0].id == "told"


def test_the_encoder_gives_sentences_the_meaning_of_their_passage(encoder: SentenceTransformerEncoder) -> None:
    passages = ["Travel Mug. Norr. Keeps coffee hot on a cold platform. Fits most cup holders.", "Two", ""]
    wholes, segments = encoder.encode_segmented(passages)
    assert wholes == pytest.approx(encoder.encode_passages(passages), abs=1e-6)
    assert [len(part) for part in segments] == [2, 1, 1]  # "Travel Mug." and "Norr." are too short to mean something
    query = encoder.encode_queries(["my drink must stay warm"])[0]
    assert (segments[0] @ query).argmax() == 0
    assert np.linalg.norm(segments[0], axis=1) == pytest.approx(1.0, abs=1e-5)
    assert encoder.encode_segmented([])[1] == []
    read = [[passage[start:end] for start, end in spans] for passage, spans in
            zip(passages, encoder.segments_read(passages), strict=True)]  # fmt: skip
    assert read == [["Keeps coffee hot on a cold platform. ", "Fits most cup holders."], ["Two"], [""]]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" .;!?a")), max_size=300))
def test_segments_are_read_as_transformers_and_one_sentence_at_a_time_would(
    encoder: SentenceTransformerEncoder, text: str
) -> None:
    read = encoder.model.tokenizer(text, truncation=True, max_length=128, return_offsets_mapping=True)
    places = [(start, end) for start, end in read["offset_mapping"] if end > 0]
    spans = [
        (start, end) for start, end in segment_spans(text)
        if sum(start <= first and last <= end for first, last in places) >= LEAST_TOKENS
    ]  # fmt: skip
    assert encoder.segments_read([text]) == [spans or [(0, len(text))]]


def test_pieces_read_from_the_file_are_those_of_the_array(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    built = SegmentIndex.build([vectors(n, int(random.integers(1, 9))) for n in range(60)])
    built.save(tmp_path / "segments")
    loaded = SegmentIndex.load(tmp_path / "segments")
    for rows in ([], [59], [0, 59], [7, 8, 9, 8], random.permutation(60).tolist()):
        expected, found = (index.gathered(np.array(rows, np.int64)) for index in (built, loaded))
        assert found.codes.tolist() == expected.codes.tolist()
        assert found.scales.tolist() == expected.scales.tolist() and found.firsts.tolist() == expected.firsts.tolist()


def test_a_file_that_becomes_shorter_while_it_is_open_is_an_error_and_no_crash(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    SegmentIndex.build([vectors(n, 2) for n in range(3)]).save(folder)
    loaded = SegmentIndex.load(folder)
    with (folder / "codes.npy").open("r+b") as file:
        file.truncate(128 + 30)
    assert len(loaded.gathered(np.array([], np.int64)).codes) == 0
    with pytest.raises(ReleaseDamaged, match=r"codes\.npy has become shorter"):
        loaded.gathered(np.array([1]))
