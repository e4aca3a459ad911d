"""A release as a map: where every product lies, what groups there are, and what its dots can be colored by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, Rows
from search.clusters import Cluster
from search.facets import ValuesFacet
from search.naming import PATH_SEPARATOR
from search.release import Release

STEPS = 65535  # positions -1..1 as 16-bit integers: a step is 1/32 of a pixel on a map a thousand pixels wide
MAX_GROUPS = 253  # top groups with a color code of their own
SHOWN_VALUES = 9  # of a field, each with a color; the rest is "other"
BINS = 7  # of a number, about equally many products in each
MAX_FIELDS = 10
MIN_CARRIED = 0.2  # a field colors the map if at least this share of the products has it,
MIN_COVERED = 0.5  # and its commonest values are this share of what they have
CENTER_SAMPLE = 200  # products looked at for the middle of a group


@dataclass(frozen=True)
class LegendEntry:
    """One color of the map.

    Attributes:
        code: in the codes, 1..255; 0 is unknown.
        value: the facet's value or the group's label; "" for a range of numbers and for what is unknown.
        count: how many dots have it.
        low, high: of numbers, low inclusive, high exclusive; None is open.
        cluster: id of the group, None for other colors.
        is_other: values too rare for a color of their own.
    """

    code: int
    value: str
    count: int
    low: float | None = None
    high: float | None = None
    cluster: int | None = None
    is_other: bool = False


@dataclass(frozen=True)
class MapColor:
    """One thing the dots can be colored by.

    Attributes:
        kind: "clusters", "values" or "numbers".
        codes: (n,) uint8.
        legend: in the order to be shown; counts sum to n.
    """

    name: str
    label: str
    kind: str
    codes: NDArray[np.uint8]
    legend: tuple[LegendEntry, ...]


@dataclass(frozen=True)
class CatalogMap:
    """Everything the map draws. Row r of every array is the product of row r.

    Attributes:
        positions: (n, 2) uint16; 0 is -1, 65535 is 1.
        clusters: parents before their children, largest first.
        centers: (len(clusters), 2) float32, the position of one of the group's own products, amid the others.
        leaves: (n,) uint16, the place of the product's leaf in `clusters`.
        members: the rows of each of `clusters`, a parent's being those of its leaves.
        colors: by name; "cluster" is the first.
    """

    positions: NDArray[np.uint16]
    clusters: tuple[Cluster, ...]
    centers: Floats
    leaves: NDArray[np.uint16]
    members: tuple[Rows, ...]
    colors: dict[str, MapColor]


def map_of(release: Release) -> CatalogMap:
    """Return the map of a release; a fraction of a second of work, worth keeping."""
    index = release.clusters
    clusters = tuple(one for top in index.children(None) for one in (top, *index.children(top.id)))
    place_of = {cluster.id: place for place, cluster in enumerate(clusters)}
    ids, inverse = np.unique(index.cluster_of, return_inverse=True)
    leaves = np.array([place_of[int(one)] for one in ids], np.uint16)[inverse]
    colors = [_cluster_color(clusters, leaves), *_number_colors(release), *_value_colors(release)]
    members = _members(clusters, leaves)
    centers = np.array([_center(index.positions, rows) for rows in members], np.float32).reshape(-1, 2)
    named = {color.name: color for color in colors}
    return CatalogMap(quantized(index.positions), clusters, centers, leaves, members, named)


def quantized(positions: Floats) -> NDArray[np.uint16]:
    """Return positions -1..1 as (n, 2) uint16, 0..65535; what lies outside is put on the edge."""
    return np.rint((np.clip(positions, -1, 1) + 1) * (STEPS / 2)).astype(np.uint16)


def _members(clusters: tuple[Cluster, ...], leaves: NDArray[np.uint16]) -> tuple[Rows, ...]:
    """Return the rows of each group, ascending in a leaf."""
    order = np.argsort(leaves, kind="stable").astype(np.int64)
    own = np.split(order, np.cumsum(np.bincount(leaves, minlength=len(clusters)))[:-1])
    below: dict[int, list[Rows]] = {cluster.id: [rows] for cluster, rows in zip(clusters, own, strict=True)}
    for cluster, rows in zip(clusters, own, strict=True):
        if cluster.parent is not None:
            below[cluster.parent].append(rows)
    return tuple(np.concatenate(below[cluster.id]) for cluster in clusters)


def _center(positions: Floats, rows: Rows) -> Floats:
    """Return the medoid of a group: the product with the least sum of distances to the others, so never in a gap."""
    if len(rows) == 0:
        return np.zeros(2, np.float32)
    seen = positions[rows[np.linspace(0, len(rows) - 1, min(len(rows), CENTER_SAMPLE)).astype(np.int64)]]
    distances = np.linalg.norm(seen[:, None, :] - seen[None, :, :], axis=2)  # (m, m)
    middle: Floats = seen[int(distances.sum(axis=1).argmin())]
    return middle


# -- colors --


def _cluster_color(clusters: tuple[Cluster, ...], leaves: NDArray[np.uint16]) -> MapColor:
    """Return the color of the top groups."""
    tops = [cluster for cluster in clusters if cluster.parent is None]
    code_of = {top.id: min(place, MAX_GROUPS + 1) for place, top in enumerate(tops, start=1)}
    codes = np.array([code_of[one.id if one.parent is None else one.parent] for one in clusters], np.uint8)[leaves]
    counts = np.bincount(codes, minlength=MAX_GROUPS + 2)
    legend = [
        LegendEntry(code_of[top.id], top.label, int(counts[code_of[top.id]]), cluster=top.id)
        for top in tops[:MAX_GROUPS]
    ]
    if counts[MAX_GROUPS + 1]:
        legend.append(LegendEntry(MAX_GROUPS + 1, "", int(counts[MAX_GROUPS + 1]), is_other=True))
    return MapColor("cluster", "Group", "clusters", codes, tuple(legend))


def _number_colors(release: Release) -> list[MapColor]:
    """Return the colors of numbers that differ."""
    colors = []
    for name, numbers in release.facets.numbers.items():
        known = ~np.isnan(numbers)
        edges = _edges(numbers[known], whole=name == "created")
        if len(edges) == 0 or np.count_nonzero(known) < MIN_CARRIED * release.rows:
            continue
        codes = np.zeros(len(numbers), np.uint8)
        codes[known] = np.searchsorted(edges, numbers[known], side="right") + 1
        counts = np.bincount(codes, minlength=len(edges) + 2)
        bounds = [None, *(float(f"{edge:.7g}") for edge in edges), None]  # 4.2, not 4.19999980926
        legend = [
            LegendEntry(code, "", int(counts[code]), low=bounds[code - 1], high=bounds[code])
            for code in range(1, len(edges) + 2)
        ]
        colors.append(MapColor(name, name.capitalize(), "numbers", codes, (*legend, *_unknown(counts))))
    return colors


def _edges(known: Floats, whole: bool) -> Floats:
    """Return the inner edges of at most BINS bins that hold about equally many numbers, rounded to be read.

    Every bin holds at least one number; [] when all are equal.
    """
    if len(known) == 0:
        return np.zeros(0, np.float32)
    exact = np.quantile(known.astype(np.float64), np.arange(1, BINS) / BINS)
    spread = max(float(exact[-1] - exact[0]), 1e-9)
    # Two digits of the number itself, unless that is coarser than the bins are wide.
    digits = [1 - int(np.floor(np.log10(min(abs(edge) or 1.0, spread)))) for edge in exact]
    rounded = exact.round(0) if whole else [round(edge, places) for edge, places in zip(exact, digits, strict=True)]
    edges = np.unique(np.asarray(rounded, np.float32))
    filled = np.unique(np.searchsorted(edges, known, side="right"))
    return edges[filled[1:] - 1]  # an edge stays where something lies right above it


def _value_colors(release: Release) -> list[MapColor]:
    """Return the colors of fields whose few commonest values say something about most products that have the field."""
    rows = np.arange(release.rows, dtype=np.int64)
    found = []
    for facet in release.facets.values.values():
        color, carried, covered = _value_color(facet, rows)
        differs = sum(entry.code > 0 for entry in color.legend) > 1
        if differs and carried >= MIN_CARRIED * len(rows) and covered >= MIN_COVERED * carried:
            found.append((carried, color))
    fixed = ("category", "brand", "availability")
    found.sort(key=lambda one: (one[1].name not in fixed, -one[0]))
    return [color for _, color in found[:MAX_FIELDS]]


def _value_color(facet: ValuesFacet, rows: Rows) -> tuple[MapColor, int, int]:
    """Return a field's color, how many products have the field, and how many of them one of the shown values.

    Of several values the commonest decides. Of a category, the highest level that has more than one value.
    """
    counts = facet.counts(rows)
    usable = np.ones(len(facet.values), bool)
    if facet.is_path:
        depths = np.array([value.count(PATH_SEPARATOR) for value in facet.values])
        depth = next((one for one in range(depths.max() + 1) if (depths == one).sum() > 1), 0)
        usable = depths == depth
    order = [int(code) for code in np.argsort(-counts, kind="stable") if usable[code]]
    shown = order if len(order) <= SHOWN_VALUES + 1 else order[:SHOWN_VALUES]
    unknown, other = 255, len(shown) + 1
    rank = np.where(usable, other, unknown).astype(np.uint8)
    rank[shown] = np.arange(1, len(shown) + 1)
    codes = np.full(len(rows), unknown, np.uint8)
    carrying = facet.offsets[1:] > facet.offsets[:-1]
    if carrying.any():
        # Empty rows take no codes, so the starts of the others bound their runs.
        codes[carrying] = np.minimum.reduceat(rank[facet.codes], facet.offsets[:-1][carrying])
    codes[codes == unknown] = 0
    totals = np.bincount(codes, minlength=other + 1)
    legend = [LegendEntry(place, facet.values[code], int(totals[place])) for place, code in enumerate(shown, start=1)]
    if totals[other]:
        legend.append(LegendEntry(other, "", int(totals[other]), is_other=True))
    color = MapColor(facet.name, facet.label, "values", codes, (*legend, *_unknown(totals)))
    return color, len(rows) - int(totals[0]), int(totals[1:other].sum())


def _unknown(counts: NDArray[np.int64]) -> list[LegendEntry]:
    return [LegendEntry(0, "", int(counts[0]))] if counts[0] else []
