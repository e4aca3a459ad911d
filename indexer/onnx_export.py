"""A sentence-transformers model as an ONNX graph with its weights beside it, read by search/onnx_encoder.py."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from search.arrays import Floats
from search.encoder import SentenceTransformerEncoder, file_sha256
from search.errors import EncoderError
from search.onnx_encoder import GRAPH, SETTINGS, TOKENIZER, WEIGHTS, WORD_VECTORS, WORDS

OPSET = 17
DOMAIN = "com.microsoft"  # ONNX Runtime's own operators
LEAST_WEIGHTS = 1024  # bytes; what is smaller lies in the graph
PASSAGE_PROMPTS = ("document", "passage", "corpus")  # the first there is, as sentence-transformers takes it
EXPORTED = ("Transformer", "Pooling", "Dense", "Normalize", "LayerNorm")  # modules that read nothing but tensors


def export(encoder: SentenceTransformerEncoder, folder: Path) -> Path:
    """Write an encoder to a new folder, in float32; return the folder.

    Raises:
        EncoderError: it is of a kind that is not exported.
        Exception: whatever torch and ONNX Runtime raise over a model that it cannot trace.
    """
    import onnx

    expect_exportable(encoder)
    folder.mkdir(parents=True)
    _trace(encoder.model, folder / GRAPH)
    graph = onnx.load(folder / GRAPH)
    if (words := take_out_words(graph)) is not None:
        np.save(folder / WORDS, words)
    config = next(iter(encoder.model)).model.config
    heads, width = (getattr(config, name, 0) for name in ("num_attention_heads", "hidden_size"))
    save_graph(fused(graph, heads, width), folder)
    tokenizer = encoder.model.tokenizer
    (folder / TOKENIZER).write_text(tokenizer.backend_tokenizer.to_str(), "utf-8")
    settings = {
        "name": encoder.name, "fingerprint": encoder.fingerprint, "dim": encoder.dim,
        "max_tokens": int(encoder.model.max_seq_length), "pools_by_mean": encoder.pools_by_mean,
        "prompts": {"query": _prompt(encoder.model, "query"), "passage": _prompt(encoder.model, *PASSAGE_PROMPTS)},
        "pad_id": int(tokenizer.pad_token_id or 0), "truncation_side": tokenizer.truncation_side,
    }  # fmt: skip
    write_settings(folder, settings)
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


def _prompt(model: Any, *names: str) -> str:
    """Return the first of these prompts that a model has, else its default one, else none."""
    named = next((name for name in names if name in model.prompts), model.default_prompt_name)
    return model.prompts.get(named) or ""


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
    with warnings.catch_warnings(), torch.inference_mode(), _plain_attention(model):
        warnings.simplefilter("ignore")  # the tracer warns of each branch; the comparison with torch is what counts
        torch.onnx.export(
            Whole().eval(), tuple(features[name].to(model.device) for name in names), str(path), dynamo=False,
            opset_version=OPSET, input_names=names, output_names=["sentence_embedding", "token_embeddings"],
            dynamic_axes={**axes, "sentence_embedding": {0: "texts"}},
        )  # fmt: skip


@contextmanager
def _plain_attention(model: Any) -> Iterator[None]:
    """Let a model compute attention step by step, as `fused` knows it, for a while."""
    transformer = next(iter(model)).model
    usual = transformer.config._attn_implementation
    transformer.set_attn_implementation("eager")
    try:
        yield
    finally:
        transformer.set_attn_implementation(usual)


def fused(model: Any, heads: int, width: int) -> Any:
    """Return a graph with one operator for each attention, as far as ONNX Runtime's optimizer knows its form.

    Args:
        heads, width: of the model; 0 has them looked for in the graph.

    Of 350 steps a small model has 96 left; each costs some 2 µs where other work has filled the caches.
    """
    from onnx import helper
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    wanted = FusionOptions("bert")
    wanted.use_multi_head_attention = True  # the other form has a product of its own, which cannot be in eight bits
    wanted.enable_skip_layer_norm = False  # slower than its two steps
    found = optimizer.optimize_model(model, "bert", heads, width, wanted, opt_level=0).model
    if DOMAIN not in {one.domain for one in found.opset_import}:
        found.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return found


def take_out_words(model: Any) -> Floats | None:
    """Take the table of word vectors out of a graph, which then is given the vectors of a text's tokens.

    It is half of a small model, and a text reads a few rows of it. Mapped with the other weights it becomes resident,
    for each row that is touched brings its neighbours.

    Returns:
        (v, d) float32; None, and the graph as it was, where it is not looked up by the tokens alone.
    """
    import onnx

    graph = model.graph
    tables = {one.name: one for one in graph.initializer if len(one.dims) == 2}
    look_ups = [node for node in graph.node if node.op_type == "Gather" and node.input[0] in tables]
    by_token = [node for node in look_ups if node.input[1] == "input_ids"]
    uses = [name for node in graph.node for name in node.input]
    if len(by_token) != 1 or uses.count(by_token[0].input[0]) != 1:
        return None
    (node,) = by_token
    table = tables[node.input[0]]
    words = onnx.numpy_helper.to_array(table)
    if words.dtype != np.float32 or any(one.name == "axis" and one.i != 0 for one in node.attribute):
        return None
    for other in graph.node:
        for place, name in enumerate(other.input):
            if name == node.output[0]:
                other.input[place] = WORD_VECTORS
    graph.node.remove(node)
    graph.initializer.remove(table)
    kind, shape = onnx.TensorProto.FLOAT, ["texts", "tokens", words.shape[1]]
    graph.input.append(onnx.helper.make_tensor_value_info(WORD_VECTORS, kind, shape))
    return np.ascontiguousarray(words)


def save_graph(model: Any, folder: Path) -> None:
    """Write graph and weights apart: what lies beside the graph is mapped, not read."""
    import onnx

    onnx.save_model(
        model, folder / GRAPH, save_as_external_data=True, all_tensors_to_one_file=True, location=WEIGHTS,
        size_threshold=LEAST_WEIGHTS,
    )  # fmt: skip
    (folder / WEIGHTS).chmod((folder / GRAPH).stat().st_mode)  # onnx gives them to their owner alone


def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write the settings, with size and sha256 of the other files."""
    names = [name for name in (GRAPH, WEIGHTS, TOKENIZER, WORDS) if (folder / name).is_file()]
    files = {name: [(folder / name).stat().st_size, file_sha256(folder / name)] for name in names}
    text = json.dumps({**settings, "files": files}, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / SETTINGS).write_text(text, "utf-8")
