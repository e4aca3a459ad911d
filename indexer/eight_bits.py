"""An exported encoder with its matrices in eight bits: a query streams a third of the bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.onnx_export import DOMAIN, save_graph, write_settings
from search.arrays import Floats
from search.onnx_encoder import GRAPH, SETTINGS, TOKENIZER, WORDS

BLOCK = 16  # weights that share a scale; with 32 half as much again is lost (DESIGN.md, "Eight bits")
MIDDLE = 128  # the byte that stands for 0
ROUNDS_INPUTS = 4  # MatMulNBits' accuracy_level: inputs become bytes too; with any other a query takes 11 ms


def in_eight_bits(exported: Path, folder: Path) -> Path:
    """Write an exported encoder once more, to a new folder, with its matrices as bytes; return the folder."""
    import onnx

    graph = onnx.load(exported / GRAPH)
    quantize(graph)
    folder.mkdir(parents=True)
    save_graph(graph, folder)
    for name in (TOKENIZER, WORDS):
        if (exported / name).is_file():
            shutil.copyfile(exported / name, folder / name)
    write_settings(folder, json.loads((exported / SETTINGS).read_text("utf-8")))
    return folder


def quantize(model: Any) -> None:
    """Turn a graph's products with constant matrices into ONNX Runtime's products with bytes.

    What attention takes as values stays float32: half of the error would come from a twelfth of the weights.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    matrices = {one.name: one for one in graph.initializer if len(one.dims) == 2 and one.dims[0] % BLOCK == 0}
    kept = {node.input[2] for node in graph.node if node.op_type == "MultiHeadAttention"}
    for place, node in enumerate(graph.node):
        if node.op_type != "MatMul" or node.input[1] not in matrices or node.output[0] in kept:
            continue
        matrix = numpy_helper.to_array(matrices[node.input[1]])
        names = [f"{node.input[1]}.bytes", f"{node.input[1]}.scales"]
        if names[0] not in {one.name for one in graph.initializer}:
            values, scales = blocks_of(matrix)
            graph.initializer.extend(
                [numpy_helper.from_array(values, names[0]), numpy_helper.from_array(scales, names[1])]
            )
        product = helper.make_node(
            "MatMulNBits", [node.input[0], *names], node.output, node.name, domain=DOMAIN, K=matrix.shape[0],
            N=matrix.shape[1], bits=8, block_size=BLOCK, accuracy_level=ROUNDS_INPUTS,
        )  # fmt: skip
        graph.node[place].CopyFrom(product)
    used = {name for node in graph.node for name in node.input}
    for name in matrices.keys() - used:
        graph.initializer.remove(matrices[name])


def blocks_of(matrix: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Return a (k, n) matrix as MatMulNBits reads it: (n, k / BLOCK, BLOCK) bytes, and the (n * k / BLOCK) scales.

    A weight is its byte less MIDDLE, times the scale of its block; the largest of a block is kept exactly.
    """
    blocks = matrix.T.reshape(matrix.shape[1], -1, BLOCK)
    scales = np.abs(blocks).max(axis=2, keepdims=True) / np.float32(MIDDLE - 1)
    scales[scales == 0] = 1  # nothing but zeros
    return (np.rint(blocks / scales) + MIDDLE).astype(np.uint8), scales.ravel()
