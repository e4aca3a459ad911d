"""What `dimensions` found, as JSON, as a table for the terminal and as a page with a plot."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.dimensions import RULE, Bench, Measured, Told, recommended, served
from indexer.evaluation.compare import Comparison
from indexer.questions import Questions
from indexer.report.page import page_template
from indexer.sparse import KINDS, SparseIndex
from search.dense import PQ_CENTROIDS, PRECISIONS
from search.encoder import Encoder
from search.errors import AisleError
from search.passages import texts_of
from search.product import Product
from search.reduction import has_full_vectors
from search.release import Release

TIMED = 50  # queries turned into vectors one by one, to tell how long that takes
PLOT_WIDTH, PLOT_HEIGHT, MARGIN = 760, 420, 56
BAR = 20  # characters


@dataclass(frozen=True)
class DimensionReport:
    """Every setting measured on one release, and the one to choose.

    Attributes:
        release, catalog, encoder: names.
        rows: products.
        questions: what was asked.
        measured: full float32 first.
        choice: one of them.
        served: the hybrid with the choice against without, on judged queries; None where there were none, or
            nothing is to be changed.
        encoder_ms, sparse_ms: medians, of turning one query into its vector.
        seconds: the whole took.
        notes: what people should know.
    """

    release: str
    catalog: str
    encoder: str
    rows: int
    questions: str
    measured: tuple[Measured, ...]
    choice: Measured
    served: Comparison | None
    encoder_ms: float
    sparse_ms: float
    seconds: float
    notes: tuple[str, ...]

    @property
    def command(self) -> str:
        """The build that follows the recommendation; "" when nothing is to be changed."""
        full, choice = self.measured[0], self.choice
        options = f" --dim {choice.dim}" if choice.dim < full.dim else ""
        options += f" --precision {choice.precision}" if choice.precision != full.precision else ""
        return f"python -m indexer build {self.catalog}{options}" if options else ""

    @property
    def advice(self) -> str:
        """The recommendation in a sentence."""
        choice, full = self.choice, self.measured[0]
        if choice is full:
            return f"Keep {full.dim} dimensions in float32: every smaller setting loses more than the rule allows."
        return (
            f"{choice.dim} dimensions in {choice.precision}: {choice.stored:,.0f} bytes a product in place of "
            f"{full.stored:,.0f}, of which {choice.bytes:,.0f} in place of {full.bytes:,.0f} are searched; nDCG@10 "
            f"{told(choice)} in place of {told(full)} ({change_of(choice)}), and "
            f"{choice.recall:.1%} of the exact search's first hundred."
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data."""
        return {
            "release": self.release, "catalog": self.catalog, "encoder": self.encoder, "rows": self.rows,
            "questions": self.questions, "rule": RULE, "settings": [one.as_json() for one in self.measured],
            "recommendation": {**self.choice.as_json(), "advice": self.advice, "command": self.command or None},
            "served": None if self.served is None else self.served.as_json(),
            "query_vector_ms": {"encoder": round(self.encoder_ms, 3), "sparse": round(self.sparse_ms, 3)},
            "seconds": round(self.seconds, 1), "notes": list(self.notes),
        }  # fmt: skip

    def as_text(self) -> str:
        """Return the table, the recommendation and the rule for people."""
        lines = [
            f"release {self.release}: {self.rows:,} products of {self.catalog}, {self.encoder}",
            f"{self.questions}; the leg by meaning alone",
            "",
            f"{'':<26}{'nDCG@10':>8}  {'change, 95 %':<17}{'Recall@100':>10}{'index B':>9}{'stored B':>9}"
            f"{'build s':>9}{'query ms':>10}  nDCG@10",
        ]
        best = max(one.ndcg or 0.0 for one in self.measured)
        for one in self.measured:
            bar = "█" * round(BAR * (one.ndcg or 0.0) / best) if best > 0 else ""
            lines.append(
                f"{'→ ' if one is self.choice else '  '}{name_of(one):<24}{told(one):>8}  {change_of(one):<17}"
                f"{one.recall:10.3f}{one.bytes:9,.0f}{one.stored:9,.0f}"
                f"{one.build_seconds:9.1f}{one.query_ms:10.2f}  {bar}"
            )
        lines += ["", f"Recommended: {self.advice}", *([f"  {self.command}"] if self.command else [])]
        if self.served is not None:
            found = self.served.differences["nDCG@10"]
            lines.append(
                f"  As served, words and meaning together: nDCG@10 {found.mean_a:.3f} -> {found.mean_b:.3f} "
                f"({found.change.low:+.3f} to {found.change.high:+.3f}, {len(self.served.query_ids)} queries)"
            )
        lines += ["", f"Rule: {RULE}", *(f"Note: {note}" for note in self.notes)]
        return "\n".join(lines)

    def write_page(self, path: Path) -> None:
        """Write everything as one page that needs nothing else."""
        page = page_template("dimensions.html").render(
            report=self,
            rule=RULE,
            name_of=name_of,
            told=told,
            change_of=change_of,
            plot=plot_of(self.measured, self.choice),
        )
        path.write_text(page, "utf-8")


def told(one: Measured) -> str:
    """Return a setting's nDCG@10, as people read it."""
    return "–" if one.ndcg is None else f"{one.ndcg:.3f}"


def change_of(one: Measured) -> str:
    """Return the interval of its change."""
    return "–" if one.change is None else f"{one.change.low:+.3f} to {one.change.high:+.3f}"


def name_of(one: Measured) -> str:
    """Return what a setting is called in a table."""
    if one.kind == "dense":
        return f"{one.dim} {one.precision}"
    if one.kind == "truncated":
        return f"{one.dim} float32, not turned"
    return f"{KINDS[one.kind]}, {one.dim:,} words"


