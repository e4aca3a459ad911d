"""report.html: what a build did and why, in one printable page that travels with the release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from indexer.evaluation.compare import compare_evaluations
from indexer.evaluation.measures import Evaluation
from indexer.training import JudgedQueries

ByMode = Mapping[str, Evaluation]
_TEMPLATES = Path(__file__).parent / "templates"


def write_report(path: Path, manifest: dict[str, Any]) -> None:
    """Write the build report from a manifest's entries."""
    page = page_template("report.html").render(
        catalog=manifest["catalog"],
        training=manifest["training"],
        encoder=manifest["encoder"],
        metrics=(manifest["metrics"] or {}).get("metrics", {}),
        ranker=manifest["ranker"] or {},
        has_query_report=path.with_name("queries.html").is_file(),
        warnings=manifest["warnings"],
        versions=manifest["versions"],
        encoded=manifest["encoded"],
        rows=manifest["rows"],
    )
    path.write_text(page, "utf-8")


def write_query_report(path: Path, manifest: dict[str, Any], judged: JudgedQueries, by_mode: ByMode) -> None:
    """Write the page of every judged query, the largest losses of the hybrid first.

    Args:
        path: of the page.
        manifest: its entries so far.
        judged: for the texts of the queries.
        by_mode: "lexical", "dense" and "hybrid" -> the same queries measured in that mode.
    """
    values = {mode: evaluation.values["nDCG@10"] for mode, evaluation in by_mode.items()}
    changes = values["hybrid"] - np.maximum(values["lexical"], values["dense"])
    modes = {"lexical": "Words", "dense": "Meaning", "hybrid": "Served"}
    query_ids = by_mode["hybrid"].query_ids
    rows = [
        {"text": judged.queries[query_ids[place]], "change": float(changes[place]),
         "scores": [float(values[mode][place]) for mode in modes]}
        for place in np.argsort(changes, kind="stable")
    ]  # fmt: skip
    duels = {
        name: compare_evaluations(by_mode[mode], by_mode["hybrid"]).differences["nDCG@10"]
        for mode, name in (("lexical", "words"), ("dense", "meaning"))
    }
    page = page_template("queries.html").render(
        catalog=manifest["catalog"], columns=list(modes.values()), rows=rows, duels=duels
    )
    path.write_text(page, "utf-8")


def page_template(name: str) -> Template:
    """Return one of the indexer's page templates."""
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters["sparkline"] = sparkline_points
    return environment.get_template(name)


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
