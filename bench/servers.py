"""WSGI servers around this app, in one run: python bench/servers.py [--home FOLDER] [--packages FOLDER]

Each serves the same app with as many threads, after the other, and is asked by 1, 8 and 32 clients, by 40 clients that
never finish their request, and to stop while a search is under way. Compare within one run only. The others (cheroot,
gunicorn, granian) are not among the requirements: name the site-packages folder of an environment that has them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.load import ROOT, Load, Shoppers, percentiles, query_texts
from bench.served import _wait
from search.home import Home

THREADS = 40
APP = "from app import create_app; app = create_app(); app.extensions['aisle.engine'].start()"
SERVERS = {
    "waitress": "from web.serving.processes import listening; from web.serving.server import Server; "
    "Server(app, listening('127.0.0.1', PORT)).run()",
    "cheroot": "import signal, sys; from cheroot.wsgi import Server; s = Server(('127.0.0.1', PORT), app, "
    "numthreads=THREADS, request_queue_size=1024); signal.signal(15, lambda *a: setattr(s, 'interrupt', SystemExit(0)))"
    "; s.safe_start()",
    "gunicorn": "import sys; from gunicorn.app.base import BaseApplication as B\n"
    "class G(B):\n"
    "    def load_config(self):\n"
    "        for k, v in dict(bind='127.0.0.1:PORT', workers=1, threads=THREADS, worker_class='gthread', "
    "loglevel='error', graceful_timeout=8).items(): self.cfg.set(k, v)\n"
    "    def load(self):\n"
    "        app.extensions['aisle.engine'].start(); return app\n"
    "G().run()",
    "granian": "",  # has a command of its own
}


def command(name: str, port: int) -> list[str]:
    """Return what starts a server."""
    if name == "granian":
        return [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--blocking-threads",
                str(THREADS), "--backpressure", "200", "--no-log", "--factory", "bench.servers:served_app"]  # fmt: skip
    first = APP if name != "gunicorn" else "from app import create_app; app = create_app()"  # it forks
    program = f"{first}\n{SERVERS[name]}".replace("PORT", str(port)).replace("THREADS", str(THREADS))
    return [sys.executable, "-c", program]


def served_app() -> Any:
    """Return the app with its release opening, for servers that want a factory."""
    from app import create_app

    app = create_app()
    app.extensions["aisle.engine"].start()
    return app


async def asked(load: Load, seconds: float) -> dict[str, Any]:
    """Return throughput and latency with 1, 8 and 32 clients, and beside 40 that never finish their request."""
    await load.closed(4, 4)
    found: dict[str, Any] = {}
    for clients in (1, 8, 32):
        answers = await load.closed(clients, seconds)
        good = [one for one in answers if one.status == 200]
        found[f"{clients}"] = {"per_s": round(len(good) / seconds, 1), "failed": len(answers) - len(good),
                               **(percentiles(good) or {})}  # fmt: skip
    dawdlers = [socket.create_connection((load.host, load.port)) for _ in range(THREADS)]
    for one in dawdlers:
        one.sendall(
            b"POST /api/v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        )
    await asyncio.sleep(0.3)
    beside = await load.ask(time.perf_counter(), 0.0, "/healthz")
    found["beside_40_dawdlers_ms"] = round(beside.ms, 1) if beside.status == 200 else None
    for one in dawdlers:
        one.close()
    return found


async def stopped(load: Load, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return what became of 12 searches that were under way when the server was told to stop."""
    asking = [asyncio.create_task(load.ask(time.perf_counter(), 0.0, load.shoppers.address())) for _ in range(12)]
    await asyncio.sleep(0.08)
    process.send_signal(signal.SIGTERM)
    answers = await asyncio.gather(*asking)
    started = time.perf_counter()
    while process.poll() is None and time.perf_counter() - started < 15:
        await asyncio.sleep(0.05)
    return {"answered": sum(one.status == 200 for one in answers), "of": 12, "exit_code": process.poll()}


def measured(name: str, home: Path, packages: str, seconds: float) -> dict[str, Any]:
    """Return what one server did."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "AISLE_HOME": str(home.resolve()), "AISLE_THREADS": "16", "OMP_NUM_THREADS": "1",
                   "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": f"{ROOT}:{packages}"}  # fmt: skip
    process = subprocess.Popen(command(name, port), cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait(process, f"http://127.0.0.1:{port}/readyz")
        load = Load(f"http://127.0.0.1:{port}", process.pid, Shoppers(query_texts(Home(home), 1), 1), 1)
        return {**asyncio.run(asked(load, seconds)), "stop": asyncio.run(stopped(load, process))}
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@click.command(help=__doc__.split("\n")[0])
@click.option("--home", type=click.Path(path_type=Path), default=ROOT / "instance", show_default=True)
@click.option("--packages", default="", help="site-packages with the other servers")
@click.option("--server", "names", multiple=True, type=click.Choice(list(SERVERS)), default=tuple(SERVERS))
@click.option("--seconds", default=5.0, show_default=True)
def main(home: Path, packages: str, names: tuple[str, ...], seconds: float) -> None:
    """Print one JSON object a server, in an order that chance decides."""
    for name in random.sample(names, len(names)):
        print(json.dumps({name: measured(name, home, packages, seconds)}), flush=True)


if __name__ == "__main__":
    main()
