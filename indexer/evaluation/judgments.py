"""Queries, relevance judgments and runs: the three kinds of file an evaluation reads.

CSV (also gzipped; comma, tab or semicolon) with a header, or the formats of TREC: qrels `query 0 product grade`
and runs `query Q0 product rank score tag`. TREC fields end at a blank, so blanks inside an id are written %20.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from search.errors import EvaluationError

Queries = dict[str, str]  # query id -> text
Judgments = dict[str, dict[str, float]]  # query id -> product id -> grade, higher is better
Run = dict[str, list[tuple[str, float]]]  # query id -> (product id, score), best first

MAX_GRADE = 30.0  # the gain is 2^grade: beyond this one product hides all others, and soon the number range ends
_QUERIES_FORMAT = "a CSV with the columns query_id,query"
_JUDGMENTS_FORMAT = 'a CSV with the columns query_id,product_id,grade, or TREC qrels lines "query 0 product grade"'
_RUN_FORMAT = 'TREC run lines "query Q0 product rank score tag"'


def read_queries(path: Path | str) -> Queries:
    """Return query id -> query text, in file order.

    Raises:
        EvaluationError: naming line and column, for a file that is unreadable, empty, lacks a column, holds an
            empty value or repeats a query id.
    """
    source = _Source.open(path, _QUERIES_FORMAT)
    queries: Queries = {}
    for line, (query_id, query) in source.csv_rows(("query_id", "query")):
        if query_id in queries:
            raise source.error(line, "query_id", f'"{query_id}" was given before; keep one row per query')
        queries[query_id] = query
    return queries


def read_kinds(path: Path | str) -> dict[str, str]:
    """Return query id -> its kind, from a queries file with a `kind` column; {} for one without.

    Raises:
        EvaluationError: as `read_queries`, and for an empty kind.
    """
    source = _Source.open(path, _QUERIES_FORMAT)
    if not any("kind" in _header(source.first_line(), mark) for mark in (",", "\t", ";")):
        return {}
    return {query_id: kind for _, (query_id, kind) in source.csv_rows(("query_id", "kind"))}


def read_judgments(path: Path | str) -> Judgments:
    """Return query id -> product id -> grade, in file order; grades may be fractional.

    Raises:
        EvaluationError: naming line and column, for a file that is unreadable, empty, lacks a column, holds an
            empty id, a grade that is no number, or a pair twice.
    """
    source = _Source.open(path, _JUDGMENTS_FORMAT)
    rows = _qrels_rows(source) if source.looks_like_qrels() else source.csv_rows(("query_id", "product_id", "grade"))
    judgments: Judgments = {}
    for line, (query_id, product_id, grade) in rows:
        graded = judgments.setdefault(query_id, {})
        if product_id in graded:
            raise source.error(line, "product_id", f'"{product_id}" was judged before for query "{query_id}"')
        graded[product_id] = _grade(source, line, grade)
    return judgments


def read_run(path: Path | str) -> Run:
    """Return query id -> [(product id, score)] from a TREC run, best score first, equal scores by rank.

    Raises:
        EvaluationError: naming line and column, for a file that is unreadable or empty, a line without six
            fields, a rank or score that is no number, or a product twice for a query.
    """
    source = _Source.open(path, _RUN_FORMAT)
    ranked: dict[str, dict[str, tuple[float, int]]] = {}
    for line, fields in source.blank_separated(("query", "Q0", "product", "rank", "score", "tag")):
        query_id, _, product_id, rank, score, _ = fields
        query_id, product_id = _decoded(query_id), _decoded(product_id)
        products = ranked.setdefault(query_id, {})
        if product_id in products:
            raise source.error(line, "product", f'"{product_id}" was ranked before for query "{query_id}"')
        if not re.fullmatch(r"\d{1,9}", rank):
            raise source.error(line, "rank", f'"{rank}" is not a whole number')
        products[product_id] = (-source.number(line, "score", score), int(rank))
    return {
        query_id: [(product_id, -keys[0]) for product_id, keys in sorted(products.items(), key=lambda item: item[1])]
        for query_id, products in ranked.items()
    }


def write_run(path: Path | str, run: Run, tag: str) -> None:
    """Write a TREC run (gzipped when the name ends in .gz); `read_run` gives the same run back.

    Blanks and per cent signs in ids are percent-encoded. Queries without any product leave no line.

    Raises:
        EvaluationError: an empty id, a score that is no finite number, or scores that rise down the ranking
            (every other reader sorts by score and would see another ranking).
    """
    lines = []
    for query_id, ranking in run.items():
        above = math.inf
        for rank, (product_id, score) in enumerate(ranking, 1):
            where = f'run "{tag}", query "{query_id}", rank {rank}'
            if not query_id or not product_id:
                raise EvaluationError(f"{where}: an empty id cannot be written; give every query and product an id")
            if not math.isfinite(score) or score > above:
                raise EvaluationError(f"{where}: score {score} after {above}; scores must be finite and never rise")
            above = score
            lines.append(f"{_encoded(query_id)} Q0 {_encoded(product_id)} {rank} {float(score)!r} {_encoded(tag)}\n")
    data = "".join(lines).encode("utf-8")
    Path(path).write_bytes(gzip.compress(data, mtime=0) if Path(path).suffix == ".gz" else data)


@dataclass(frozen=True)
class _Source:
    """One decoded input file that can say where in it something is wrong."""

    path: Path
    text: str
    wanted: str  # the format, for messages

    @classmethod
    def open(cls, path: Path | str, wanted: str) -> _Source:
        path = Path(path)
        try:
            data = path.read_bytes()
            if data.startswith(b"\x1f\x8b"):
                data = gzip.decompress(data)
        except OSError as error:  # a damaged gzip header is one too
            raise EvaluationError(f"{path} cannot be read ({error}); expected {wanted}") from error
        except (EOFError, zlib.error) as error:
            raise EvaluationError(f"{path} is a damaged gzip file ({error}); copy or compress it again") from error
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
            raise EvaluationError(
                f"{path}, line {line}, byte {column}: not UTF-8 text ({error.reason}); save the file as UTF-8"
            ) from error
        if not text.strip():
            raise EvaluationError(f"{path} is empty; expected {wanted}")
        return cls(path, text, wanted)

    def error(self, line: int, column: str, what: str) -> EvaluationError:
        """Return the error to raise about one value; line 1 is the first line of the file."""
        return EvaluationError(f"{self.path}, line {line}, column {column}: {what}")

    def number(self, line: int, column: str, value: str) -> float:
        """Return the value as a finite number."""
        try:
            number = float(value) if "_" not in value else math.nan  # Python alone reads 1_000
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.error(line, column, f'"{value}" is not a number; write it like 2 or 1.5')
        return number

    def first_line(self) -> str:
        """Return the first line that is not blank."""
        return re.split(r"[\r\n]", self.text.strip(), maxsplit=1)[0].strip()

    def looks_like_qrels(self) -> bool:
        """Return whether the first line is `query 0 product grade` and not a CSV header."""
        fields = self.first_line().split()
        return len(fields) == 4 and (fields[1] in {"0", "Q0"} or bool(re.fullmatch(r"-?\d+(\.\d+)?", fields[3])))

    def csv_rows(self, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield (line, the values of the columns, without surrounding blanks); no value is empty."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self._delimiter(columns), strict=True)
        places: list[int] = []
        rows = 0
        try:
            for row in reader:
                if not any(value.strip() for value in row):
                    continue
                if not places:
                    header = [name.strip().casefold() for name in row]
                    places = [header.index(column) for column in columns]
                    continue
                if len(row) != len(header):
                    raise EvaluationError(
                        f"{self.path}, line {reader.line_num}: {len(row)} columns where the header has {len(header)}; "
                        "put values that hold the separator in double quotes"
                    )
                values = [row[place].strip() for place in places]
                if "" in values:
                    raise self.error(reader.line_num, columns[values.index("")], "is empty; fill it or delete the row")
                rows += 1
                yield reader.line_num, values
        except csv.Error as error:
            raise EvaluationError(f"{self.path}, line {reader.line_num}: broken CSV ({error})") from error
        if not rows:
            raise EvaluationError(f"{self.path} holds a header but no rows; expected {self.wanted}")

    def _delimiter(self, columns: Sequence[str]) -> str:
        """Return the separator under which the header holds every column."""
        headers = {mark: _header(self.first_line(), mark) for mark in (",", "\t", ";")}
        for mark, header in headers.items():
            if set(columns) <= set(header):
                return mark
        missing = [column for column in columns if column not in max(headers.values(), key=len)]
        raise EvaluationError(
            f'{self.path}, line 1: no column {", ".join(missing)} in the header "{self.first_line()[:120]}"; '
            f"expected {self.wanted}"
        )

    def blank_separated(self, names: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield (line, fields) of every line that is not blank; each has exactly these fields."""
        for line, text in enumerate(self.text.split("\n"), 1):
            fields = re.split(r"[ \t]+", text.strip(" \t\r"))
            if fields == [""]:
                continue
            if len(fields) != len(names):
                raise EvaluationError(
                    f'{self.path}, line {line}: {len(fields)} fields where "{" ".join(names)}" has {len(names)}; '
                    f"expected {self.wanted}, with blanks inside an id written %20"
                )
            yield line, fields


