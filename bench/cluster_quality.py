"""How well clusters agree with the categories that shops gave their own products, which the clustering does not see.

Usage: python bench/cluster_quality.py [FOLDER] [--labels 50]

FOLDER (default: ../shared/data) holds the catalogs as `<name>/products.csv.gz`; catalogs that are not there are
skipped. Each is built as a shop would, with its category columns left out of the file: columns, passages and training
never see them. Printed for each level of the categories: normalised mutual information, which is the V-measure
(arithmetic mean, Rosenberg & Hirschberg 2007), of

- Aisle's leaves, and of its parents;
- plain k-means (scikit-learn, ten starts) of the untuned encoder's passage vectors at the same number of clusters, mean
  and range of five seeds;
- BERTopic's default (UMAP, HDBSCAN, outliers assigned by `reduce_outliers`) on those vectors and on the vectors that
  Aisle clusters, where bertopic is installed (it is not among the requirements), with its number of clusters.

--labels N prints N leaves with their label and five products each, every leaf being as likely, to be read and judged.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import v_measure_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.pipeline import build
from indexer.progress import Progress
from indexer.settings import BuildSettings
from search.arrays import Floats
from search.encoder import open_encoder
from search.engine import Engine
from search.home import Home
from search.passages import texts_of

CATEGORIES = {  # catalog -> its category columns, the widest first
    "aws_retail_demo_store": ("category", "sub_category"),
    "bigbasket_part": ("category", "sub_category", "product_type"),
}
SEEDS = range(5)


def without_columns(source: Path, columns: Sequence[str], target: Path) -> dict[str, list[str]]:
    """Write a catalog without some columns; return product id -> the path that these columns told, level by level."""
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name not in columns], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    paths = {row["product_id"]: [row[name] for name in columns] for row in rows}
    return {one: [" > ".join(path[: depth + 1]) for depth in range(len(path))] for one, path in paths.items()}


def scores(groups: Sequence[int], truth: Sequence[Sequence[str]]) -> list[float]:
    """Return the V-measure of a grouping with each level of the categories."""
    return [float(v_measure_score(level, groups)) for level in zip(*truth, strict=True)]


def row(name: str, clusters: int, values: Sequence[float], more: str = "") -> str:
    """Return one line of the table."""
    return f"  {name:<52}{clusters:>5}  " + "  ".join(f"{value:.3f}" for value in values) + more


def plain_kmeans(vectors: Floats, count: int, truth: Sequence[Sequence[str]]) -> tuple[list[float], str]:
    """Return the mean V-measures of k-means over the seeds, and the range of the deepest."""
    found = [scores(KMeans(count, n_init=10, random_state=seed).fit_predict(vectors), truth) for seed in SEEDS]
    deepest = [values[-1] for values in found]
    return list(np.mean(found, axis=0)), f"  ({min(deepest):.3f} to {max(deepest):.3f})"


def topics(texts: Sequence[str], vectors: Floats) -> list[int] | None:
    """Return BERTopic's clusters, outliers assigned; None where it is not installed."""
    try:
        from bertopic import BERTopic
    except ImportError:
        return None
    model = BERTopic(calculate_probabilities=False)
    found, _ = model.fit_transform(list(texts), vectors)
    assigned: list[int] = model.reduce_outliers(list(texts), found, strategy="embeddings", embeddings=vectors)
    return assigned


def report(name: str, source: Path, labels: int, work: Path, train: str) -> None:
    """Print the table of one catalog."""
    truth_of = without_columns(source, CATEGORIES[name], work / f"{name}.csv")
    home = Home(work / name)
    build(BuildSettings(work / f"{name}.csv", train=train), home, Progress())
    release = Engine.open(home.root, home=home).release
    products = list(release.products)
    truth = [truth_of[product.id] for product in products]
    index = release.clusters
    leaves = index.cluster_of.tolist()
    parents = [leaf if (above := index.clusters[leaf].parent) is None else above for leaf in leaves]
    texts = [text.passage for text in texts_of(products)]
    plain = open_encoder().encode_passages(texts)
    distinct = [len(set(level)) for level in zip(*truth, strict=True)]
    print(f"{name}: {len(products)} products; {', '.join(map(str, distinct))} categories by level")
    print(f"  {release.manifest['training']['reason']}")
    print(row("Aisle, leaves", len(set(leaves)), scores(leaves, truth)))
    print(row("k-means of the untuned encoder", len(set(leaves)), *plain_kmeans(plain, len(set(leaves)), truth)))
    print(row("Aisle, parents", len(set(parents)), scores(parents, truth)))
    print(row("k-means of the untuned encoder", len(set(parents)), *plain_kmeans(plain, len(set(parents)), truth)))
    for vectors, what in ((plain, "the untuned encoder"), (np.asarray(release.dense.embeddings), "Aisle's embeddings")):
        found = topics(texts, vectors)
        if found is None:
            print("  BERTopic: skipped, it is not installed")
            break
        print(row(f"BERTopic's default on {what}", len(set(found)), scores(found, truth)))
    if labels:
        print_labels(release, labels)


def print_labels(release: object, count: int) -> None:
    """Print some leaves with their label and five products each."""
    index, store = release.clusters, release.products  # type: ignore[attr-defined]
    random = np.random.default_rng(7)
    leaves = sorted(set(index.cluster_of.tolist()))
    for leaf in sorted(random.permutation(leaves)[:count].tolist()):
        rows = random.permutation(np.flatnonzero(index.cluster_of == leaf))[:5]
        print(f"  [{index.clusters[leaf].label}] ({index.clusters[leaf].size})")
        for product in store.products(rows):
            print(f"      {product.title[:90]}")


def main() -> None:
    """Print the figures of every catalog that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    parser.add_argument("--labels", type=int, default=0)
    parser.add_argument("--train", default="auto", help="as of `build`")
    parser.add_argument("--work", type=Path, help="keep the built releases here, to use them again")
    asked = parser.parse_args()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with tempfile.TemporaryDirectory() as aside:
        for name in CATEGORIES:
            source = asked.folder / name / "products.csv.gz"
            if source.is_file():
                (asked.work or Path(aside)).mkdir(parents=True, exist_ok=True)
                report(name, source, asked.labels, asked.work or Path(aside), asked.train)
            else:
                print(f"{name}: skipped, {source} is not there")


if __name__ == "__main__":
    main()
