"""Prices and stock that are changed between releases."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from building import Building
from operation import built, faults_of_home, live_engine_of, write_catalog

from indexer.catalog.price_list import open_price_list
from indexer.updating import reprice
from search.errors import ChangesUnavailable
from search.home import Home
from search.state import changes
from search.state.batches import Change
from search.state.changes import ChangeLog
from search.state.keys import KeyFile


class Changing(Building):
    """Prices and stock that are changed one batch after the other, on top of earlier ones."""

    name = "changes"
    shown = 8
    own = ("search/state/changes.py",)
    batches: ClassVar[list[dict[str, Change]]] = [
        {"0001": Change(30.0, None), "0002": Change(None, "out_of_stock")},
        {"0001": Change(31.0, "preorder"), "0004": Change(33.0, None)},
    ]

    def prepare(self, root: Path) -> None:
        write_catalog(root / "shop.csv", *self.before)
        built(root)
        self._before(ChangeLog(Home(root / "home").changes))
        self._expect(root, "0")
        twin = root / "twin"
        shutil.copytree(root / "home", twin / "home")
        for number, batch in enumerate(self.batches, 1):
            ChangeLog(Home(twin / "home").changes).write(batch)
            self._expect(twin, str(number))
            shutil.copy(twin / f"{number}.json", root)
        shutil.rmtree(twin)

    def _before(self, log: ChangeLog) -> None:
        """Write what is there before."""
        log.write({"gone": Change(1.0, None)})
        log.write({"0003": Change(4.0, None)})

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        log = ChangeLog(Home(root / "home").changes)
        for number, batch in enumerate(self.batches, 1):
            log.write(batch)
            acknowledge(str(number))
        log.forget(1)

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        done = len(acknowledged)
        may = [self.expected(root, str(number)) for number in (done, done + 1) if number <= len(self.batches)]
        return faults_of_home(Home(root / "home"), may) + self._damage(root)

    def _damage(self, root: Path) -> list[str]:
        return ChangeLog(Home(root / "home").changes).problems()

    def go_on(self, root: Path) -> list[str]:
        log = ChangeLog(Home(root / "home").changes)
        known = log.sequence
        later = [log.write(batch) for batch in self.batches]
        grown = [] if known < later[0] < later[1] == log.sequence else [f"after {known} came {later}"]
        may = [self.expected(root, str(len(self.batches)))]
        return grown + faults_of_home(Home(root / "home"), may) + ChangeLog(log.path).problems()


class ChangingFirst(Changing):
    """The very first changes of a home."""

    name = "changes, the first"
    shown = 2

    def _before(self, log: ChangeLog) -> None:
        pass


class ChangingShort(Changing):
    """Changes of which each rewrites the log, as one does that has grown."""

    name = "changes, rewritten"
    shown = 3

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        changes.LEAST_REWRITTEN = changes.GROWTH = 0
        super().run(root, acknowledge)


class ChangingDamaged(Changing):
    """Changes after one whose end is damaged: what can be read stays, and the file as it was is put aside."""

    name = "changes, damaged"
    shown = 4

    def _before(self, log: ChangeLog) -> None:
        super()._before(log)
        with log.path.open("ab") as file:
            file.write(b"not what you think\n")
        log.mark.write_text("3\n")

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        state = Home(root / "home").state
        aside = list(state.glob("changes.damaged-*"))
        kept = any(b"not what you think" in one.read_bytes() for one in [*aside, Home(root / "home").changes])
        return super().problems(root, acknowledged) + ([] if kept else ["the damaged line is gone"])

    def _damage(self, root: Path) -> list[str]:
        return []  # told, until somebody sends the changes again and deletes what was put aside

    def go_on(self, root: Path) -> list[str]:
        return [one for one in super().go_on(root) if "could not be read; send again" not in one]


class Repricing(Changing):
    """A list of prices and stock put on top of the live release."""

    name = "update --prices"
    shown = 3
    own = ("indexer/catalog/", "search/state/changes.py")

    def prepare(self, root: Path) -> None:
        super().prepare(root)
        lines = ["id,price,availability", "0001,31.00,preorder", "0002,,out_of_stock", "0004,33.00,"]
        (root / "prices.csv").write_text("\n".join(lines) + "\n")
        shutil.copy(root / "2.json", root / "1.json")

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        home = Home(root / "home")
        prices = open_price_list(root / "prices.csv", {}, "")
        reprice(prices, home, 0.05)
        acknowledge("1")


class Patching(Repricing):
    """The same by PATCH, as the server answers it."""

    name = "PATCH"
    shown = 3
    own = ("web/api/changes.py",)

    def prepare(self, root: Path) -> None:
        super().prepare(root)
        (root / "key").write_text(KeyFile(Home(root / "home").keys).create("shop", ["admin"])[1])

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        from app import create_app
        from web.live import FixedEngine
        from web.settings import Settings

        home = Home(root / "home")
        settings = Settings(home=home.root, rate_limit=None, events=False)
        client = create_app(settings, FixedEngine(live_engine_of(home))).test_client()
        body = [
            {"id": "0001", "price": 31, "availability": "preorder"}, {"id": "0002", "stock": 0},
            {"id": "0004", "price": 33},
        ]  # fmt: skip
        headers = {"Authorization": f"Bearer {(root / 'key').read_text()}"}
        answer = client.patch("/api/v1/products", json={"products": body}, headers=headers)
        if answer.status_code == 503:
            raise ChangesUnavailable(answer.json["detail"])  # type: ignore[index]
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        acknowledge("1")