def report_of(
    release: Release, encoder: Encoder, products: Sequence[Product], questions: Questions, tell: Told
) -> DimensionReport:
    """Measure every setting on a release and choose.

    Args:
        release: with the encoder's own vectors in float32.
        encoder: of the release.
        products: of the release, as they were when they were embedded.
        questions: to ask.
        tell: called with (what, done, total).

    Raises:
        AisleError: the release holds shorter or coarser vectors.
    """
    started = time.perf_counter()
    expect_full(release)
    texts = list(questions.texts.values())
    tell("encoding queries", 0, len(texts))
    vectors = encoder.encode_queries(texts)
    ids = [product.id for product in products]
    bench = Bench(release.dense.embeddings, release.segments, ids, questions, vectors, release.ranking.pool)
    dense = bench.dense(tell)
    choice = recommended(dense)
    passages = [text.passage for text in texts_of(products)]
    measured = (*dense, *bench.sparse(passages))
    index = SparseIndex("tf-idf", passages)
    hybrid = None
    if questions.is_judged and choice is not dense[0]:
        hybrid = served(release, encoder, choice, questions, tell)
    notes = [
        "Bytes are a product's share: 'index' of the file that is searched, 'stored' of all that a release keeps of "
        "meaning: the index, the rotation, the sentences of the second look and, in float32, embeddings.npy."
    ]
    notes.append(
        f"Of its {index.columns:,} columns a sparse index stores those that a passage has a word for. Stored whole, in "
        f"float32, they would take {4 * index.columns:,} bytes a product."
    )
    if not questions.is_judged:
        notes.append(
            "The queries are words of the passages themselves, which TF-IDF and one-hot find by construction: their "
            "nDCG@10 is told only with judged queries (--queries and --judgments)."
        )
    if not bench.can_store(dense[0].dim, "pq"):
        notes.append(f"pq was left out: it is learnt from at least {PQ_CENTROIDS} products, and there are {len(ids)}.")
    return DimensionReport(
        release.name, str(release.manifest["catalog"].get("name", "CATALOG")), encoder.name, len(ids), questions.kind,
        measured, choice, hybrid,
        _milliseconds(lambda text: encoder.encode_queries([text]), texts), _milliseconds(index.vector, texts),
        time.perf_counter() - started, tuple(notes),
    )  # fmt: skip


def expect_full(release: Release) -> None:
    """Check that a release holds the encoder's own vectors.

    Raises:
        AisleError: it does not; the message says how to get one that does.
    """
    if has_full_vectors(release.manifest):
        return
    record = release.manifest["vectors"]
    raise AisleError(
        f"release {release.name} holds {record['dim']} of {record['of']} dimensions in {record['precision']}; what was "
        "left out cannot be measured. Build one beside it, which encodes nothing again, and measure that: python -m "
        f"indexer build {release.manifest['catalog'].get('name', 'CATALOG')} --out whole, then dimensions --index whole"
    )


def _milliseconds(call: Any, texts: Sequence[str]) -> float:
    spent = []
    for text in texts[:TIMED]:
        started = time.perf_counter()
        call(text)
        spent.append((time.perf_counter() - started) * 1000)
    return float(np.median(spent))


def plot_of(measured: Sequence[Measured], choice: Measured) -> dict[str, Any]:
    """Return the coordinates of a plot of nDCG@10 over bytes a product (a logarithmic axis), for the template.

    One line a precision, one for what was cut without a turn, and a mark for each sparse index.
    """
    measured = [one for one in measured if one.ndcg is not None]
    sizes, values = [one.bytes for one in measured], [one.ndcg or 0.0 for one in measured]
    octaves = (math.floor(math.log2(min(sizes))), math.floor(math.log2(max(sizes))) + 1)
    tenths = (math.floor(min(values) * 20), math.ceil(max(values) * 20))
    tenths = (tenths[0], max(tenths[1], tenths[0] + 1))

    def x(size: float) -> float:
        return round(MARGIN + (math.log2(size) - octaves[0]) / (octaves[1] - octaves[0]) * (PLOT_WIDTH - 2 * MARGIN), 1)

    def y(value: float) -> float:
        share = (value * 20 - tenths[0]) / (tenths[1] - tenths[0])
        return round(PLOT_HEIGHT - MARGIN - share * (PLOT_HEIGHT - 2 * MARGIN), 1)

    def point(one: Measured) -> dict[str, Any]:
        says = f"{name_of(one)}: {one.bytes:,.0f} bytes, nDCG@10 {told(one)}, Recall@100 {one.recall:.3f}"
        return {"x": x(one.bytes), "y": y(one.ndcg or 0.0), "dim": one.dim, "says": says, "is_choice": one is choice}

    lines = [(name, [one for one in measured if (one.kind, one.precision) == ("dense", name)]) for name in PRECISIONS]
    lines.append(("not turned", [one for one in measured if one.kind == "truncated"]))
    lines += [(KINDS[one.kind], [one]) for one in measured if one.kind in KINDS]
    return {
        "width": PLOT_WIDTH, "height": PLOT_HEIGHT, "left": MARGIN, "bottom": PLOT_HEIGHT - MARGIN,
        "labelled": next((name for name in reversed(PRECISIONS) if dict(lines)[name]), ""),
        "series": [
            {"name": name, "place": place, "points": [point(one) for one in members]}
            for place, (name, members) in enumerate(lines)
            if members
        ],
        "across": [{"at": x(2**power), "label": f"{2**power:,}"} for power in range(octaves[0], octaves[1] + 1)],
        "up": [{"at": y(step / 20), "label": f"{step / 20:.2f}"} for step in range(tenths[0], tenths[1] + 1)],
    }  # fmt: skip
