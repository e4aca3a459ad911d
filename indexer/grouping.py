"""What is clustered: one vector for each product, its variants folded, drawn towards the categories the shop gave it.

Without folding, a boot in nine sizes is nine boots, and outweighs eight others. Without the categories a vector follows
whatever word is loudest in a title: a plate with a suction foot lies near the aquarium's suction hooks.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, unit_rows
from search.product import Product

Ids = NDArray[np.int64]


def fold_variants(products: Sequence[Product]) -> Ids:
    """Return (n,) int64, the product that each row is a variant of: 0.. in order of first rows."""
    numbers: dict[Hashable, int] = {}
    return np.array(
        [numbers.setdefault(product.group_id or row, len(numbers)) for row, product in enumerate(products)], np.int64
    )


def folded_vectors(embeddings: Floats, group_of: Ids) -> Floats:
    """Return (g, d) float32 unit rows: the mean direction of each group's rows."""
    return unit_rows(_sums(embeddings, group_of))


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
        pull[deep] += unit_rows(_sums(vectors[deep], category_of))[category_of]
    levels = np.array([max(len(path), 1) for path in categories], np.float32)
    return unit_rows(vectors + strength * pull / levels[:, None])


def _sums(vectors: Floats, group_of: Ids) -> Floats:
    """Return (groups, d) float32 sums of the rows of each group."""
    sums = np.zeros((int(group_of.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, group_of, vectors)
    return sums
