"""Texts -> unit vectors with a model at hand, under a token limit of our choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from search.arrays import Floats, unit_rows
from search.passages import blended, texts_of
from search.product import Product


@contextmanager
def token_limit(model: Any, tokens: int) -> Iterator[Any]:
    """Let the model read at most so many tokens of a text for a while."""
    before = model.max_seq_length
    model.max_seq_length = min(tokens, before or tokens)
    try:
        yield model
    finally:
        model.max_seq_length = before


def query_vectors(model: Any, queries: Sequence[str], tokens: int) -> Floats:
    """Return (n, d) float32 unit rows, encoded as queries."""
    return _encoded(model, model.encode_query, queries, tokens)


def text_vectors(model: Any, texts: Sequence[str], tokens: int) -> Floats:
    """Return (n, d) float32 unit rows, encoded as passages."""
    return _encoded(model, model.encode_document, texts, tokens)


def product_vectors(model: Any, products: Sequence[Product], tokens: int) -> Floats:
    """Return (n, d) float32 unit rows as the index holds them: of kind and passage."""
    texts = texts_of(products)
    kinds = text_vectors(model, [text.kind for text in texts], tokens)
    return blended(kinds, text_vectors(model, [text.passage for text in texts], tokens), texts)


def _encoded(model: Any, encode: Callable[..., Any], texts: Sequence[str], tokens: int) -> Floats:
    if not texts:
        return np.zeros((0, int(model.get_embedding_dimension())), np.float32)
    with token_limit(model.eval(), tokens):
        vectors = encode(list(texts), batch_size=64, show_progress_bar=False, convert_to_numpy=True)
    return unit_rows(np.asarray(vectors, np.float32))
