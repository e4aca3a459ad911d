"""A shop whose map can be told by eye, and a page with it open, for tests of the map in the browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from conftest import SHOP, open_engine, write_release

from search.clusters import Cluster
from search.engine import Engine
from search.product import Product

COUNT = 240
KINDS = ("Coffee Pot", "Garden Lamp", "Leather Boot", "Desk Knife")
POTS = [
    Product(f"p{number}", f"{KINDS[number % 4]} {number}", "", (KINDS[number % 4],), "", 10.0 + number, "USD",
            f"/illustrations/coffee/{('red', 'navy')[number // 4 % 2]}.svg", rating=4.2,
            attributes={"Color": (("red", "navy")[number // 4 % 2],)})
    for number in range(COUNT)
]  # fmt: skip


def map_engine(folder: Path) -> Engine:
    """Four kinds of things, a cloud each, eight leaves; the shop's own eight products lie in the middle."""
    products = [*SHOP, *POTS]
    layout = write_release(folder / "shop", products)
    random = np.random.default_rng(3)
    kind = np.array([-1] * len(SHOP) + [number % 4 for number in range(COUNT)])
    middles = np.array([[0, 0], [-0.6, -0.6], [0.6, -0.6], [-0.6, 0.6], [0.6, 0.6]])[kind + 1]
    np.save(layout.clusters / "positions.npy", (middles + random.normal(0, 0.12, middles.shape)).astype(np.float32))
    leaf = 10 + 2 * np.maximum(kind, 0) + np.arange(len(products)) % 2
    np.save(layout.clusters / "cluster_of.npy", leaf.astype(np.int32))
    clusters = [
        Cluster(one, None, f"{KINDS[one]}s and all that belongs to them", int((leaf // 2 == 5 + one).sum()), (one,))
        for one in range(4)
    ] + [
        Cluster(one, (one - 10) // 2, f"{KINDS[(one - 10) // 2]}s of kind {one}", int((leaf == one).sum()), (one,))
        for one in range(10, 18)
    ]
    data = {"clusters": [cluster.as_json() for cluster in clusters], "moved": []}
    (layout.clusters / "clusters.json").write_text(json.dumps(data))
    return open_engine(layout)


class Map:
    """A page with the map open, and what is asked of it."""

    def __init__(self, page: Any):
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda note: note.type in ("error", "warning") and self.complaints.append(note.text))

    def open(self, address: str = "/map") -> None:
        self.page.goto(address)
        self.page.wait_for_selector("canvas[data-drawn][data-lit]")
        self.rest()

    def rest(self) -> None:
        """Wait until nothing has been painted for a while."""
        self.page.wait_for_timeout(100)  # events of the mouse and the wheel arrive a little later
        for _ in range(40):
            if self.page.evaluate(
                """() => new Promise((done) => {
                  const painted = () => document.querySelector("canvas").dataset.drawn;
                  const before = painted();
                  setTimeout(() => done(before === painted()), 400);
                })"""
            ):
                return
        raise AssertionError("the map never comes to rest")

    def colors(self) -> dict[tuple[int, int, int], int]:
        """Colors of the canvas's pixels with how many pixels have each."""
        flat = self.page.evaluate(
            """() => {
              const canvas = document.querySelector("canvas");
              const copy = new OffscreenCanvas(canvas.width, canvas.height);
              const context = copy.getContext("2d", { willReadFrequently: true });
              context.drawImage(canvas, 0, 0);
              const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
              const counts = {};
              for (let at = 0; at < data.length; at += 4) {
                const key = data.slice(at, at + 3).join();
                counts[key] = (counts[key] ?? 0) + 1;
              }
              return counts;
            }"""
        )
        return {tuple(map(int, key.split(","))): count for key, count in flat.items()}  # type: ignore[misc]

    def dot(self, engine: Engine, row: int) -> tuple[float, float]:
        """Where in the window a row's dot is, worked out here from its position and the view kept in the history."""
        view = self.page.evaluate("history.state.map")
        box = self.page.locator("canvas").bounding_box()
        x, y = (engine.release.clusters.positions[row] + 1) / 2 * 65535
        return (
            float(box["x"] + box["width"] / 2 + (x - view["x"]) * view["scale"]),
            float(box["y"] + box["height"] / 2 + (y - view["y"]) * view["scale"]),
        )

    def lonely(self, engine: Engine) -> int:
        """The row, of those with a picture, whose dot is farthest from its nearest neighbor."""
        at = engine.release.clusters.positions
        distances = np.linalg.norm(at[:, None] - at[None], axis=2) + 9 * np.eye(len(at))
        return len(SHOP) + int(distances.min(axis=1)[len(SHOP) :].argmax())


def open_map(browser: Any, root: str, **options: Any) -> Map:
    context = browser.new_context(base_url=root, **{"viewport": {"width": 1280, "height": 900}, **options})
    return Map(context.new_page())
