"""An exported encoder with its matrices in eight bits: a query streams a quarter of the bytes.

A weight is a byte times the scale of its column. What is multiplied with it has two bytes, a high and a low one, each
multiplied by itself: inputs then are as good as exact, and both times the matrix comes from the processor's cache.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.onnx_export import DOMAIN, save_graph, write_settings
from search.arrays import Floats
from search.onnx_encoder import GRAPH, SETTINGS, TOKENIZER, WORDS, OnnxEncoder

FORM = 2  # how it is written; a build writes what has an earlier number anew
LARGEST = 127  # of a weight's byte
# Of an input's two: seven bits each, around the byte that stands for 0. A processor without VNNI adds two products of
# bytes in 16 bits, which eight would overflow. What is larger than ROOM times any input seen is cut to that.
STEPS, MIDDLE, ROOM = 128, 64, 1.25
# How much of the unevenness of a product's inputs its weights take over. They are exact, so little: with half, as where
# inputs are bytes too, the error is twice as large (DESIGN.md, "Eight bits").
STRENGTH = 0.25
DAMPING = 0.01  # of the mean square of what is multiplied, without which so few texts are taken too literally
TOGETHER = 128  # rows of a matrix after which the later ones are corrected, and texts read at a time
LEAST = 1e-6  # magnitude of what is always 0


@dataclass
class Inputs:
    """What texts give a product of a graph to multiply.

    Attributes:
        moments: (k, k) float64 mean products of each two columns, every text weighing alike.
        largest: (k,) float32 magnitudes of each column.
    """

    moments: NDArray[np.float64]
    largest: Floats


def in_eight_bits(exported: Path, folder: Path, texts: Sequence[str]) -> Path:
    """Write an exported encoder once more, to a new folder, with its matrices as bytes; return the folder.

    Args:
        texts: like those it will be asked, which show what its matrices are multiplied with.
    """
    import onnx

    graph = onnx.load(exported / GRAPH)
    quantize(graph, inputs_of(graph, OnnxEncoder(exported), texts))
    folder.mkdir(parents=True)
    save_graph(graph, folder)
    for name in (TOKENIZER, WORDS):
        if (exported / name).is_file():
            shutil.copyfile(exported / name, folder / name)
    write_settings(folder, json.loads((exported / SETTINGS).read_text("utf-8")))
    return folder


def products_of(graph: Any) -> dict[str, list[Any]]:
    """Return a graph's products with constant matrices, by the name of what is multiplied."""
    matrices = {one.name for one in graph.initializer if len(one.dims) == 2}
    found: dict[str, list[Any]] = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in matrices:
            found.setdefault(node.input[0], []).append(node)
    return found


def inputs_of(model: Any, encoder: OnnxEncoder, texts: Sequence[str]) -> dict[str, Inputs]:
    """Return what these texts give each product of a graph to multiply, by its name."""
    import onnx
    import onnxruntime

    names = list(products_of(model.graph))
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(shown.SerializeToString(), providers=["CPUExecutionProvider"])
    found: dict[str, Inputs] = {}
    for start in range(0, len(texts), TOGETHER):
        runs = [session.run(names, encoder.inputs_of([text])) for text in texts[start : start + TOGETHER]]
        for name, given in zip(names, zip(*runs, strict=True), strict=True):
            tokens = [one.reshape(-1, one.shape[-1]) for one in given]
            largest = np.max([np.abs(rows).max(axis=0) for rows in tokens], axis=0)
            weighed = np.concatenate([rows / np.sqrt(np.float32(len(rows) * len(texts))) for rows in tokens])
            known = found.get(name, Inputs(np.zeros(()), largest))
            moments = known.moments + weighed.T @ weighed
            found[name] = Inputs(moments, np.maximum(known.largest, largest))
    return found


def quantize(model: Any, inputs: Mapping[str, Inputs]) -> None:
    """Turn a graph's products with constant matrices into products of bytes; those of the same inputs become one.

    Args:
        inputs: what is multiplied, by its name.
    """
    from onnx import numpy_helper

    graph = model.graph
    tables = {one.name: one for one in graph.initializer}
    for name, nodes in products_of(graph).items():
        matrices = [numpy_helper.to_array(tables[node.input[1]]) for node in nodes]
        widths = {node.output[0]: matrix.shape[1] for node, matrix in zip(nodes, matrices, strict=True)}
        place = list(graph.node).index(nodes[0])
        for node in nodes:
            graph.node.remove(node)
        for node in reversed(_steps_of(name, widths)):
            graph.node.insert(place, node)
        constants = _constants_of(np.concatenate(matrices, axis=1), inputs[name])
        if len(widths) > 1:
            constants["widths"] = np.array(list(widths.values()))
        graph.initializer.extend(numpy_helper.from_array(one, f"{name}.{part}") for part, one in constants.items())
    used = {name for node in graph.node for name in node.input}
    for name in tables.keys() - used:
        graph.initializer.remove(tables[name])


