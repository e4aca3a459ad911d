"""A release in the making measured by judged queries, beside the live one."""

from __future__ import annotations

import json
from typing import Any

from indexer.evaluation.compare import compare_evaluations
from indexer.evaluation.engine_run import evaluate_engine
from indexer.learning import learn_ranker, with_ranker
from indexer.progress import Progress
from indexer.report import write_query_report
from indexer.training import JudgedQueries
from search.engine import Engine
from search.errors import AisleError, EvaluationError
from search.home import Home, Layout


def measure(
    staging: Layout,
    manifest: dict[str, Any],
    judged: JudgedQueries,
    home: Home,
    live: Layout | None,
    progress: Progress,
) -> tuple[dict[str, Any], str]:
    """Return the manifest's `metrics` and `ranker`, and why the release is significantly worse than the live one or "".

    A ranker that proves itself is written into the release. Both releases are measured without theirs, for these are
    the judgments that it learnt from.
    """
    draft = {**manifest, "release": "staging"}
    staging.manifest.write_text(json.dumps(draft), "utf-8")
    engine = Engine.open(staging.folder, home=home)
    new = evaluate_engine(engine, judged.queries, judged.judgments, on_progress=progress.step)
    by_mode = {"hybrid": new.evaluation}
    try:
        for mode in ("lexical", "dense"):
            by_mode[mode] = evaluate_engine(engine, judged.queries, judged.judgments, mode=mode).evaluation
        write_query_report(staging.query_report, manifest, judged, by_mode)
    except EvaluationError as error:  # words alone may find nothing at all
        progress.say(f"  no page of judged queries was written: {error}")
    ranker, report = learn_ranker(engine, judged, new, progress.step)
    staging.manifest.unlink()
    if ranker is not None:
        ranker.save(staging.ranker)
    measured = {"metrics": new.evaluation.as_json(), "ranker": report}
    if live is None:
        return measured, ""
    try:
        before = with_ranker(Engine.open(live.folder, home=home), None)
        old = evaluate_engine(before, judged.queries, judged.judgments).evaluation
    except AisleError as error:
        progress.say(f"  the live release could not be compared with: {error}")
        return measured, ""
    change = compare_evaluations(old, new.evaluation).differences["nDCG@10"].change
    if change.high >= 0:
        return measured, ""
    return measured, (
        f"nDCG@10 on the judged queries fell by {-change.mean:.3f} ({change.low:.3f} to {change.high:.3f})"
    )
