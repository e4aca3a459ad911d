"""What is clustered: one point for each product, its variants folded: its embedding beside its words, drawn to its
categories.

Without folding, a boot in nine sizes is nine boots, and outweighs eight others. An embedding follows what a product is
for, words what it is called; together they agree better with how shops sort their goods than either (DESIGN.md,
"Clusters"). Without the categories a point follows whatever word is loudest in a title: a plate with a suction foot
lies near the aquarium's suction hooks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import diags_array
from sklearn.decomposition import TruncatedSVD

from indexer.clustering.settings import ClusterSettings
from indexer.grouping import folded_vectors, sums_of
from search.arrays import Floats, Rows, unit_rows
from search.lexical import LexicalIndex
from search.product import Product

LEAST_PRODUCTS = 3  # that hold a word which may bring products together
MOST_PRODUCTS = 0.1  # share of the catalog above which a word says nothing


def points_of(
    embeddings: Floats,
    products: Sequence[Product],
    lexical: LexicalIndex | None,
    group_of: Rows,
    settings: ClusterSettings,
) -> Floats:
    """Return (g, d + w) float32 unit rows, one for each group of variants; w is 0 where words say nothing.

    Args:
        embeddings: (n, d) float32 unit rows.
        products: the n products.
        lexical: their words; None leaves words out.
        group_of: (n,) see `indexer.grouping.fold_variants`.
        settings: the share of words and of categories.
    """
    words = np.zeros((len(products), 0), np.float32) if lexical is None else word_vectors(lexical, settings)
    points = unit_rows(
        np.hstack([folded_vectors(embeddings, group_of), settings.word_share * folded_vectors(words, group_of)])
    )
    first_rows = np.unique(group_of, return_index=True)[1]
    return drawn_to_categories(points, [products[row].category for row in first_rows], settings.category_pull)


def word_vectors(lexical: LexicalIndex, settings: ClusterSettings) -> Floats:
    """Return (n, w) float32 unit rows: BM25 weights of each product's words in their w main directions.

    Latent semantic analysis (Deerwester et al. 1990), by scikit-learn. Numbers, rare words and those of more than a
    tenth of the products are left out. w is at most `word_dim`, 0 where too few words are left.
    """
    weights = lexical.matrix()
    held = np.diff(weights.indptr)
    letters = np.array([len(term) > 1 and term.isalpha() for term in lexical.vocabulary] or [False], bool)
    weights = weights[:, letters & (held >= LEAST_PRODUCTS) & (held <= MOST_PRODUCTS * lexical.rows)].tocsr()
    dim = min(settings.word_dim, min(weights.shape) - 1)
    if dim < 2:
        return np.zeros((lexical.rows, 0), np.float32)
    lengths = np.sqrt(weights.multiply(weights).sum(axis=1))
    scaled = diags_array(1 / np.maximum(lengths, 1e-9)) @ weights
    return unit_rows(TruncatedSVD(dim, random_state=settings.seed).fit_transform(scaled))


def drawn_to_categories(vectors: Floats, categories: Sequence[tuple[str, ...]], strength: float) -> Floats:
    """Return (g, d) float32 unit rows: each vector plus `strength` times the mean of its categories' centroids.

    A category is every level of a path, so that products of one department are drawn together, those of one leaf more.
    Vectors without a category stay as they are.

    Args:
        vectors: (g, d) float32 unit rows.
        categories: the g paths, () where unknown.
        strength: 0 leaves all vectors as they are.
    """
    pull = np.zeros_like(vectors)
    for depth in range(1, max(map(len, categories), default=0) + 1):
        numbers: dict[tuple[str, ...], int] = {}
        deep = np.array([row for row, path in enumerate(categories) if len(path) >= depth], np.int64)
        category_of = np.array([numbers.setdefault(categories[row][:depth], len(numbers)) for row in deep], np.int64)
        pull[deep] += unit_rows(sums_of(vectors[deep], category_of))[category_of]
    levels = np.array([max(len(path), 1) for path in categories], np.float32)
    return unit_rows(vectors + strength * pull / levels[:, None])
