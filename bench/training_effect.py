"""Does fine-tuning on a catalog help the queries of real people? Base against tuned encoder on human judgments.

Usage: python bench/training_effect.py FOLDER [--work DIR] [--weight W ...] [--json FILE]

FOLDER holds products.csv[.gz] (product_id,title[,description]), queries.csv and judgments.csv[.gz]; without it there
is nothing to measure, and the script says so and ends well. The training never sees queries or judgments: it runs as
in a build without any. Then every product is encoded with the base and with base and tuned model merged, and all
products are ranked for every query. Measured at the weight that the selection chose (of the tuned share at least the
best one that was tried), whether the gate adopted it or not; --weight measures others too. Queries without a product
of grade 1 or more are left out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.evaluation.compare import compare_evaluations
from indexer.evaluation.judgments import Judgments, Queries, Run, read_judgments, read_queries
from indexer.evaluation.measures import Evaluation, evaluate_run
from indexer.training import Decision, TrainingSettings, train_and_decide
from indexer.training.finetune import merged_state, state_of
from indexer.training.gate import bm25_scores, served_hybrid
from indexer.training.vectors import product_vectors, query_vectors
from search.arrays import Floats, best_rows
from search.encoder import MAX_TOKENS, SentenceTransformerEncoder, load_sentence_transformer, open_encoder
from search.product import Product, lexical_fields

RELEVANT_FROM = 1.0
DEPTH = 1_000


def read_products(folder: Path) -> list[Product]:
    """Return the products of a judged set, titles and descriptions as they stand."""
    path = next(path for path in (folder / "products.csv.gz", folder / "products.csv") if path.is_file())
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [row for row in csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")) if row["title"].strip()]
    return [
        Product(row["product_id"], row["title"], row.get("description") or "", brand=row.get("brand") or "")
        for row in rows
    ]


def dense_scores(model: Any, products: list[Product], queries: Queries) -> Floats:
    """Return (q, n) cosines of queries and products, encoded as a release encodes them."""
    vectors = product_vectors(model, products, MAX_TOKENS)
    return query_vectors(model, list(queries.values()), MAX_TOKENS) @ vectors.T


def runs_of(
    scores: Iterable[Floats], products: list[Product], queries: Queries, judgments: Judgments
) -> tuple[Run, Run]:
    """Return (ranking of all products, ranking of the judged products only), the first to DEPTH."""
    row_of = {product.id: row for row, product in enumerate(products)}
    everything: Run = {}
    judged: Run = {}
    for query, row_scores in zip(queries, scores, strict=True):
        everything[query] = [(products[row].id, float(row_scores[row])) for row in best_rows(row_scores, DEPTH)]
        rows = np.array(sorted(row_of[p] for p in judgments.get(query, {}) if p in row_of), np.int64)
        order = best_rows(row_scores[rows], len(rows)) if len(rows) else rows
        judged[query] = [(products[row].id, float(row_scores[row])) for row in rows[order]]
    return everything, judged


def evaluated(
    dense: Floats, lexical: tuple[Floats, Floats], products: list[Product], queries: Queries, judgments: Judgments
) -> dict[str, Evaluation]:
    """Return leg -> evaluation."""
    legs = {"dense": list(dense), "hybrid": [served_hybrid(w, d, c) for w, c, d in zip(*lexical, dense, strict=True)]}
    found = {}
    for leg, scores in legs.items():
        run, judged_run = runs_of(scores, products, queries, judgments)
        found[leg] = evaluate_run(run, judgments, judged_run=judged_run, relevant_from=RELEVANT_FROM)
    return found


def chosen_weight(decision: Decision) -> float:
    """Return the adopted merge weight, else the best one tried."""
    if decision.adopted:
        return decision.merge_weight
    tried = [row for row in decision.report["selection"]["scores"] if row["merge_weight"] > 0]
    return float(max(tried, key=lambda row: (row["dense"] + row["hybrid"], -row["merge_weight"]))["merge_weight"])


def say(what: str, done: int = 0, total: int = 0) -> None:
    """Print progress on stderr, seldom."""
    if not done or done == total or done % 40 == 0:
        print(f"{time.strftime('%H:%M:%S')} {what} {done}/{total}" if total else what, file=sys.stderr, flush=True)


def measure(folder: Path, work: Path, weights: list[float]) -> dict[str, Any]:
    """Train, decide, and measure base and merged models; print tables, return everything JSON-ready."""
    products = read_products(folder)
    judgments = read_judgments(next(folder.glob("judgments.csv*")))
    queries = {query: text for query, text in read_queries(folder / "queries.csv").items() if query in judgments}
    base = open_encoder()
    tuned_folder = work / "tuned"
    decision = train_and_decide(products, base, work, TrainingSettings(), progress=say, keep_tuned=True)
    print(decision.reason)
    if not tuned_folder.is_dir():
        return {"decision": decision.reason, "report": decision.report}
    lexical = bm25_scores("en")([lexical_fields(product) for product in products], list(queries.values()))
    before = evaluated(dense_scores(base.model, products, queries), lexical, products, queries, judgments)
    model = load_sentence_transformer(base.folder, base.max_tokens)
    base_state = state_of(model)
    tuned_state = state_of(SentenceTransformerEncoder(tuned_folder).model)
    results: dict[str, Any] = {}
    for weight in dict.fromkeys([chosen_weight(decision), *weights]):
        say(f"encoding {len(products)} products, merge weight {weight:g}")
        model.load_state_dict(merged_state(base_state, tuned_state, weight))
        after = evaluated(dense_scores(model, products, queries), lexical, products, queries, judgments)
        for leg in after:
            compared = compare_evaluations(before[leg], after[leg])
            print(f"\n{leg}, base (A) against merge weight {weight:g} (B):\n{compared.as_text()}")
            results[f"{leg} {weight:g}"] = compared.as_json()
    return {"decision": decision.reason, "adopted": decision.adopted, "report": decision.report, "results": results}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a judged set: products, queries, judgments")
    parser.add_argument("--work", type=Path, help="keep the tuned model in this folder")
    parser.add_argument("--weight", type=float, action="append", default=[], help="measure this merge weight too")
    parser.add_argument("--json", type=Path, help="write every figure here")
    arguments = parser.parse_args()
    if not (arguments.folder / "queries.csv").is_file():
        print(f"skipped: {arguments.folder} holds no judged set (products, queries.csv, judgments.csv)")
        return 0
    work = arguments.work or Path(tempfile.mkdtemp(prefix="training-effect-"))
    try:
        results = measure(arguments.folder, work, arguments.weight)
    finally:
        if arguments.work is None:
            shutil.rmtree(work, ignore_errors=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
