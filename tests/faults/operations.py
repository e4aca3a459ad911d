"""What is interrupted: each thing that touches the home, how to see that nothing was lost, and how to go on after it.

To have another operation tried, such as one that writes beside the releases, write a class and add it to OPERATIONS:
its sites are found by running it.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from conftest import SHOP, FakeEncoder

from indexer import releases
from indexer.catalog.price_list import open_price_list
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.settings import BuildSettings
from indexer.updating import difference, reprice, settings_like, share_unchanged
from search.engine import Engine
from search.errors import AisleError, ChangesUnavailable, EventsUnavailable, NotFound
from search.home import Home, Layout
from search.release import open_release, verify
from search.releases import activate, rollback
from search.state import changes
from search.state.batches import Change
from search.state.changes import ChangeLog
from search.state.database import Event, open_for_reading
from search.state.events import EventLog
from search.state.insights import insights_of
from search.state.keys import KeyFile
from search.store import ProductStore

QUERIES = ("crimson gown", "travel mug", "steel knife under $100", "")
NOW = datetime.now().timestamp()  # events older than the days kept would go
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


class Storing(Operation):
    """Events that are stored one after the other, in a file that is there, and the removal of what is too old."""

    name = "events"
    shown = 7

    def _log(self, root: Path) -> EventLog:
        return EventLog(Home(root / "home").events, days=90, megabytes=100)

    def prepare(self, root: Path) -> None:
        (root / "home").mkdir()
        log = self._log(root)
        log.store([Event(NOW, "click", "0001", event_id="before")])
        log.close()

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        log = self._log(root)
        try:
            for number in range(4):
                log.store([Event(NOW, "click", f"000{number}", event_id=f"e{number}")])
                acknowledge(f"e{number}")
                log.store([Event(NOW - 100 * 86_400, "click", "old", event_id=f"old{number}")])
        finally:
            log.close()

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        path = Home(root / "home").events
        with closing(sqlite3.connect(path)) as connection:
            state = connection.execute("PRAGMA integrity_check").fetchall()
            keys = [key for (key,) in connection.execute("SELECT key FROM events")]
        problems = [] if state == [("ok",)] else [f"the file is damaged: {state}"]
        for one in [*self.kept, *acknowledged]:
            if keys.count(Event(0, "click", "", event_id=one).key) != 1:
                problems.append(f"event {one} was acknowledged and is there {keys.count(one)} times")
        return problems

    kept: ClassVar[list[str]] = ["before"]

    def go_on(self, root: Path) -> list[str]:
        log = self._log(root)
        again = log.store([Event(NOW, "click", "0009", event_id="e0"), Event(NOW, "click", "0009", event_id="last")])
        log.close()
        return self.problems(root, ["e0", "last"]) + ([] if again[1] else ["a new event was not stored"])


class StoringFirst(Storing):
    """The very first events of a home."""

    name = "events, the first"
    shown = 5
    kept: ClassVar[list[str]] = []

    def prepare(self, root: Path) -> None:
        (root / "home").mkdir()

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        if not acknowledged:
            return []  # no file, an empty one or one without tables: the next store makes them
        return super().problems(root, acknowledged)


class Keeping(Operation):
    """Keys that are made and revoked."""

    name = "keys"
    shown = 6

    def _file(self, root: Path) -> KeyFile:
        return KeyFile(Home(root / "home").keys)

    def prepare(self, root: Path) -> None:
        key, text = self._file(root).create("first", ["admin"])
        gone, _ = self._file(root).create("to be revoked", ["search"])
        (root / "first").write_text(json.dumps({"id": key.id, "text": text, "gone": gone.id}))

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        key, _ = self._file(root).create("second", ["search"])
        acknowledge(f"+{key.id}")
        gone = json.loads((root / "first").read_text())["gone"]
        self._file(root).revoke(gone)
        acknowledge(f"-{gone}")

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        first, keys = json.loads((root / "first").read_text()), self._file(root).keys()
        lost = [f"key {one} was made and is gone" for one in acknowledged if one[0] == "+" and one[1:] not in keys]
        back = [f"key {one} was revoked and is good" for one in acknowledged if one[0] == "-" and one[1:] in keys]
        return lost + back + ([] if first["id"] in keys else ["the first key is gone"])

    def go_on(self, root: Path) -> list[str]:
        key, _ = self._file(root).create("third", ["events"])
        with suppress(NotFound):  # was done before the fault
            self._file(root).revoke(json.loads((root / "first").read_text())["gone"])
        return self.problems(root, [f"+{key.id}"])


class Telling(Storing):
    """Reading what people searched for."""

    name = "insights"
    shown = 4

    def run(self, root: Path, acknowledge: Callable[[str], None]) -> None:
        told = insights_of(Home(root / "home").events, days=30, now=NOW + 1)
        if told.events.get("click") != 1:
            acknowledge(f"wrong: {told.events}")

    def problems(self, root: Path, acknowledged: list[str]) -> list[str]:
        return acknowledged + super().problems(root, [])

    def go_on(self, root: Path) -> list[str]:
        with closing(open_for_reading(Home(root / "home").events)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
        return [] if count == 1 else [f"{count} events"]

    def problem_of(self, error: Exception) -> str:
        if not isinstance(error, EventsUnavailable):
            return f"it ended with {error!r}"
        return super().problem_of(error)


OPERATIONS: dict[str, Operation] = {
    one.name: one
    for one in (
        Building(), BuildingCoarse(), BuildingElsewhere(), Updating(), Changing(), ChangingFirst(), ChangingShort(),
        ChangingDamaged(), Repricing(), Patching(), RollingBack(), Opening(), Storing(), StoringFirst(), Keeping(),
        Telling(),
    )
}  # fmt: skip
