"""What fewer dimensions and coarser vectors would cost: dimensions."""

from __future__ import annotations

from pathlib import Path

import click

from indexer.commands.options import AS_JSON, FILE, INDEX, fails_plainly, print_json


@click.command()
@click.option("--queries", type=FILE, help="Judged queries; default: pseudo-queries of the catalog's descriptions.")
@click.option("--judgments", type=FILE, help="Their judgments.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write table and plot as a page.")
@INDEX
@AS_JSON
@fails_plainly
def dimensions(
    queries: Path | None, judgments: Path | None, out: Path | None, index: Path | None, as_json: bool
) -> None:
    """Measure dimensions and precisions on the live release's own vectors, and recommend one for `build`."""
    from indexer.boilerplate import boilerplate_of, without_boilerplate
    from indexer.dimension_report import expect_full, report_of
    from indexer.evaluation.judgments import read_judgments, read_queries
    from indexer.progress import Progress
    from indexer.questions import judged_questions, pseudo_questions
    from search.analysis import Analyzer
    from search.encoders import find_encoder
    from search.errors import AisleError
    from search.home import default_home, layout_of
    from search.release import open_release

    if (queries is None) != (judgments is None):
        raise AisleError("--judgments and --queries belong together; give both files")
    home = default_home()
    release = open_release(layout_of(index or home.root))
    expect_full(release)
    listed = list(release.products)
    products = without_boilerplate(listed, boilerplate_of(listed))
    if queries is not None and judgments is not None:
        questions = judged_questions(products, read_queries(queries), read_judgments(judgments))
    else:
        questions = pseudo_questions(products, Analyzer(release.manifest["language"]))
    encoder = find_encoder(release.manifest["encoder"], home)
    report = report_of(release, encoder, products, questions, Progress().step)
    if out is not None:
        report.write_page(out)
    print_json(report.as_json()) if as_json else click.echo(report.as_text())
