"""Catalog files as streams of bytes and text: gzip by its magic bytes, faults as CatalogError."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from search.durable import disk_cure
from search.errors import CatalogError

GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"

# A packed file may unpack to this many times its size; whatever the ratio, to this many bytes. Catalogs pack 3 to 20
# to one, an export that repeats itself 60; a decompression bomb 1,000 to one. A larger one can be unpacked by hand.
MAX_RATIO = 200
ALWAYS_ALLOWED_BYTES = 256 << 20

# What people hand over by mistake, told apart by the first bytes.
FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or zip archive; save the sheet as CSV (UTF-8), or unzip it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV (UTF-8)",
    b"BZh": "compressed with bzip2; unpack it or compress with gzip",
    b"\xfd7zXZ": "compressed with xz; unpack it or compress with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it or compress with gzip",
    b"%PDF": "a PDF; export the products as CSV",
    b"SQLite format 3": "a SQLite database; export the product table as CSV",
}

# Codecs mark what they cannot decode with this lone surrogate, which no valid text contains. surrogateescape
# will not do: with UTF-16 and the Asian codecs it raises on some byte sequences.
UNDECODABLE = "\udc80"
SURROGATE = re.compile("[\ud800-\udfff]")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error("aisle.mark", _mark)


def is_gzipped(path: Path) -> bool:
    """Tell whether the file starts with gzip's magic bytes, whatever its name."""
    with opened(path, gzipped=False) as file:
        return file.read(2) == GZIP


def most_unpacked(path: Path) -> int:
    """Return how many bytes a packed file may unpack to."""
    return max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * path.stat().st_size)


class _Bounded(io.RawIOBase):
    """Unpacked bytes, up to a bound."""

    def __init__(self, packed: gzip.GzipFile, path: Path):
        self._packed, self._path = packed, path
        self._left = most_unpacked(path)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._packed.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise CatalogError(
                f"{self._path} unpacks to more than {most_unpacked(self._path) >> 20} MiB, over {MAX_RATIO} times its "
                "size, as a decompression bomb does; if it is meant, unpack it first (gunzip) and read that"
            )
        return count


@contextmanager
def opened(path: Path, gzipped: bool) -> Iterator[IO[bytes]]:
    """Open the (unpacked) bytes; a damaged archive, or one that goes on and on, becomes a CatalogError."""
    try:
        if not gzipped:
            with path.open("rb") as file:
                yield file
            return
        with gzip.GzipFile(path) as packed, io.BufferedReader(_Bounded(packed, path), 1 << 17) as unpacked:
            yield cast(IO[bytes], unpacked)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CatalogError(f"{path} is a damaged gzip file ({error}); export or copy it again") from error
    except OSError as error:
        raise CatalogError(f"cannot read {path}: {disk_cure(error)}") from error


@contextmanager
def opened_text(path: Path, gzipped: bool, encoding: str) -> Iterator[io.TextIOWrapper]:
    """Open decoded text with its line ends as they are; what cannot be decoded reads as UNDECODABLE."""
    with opened(path, gzipped) as file, io.TextIOWrapper(file, encoding, errors="aisle.mark", newline="") as text:
        yield text


@contextmanager
def opened_seekable(path: Path, gzipped: bool) -> Iterator[IO[bytes]]:
    """Open bytes for random access; a gzipped file is unpacked to a temporary file first, not to memory."""
    with opened(path, gzipped) as file:
        if not gzipped:
            yield file
            return
        with tempfile.TemporaryFile() as unpacked:
            shutil.copyfileobj(file, unpacked)
            unpacked.seek(0)
            yield unpacked


def refuse_foreign(path: Path, head: bytes) -> None:
    """Raise CatalogError for formats that are not read, saying what to do instead."""
    for magic, advice in FOREIGN.items():
        if head.startswith(magic):
            raise CatalogError(f"{path} is {advice}")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if start.startswith((b"<?xml", b"<rss", b"<!doctype", b"<html")):
        raise CatalogError(f"{path} is XML or HTML; export the products as CSV, TSV, JSONL or Parquet")
    if start.startswith(b"["):
        raise CatalogError(f"{path} is one JSON array; write one object a line: jq -c '.[]' in.json > out.jsonl")
