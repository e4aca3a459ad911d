"""Releases that are built, updated, opened, and gone back from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from conftest import FakeEncoder
from operation import (
    Operation,
    answers_of,
    built,
    engine_of,
    faults_of_home,
    leftovers_of,
    live_engine_of,
    write_catalog,
)

from indexer.pipeline import build
from indexer.progress import Progress
from indexer.updating import difference, settings_like, share_unchanged
from search.home import Home, Layout
from search.release import verify
from search.releases import activate, rollback
from search.state.batches import Change
from search.state.changes import ChangeLog
from search.store import ProductStore


class Building(Operation):
    """A build that encodes a changed catalog, publishes it and removes the oldest release."""

    name = "build"
    shown = 7
    before, after = (18.0, ""), (18.5, " New for autumn.")
    options: ClassVar[dict[str, Any]] = {}

    def prepare(self, root: Path) -> None:
        for price in (16.0, self.before[0]):
            write_catalog(root / "shop.csv", price, self.before[1])
            built(root, **self.options)
        self._expect(root, "before")
        write_catalog(root / "shop.csv", *self.after)
        twin = root / "twin"
        shutil.copytree(root / "home", twin / "home")
        shutil.copy(root / "shop.csv", twin)
        built(twin, **self.options)
        self._expect(twin, "after")
        shutil.copy(twin / "after.json", root)
        shutil.rmtree(twin)

    def _expect(self, root: Path, name: str) -> None:
        (root / f"{name}.json").write_text(json.dumps(answers_of(live_engine_of(Home(root / "home")))))

    def expected(self, root: Path, name: str) -> Any:
        """Return what is answered before or after."""
        return json.loads((root / f"{name}.json").read_text())

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        built(root, **self.options)
        acknowledge("after")

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        may = ["after"] if acknowledged else ["before", "after"]
        return faults_of_home(Home(root / "home"), [self.expected(root, name) for name in may])

    def go_on(self, root: Path) -> list[str]:
        built(root, **self.options)
        home = Home(root / "home")
        kept = [] if len(home.all_releases()) <= 3 else ["old releases are not removed"]
        return faults_of_home(home, [self.expected(root, "after")]) + leftovers_of(home) + kept


class BuildingCoarse(Building):
    """A build of shorter vectors, which keeps the whole ones beside the releases."""

    name = "build --dim"
    shown = 2
    options: ClassVar[dict[str, Any]] = {"dim": 8, "precision": "float16"}


class BuildingElsewhere(Building):
    """A build with --out, over an earlier release there."""

    name = "build --out"
    shown = 2

    def prepare(self, root: Path) -> None:
        write_catalog(root / "shop.csv", *self.before)
        self._built(root)
        (root / "before.json").write_text(json.dumps(answers_of(engine_of(Layout(root / "out" / "here")))))
        write_catalog(root / "shop.csv", *self.after)
        shutil.copytree(root / "out", root / "was")
        self._built(root)
        (root / "after.json").write_text(json.dumps(answers_of(engine_of(Layout(root / "out" / "here")))))
        shutil.rmtree(root / "out")
        (root / "was").rename(root / "out")

    def _built(self, root: Path) -> None:
        built(root, out=root / "out" / "here")

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        self._built(root)
        acknowledge("after")

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        may = ["after"] if acknowledged else ["before", "after"]
        layout = Layout(root / "out" / "here")
        right = answers_of(engine_of(layout)) in [self.expected(root, name) for name in may]
        return verify(layout) + ([] if right else ["what lies there answers something else"])

    def go_on(self, root: Path) -> list[str]:
        self._built(root)
        strange = [f"left over: {path}" for path in (root / "out").iterdir() if path.name != "here"]
        return self.problems(root, ["after"]) + strange


class Updating(Building):
    """A changed catalog published as the live release was built, over changes of prices that it knows by now."""

    name = "update"
    shown = 6
    own = ("indexer/updating.py", "search/state/changes.py")

    def prepare(self, root: Path) -> None:
        write_catalog(root / "shop.csv", 16.0)
        built(root)
        ChangeLog(Home(root / "home").changes).write({"0003": Change(4.0, "out_of_stock")})
        super().prepare(root)
        ChangeLog(Home(root / "home").changes).write({"0005": Change(5.0, None)})
        self._expect(root, "before")

    def _build(self, root: Path) -> None:
        home = Home(root / "home")
        live = home.live()
        known, store = settings_like(live, root / "shop.csv"), ProductStore(live.products)
        quiet = Progress(quiet=True)
        result = build(known, home, quiet, lambda model: FakeEncoder())  # type: ignore[arg-type,return-value]
        difference(store, ProductStore(result.layout.products))
        if live.manifest.is_file():  # else it was one too many
            share_unchanged(live, result.layout, home)

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        self._build(root)
        acknowledge("after")

    def go_on(self, root: Path) -> list[str]:
        self._build(root)
        home = Home(root / "home")
        return faults_of_home(home, [self.expected(root, "after")]) + leftovers_of(home)


class RollingBack(Building):
    """Going back to the release before, and on again."""

    name = "rollback"
    shown = 6

    def prepare(self, root: Path) -> None:
        write_catalog(root / "shop.csv", *self.before)
        built(root)
        self._expect(root, "after")
        write_catalog(root / "shop.csv", *self.after)
        built(root)
        self._expect(root, "before")

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        rollback(Home(root / "home"))
        acknowledge("after")

    def go_on(self, root: Path) -> list[str]:
        home = Home(root / "home")
        activate(home, home.all_releases()[0].name)
        return faults_of_home(home, [self.expected(root, "after")]) + leftovers_of(home)


class Opening(Building):
    """Opening the live release and answering from it."""

    name = "open"
    shown = 7

    def prepare(self, root: Path) -> None:
        write_catalog(root / "shop.csv", *self.before)
        built(root)
        self._expect(root, "before")

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        answers = answers_of(engine_of(Home(root / "home").live()))
        if answers != self.expected(root, "before"):
            acknowledge(f"wrong answers: {answers}")

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        return acknowledged + faults_of_home(Home(root / "home"), [self.expected(root, "before")])

    def go_on(self, root: Path) -> list[str]:
        return self.problems(root, [])
