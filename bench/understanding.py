"""How long reading a query takes, and counting facets: python bench/understanding.py --queries FILE [--index FOLDER]

Prints medians and 95th percentiles in milliseconds over the queries, each asked once: words read as conditions;
spelling; facets counted over what answers; suggestions after the second, fourth, sixth ... letter typed. One thread,
words alone, so that no encoder is waited for. With
--copies N the release's facet columns are laid end to end N times first, to see a larger catalog.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.evaluation.judgments import read_queries
from search.engine import Engine
from search.entries import Entries
from search.facet_counts import facets_json
from search.facets import FacetIndex
from search.request import SearchRequest
from search.scoring import matches_of


def repeated(facets: FacetIndex, copies: int) -> FacetIndex:
    """Return the facets of the same products so many times over."""
    rows = facets.rows * copies

    def entries(one: Entries) -> Entries:
        starts = np.concatenate([[0], np.cumsum(np.tile(np.diff(one.starts), copies))]).astype(np.int64)
        codes = np.tile(one.codes, copies)
        owners = np.repeat(np.arange(rows, dtype=np.int32), np.diff(starts))
        return Entries.of(owners, codes, rows, len(one.value_starts) - 1)

    together = entries(facets.entries)
    values = {
        name: replace(one, entries=together if one.entries is facets.entries else entries(one.entries))
        for name, one in facets.values.items()
    }
    numbers = {name: np.tile(column, copies) for name, column in facets.numbers.items()}
    return FacetIndex(values, numbers, rows, together)


@click.command()
@click.option("--queries", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--index", type=click.Path(exists=True, path_type=Path), default=None)
@click.option("--copies", type=click.IntRange(1), default=1, show_default=True)
def main(queries: Path, index: Path | None, copies: int) -> None:
    """Print the cost of understanding."""
    engine = Engine.open(index)
    release, facets = engine.release, repeated(engine.release.facets, copies)
    texts = [SearchRequest(q=text).q for text in read_queries(queries).values()]
    times: dict[str, list[float]] = {"conditions": [], "conditions and spelling": [], "facets": [], "together": []}
    for text in texts[:20]:
        release.interpreter.understood(text)
    for text in texts:
        started = time.perf_counter()
        release.interpreter.understood(text, correct=False)
        read = time.perf_counter()
        understood = release.interpreter.understood(text)
        spelt = time.perf_counter()
        scored = engine.scored(understood, "lexical")
        words = matches_of(release, scored.text, scored.mode)
        rows = words.rows[words.shares >= 0.5 * words.shares.max(initial=1e-9)].astype(np.int64)
        rows = np.concatenate([rows + copy * release.rows for copy in range(copies)])[: release.ranking.pool]
        asked = time.perf_counter()
        facets_json(facets, SearchRequest(), rows, lambda _, own=rows: own, None)
        done = time.perf_counter()
        for name, spent in zip(
            times, (read - started, spelt - read, done - asked, done - asked + spelt - read), strict=True
        ):
            times[name].append(spent * 1000)
    typed = [text[:length] for text in texts[:400] for length in range(2, len(text) + 1, 2)]
    times["suggestions"] = []
    for prefix in typed:
        started = time.perf_counter()
        engine.suggest(prefix[:128])
        times["suggestions"].append((time.perf_counter() - started) * 1000)
    known = len(release.interpreter.speller.counts)
    print(f"{facets.rows:,} products, {known:,} words, {len(facets.values)} facets, {len(texts)} queries")
    for name, spent in times.items():
        print(f"{name:<24} median {np.median(spent):6.2f} ms   p95 {np.percentile(spent, 95):6.2f} ms")


if __name__ == "__main__":
    main()
