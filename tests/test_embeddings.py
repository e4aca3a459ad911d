"""Passages become vectors: fast, in files, each text once, and as the model itself would have it."""

from __future__ import annotations

import errno
import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import FakeEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import embeddings, vector_files
from indexer.embeddings import choose_precision, embed, encode_products, text_hashes
from indexer.vector_files import Known, VectorFiles, chunks_of, keys_of, new_array, write_chunk
from search.arrays import Floats, unit_rows
from search.encoder import SentenceTransformerEncoder, open_encoder
from search.home import Home, Layout
from search.passages import Texts
from search.segments import SegmentIndex, segment_spans
from search.token_batches import TokenModel, members_of_batches

PASSAGES = [
    "Travel Mug. Norr. Keeps coffee hot on a cold platform. Fits most cup holders.", "Two", "",
    "Größe 42 — Lederstiefel. Hält Jahre! Wirklich? Ja.", "word " * 300, "Desk Lamp. A small light for late work.",
]  # fmt: skip


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformerEncoder:
    return open_encoder(threads=1)


def test_passages_have_the_vectors_that_the_model_itself_gives(encoder: SentenceTransformerEncoder) -> None:
    expected = unit_rows(encoder.model.encode(PASSAGES, batch_size=1, show_progress_bar=False))
    assert np.allclose(encoder.encode_passages(PASSAGES), expected, atol=2e-6)
    assert np.allclose(encoder.encode_segmented(PASSAGES)[0], expected, atol=2e-6)


def test_a_segment_is_the_mean_of_its_tokens_in_the_whole_passage(encoder: SentenceTransformerEncoder) -> None:
    """Worked out a token at a time from what the model gives for each passage alone."""
    _, segments = encoder.encode_segmented(PASSAGES)
    for passage, found in zip(PASSAGES, segments, strict=True):
        output = encoder.model.encode([passage], output_value=None, show_progress_bar=False)[0]
        read = encoder.model.tokenizer(
            [passage], truncation=True, max_length=encoder.max_tokens, return_offsets_mapping=True
        )
        expected = []
        for start, end in segment_spans(passage):
            inside = [
                output["token_embeddings"][number].numpy()
                for number, (first, last) in enumerate(read["offset_mapping"][0])
                if last > 0 and start <= first and last <= end
            ]
            if len(inside) >= 4:
                expected.append(np.mean(inside, axis=0))
        whole = output["sentence_embedding"].numpy()
        assert np.allclose(found, unit_rows(np.stack(expected or [whole])), atol=2e-6)


def test_bfloat16_is_near_float32_and_ends_with_its_block(encoder: SentenceTransformerEncoder) -> None:
    exact = encoder.encode_passages(PASSAGES)
    with encoder.computing_in("bfloat16"):
        fast, segments = encoder.encode_segmented(PASSAGES)
    cosines = (exact * fast).sum(axis=1)
    assert cosines.min() > 0.998 and not np.array_equal(exact, fast)
    assert fast.dtype == segments[0].dtype == np.float32
    assert np.array_equal(encoder.encode_passages(PASSAGES), exact)


@given(lengths=st.lists(st.integers(1, 128), max_size=60), budget=st.integers(1, 600))
def test_a_batch_holds_texts_of_like_length_within_its_budget(lengths: list[int], budget: int) -> None:
    batches = members_of_batches(lengths, budget)
    flat = [text for batch in batches for text in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[text] for text in flat] == sorted(lengths, reverse=True)
    assert all(len(batch) == 1 or len(batch) * lengths[batch[0]] <= budget for batch in batches)


@pytest.mark.parametrize(("has_bf16", "has_gpu", "precision"), [(True, False, "bfloat16"), (False, False, "float32"),
                                                               (True, True, "float32")])  # fmt: skip
