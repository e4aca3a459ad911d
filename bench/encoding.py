"""How fast a catalog is encoded, and what its vectors cost on the way to a release.

    python bench/encoding.py [CATALOG] [--passages 2000] [--threads N] [--rounds 3] [--stream ROWS] [--json]

Products are drawn from the catalog by a seed. The tutorial is `SentenceTransformer.encode(passages)` in float32, as it
stands in tutorials (256 tokens at most) and with Aisle's 128; all take turns in one process, and each has the least of
its rounds. `--stream` takes a catalog of so many rows through `embed` with vectors that need no encoding: once into an
empty home, once with every hundredth text changed; each in a process of its own, whose peak memory is told.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.machine import machine
from indexer.boilerplate import boilerplate_of, without_boilerplate
from indexer.catalog import CatalogSettings, Notes, Rejection, open_catalog
from indexer.embeddings import embed, encode_products, text_hashes
from indexer.vector_files import VectorFiles
from search.arrays import Floats, unit_rows
from search.encoder import SentenceTransformerEncoder, base_encoder_folder, cpu_threads
from search.home import Home
from search.passages import Texts, texts_of

ROOT = Path(__file__).resolve().parent.parent
SEED = 0
DIM = 384
SEGMENTS = 4  # of each product in --stream
CHANGED = 100  # one text of so many is changed in the second build of --stream


def drawn(catalog: Path, count: int) -> list[Texts]:
    """Return the texts of so many products of a catalog, drawn by the seed."""
    found = [product for _, product in open_catalog(catalog, CatalogSettings()).read(Notes())]
    products = [product for product in found if not isinstance(product, Rejection)]
    texts = texts_of(without_boilerplate(products, boilerplate_of(products)))
    return [texts[row] for row in np.sort(np.random.default_rng(SEED).permutation(len(texts))[:count])]


def ways(encoder: SentenceTransformerEncoder, texts: Sequence[Texts]) -> dict[str, Callable[[], Floats]]:
    """Return name -> what encodes the passages, the first being what the others are compared with."""
    passages = [text.passage for text in texts]

    def tutorial(most_tokens: int) -> Floats:
        before, encoder.model.max_seq_length = encoder.model.max_seq_length, most_tokens
        try:
            return np.asarray(encoder.model.encode(passages), np.float32)
        finally:
            encoder.model.max_seq_length = before

    def ours(precision: str, encode: Callable[[Sequence[str]], Any]) -> Any:
        with encoder.computing_in(precision):
            return encode(passages)

    return {
        "tutorial, float32, 128 tokens": lambda: tutorial(128),
        "tutorial, float32, 256 tokens": lambda: tutorial(256),
        "passages, float32": lambda: ours("float32", encoder.encode_passages),
        "passages, bfloat16": lambda: ours("bfloat16", encoder.encode_passages),
        "and segments, bfloat16": lambda: ours("bfloat16", encoder.encode_segmented)[0],
        "and kinds, bfloat16": lambda: encode_products(texts, encoder, "bfloat16")[0],
    }


def measured_ways(catalog: Path, count: int, threads: int, rounds: int) -> list[dict[str, Any]]:
    """Return of each way its seconds, CPU seconds, passages a second, and least cosine to the first."""
    texts = drawn(catalog, count)
    encoder = SentenceTransformerEncoder(base_encoder_folder(), threads=threads)
    all_ways = ways(encoder, texts)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in all_ways}
    vectors = {}
    for _ in range(rounds):
        for name, encode in all_ways.items():
            began, cpu = time.perf_counter(), time.process_time()
            vectors[name] = encode()
            spent[name].append((time.perf_counter() - began, time.process_time() - cpu))
    first = next(iter(all_ways))
    fastest, cheapest = np.min(spent[first], axis=0)
    rows = []
    for name, taken in spent.items():
        seconds, cpu = np.min(taken, axis=0)
        is_passage = "kinds" not in name  # which are blended into the vector
        rows.append({
            "way": name, "passages": count, "threads": threads, "seconds": round(float(seconds), 2),
            "cpu_seconds": round(float(cpu), 2), "per_second": round(count / seconds, 1),
            "times": round(float(fastest / seconds), 2), "times_cpu": round(float(cheapest / cpu), 2),
            "least_cosine": round(float((vectors[name] * vectors[first]).sum(axis=1).min()), 6) if is_passage else None,
        })  # fmt: skip
    return rows


def other_batches(catalog: Path, count: int, threads: int) -> dict[str, Any]:
    """Return how much a vector depends on the texts that were encoded beside it: half the texts are left out."""
    passages = [text.passage for text in drawn(catalog, count)]
    encoder = SentenceTransformerEncoder(base_encoder_folder(), threads=threads)
    found = {}
    for precision in ("float32", "bfloat16"):
        with encoder.computing_in(precision):
            whole, again, half = (encoder.encode_passages(one) for one in (passages, passages, passages[::2]))
        found[precision] = {
            "same_batches_same_bits": bool(np.array_equal(whole, again)),
            "rows_with_the_same_bits": round(float((whole[::2] == half).all(axis=1).mean()), 3),
            "largest_difference": float(np.abs(whole[::2] - half).max()),
            "least_cosine": round(float((whole[::2] * half).sum(axis=1).min()), 7),
        }
    return found


class Given:
    """An encoder whose vectors follow from the first of the texts: what is measured is all but encoding."""

    name = fingerprint = "given"
    dim = DIM
    pools_by_mean = False

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """Return (n, d) float32 unit rows."""
        first = zlib.crc32(texts[0].encode()) if texts else 0
        return unit_rows(np.random.default_rng(first).standard_normal((len(texts), DIM), np.float32))

    def encode_segmented(self, passages: Sequence[str]) -> tuple[Floats, list[Floats]]:
        """Return the same, and SEGMENTS for each."""
        vectors = self.encode_passages(passages)
        return vectors, list(np.repeat(vectors[:, None], SEGMENTS, axis=1))


class Lines(Sequence[Texts]):
    """The texts of so many products, made when asked for, as a store would be read."""

    def __init__(self, rows: int, changed: bool):
        self.rows, self.changed = rows, changed

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(self.rows))]
        new = "new " if self.changed and row % CHANGED == 0 else ""
        return Texts("Things", f"{new}thing number {row}", 0.25)


def stream(rows: int, home: Path, changed: bool) -> dict[str, Any]:
    """Return seconds and peak memory of `embed` for so many rows, in this process."""
    texts, staging = Lines(rows, changed), home / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hashes = text_hashes(texts[row] for row in range(rows))
    hashed, began, cpu = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time())
    encoder: Any = Given()
    done = embed(texts, hashes, encoder, Home(home), VectorFiles.in_folder(staging / "new"), lambda *_: None)
    result = {
        "rows": rows, "encoded": done.encoded, "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "before_mb": round(before / 1024), "with_hashes_mb": round(hashed / 1024),
    }  # fmt: skip
    shutil.rmtree(home / "cache", ignore_errors=True)
    kept = home / "vectors" / "given-float32"  # as `keep_whole` leaves them
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(exist_ok=True)
    (staging / "new").replace(kept)
    return result


def streamed(rows: int) -> list[dict[str, Any]]:
    """Return `stream` into an empty home, and into one that holds all but every hundredth text."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as home:
        found = []
        for changed in ("", "changed"):
            command = [sys.executable, __file__, "--stream-once", str(rows), home, changed]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            found.append(json.loads(done.stdout))
        return found


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--stream-once"]:
        rows, home, changed = sys.argv[2:5]
        print(json.dumps(stream(int(rows), Path(home), bool(changed))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path, nargs="?", default=ROOT / "catalog" / "products.csv")
    parser.add_argument("--passages", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=cpu_threads())
    parser.add_argument("--rounds", type=int, default=3, help="0 measures no encoding")
    parser.add_argument("--stream", type=int, default=0, metavar="ROWS")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": machine(), "catalog": options.catalog.parent.name}
    if options.rounds:
        found["ways"] = measured_ways(options.catalog, options.passages, options.threads, options.rounds)
        found["other_batches"] = other_batches(options.catalog, min(options.passages, 256), options.threads)
    if options.stream:
        found["stream"] = streamed(options.stream)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for row in [*found.get("ways", []), *found.get("stream", [])]:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    for precision, row in found.get("other_batches", {}).items():
        print(f"{precision}  " + "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # beside others, threads that wait by spinning cost both
    main()
