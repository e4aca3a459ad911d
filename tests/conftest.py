"""Shared fixtures: an encoder a reader can compute in the head, and a small shop built with it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import settings

from indexer.embeddings import encode_products
from indexer.facets import facets_of
from indexer.grouping import fold_variants
from indexer.shown import write_shown
from indexer.spans import spans_of
from indexer.suggestions import suggestions_of
from search.analysis import words_of
from search.arrays import Floats, unit_rows
from search.categories import CategoryIndex
from search.clusters import Cluster
from search.codes import codes_of
from search.confidence import Calibration, Confidence
from search.dense import DenseIndex
from search.encoder import Encoder
from search.engine import Engine
from search.home import Layout
from search.lexical import LexicalIndex, LexicalSettings
from search.passages import categories_are_kinds, texts_of
from search.product import Product, lexical_fields
from search.release import FORMAT, open_release
from search.segments import segment_spans
from search.store import ProductStore
from search.tokens import Tokens
from search.understanding import Interpreter

# What tests search for is not kept, but where a test says so.
os.environ["AISLE_EVENTS"] = "off"
pytest_plugins = ["browser_fixtures"]
settings.register_profile("aisle", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("aisle")
# As a server does, the tests' client closes what it was answered: what is streamed keeps its slot until then.
FlaskClient.open = partialmethod(FlaskClient.open, buffered=True)  # type: ignore[method-assign, assignment]
os.environ["AISLE_RATE_LIMIT"] = "off"  # tests ask faster than people; those of limits set their own

# Each line is one direction of the space; words on a line mean the same to the fake encoder.
MEANINGS = (
    "mug cup tumbler mugs", "coffee espresso", "hot warm insulated", "dress gown dresses", "red crimson", "blue navy",
    "lamp light lamps", "desk table", "boot shoe boots", "leather", "garden plant", "knife blade knives",
)  # fmt: skip
DIRECTION = {word: number for number, line in enumerate(MEANINGS) for word in line.split()}


class FakeEncoder:
    """Counts words by meaning: the vector of "red cup" is 1 on the cup axis and 1 on the red axis, then unit length.

    A last axis, always a little on, keeps a text of unknown words from being the zero vector.
    """

    name = "fake"
    fingerprint = "fake"
    max_tokens = 128
    folder = Path("no-such-folder")
    dim = len(MEANINGS) + 1

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def _encode(self, texts: Sequence[str]) -> Floats:
        self.encoded += texts
        vectors = np.zeros((len(texts), self.dim), np.float32)
        vectors[:, -1] = 0.1
        for row, text in enumerate(texts):
            for word in words_of(text):
                if word in DIRECTION:
                    vectors[row, DIRECTION[word]] += 1
        return unit_rows(vectors)

    def words(self) -> list[str]:
        return list(DIRECTION)

    encode_queries = _encode
    encode_passages = _encode

    pools_by_mean = True

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """One token a word, and a special one that holds the last axis."""
        self.encoded += texts
        return [self._tokens_of(text) for text in texts]

    def _tokens_of(self, text: str) -> Tokens:
        found = list(re.finditer(r"\w+", text))
        vectors = np.zeros((1 + len(found), self.dim), np.float32)
        vectors[0, -1] = 0.1
        for token, word in enumerate(found, start=1):
            if word[0].lower() in DIRECTION:
                vectors[token, DIRECTION[word[0].lower()]] = 1
        return Tokens(vectors, np.array([(0, 0), *(word.span() for word in found)], np.int64))

    def encode_segmented(self, passages: Sequence[str]) -> tuple[Floats, list[Floats]]:
        """Sentences without a known word are too short to have a vector, as in the real encoder."""
        wholes = self._encode(passages)
        counted = len(self.encoded)
        segments = []
        for passage, whole in zip(passages, wholes, strict=True):
            parts = [passage[start:end] for start, end in segment_spans(passage)]
            telling = [part for part in parts if DIRECTION.keys() & set(words_of(part))]
            segments.append(self._encode(telling) if telling else whole[None, :])
        del self.encoded[counted:]  # segments cost no pass of their own
        return wholes, segments

    def segments_read(self, passages: Sequence[str]) -> list[list[tuple[int, int]]]:
        read = [
            [(a, b) for a, b in segment_spans(one) if DIRECTION.keys() & set(words_of(one[a:b]))] for one in passages
        ]
        return [spans or [(0, len(one))] for spans, one in zip(read, passages, strict=True)]


SHOP = (
    Product("0001", "Travel Mug", "Keeps coffee hot on a cold platform.", ("Kitchen", "Mugs"), "Norr", 20.0, "USD",
            rating=4.5, rating_count=10, availability="in_stock", group_id="mug", attributes={"Color": ("red",)}),
    Product("0002", "Travel Mug", "Keeps coffee hot on a cold platform.", ("Kitchen", "Mugs"), "Norr", 22.0, "USD",
            rating=4.5, rating_count=10, availability="out_of_stock", group_id="mug", attributes={"Color": ("blue",)}),
    Product("0003", "Espresso Cup", "Two sips, no more.", ("Kitchen", "Mugs"), "Tazza", 9.0, "USD", rating=4.0,
            availability="in_stock", attributes={"Color": ("red",), "Material": ("steel",)}),
    Product("0004", "Red Gown", "For evenings.", ("Clothing", "Dresses"), "Velour", 120.0, "USD", rating=3.5,
            availability="in_stock", created_at="2026-01-02", attributes={"Color": ("red",)}),
    Product("0005", "Navy Dress", "For days.", ("Clothing", "Dresses"), "Velour", 60.0, "USD",
            availability="in_stock", created_at="2026-03-02", attributes={"Color": ("blue",)}),
    Product("0006", "Desk Lamp", "A small light for late work.", ("Home", "Lamps"), "", None, "USD",
            availability="in_stock", attributes={"Material": ("steel",)}),
    Product("0007", "Leather Boot", "Walks for years.", ("Clothing", "Boots"), "Hob", 140.0, "USD", rating=4.9,
            availability="in_stock", attributes={"Material": ("leather",)}),
    Product("0008", "Chef's Knife", "A thin blade.", ("Kitchen", "Knives"), "Norr", 75.0, "USD", rating=4.7,
            availability="in_stock", attributes={"Material": ("steel",)}),
)  # fmt: skip


def write_release(
    folder: Path,
    products: Sequence[Product],
    ranking: dict[str, float] | None = None,
    encoder: Encoder | None = None,
    serving: dict[str, Any] | None = None,
) -> Layout:
    """Write a whole release of these products with the fake encoder or another; each is in cluster 1 or 2 below 0."""
    folder.mkdir(parents=True)
    layout = Layout(folder)
    encoder = encoder or FakeEncoder()
    texts = texts_of(products)
    embeddings, segments = encode_products(texts, encoder)
    segments.save(layout.segments)
    np.save(layout.spans, spans_of([text.passage for text in texts], segments.starts, encoder))
    np.save(layout.groups, fold_variants(products))
    DenseIndex.build(embeddings).save(layout)
    lexical = LexicalIndex.build(map(lexical_fields, products), LexicalSettings())
    facets = facets_of(products)
    lexical.save(layout.lexical)
    facets.save(layout.facets)
    write_shown(layout, products, (), lexical.analyzer, np.full(len(products), -1), None)
    CategoryIndex.build(embeddings, facets).save(layout.categories)
    Interpreter.build(products, facets, lexical, encoder.words()).save(layout.understanding)
    Confidence(Calibration(center=0.2, scale=0.05, noise=0.3)).save(layout.confidence)
    store = ProductStore(layout.products, writable=True)
    store.append(products)
    store.write_suggestions(suggestions_of(products, "en"))
    store.write_codes((code, row, own) for row, one in enumerate(products) for code, own in codes_of(one))
    store.finish()
    half = len(products) // 2
    cluster_of = np.array([1] * half + [2] * (len(products) - half), np.int32)
    layout.clusters.mkdir()
    np.save(layout.clusters / "cluster_of.npy", cluster_of)
    np.save(layout.clusters / "positions.npy", np.zeros((len(products), 2), np.float32))
    clusters = [
        Cluster(0, None, "Everything", len(products), (0,)),
        Cluster(1, 0, "First half", half, (0,), neighbors=(2,)),
        Cluster(2, 0, "Second half", len(products) - half, (half,), neighbors=(1,)),
    ]
    data = {"clusters": [cluster.as_json() for cluster in clusters], "moved": [(9, 2)]}
    (layout.clusters / "clusters.json").write_text(json.dumps(data))
    manifest = {
        "format": FORMAT, "release": folder.name, "rows": len(products), "files": {},
        "encoder": {"name": encoder.name, "fingerprint": encoder.fingerprint, "source": "base", "serving": serving},
        "vectors": {"dim": encoder.dim, "of": encoder.dim, "precision": "float32", "rotation": None,
                    "space": encoder.fingerprint},
        "settings": {"ranking": ranking or {}}, "catalog": {"currency": "USD"},
        "passages": {"categories_are_kinds": categories_are_kinds(products), "boilerplate": []},
    }  # fmt: skip
    layout.manifest.write_text(json.dumps(manifest))
    return layout


def open_engine(layout: Layout, encoder: FakeEncoder | None = None, **options: bool) -> Engine:
    """Open a release with the fake encoder."""
    return Engine(open_release(layout), lambda: encoder or FakeEncoder(), **options)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """An engine over SHOP, its report written. Read only."""
    from report_fixtures import add_report

    layout = write_release(tmp_path_factory.mktemp("releases") / "shop", SHOP)
    add_report(layout, SHOP)
    return open_engine(layout)
