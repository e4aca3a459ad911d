"""In eight bits an encoder finds what it found, or serves in float32; the manifest says which, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SHOP, write_release

from indexer import serving
from indexer.eight_bits import BLOCK, blocks_of, in_eight_bits, quantize
from indexer.onnx_export import DOMAIN, export
from indexer.serving import prepare_to_serve, queries_of
from search.arrays import Floats, Rows, best_rows
from search.encoder import SentenceTransformerEncoder, open_encoder
from search.encoders import encoder_damage, find_encoder
from search.home import Home
from search.onnx_encoder import GRAPH, SETTINGS, WEIGHTS, OnnxEncoder

PASSAGES = [
    f"{kind} of {material}. For the {place}, easy to clean, {color}."
    for kind in ("Mug", "Lamp", "Rain jacket", "Cordless drill") for material in ("oak", "steel", "wool")
    for place in ("kitchen", "garden") for color in ("navy", "red")
]  # fmt: skip


@pytest.fixture(scope="module")
def model() -> SentenceTransformerEncoder:
    return open_encoder(threads=1)


@pytest.fixture(scope="module")
def exported(model: SentenceTransformerEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(model, tmp_path_factory.mktemp("encoders") / "float32")


@pytest.fixture(scope="module")
def rounded(exported: Path) -> OnnxEncoder:
    return OnnxEncoder(in_eight_bits(exported, exported.parent / "int8", queries_of(PASSAGES[:8])))


@pytest.fixture(scope="module")
def embeddings(model: SentenceTransformerEncoder) -> Floats:
    return model.encode_passages(PASSAGES)


@pytest.fixture
def exports(exported: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Let builds take the exported encoder as it is here; return where they put it."""
    made: list[Path] = []

    def copy(_: Any, folder: Path) -> Path:
        made.append(folder)
        folder.mkdir(parents=True)
        for path in exported.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        return folder

    monkeypatch.setattr(serving, "export", copy)
    return made


def test_a_weight_is_its_byte_less_128_times_the_scale_of_its_block() -> None:
    column = np.zeros(2 * BLOCK, np.float32)
    column[:4] = 254, -254, 1, -127  # a scale of 2: 127, -127, the even neighbour of 0.5, the even one of -63.5
    values, scales = blocks_of(np.stack([column, -column], axis=1))
    assert (values.shape, scales.tolist()) == ((2, 2, BLOCK), [2, 1, 2, 1])
    assert values[0, 0, :5].tolist() == [255, 1, 128, 64, 128]
    assert values[1, 0, :5].tolist() == [1, 255, 128, 192, 128]
    assert (values[:, 1] == 128).all()


@pytest.mark.parametrize(("length", "kind", "error"), [(64, "MatMulNBits", 0.3), (24, "MatMul", 1e-5)])
def test_a_product_with_a_matrix_is_computed_in_bytes_where_blocks_fill_it(
    length: int, kind: str, error: float
) -> None:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    matrix, rows = random.standard_normal((length, 16), np.float32), random.standard_normal((3, length), np.float32)
    sizes = np.ones(length, np.float32)
    sizes[0] = rows[:, 0] = 1000  # far larger than its neighbours, and times next to nothing
    matrix[0] /= 1000
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], [name]) for name in "ab"], "two products with one matrix",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", length])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 16]) for name in "ab"],
        [numpy_helper.from_array(matrix, "w")],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    quantize(model, {"x": sizes})
    assert {node.op_type for node in model.graph.node} - {"Mul"} == {kind}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for found in session.run(None, {"x": rows}):
        np.testing.assert_allclose(found, rows @ matrix, atol=error)  # of values about 8


def test_what_attention_takes_as_values_stays_float32() -> None:
    from onnx import helper, numpy_helper

    attention = helper.make_node("MultiHeadAttention", ["a", "b", "c"], ["out"], domain=DOMAIN, num_heads=1)
    products = [helper.make_node("MatMul", ["x", f"w{name}"], [name]) for name in "abc"]
    tables = [numpy_helper.from_array(np.eye(32, dtype=np.float32), f"w{name}") for name in "abc"]
    model = helper.make_model(helper.make_graph([*products, attention], "g", [], [], tables))
    quantize(model, {"x": np.ones(32, np.float32)})
    assert [node.op_type for node in model.graph.node[:4]] == ["Mul", "MatMulNBits", "MatMulNBits", "MatMul"]
    assert [node.input[0] for node in model.graph.node[:4]] == ["x", "x.level", "x.level", "x"]
    made = {"x.divisors", "a.bytes", "a.scales", "b.bytes", "b.scales"}
    assert {one.name for one in model.graph.initializer} == {"wc", *made}


@pytest.mark.slow
def test_its_vectors_are_nearly_the_models_and_its_weights_a_third(
    model: SentenceTransformerEncoder, exported: Path, rounded: OnnxEncoder
) -> None:
    queries = queries_of(PASSAGES)
    assert (rounded.encode_queries(queries) * model.encode_queries(queries)).sum(axis=1).min() > 0.9996
    assert (rounded.encode_passages(PASSAGES) * model.encode_passages(PASSAGES)).sum(axis=1).min() > 0.9996
    assert (rounded.folder / WEIGHTS).stat().st_size < 0.45 * (exported / WEIGHTS).stat().st_size
    assert (rounded.folder / WEIGHTS).stat().st_mode == (rounded.folder / GRAPH).stat().st_mode


