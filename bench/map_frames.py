"""How smoothly the map moves: frame intervals of a scripted five-second pan over 100,000 dots, and the first paint.

    python bench/map_frames.py [--points 100000] [--runs 2] [--ratio 2] [--folder DIR]

Serves a synthetic release of that many products with the app itself and opens /map in headless Chromium, which has no
graphics card here: everything is drawn by the CPU. The pan is a pressed pointer moved to and fro within the page, an
event every 8 ms, so that driving the browser from outside costs nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import statistics
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import CDPSession, Page, sync_playwright
from werkzeug.serving import make_server

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from conftest import open_engine, write_release

from app import create_app
from search.clusters import Cluster
from search.home import Layout
from search.product import Product
from web.live import FixedEngine

PAN_SECONDS = 5
PARENTS, LEAVES = 20, 12  # groups, and groups in each
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
# Runs in the page: moves the pressed pointer every 8 ms and notes the time between frames with newly painted dots.
PAN = """([x, y, milliseconds]) => new Promise((done) => {
  const canvas = document.querySelector("canvas");
  const intervals = [];
  const began = performance.now();
  let before, drawn = canvas.dataset.drawn;
  const hand = setInterval(() => {
    const passed = (performance.now() - began) / 1000;
    const at = { clientX: x + 220 * Math.sin(2 * passed), clientY: y + 120 * Math.sin(3.1 * passed) };
    canvas.dispatchEvent(new PointerEvent("pointermove", { pointerId: 1, pointerType: "mouse", bubbles: true, ...at }));
  }, 8);
  const step = (now) => {
    // A frame without new dots is no frame: a page at rest is always smooth.
    if (before !== undefined && canvas.dataset.drawn !== drawn) intervals.push(now - before);
    if (before === undefined || canvas.dataset.drawn !== drawn) before = now;
    drawn = canvas.dataset.drawn;
    if (now - began < milliseconds) return requestAnimationFrame(step);
    clearInterval(hand);
    done(intervals);
  };
  requestAnimationFrame(step);
})"""


def synthetic_release(folder: Path, count: int) -> Layout:
    """Write a release of `count` short products lying in clouds, with groups on two levels."""
    random = np.random.default_rng(0)
    leaf = random.integers(0, PARENTS * LEAVES, count)
    products = [
        Product(f"{row:06}", f"Mug {row}", "", (f"Aisle {leaf[row] // LEAVES}",), "", 5.0 + row % 90, "USD")
        for row in range(count)
    ]  # fmt: skip
    layout = write_release(folder, products)
    parents = random.uniform(-0.75, 0.75, (PARENTS, 2))
    middles = parents.repeat(LEAVES, axis=0) + random.normal(0, 0.09, (PARENTS * LEAVES, 2))
    positions = np.clip(middles[leaf] + random.normal(0, 0.03, (count, 2)), -1, 1).astype(np.float32)
    np.save(layout.clusters / "positions.npy", positions)
    np.save(layout.clusters / "cluster_of.npy", (leaf + PARENTS).astype(np.int32))
    sizes = np.bincount(leaf, minlength=PARENTS * LEAVES)
    above = sizes.reshape(PARENTS, LEAVES).sum(axis=1)
    clusters = [
        Cluster(one, None, f"Group {one}", int(above[one]), (0,)).as_json()
        for one in range(PARENTS)
    ] + [
        Cluster(PARENTS + one, one // LEAVES, f"Shelf {one}", int(size), (0,)).as_json()
        for one, size in enumerate(sizes)
    ]  # fmt: skip
    (layout.clusters / "clusters.json").write_text(json.dumps({"clusters": clusters, "moved": []}))
    return layout


def first_paint_ms(page: Page, root: str) -> float:
    """Return ms from the start of the navigation until the dots are painted."""
    page.goto(f"{root}/map", wait_until="commit")
    page.wait_for_selector("canvas[data-drawn]")
    painted: float = page.evaluate("() => Number(document.querySelector('canvas').dataset.first)")
    return painted


def pan_intervals_ms(page: Page, seconds: float = PAN_SECONDS) -> list[float]:
    """Return the intervals between painted frames while a pressed pointer drags the map to and fro."""
    box: Any = page.locator("canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    intervals: list[float] = page.evaluate(PAN, [x, y, seconds * 1000])
    page.mouse.up()
    return intervals


def main_thread_ms(session: CDPSession) -> float:
    """Return ms of CPU, not of the clock, that a page's main thread has spent since the session's first call."""
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"]) * 1000


def main() -> None:
    """Print median and 95th percentile of the frame interval, and the first paint, of every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--ratio", type=float, default=1, help="device pixels in a CSS pixel")
    parser.add_argument("--folder", type=Path, help="keep the synthetic release here and use it again")
    asked = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (asked.folder or Path(temporary)) / f"points-{asked.points}"
        layout = Layout(folder) if folder.is_dir() else synthetic_release(folder, asked.points)
        engine = open_engine(layout)
        engine.encoder.vectors(["ready"])
        server = make_server("127.0.0.1", 0, create_app(engine=FixedEngine(engine)), threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            path = shutil.which("chromium") or playwright.chromium.executable_path
            browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, "--disable-gpu"])
            for run in range(1, asked.runs + 1):
                context = browser.new_context(viewport={"width": 1280, "height": 800}, device_scale_factor=asked.ratio)
                page = context.new_page()
                first = first_paint_ms(page, f"http://127.0.0.1:{server.server_port}")
                page.wait_for_timeout(800)
                session = context.new_cdp_session(page)
                before = main_thread_ms(session)
                intervals = pan_intervals_ms(page)
                spent = (main_thread_ms(session) - before) / len(intervals)
                median, p95 = statistics.median(intervals), float(np.percentile(intervals, 95))
                print(
                    f"run {run}: {asked.points:,} dots, first paint {first:.0f} ms, "
                    f"frame interval median {median:.1f} ms, p95 {p95:.1f} ms over {len(intervals)} frames, "
                    f"{spent:.1f} ms of CPU each; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                    flush=True,
                )
                context.close()
            browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
