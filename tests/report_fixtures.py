"""A report for releases that tests write, and a manifest such as a build leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conftest import FakeEncoder

from indexer.evaluation.measures import evaluate_run
from indexer.report import Subject, knowledge_of, write_query_report, write_report
from indexer.training import JudgedQueries
from search.home import Layout
from search.product import Product
from search.release import open_release

LEG = {"base": 0.30, "tuned": 0.36, "change": {"mean": 0.06, "low": 0.04, "high": 0.08}, "wins": 9, "losses": 2}
TRAINING = {
    "reason": "The fine-tuned encoder was adopted.", "adopted": True, "method": "phrases of held-out products",
    "pairs": {"used": 64, "by_kind": {"title_words": 40, "category_leaf": 24},
              "examples": [{"kind": "title_words", "query": "red mug", "title": "Red Travel Mug"}]},
    "training": {"steps": 2, "seconds": 1.0, "loss_curve": [[1, 2.0], [2, 1.5]]},
    "selection": {"scores": [{"merge_weight": 0.0, "dense": 0.3, "hybrid": 0.31},
                             {"merge_weight": 0.5, "dense": 0.35, "hybrid": 0.36}]},
    "gate": {"unit": "products", "units": 50, "queries": 90, "corpus": 800, "merge_weight": 0.5,
             "legs": {"dense": LEG, "hybrid": {**LEG, "change": {"mean": 0.05, "low": 0.01, "high": 0.09}}},
             "examples": ["keeps coffee hot"]},
}  # fmt: skip


def manifest_of(rows: int, **changes: Any) -> dict[str, Any]:
    """The entries of a manifest that a report reads."""
    return {
        "rows": rows, "encoded": rows, "warnings": [], "metrics": None, "ranker": None, "training": TRAINING,
        "versions": {"numpy": "1"}, "language": "en",
        "catalog": {"name": "shop.csv", "rows": rows, "rejected": 0, "mapping": {"title": ["Name"]}},
        "encoder": {"name": "fake", "fingerprint": "fake", "dim": 13, "max_tokens": 128, "precision": "float32"},
        **changes,
    }  # fmt: skip


def add_report(layout: Layout, products: Sequence[Product]) -> None:
    """Write the report of a release that `write_release` wrote."""
    release = open_release(layout)
    labels = {cluster.id: cluster.label for cluster in release.clusters.clusters.values()}
    subject = Subject.of(
        products, release.dense.embeddings, release.group_of, release.clusters.cluster_of, labels, FakeEncoder(), None,
        "en",
    )  # fmt: skip
    judgments = {"q": {products[0].id: 1.0}, "r": {products[1].id: 1.0}}
    run = {query: [(product.id, 1.0 / rank) for rank, product in enumerate(products, 1)] for query in judgments}
    judged = JudgedQueries({"q": "red mug", "r": "<b>blue</b> mug"}, judgments)
    by_mode = dict.fromkeys(("lexical", "dense", "hybrid"), evaluate_run(run, judgments))
    write_query_report(layout.query_report, manifest_of(len(products)), judged, by_mode)
    metrics = {"metrics": {"nDCG@10": {"mean": 0.7, "low": 0.6, "high": 0.8}}}
    write_report(layout.report, manifest_of(len(products), metrics=metrics), knowledge_of(subject))
