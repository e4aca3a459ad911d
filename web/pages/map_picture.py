"""The map as a small picture that invites to it: `/map/light.svg` and `/map/dark.svg`, drawn once a release."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from flask import Blueprint, Response, abort, request
from markupsafe import escape
from numpy.typing import NDArray

from search.arrays import Floats
from search.clusters import Cluster
from search.engine import Engine
from web.live import current_engine
from web.pages.map import current_map

SHEET = Path(__file__).resolve().parents[2] / "static" / "css" / "map.css"
WIDTH, HEIGHT, MARGIN = 640, 400, 14
MOST_DOTS = 1600  # about 6 kB compressed
NAMED = 7  # groups written on it, where there is room
LETTER, LINE = 7.2, 17  # of a name, in the picture's units
LONGEST_NAME = 24
HUES = 9
Places = NDArray[np.int32]

map_picture = Blueprint("map_picture", __name__)
_drawn: WeakKeyDictionary[Engine, dict[str, str]] = WeakKeyDictionary()


@lru_cache(maxsize=1)
def palette() -> dict[str, dict[str, str]]:
    """Return, by scheme, the map's own colors: "hue-1".. "hue-9", "other", "ground"."""
    light, dark = SHEET.read_text("utf-8").split("prefers-color-scheme: dark", 1)
    found = {"light": light, "dark": dark}
    return {scheme: dict(re.findall(r"--map-([a-z0-9-]+): (#[0-9a-f]{6})", sheet)) for scheme, sheet in found.items()}


@map_picture.get("/map/<scheme>.svg")
def picture(scheme: str) -> Response:
    """Serve the picture; it may be kept for a year under the address that names its release."""
    if scheme not in palette():
        abort(404, description=f'the map is not drawn in "{scheme}"; there are: light, dark')
    engine = current_engine()
    drawn = _drawn.setdefault(engine.as_built, {})  # prices are not in it
    if scheme not in drawn:
        drawn[scheme] = drawing(engine.as_built, palette()[scheme], "#211d18" if scheme == "light" else "#f4f0e8")
    response = Response(drawn[scheme], mimetype="image/svg+xml")
    is_current = request.args.get("v") == engine.release.name
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_current else "no-cache"
    return response


def drawing(engine: Engine, colors: dict[str, str], ink: str) -> str:
    """Return the map as SVG: a dot for each of an even part of the products, in its top group's color, and names."""
    drawn, top_of = current_map(engine), engine.release.clusters.top_of
    centers = {cluster.id: center for cluster, center in zip(drawn.clusters, drawn.centers, strict=True)}
    tops = [cluster for cluster in drawn.clusters if cluster.parent is None]
    hues = _hues([centers[top.id] for top in tops])
    rows = np.arange(0, engine.release.rows, -(-engine.release.rows // MOST_DOTS) or 1)
    points = _placed(drawn.positions)
    paths = []
    for top, hue in reversed(list(zip(tops, hues, strict=True))):  # the largest on top
        own = points[rows[top_of[rows] == top.id]]
        steps = "".join(f"M{x} {y}h0" for x, y in own.tolist())
        paths.append(f'<path stroke="{colors[f"hue-{hue + 1}"]}" d="{steps}"/>' if steps else "")
    names = _names(tops, points, top_of)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<g fill="none" stroke-width="5" stroke-linecap="round" opacity=".85">{"".join(paths)}</g>'
        f'<g font-family="system-ui, sans-serif" font-size="13" font-weight="600" text-anchor="middle" fill="{ink}" '
        f'stroke="{colors["ground"]}" stroke-width="4" stroke-linejoin="round" paint-order="stroke">'
        f"{''.join(names)}</g></svg>"
    )


def _hues(centers: list[Floats]) -> list[int]:
    """Return each group's hue as static/js/map/legend.js chooses it: of those used least, the one farthest away."""
    members: list[list[Floats]] = [[] for _ in range(HUES)]
    chosen = []
    for center in centers:
        fewest = min(map(len, members))
        open_hues = [hue for hue in range(HUES) if len(members[hue]) == fewest]
        away = [
            min((float(np.hypot(*(other - center))) for other in members[hue]), default=np.inf) for hue in open_hues
        ]
        chosen.append(open_hues[int(np.argmax(away))])
        members[chosen[-1]].append(center)
    return chosen


def _placed(positions: NDArray[np.uint16]) -> Places:
    """Return (n, 2) int32 places in the picture; the map is square, the picture is wide: it is stretched to fill it."""
    low, high = positions.min(axis=0).astype(np.float64), positions.max(axis=0).astype(np.float64)
    shares = (positions - low) / np.maximum(high - low, 1)
    size = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    return np.asarray(np.rint(shares * size + MARGIN), np.int32)


def _names(tops: list[Cluster], points: Places, top_of: NDArray[np.int32]) -> list[str]:
    """Return the names of the largest groups, each in the middle of its own, but for those that would lie on others."""
    taken: list[tuple[float, float, float]] = []
    names = []
    for top in tops:
        own = points[top_of == top.id]
        if not len(own) or len(taken) == NAMED or len(top.label) > LONGEST_NAME:
            continue
        half = len(top.label) * LETTER / 2
        x, y = np.median(own, axis=0).tolist()
        x = min(max(x, half + MARGIN), WIDTH - half - MARGIN)
        if all(abs(x - other) > half + width + 8 or abs(y - line) > LINE for other, line, width in taken):
            taken.append((x, y, half))
            names.append(f'<text x="{x:.0f}" y="{y + 4:.0f}">{escape(top.label)}</text>')
    return names
