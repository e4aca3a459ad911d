"""Rows -> the hits that are shown: products with what was found in them, and why."""

from __future__ import annotations

import numpy as np

from search.arrays import Rows
from search.explain import explanations, reasons
from search.marking import Marker
from search.product import Product
from search.release import Release
from search.request import Hit, SearchRequest
from search.retrieval import fused_scores
from search.scoring import ScoredQuery
from search.sentences import Sentences
from search.shown import NOWHERE, Places
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
    held = shares_held(scored, shown, analyzer) if scored else [0.0] * len(shown)
    marker = Marker(terms, analyzer)
    places = release.shown.places(shown, terms) if terms else [NOWHERE] * len(shown)
    # A row without any term needs no second look.
    places = [NOWHERE if share == 0 else found for found, share in zip(places, held, strict=True)]
    told = sentences.closest(scored, shown, products, held, places, marker) if scored else [""] * len(shown)
    explained = explanations(release, shown, read, scored) if request.explain and scored else [None] * len(shown)
    return [
        Hit(
            id=product.id,
            rank=start + place + 1,
            score=round(score, 4),
            product=product,
            highlights=_highlights(product, sentence, found, marker),
            why=reasons(product, found, marker, analyzer) if scored else [],
            cluster=cluster,
            explain=explanation,
            variants=variant,
        )
        for place, (product, score, sentence, found, cluster, explanation, variant) in enumerate(
            zip(products, scores.tolist(), told, places, clusters, explained, variants, strict=True)
        )
    ]


def _highlights(product: Product, sentence: str, places: Places, marker: Marker) -> dict[str, str]:
    """Return the texts of a hit as HTML, its words marked."""
    if sentence:
        description, sentence = marker.snippets(product.description, sentence, places.description)
    else:
        description = marker.snippet(product.description, places.description)
    return {
        "title": marker.highlight(product.title, places.title),
        "description": description,
        "sentence": sentence,
    }
