"""The categories of a catalog in the encoder's space: which of them a query is nearest to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.arrays import Floats, Indices, best_rows, expect, taken, unit_rows
from search.errors import ReleaseDamaged
from search.facets import FacetIndex
from search.naming import PATH_SEPARATOR

BLOCK = 16_384  # rows whose vectors are summed at once


@dataclass(frozen=True)
class CategoryIndex:
    """Leaf categories, each with the mean direction of its products.

    Attributes:
        paths: "Kitchen > Knives", as the category facet has them.
        centroids: (c, d) float32 unit rows.
    """

    paths: tuple[str, ...]
    centroids: Floats

    @classmethod
    def build(cls, embeddings: Floats, facets: FacetIndex) -> CategoryIndex:
        """Return the categories of a catalog; none where it has none.

        Args:
            embeddings: (n, d) float32 unit rows.
            facets: of the same products.
        """
        from scipy.sparse import csr_array  # for the indexer; a server never needs it

        facet = facets.values.get("category")
        if facet is None:
            return cls((), np.zeros((0, embeddings.shape[1]), np.float32))
        parents = {path.rpartition(PATH_SEPARATOR)[0] for path in facet.values}
        leaves = [code for code, path in enumerate(facet.values) if path not in parents]
        sums = np.zeros((len(facet.values), embeddings.shape[1]), np.float64)
        for start in range(0, facets.rows, BLOCK):
            offsets = facet.offsets[start : start + BLOCK + 1]
            codes = facet.codes[offsets[0] : offsets[-1]]
            shape = len(offsets) - 1, len(sums)
            held = csr_array((np.ones(len(codes)), codes, offsets - offsets[0]), shape)
            sums += held.T @ taken(embeddings, slice(start, start + shape[0])).astype(np.float64)
        return cls(tuple(facet.values[code] for code in leaves), unit_rows(sums[leaves]))

    def closest(self, vector: Floats, count: int) -> list[str]:
        """Return up to `count` paths, the nearest to a query's vector first."""
        return [self.paths[place] for place in best_rows(self.centroids @ vector, count)]

    def of_rows(self, facets: FacetIndex, rows: Indices, count: int) -> list[str]:
        """Return up to `count` paths, those that most of these rows lie in first."""
        if not self.paths or len(rows) == 0:
            return []
        facet = facets.values["category"]
        counts = facet.counts(rows)[[facet.code_of[path] for path in self.paths]]
        return [self.paths[place] for place in best_rows(counts, count) if counts[place]]

    def save(self, folder: Path) -> None:
        """Write paths and centroids."""
        folder.mkdir(parents=True)
        (folder / "paths.json").write_text(json.dumps(self.paths, ensure_ascii=False), "utf-8")
        np.save(folder / "centroids.npy", self.centroids)

    @classmethod
    def load(cls, folder: Path, dim: int) -> CategoryIndex:
        """Read them back.

        Raises:
            ReleaseDamaged: a file is missing or does not fit.
        """
        try:
            paths = tuple(map(str, json.loads((folder / "paths.json").read_text("utf-8"))))
            centroids = expect(np.load(folder / "centroids.npy"), (len(paths), dim), np.float32, "category centroids")
        except (OSError, ValueError, TypeError) as error:
            raise ReleaseDamaged(f"{folder} cannot be read ({error}); build the release again") from error
        return cls(paths, centroids)
