"""What is clustered: one point for each product, its variants folded: its embedding beside its words, drawn to its
categories.

Without folding, a boot in nine sizes is nine boots, and outweighs eight others. An embedding follows what a product is
for, words what it is called; together they agree better with how shops sort their goods than either (DESIGN.md,
"Clusters"). Without the categories a point follows whatever word is loudest in a title: a plate with a suction foot
lies near the aquarium's suction hooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
Path = tuple[str, ...]


class PointSpace:
    """The space in which products are compared, learnt from all of them or from a sample.

    Args:
        embeddings: (m, d) float32 unit rows, of the sample.
        products: of these rows.
        weights: (n, terms) of the whole catalog, see `word_weights`; None leaves words out.
        rows: (m,) the sample's rows of the n.
        group_of: (m,) see `indexer.grouping.fold_variants`.
        settings: the share of words and of categories.

    Attributes:
        points: (g, d + w) float32 unit rows, one for each group of variants of the sample; w is 0 where words say
            nothing.
    """

    def __init__(
        self, embeddings: Floats, products: Sequence[Product], weights: Any, rows: Rows, group_of: Rows,
        settings: ClusterSettings,
    ):  # fmt: skip
        self._settings, self._weights = settings, weights
        self._svd, words = word_vectors(None if weights is None else weights[rows], len(products), settings)
        points = self._joined(folded_vectors(embeddings, group_of), folded_vectors(words, group_of))
        first_rows = np.unique(group_of, return_index=True)[1]
        categories = [products[row].category for row in first_rows]
        self._centroids = category_centroids(points, categories)
        self.points = drawn_to(points, categories, self._centroids, settings.category_pull)

    def of(self, embeddings: Floats, rows: Rows, group_of: Rows, categories: Sequence[Path]) -> Floats:
        """Return (h, d + w) float32 unit rows: points of other products of the catalog.

        Args:
            embeddings: (k, d) float32 unit rows.
            rows: (k,) that they are of.
            group_of: (k,) 0..h - 1.
            categories: of each group.
        """
        words = np.zeros((len(rows), 0), np.float32)
        if self._svd is not None:
            words = unit_rows(self._svd.transform(_scaled(self._weights[rows])))
        points = self._joined(folded_vectors(embeddings, group_of), folded_vectors(words, group_of))
        return drawn_to(points, categories, self._centroids, self._settings.category_pull)

    def _joined(self, vectors: Floats, words: Floats) -> Floats:
        return unit_rows(np.hstack([vectors, self._settings.word_share * words]))


def drawn_to(points: Floats, categories: Sequence[Path], centroids: dict[Path, Floats], strength: float) -> Floats:
    """Return (g, d) float32 unit rows: each point plus `strength` times the mean of its categories' centroids.

    A category is every level of a path, so that products of one department are drawn together, those of one leaf more.
    Points without a known category stay as they are.

    Args:
        points: (g, d) float32 unit rows.
        categories: the g paths, () where unknown.
        centroids: see `category_centroids`.
        strength: 0 leaves all points as they are.
    """
    pull = np.zeros_like(points)
    number_of = {path: number for number, path in enumerate(centroids)}
    table = np.stack(list(centroids.values())) if centroids else points[:0]
    for depth in range(1, max(map(len, categories), default=0) + 1):
        numbers = [number_of.get(path[:depth], -1) if len(path) >= depth else -1 for path in categories]
        category_of = np.array(numbers, np.int64)
        deep = np.flatnonzero(category_of >= 0)
        pull[deep] += table[category_of[deep]]
    levels = np.array([max(len(path), 1) for path in categories], np.float32)
    return unit_rows(points + strength * pull / levels[:, None])


def word_weights(lexical: LexicalIndex) -> Any:
    """Return (n, terms) csr_array: BM25 weights of each product's words.

    Numbers, rare words and those of more than a tenth of the products are left out.
    """
    weights = lexical.matrix()
    held = np.diff(weights.indptr)
    letters = np.array([len(term) > 1 and term.isalpha() for term in lexical.vocabulary] or [False], bool)
    return weights[:, letters & (held >= LEAST_PRODUCTS) & (held <= MOST_PRODUCTS * lexical.rows)].tocsr()


def word_vectors(weights: Any, rows: int, settings: ClusterSettings) -> tuple[Any, Floats]:
    """Return the main directions of these rows' words, and (rows, w) float32 unit rows in them.

    Latent semantic analysis (Deerwester et al. 1990), by scikit-learn. w is at most `word_dim`, 0 where too few words
    are left; the directions are None then.
    """
    dim = 0 if weights is None else min(settings.word_dim, min(weights.shape) - 1)
    if dim < 2:
        return None, np.zeros((rows, 0), np.float32)
    svd = TruncatedSVD(dim, random_state=settings.seed)
    return svd, unit_rows(svd.fit_transform(_scaled(weights)))


def _scaled(weights: Any) -> Any:
    """Return the weights with rows of length 1."""
    lengths = np.sqrt(weights.multiply(weights).sum(axis=1))
    return diags_array(1 / np.maximum(lengths, 1e-9)) @ weights


def category_centroids(points: Floats, categories: Sequence[Path]) -> dict[Path, Floats]:
    """Return category -> the mean direction of its points, for every level of each path.

    Args:
        points: (g, d) float32 unit rows.
        categories: the g paths, () where unknown.
    """
    found: dict[Path, Floats] = {}
    for depth in range(1, max(map(len, categories), default=0) + 1):
        numbers: dict[Path, int] = {}
        deep = np.array([row for row, path in enumerate(categories) if len(path) >= depth], np.int64)
        category_of = np.array([numbers.setdefault(categories[row][:depth], len(numbers)) for row in deep], np.int64)
        found |= dict(zip(numbers, unit_rows(sums_of(points[deep], category_of)), strict=True))
    return found
