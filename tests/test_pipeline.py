"""Catalog to release: reuse, refusals, determinism, and builds that are killed at every stage."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOP, FakeEncoder
from markupsafe import escape

from indexer import pipeline
from indexer.boilerplate import LEAST
from indexer.calibration import foreign_queries
from indexer.embeddings import text_hashes
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.publishing import BuildResult
from indexer.releases import build_lock
from indexer.settings import BuildSettings
from search import Engine
from search.analysis import Analyzer
from search.errors import (
    AisleError,
    BuildRefused,
    CatalogError,
    ReleaseMissing,
    ReleaseRefused,
    TooManyRejected,
)
from search.home import Home, Layout
from search.postings import CountedFields
from search.release import open_release, verify
from search.releases import rollback

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


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_csv_becomes_a_live_release_that_answers(shop: Shop) -> None:
    result = shop.build()
    assert result.is_live
    assert shop.engine().search("crimson gown").hits[0].id == "0004"
    assert verify(result.layout) == []
    assert result.manifest["encoded"] == 7  # the two mugs share one text


def test_a_build_writes_what_its_embedding_knows(shop: Shop) -> None:
    shop.rows += [["0009", "Leather Boot", "Another one.", "Hob", "140.0", "Clothing > Boots"]]
    result = shop.build()
    page = result.layout.report.read_text("utf-8")
    assert "2 products seem to be 1 that is listed more than once" in page
    assert "writing the report" in result.manifest["seconds"]


def test_an_unchanged_rebuild_encodes_nothing_and_one_changed_row_encodes_one(shop: Shop) -> None:
    shop.build()
    assert shop.build().manifest["encoded"] == 0
    assert shop.encoder.encoded == []  # nor is anything asked again that was found out of the same products
    shop.rows[3][2] = "For evenings and weddings."
    result = shop.build()
    assert result.manifest["encoded"] == 1
    assert shop.encoder.encoded[:-len(foreign_queries())] == [
        "Red Gown. Velour. Dresses. Clothing. For evenings and weddings", "Dresses. Clothing",
    ]  # fmt: skip


def test_the_texts_that_explain_a_match_are_those_that_were_embedded(shop: Shop) -> None:
    sentence = "Free delivery on all orders over 40."
    shop.rows += [[f"lamp-{n}", f"Lamp {n}", f"{sentence} Shines {n}.", "", "5", "Home > Lamps"] for n in range(LEAST)]
    result = shop.build()
    matcher = shop.engine().matcher
    texts = [matcher.texts(row) for row in range(result.manifest["rows"])]
    assert np.array_equal(text_hashes(texts), np.load(result.layout.text_hashes))
    assert texts[-1].passage == f"Lamp {LEAST - 1}. Lamps. Home. Shines {LEAST - 1}"


def test_a_price_change_encodes_nothing(shop: Shop) -> None:
    shop.build()
    shop.rows[0][4] = "18.00"
    assert shop.build().manifest["encoded"] == 0
    assert shop.engine().product("0001").price == 18.0


def test_building_twice_gives_the_same_files(shop: Shop) -> None:
    first, second = shop.build().manifest["files"], shop.build().manifest["files"]
    changing = {"report.html"}  # it tells how many products were encoded
    assert {name: digest for name, digest in first.items() if name not in changing} == {
        name: digest for name, digest in second.items() if name not in changing
    }


def test_groups_and_places_on_the_map_outlive_a_rebuild_with_one_product_in_twenty_changed(shop: Shop) -> None:
    kinds = ("mug", "gown", "lamp", "boot")
    shop.rows = [[f"p{n}", f"{kinds[n % 4]} {n // 4}", "", "", "5", ""] for n in range(100)]
    shop.build()
    before = shop.engine().release
    where = {one.id: (before.clusters.cluster_of[row], *before.clusters.positions[row])
             for row, one in enumerate(before.products)}  # fmt: skip
    shop.rows = (
        [[f"new{n}", f"{kinds[n % 4]} new {n}", "", "", "5", ""] for n in range(5)]
        + shop.rows[:94:-1]
        + shop.rows[5:95]
    )
    shop.build()
    after = shop.engine().release
    for row, one in enumerate(after.products):
        here = (after.clusters.cluster_of[row], *after.clusters.positions[row])
        assert one.id.startswith("new") or here == where[one.id]
    assert np.isfinite(after.clusters.positions).all() and np.abs(after.clusters.positions).max() <= 1
    labels = {cluster.id: cluster.label for cluster in before.clusters.clusters.values()}
    assert {cluster.id for cluster in after.clusters.clusters.values()} <= labels.keys()


def test_what_takes_long_is_kept_while_next_to_nothing_changed(shop: Shop) -> None:
    kinds = ["Red mug", "Blue gown", "Oak desk", "Felt boot"]
    shop.rows = [[f"{n:04}", f"{kinds[n % 4]} number {n}", "", "", "9", kinds[n % 4]] for n in range(200)]
    first = shop.build()
    assert first.manifest["kept"] is None
    shop.rows[7][1] = "Felt boot of another kind"
    second = shop.build()
    assert second.manifest["kept"] == {"since": first.manifest["release"], "changed": 1}
    assert second.manifest["confidence"] == first.manifest["confidence"]
    page = second.layout.report.read_text()
    assert page.count(f"Found out for release {first.manifest['release']}") == 7  # each section of the catalog
    drawn = re.compile('<section id="loners">.*?</section>', re.DOTALL)
    told, before = (drawn.search(text)[0].split("\n") for text in (page, first.layout.report.read_text()))  # type: ignore[index]
    told = [line for line in told if "Found out for" not in line]
    assert [line.strip() for line in told if line.strip()] == [line.strip() for line in before if line.strip()]
    shop.rows[8][1], shop.rows[9][1], shop.rows[10][1] = "Red boot", "Blue boot", "Oak boot"
    third = shop.build()  # four of two hundred in two builds: the limit
    assert third.manifest["kept"] == {"since": first.manifest["release"], "changed": 4}
    shop.rows.pop()
    assert shop.build().manifest["kept"] is None


def test_a_rebuild_counts_the_words_of_what_changed_and_writes_what_a_full_build_does(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def word_files(layout: Layout) -> dict[str, bytes]:
        paths = [*layout.lexical.iterdir(), *layout.understanding.iterdir()]
        return {path.name: path.read_bytes() for path in paths}

    counted: list[int] = []
    of = CountedFields.of

    def noted(fields: Iterable[tuple[str, str]], analyzer: Analyzer) -> CountedFields:
        pairs = list(fields)
        counted.append(len(pairs))
        return of(pairs, analyzer)

    monkeypatch.setattr(CountedFields, "of", noted)
    shop.build()
    shop.rows[1][1] = "Wi-Fi lamp, 12 oz"
    shop.rows.append(["new", "Another lamp", "", "", "9", ""])
    rebuilt = shop.build()
    assert counted == [len(SHOP), 2]
    other = Shop(tmp_path / "other")
    other.rows = shop.rows
    other.catalog.parent.mkdir()
    assert word_files(rebuilt.layout) == word_files(other.build().layout)
    (rebuilt.layout.lexical / "counts.npy").chmod(0o644)
    (rebuilt.layout.lexical / "counts.npy").write_bytes(b"damaged")
    shop.build()
    assert counted[-1] == len(shop.rows)


def test_a_damaged_file_is_not_kept(shop: Shop) -> None:
    shop.rows = [[f"{n:04}", f"Red mug number {n}", "", "", "9", "Mugs"] for n in range(100)]
    layout = shop.build().layout
    (layout.confidence / "calibration.json").write_text("{}")
    assert shop.build().manifest["kept"] is None


def test_rows_in_another_order_keep_every_product_with_its_own_vector(shop: Shop) -> None:
    shop.build()
    before = {p.id: shop.engine().release.dense.embeddings[row].copy() for row, p in enumerate(SHOP)}
    shop.rows.reverse()
    shop.build()
    release = shop.engine().release
    for product_id, vector in before.items():
        assert np.allclose(release.dense.embeddings[release.products.row_of(product_id)], vector)


def test_bad_rows_are_listed_and_do_not_stop_the_build(shop: Shop) -> None:
    shop.rows.append(["0009", "", "No title.", "", "1.00", ""])
    result = shop.build(max_rejected=0.2)
    assert (result.manifest["catalog"]["accepted"], result.manifest["catalog"]["rejected"]) == (8, 1)
    with result.layout.rejected.open() as file:
        rejected = list(csv.DictReader(file))
    assert [(row["line"], row["column"]) for row in rejected] == [("10", "title")]


def test_too_many_bad_rows_refuse_the_build_and_keep_the_list(shop: Shop) -> None:
    shop.build()
    live = shop.home.live()
    shop.rows += [["", "No id", "", "", "", ""]] * 3
    with pytest.raises(TooManyRejected, match=r"3 of 11 rows.*rejected\.csv"):
        shop.build()
    assert shop.home.live() == live
    assert (shop.home.index / "rejected.csv").is_file()


def test_a_catalog_with_no_usable_row_is_an_error(shop: Shop) -> None:
    shop.rows = [["", "x", "", "", "", ""]]
    with pytest.raises(CatalogError):
        shop.build(max_rejected=1.0)


def test_a_catalog_that_shrank_by_more_than_half_does_not_go_live(shop: Shop) -> None:
    live = shop.build().layout
    shop.rows = shop.rows[:3]
    with pytest.raises(BuildRefused, match="shrank from 8 to 3"):
        shop.build()
    assert shop.home.live() == live
    assert len(shop.home.all_releases()) == 2
    assert shop.build(force=True).is_live


def test_a_release_of_another_format_is_built_over_and_its_vectors_are_used(shop: Shop) -> None:
    live = shop.build().layout
    manifest = json.loads(live.manifest.read_text())
    live.manifest.write_text(json.dumps({**manifest, "format": 1}))
    result = shop.build()
    assert result.is_live and result.manifest["encoded"] == 0
    assert open_release(result.layout).rows == 8
    with pytest.raises(ReleaseRefused, match="format 1"):
        rollback(shop.home)
    assert shop.home.live() == result.layout


def test_a_decision_outlives_the_format_of_its_release(shop: Shop) -> None:
    live = shop.build().layout
    decided = {"adopted": False, "decided": True, "base": shop.encoder.fingerprint, "reason": "no gain"}
    manifest = json.loads(live.manifest.read_text())
    live.manifest.write_text(json.dumps({**manifest, "format": 1, "training": decided}))
    np.save(live.decided_on, np.load(live.text_hashes))
    assert shop.build(train="auto").manifest["training"] == {**decided, "kept": True}


def test_a_damaged_release_stops_no_build(shop: Shop) -> None:
    live = shop.build().layout
    live.manifest.write_text('{"format": 3')
    result = shop.build()
    assert result.is_live and result.manifest["encoded"] == 7


def test_judgments_are_measured_and_a_worse_release_does_not_go_live(shop: Shop, tmp_path: Path, monkeypatch) -> None:
    queries, judgments = tmp_path / "q.csv", tmp_path / "j.csv"
    queries.write_text("query_id,query\n" + "".join(f"q{n},{p.title}\n" for n, p in enumerate(SHOP)))
    judgments.write_text("query_id,product_id,grade\n" + "".join(f"q{n},{p.id},3\n" for n, p in enumerate(SHOP)))
    monkeypatch.setattr(
        Engine, "open", lambda folder, home: Engine(open_release(pipeline.Layout(folder)), lambda: shop.encoder)
    )
    live = shop.build(queries_path=queries, judgments_path=judgments)
    assert live.manifest["metrics"]["metrics"]["nDCG@10"]["mean"] > 0.8
    page = live.layout.query_report.read_text("utf-8")
    assert page.count("<tr><td>") == len(SHOP) and all(str(escape(product.title)) in page for product in SHOP)
    for row in shop.rows:
        row[1], row[2], row[5] = "Untitled", "", ""  # every title is lost: nothing can be told from anything
    with pytest.raises(BuildRefused, match=r"nDCG@10 on the judged queries fell"):
        shop.build(queries_path=queries, judgments_path=judgments)
    assert shop.home.live() == live.layout


def test_judgments_without_their_queries_are_an_error(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(AisleError, match="belong together"):
        shop.build(judgments_path=tmp_path / "j.csv")


def test_no_publish_leaves_the_live_release(shop: Shop) -> None:
    live = shop.build().layout
    assert not shop.build(publish=False).is_live
    assert shop.home.live() == live


def test_out_writes_a_whole_release_elsewhere_and_replaces_only_releases(shop: Shop, tmp_path: Path) -> None:
    shop.build(out=tmp_path / "elsewhere")
    shop.build(out=tmp_path / "elsewhere")
    assert open_release(pipeline.Layout(tmp_path / "elsewhere")).rows == 8
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(AisleError, match="not a release"):
        shop.build(out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_rollback_goes_one_back_or_to_a_name(shop: Shop) -> None:
    first = shop.build().layout.name
    shop.rows[0][4] = "1.00"
    second = shop.build().layout.name
    assert rollback(shop.home) == first
    assert shop.engine().product("0001").price == 20.0
    with pytest.raises(ReleaseMissing, match="oldest"):
        rollback(shop.home)
    assert rollback(shop.home, second) == second


def test_only_the_newest_releases_are_kept_but_never_the_live_one_removed(shop: Shop) -> None:
    for number in range(7):
        shop.rows[0][4] = f"{number + 1}.00"
        shop.build()
    names = [layout.name for layout in shop.home.all_releases()]
    assert len(names) <= 5
    assert shop.home.live().name in names


def test_two_builds_at_once_are_refused(shop: Shop) -> None:
    with build_lock(shop.home), pytest.raises(AisleError, match="another build"):
        shop.build()


KILLED_BUILD = """
import os, signal, sys
sys.path[:0] = [{root!r}, {tests!r}]
from pathlib import Path
from conftest import FakeEncoder
from indexer import embeddings
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.settings import BuildSettings
from search.home import Home

