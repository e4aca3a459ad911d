"""Catalogs small enough to work a report out by hand, and hostile ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from conftest import FakeEncoder

from indexer.embeddings import encode_products
from indexer.grouping import fold_variants
from indexer.report import Knowledge, Subject, knowledge_of
from search.analysis import Analyzer
from search.arrays import Floats
from search.passages import texts_of
from search.product import Product

ENGLISH = Analyzer("en")


def at(*degrees: float) -> Floats:
    """Unit vectors in the plane at these angles: their cosines are those of the differences."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def titled(*titles: str, **fields: object) -> list[Product]:
    return [Product(f"p{number}", title, **fields) for number, title in enumerate(titles)]  # type: ignore[arg-type]


def subject_of(products: Sequence[Product], vectors: Floats | None = None) -> Subject:
    encoder = FakeEncoder()
    if vectors is None:
        vectors, _ = encode_products(texts_of(products), encoder)
    everything = np.zeros(len(products), np.int64)
    return Subject.of(products, vectors, fold_variants(products), everything, {0: "All"}, encoder, None, "en")


HOSTILE = {
    "one product": titled("Mug"),
    "two products": titled("Mug", "Lamp"),
    "no words in the titles": titled(*["!!!"] * 6),
    "all the same": titled(*["Red Mug"] * 30, description="A mug.", category=("Mugs",)),
    "a word of 5,000 letters": titled(*["x" * 5_000] * 4, *["Mug"] * 3),
    "markup": titled(*["<script>alert(1)</script> mug"] * 3, category=("<b>Mugs</b>",)),
    "other scripts": titled(*["咖啡杯 陶瓷"] * 3, *["кружка красная"] * 3),
    "one group": [Product(f"p{n}", "Mug", group_id="g") for n in range(5)],
    "no description": titled(*[f"Mug number {n}" for n in range(8)]),
}


def hostile_knowledge(name: str) -> Knowledge:
    return knowledge_of(subject_of(HOSTILE[name]))
