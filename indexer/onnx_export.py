"""A sentence-transformers model written as an ONNX graph with its weights beside it, in float32 or in 8 bits."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats
from search.encoder import SentenceTransformerEncoder, file_sha256
from search.errors import EncoderError
from search.onnx_encoder import GRAPH, SETTINGS, TOKENIZER, WEIGHTS, read_settings

OPSET = 17
BLOCK = 32  # inputs that share a scale; with 128 a query is hardly faster, at three times the error
LEAST_WEIGHTS = 1024  # bytes; what is smaller lies in the graph
INT8 = 4  # MatMulNBits' accuracy_level at which inputs are rounded to 8 bits as well, a scale a block
EXPORTED = ("Transformer", "Pooling", "Dense", "Normalize", "LayerNorm")  # modules that read nothing but tensors


def export(encoder: SentenceTransformerEncoder, folder: Path) -> Path:
    """Write an encoder as OnnxEncoder reads it, in float32; return the folder.

    Raises:
        EncoderError: it is of a kind that is not exported.
        Exception: whatever torch raises over a model that it cannot trace.
    """
    import onnx

    expect_exportable(encoder)
    folder.mkdir(parents=True)
    _trace(encoder.model, folder / GRAPH)
    _save(onnx.load(folder / GRAPH), folder)
    tokenizer = encoder.model.tokenizer
    (folder / TOKENIZER).write_text(tokenizer.backend_tokenizer.to_str(), "utf-8")
    prompts = encoder.model.prompts
    default = prompts.get(encoder.model.default_prompt_name, "") if encoder.model.default_prompt_name else ""
    settings = {
        "name": encoder.name, "fingerprint": encoder.fingerprint, "dim": encoder.dim, "precision": "float32",
        "max_tokens": int(encoder.model.max_seq_length), "pools_by_mean": encoder.pools_by_mean,
        "prompts": {"query": prompts.get("query", default), "passage": prompts.get("document", default)},
        "pad_id": int(tokenizer.pad_token_id or 0), "truncation_side": tokenizer.truncation_side,
    }  # fmt: skip
    _write_settings(folder, settings)
    return folder


def expect_exportable(encoder: SentenceTransformerEncoder) -> None:
    """See that a model's vectors depend on nothing but its tokens.

    Raises:
        EncoderError: naming what else they depend on.
    """
    kinds = [type(module).__name__ for module in encoder.model]
    if strange := [kind for kind in kinds if kind not in EXPORTED]:
        raise EncoderError(f"its module {strange[0]} is not exported")
    if not getattr(encoder.model.tokenizer, "is_fast", False):
        raise EncoderError("its tokenizer has no form of its own outside transformers")
    leaves_out = [module for module in encoder.model if not getattr(module, "include_prompt", True)]
    if leaves_out and any(encoder.model.prompts.values()):
        raise EncoderError("it leaves its prompts out of the mean")


def _trace(model: Any, path: Path) -> None:
    """Write the graph of a model: tokens in, the text's vector and the tokens' out, any number of texts and tokens."""
    import torch

    class Whole(torch.nn.Module):
        """The model with its inputs in a row, as the exporter wants them."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Any) -> tuple[Any, Any]:
            told = self.model(dict(zip(names, tensors, strict=True)))
            return told["sentence_embedding"], told["token_embeddings"]

    features = model.preprocess(["two texts of", "a different number of tokens"])
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in features]
    axes = {name: {0: "texts", 1: "tokens"} for name in (*names, "token_embeddings")}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer warns of each branch; the comparison with torch is what counts
        torch.onnx.export(
            Whole().eval(), tuple(features[name].to(model.device) for name in names), str(path), dynamo=False,
            opset_version=OPSET, input_names=names, output_names=["sentence_embedding", "token_embeddings"],
            dynamic_axes={**axes, "sentence_embedding": {0: "texts"}},
        )  # fmt: skip


def quantize(exported: Path, folder: Path) -> Path:
    """Write an exported encoder with matrices of 8 bits; return the folder. Word and position vectors stay as they are.

    Weights are rounded in blocks of BLOCK inputs with a scale each, and so are the inputs at run time (ONNX Runtime's
    MatMulNBits): a large value costs its own block precision, not the whole row.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(exported / GRAPH)
    constants = {one.name: one for one in model.graph.initializer}
    rounded: dict[str, list[str]] = {}
    for node in model.graph.node:
        weights = constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if weights is None or len(weights.dims) != 2:
            continue
        inputs, outputs = weights.dims
        if weights.name not in rounded:
            codes, scales = in_blocks(numpy_helper.to_array(weights))
            rounded[weights.name] = [f"{weights.name}.codes", f"{weights.name}.scales"]
            model.graph.initializer.append(numpy_helper.from_array(codes, rounded[weights.name][0]))
            model.graph.initializer.append(numpy_helper.from_array(scales, rounded[weights.name][1]))
        node.CopyFrom(
            helper.make_node(
                "MatMulNBits", [node.input[0], *rounded[weights.name]], list(node.output), node.name,
                domain="com.microsoft", K=inputs, N=outputs, bits=8, block_size=BLOCK, accuracy_level=INT8,
            )
        )  # fmt: skip
    asked = {name for node in model.graph.node for name in node.input}
    for weights in list(model.graph.initializer):
        if weights.name not in asked:
            model.graph.initializer.remove(weights)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    folder.mkdir(parents=True)
    _save(model, folder)
    (folder / TOKENIZER).write_bytes((exported / TOKENIZER).read_bytes())
    _write_settings(folder, {**read_settings(exported), "precision": "int8"})
    return folder


def in_blocks(weights: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Return (outputs, blocks, BLOCK) uint8 codes around 128 and (outputs x blocks,) float32 scales of a matrix.

    Args:
        weights: (inputs, outputs); the last block is filled up with zeros.
    """
    inputs, outputs = weights.shape
    blocks = -(-inputs // BLOCK)
    filled = np.zeros((outputs, blocks * BLOCK), np.float32)
    filled[:, :inputs] = weights.T
    filled = filled.reshape(outputs, blocks, BLOCK)
    scales = np.maximum(np.abs(filled).max(axis=2) / 127, np.finfo(np.float32).tiny).astype(np.float32)
    codes = np.rint(filled / scales[:, :, None]).clip(-127, 127) + 128
    return codes.astype(np.uint8), scales.reshape(-1)


def _save(model: Any, folder: Path) -> None:
    """Write graph and weights apart: what lies beside the graph is mapped, not read."""
    import onnx

    onnx.save_model(
        model, folder / GRAPH, save_as_external_data=True, all_tensors_to_one_file=True, location=WEIGHTS,
        size_threshold=LEAST_WEIGHTS,
    )  # fmt: skip


def _write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write the settings, with size and sha256 of the other files."""
    files = {name: [(folder / name).stat().st_size, file_sha256(folder / name)] for name in (GRAPH, WEIGHTS, TOKENIZER)}
    text = json.dumps({**settings, "files": files}, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / SETTINGS).write_text(text, "utf-8")
