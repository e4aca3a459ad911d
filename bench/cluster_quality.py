"""How well clusters and their labels fit the categories that two shops gave their own products.

Usage: python bench/cluster_quality.py [FOLDER]

FOLDER (default: ../shared/data) holds the catalogs as `<name>/products.csv.gz`; catalogs that are not there are
skipped. Prints, per catalog, normalised mutual information (arithmetic mean, Strehl & Ghosh 2002), purity (Manning,
Raghavan & Schuetze 2008, chapter 16.3), how many labels are distinct, and their length. The clustering reads the
shop's categories; the figures in brackets are those without them, the fair ones for what vectors alone find.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.catalog import CatalogSettings, open_catalog
from indexer.clustering import Clustering, cluster_products
from indexer.embeddings import encode_products
from search.arrays import Floats
from search.encoder import open_encoder
from search.passages import texts_of
from search.product import Product

CATALOGS = {"aws_retail_demo_store": 2, "bigbasket_part": 2}  # name -> depth of the category scored against


def mutual_information(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Return the normalised mutual information of two groupings (n,), 0 unrelated to 1 the same."""
    joint = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(joint, (one, other), 1 / len(one))
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    held = joint > 0
    shared = float((joint[held] * np.log(joint[held] / np.outer(rows, columns)[held])).sum())
    entropies = [-float((p[p > 0] * np.log(p[p > 0])).sum()) for p in (rows, columns)]
    return shared / (sum(entropies) / 2) if sum(entropies) else 1.0


def purity(groups: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the share of products whose category is the commonest of their group."""
    return sum(np.bincount(truth[groups == group]).max() for group in np.unique(groups)) / len(groups)


def report(name: str, products: Sequence[Product], embeddings: Floats, depth: int) -> str:
    """Return one line of figures for a catalog, clustered with and without its categories at hand."""
    started = time.perf_counter()
    clustering = cluster_products(embeddings, products)
    seconds = time.perf_counter() - started
    bare = cluster_products(embeddings, [replace(product, category=()) for product in products])
    truth = np.unique(["\0".join(product.category[:depth]) for product in products], return_inverse=True)[1]
    scores = [
        f"NMI {mutual_information(leaves, truth):.3f}, purity {purity(leaves, truth):.3f}"
        for leaves in (clustering.cluster_of.astype(np.int64), bare.cluster_of.astype(np.int64))
    ]
    return (
        f"{name}: {len(products)} products, {len(np.unique(truth))} categories of depth {depth}, "
        f"{len(leaf_labels(clustering))} leaves; {scores[0]} (categories unseen: {scores[1]}); leaf labels: "
        f"{distinct(clustering):.0%} distinct, {words_per_label(clustering):.1f} words "
        f"({words_per_label(bare):.1f}); {seconds:.1f} s"
    )


def leaf_labels(clustering: Clustering) -> list[str]:
    """Return the labels of the clusters that hold products themselves."""
    leaves = set(clustering.cluster_of.tolist())
    return [cluster.label for cluster in clustering.clusters if cluster.id in leaves]


def distinct(clustering: Clustering) -> float:
    """Return the share of leaf labels that no other leaf has."""
    labels = leaf_labels(clustering)
    return len(set(labels)) / len(labels)


def words_per_label(clustering: Clustering) -> float:
    """Return the mean number of words of a leaf label, signs not counted."""
    labels = leaf_labels(clustering)
    return sum(len(label.replace("&", " ").split()) for label in labels) / len(labels)


def main(folder: Path) -> None:
    """Print the figures of every catalog that is there."""
    encoder = None
    for name, depth in CATALOGS.items():
        path = folder / name / "products.csv.gz"
        if not path.is_file():
            print(f"{name}: skipped, {path} is not there")
            continue
        encoder = encoder or open_encoder()
        products = [row for row in open_catalog(path, CatalogSettings()) if isinstance(row, Product)]
        vectors = encode_products(texts_of(products), encoder)[0]
        print(report(name, products, vectors, depth), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "shared" / "data")
