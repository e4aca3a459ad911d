"""Where things lie: the home folder (instance/) and the files of one release, as frozen dataclasses of paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from search.errors import ReleaseMissing


@dataclass(frozen=True)
class Layout:
    """The files of one release; no other place spells their names."""

    folder: Path

    @property
    def name(self) -> str:
        """The release's name, `<utc>-<hash>`."""
        return self.folder.name

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    @property
    def products(self) -> Path:
        return self.folder / "products.sqlite"

    @property
    def embeddings(self) -> Path:
        """Only there in float32; of a coarser precision its codes are all there is."""
        return self.folder / "embeddings.npy"

    @property
    def rotation(self) -> Path:
        """Only there where the vectors were cut to fewer dimensions than the encoder's."""
        return self.folder / "rotation.npy"

    @property
    def text_hashes(self) -> Path:
        return self.folder / "text_hashes.npy"

    @property
    def groups(self) -> Path:
        return self.folder / "groups.npy"

    @property
    def decided_on(self) -> Path:
        return self.folder / "decided_on.npy"

    @property
    def dense_index(self) -> Path:
        return self.folder / "dense.faiss"

    @property
    def dense_codes(self) -> Path:
        """The vectors that a second pass reads; only there where the index does not hold them."""
        return self.folder / "dense.codes.npy"

    @property
    def dense_scales(self) -> Path:
        """One number a row, where the codes are integers."""
        return self.folder / "dense.scales.npy"

    @property
    def segments(self) -> Path:
        return self.folder / "segments"

    @property
    def spans(self) -> Path:
        """Where in its passage each segment stands."""
        return self.folder / "spans.npy"

    @property
    def shown(self) -> Path:
        """What a card shows of each product."""
        return self.folder / "shown"

    @property
    def lexical(self) -> Path:
        return self.folder / "lexical"

    @property
    def facets(self) -> Path:
        return self.folder / "facets"

    @property
    def understanding(self) -> Path:
        return self.folder / "understanding"

    @property
    def confidence(self) -> Path:
        return self.folder / "confidence"

    @property
    def categories(self) -> Path:
        return self.folder / "categories"

    @property
    def clusters(self) -> Path:
        return self.folder / "clusters"

    @property
    def ranker(self) -> Path:
        """Only there where judgments taught one that proved itself."""
        return self.folder / "ranker.json"

    @property
    def rejected(self) -> Path:
        return self.folder / "rejected.csv"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def query_report(self) -> Path:
        """Only there where the build was given judged queries."""
        return self.folder / "queries.html"


@dataclass(frozen=True)
class Home:
    """The one folder Aisle writes to. All but `state` can be deleted; a build makes it again."""

    root: Path

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def current(self) -> Path:
        """A one-line file that names the live release."""
        return self.index / "current"

    @property
    def history(self) -> Path:
        """Names of the releases that were live, a line each, the latest last."""
        return self.index / "history"

    @property
    def releases(self) -> Path:
        return self.index / "releases"

    @property
    def encoders(self) -> Path:
        return self.root / "encoders"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def vectors(self) -> Path:
        """The encoder's own vectors of the live products, where the release holds only shorter or coarser ones."""
        return self.root / "vectors"

    @property
    def state(self) -> Path:
        """What the running shop keeps: nothing in it can be made again by a build."""
        return self.root / "state"

    @property
    def keys(self) -> Path:
        """API keys, hashed; only there once one was made."""
        return self.state / "keys.json"

    @property
    def events(self) -> Path:
        """Searches and what came of them."""
        return self.state / "events.sqlite"

    @property
    def changes(self) -> Path:
        """Prices and stock that changed since the catalog was read; see search/state/changes.py."""
        return self.state / "changes.log"

    def live(self) -> Layout:
        """Return the live release.

        Raises:
            ReleaseMissing: nothing was published yet, or `current` names a release that is gone.
        """
        try:
            name = self.current.read_text("utf-8").strip()
        except OSError:
            raise ReleaseMissing(
                f"no release in {self.index}; build one with: python -m indexer build catalog/products.csv"
            ) from None
        return self.release(name)

    def release(self, name: str) -> Layout:
        """Return the release of this name.

        Raises:
            ReleaseMissing: there is none; the message lists those there are.
        """
        layout = Layout(self.releases / name)
        if Path(name).name != name or not layout.manifest.is_file():
            known = ", ".join(release.name for release in self.all_releases()) or "none"
            raise ReleaseMissing(f'no release "{name}" in {self.releases} (there are: {known})')
        return layout

    def all_releases(self) -> list[Layout]:
        """Return every finished release, oldest first."""
        folders = sorted(self.releases.glob("*")) if self.releases.is_dir() else []
        return [Layout(folder) for folder in folders if Layout(folder).manifest.is_file()]


def default_home() -> Home:
    """Return the home that `AISLE_HOME` names, else ./instance."""
    return Home(Path(os.environ.get("AISLE_HOME") or "instance"))


def layout_of(path: Path | str) -> Layout:
    """Return the release at a path: a release folder itself, or the live release of a home.

    Raises:
        ReleaseMissing: neither is there.
    """
    folder = Path(path)
    if Layout(folder).manifest.is_file():
        return Layout(folder)
    return Home(folder).live()
