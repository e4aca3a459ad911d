"""How often is the report right? Planted category errors, and products known to be the same.

Usage: python bench/report_findings.py misfiled HOME | duplicates HOME PAIRS.csv

misfiled: HOME holds a release of a catalog with categories. Of its products 200, drawn by chance, get another category
(half a sibling, half any), are encoded anew, and the report's own function is asked which products look misfiled. Those
it names that were not planted count as wrong, though some are the shop's own errors, so the precision is a lower bound.

duplicates: HOME holds a release of a catalog of which PAIRS.csv (product_a,product_b,match) says what is the same.
Prices and attributes are left out: the two sides of such a set are two shops.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.embeddings import encode_products
from indexer.grouping import fold_variants, folded_vectors
from indexer.neighbors import nearest_neighbors
from indexer.report import categories, duplicates
from indexer.report.subject import NEIGHBORS
from search.analysis import Analyzer
from search.arrays import Floats
from search.encoders import find_encoder
from search.home import Home, layout_of
from search.passages import texts_of
from search.product import Product
from search.release import open_release

PLANTED, SEED = 200, 5
FIRST = 30  # what a shop owner reads first


def opened(home: Path) -> tuple[list[Product], Floats, dict[str, object]]:
    """Return products, embeddings and manifest of the live release."""
    release = open_release(layout_of(home))
    return list(release.products), np.array(release.dense.embeddings), release.manifest


def misfiled(home: Path) -> None:
    """Plant errors and print how many are found, and how many of those found are planted."""
    products, embeddings, manifest = opened(home)
    chance = random.Random(SEED)
    counts = Counter(product.category for product in products if product.category)
    planted = chance.sample([row for row, product in enumerate(products) if product.category], PLANTED)
    usual = sorted(path for path, count in counts.items() if count >= categories.LEAST_ITEMS)
    for turn, row in enumerate(planted):
        own = products[row].category
        others = [path for path in usual if path != own and (turn % 2 or path[:-1] == own[:-1])]
        products[row] = replace(products[row], category=chance.choice(others or [p for p in usual if p != own]))
    encoder = find_encoder(manifest["encoder"], Home(home))  # type: ignore[arg-type]
    texts = texts_of(products)
    embeddings[planted] = encode_products([texts[row] for row in planted], encoder)[0]
    group_of = fold_variants(products)
    first = np.unique(group_of, return_index=True)[1]
    vectors = folded_vectors(embeddings, group_of)
    categories.SHOWN_MISFILED = len(products)
    found = categories.categories_of([products[row] for row in first], vectors, nearest_neighbors(vectors, NEIGHBORS))
    hits = [int(first[one.item]) in set(planted) for one in found.misfiled]
    print(f"{len(hits)} named, {sum(hits)} of them planted ({sum(hits) / max(len(hits), 1):.2f} of those named, "
          f"{sum(hits) / PLANTED:.2f} of those planted); of the first {FIRST}: {sum(hits[:FIRST])}")  # fmt: skip


def same_things(home: Path, pairs: Path) -> None:
    """Print how many of the products told to be listed twice are, and how many of those that are were told."""
    products, embeddings, _ = opened(home)
    items = [replace(product, attributes={}, price=None, group_id="") for product in products]
    with pairs.open(encoding="utf-8", newline="") as file:
        truth = {frozenset((row["product_a"], row["product_b"])): row["match"] == "1" for row in csv.DictReader(file)}
    duplicates.SHOWN_GROUPS = duplicates.SHOWN_MEMBERS = len(items)
    found = duplicates.duplicates_of(items, embeddings, nearest_neighbors(embeddings, NEIGHBORS), Analyzer("en"))
    told = {
        frozenset((a.id, b.id)) for group in found.twice.shown for a in group.products for b in group.products if a != b
    }
    verdicts = Counter(truth.get(pair) for pair in told)
    print(f"{len(told)} pairs told: {verdicts[True]} the same, {verdicts[False]} not, {verdicts[None]} not judged; "
          f"{verdicts[True] / max(sum(truth.values()), 1):.2f} of {sum(truth.values())} that are the same")  # fmt: skip


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["misfiled", "duplicates"])
    parser.add_argument("home", type=Path)
    parser.add_argument("pairs", type=Path, nargs="?")
    arguments = parser.parse_args()
    if not arguments.home.is_dir():
        print(f"skipped: {arguments.home} holds no release")
        return 0
    if arguments.what == "misfiled":
        misfiled(arguments.home)
    else:
        same_things(arguments.home, arguments.pairs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
