"""Answers that may be asked for again: a good part of what a shop is asked is the same again.

As objects an answer of 24 hits takes 150 kB, half of it products that the store has as well. The rest of it is 16 kB
of JSON, compressed 4, so that nearly twenty times as many answers stay in the same memory.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from search.remembered import Remembered
from search.request import Hit, SearchRequest, SearchResults
from search.store import ProductStore
from search.variants import Variants

MOST, ROOM = 4096, 12_000_000  # answers, and bytes of them
SEEN = 4096  # questions whose answers were worked out and not kept
BESIDE = 1_500  # bytes of an answer's own objects
LEVEL = 1  # of compression: .1 ms for an answer; the next levels take 2 % fewer bytes
NO_REQUEST, NO_ROWS = SearchRequest(), np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Kept:
    """An answer without what it answers, its hits, rows and counts.

    Attributes:
        results: the rest of it.
        told: hits and counts, as JSON, compressed.
        rows, shown: its rows and those of its hits.
    """

    results: SearchResults
    told: bytes
    rows: NDArray[np.int32]
    shown: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        return len(self.told) + self.rows.nbytes + self.shown.nbytes + BESIDE


class KnownAnswers:
    """Answers by what they answer; safe to share between threads.

    Args:
        products: of the release that answers, with its prices as they are.
    """

    def __init__(self, products: ProductStore):
        self._products = products
        self._kept: Remembered[str, _Kept] = Remembered(MOST, ROOM, lambda kept: kept.nbytes)
        self._seen: Remembered[int, bool] = Remembered(SEEN)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, request: SearchRequest) -> SearchResults | None:
        """Return the answer to a request, equal in all it tells to the one that was put; None when it is not kept."""
        kept = self._kept.get(request.key)
        if kept is None:
            return None
        hits, facets, clusters, query, rescue = orjson.loads(zlib.decompress(kept.told))
        shown = kept.shown.astype(np.int64)
        products = self._products.products(shown)
        return replace(
            kept.results, request=request, query=query, facets=facets, clusters=clusters, rescue=rescue,
            rows=kept.rows.astype(np.int64), shown=shown,
            hits=[
                Hit(product.id, rank, score, product, highlights, why, cluster, explain, _variants(variants))
                for product, (rank, score, highlights, why, cluster, explain, variants)
                in zip(products, hits, strict=True)
            ],
        )  # fmt: skip

    def put(self, results: SearchResults) -> None:
        """Keep an answer; not one that tells halves of surrogate pairs, which no text in UTF-8 can hold.

        Where that would push out another, only if it was asked for before: most of what is asked once never is again.
        """
        key = results.request.key
        if self._kept.is_full and not self._seen.get(hash(key)):
            self._seen.put(hash(key), True)
            return
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
        bare = replace(
            results, request=NO_REQUEST, hits=[], facets={}, clusters=[], query={}, rescue=None,
            rows=NO_ROWS, shown=NO_ROWS,
        )  # fmt: skip
        rows, shown = results.rows.astype(np.int32), results.shown.astype(np.int32)
        self._kept.put(key, _Kept(bare, zlib.compress(text, LEVEL), rows, shown))


def _variants(told: dict[str, Any] | None) -> Variants | None:
    if told is None:
        return None
    values: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in told.items()}
    return Variants(**values)
