"""How well judgments from clicks order products by the truth, which is known because the visitors are simulated.

Usage: python bench/click_judgments.py [--seeds 3]

Kendall's tau-b with the true grades, over the pairs that the export judges: within queries (mean over them), and over
all pairs together, which asks that a grade mean the same for a rare query as for a popular one. Compared:

* clicks: how often a product was clicked;
* COEC: clicks over expected clicks, the expectation being the mean click-through of each position (Zhang & Jones 2007);
* rate: clicks over examinations k^-eta, eta estimated;
* down: the same one standard error down;
* grades: the same in half steps, as exported.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click
import numpy as np
from scipy.stats import kendalltau

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "tests")]

from click_traffic import simulate  # noqa: E402

from indexer.evaluation.clicks import examination, graded, shown_in  # noqa: E402
from search.state.database import open_for_reading  # noqa: E402

Examined = Callable[[np.ndarray], np.ndarray]
POWER: Examined = lambda k: k**-0.8  # noqa: E731
WORLDS: dict[str, dict[str, object]] = {
    "4 releases, fair ranking": {"noise": 1.2, "releases": 4},
    "2 releases, poor ranking": {"noise": 2.0, "releases": 2},
    "2 releases, poor, many searches": {"noise": 2.0, "releases": 2, "searches": 20_000},
    "1 release (eta unknown)": {"noise": 1.2, "releases": 1},
    "good ranking": {"noise": 0.6, "releases": 4},
    "100 queries, many searches": {"noise": 1.2, "releases": 4, "queries": 100, "searches": 20_000},
    "looked at in rows of four": {"examination": lambda k: 1 / (1 + 0.5 * ((k - 1) // 4)), "noise": 2.0, "releases": 2},
    "looked at exponentially": {"examination": lambda k: np.exp(-(k - 1) / 8), "noise": 2.0, "releases": 2},
}


def taus(world: dict[str, object], seed: int) -> tuple[dict[str, tuple[float, float]], float]:
    """Return (within, together) of every score, and eta."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state" / "events.sqlite"
        truth = simulate(path, seed=seed, **world).truth  # type: ignore[arg-type]
        with closing(open_for_reading(path)) as connection:
            found = shown_in(connection, 0, 2e9)
    eta, _ = examination(found)
    through = np.bincount(found.position, found.clicked) / np.maximum(np.bincount(found.position, found.shown), 1)
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for query, product, position, shown, clicked in zip(
        found.query, found.product, found.position, found.shown, found.clicked, strict=True
    ):
        pair = sums[found.names[int(query)], found.names[int(product)]]
        pair[0] += clicked
        pair[1] += shown * through[position]
        pair[2] += shown * position**-eta
    rows = [
        (query, truth[query][product], clicks, clicks / usual, clicks / examined,
         (clicks - clicks**0.5) / examined, grade)
        for query, products in graded(found, eta).items()
        for product, grade in products.items()
        for clicks, usual, examined in [sums[query, product]]
    ]  # fmt: skip
    queries = {row[0] for row in rows}
    measured = {}
    for place, name in enumerate(("clicks", "COEC", "rate", "down", "grades"), start=2):
        each = [tau([row for row in rows if row[0] == query], place) for query in queries]
        measured[name] = (float(np.nanmean(each)), tau(rows, place))
    return measured, eta


def tau(rows: list[tuple[object, ...]], place: int) -> float:
    """Return Kendall's tau-b of a column with the truth; NaN where the truth is all the same."""
    if len({row[1] for row in rows}) < 2:
        return float("nan")
    return float(kendalltau([row[1] for row in rows], [row[place] for row in rows]).statistic)


@click.command()
@click.option("--seeds", default=3, show_default=True)
def main(seeds: int) -> None:
    """Measure, and print a line for each world: within queries / together."""
    print(f"{'':<34}{'eta':>6}" + "".join(f"{name:>14}" for name in ("clicks", "COEC", "rate", "down", "grades")))
    whole: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, world in WORLDS.items():
        runs = [taus(world, seed) for seed in range(seeds)]
        line = f"{name:<34}{np.mean([eta for _, eta in runs]):6.2f}"
        for score in runs[0][0]:
            within, together = np.mean([measured[score] for measured, _ in runs], axis=0)
            whole[score].append((within, together))
            line += f"{within:8.3f}/{together:.3f}"
        print(line, flush=True)
    print(f"{'mean':<40}" + "".join("{:8.3f}/{:.3f}".format(*np.mean(found, axis=0)) for found in whole.values()))


if __name__ == "__main__":
    main()
