"""Categories: which lie near each other, which overlap, and which products their neighbours place elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.neighbors import Neighbors
from indexer.report.wording import counted, verb
from search.arrays import Floats, best_rows, unit_rows
from search.product import Product

Path = tuple[str, ...]

SHOWN_CATEGORIES = 16
SHOWN_NEAREST = 3
SHOWN_MISFILED = 30
SHOWN_OVERLAPS = 12
LEAST_ITEMS = 5  # of a category that is judged or proposed; in smaller ones neighbours of the same kind are too few
# Share of the neighbours' votes that must name one other category, and most that may still name the product's own:
# of 200 planted errors these find .28, and .67 of all they name are planted (DESIGN.md, "What the embedding knows").
AGREE, OWN_MOST = 0.5, 0.1
OVERLAP, LEAST_OVERLAP = 0.15, 3  # share and number of a category's products that most neighbours place in one other,
# from which the two overlap and no product is to blame


@dataclass(frozen=True)
class NearCategory:
    """A category near another, and the cosine of their centroids."""

    path: Path
    cosine: float


@dataclass(frozen=True)
class CategoryNeighbors:
    """A category, how many products it has, and the nearest others, nearest first."""

    path: Path
    count: int
    nearest: tuple[NearCategory, ...]


@dataclass(frozen=True)
class Misfiled:
    """A product whose neighbours agree on another category.

    Attributes:
        item: its number.
        product: itself.
        proposed: the category most of its neighbours are in.
        share: of their votes, weighted by cosine, for that.
        own_share: of their votes for its own.
        like: titles of its nearest neighbours there.
    """

    item: int
    product: Product
    proposed: Path
    share: float
    own_share: float
    like: tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """Two categories that hold the same kinds of things: `moved` of the first's `count` products lie in the second."""

    first: Path
    second: Path
    moved: int
    count: int


@dataclass(frozen=True)
class Categories:
    """What the embedding makes of the shop's own categories.

    Attributes:
        count: how many categories there are.
        judged: products whose category was held against their neighbours'.
        largest: the largest categories with their nearest others.
        misfiled: the clearest first; misfiled_found is how many there are.
        overlaps: the largest share first; overlaps_found is how many there are.
    """

    count: int
    judged: int
    largest: tuple[CategoryNeighbors, ...]
    misfiled: tuple[Misfiled, ...]
    misfiled_found: int
    overlaps: tuple[Overlap, ...]
    overlaps_found: int

    @property
    def needs_a_look(self) -> bool:
        """Whether there is something to do."""
        return self.misfiled_found + self.overlaps_found > 0

    @property
    def summary(self) -> str:
        """What was found and what to do, in plain words."""
        if not self.count:
            return "The catalog has no categories. With them, products with names that say little are found better."
        if not self.judged:
            return (
                f"None of {counted(self.count, 'category', 'categories')} has {LEAST_ITEMS} products: too few to "
                "compare products with."
            )
        told = f"The neighbours of {self.misfiled_found:,} of {self.judged:,} products agree on another category"
        said = f"{told}: look through the list." if self.misfiled_found else "No product looks misfiled."
        if not self.overlaps:
            return said
        one = self.overlaps[0]
        return (
            f"{said} {counted(self.overlaps_found, 'pair')} of categories "
            f"{verb(self.overlaps_found, 'holds', 'hold')} the same kinds of things, such as "
            f"“{one.first[-1]}” and “{one.second[-1]}”: tell them apart more clearly, or make them one."
        )


