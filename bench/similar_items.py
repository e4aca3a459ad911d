"""How well similar items find the same product at another shop, on two product-matching sets.

Usage: python bench/similar_items.py [--data FOLDER]

FOLDER (default: ../shared/data) holds `product_matching_abt_buy` and `product_matching_walmart_amazon` with
`products.csv.gz` and `pairs.csv` (product_a, product_b, match, split); sets that are not there are skipped. Prints, for
BM25 (one product's title asks for the other), the cosine of the untuned encoder's passages, and Aisle's `similar`:

* recall@10: share of the true matches found among a product's ten nearest of all others, asked from either side;
* F1 of calling a pair the same product from a threshold on; the threshold is chosen on the `train` and `valid` pairs
  and scored on the `test` ones (the splits of Mudgal et al. 2018, as used by Ditto, Li et al. 2020, arXiv 2004.00584).

Intervals are 95 % bootstrap intervals over the asked products (recall) and the test pairs (F1).
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.pipeline import build
from indexer.progress import Progress
from indexer.settings import BuildSettings
from search.arrays import Floats, best_rows
from search.encoder import open_encoder
from search.engine import Engine
from search.home import Home
from search.likeness import likeness
from search.passages import passage_of
from search.product import Product

ROOT = Path(__file__).resolve().parents[1]
SETS = ("product_matching_abt_buy", "product_matching_walmart_amazon")
FOUND = 10
RESAMPLES = 2_000
Scores = Callable[[int], Floats]  # row -> (n,) likeness of every row


def interval(values: NDArray[np.float64], of: Callable[[NDArray[np.float64]], float]) -> str:
    """Return `of` the rows of values with its 95 % bootstrap interval."""
    rng = np.random.default_rng(20_261_124)
    drawn = [of(values[rng.integers(0, len(values), len(values))]) for _ in range(RESAMPLES)]
    return f"{of(values):.3f} ({np.quantile(drawn, 0.025):.3f}-{np.quantile(drawn, 0.975):.3f})"


def f1(outcomes: NDArray[np.float64]) -> float:
    """Return F1 of (m, 2) rows of (said the same, is the same)."""
    said, same = outcomes.T
    return float(2 * (said * same).sum() / max(said.sum() + same.sum(), 1))


def best_threshold(likeness: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return the threshold with the best F1."""
    order = np.argsort(-likeness)
    hits = np.cumsum(same[order])
    return float(likeness[order][np.argmax(2 * hits / (np.arange(1, len(same) + 1) + same.sum()))])


def systems(engine: Engine, products: Sequence[Product]) -> dict[str, Scores]:
    """Return name -> likeness of every row to one row; Aisle's own last."""
    release = engine.release
    base = open_encoder("")
    passages = base.encode_passages([passage_of(product) for product in products])

    def bm25(row: int) -> Floats:
        return release.lexical.scores(release.lexical.term_ids(products[row].title))

    return {
        "BM25 of the title": bm25,
        "cosine, untuned, passages": lambda row: passages @ passages[row],
        "cosine, as indexed": lambda row: release.dense.scores(release.dense.gathered(np.array([row]))[0]),
        "Aisle": lambda row: likeness(release, row),
    }


def measured(scores: Scores, pairs: Sequence[tuple[int, int, bool, bool]]) -> tuple[str, str]:
    """Return recall@10 and F1 with their intervals.

    Args:
        scores: row -> likeness of every row.
        pairs: (row, row, is the same product, is of the test split).
    """
    matches: dict[int, set[int]] = {}
    for one, other, same, _ in pairs:
        if same:
            matches.setdefault(one, set()).add(other)
            matches.setdefault(other, set()).add(one)
    recalls, found_of = [], {}
    for row in {place for pair in pairs for place in pair[:2]}:
        found = found_of[row] = scores(row).copy()
        found[row] = -np.inf
        if row in matches:
            recalls.append(len(matches[row] & set(best_rows(found, FOUND).tolist())) / len(matches[row]))
    likeness_of = np.array([found_of[one][other] + found_of[other][one] for one, other, _, _ in pairs], np.float64)
    same, is_test = (np.array([pair[place] for pair in pairs]) for place in (2, 3))
    threshold = best_threshold(likeness_of[~is_test], same[~is_test])
    outcomes = np.stack([likeness_of >= threshold, same], axis=1)[is_test].astype(np.float64)
    return interval(np.array(recalls), lambda drawn: float(drawn.mean())), interval(outcomes, f1)


def table(folder: Path) -> str:
    """Return a Markdown table for one set."""
    with TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        build(BuildSettings(folder / "products.csv.gz", train="never"), home, Progress())
        engine = Engine.open(home.root, home=home)
        products = list(engine.release.products)
        row_of = {product.id: row for row, product in enumerate(products)}
        with (folder / "pairs.csv").open(newline="", encoding="utf-8") as file:
            pairs = [
                (row_of[line["product_a"]], row_of[line["product_b"]], line["match"] == "1", line["split"] == "test")
                for line in csv.DictReader(file)
            ]
        lines = [f"### {folder.name}: {len(products):,} products, {len(pairs):,} pairs", ""]
        lines += ["| system | recall@10 | F1 |", "|---|---|---|"]
        for name, scores in systems(engine, products).items():
            lines.append(f"| {name} | " + " | ".join(measured(scores, pairs)) + " |")
    return "\n".join([*lines, ""])


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=ROOT.parent / "shared" / "data")
def main(data: Path) -> None:
    """Print a table for every product-matching set at hand."""
    for name in SETS:
        if (data / name / "pairs.csv").is_file():
            print(table(data / name), flush=True)
        else:
            print(f"{name}: skipped, {data / name} is not there", file=sys.stderr)


if __name__ == "__main__":
    main()
