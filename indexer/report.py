"""report.html: what a build did and why, in one printable page that travels with the release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).parent / "templates"


def write_report(path: Path, manifest: dict[str, Any]) -> None:
    """Write the build report from a manifest's entries."""
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters["sparkline"] = sparkline_points
    page = environment.get_template("report.html").render(
        catalog=manifest["catalog"],
        training=manifest["training"],
        encoder=manifest["encoder"],
        metrics=(manifest["metrics"] or {}).get("metrics", {}),
        ranker=manifest["ranker"] or {},
        warnings=manifest["warnings"],
        versions=manifest["versions"],
        encoded=manifest["encoded"],
        rows=manifest["rows"],
    )
    path.write_text(page, "utf-8")


def sparkline_points(values: list[float], width: int = 600, height: int = 120) -> str:
    """Return the `points` of an SVG polyline through the values, highest value at the top."""
    if not values:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = width / max(len(values) - 1, 1)
    return " ".join(
        f"{place * step:.1f},{height - (value - low) / span * height:.1f}" for place, value in enumerate(values)
    )
