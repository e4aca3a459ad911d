"""The least that a hybrid answer can cost: one encoding by ONNX Runtime in float32 and one exact scan on one thread."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from indexer.onnx_export import export
from search.arrays import Floats
from search.encoder import Encoder
from search.encoders import find_encoder
from search.home import Home
from search.onnx_encoder import OnnxEncoder
from search.release import read_manifest

FOUND = 24  # products of a page


def floor_ms(home: Home, texts: list[str]) -> Floats:
    """Return (len(texts), 2) float32 milliseconds: of encoding a text, and of scanning a flat index for it."""
    import faiss

    faiss.omp_set_num_threads(1)
    layout = home.live()
    embeddings = np.load(layout.embeddings)
    index = faiss.IndexFlatIP(embeddings.shape[1])
    index.add(embeddings)
    encoder = in_float32(read_manifest(layout)["encoder"], home)
    encoder.encode_queries(["warm-up"])
    index.search(embeddings[:1], FOUND)
    spent = []
    for text in texts:
        started = time.perf_counter()
        vector = encoder.encode_queries([text])
        encoded = time.perf_counter()
        index.search(vector, FOUND)
        spent.append((encoded - started, time.perf_counter() - encoded))
    return np.array(spent, np.float32) * 1000


def in_float32(record: dict[str, Any], home: Home) -> Encoder:
    """Return a release's encoder in float32: as it serves, or exported again where it serves in eight bits."""
    if record["serving"].get("precision") != "int8":
        return find_encoder(record, home)
    model: Any = find_encoder({**record, "serving": None}, home)
    with TemporaryDirectory() as folder:
        return OnnxEncoder(export(model, Path(folder) / "float32"))  # holds its files open


def floor(home: Path, texts: list[str]) -> Floats:
    """Return what `floor_ms` does, measured in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), str(home)]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    return np.array(json.loads(done.stdout), np.float32)


if __name__ == "__main__":
    print(json.dumps(floor_ms(Home(Path(sys.argv[1])), json.load(sys.stdin)).tolist()))
