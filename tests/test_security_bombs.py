"""Small files that unpack to enormous ones end with a sentence, not with the machine's memory."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer.catalog import CatalogSettings, check_catalog, open_catalog
from indexer.catalog import files as module
from search.errors import CatalogError

ROOT = Path(__file__).resolve().parent.parent
MEMORY = 1 << 30  # for a whole check: interpreter, libraries and all
PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, ({memory}, {memory}))
from indexer.__main__ import main
main(["check", sys.argv[1], "--json"])
"""


def checked(path: Path) -> tuple[int, dict[str, object]]:
    """Check a catalog in a process that may not take more than MEMORY."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(memory=MEMORY), str(path)], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert "MemoryError" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def bomb(path: Path, start: bytes, block: bytes, mebibytes: int) -> Path:
    path.write_bytes(gzip.compress(start) + gzip.compress(block) * mebibytes)  # members may follow each other
    return path


@pytest.mark.parametrize(
    ("name", "start", "block"),
    [
        ("rows.csv.gz", b"id,title\n", b"1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 32768),
        ("line.csv.gz", b"id,title\n1,", b"a" * (1 << 20)),
        ("object.jsonl.gz", b'{"id": "1", "title": "', b"a" * (1 << 20)),
    ],
)
def test_a_gzip_bomb_is_told_and_not_swallowed(tmp_path: Path, name: str, start: bytes, block: bytes) -> None:
    path = bomb(tmp_path / name, start, block, 300)
    assert path.stat().st_size < 2 << 20
    code, told = checked(path)
    assert code == 2
    assert told["error"] == "CatalogError"
    assert "decompression bomb" in str(told["detail"])
    assert "gunzip" in str(told["detail"])


def test_a_gzipped_parquet_is_not_unpacked_without_end_either(tmp_path: Path) -> None:
    path = bomb(tmp_path / "c.parquet.gz", b"PAR1", b"\0" * (1 << 20), 300)
    with pytest.raises(CatalogError, match="decompression bomb"):
        open_catalog(path, CatalogSettings())


def test_a_bomb_in_a_bomb_is_a_foreign_file(tmp_path: Path) -> None:
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(gzip.compress(b"id,title\n" + b"1,a\n" * 1000)))
    with pytest.raises(CatalogError):
        open_catalog(tmp_path / "c.csv.gz", CatalogSettings())


def test_a_catalog_that_packs_well_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALWAYS_ALLOWED_BYTES", 1000)
    rows = "".join(f"{number},A plain travel mug that keeps coffee hot\n" for number in range(20_000))
    path = tmp_path / "c.csv.gz"
    path.write_bytes(gzip.compress(f"id,title\n{rows}".encode()))
    assert len(rows) / path.stat().st_size > 10  # far better than real ones
    assert check_catalog(path, CatalogSettings()).accepted == 20_000


def test_a_parquet_that_repeats_one_huge_value_stays_within_memory(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    huge = pa.DictionaryArray.from_arrays(pa.array([0] * 300, pa.int32()), pa.array(["a" * 20_000_000]))
    table = pa.table({"id": [str(number) for number in range(300)], "title": ["x"] * 300, "text": huge})
    pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=1 << 30)
    assert path.stat().st_size < 1 << 20
    code, told = checked(path)
    assert (code, told["rejected"], told["accepted"]) == (1, 300, 0)  # each text is longer than any cell may be


def test_a_parquet_with_more_rows_than_any_catalog_of_its_size_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALWAYS_ALLOWED_BYTES", 1000)
    path = tmp_path / "c.parquet"
    repeated = pa.table({"id": ["1"] * 2_000_000, "title": ["x"] * 2_000_000})
    pq.write_table(repeated, path, data_page_size=1 << 30, max_rows_per_page=1 << 30)
    assert path.stat().st_size < 5000
    with pytest.raises(CatalogError, match="decompression bomb"):
        open_catalog(path, CatalogSettings())


def test_the_limit_of_these_tests_is_one_that_linux_keeps() -> None:
    program = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, ({MEMORY},) * 2); bytearray({2 * MEMORY})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stderr
    assert resource.RLIMIT_DATA
