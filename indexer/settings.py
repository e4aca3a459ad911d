"""What a build was asked to do: one frozen dataclass, written into the manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from indexer.catalog import CatalogSettings
from indexer.dense_index import RECALL
from indexer.training import TrainingSettings
from search.settings import RankingSettings


@dataclass(frozen=True)
class BuildSettings:
    """Everything that decides a release, besides the catalog itself.

    Attributes:
        catalog_path: the file to read.
        catalog: how it is read.
        ranking: how the release ranks.
        training: how the encoder is fine-tuned and judged.
        train: "auto", "always" or "never".
        model: "" for the pinned base, else a folder or model id.
        judgments_path, queries_path: judged queries for the gate and the metrics; None without.
        max_rejected: largest share of rows that may be rejected, 0..1.
        out: a folder for the release outside the home; None to publish in the home.
        publish: whether to make the release live.
        dim: dimensions of the release's vectors; None for the encoder's own.
        precision: in which they are stored, one of `search.dense.PRECISIONS`; that of the encoding is another matter.
        recall: 0..1, of the first hundred by meaning, that the index of a large catalog must find of an exact search's.
        force: whether to go live in spite of a refusal.
        keep_changes: whether changes of prices and stock that were made before the catalog is read go on top of it all
            the same, as of a file that was written before them.
    """

    catalog_path: Path
    catalog: CatalogSettings = field(default_factory=CatalogSettings)
    ranking: RankingSettings = field(default_factory=RankingSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    train: str = "auto"
    model: str = ""
    judgments_path: Path | None = None
    queries_path: Path | None = None
    max_rejected: float = 0.05
    out: Path | None = None
    publish: bool = True
    dim: int | None = None
    precision: str = "float32"
    recall: float = RECALL
    force: bool = False
    keep_changes: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the settings as JSON-ready data, paths as file names only."""
        data = asdict(self)
        for name in ("catalog_path", "judgments_path", "queries_path", "out"):
            data[name] = data[name].name if data[name] else None
        return data
