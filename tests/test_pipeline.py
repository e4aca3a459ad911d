"""Catalog to release: what a build makes and refuses, determinism, and builds that are killed at every stage."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shop_fixtures import ROOT, Shop

from indexer.boilerplate import LEAST
from indexer.embeddings import text_hashes
from indexer.releases import build_lock
from search.errors import AisleError, CatalogError, TooManyRejected
from search.release import verify


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


def test_the_texts_that_explain_a_match_are_those_that_were_embedded(shop: Shop) -> None:
    sentence = "Free delivery on all orders over 40."
    shop.rows += [[f"lamp-{n}", f"Lamp {n}", f"{sentence} Shines {n}.", "", "5", "Home > Lamps"] for n in range(LEAST)]
    result = shop.build()
    matcher = shop.engine().matcher
    texts = [matcher.texts(row) for row in range(result.manifest["rows"])]
    assert np.array_equal(text_hashes(texts), np.load(result.layout.text_hashes))
    assert texts[-1].passage == f"Lamp {LEAST - 1}. Lamps. Home. Shines {LEAST - 1}"


def test_building_twice_gives_the_same_files(shop: Shop) -> None:
    first, second = shop.build().manifest["files"], shop.build().manifest["files"]
    changing = {"report.html"}  # it tells how many products were encoded
    assert {name: digest for name, digest in first.items() if name not in changing} == {
        name: digest for name, digest in second.items() if name not in changing
    }


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
