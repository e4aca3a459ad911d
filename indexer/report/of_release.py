"""The report of a release that is already built: nothing in it is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from indexer.report.knowledge import Knowledge, knowledge_of
from indexer.report.subject import Subject
from indexer.rows import HELD, StoredProducts
from indexer.training.curve import LearningCurve
from search.cpus import cpu_threads
from search.encoders import find_encoder
from search.home import Home
from search.reduction import reduced
from search.release import Release

Step = Callable[[str, int, int], None]


def subject_of(release: Release, home: Home) -> Subject:
    """Return what a report of a release looks at.

    Raises:
        EncoderError: the release's encoder is not where its manifest says.
    """
    encoder = find_encoder(release.manifest["encoder"], home, cpu_threads())  # many words at once, not one query
    labels = {cluster.id: cluster.label for cluster in release.clusters.clusters.values()}
    return Subject.of(
        list(release.products) if release.rows <= HELD else StoredProducts(release.products),
        release.dense.embeddings, release.group_of, release.clusters.cluster_of, labels,
        reduced(encoder, release.reduction), release.confidence.background, release.manifest["language"],
    )  # fmt: skip


def knowledge_of_release(release: Release, home: Home, progress: Step) -> Knowledge:
    """Return what the embedding of a release knows; the same as its report was built with.

    Raises:
        EncoderError: the release's encoder is not where its manifest says.
    """
    return knowledge_of(subject_of(release, home), progress)


def curve_path(home: Home, release: str) -> Path:
    """Return where the learning curve of a release is kept; a release itself never changes."""
    return home.state / "learning-curves" / f"{release}.json"


def kept_curve(home: Home, release: str) -> LearningCurve | None:
    """Return the learning curve measured for a release, None when there is none that can be read."""
    try:
        data: dict[str, Any] = json.loads(curve_path(home, release).read_text("utf-8"))
        return LearningCurve.from_json(data)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_curve(home: Home, release: str, curve: LearningCurve) -> None:
    """Keep a learning curve for later reports of this release."""
    path = curve_path(home, release)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(curve.as_json(), indent=1), "utf-8")
    aside.replace(path)
