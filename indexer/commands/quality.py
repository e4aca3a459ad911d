"""How good a release is: evaluate, compare, search."""

from __future__ import annotations

from pathlib import Path

import click

from indexer.commands.options import AS_JSON, FILE, INDEX, MODE, fails_plainly, print_json

WRITTEN = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@click.option("--queries", type=FILE, required=True)
@click.option("--judgments", type=FILE, required=True)
@INDEX
@MODE
@click.option("--run", "run_path", type=click.Path(path_type=Path), help="Write the ranking as a TREC run.")
@click.option("--cutoff", is_flag=True, help="Measure what the page shows, after the relevance cut-off.")
@click.option("--interpret", type=click.IntRange(0, 1), default=1, show_default=True,
              help="0: read no constraints and correct no words.")  # fmt: skip
@AS_JSON
@fails_plainly
def evaluate(
    queries: Path,
    judgments: Path,
    index: Path | None,
    mode: str,
    run_path: Path | None,
    cutoff: bool,
    interpret: int,
    as_json: bool,
) -> None:
    """Measure the ranking against judged queries."""
    from dataclasses import asdict

    from indexer.evaluation.engine_run import evaluate_engine
    from indexer.evaluation.judgments import read_judgments, read_kinds, read_queries, write_run
    from indexer.evaluation.measures import by_kind
    from indexer.progress import Progress
    from search.engine import Engine

    engine = Engine.open(index)
    answers = evaluate_engine(
        engine, read_queries(queries), read_judgments(judgments), mode=mode, cutoff=cutoff, interpret=bool(interpret),
        on_progress=Progress().step,
    )  # fmt: skip
    if run_path:
        write_run(run_path, answers.run, engine.release.name)
    settings = {"ranking": asdict(engine.release.ranking), "lexical": asdict(engine.release.lexical.settings),
                "encoder": engine.release.manifest["encoder"], "cutoff": cutoff,
                "interpret": bool(interpret)}  # fmt: skip
    kinds = by_kind(answers.evaluation, read_kinds(queries))
    data = {**answers.evaluation.as_json(), "kinds": {name: kind.as_json() for name, kind in kinds.items()},
            "mode": mode, "release": engine.release.name, "settings": settings}  # fmt: skip
    if as_json:
        print_json(data)
        return
    click.echo(f"release {engine.release.name}, mode {mode}\n{answers.evaluation.as_text()}")
    for name, kind in kinds.items():
        found = kind.interval
        click.echo(
            f"{name:<18}{found.mean:7.3f}   {found.low:.3f} to {found.high:.3f}   {kind.queries} queries, nDCG@10"
        )


@click.command()
@click.argument("run_a", type=FILE)
@click.argument("run_b", type=FILE)
@click.option("--judgments", type=FILE, required=True)
@AS_JSON
@fails_plainly
def compare(run_a: Path, run_b: Path, judgments: Path, as_json: bool) -> None:
    """Compare two TREC runs: paired bootstrap, wins and losses per query."""
    from indexer.evaluation.compare import compare as compare_runs
    from indexer.evaluation.judgments import read_judgments, read_run

    comparison = compare_runs(read_run(run_a), read_run(run_b), read_judgments(judgments))
    print_json(comparison.as_json()) if as_json else click.echo(comparison.as_text())


@click.command()
@click.argument("query")
@INDEX
@MODE
@click.option("--per-page", default=10, show_default=True)
@click.option("--explain", is_flag=True, help="Show each leg's score and rank.")
@click.option("--csv", "csv_file", type=WRITTEN, help="Write every result to a CSV file that `check` and `build` read.")
@click.option("--jsonl", "jsonl_file", type=WRITTEN, help="Write every result to a JSONL file.")
@AS_JSON
@fails_plainly
def search(
    query: str, index: Path | None, mode: str, per_page: int, explain: bool, csv_file: Path | None,
    jsonl_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Ask the live release; the same answer as the API."""
    from search.engine import Engine
    from search.export import LINES, products_of

    engine = Engine.open(index)
    results = engine.search(query, mode=mode, per_page=per_page, explain=explain)
    for file_format, path in (("csv", csv_file), ("jsonl", jsonl_file)):
        if path is not None:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.writelines(LINES[file_format](products_of(engine.release.products, results.rows)))
    if as_json:
        print_json(results.as_json())
        return
    more = "at least " if results.total_relation == "at_least" else ""
    click.echo(f"{more}{results.total:,} products ({results.confidence}), {results.took_ms} ms")
    for hit in results.hits:
        price = "" if hit.product.price is None else f"{hit.product.price:,.2f} {hit.product.currency}".strip()
        click.echo(f"{hit.rank:3} {hit.score:.3f}  {hit.product.title}  {price}  [{hit.id}]  {'; '.join(hit.why)}")
        if hit.explain:
            click.echo(f"           {', '.join(f'{key} {value}' for key, value in hit.explain.items())}")
