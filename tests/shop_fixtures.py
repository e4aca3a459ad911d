"""A shop's catalog and its home, built with the fake encoder, for tests of builds."""

from __future__ import annotations

import csv
from pathlib import Path

from conftest import SHOP, FakeEncoder

from indexer.pipeline import build
from indexer.progress import Progress
from indexer.publishing import BuildResult
from indexer.settings import BuildSettings
from search import Engine
from search.home import Home
from search.release import open_release

ROOT = Path(__file__).parent.parent


class Shop:
    """A catalog file and a home, built with the fake encoder."""

    def __init__(self, folder: Path):
        self.home = Home(folder / "home")
        self.catalog = folder / "shop.csv"
        self.encoder = FakeEncoder()
        self.rows = [[p.id, p.title, p.description, p.brand, str(p.price or ""), " > ".join(p.category)] for p in SHOP]

    def write(self) -> None:
        with self.catalog.open("w", newline="") as file:
            csv.writer(file).writerows([["id", "title", "description", "brand", "price", "category"], *self.rows])

    def build(self, **options: object) -> BuildResult:
        self.write()
        self.encoder.encoded.clear()
        settings = BuildSettings(self.catalog, **{"train": "never", **options})  # type: ignore[arg-type]
        return build(settings, self.home, Progress(quiet=True), lambda model: self.encoder)  # type: ignore[arg-type,return-value]

    def engine(self) -> Engine:
        return Engine(open_release(self.home.live()), lambda: self.encoder)


def built_twice(shop: Shop) -> Shop:
    """Two releases: in the first the mug costs 20, in the second, which is live, 18."""
    shop.build()
    shop.rows[0][4] = "18.00"
    shop.build()
    return shop