def categories_of(items: Sequence[Product], vectors: Floats, neighbors: Neighbors) -> Categories:
    """Return what the embedding makes of the categories.

    Args:
        items: m products, variants folded.
        vectors: (m, d) float32 unit rows.
        neighbors: of the items.
    """
    paths = [product.category for product in items]
    counts = Counter(path for path in paths if path)
    usual = {path for path, count in counts.items() if count >= LEAST_ITEMS}
    votes = [_votes(paths, neighbors, item) if path in usual else {} for item, path in enumerate(paths)]
    placed = [_placed(path, vote, usual) for path, vote in zip(paths, votes, strict=True)]
    moves = Counter(pair for pair in zip(paths, placed, strict=True) if pair[1])
    overlaps = [
        Overlap(first, second, moved, counts[first])
        for (first, second), moved in moves.items()
        if moved >= max(LEAST_OVERLAP, OVERLAP * counts[first])
    ]
    overlaps.sort(key=lambda one: (-one.moved / one.count, one.first, one.second))
    apart = {(one.first, one.second) for one in overlaps}
    misfiled = [
        _misfiled(items, neighbors, item, other, votes[item])
        for item, other in enumerate(placed)
        if other and votes[item].get(paths[item], 0.0) <= OWN_MOST and (paths[item], other) not in apart
    ]
    misfiled.sort(key=lambda one: (-one.share, one.own_share, one.item))
    return Categories(
        len(counts),
        sum(path in usual for path in paths),
        _largest(paths, counts, vectors),
        tuple(misfiled[:SHOWN_MISFILED]),
        len(misfiled),
        tuple(overlaps[:SHOWN_OVERLAPS]),
        len(overlaps),
    )


def _votes(paths: Sequence[Path], neighbors: Neighbors, item: int) -> dict[Path, float]:
    """Return category -> share of the neighbours' cosines; those without a category do not vote."""
    votes: dict[Path, float] = {}
    for near, cosine in zip(neighbors.items[item].tolist(), neighbors.cosines[item].tolist(), strict=True):
        if paths[near] and cosine > 0:
            votes[paths[near]] = votes.get(paths[near], 0.0) + cosine
    total = sum(votes.values())
    return {path: vote / total for path, vote in votes.items()}


def _placed(own: Path, votes: Mapping[Path, float], usual: set[Path]) -> Path:
    """Return the other category that most of the neighbours name, () when they name none."""
    if not votes:
        return ()
    best = min(votes, key=lambda path: (-votes[path], path))
    return best if votes[best] >= AGREE and best in usual and not _agree(own, best) else ()


def _agree(own: Path, other: Path) -> bool:
    """Return whether two categories do not contradict each other: one is part of the other, or both end alike."""
    shorter = min(len(own), len(other))
    return own[:shorter] == other[:shorter] or own[-1].casefold() == other[-1].casefold()


def _misfiled(
    items: Sequence[Product], neighbors: Neighbors, item: int, proposed: Path, votes: Mapping[Path, float]
) -> Misfiled:
    like = [items[near].title for near in neighbors.items[item].tolist() if items[near].category == proposed]
    own = items[item].category
    return Misfiled(item, items[item], proposed, votes[proposed], votes.get(own, 0.0), tuple(like[:3]))


def _largest(paths: Sequence[Path], counts: Counter[Path], vectors: Floats) -> tuple[CategoryNeighbors, ...]:
    """Return the largest categories, each with those whose centroids are nearest."""
    ordered = sorted(counts, key=lambda path: (-counts[path], path))
    if len(ordered) < 2:
        return ()
    number = {path: place for place, path in enumerate(ordered)}
    filed = np.array([item for item, path in enumerate(paths) if path], np.int64)
    sums = np.zeros((len(ordered), vectors.shape[1]), np.float32)
    np.add.at(sums, [number[paths[item]] for item in filed], vectors[filed])
    centroids = unit_rows(sums)
    found = []
    for place, path in enumerate(ordered[:SHOWN_CATEGORIES]):
        cosines = centroids @ centroids[place]
        cosines[place] = -2
        nearest = best_rows(cosines, min(SHOWN_NEAREST, len(ordered) - 1))
        found.append(
            CategoryNeighbors(
                path, counts[path], tuple(NearCategory(ordered[near], float(cosines[near])) for near in nearest)
            )
        )
    return tuple(found)
