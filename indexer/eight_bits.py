"""An exported encoder with its matrices in eight bits: a query streams a third of the bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.onnx_export import DOMAIN, save_graph, write_settings
from search.arrays import Floats
from search.onnx_encoder import GRAPH, SETTINGS, TOKENIZER, WORDS, OnnxEncoder

BLOCK = 16  # weights that share a scale; with 32 half as much again is lost (DESIGN.md, "Eight bits")
MIDDLE = 128  # the byte that stands for 0
ROUNDS_INPUTS = 4  # MatMulNBits' accuracy_level: inputs become bytes too; with any other a query takes 11 ms
LEAST = 1e-6  # magnitude of what is always 0


def in_eight_bits(exported: Path, folder: Path, queries: Sequence[str]) -> Path:
    """Write an exported encoder once more, to a new folder, with its matrices as bytes; return the folder.

    Args:
        queries: like those it will be asked, which show how large its inputs are.
    """
    import onnx

    graph = onnx.load(exported / GRAPH)
    quantize(graph, magnitudes_of(graph, OnnxEncoder(exported), queries))
    folder.mkdir(parents=True)
    save_graph(graph, folder)
    for name in (TOKENIZER, WORDS):
        if (exported / name).is_file():
            shutil.copyfile(exported / name, folder / name)
    write_settings(folder, json.loads((exported / SETTINGS).read_text("utf-8")))
    return folder


def products_of(graph: Any) -> dict[str, list[Any]]:
    """Return a graph's products with constant matrices, by the name of what is multiplied.

    Not those that give attention its values: half of the error would come from a twelfth of the weights.
    """
    matrices = {one.name for one in graph.initializer if len(one.dims) == 2 and one.dims[0] % BLOCK == 0}
    values = {node.input[2] for node in graph.node if node.op_type == "MultiHeadAttention"}
    found: dict[str, list[Any]] = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in matrices and node.output[0] not in values:
            found.setdefault(node.input[0], []).append(node)
    return found


def magnitudes_of(model: Any, encoder: OnnxEncoder, queries: Sequence[str]) -> dict[str, Floats]:
    """Return (k,) root mean squares of what queries give each product of a graph to multiply, by its name."""
    import onnx
    import onnxruntime

    names = list(products_of(model.graph))
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(shown.SerializeToString(), providers=["CPUExecutionProvider"])
    runs = [session.run(names, encoder.inputs_of([query])) for query in queries]
    rows = [np.concatenate([one.reshape(-1, one.shape[-1]) for one in of_name]) for of_name in zip(*runs, strict=True)]
    return {name: np.sqrt(np.square(one).mean(axis=0)) for name, one in zip(names, rows, strict=True)}


def quantize(model: Any, magnitudes: Mapping[str, Floats]) -> None:
    """Turn a graph's products with constant matrices into ONNX Runtime's products with bytes.

    A few columns of a model's activations are far larger than their neighbours, which the scale of a block then rounds
    away. So each is divided by a number that its row of the matrix is multiplied with, the root of their magnitudes'
    ratio: both have the same magnitude then (Xiao et al. 2023, SmoothQuant, with a strength of one half).

    Args:
        magnitudes: (k,) of what is multiplied, by its name.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    tables = {one.name: one for one in graph.initializer}
    for name, nodes in products_of(graph).items():
        matrices = [numpy_helper.to_array(tables[node.input[1]]) for node in nodes]
        of_rows = np.sqrt(np.mean([np.square(matrix).mean(axis=1) for matrix in matrices], axis=0))
        factors = np.sqrt((magnitudes[name] + LEAST) / (of_rows + LEAST)).astype(np.float32)
        made = {f"{name}.divisors": 1 / factors}
        level = helper.make_node("Mul", [name, f"{name}.divisors"], [f"{name}.level"])
        graph.node.insert(list(graph.node).index(nodes[0]), level)
        for node, matrix in zip(nodes, matrices, strict=True):
            parts = [f"{node.output[0]}.bytes", f"{node.output[0]}.scales"]
            made |= zip(parts, blocks_of(matrix * factors[:, None]), strict=True)
            node.CopyFrom(
                helper.make_node(
                    "MatMulNBits", [level.output[0], *parts], node.output, node.name, domain=DOMAIN,
                    K=matrix.shape[0], N=matrix.shape[1], bits=8, block_size=BLOCK, accuracy_level=ROUNDS_INPUTS,
                )
            )  # fmt: skip
        graph.initializer.extend(numpy_helper.from_array(array, part) for part, array in made.items())
    used = {name for node in graph.node for name in node.input}
    for name in tables.keys() - used:
        graph.initializer.remove(tables[name])


def blocks_of(matrix: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Return a (k, n) matrix as MatMulNBits reads it: (n, k / BLOCK, BLOCK) bytes, and the (n * k / BLOCK) scales.

    A weight is its byte less MIDDLE, times the scale of its block; the largest of a block is kept exactly.
    """
    blocks = matrix.T.reshape(matrix.shape[1], -1, BLOCK)
    scales = np.abs(blocks).max(axis=2, keepdims=True) / np.float32(MIDDLE - 1)
    scales[scales == 0] = 1  # nothing but zeros
    return (np.rint(blocks / scales) + MIDDLE).astype(np.uint8), scales.ravel()
