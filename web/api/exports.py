"""Every result of a search as a file: CSV for spreadsheets, JSONL for programs; both are catalogs again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar, Literal

from flask import Blueprint, Response, request
from pydantic import Field
from werkzeug.datastructures import MultiDict

from search.engine import Engine
from search.export import LINES, products_of
from search.request import MAX_WINDOW, SearchRequest
from web.api.openapi import operation
from web.api.revalidation import revalidated
from web.api.schemas import FIND, SearchParameters, search_request
from web.api.validation import InvalidParameters, parsed, said_twice
from web.asking import ask
from web.caching import uncached
from web.live import current_engine
from web.serving.limits import count_as

exports = Blueprint("exports", __name__)
EXPORT = "/api/v1/search:export"
LINES_AT_ONCE = 100  # sent together: each piece costs a turn of the compressor and of the server
MIMETYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


class ExportParameters(SearchParameters):
    """The parameters of a search and the form of the file; it has every result and no counts, so nothing of a page."""

    format: Literal["csv", "jsonl"] = Field("csv", description="csv for spreadsheets, jsonl for programs.")
    # A class variable of its name takes a parameter away.
    page: ClassVar[Any]  # type: ignore[misc]
    per_page: ClassVar[Any]  # type: ignore[misc]
    facets: ClassVar[Any]  # type: ignore[misc]
    explain: ClassVar[Any]  # type: ignore[misc]


@exports.get(EXPORT)
@operation(
    "exportSearch", "Every result of a search as a file", "search", parameters=ExportParameters,
    media=tuple(MIMETYPES.values()), headers=("X-Total-Count", "X-Release", "X-Sequence"),
)  # fmt: skip
@revalidated
def export_search() -> Response:
    """Give the products of the whole relevant set in its order, at most 10,000, while they are read.

    The CSV file begins with a byte order mark, for Excel, and an apostrophe stands before what a spreadsheet would take
    for a formula; `python -m indexer build` takes it off again. `X-Total-Count` says how many products there are.
    Limits count a file as a request for every hundred products.
    """
    engine = current_engine()
    asked, file_format = asked_of(request.args.copy(), engine)
    results = ask(engine, replace(asked, facets=(), page=1, per_page=1), "export")
    folding = engine.release.folding if asked.fold else None
    rows = results.rows if folding is None else folding.first_rows(results.rows)
    lines = LINES[file_format](products_of(engine.release.products, rows[:MAX_WINDOW]))
    count_as(-(-min(len(rows), MAX_WINDOW) // LINES_AT_ONCE))
    response = Response(_in_chunks(lines), mimetype=MIMETYPES[file_format])
    response.implicit_sequence_conversion = False  # else its length is asked on its way, which reads it all into memory
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name(asked.q, file_format)}"'
    response.headers["X-Total-Count"] = str(results.total)
    response.headers["X-Release"] = results.release
    response.headers["X-Sequence"] = str(results.sequence)
    return uncached(response) if results.degraded else response


def _in_chunks(lines: Iterator[str]) -> Iterator[str]:
    while chunk := "".join(islice(lines, LINES_AT_ONCE)):
        yield chunk


def asked_of(values: MultiDict[str, str], engine: Engine) -> tuple[SearchRequest, str]:
    """Return the search and the form of the file that an address asks for.

    Raises:
        InvalidParameters, QueryError: as for a search, and for what only pages have.
    """
    given = values.poplist("format")
    if len(given) > 1:
        raise InvalidParameters([("format", said_twice("format", given))])
    file_format = parsed(ExportParameters, {"format": given[0]} if given else {}).format
    gone = SearchParameters.model_fields.keys() - ExportParameters.model_fields.keys()
    wrong = [name for name in values if name in gone or name.startswith(FIND)]
    if wrong:
        raise InvalidParameters(
            [(name, f'"{name}" is of a page; a file has every result, no counts') for name in wrong]
        )
    return search_request(values, engine), file_format


def file_name(q: str, file_format: str) -> str:
    """Return a file's name after a search: lower-case ASCII letters, digits and hyphens, so nothing needs quoting.

    >>> file_name('Red dress\\r\\nSet-Cookie: "x"', "csv")
    'red-dress-set-cookie-x.csv'
    """
    words = re.sub(r"[^a-z0-9]+", "-", q.casefold()).strip("-")[:60].strip("-")
    return f"{words or 'products'}.{file_format}"
