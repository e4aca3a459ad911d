"""Every result of a search as a file: CSV for spreadsheets, JSONL for programs; both are catalogs again."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal

from flask import Blueprint, Response, request
from pydantic import Field, create_model

from search.export import LINES, products_of
from search.request import MAX_WINDOW
from web.api import etag, is_complete, tagged
from web.live import current_engine
from web.openapi import operation
from web.schemas import FIND, InvalidParameters, Parameters, SearchParameters, search_request

exports = Blueprint("exports", __name__)
EXPORT = "/api/v1/search:export"
MIMETYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
# What decides how one page of an answer looks; a file has every result and no counts.
OF_A_PAGE = ("page", "per_page", "facets", "explain")
Format = Literal["csv", "jsonl"]

_kept: dict[str, Any] = {
    name: (field.annotation, field) for name, field in SearchParameters.model_fields.items() if name not in OF_A_PAGE
}
ExportParameters: type[Parameters] = create_model(
    "ExportParameters",
    __base__=Parameters,
    __doc__="The parameters of a search without those of its pages, and the form of the file.",
    format=(Format, Field("csv", description="csv for spreadsheets, jsonl for programs.")),
    **_kept,
)


@exports.get(EXPORT)
@operation("exportSearch", "Every result of a search as a file", "search", parameters=ExportParameters)
def export_search() -> Response:
    """Give the products of the whole relevant set in its order, at most 10,000, as they are read.

    The CSV file begins with a byte order mark, for Excel, and an apostrophe stands before a cell that a spreadsheet
    would take for a formula; `python -m indexer build` takes it off again. `X-Total-Count` says how many there are.
    """
    values = request.args.copy()
    file_format = values.pop("format", "csv")
    if file_format not in LINES:
        raise InvalidParameters([("format", f'format "{file_format:.40}" is not known; it is csv or jsonl')])
    for name in values:
        if name in OF_A_PAGE or name.startswith(FIND):
            raise InvalidParameters([(name, f'unknown parameter "{name}": an export has every result and no counts')])
    engine = current_engine()
    asked = search_request(values, engine)
    tag = etag(engine, asked, f"export {file_format}")
    if is_complete(engine, asked) and request.if_none_match.contains_weak(tag):
        return tagged(Response(status=304), tag)
    results = engine.search(replace(asked, facets=(), page=1, per_page=1))
    rows = (
        results.rows
        if not asked.fold or engine.release.folding is None
        else engine.release.folding.first_rows(results.rows)
    )
    lines = LINES[file_format](products_of(engine.release.products, rows[:MAX_WINDOW]))
    response = Response(lines, content_type=MIMETYPES[file_format])
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name(asked.q, file_format)}"'
    response.headers["X-Total-Count"] = str(results.total)
    response.headers["X-Release"] = results.release
    response.headers["Cache-Control"] = "no-store"
    return tagged(response, tag) if results.degraded is None else response


def file_name(q: str, file_format: str) -> str:
    """Return a file's name after a search: lower-case ASCII letters, digits and hyphens, so nothing needs quoting.

    >>> file_name('Red dress\\r\\nSet-Cookie: "x"', "csv")
    'red-dress-set-cookie-x.csv'
    """
    words = re.sub(r"[^a-z0-9]+", "-", q.casefold()).strip("-")[:60].strip("-")
    return f"{words or 'products'}.{file_format}"