def _header(line: str, delimiter: str) -> list[str]:
    """Return the header's names under one delimiter, or none when they cannot be told apart."""
    try:
        return [name.strip().casefold() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _qrels_rows(source: _Source) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, [query id, product id, grade]) of TREC qrels."""
    for line, (query_id, _, product_id, grade) in source.blank_separated(("query", "0", "product", "grade")):
        yield line, [_decoded(query_id), _decoded(product_id), grade]


def _grade(source: _Source, line: int, value: str) -> float:
    grade = source.number(line, "grade", value)
    if grade > MAX_GRADE:
        raise source.error(
            line, "grade", f"{value} is above {MAX_GRADE:g}; the gain is 2^grade, so scale grades to e.g. 0..3"
        )
    return grade


def _is_reserved(letter: str) -> bool:
    """Return whether a letter would end or garble a TREC field."""
    return letter.isspace() or letter == "%" or not letter.isprintable()


def _encoded(text: str) -> str:
    return "".join(quote(letter, safe="") if _is_reserved(letter) else letter for letter in text)


def _decoded(text: str) -> str:
    """Undo `_encoded`; a foreign id such as "50%off" or "%41" that it would never have written stays as it is."""

    def letters(match: re.Match[str]) -> str:
        decoded = unquote(match[0])
        return decoded if all(map(_is_reserved, decoded)) else match[0]

    return re.sub(r"(?:%[0-9A-F]{2})+", letters, text)
