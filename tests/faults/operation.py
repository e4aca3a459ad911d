"""What each thing that touches the home is to tell of itself, and how to see that a home is whole."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from conftest import SHOP, FakeEncoder

from indexer import releases
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.settings import BuildSettings
from search.engine import Engine
from search.errors import AisleError
from search.home import Home, Layout
from search.release import open_release, verify
from search.state.changes import ChangeLog

QUERIES = ("crimson gown", "travel mug", "steel knife under $100", "")
CURE = re.compile(
    r"(?:; |\. )[^;]*\b(free|mount|chown|give|raise|move|see|try again|build|go back|roll ?back|send|close|put back)\b",
    re.IGNORECASE,
)
releases.prune.__defaults__ = (2,)  # so that the smallest home has one to remove


def engine_of(layout: Layout) -> Engine:
    """Open a release."""
    return Engine(open_release(layout), FakeEncoder)  # type: ignore[arg-type]


def live_engine_of(home: Home) -> Engine:
    """Open the live release with the prices and stock that changed since."""
    engine = engine_of(home.live())
    return engine.up_to_date(ChangeLog(home.changes).read(engine.release.sequence))


def answers_of(engine: Engine) -> list[Any]:
    """Return what a release answers, without what differs from one build of it to the next."""
    found = [engine.search(text) for text in QUERIES]
    hits = [[(hit.id, round(hit.score, 4), hit.product.price, hit.highlights) for hit in one.hits] for one in found]
    told = [(one.total, one.facets, one.clusters, shown) for one, shown in zip(found, hits, strict=True)]
    near = [(one.id, round(score, 4)) for one, score in engine.similar("0003")]
    return list(json.loads(json.dumps([told, near, engine.suggest("tra")], default=str)))


def write_catalog(path: Path, price: float, description: str = "") -> None:
    """Write the shop with one price of its own, and what all descriptions say besides."""
    lines = ["id,title,description,brand,price,category"]
    for one in SHOP:
        cost = price if one.id == "0001" else one.price or ""
        lines.append(
            f'{one.id},{one.title},"{one.description}{description}",{one.brand},{cost},{" > ".join(one.category)}'
        )
    path.write_text("\n".join(lines) + "\n", "utf-8")


def built(root: Path, **options: Any) -> Layout:
    """Build the catalog of a root."""
    settings = BuildSettings(root / "shop.csv", **{"train": "never", **options})
    result = build(settings, Home(root / "home"), Progress(quiet=True), lambda model: FakeEncoder())  # type: ignore[arg-type,return-value]
    return result.layout


def faults_of_home(home: Home, may_answer: list[Any]) -> list[str]:
    """Return what is wrong with a home, a sentence each: what is live must be whole and answer as one of these."""
    problems = [f"{layout.name}: {one}" for layout in home.all_releases() for one in verify(layout)]
    if (answers := answers_of(live_engine_of(home))) not in may_answer:
        problems.append(f"the live release answers something else: {answers}")
    return problems


def leftovers_of(home: Home) -> list[str]:
    """Return what should not be there once all went well."""
    folders = (home.index / "staging", home.index / "removed", home.root / "vectors.new")
    strange = [path for path in folders if path.exists()]
    strange += [path for path in home.releases.iterdir() if not Layout(path).manifest.is_file()]
    return [f"left over: {path}" for path in strange]


class Operation:
    """One thing that touches the disk.

    `root` is a folder of its own for each try; `home` lies in it.
    """

    name: ClassVar[str]
    shown: ClassVar[int] = 1000  # sites tried by the suite, spread over all of them; the rest by AISLE_FAULTS=all
    own: ClassVar[tuple[str, ...]] = ()  # files whose sites are tried before others

    def prepare(self, root: Path) -> None:
        """Make what is there before; done once, the folder is copied."""
        raise NotImplementedError

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        """Do it; `acknowledge` is told of each thing that is promised to be kept."""
        raise NotImplementedError

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        """Return what is wrong after a fault, a sentence each."""
        raise NotImplementedError

    def go_on(self, root: Path) -> list[str]:
        """Do it again without a fault and return what is wrong then."""
        raise NotImplementedError

    def problem_of(self, error: Exception) -> str:
        """Return what is wrong with the error that came of a fault, "" when it tells all there is to tell."""
        if not isinstance(error, AisleError):
            return f"it ended with {error!r}"
        return "" if CURE.search(str(error)) else f"the message names no way out: {error}"
