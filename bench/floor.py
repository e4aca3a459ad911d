"""The least that a hybrid answer can cost: one encoding in ONNX Runtime and one exact scan, on one thread, bare."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from search.arrays import Floats
from search.encoders import find_encoder
from search.home import Home
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
    encoder = find_encoder(read_manifest(layout)["encoder"], home)
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


def floor(home: Path, texts: list[str]) -> Floats:
    """Return what `floor_ms` does, measured in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), str(home)]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    return np.array(json.loads(done.stdout), np.float32)


if __name__ == "__main__":
    print(json.dumps(floor_ms(Home(Path(sys.argv[1])), json.load(sys.stdin)).tolist()))
