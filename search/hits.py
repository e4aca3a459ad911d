"""Rows -> the hits that are shown: products with what was found in them, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.answer import Answer
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
    answer: Answer,
) -> list[Hit]:
    """Return the hits of the page that a request asks for.

    Args:
        release, sentences: of it.
        request: what is asked.
        read, scored: its words; None when there are none to look up.
        answer: to it.
    """
    page = request.window
    shown = answer.ranking[page]
    products = release.products.products(shown)
    variants = variants_of(release, shown, products, answer.rows) if request.fold else [None] * len(shown)
    clusters = release.clusters.cluster_of[shown].tolist()
    terms, analyzer = set(scored.terms) if scored else set(), release.lexical.analyzer
    held = shares_held(release, scored, shown) if scored else [0.0] * len(shown)
    marker = Marker(terms, analyzer)
    places = release.shown.places(shown, terms) if terms else [NOWHERE] * len(shown)
    # A row without any term needs no second look.
    places = [NOWHERE if share == 0 else found for found, share in zip(places, held, strict=True)]
    scores = _scores(release, scored, answer, page)
    told = sentences.closest(scored, shown, products, held, places, marker) if scored else [[]] * len(shown)
    explained = explanations(release, shown, read, scored) if request.explain and scored else [None] * len(shown)
    return [
        Hit(
            product.id, rank, score, product, _highlights(product, sentence, found, marker),
            reasons(product, found, marker, analyzer) if scored else [], cluster, explanation, variant,
        )
        for rank, (product, score, sentence, found, cluster, explanation, variant) in enumerate(
            zip(products, scores, told, places, clusters, explained, variants, strict=True), page.start + 1
        )
    ]  # fmt: skip


def _scores(release: Release, scored: ScoredQuery | None, answer: Answer, page: slice) -> list[float]:
    """Return the scores of a page's hits, four digits."""
    shown, found = answer.ranking[page], answer.found
    if scored is None:
        return [1.0] * len(shown)
    scores = found.scores[page] if answer.ranking is found.rows else fused_scores(release, scored, shown)
    return scores.astype(np.float64).round(4).tolist()


def _highlights(product: Product, sentence: Sequence[str], places: Places, marker: Marker) -> dict[str, str]:
    """Return the texts of a hit as HTML, its words marked."""
    if sentence:
        description, said = marker.snippets(product.description, sentence, places.description)
    else:
        description, said = marker.snippet(product.description, places.description), ""
    return {"title": marker.highlight(product.title, places.title), "description": description, "sentence": said}