def _constants_of(matrix: Floats, inputs: Inputs) -> dict[str, NDArray[Any]]:
    """Return what multiplies inputs with a (k, n) matrix in bytes, by the names that `_steps_of` knows.

    A few columns of a model's activations are far larger than their neighbours. So each column is divided by a number
    that its row of the matrix is multiplied with, which makes both more even (Xiao et al. 2023, SmoothQuant).
    """
    of_inputs, of_rows = np.sqrt(np.diag(inputs.moments)), np.sqrt(np.square(matrix).mean(axis=1))
    divisors = (of_inputs + LEAST) ** STRENGTH / (of_rows + LEAST) ** (1 - STRENGTH)
    step = (inputs.largest / divisors).max() * ROOM / (MIDDLE * STEPS) or 1.0  # 1 where every input is 0
    codes, scales = rounded(matrix * divisors[:, None], inputs.moments / np.outer(divisors, divisors))
    return {
        "factors": (1 / (divisors * step)).astype(np.float32), "codes": codes, "scales": scales,
        "high_step": np.array(STEPS, np.float32), "low_step": np.array(1, np.float32),
        "high_scale": np.array(STEPS * step, np.float32), "low_scale": np.array(step, np.float32),
        "middle": np.array(MIDDLE, np.uint8),
    }  # fmt: skip


def _steps_of(name: str, widths: Mapping[str, int]) -> list[Any]:
    """Return the nodes that multiply an input with bytes, and cut what comes out into products of these widths.

    An input is divided by `step` of `_constants_of`; its high byte counts STEPS of these, its low one what is left.
    """
    from onnx import helper

    def constant(part: str) -> str:
        return f"{name}.{part}"

    whole = next(iter(widths)) if len(widths) == 1 else constant("products")
    scaled, high, low, seen, rest = (constant(part) for part in ("scaled", "high", "low", "seen", "rest"))
    middle = constant("middle")
    steps = [
        helper.make_node("Mul", [name, constant("factors")], [scaled]),
        helper.make_node("QuantizeLinear", [scaled, constant("high_step"), middle], [high]),
        helper.make_node("DequantizeLinear", [high, constant("high_step"), middle], [seen]),
        helper.make_node("Sub", [scaled, seen], [rest]),
        helper.make_node("QuantizeLinear", [rest, constant("low_step"), middle], [low]),
    ]
    for part in ("high", "low"):
        given = [constant(one) for one in (part, "codes", f"{part}_scale", "scales", "middle")]
        steps.append(helper.make_node("MatMulIntegerToFloat", given, [f"{whole}.{part}"], domain=DOMAIN))
    steps.append(helper.make_node("Add", [f"{whole}.high", f"{whole}.low"], [whole]))
    if len(widths) > 1:
        steps.append(helper.make_node("Split", [whole, constant("widths")], list(widths), axis=-1))
    return steps


def rounded(matrix: NDArray[np.float64], moments: NDArray[np.float64]) -> tuple[NDArray[np.int8], Floats]:
    """Return a (k, n) matrix as (k, n) int8 codes and the (n,) float32 scales of its columns.

    Rows are rounded one by one, those first that are multiplied with the most; what is lost of one, later ones make up
    for as far as inputs go together (Frantar et al. 2023, GPTQ). ONNX Runtime has it too, in a module of its own
    workings that gives rounded floats and no bytes.

    Args:
        moments: (k, k) mean products of what is multiplied with it.
    """
    order = np.argsort(-np.diag(moments), kind="stable")
    left, moments = matrix[order], moments[np.ix_(order, order)]
    scales = np.abs(left).max(axis=0) / LARGEST
    scales[scales == 0] = 1  # nothing but zeros
    damped = moments + np.eye(len(order)) * (DAMPING * np.diag(moments).mean() + LEAST**2)
    shares = np.linalg.cholesky(np.linalg.inv(damped)).T
    codes = np.empty(left.shape, np.int8)
    for start in range(0, len(left), TOGETHER):
        end = min(start + TOGETHER, len(left))
        lost = np.empty((end - start, left.shape[1]))
        for row in range(start, end):
            of_row = np.clip(np.rint(left[row] / scales), -LARGEST, LARGEST)
            codes[order[row]] = of_row
            lost[row - start] = (left[row] - of_row * scales) / shares[row, row]
            left[row + 1 : end] -= np.outer(shares[row, row + 1 : end], lost[row - start])
        left[end:] -= shares[start:end, end:].T @ lost
    return codes, scales.astype(np.float32)
