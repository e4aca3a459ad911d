"""Options that several commands share, and how a command fails: one sentence and an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
MODE = click.option("--mode", type=click.Choice(["hybrid", "dense", "lexical"]), default="hybrid", show_default=True)
INDEX = click.option("--index", "index", type=click.Path(exists=True, path_type=Path), default=None,
                     help="A release folder or home; default: the live release.")  # fmt: skip


def fails_plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Turn expected errors into one sentence on stderr (or one JSON object) and the right exit code."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        from search.errors import AisleError, BuildRefused, ReleaseRefused, TooManyRejected

        try:
            command(*args, **options)
        except AisleError as error:
            if options.get("as_json"):
                print_json({"error": type(error).__name__, "detail": str(error)})
            click.echo(f"aisle: {error}", err=True)
            sys.exit(1 if isinstance(error, (BuildRefused, ReleaseRefused, TooManyRejected)) else 2)

    return wrapped


def print_json(data: Any) -> None:
    """Print JSON-ready data, for programs."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def mapping_of(text: tuple[str, ...]) -> dict[str, str]:
    """Return {our field: their header} of --map options such as "title=Name,id=SKU"."""
    pairs = [pair for part in text for pair in part.split(",") if pair.strip()]
    mapping = {}
    for pair in pairs:
        name, sign, header = pair.partition("=")
        if not sign or not name.strip():
            raise click.BadParameter(f'"{pair}" is not of the form field=Header, e.g. --map title=Name')
        mapping[name.strip()] = header.strip()
    return mapping


def share_of(text: str) -> float:
    """Return 0..1 of "5%", "5 %" or "0.05"."""
    try:
        share = float(text.replace("%", "").strip()) / (100 if "%" in text else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise click.BadParameter(f'"{text}" is not a share; write it like 5% or 0.05', param_hint="--max-rejected")
    return share
