"""Rows -> the hits that are shown: products with what was found in them, and why."""

from __future__ import annotations

import numpy as np

from search.arrays import Rows
from search.explain import explanations, reasons
from search.marking import Marker
from search.release import Release
from search.request import Hit, SearchRequest
from search.retrieval import fused_scores
from search.scoring import ScoredQuery
from search.sentences import Sentences
from search.understanding import Understood
from search.variants import variants_of
from search.wording import shares_held


def hits_of(
    release: Release,
    sentences: Sentences,
    request: SearchRequest,
    read: Understood,
    scored: ScoredQuery | None,
    ranking: Rows,
    relevant: Rows,
) -> list[Hit]:
    """Return the hits of the page that a request asks for.

    Args:
        release, sentences: of it.
        request: what is asked.
        read, scored: its words; None when there are none to look up.
        ranking: (m,) int64, what is counted and shown, in the wanted order.
        relevant: (k,) int64, the relevant set, every variant.
    """
    start = (request.page - 1) * request.per_page
    shown = ranking[start : start + request.per_page]
    products = release.products.products(shown)
    variants = variants_of(release, shown, products, relevant) if request.fold else [None] * len(shown)
    clusters = release.clusters.cluster_of[shown].tolist()
    terms, analyzer = set(scored.terms) if scored else set(), release.lexical.analyzer
    scores = np.ones(len(shown)) if scored is None else fused_scores(release, scored, shown)
    held = shares_held(scored, shown, analyzer) if scored else [None] * len(shown)
    marker, nothing = Marker(terms, analyzer), Marker(set(), analyzer)
    told = sentences.closest(scored, shown, products, held, marker) if scored else [""] * len(shown)
    markers = [nothing if share == 0 else marker for share in held]  # a row without any term needs no second look
    explained = explanations(release, shown, read, scored) if request.explain and scored else [None] * len(shown)
    return [
        Hit(
            id=product.id,
            rank=start + place + 1,
            score=round(score, 4),
            product=product,
            highlights={
                "title": own.highlight(product.title),
                "description": own.snippet(product.description),
                "sentence": own.snippet(sentence) if sentence else "",
            },
            why=reasons(product, own, analyzer) if scored else [],
            cluster=cluster,
            explain=explanation,
            variants=variant,
        )
        for place, (product, score, sentence, own, cluster, explanation, variant) in enumerate(
            zip(products, scores.tolist(), told, markers, clusters, explained, variants, strict=True)
        )
    ]
