"""Every figure of speed, memory and recall, written to bench/RESULTS.md: python bench/results.py [--rows N ...]

Homes of synthetic catalogs are built where they are missing (a million rows: about an hour). Each section is a bench of
its own, run as its command says; `--only NAME` renews one and leaves the others as they stand.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.machine import machine

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "RESULTS.md"
HOMES = Path("instance/bench")  # as it stands in the commands
HEAD = "# Results\n\nWhat `make bench` measured, a section for each command; ratios are of one run.\n"
ABOUT = {
    "query": "An answer over HTTP (hybrid, 24 hits, facets, clusters) beside its floor: one encoding in ONNX Runtime "
             "and one flat scan on one thread, bare, in the same run.",
    "peers": "The same catalog, model, vectors and machine; each peer as its documentation shows it.",
    "start": "Seconds from the start of the process.",
    "memory": "Resident memory, mapped files that were touched included.",
    "recall": "What the dense index finds of the exact nearest, with and without filters, and what it costs.",
    "build": "A whole build, then one with 1 % of the products changed.",
    "encoding": "Passages encoded, beside `SentenceTransformer.encode` as tutorials call it.",
    "changes": "Prices and stock between releases.",
}  # fmt: skip


def commands(rows: list[int]) -> dict[str, list[str]]:
    """Return name -> arguments of each bench, for these sizes of catalogs."""
    homes = [str(HOMES / f"synthetic-{count}") for count in rows]
    sizes = [str(count) for count in rows]
    return {
        "query": ["bench/query.py", *homes],
        "peers": ["bench/peers.py", homes[-1] if rows[-1] <= 50_000 else str(HOMES / "synthetic-50000")],
        "start": ["bench/start.py", *homes],
        "memory": ["bench/memory.py", *homes],
        "recall": ["bench/recall.py", *(part for size in sizes for part in ("--rows", size))],
        "build": ["bench/build.py", *(size for size in sizes if int(size) <= 50_000)],
        "encoding": ["bench/encoding.py", "catalog/products.csv", "--passages", "500", "--rounds", "1"],
        "changes": ["bench/changes.py", homes[-1]],
    }


def section(name: str, arguments: list[str]) -> str:
    """Run a bench and return its section of the file."""
    print(f"{name} ...", file=sys.stderr)
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with code {done.returncode}; bench/RESULTS.md is as it was")
    told = done.stdout.strip()
    body = told if "\n|" in f"\n{told}" else f"```text\n{told}\n```"
    took = f"{machine()}; {time.perf_counter() - started:.0f} s"
    return f"## {name}\n\n{ABOUT[name]}\n`python {' '.join(arguments)}` ({took})\n\n{body}\n"


def earlier() -> dict[str, str]:
    """Return name -> section of the file as it stands."""
    parts = re.split(r"^(?=## )", RESULTS.read_text("utf-8") if RESULTS.is_file() else "", flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0].removeprefix("## "): part.strip() + "\n" for part in parts}


@click.command(help=(__doc__ or "").split("\n")[0])
@click.option("--rows", multiple=True, type=int, default=(50_000,), show_default=True, help="of the synthetic catalogs")
@click.option("--only", multiple=True, type=click.Choice(list(ABOUT)), help="sections to renew; else all")
def main(rows: tuple[int, ...], only: tuple[str, ...]) -> None:
    """Build what is missing, measure, write."""
    for count in rows:
        home = HOMES / f"synthetic-{count}"
        subprocess.run([sys.executable, "bench/synthetic.py", str(count), str(home)], cwd=ROOT, check=True)
    sections = earlier()
    for name, arguments in commands(sorted(rows)).items():
        if not only or name in only:
            sections[name] = section(name, arguments)
            ordered = [sections[one] for one in ABOUT if one in sections]
            RESULTS.write_text("\n".join([HEAD, *ordered]), "utf-8")


if __name__ == "__main__":
    main()