def test_bfloat16_is_for_cpus_that_compute_it_where_no_gpu_does_better(
    encoder: SentenceTransformerEncoder, monkeypatch: pytest.MonkeyPatch, has_bf16: bool, has_gpu: bool, precision: str
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    chosen, parity = choose_precision(encoder, PASSAGES[:2])
    assert chosen == precision
    assert (parity is None) == (precision == "float32")


def test_texts_that_bfloat16_turns_too_far_are_encoded_in_float32(
    encoder: SentenceTransformerEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    vectors = TokenModel._vectors

    def coarse(self: TokenModel, ids: Sequence[Sequence[int]]) -> Floats:
        found = vectors(self, ids)
        return found if self.transformer.dtype == torch.float32 else np.rint(found).astype(np.float32)

    monkeypatch.setattr(TokenModel, "_vectors", coarse)
    chosen, parity = choose_precision(encoder, PASSAGES[:2])
    assert chosen == "float32"
    assert parity is not None and parity < 0.999


@pytest.mark.parametrize(
    ("precision", "has_bf16", "fingerprint", "revised", "kept"),
    [
        ("bfloat16", True, "", 1, True), ("float32", True, "", 1, True), ("bfloat16", False, "", 1, False),
        ("bfloat16", True, "another", 1, False), ("bfloat16", True, "", 6, False), (None, True, "", 1, False),
    ],
)  # fmt: skip
def test_a_precision_is_kept_with_most_of_its_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str | None, has_bf16: bool, fingerprint: str,
    revised: int, kept: bool,
) -> None:  # fmt: skip
    """What another precision would give is not worth encoding again what is known; nor is proving it once more."""
    monkeypatch.setattr(embeddings, "_is_bfloat16_faster", lambda: has_bf16)
    monkeypatch.setattr(embeddings, "choose_precision", lambda *_: ("anew", None))
    encoder = FakeEncoder()
    live = Layout(tmp_path / "release")
    live.folder.mkdir()
    record = {"fingerprint": fingerprint or encoder.fingerprint, "precision": precision, "precision_parity": 0.9995}
    if precision is None:
        del record["precision"]
    live.manifest.write_text(json.dumps({"format": 1, "release": "release", "encoder": record}))
    texts = [Texts("Mugs", f"mug {number}", 0.2) for number in range(10)]
    np.save(live.text_hashes, text_hashes(texts))
    now = [Texts("Mugs", f"cup {number}", 0.2) for number in range(revised)] + texts[revised:]
    into = VectorFiles.in_folder(tmp_path / "new")
    into.vectors.parent.mkdir()
    done = embed(now, text_hashes(now), encoder, Home(tmp_path / "home"), into, lambda *_: None, live)  # type: ignore[arg-type]
    assert (done.precision, done.parity) == ((precision, 0.9995) if kept else ("anew", None))


def some_vectors(seed: int, count: int) -> tuple[Floats, SegmentIndex]:
    """Vectors of 4 dimensions, and one to three segments of each."""
    random = np.random.default_rng(seed)
    parts = [random.normal(size=(1 + row % 3, 4)).astype(np.float32) for row in range(count)]
    return random.normal(size=(count, 4)).astype(np.float32), SegmentIndex.build(parts)


def some_hashes(numbers: Sequence[int]) -> Any:
    return text_hashes([Texts("kind", str(number), 0.2) for number in numbers])


@settings(max_examples=25, deadline=None)
@given(stored=st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=8, unique=True), min_size=1, max_size=4),
       order=st.randoms(use_true_random=False))  # fmt: skip
def test_rows_come_together_from_many_files_as_from_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, stored: list[list[int]], order: Any
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    truth: dict[bytes, tuple[Any, Any]] = {}
    files = []
    for seed, numbers in enumerate(stored):
        vectors, segments = some_vectors(seed, len(numbers))
        hashes = some_hashes(numbers)
        files.append(write_chunk(cache / str(seed), hashes, vectors, segments))
        for row, key in enumerate(map(bytes, hashes)):
            truth.setdefault(key, (vectors[row], segments.of(row)))
    rows = [number for numbers in stored for number in numbers] * 2
    order.shuffle(rows)
    hashes = some_hashes(rows)
    keys, which = np.unique(keys_of(hashes), return_inverse=True)
    known = Known(keys)
    for one in files:
        known.look_in(one)
    assert len(known.missing()) == 0
    into = VectorFiles.in_folder(tmp_path_factory.mktemp("into"))
    known.gather(which, 4, into)
    vectors, segments = into.opened()
    assert np.array_equal(np.load(into.hashes), hashes)
    for row, key in enumerate(map(bytes, hashes)):
        vector, (codes, scales) = truth[key]
        assert np.array_equal(vectors[row], vector)
        assert np.array_equal(segments.of(row)[0], codes) and np.array_equal(segments.of(row)[1], scales)


def test_hashes_that_end_in_zeros_are_told_apart_and_come_back(tmp_path: Path) -> None:
    hashes = np.zeros((3, 16), np.uint8)
    hashes[1, 14], hashes[2, 15] = 1, 1
    known = Known(np.sort(keys_of(hashes)))
    known.look_in(write_chunk(tmp_path / "cache", hashes[[2, 0, 1]], *some_vectors(0, 3)))
    known.gather(np.arange(3), 4, VectorFiles.in_folder(tmp_path / "into"))
    assert len(known.missing()) == 0
    assert np.load(tmp_path / "into" / "hashes.npy").tolist() == sorted(hashes.tolist())