embeddings.CHUNK = 3

class Killer(Progress):
    def stage(self, name):
        if name == {stage!r}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().stage(name)

    def step(self, what, done, total):
        if {stage!r} == "half the encoding" and what == "encoding products" and done >= 4:
            os.kill(os.getpid(), signal.SIGKILL)

if {stage!r} in ("place", "switch", "seal"):
    from indexer import pipeline, publishing
    setattr(pipeline if {stage!r} == "seal" else publishing, {stage!r}, lambda *a: os.kill(os.getpid(), signal.SIGKILL))
settings = BuildSettings(Path({catalog!r}), train="never")
build(settings, Home(Path({home!r})), Killer(quiet=True), lambda model: FakeEncoder())
"""

STAGES = (
    "reading the catalog", "choosing the encoder", "embedding", "half the encoding", "indexing words and facets",
    "clustering", "laying out the map", "seal", "place", "switch",
)  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_a_build_killed_at_any_stage_leaves_the_live_release_and_the_next_one_resumes(shop: Shop, stage: str) -> None:
    shop.build()
    live = shop.home.live()
    for row in shop.rows:
        row[2] += " New for autumn."
    shop.write()
    script = KILLED_BUILD.format(
        root=str(ROOT), tests=str(ROOT / "tests"), stage=stage, catalog=str(shop.catalog), home=str(shop.home.root)
    )
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert shop.home.live() == live
    assert verify(live) == []
    assert shop.engine().search("crimson gown").hits[0].id == "0004"

    result = shop.build()
    assert result.is_live
    encoded_before = {"half the encoding": 6} | dict.fromkeys(STAGES[4:], 7)
    assert result.manifest["encoded"] == 7 - encoded_before.get(stage, 0)
    assert not (shop.home.index / "staging").exists()


def test_the_manifest_says_everything_that_was_decided(shop: Shop) -> None:
    manifest = json.loads(shop.build().layout.manifest.read_text())
    assert {"format", "release", "created_at", "rows", "dim", "catalog", "encoder", "training", "settings", "versions",
            "files", "seconds", "metrics", "warnings", "language"} <= manifest.keys()  # fmt: skip
    assert manifest["settings"]["ranking"]["pool"] == 1000
    assert str(shop.home.root) not in json.dumps(manifest)
