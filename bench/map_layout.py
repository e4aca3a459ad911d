"""How well the map keeps neighbourhoods, how long it takes, and how well new products are placed on it.

Usage: python bench/map_layout.py FOLDER...

FOLDER is a release, or a home whose newest release is taken. For the principal plane, for a fresh map and for a map
on which 5 % and 20 % of the products were placed afterwards, prints

- trustworthiness@15 (Venna & Kaski 2001, the definition of sklearn.manifold.trustworthiness): 1 when each product's 15
  nearest on the map are its nearest by their vectors, less by how far down that ranking intruders come;
- continuity@15, the same with map and vectors exchanged: who was torn away;
- kept@15: the share of the 15 nearest by vector that are among the 15 nearest on the map;
- own leaf, own group: the share of products nearer to the middle of their own cluster on the map, of the lowest and of
  the top level, than to any other's: where its label would stand;
- seconds by the clock, and of processor time, which is what counts where others share the machine.

Catalogs above 5,000 products are measured on 5,000 of them, the same at each run, against the whole catalog.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.positions import map_positions, placed, principal_plane
from search.arrays import Floats

NEAREST = 15
SAMPLE = 5_000
BLOCK = 250
Ids = NDArray[np.int32]
Rows = NDArray[np.int64]


def neighbourhood_scores(
    embeddings: Floats, positions: Floats, rows: Rows, nearest: int = NEAREST
) -> tuple[float, float, float]:
    """Return trustworthiness, continuity and the share of neighbours kept, of these rows among all.

    A rank counts who is strictly nearer, so equal distances share the better rank.

    Args:
        embeddings: (n, d) unit rows.
        positions: (n, 2).
        rows: whose neighbourhoods are judged.
        nearest: size k of a neighbourhood, below n / 2.
    """
    flat = positions.astype(np.float64)
    on_map = _without_self(cKDTree(flat).query(flat[rows], nearest + 1)[1], rows)
    intruders = torn = kept = 0.0
    for begin in range(0, len(rows), BLOCK):
        block, found = rows[begin : begin + BLOCK], on_map[begin : begin + BLOCK]
        far = -(embeddings[block] @ embeddings.T)  # (b, n), by cosine: the order of distances between unit rows
        far_on_map = ((flat[block, None] - flat[None]) ** 2).sum(axis=2)
        for distances in (far, far_on_map):
            distances[np.arange(len(block)), block] = np.inf
        wanted = np.argpartition(far, nearest, axis=1)[:, :nearest]
        intruders += np.maximum(_ranks(far, found) - nearest, 0).sum()
        torn += np.maximum(_ranks(far_on_map, wanted) - nearest, 0).sum()
        kept += (found[:, :, None] == wanted[:, None, :]).sum()
    worst = len(rows) * nearest * (2 * len(embeddings) - 3 * nearest - 1) / 2
    return float(1 - intruders / worst), float(1 - torn / worst), float(kept / (len(rows) * nearest))


def _without_self(found: Rows, rows: Rows) -> Rows:
    """Return (m, k) of the (m, k + 1) nearest: without the row itself, or without the last where it is not there."""
    others = found != rows[:, None]
    others[others.all(axis=1), -1] = False
    return found[others].reshape(len(rows), -1)


def _ranks(distances: NDArray[np.floating], of: Rows) -> Rows:
    """Return (b, k) the rank from 1 of each column `of` a row by distance."""
    theirs = np.take_along_axis(distances, of, axis=1)
    return np.stack([(distances < theirs[:, [column]]).sum(axis=1) + 1 for column in range(of.shape[1])], axis=1)


def in_one_piece(positions: Floats, group_of: Ids, rows: Rows) -> float:
    """Return the share of these rows that are nearer to the median position of their own group than to any other's."""
    groups = np.unique(group_of, return_inverse=True)[1]
    middles = np.stack([np.median(positions[groups == group], axis=0) for group in range(groups.max() + 1)])
    return float((cKDTree(middles).query(positions[rows])[1] == groups[rows]).mean())


def opened(folder: Path) -> tuple[Floats, list[Ids]]:
    """Return the vectors of a release, or of the newest of a home, and its cluster levels, coarse to fine."""
    if (folder / "index" / "releases").is_dir():
        folder = max((folder / "index" / "releases").iterdir())
    leaf_of = np.load(folder / "clusters" / "cluster_of.npy")
    clusters = json.loads((folder / "clusters" / "clusters.json").read_text("utf-8"))["clusters"]
    top_of = {one["id"]: one["id"] if one["parent"] is None else one["parent"] for one in clusters}
    return np.load(folder / "embeddings.npy"), [np.array([top_of[leaf] for leaf in leaf_of.tolist()]), leaf_of]


def timed(work: Callable[[], Floats]) -> tuple[Floats, str]:
    """Return what the work gives, and how long it took."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, f"{time.perf_counter() - clock:6.1f} s ({time.process_time() - processor:.1f} s of processor)"


def report(name: str, embeddings: Floats, positions: Floats, levels: list[Ids], rows: Rows, took: str) -> None:
    """Print one line of figures."""
    trust, continuity, kept = neighbourhood_scores(embeddings, positions, rows)
    own = [in_one_piece(positions, group_of, rows) for group_of in levels]
    pieces = ", ".join(f"own {level} {share:.2f}" for level, share in zip(("group", "leaf"), own, strict=True))
    print(
        f"  {name:30} trustworthiness@15 {trust:.4f}, continuity@15 {continuity:.4f}, kept@15 {kept:.3f}, {pieces}; "
        f"{took}",
        flush=True,
    )


def measure(folder: Path) -> None:
    """Print the figures of one catalog."""
    embeddings, levels = opened(folder)
    count, random = len(embeddings), np.random.default_rng(0)
    rows = np.sort(random.choice(count, min(SAMPLE, count), replace=False))
    print(f"{folder.name}: {count:,} x {embeddings.shape[1]}, {len(rows):,} judged")
    plane, took = timed(lambda: principal_plane(embeddings).astype(np.float32))
    report("principal plane", embeddings, plane, levels, rows, took)
    fresh, took = timed(lambda: map_positions(embeddings, levels))
    report("fresh map", embeddings, fresh, levels, rows, took)
    for share in (0.05, 0.2):
        new = np.sort(random.choice(count, round(share * count), replace=False))
        old = np.setdiff1d(np.arange(count), new)
        known = np.full((count, 2), np.nan, np.float32)
        known[old] = map_positions(embeddings[old], [level[old] for level in levels])
        grown, took = timed(lambda known=known: placed(embeddings, known))
        report(f"{share:.0%} placed: all", embeddings, grown, levels, rows, took)
        report(f"{share:.0%} placed: those placed", embeddings, grown, levels, new[:SAMPLE], took)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for argument in sys.argv[1:]:
        measure(Path(argument))
