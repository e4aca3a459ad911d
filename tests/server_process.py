"""The real server, with the fake encoder, as a process: python server_process.py HOME PORT GATE [PROCESSES [RATE]].

The encoder is there once the file GATE is; a query with the word "slow" takes a second to encode. At the end,
GATE.closed is written by what was given to `at_stop`. Without RATE nobody is limited.
"""

from __future__ import annotations

import os
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
from search.state.rates import rate_of
from web.live import LiveEngine
from web.serving import logs
from web.serving import processes as processes_of
from web.serving.processes import Supervisor, listening
from web.serving.server import Server
from web.serving.stopping import at_stop
from web.serving.workers import Workers
from web.settings import Settings


class GatedEncoder(FakeEncoder):
    """Is slow where it is asked to be."""

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        if any("slow" in text for text in texts):
            time.sleep(1)
        return self._encode(texts)


def main(home: Path, port: int, gate: Path, processes: int = 1, rate: str = "") -> int:
    def open_encoder(record: object, home: Home) -> GatedEncoder:
        while not gate.exists():
            time.sleep(0.02)
        if gate.read_text() == "broken":
            raise RuntimeError("no such weights")
        return GatedEncoder()

    engine = LiveEngine(Home(home), open_encoder)
    processes_of.HUNG_SECONDS = float(os.environ.get("HUNG_SECONDS", processes_of.HUNG_SECONDS))
    workers = Workers(processes)
    app = create_app(Settings(home=home, threads=2, rate_limit=rate_of(rate) if rate else None), engine, workers)
    at_stop(app, lambda: gate.with_suffix(".closed").touch())
    logs.start_logging("json")
    sockets = listening("127.0.0.1", port)
    print("listening", flush=True)
    if processes > 1 and (code := Supervisor(workers, sockets).run()) is not None:
        return code
    server = Server(app, sockets)
    engine.start()
    server.run()
    return 0


if __name__ == "__main__":
    home, port, gate, *more = sys.argv[1:]
    sys.exit(main(Path(home), int(port), Path(gate), int(more[0]) if more else 1, *more[1:]))
