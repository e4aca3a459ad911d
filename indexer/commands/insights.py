"""What visitors look for and what comes of it: insights, and their clicks as judgments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.commands.options import AS_JSON, fails_plainly, print_json

if TYPE_CHECKING:
    from search.state.insights import Insights, Query

SURFACE = click.option("--surface", type=click.Choice(["page", "api"]), default="page", show_default=True,
                       help="Searches of the shop's pages, or of programs.")  # fmt: skip


@click.group(invoke_without_command=True)
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="How far back.")
@SURFACE
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="Rows of each list.")
@AS_JSON
@click.pass_context
@fails_plainly
def insights(context: click.Context, days: int, surface: str, limit: int, as_json: bool) -> None:
    """Tell what people looked for and whether they found it."""
    if context.invoked_subcommand is not None:
        return
    from search.home import default_home
    from search.state.insights import insights_of

    found = insights_of(default_home().events, days=days, surface=surface, limit=limit)
    print_json(found.as_json()) if as_json else click.echo(as_text(found))


@insights.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Judgments to write, a CSV.")
@click.option("--queries", type=click.Path(path_type=Path), required=True, help="Their queries to write, a CSV.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How far back.")
@SURFACE
@AS_JSON
@fails_plainly
def judgments(out: Path, queries: Path, days: int, surface: str, as_json: bool) -> None:
    """Write what visitors clicked as judgments that build and evaluate read; where a product stood is allowed for."""
    from indexer.evaluation.clicks import judgments_of, write_judgments
    from search.home import default_home

    found = judgments_of(default_home().events, days=days, surface=surface)
    asked, judged = write_judgments(found, queries, out)
    told = {
        "queries": asked, "left_out": len(found.grades) - asked, "judgments": judged,
        "searches": found.searches, "clicks": found.clicks, "eta": round(found.eta, 3),
        "eta_error": round(found.eta_error, 3),
    }  # fmt: skip
    if as_json:
        print_json(told)
        return
    click.echo(
        f"{asked:,} queries and {judged:,} judgments from {found.searches:,} searches and "
        f"{found.clicks:,} clicks\n"
        f"a product at position k is looked at k^-{found.eta:.2f} as often as the first (standard error "
        f"{found.eta_error:.2f})"
    )


def as_text(found: Insights) -> str:
    """Return the insights as tables for a terminal."""
    lines = [
        f"{found.since[:10]} to {found.until[:10]}, surface {found.surface}",
        f"{found.searches:,} searches, {found.browsed:,} times all products or a category were browsed",
        f"without results {_share(found.without_results, found.searches)}, "
        f"weak {_share(found.weak, found.searches)}, by words alone {_share(found.by_words_alone, found.searches)}",
        f"clicked {_share(found.clicked, found.clickable)} of those that showed something, "
        f"mean position {_number(found.mean_position)}, reciprocal rank {_number(found.reciprocal_rank)}",
        "events: " + (", ".join(f"{count:,} {kind}" for kind, count in found.events.items()) or "none"),
    ]
    days = [(day.date, day.searches, day.without_results, day.weak, day.clicked) for day in found.days]
    lines += _table("a day", ("date", "searches", "no results", "weak", "clicked"), days)
    for title, queries in (
        ("most asked", found.top), ("nothing found", found.empty), ("nothing fits well", found.weakest),
        ("never clicked", found.unclicked),
    ):  # fmt: skip
        lines += _table(title, ("query", "searches", "no results", "weak", "clicked", "position"), _rows(queries))
    lines += _table(
        "asked anew within five minutes, * may mean the same", ("first", "then", "times", "clicked", ""),
        [(one.before, one.after, one.count, one.clicked, "*" if one.may_mean_the_same else "")
         for one in found.reformulations],
    )  # fmt: skip
    lines += _table("narrowed by", ("filter", "searches"), [tuple(asdict(one).values()) for one in found.narrowed_by])
    return "\n".join(lines)


def _rows(queries: Sequence[Query]) -> list[tuple[Any, ...]]:
    return [
        (one.text, one.searches, one.without_results, one.weak,
         "-" if one.click_through is None else f"{one.click_through:.0%}", _number(one.mean_position))
        for one in queries
    ]  # fmt: skip


def _table(title: str, header: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the lines of a table, texts to the left and numbers to the right; none for no rows."""
    if not rows:
        return []
    texts = [[f"{value:,}" if isinstance(value, int) else str(value) for value in row] for row in rows]
    widths = [min(60, max(map(len, column))) for column in zip(header, *texts, strict=True)]
    is_text = [isinstance(value, str) and header[place] in _TEXTS for place, value in enumerate(rows[0])]

    def line(values: Sequence[str]) -> str:
        cells = [
            value[:width].ljust(width) if left else value.rjust(width)
            for value, width, left in zip(values, widths, is_text, strict=True)
        ]
        return "  ".join(cells).rstrip()

    return ["", title, line(header), *map(line, texts)]


_TEXTS = {"query", "first", "then", "filter", "date"}


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})" if whole else "0"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
