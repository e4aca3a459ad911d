"""Judgments -> a memory of queries and what answered them."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.training import JudgedQueries
from search.engine import Engine
from search.memory import QueryMemory
from search.request import SearchRequest

MOST_REMEMBERED = 20_000  # queries; the scan over them stays under a millisecond


def memory_of(engine: Engine, judged: JudgedQueries, query_ids: Sequence[str]) -> QueryMemory:
    """Return what these queries led to: a product's gain is (2^grade - 1) / (2^best grade - 1), as nDCG has it.

    Of more than MOST_REMEMBERED the ones with the most judgments are remembered.
    """
    best = max(max(grades.values(), default=0.0) for grades in judged.judgments.values())
    known = {product.id: row for row, product in enumerate(engine.release.products)}
    kept = sorted(query_ids, key=lambda one: -len(judged.judgments[one]))[:MOST_REMEMBERED]
    texts, products = [], []
    for query_id in kept:
        found = {
            known[product]: (2**grade - 1) / (2**best - 1)
            for product, grade in judged.judgments[query_id].items()
            if grade > 0 and product in known
        }
        text = engine.understood(SearchRequest(q=judged.queries[query_id])).search_text
        if text and found:
            texts.append(text)
            products.append(found)
    return QueryMemory.of(engine.encoder.vectors(texts or [""])[: len(texts)], products)
