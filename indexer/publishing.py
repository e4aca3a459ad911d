"""The last step of a build: the finished release is placed and, unless that looks like a mistake, made live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from indexer.embeddings import Embedded, forget_chunks
from indexer.releases import place, prune
from indexer.settings import BuildSettings
from indexer.storage import keep_whole
from search.errors import BuildRefused, ChangesUnavailable, ReleaseDamaged
from search.home import Home, Layout
from search.release import read_manifest
from search.releases import switch
from search.state.changes import ChangeLog

SHRUNK_SHARE = 0.5  # a catalog that lost more than this share of its products does not go live by itself


@dataclass(frozen=True)
class BuildResult:
    """What a build did.

    Attributes:
        layout: where the release lies.
        manifest: as written.
        is_live: whether it was switched to.
        refused: why it was not, "" when it was or was not meant to be.
    """

    layout: Layout
    manifest: dict[str, Any]
    is_live: bool
    refused: str

    def as_json(self) -> dict[str, Any]:
        """Return what `build --json` prints."""
        catalog, training = self.manifest["catalog"], self.manifest["training"]
        return {
            "release": self.manifest["release"], "folder": str(self.layout.folder), "live": self.is_live,
            "refused": self.refused or None, "rows": catalog["rows"], "accepted": catalog["accepted"],
            "rejected": catalog["rejected"], "mapping": catalog["mapping"], "encoded": self.manifest["encoded"],
            "seconds": self.manifest["seconds"], "encoder": self.manifest["encoder"],
            "vectors": self.manifest["vectors"],
            "training": {key: training.get(key) for key in ("adopted", "merge_weight", "reason", "kept")},
            "metrics": self.manifest["metrics"], "ranker": self.manifest["ranker"],
            "warnings": self.manifest["warnings"],
        }  # fmt: skip


def publish(
    staging: Layout,
    manifest: dict[str, Any],
    embedded: Embedded,
    settings: BuildSettings,
    home: Home,
    live: Layout | None,
    worse: str,
) -> BuildResult:
    """Place the sealed release and make it live, unless that looks like a mistake.

    Raises:
        BuildRefused: it shrank or got worse, and --force was not given.
    """
    if settings.out is not None:
        return BuildResult(place(staging, settings.out), manifest, False, "")
    layout = place(staging, home.releases / manifest["release"])
    refused = "" if settings.force or not settings.publish else (_shrunk(manifest, live) or worse)
    if refused:
        raise BuildRefused(
            f"{refused}. The release is kept as {layout.name} for inspection, and the live one stays; to switch all "
            f"the same: python -m indexer rollback {layout.name}, or build with --force"
        )
    if settings.publish:
        keep_whole(home, embedded, manifest)
        switch(home, layout.name)
        prune(home)
        forget_changes(home)
        forget_chunks(home)
    return BuildResult(layout, manifest, settings.publish, "")


def forget_changes(home: Home) -> None:
    """Let go of the changes of prices and stock that the catalogs of all kept releases know."""
    try:
        kept = [int(read_manifest(layout).get("sequence", 0)) for layout in home.all_releases()]
        ChangeLog(home.changes).forget(min(kept, default=0))
    except (ReleaseDamaged, ChangesUnavailable):
        pass  # they are passed over all the same, and the next build tries again


def _shrunk(manifest: dict[str, Any], live: Layout | None) -> str:
    """Return why the catalog looks truncated, "" when it does not."""
    if live is None:
        return ""
    before = read_manifest(live)["rows"]
    if manifest["rows"] >= before * (1 - SHRUNK_SHARE):
        return ""
    return f"the catalog shrank from {before:,} to {manifest['rows']:,} products"
