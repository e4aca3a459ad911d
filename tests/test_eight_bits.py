"""In eight bits an encoder finds what it found, or serves in float32; the manifest says which, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SHOP, write_release

from indexer import serving
from indexer.eight_bits import FORM, Inputs, in_eight_bits, quantize, rounded
from indexer.onnx_export import DOMAIN, export
from indexer.serving import SAMPLE, SHOWN, prepare_to_serve, queries_of, sample_of, texts_besides
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
def in_bytes(exported: Path) -> OnnxEncoder:
    return OnnxEncoder(in_eight_bits(exported, exported.parent / "int8", texts_besides(PASSAGES)))


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


def test_a_weight_is_its_byte_times_the_scale_of_its_column() -> None:
    column = np.zeros(20)
    column[:4] = 254, -254, 1, -127  # a scale of 2: 127, -127, the even neighbour of 0.5, the even one of -63.5
    codes, scales = rounded(np.stack([column, -column, 0 * column], axis=1), np.eye(20))
    assert (codes.dtype, codes.shape, scales.tolist()) == (np.int8, (20, 3), [2, 2, 1])
    assert codes[:5].T.tolist() == [[127, -127, 0, -64, 0], [-127, 127, 0, 64, 0], [0] * 5]
    assert (codes[5:] == 0).all()


def test_what_rounding_a_row_loses_later_rows_make_up_for() -> None:
    random = np.random.default_rng(0)
    matrix = random.standard_normal((300, 8))
    inputs = random.standard_normal((4000, 40)) @ random.standard_normal((40, 300))  # that go together
    codes, scales = rounded(matrix, inputs.T @ inputs / len(inputs))
    plain = np.abs(matrix).max(axis=0) / 127
    error, error_of_each = (
        np.square(inputs @ (matrix - one)).mean()
        for one in (codes * scales.astype(np.float64), np.rint(matrix / plain) * plain)
    )
    assert error < error_of_each / 10
    assert np.abs(codes).max() <= 127


def product_with(matrix: Floats, others: int = 0) -> Any:
    """Return a graph that multiplies "x" with a matrix, to "a", and with others like it."""
    from onnx import TensorProto, helper, numpy_helper

    names = "abcdef"[: others + 1]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], [name]) for name in names], "products with one matrix",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", len(matrix)])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", matrix.shape[1]]) for name in names],
        [numpy_helper.from_array(matrix, "w")],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def seen_in(rows: Floats) -> dict[str, Inputs]:
    return {"x": Inputs(rows.T.astype(np.float64) @ rows / len(rows), np.abs(rows).max(axis=0))}


@pytest.mark.parametrize(("length", "others"), [(64, 0), (64, 2), (23, 1)])
def test_products_with_matrices_are_computed_in_bytes_and_those_of_one_input_together(length: int, others: int) -> None:
    import onnxruntime

    random = np.random.default_rng(0)
    matrix, rows = random.standard_normal((length, 16), np.float32), random.standard_normal((30, length), np.float32)
    rows[:, 0] *= 1000  # far larger than its neighbours, and times next to nothing
    matrix[0] /= 1000
    model = product_with(matrix, others)
    quantize(model, seen_in(rows))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 2 and "MatMul" not in kinds
    assert "w" not in {one.name for one in model.graph.initializer}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for found in session.run(None, {"x": rows}):
        np.testing.assert_allclose(found, rows @ matrix, atol=0.2)  # of values about 8


def test_inputs_lose_nothing_that_counts_and_leave_room_where_sums_have_16_bits() -> None:
    import onnx
    import onnxruntime

    rows = np.random.default_rng(0).standard_normal((200, 32), np.float32)
    model = product_with(np.eye(32, dtype=np.float32))
    quantize(model, seen_in(rows))
    model.graph.output.extend(onnx.ValueInfoProto(name=f"x.{part}") for part in ("high", "low"))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found, high, low = session.run(None, {"x": rows})
    largest = np.abs(rows).max()
    np.testing.assert_allclose(found, rows, atol=largest / 4000)
    assert high.dtype == low.dtype == np.uint8
    assert 2 * 127 * max(int(high.max()), int(low.max())) <= np.iinfo(np.int16).max
    more = np.clip(1.5 * rows, -1.2 * largest, 1.2 * largest)
    np.testing.assert_allclose(session.run(["a"], {"x": more})[0], more, atol=largest / 4000)


def test_what_is_never_but_zero_stays_zero() -> None:
    import onnxruntime

    rows = np.zeros((3, 8), np.float32)
    model = product_with(np.ones((8, 4), np.float32))
    quantize(model, seen_in(rows))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert (session.run(None, {"x": rows})[0] == 0).all()


def test_texts_that_are_learnt_from_are_not_those_that_prove_it() -> None:
    many = [f"{place} of many passages, {'long ' * (place % 7)}" for place in range(1000)]
    texts, sample = texts_besides(many), sample_of(many)
    assert not set(texts) & set(sample) and len(sample) == SAMPLE
    assert set(queries_of(many)) > {text for text in texts if text not in many}
    assert SHOWN <= len(texts) <= 2 * SHOWN and len(set(texts) & set(many)) >= SHOWN / 8
    assert set(texts_besides(many[:3])) == {*queries_of(many[:3]), sorted(many[:3])[0]}


@pytest.mark.slow
def test_its_vectors_are_nearly_the_models_and_its_weights_a_quarter(
    model: SentenceTransformerEncoder, exported: Path, in_bytes: OnnxEncoder
) -> None:
    queries = queries_of(PASSAGES)
    assert (in_bytes.encode_queries(queries) * model.encode_queries(queries)).sum(axis=1).min() > 0.9996
    assert (in_bytes.encode_passages(PASSAGES) * model.encode_passages(PASSAGES)).sum(axis=1).min() > 0.9996
    assert (in_bytes.folder / WEIGHTS).stat().st_size < 0.3 * (exported / WEIGHTS).stat().st_size
    assert (in_bytes.folder / WEIGHTS).stat().st_mode == (in_bytes.folder / GRAPH).stat().st_mode


@pytest.mark.slow
def test_a_text_in_eight_bits_gets_the_same_vector_whoever_else_asks(in_bytes: OnnxEncoder) -> None:
    alone = np.concatenate([in_bytes.encode_queries([text]) for text in PASSAGES])
    np.testing.assert_allclose(in_bytes.encode_queries(PASSAGES), alone, atol=2e-5)


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
    earlier = {**record, "eight_bits": {**record["eight_bits"], "form": 1}}
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
            value.weight[1::16], value.bias[1::16] = value.weight[::16], value.bias[::16]
            out.weight[:, ::16] += 100
            out.weight[:, 1::16] -= 100
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
        "adopted": False, "form": FORM,
        "reason": "queries find 0.900 of the first 10 products that they find in float32",
    }  # fmt: skip
    monkeypatch.setattr(serving, "in_eight_bits", lambda *_: Path("/no/such/folder"))
    record = prepare_to_serve(model, Home(tmp_path), "mine.csv", PASSAGES, all_alike, None)
    assert record["precision"] == "float32"
    assert record["eight_bits"]["reason"].startswith(f"/no/such/folder/{SETTINGS} cannot be read")


def all_alike(queries: Floats, count: int) -> list[Rows]:
    """Return the first rows, whatever is asked."""
    return [np.arange(count) for _ in queries]