@pytest.mark.slow
def test_a_text_in_eight_bits_gets_the_same_vector_whoever_else_asks(rounded: OnnxEncoder) -> None:
    alone = np.concatenate([rounded.encode_queries([text]) for text in PASSAGES])
    np.testing.assert_allclose(rounded.encode_queries(PASSAGES), alone, atol=2e-5)


@pytest.mark.slow
def test_a_build_adopts_eight_bits_and_keeps_them_and_tries_them_on_what_was_built_before(
    model: SentenceTransformerEncoder, embeddings: Floats, tmp_path: Path, exports: list[Path]
) -> None:
    def first_rows(queries: Floats, count: int) -> list[Rows]:
        return [best_rows(scores, count) for scores in queries @ embeddings.T]

    home = Home(tmp_path)
    record = prepare_to_serve(model, home, "mine.csv", PASSAGES, first_rows, None)
    assert (record["runtime"], record["precision"], record["eight_bits"]["adopted"]) == ("onnx", "int8", True)
    assert min(record["parity"][kind] for kind in ("passages", "queries", "tokens")) > 0.9999
    assert 0.9995 < min(record["eight_bits"][kind] for kind in ("passages", "queries", "tokens")) < 0.99999
    assert 0.95 <= record["eight_bits"]["first_rows"] <= 1
    named = {"name": model.name, "fingerprint": model.fingerprint, "source": "base", "serving": record}
    served = find_encoder(named, home)
    assert isinstance(served, OnnxEncoder) and encoder_damage(named, home) == []
    assert [path.name for path in (home.encoders / model.fingerprint).iterdir()] == [record["folder"]]

    live = write_release(home.releases / "20260101T000000Z-aaaaaaaa", SHOP, encoder=served, serving=record)
    assert prepare_to_serve(model, home, "mine.csv", PASSAGES, first_rows, live) == record
    assert len(exports) == 1
    earlier = {name: value for name, value in record.items() if name != "eight_bits"}
    live = write_release(home.releases / "20260101T000000Z-bbbbbbbb", SHOP, encoder=served, serving=earlier)
    assert prepare_to_serve(model, home, "mine.csv", PASSAGES, first_rows, live) == record
    assert len(exports) == 2
    with (served.folder / WEIGHTS).open("r+b") as file:
        file.write(b"\xff" * 64)
    assert encoder_damage(named, home) == [f"{served.folder / WEIGHTS}: its content has changed since the build"]


@pytest.mark.slow
def test_a_model_that_eight_bits_spoil_serves_in_float32(tmp_path: Path) -> None:
    import torch

    model = open_encoder(threads=1)
    with torch.inference_mode():  # of 16 values two are the same, and taken many times, one plus and one minus
        for layer in model.model[0].model.encoder.layer:
            value, out = layer.attention.self.value, layer.attention.output.dense
            value.weight[1::BLOCK], value.bias[1::BLOCK] = value.weight[::BLOCK], value.bias[::BLOCK]
            out.weight[:, ::BLOCK] += 100
            out.weight[:, 1::BLOCK] -= 100
    record = prepare_to_serve(model, Home(tmp_path), "mine.csv", PASSAGES, all_alike, None)
    assert (record["runtime"], record["precision"], record["eight_bits"]["adopted"]) == ("onnx", "float32", False)
    assert "other vectors of" in record["eight_bits"]["reason"]
    assert min(record["parity"][kind] for kind in ("passages", "queries", "tokens")) > 0.9999
    folder = Home(tmp_path).encoders / model.fingerprint / record["folder"]
    assert list(folder.parent.iterdir()) == [folder]
    texts = PASSAGES[:4]
    np.testing.assert_allclose(OnnxEncoder(folder).encode_queries(texts), model.encode_queries(texts), atol=1e-4)


@pytest.mark.slow
def test_eight_bits_that_find_other_products_or_cannot_be_run_do_not_serve(
    model: SentenceTransformerEncoder, tmp_path: Path, exports: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(100))

    def others(queries: Floats, count: int) -> list[Rows]:
        first = next(calls)  # nine of ten rows are found again
        return [np.arange(first, first + count) for _ in queries]

    record = prepare_to_serve(model, Home(tmp_path), "mine.csv", PASSAGES, others, None)
    assert record["precision"] == "float32"
    assert record["eight_bits"] == {
        "adopted": False, "reason": "queries find 0.900 of the first 10 products that they find in float32"
    }  # fmt: skip
    monkeypatch.setattr(serving, "in_eight_bits", lambda *_: Path("/no/such/folder"))
    record = prepare_to_serve(model, Home(tmp_path), "mine.csv", PASSAGES, all_alike, None)
    assert record["precision"] == "float32"
    assert record["eight_bits"]["reason"].startswith(f"/no/such/folder/{SETTINGS} cannot be read")


def all_alike(queries: Floats, count: int) -> list[Rows]:
    """Return the first rows, whatever is asked."""
    return [np.arange(count) for _ in queries]
