"""The map: 2-D positions that keep each product beside its nearest, and places for new products on a map that stays.

t-SNE (van der Maaten & Hinton 2008) by openTSNE, on a graph that ties a product to each of its 5 to 15 nearest as
strongly as their cosine. It starts from a map of the clusters, which puts related ones side by side (Kobak & Berens
2019, "The art of using t-SNE for single-cell transcriptomics"). Figures for these choices: DESIGN.md, "The map".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.grouping import folded_vectors
from indexer.neighbors import BLOCK, OnProgress, index_of, nearest_neighbors, threads
from indexer.rows import HELD, sampled
from search.arrays import Floats, Rows, taken, unit_rows

ROWS_PER_NEIGHBOUR = 100  # a product is tied to its nearest n / 100,
FEWEST, MOST = 5, 15  # but to no fewer and no more than these
LEAST_TIE = 0.01  # in cosine: a product like no other is drawn somewhere, too
PLANE_SPREAD, ISLANDS_SPREAD = 1e-4, 10.0  # of the start: a plane must untangle first, the clusters' map should stay
FROM_PLANE = (100, 12.0)  # iterations and exaggeration, first: what belongs together comes together
FROM_ISLANDS = (50, 4.0)
SPREADING = 200  # iterations, and then: attraction below its due, so that islands open up and fill the square,
ATTRACTION, ROWS_TO_SPREAD = 0.7, 1_000  # fully so from this many rows on; few products need no more room
PLACED_AMONG = 10  # known products whose positions decide where a new one goes
REPORT_EVERY = 10  # iterations
EDGE = 0.95  # where 99 % of the products lie on the longer axis; the rest is squeezed between here and 1
STEP = 0.1  # distance between equal products, in the spacing that n products would have on a full square
GOLDEN_ANGLE = np.pi * (3 - 5**0.5)

Points = NDArray[np.float64]
Phase = tuple[int, float]


def map_positions(
    embeddings: Floats, levels: Sequence[Rows] = (), on_progress: OnProgress = lambda what, done, total: None
) -> Floats:
    """Return (n, 2) float32 in -1..1: a fresh map on which near is alike.

    The same input gives the same map: nothing is drawn at random, and one thread computes, since sums in another order
    round otherwise. Another processor may round otherwise too, which ends in another map as good. Equal vectors lie in
    a small disc.

    Args:
        embeddings: (n, d) float32 unit rows, n >= 1; all-zero and equal rows are allowed.
        levels: of the cluster hierarchy, coarse to fine: (n,) group ids each; groups start out together and then move
            freely. None: the map starts from principal components.
        on_progress: called with (what, done, total).
    """
    if len(embeddings) > HELD:  # a seeded sample is laid out, and the others go where their like are
        rows = sampled(len(embeddings), HELD)
        known = np.full((len(embeddings), 2), np.nan, np.float32)
        known[rows] = map_positions(taken(embeddings, rows), [level[rows] for level in levels], on_progress)
        return placed(embeddings, known, on_progress)
    first_of, which = _distinct(embeddings)
    points = np.ascontiguousarray(embeddings[first_of], np.float32)
    with threads(1):
        start, gathering = _start(points, [level[first_of] for level in levels])
        flat = _laid_out(points, start, gathering, on_progress)
    fitted = _fitted(flat)
    shared = np.unique(fitted.round(6), axis=0, return_inverse=True)[1]
    return np.clip(fitted[which] + _fan(shared[which], 0, len(which)), -1, 1).astype(np.float32)


def placed(embeddings: Floats, known: Floats, on_progress: OnProgress = lambda what, done, total: None) -> Floats:
    """Return (n, 2) float32 in -1..1: known positions as they are, new products among their nearest known ones.

    A new product goes to that of its 10 nearest known products which is nearest on the map to the others, each weighed
    by its cosine; their mean could lie in the sea between two islands. It is set off a little so as not to cover what
    is there.

    Args:
        embeddings: (n, d) float32 unit rows, of the encoder that the known positions were made with.
        known: (n, 2) float32; NaN rows are new.

    Raises:
        ValueError: no position is known, or the shapes do not fit.
    """
    if known.shape != (len(embeddings), 2):
        raise ValueError(f"positions of shape {known.shape} for {len(embeddings)} vectors; (n, 2), NaN for new ones")
    is_new = np.isnan(known).any(axis=1)
    if is_new.all():
        raise ValueError("no position is known; lay out a fresh map with map_positions")
    old, new = np.flatnonzero(~is_new), np.flatnonzero(is_new)
    positions = known.astype(np.float32)
    if len(new):
        index = index_of(taken(embeddings, old), len(new))
        beside = np.empty(len(new), np.int64)
        for start in range(0, len(new), BLOCK):
            on_progress("placing products on the map", start, len(new))
            queries = taken(embeddings, new[start : start + BLOCK])
            with threads(1):
                scores, nearest = index.search(queries, min(PLACED_AMONG, len(old)))
            nearest = np.where(nearest < 0, nearest[:, :1], nearest)  # FAISS pads where the cells held too few
            there = known[old[nearest]]  # (block, 10, 2)
            apart = np.linalg.norm(there[:, :, None] - there[:, None], axis=3)  # (block, 10, 10)
            middle = np.einsum("nij,nj->ni", apart, np.maximum(scores, 0)).argmin(axis=1)  # ties: the nearest
            beside[start : start + BLOCK] = np.take_along_axis(nearest, middle[:, None], axis=1)[:, 0]
        positions[new] = np.clip(known[old[beside]] + _fan(beside, 1, len(known)), -1, 1)
    return positions


def _distinct(embeddings: Floats) -> tuple[Rows, Rows]:
    """Return the first row of each distinct vector, and (n,) which of these each row equals."""
    embeddings = embeddings + np.float32(0)  # -0.0 is 0.0
    number_of: dict[bytes, int] = {}
    which = np.array([number_of.setdefault(row.tobytes(), len(number_of)) for row in embeddings], np.int64)
    return np.unique(which, return_index=True)[1], which


def _start(points: Floats, levels: Sequence[Rows]) -> tuple[Points, Phase]:
    """Return (n, 2) where to start and how: on the map of the finest groups; if these are few, on the principal plane.

    For that map each group leans towards the coarser ones it is in, so that these stay in one piece.
    """
    plane = principal_plane(points)
    groups = [np.unique(level, return_inverse=True)[1] for level in levels]
    if not groups or groups[-1].max() <= FEWEST:
        return _of_spread(plane, PLANE_SPREAD), FROM_PLANE
    finest, first_of = groups[-1], np.unique(groups[-1], return_index=True)[1]
    centroids = unit_rows(np.sum([folded_vectors(points, group)[group[first_of]] for group in groups], axis=0))
    islands = _laid_out(centroids, _of_spread(principal_plane(centroids), PLANE_SPREAD), FROM_PLANE)[finest]
    return _of_spread(islands, ISLANDS_SPREAD) + _of_spread(plane, ISLANDS_SPREAD / 100), FROM_ISLANDS


def _of_spread(points: Points, spread: float) -> Points:
    """Return the points scaled to this standard deviation; points that do not spread stay."""
    return points * (spread / max(float(points.std()), 1e-30))


def principal_plane(points: Floats) -> Points:
    """Return (n, 2) coordinates on the first two principal axes; 0 on an axis that is not there."""
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    plane = np.zeros((points.shape[1], 2))
    plane[:, : min(2, points.shape[1])] = axes[:, ::-1][:, :2]
    signs = np.sign(plane[np.abs(plane).argmax(axis=0), (0, 1)])  # an axis has no direction of its own: fix one
    return centred @ (plane * signs)


def _laid_out(points: Floats, start: Points, gathering: Phase, on_progress: OnProgress | None = None) -> Points:
    """Return (n, 2) positions by t-SNE, in its own scale; so few points that all are neighbours stay at the start."""
    if len(points) <= FEWEST + 1:
        return start
    from openTSNE import TSNEEmbedding  # here, for it takes a second to import
    from openTSNE.affinity import PrecomputedAffinities

    def report(iteration: int, error: float, embedding: Any) -> None:
        if on_progress is not None:
            on_progress("laying out the map", done + iteration, gathering[0] + SPREADING)

    done = 0
    affinities = PrecomputedAffinities(_neighbour_graph(points, on_progress))
    layout = TSNEEmbedding(start, affinities, n_jobs=1)
    attraction = 1 - (1 - ATTRACTION) * min(1.0, len(points) / ROWS_TO_SPREAD)
    for iterations, exaggeration in (gathering, (SPREADING, attraction)):
        layout = layout.optimize(
            iterations, exaggeration=exaggeration, momentum=0.8, callbacks=report, callbacks_every_iters=REPORT_EVERY
        )
        done += iterations
    return np.asarray(layout)


def _neighbour_graph(points: Floats, on_progress: OnProgress | None) -> Any:
    """Return the (n, n) symmetric sparse matrix of ties between each point and its nearest, weighed by their cosine.

    The cosine keeps strangers apart where a catalog is so small that they count among the nearest.
    """
    from scipy.sparse import csr_matrix

    count = len(points)
    each = min(max(FEWEST, count // ROWS_PER_NEIGHBOUR), MOST)
    near = nearest_neighbors(points, each, on_progress)
    ties = np.clip(near.cosines, LEAST_TIE, 1)
    pointers = np.arange(0, near.items.size + 1, each)
    graph = csr_matrix((ties.ravel(), near.items.ravel(), pointers), shape=(count, count))
    return (graph + graph.T) / 2


def _fitted(flat: Points) -> Points:
    """Return (n, 2) in -1..1, the aspect kept: the middle 99 % within EDGE, so that no outlier squeezes the rest."""
    low, high = np.percentile(flat, [0.5, 99.5], axis=0)
    half = (high - low).max() / 2
    if half == 0:
        return np.zeros_like(flat)
    scaled = (flat - (low + high) / 2) * (EDGE / half)
    beyond = np.maximum(np.abs(scaled) - EDGE, 0)
    squeezed = EDGE + (1 - EDGE) * np.tanh(beyond / (1 - EDGE))
    return np.where(beyond > 0, np.sign(scaled) * squeezed, scaled)


def _fan(group_of: Rows, first: int, count: int) -> Points:
    """Return (n, 2) steps aside that keep members of a group from covering each other, as seeds in a sunflower.

    Vogel 1979, "A better way to construct the sunflower head": seed j at sqrt(j) steps and j golden angles.

    Args:
        group_of: (n,) which share a position.
        first: the number of the first member; 0 stays where it is.
        count: products on the map.
    """
    order = np.argsort(group_of, kind="stable")
    ordered = group_of[order]
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.arange(len(order)) - np.searchsorted(ordered, ordered) + first
    angles, radii = numbers * GOLDEN_ANGLE, np.sqrt(numbers) * STEP * 2 / count**0.5
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