@pytest.mark.parametrize("damage", ["vectors cut", "codes gone", "hashes cut", "fewer vectors", "hashes gone", "none"])
def test_what_is_damaged_is_encoded_again(tmp_path: Path, damage: str) -> None:
    vectors, segments = some_vectors(0, 5)
    files = write_chunk(tmp_path, some_hashes(range(5)), vectors, segments)
    if damage == "vectors cut":
        files.vectors.write_bytes(files.vectors.read_bytes()[:-8])
    elif damage == "codes gone":
        (files.segments / "codes.npy").unlink()
    elif damage == "hashes cut":
        files.hashes.write_bytes(files.hashes.read_bytes()[:40])
    elif damage == "fewer vectors":
        np.save(files.vectors, vectors[:4])
    elif damage == "hashes gone":
        files.hashes.unlink()
    known = Known(np.sort(keys_of(some_hashes(range(6)))))
    known.look_in(files)
    assert len(known.missing()) == (1 if damage == "none" else 6)


def test_a_chunk_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    write_chunk(tmp_path, some_hashes([1]), *some_vectors(0, 1))
    (tmp_path / "0123.partial").mkdir()
    assert len(list(chunks_of(tmp_path))) == 1
    assert list(chunks_of(tmp_path / "nothing")) == []


def test_a_full_disk_is_an_error_before_anything_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(vector_files.os, "posix_fallocate", no_space)
    with pytest.raises(OSError, match="No space left"):
        new_array(tmp_path / "array.npy", (8, 4), np.float32)


def test_texts_alike_are_encoded_once_and_have_the_same_vector(tmp_path: Path) -> None:
    texts = [
        Texts("lamp", "red lamp. a light", 0.2),
        Texts("mug", "blue mug", 0.2),
        Texts("lamp", "red lamp. a light", 0.2),
    ]
    encoder, into = FakeEncoder(), VectorFiles.in_folder(tmp_path / "into")
    done = embed(texts, text_hashes(texts), encoder, Home(tmp_path / "home"), into, lambda *_: None)
    assert done.encoded == 2
    assert encoder.encoded.count("red lamp. a light") == 1
    assert np.array_equal(done.embeddings[0], done.embeddings[2])
    assert np.array_equal(done.embeddings, encode_products(texts, FakeEncoder())[0])
    assert done.segments.rows == 3


def test_a_kind_is_encoded_once_whatever_the_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "CHUNK", 2)
    texts = [Texts("kind of lamp", f"lamp {number}", 0.2) for number in range(7)]
    encoder, told = FakeEncoder(), []
    into = VectorFiles.in_folder(tmp_path / "into")
    embed(texts, text_hashes(texts), encoder, Home(tmp_path), into, lambda *step: told.append(step))
    assert encoder.encoded.count("kind of lamp") == 1
    encoding, writing = (
        [step for step in told if step[0] == what] for what in ("encoding products", "writing vectors")
    )
    assert encoding == [("encoding products", done, 7) for done in (0, 2, 4, 6, 7)]
    assert writing[-1] == ("writing vectors", 7, 7)


class Numbered(Sequence[Texts]):
    """Texts made when asked for, so that what is counted is not theirs."""

    def __init__(self, rows: int):
        self.rows = rows

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, row: Any) -> Any:
        return [] if isinstance(row, slice) else Texts("", f"lamp {row}", 0.2)


def test_the_memory_of_embedding_hardly_grows_with_the_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row needs its hash and where its vector lies; a Python object of its own would be a hundred bytes and more."""
    monkeypatch.setattr(embeddings, "CHUNK", 500)
    monkeypatch.setattr(vector_files, "BLOCK", 500)
    monkeypatch.setattr(FakeEncoder, "_encode", lambda self, texts: np.ones((len(texts), self.dim), np.float32))
    monkeypatch.setattr(
        FakeEncoder, "encode_segmented", lambda self, texts: (self._encode(texts), list(self._encode(texts)[:, None]))
    )
    peaks = []
    for rows in (4000, 16000):
        hashes = some_hashes(range(rows))
        into = VectorFiles.in_folder(tmp_path / f"into-{rows}")
        tracemalloc.start()
        embed(Numbered(rows), hashes, FakeEncoder(), Home(tmp_path / str(rows)), into, lambda *_: None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 12000 < 150
