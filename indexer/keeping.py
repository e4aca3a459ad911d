"""What a build keeps of the live release where next to nothing changed, though it could be made anew.

That is how sure a release can be (indexer/calibration.py), how its clusters are called, and what its report found: each
takes longer than all else a build of an unchanged catalog does, and one product in fifty does not change it. What
changed adds up from build to build, so that a catalog that drifts is looked at anew in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.clustering import Former
from search.encoder import file_sha256
from search.errors import ReleaseDamaged
from search.home import Layout
from search.release import expect_readable

KEPT = ("confidence/", "clusters/", "report.html")  # files of a release
MOST_CHANGED = 0.02  # share of the products, since everything was made anew


@dataclass(frozen=True)
class Kept:
    """A release whose findings still hold.

    Attributes:
        layout: of the live release.
        manifest: its.
        since: the release in which they were made.
        changed: how many products were added, changed or removed since then.
    """

    layout: Layout
    manifest: dict[str, Any]
    since: str
    changed: int

    def as_json(self) -> dict[str, Any]:
        """Return the manifest's `kept` entry."""
        return {"since": self.since, "changed": self.changed}


def kept_of(live: Layout | None, former: Former | None, expected: dict[str, Any]) -> Kept | None:
    """Return what holds of the live release; None where there is none, or too much changed.

    Args:
        live: the live release.
        former: its clusters as seen from the n rows of the new one.
        expected: entries of the manifest that must be the same: "language", "encoder" and its fingerprint, and so on.
    """
    if live is None or former is None:
        return None
    try:
        manifest = expect_readable(live)
    except ReleaseDamaged:
        return None
    if any(_entry(manifest, name) != value for name, value in expected.items()) or not _is_whole(live, manifest):
        return None
    before = manifest.get("kept") or {"since": live.name, "changed": 0}
    rows = len(former.is_unchanged)
    removed = int(manifest["rows"]) - int(np.count_nonzero(former.row_of >= 0))
    changed = int(before["changed"]) + rows - int(np.count_nonzero(former.is_unchanged)) + removed
    return Kept(live, manifest, str(before["since"]), changed) if changed <= MOST_CHANGED * rows else None


def _is_whole(live: Layout, manifest: dict[str, Any]) -> bool:
    """Return whether the files that would be kept are what their build wrote."""
    files = {name: digest for name, digest in manifest["files"].items() if name.startswith(KEPT)}
    try:
        return all(file_sha256(live.folder / name) == digest for name, digest in files.items())
    except OSError:
        return False


def _entry(manifest: dict[str, Any], name: str) -> Any:
    """Return an entry of a manifest by its path: "vectors.space"."""
    found: Any = manifest
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
