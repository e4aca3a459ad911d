"""What a build costs, stage by stage: python bench/build.py 20000 50000 [--stand-in] [--homes FOLDER] [--json FILE]

For each number of rows a synthetic catalog (bench/synthetic.py) is built, untrained, then again with 1 % of the
products changed. Each build is a process of its own; the peak is that of its resident memory, mapped files included,
read again at the end of every stage. With --stand-in vectors cost next to nothing, for catalogs that would take hours;
what encoding and proving the encoder cost is then left out of both builds, and so the share tells too much or too
little.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.synthetic import StandInEncoder, Synthetic
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.settings import BuildSettings
from search.encoder import open_encoder
from search.home import Home

CHANGED_EVERY = 100
APART = ("choosing the encoder", "embedding", "laying out the map")  # measured elsewhere, or with a bar of their own


class Measured(Progress):
    """Progress that also knows the peak of resident memory of each stage.

    Attributes:
        peaks: stage -> MiB.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peaks: dict[str, int] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and note its peak."""
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        with super().stage(name):
            yield
        self.peaks[name] = resident("VmHWM")


def resident(field: str) -> int:
    """Return a line of /proc/self/status in MiB: VmRSS or VmHWM."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) // 1024


def measured_build(rows: int, path: Path, home: Path, is_stand_in: bool) -> dict[str, Any]:
    """Build a synthetic catalog file into a home; return seconds and peaks."""
    stand_in: Any = StandInEncoder(Synthetic(rows)) if is_stand_in else None
    progress, started = Measured(), time.perf_counter()
    settings = BuildSettings(catalog_path=path, train="never")
    result = build(settings, Home(home), progress, (lambda _: stand_in) if is_stand_in else open_encoder)
    took, cpu = time.perf_counter() - started, time.process_time()
    seconds = progress.seconds
    return {
        "rows": rows, "took": round(took, 1), "cpu": round(cpu, 1), "encoded": result.manifest["encoded"],
        "besides": round(sum(spent for name, spent in seconds.items() if name not in APART), 1),
        "seconds": seconds, "peaks": progress.peaks, "peak": max(progress.peaks.values()),
        "release_mib": sum(one.stat().st_size for one in result.layout.folder.rglob("*") if one.is_file()) >> 20,
    }  # fmt: skip


def with_changes(path: Path) -> Path:
    """Write a catalog file again, of the same name, one product in a hundred with another title; return where."""
    changed = path.parent / "changed" / path.name
    changed.parent.mkdir(exist_ok=True)
    with path.open(encoding="utf-8", newline="") as source, changed.open("w", encoding="utf-8", newline="") as target:
        reader = csv.DictReader(source)
        writer = csv.DictWriter(target, reader.fieldnames or [])
        writer.writeheader()
        for number, row in enumerate(reader):
            writer.writerow({**row, "title": f"{row['title']} revised"} if number % CHANGED_EVERY == 50 else row)
    return changed


def in_own_process(rows: int, path: Path, home: Path, is_stand_in: bool) -> dict[str, Any]:
    """Return `measured_build`, made by a fresh interpreter."""
    command = [sys.executable, __file__, str(rows), "--homes", str(home), "--one", str(path)]
    command += ["--stand-in"] if is_stand_in else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(full: dict[str, Any], changed: dict[str, Any]) -> str:
    """Return one size's two builds as a Markdown table."""
    lines = [
        f"\n### {full['rows']:,} products", "",
        "| stage | s | peak MiB | s, 1 % changed | peak MiB |", "|---|---:|---:|---:|---:|",
        *(f"| {name} | {spent:.1f} | {full['peaks'][name]:,} | {changed['seconds'].get(name, 0):.1f} | "
          f"{changed['peaks'].get(name, 0):,} |" for name, spent in full["seconds"].items()),
        f"| all | {full['took']:.1f} | {full['peak']:,} | {changed['took']:.1f} | {changed['peak']:,} |",
        "", f"Besides choosing, encoding and the map: {full['besides']:.1f} s, {full['cpu']:.0f} s of CPU time in all. "
        f"1 % changed took {changed['took'] / full['took']:.1%} of the full build, {changed['encoded']:,} products "
        f"encoded. The release has {full['release_mib']:,} MiB.",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int, nargs="+")
    parser.add_argument("--homes", type=Path, help="folder for the catalogs and homes; else one that is removed")
    parser.add_argument("--stand-in", action="store_true", help="an encoder that costs next to nothing")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured_build(options.rows[0], options.one, options.homes, options.stand_in)))
        return
    found = []
    with contextlib.ExitStack() as stack:
        homes = options.homes or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for rows in options.rows:
            path = homes / f"synthetic-{rows}.csv"
            if not path.is_file():
                homes.mkdir(parents=True, exist_ok=True)
                Synthetic(rows).write(path)
            home = homes / f"build-{rows}"
            full = in_own_process(rows, path, home, options.stand_in)
            changed = in_own_process(rows, with_changes(path), home, options.stand_in)
            found.append({"full": full, "changed": changed})
            print(table(full, changed), flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
