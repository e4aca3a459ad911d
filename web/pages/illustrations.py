"""Illustrations for catalogs without photographs, an icon as a still life: `/illustrations/dress/navy.svg`.

The icons are Phosphor's duotone set (MIT, static/vendor/phosphor). The light layer becomes the object's body, in the
product's color; the dark layer its outline; a backdrop that fades from wall to floor and a soft shadow give it a place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

from flask import Blueprint, Response, abort

ICONS = Path(__file__).resolve().parents[2] / "static" / "vendor" / "phosphor" / "duotone"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SHAPES = re.compile(r"<(path|rect|circle|ellipse|line|polyline|polygon)\b([^>]*?)/>")
_LIGHT = ' opacity="0.2"'  # marks the light layer of a duotone icon; all else is the drawing itself

illustrations = Blueprint("illustrations", __name__)


@dataclass(frozen=True)
class Paint:
    """Four colors of one illustration: the object's body and outline, the backdrop's wall and floor."""

    body: str
    outline: str
    wall: str
    floor: str


PALETTE = {
    "black": Paint("#55514d", "#1f1c1a", "#efece7", "#d9d3ca"),
    "white": Paint("#ffffff", "#5f6663", "#dde4e3", "#c3cdcc"),
    "grey": Paint("#a9a8a5", "#403f3b", "#f0f0ee", "#dad9d5"),
    "silver": Paint("#d3d9de", "#4e5862", "#eaeef1", "#cdd5dc"),
    "brown": Paint("#a4754f", "#4a2d18", "#f4eae0", "#e0ccb8"),
    "tan": Paint("#d6b184", "#634420", "#f8f0e3", "#e8d4b8"),
    "beige": Paint("#ead9bb", "#6f5b3a", "#f5f0e6", "#dfd2ba"),
    "cream": Paint("#fdf3d9", "#7d683a", "#efe5cd", "#dccda9"),
    "red": Paint("#e25b52", "#741510", "#fcebe7", "#f0c9c1"),
    "burgundy": Paint("#9a3a50", "#470e1e", "#f6e7e9", "#e2c0c7"),
    "pink": Paint("#f3a7ba", "#7d2a46", "#fdeef1", "#f3ccd7"),
    "orange": Paint("#f19347", "#773705", "#fdf0e2", "#f5d3b0"),
    "yellow": Paint("#f5ce52", "#6a4e04", "#fdf6dd", "#f2df9f"),
    "green": Paint("#62ab6e", "#154527", "#e9f4e9", "#c3dec5"),
    "olive": Paint("#999c52", "#3c3f13", "#f2f2e2", "#d8d9b6"),
    "sage": Paint("#aec3a7", "#395135", "#eff4ed", "#d0dcca"),
    "teal": Paint("#3aa49c", "#0a423f", "#e4f4f2", "#b9dedb"),
    "blue": Paint("#5c98dd", "#113a6b", "#e9f1fa", "#c2d9f1"),
    "navy": Paint("#405d8d", "#0f1d39", "#e9edf4", "#c5cfe0"),
    "purple": Paint("#997ac7", "#381d63", "#f1ecf8", "#d7c8ec"),
    "gold": Paint("#ddb856", "#614509", "#f9f2df", "#e8d7a8"),
    "copper": Paint("#cc8960", "#5b2b11", "#f8ebe3", "#e7c6b2"),
    "clear": Paint("#f0fafb", "#44707a", "#dceef1", "#b9d8de"),
    "multicolor": Paint("url(#rainbow)", "#3a2f45", "#f6f1f8", "#dfd3e8"),
}
# Products without a color: a paper-white object before one of these, the icon's name decides which.
_PLAIN = (
    Paint("#fffdf8", "#6b4a1e", "#f6ead7", "#e5cfa9"),
    Paint("#fdfefc", "#2f5240", "#e0ebe0", "#bcd3c0"),
    Paint("#fdfeff", "#2f4a6b", "#e1eaf3", "#bdd0e4"),
    Paint("#fffdfd", "#7a3b35", "#f7e4df", "#e8c1b8"),
    Paint("#fefdff", "#4f3f6b", "#ebe6f2", "#cfc4e0"),
    Paint("#fdfefe", "#23545a", "#deedee", "#b7d5d8"),
)
_TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 480" width="480" height="480">
<defs>
<linearGradient id="room" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{wall}"/>
<stop offset=".58" stop-color="{wall}"/><stop offset=".76" stop-color="{floor}" stop-opacity=".8"/>
<stop offset="1" stop-color="{wall}"/></linearGradient>
<radialGradient id="light" cx=".5" cy=".42" r=".5"><stop offset="0" stop-color="#fff" stop-opacity=".85"/>
<stop offset="1" stop-color="#fff" stop-opacity="0"/></radialGradient>
<radialGradient id="shadow"><stop offset="0" stop-color="{outline}" stop-opacity=".42"/>
<stop offset=".55" stop-color="{outline}" stop-opacity=".16"/>
<stop offset="1" stop-color="{outline}" stop-opacity="0"/></radialGradient>
<linearGradient id="rainbow" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#f0899b"/>
<stop offset=".38" stop-color="#f5ce52"/><stop offset=".7" stop-color="#5bb8a0"/>
<stop offset="1" stop-color="#6d8fdc"/></linearGradient>
<linearGradient id="gloss" gradientUnits="userSpaceOnUse" x1="40" y1="20" x2="216" y2="236">
<stop offset="0" stop-color="#fff" stop-opacity=".5"/><stop offset=".5" stop-color="#fff" stop-opacity="0"/>
<stop offset="1" stop-color="{outline}" stop-opacity=".22"/></linearGradient>
</defs>
<rect width="480" height="480" fill="{wall}"/>
<rect width="480" height="480" fill="url(#room)"/>
<circle cx="240" cy="206" r="214" fill="url(#light)"/>
<ellipse cx="240" cy="338" rx="126" ry="18" fill="url(#shadow)"/>
<g transform="translate(109 92) scale(1.02)">
<g fill="{body}">{masses}</g>
<g fill="url(#gloss)">{masses}</g>
<g fill="{outline}">{lines}</g>
</g>
</svg>
"""


def paint_of(icon: str, color: str) -> Paint | None:
    """Return the paint of a color name; "plain" depends on the icon; None for an unknown color."""
    if color == "plain":
        return _PLAIN[crc32(icon.encode()) % len(_PLAIN)]
    return PALETTE.get(color)


@lru_cache(maxsize=2048)
def illustration(icon: str, color: str) -> str | None:
    """Return the SVG of an icon in a color, None when either is unknown."""
    paint = paint_of(icon, color)
    file = ICONS / f"{icon}.svg"
    if paint is None or not _NAME.fullmatch(icon) or not file.is_file():
        return None
    shapes = [f"<{tag}{rest}/>" for tag, rest in _SHAPES.findall(file.read_text("utf-8"))]
    masses = "".join(shape.replace(_LIGHT, "") for shape in shapes if _LIGHT in shape)
    lines = "".join(shape for shape in shapes if _LIGHT not in shape)
    return _TEMPLATE.format(**vars(paint), masses=masses, lines=lines)


@illustrations.get("/illustrations/<icon>/<color>.svg")
def picture(icon: str, color: str) -> Response:
    """Serve an illustration; its address decides its content, so it may be kept for ever."""
    svg = illustration(icon, color)
    if svg is None:
        abort(404, description=f'there is no illustration "{icon}" in "{color}"')
    response = Response(svg, mimetype="image/svg+xml")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
