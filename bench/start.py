"""From the start of a server to its answers: python bench/start.py HOME [HOME ...] [--repeats N] [--json FILE]

Seconds from the start of `python app.py` until /healthz answers, until the first answer by words, and until the first
hybrid answer that is not degraded; medians of the repeats. The first start of each home, which reads its files from the
disk, is not counted.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.served import READY_SECONDS, starting

PAUSE = 0.005  # seconds between two tries
STEPS = {
    "alive": "/healthz",
    "answer by words": "/api/v1/search?q=blue+mug&mode=lexical",
    "hybrid answer": "/api/v1/search?q=something+to+keep+coffee+hot&mode=hybrid",
}


def seconds_to_answers(home: Path) -> dict[str, float]:
    """Return step -> seconds from the start of the process until it was answered."""
    started, found = time.perf_counter(), {}
    with starting(home) as (address, server):
        for step, path in STEPS.items():
            while not _is_answered(address, path):
                if server.poll() is not None or time.perf_counter() - started > READY_SECONDS:
                    raise SystemExit(f"the server of {home} gave no {step}; try: AISLE_HOME={home} python app.py")
                time.sleep(PAUSE)
            found[step] = time.perf_counter() - started
    return found


def _is_answered(address: str, path: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=READY_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status == 200 and (not path.startswith("/api") or json.loads(body)["degraded"] is None)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def seconds_to_open(home: Path) -> dict[str, Any]:
    """Return rows, and the seconds that opening the live release takes by itself, imports left out."""
    code = (
        "import sys, time; from pathlib import Path; from search.home import Home; from search.release import "
        "open_release; import faiss; layout = Home(Path(sys.argv[1])).live(); started = time.perf_counter(); "
        "release = open_release(layout); print(release.rows, time.perf_counter() - started)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(home)], check=True, stdout=subprocess.PIPE, text=True)
    rows, spent = done.stdout.split()
    return {"rows": int(rows), "opening": float(spent)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("homes", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"| products | opening | {' | '.join(STEPS)} |\n|---:|---:|{'---:|' * len(STEPS)}")
    found = []
    for home in options.homes:
        seconds_to_answers(home)
        starts = [seconds_to_answers(home) for _ in range(options.repeats)]
        opened = [seconds_to_open(home) for _ in range(options.repeats)]
        medians = {step: statistics.median(start[step] for start in starts) for step in STEPS}
        opening = statistics.median(one["opening"] for one in opened)
        found.append({"home": home.name, "rows": opened[0]["rows"], "opening": opening, **medians})
        times = " | ".join(f"{medians[step]:.2f} s" for step in STEPS)
        print(f"| {opened[0]['rows']:,} | {opening:.3f} s | {times} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
