"""The pages: report.html, and queries.html where a build was given judged queries. One style block, no script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from indexer.evaluation.compare import compare_evaluations
from indexer.evaluation.measures import Evaluation
from indexer.report import plots
from indexer.report.knowledge import Knowledge
from indexer.report.training import LEG_NAMES, curve_summary, training_of
from indexer.training import JudgedQueries
from indexer.training.curve import LearningCurve

ByMode = Mapping[str, Evaluation]
SHORT = 110  # characters of a title shown
# What `report.html` writes around the sections of QUESTIONS.
_KEPT = re.compile(
    r'<section id="(?P<name>\w+)">\s*<h2>[^<]*</h2>\s*<p class="lead" data-mark="(?P<look>look|fine)">'
    r"(?P<summary>[^<]*)</p>\s*(?:<p class=\"since\">[^<]*</p>\s*)?(?P<drawn>.*?)\s*</section><!-- \w+ -->",
    re.DOTALL,
)
_TEMPLATES = Path(__file__).parent / "templates"

QUESTIONS = {
    "words": "Do words that mean the same meet?",
    "feel": "Which words does it not understand?",
    "categories": "Are products in the right categories?",
    "duplicates": "Is anything listed twice?",
    "loners": "What stands alone?",
    "clusters": "Do the clusters hold together?",
    "health": "What is missing in the catalog?",
}


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name: of its template and its address in the page.
        question: its heading.
        summary: what was found and what to do, in plain words.
        needs_a_look: whether there is something to do.
        found: what the template draws.
        drawn: HTML that was drawn before and is kept in place of that, "" for none.
        since: the release it was drawn for.
    """

    name: str
    question: str
    summary: str
    needs_a_look: bool
    found: Any
    drawn: str = ""
    since: str = ""


def write_report(
    path: Path, manifest: dict[str, Any], knowledge: Knowledge | None = None, kept: Sequence[Section] = ()
) -> None:
    """Write the page of a build from its manifest's entries and what its embedding knows, or what an earlier one told.

    Args:
        path: of the page.
        manifest: its entries so far.
        knowledge: what the embedding knows.
        kept: see `kept_findings`.
    """
    page = report_page(manifest, knowledge, None, path.with_name("queries.html").is_file(), kept)
    path.write_text(page, "utf-8")


def kept_findings(path: Path, since: str) -> list[Section] | None:
    """Return what the page of a release tells of its catalog, to be told again; None where it does not.

    Args:
        path: of the page, as `write_report` wrote it.
        since: the release that it was found out for.
    """
    try:
        page = path.read_text("utf-8")
    except (OSError, ValueError):
        return None
    found = {name: _KEPT.search(page, page.find(f'<section id="{name}">')) for name in QUESTIONS}
    sections = [
        Section(name, QUESTIONS[name], unescape(one["summary"]), one["look"] == "look", None, one["drawn"], since)
        for name, one in found.items()
        if one is not None and one["name"] == name
    ]
    return sections if len(sections) == len(QUESTIONS) else None


def report_page(
    manifest: dict[str, Any],
    knowledge: Knowledge | None,
    curve: LearningCurve | None,
    has_query_report: bool,
    kept: Sequence[Section] = (),
) -> str:
    """Return the page as HTML.

    Args:
        manifest: of the release, `release` and `seconds` may be missing.
        knowledge: what its embedding knows; None leaves these sections out.
        curve: quality against the share of training pairs, where it was measured.
        has_query_report: whether queries.html lies beside the page.
        kept: sections of an earlier page, in place of `knowledge`.
    """
    return page_template("report.html").render(
        catalog=manifest["catalog"],
        encoder=manifest["encoder"],
        sections=[*sections_of(manifest, knowledge, curve), *kept],
        knowledge=knowledge,
        metrics=(manifest["metrics"] or {}).get("metrics", {}),
        ranker=manifest["ranker"] or {},
        has_query_report=has_query_report,
        warnings=manifest["warnings"],
        versions=manifest["versions"],
        encoded=manifest["encoded"],
        rows=manifest["rows"],
    )


def sections_of(manifest: dict[str, Any], knowledge: Knowledge | None, curve: LearningCurve | None) -> list[Section]:
    """Return the parts of the page, in order."""
    training = training_of(manifest["training"])
    sections = [Section("training", "Did training on this catalog help?", training.summary, False, training)]
    if curve is not None:
        sections.append(Section("curve", "How much would more data bring?", curve_summary(curve), False, curve))
    if knowledge is None:
        return sections
    for name, question in QUESTIONS.items():
        found = getattr(knowledge, name)
        sections.append(Section(name, question, found.summary, found.needs_a_look, found))
    return sections


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
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(plots=plots, leg_names=LEG_NAMES)
    environment.filters.update(short=short, count=lambda number: f"{number:,}", product_page=product_page)
    return environment.get_template(name)


def short(text: str, length: int = SHORT) -> str:
    """Return a text that is at most so long, its end replaced by an ellipsis where it is longer."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def product_page(product_id: str) -> str:
    """Return the path of a product's page in the shop; web/pages/report.py makes links of these."""
    return f"/products/{quote(product_id, safe='')}"
