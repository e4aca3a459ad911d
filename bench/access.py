"""What keys and limits cost a request, and what limits keep in memory.

    python bench/access.py

Each figure is the least of seven rounds, so that what others do on the machine counts little.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import create_app
from search.state.keys import KeyFile, KeyRing
from search.state.rates import Rate
from web.limits import MAX_ASKERS, Meter, asker_of
from web.settings import Settings


def microseconds(work: Callable[[], object], times: int) -> float:
    """Return the least microseconds of one call, over seven rounds."""
    rounds = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(times):
            work()
        rounds.append((time.perf_counter() - began) / times * 1e6)
    return min(rounds)


def of_request(settings: Settings, headers: dict[str, str]) -> float:
    """Return the microseconds of asking for /api/v1/version under another scope, without a server or a release."""
    app = create_app(settings)
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/api/v1/clusters", "QUERY_STRING": "no=1", "SERVER_NAME": "x",
        "SERVER_PORT": "80", "HTTP_HOST": "x", "wsgi.url_scheme": "http", "REMOTE_ADDR": "203.0.113.7", **headers,
    }  # fmt: skip

    def ask() -> None:
        b"".join(app.wsgi_app(dict(environ), lambda *_: None))

    ask()
    return microseconds(ask, 300)


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
        print(f"  of it the stat of the file  {microseconds(lambda: os.stat(file.path), 5000):6.2f} us")
        wide = Rate(900_000_000, 60)
        meter = Meter(wide)
        print(f"count a request               {microseconds(lambda: meter.hit('203.0.113.7'), 20000):6.2f} us")
        print(f"whom an address stands for    {microseconds(lambda: asker_of('2001:db8::1'), 20000):6.2f} us (known)")
        bare = of_request(Settings(home=home, rate_limit=None), {})
        print(f"a request without limits      {bare:6.1f} us")
        for name, settings, headers in (
            ("limited by address", Settings(home=home, rate_limit=wide), {}),
            ("with a key, limited", Settings(home=home, rate_limit=wide), {"HTTP_X_API_KEY": key}),
            ("closed, with a key, limited", Settings(home=home, rate_limit=wide, open_scopes=()), {"HTTP_X_API_KEY": key}),
        ):  # fmt: skip
            print(f"  {name:28}{of_request(settings, headers) - bare:+6.1f} us")
    gc.collect()
    tracemalloc.start()
    full = Meter(Rate(1200, 60))
    for turn in range(2):
        for number in range(500_000):
            full.hit(f"2001:db8:{turn}:{number:x}::/64")
        full._turn = 0.0  # as if a window had passed
    print(f"a million addresses           {tracemalloc.get_traced_memory()[0] / 2**20:6.1f} MiB for 2 x {MAX_ASKERS:,}")


if __name__ == "__main__":
    main()
