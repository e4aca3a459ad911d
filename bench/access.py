"""What keys and limits cost a request, and what limits keep in memory.

    python bench/access.py

Each figure is CPU time, the least of several rounds, so that what others do on the machine counts little.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import create_app
from search.state.keys import KeyFile, KeyRing
from search.state.rates import Rate
from web.api.openapi import operation
from web.serving.limits import MAX_ASKERS, Meter, asker_of
from web.settings import Settings


def microseconds(work: Callable[[], object], times: int, rounds: int = 7) -> float:
    """Return the least microseconds of one call, over some rounds."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - began) / times * 1e6)
    return min(found)


def asking(settings: Settings, headers: dict[str, str]) -> Callable[[], object]:
    """Return what asks an app one thing, without a server, a release, or work behind it."""
    app = create_app(settings)
    app.view_functions["api.clusters"] = _nothing
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/api/v1/clusters", "QUERY_STRING": "", "SERVER_NAME": "x",
        "SERVER_PORT": "80", "HTTP_HOST": "x", "wsgi.url_scheme": "http", "REMOTE_ADDR": "203.0.113.7", **headers,
    }  # fmt: skip
    return lambda: b"".join(app.wsgi_app(dict(environ), lambda *_: None))


@operation("nothing", "Nothing", "search")
def _nothing() -> str:
    return "nothing"


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        file = KeyFile(home / "state" / "keys.json")
        key = file.create("bench", ["search"])[1]
        for number in range(99):
            file.create(f"other {number}", ["search"])
        ring = KeyRing(file)
        ring.find(key)
        print(f"look up a key among 100       {microseconds(lambda: ring.find(key), 5000):6.2f} us")
        print(f"  of it the stat of the file  {microseconds(lambda: file.path.stat(), 5000):6.2f} us")
        wide = Rate(900_000_000, 60)
        meter = Meter(wide)
        print(f"count a request               {microseconds(lambda: meter.hit('203.0.113.7'), 20000):6.2f} us")
        print(f"whom an address stands for    {microseconds(lambda: asker_of('2001:db8::1'), 20000):6.2f} us (known)")
        by_key = {"HTTP_X_API_KEY": key}
        kinds = {
            "no limits, no key": asking(Settings(home=home, rate_limit=None), {}),
            "limited by address": asking(Settings(home=home, rate_limit=wide), {}),
            "limited, with a key": asking(Settings(home=home, rate_limit=wide), by_key),
            "closed, with a key": asking(Settings(home=home, rate_limit=wide, open_scopes=()), by_key),
        }
        rounds: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(20):  # by turns: what slows one slows all
            for name, ask in kinds.items():
                rounds[name].append(microseconds(ask, 50, rounds=1))
        bare = min(rounds["no limits, no key"])
        for name, found in rounds.items():
            print(f"a request, {name:19}{min(found):6.1f} us ({min(found) - bare:+.1f})")
    full, before = Meter(Rate(1200, 60)), shared_memory()
    for number in range(1_000_000):
        full.hit(f"2001:db8:0:{number:x}::/64")
    print(f"a million addresses           {shared_memory() - before:6.1f} MiB for {MAX_ASKERS:,}")


def shared_memory() -> float:
    """Return the MiB that this process holds of memory that forks share."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssShmem:")) / 1024


if __name__ == "__main__":
    main()
