"""The real server, with the fake encoder, as a process: python server_process.py HOME PORT GATE.

The encoder is there once the file GATE is; a query with the word "slow" takes a second to encode. At the end,
GATE.closed is written by what was given to `at_stop`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

# ruff: noqa: E402 - the paths come first
from conftest import FakeEncoder

from app import create_app
from search.arrays import Floats
from search.home import Home
from web.live import LiveEngine
from web.serving import logs
from web.serving.server import Server
from web.serving.stopping import at_stop
from web.settings import Settings


class GatedEncoder(FakeEncoder):
    """Is slow where it is asked to be."""

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        if any("slow" in text for text in texts):
            time.sleep(1)
        return self._encode(texts)


def main(home: Path, port: int, gate: Path) -> None:
    def open_encoder(record: object, home: Home) -> GatedEncoder:
        while not gate.exists():
            time.sleep(0.02)
        if gate.read_text() == "broken":
            raise RuntimeError("no such weights")
        return GatedEncoder()

    engine = LiveEngine(Home(home), open_encoder)
    app = create_app(Settings(home=home, threads=2, rate_limit=None), engine)
    at_stop(app, lambda: gate.with_suffix(".closed").touch())
    logs.start_logging("json")
    server = Server(app, "127.0.0.1", port)
    engine.start()
    print("listening", flush=True)
    server.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
