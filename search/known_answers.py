"""Answers that may be asked for again: a good part of what a shop is asked is the same again.

As objects an answer of 24 hits takes 150 kB, half of it products that the store has as well. As the text that the rest
of it makes in JSON it takes a seventh, so that seven times as many answers stay in the same memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from search.remembered import Remembered
from search.request import Hit, SearchResults
from search.store import ProductStore
from search.variants import Variants

MOST, ROOM = 1024, 10_000_000  # answers, and bytes of them


@dataclass(frozen=True)
class _Kept:
    """An answer without its hits and counts, these as JSON text, and its rows and those of its hits."""

    results: SearchResults
    text: bytes
    rows: NDArray[np.int32]
    shown: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        return len(self.text) + self.rows.nbytes + self.shown.nbytes


class KnownAnswers:
    """Answers by what they answer; safe to share between threads.

    Args:
        products: of the release that answers, with its prices as they are.
    """

    def __init__(self, products: ProductStore):
        self._products = products
        self._kept: Remembered[str, _Kept] = Remembered(MOST, ROOM, lambda kept: kept.nbytes)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> SearchResults | None:
        """Return the answer that was put under a key, equal in all it tells; None when it is not kept."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        hits, facets, clusters, query, rescue = orjson.loads(kept.text)
        shown = kept.shown.astype(np.int64)
        products = self._products.products(shown)
        return replace(
            kept.results, query=query, facets=facets, clusters=clusters, rescue=rescue,
            rows=kept.rows.astype(np.int64), shown=shown,
            hits=[
                Hit(product.id, rank, score, product, highlights, why, cluster, explain, _variants(variants))
                for product, (rank, score, highlights, why, cluster, explain, variants)
                in zip(products, hits, strict=True)
            ],
        )  # fmt: skip

    def put(self, key: str, results: SearchResults) -> None:
        """Keep an answer; not one that tells halves of surrogate pairs, which no text in UTF-8 can hold."""
        hits = [
            (
                hit.rank,
                hit.score,
                hit.highlights,
                hit.why,
                hit.cluster,
                hit.explain,
                hit.variants and vars(hit.variants),
            )
            for hit in results.hits
        ]
        told = hits, results.facets, results.clusters, results.query, results.rescue
        try:
            text = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS)
        except TypeError:
            return
        nothing = np.zeros(0, np.int64)
        bare = replace(results, hits=[], facets={}, clusters=[], query={}, rescue=None, rows=nothing, shown=nothing)
        self._kept.put(key, _Kept(bare, text, results.rows.astype(np.int32), results.shown.astype(np.int32)))


def _variants(told: dict[str, Any] | None) -> Variants | None:
    if told is None:
        return None
    values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in told.items()}
    return Variants(**values)
