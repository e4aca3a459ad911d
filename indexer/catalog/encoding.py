"""Which encoding a text catalog is in: BOM, strict UTF-8 over the whole file, then charset-normalizer."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from charset_normalizer import CharsetMatches, from_bytes

from indexer.catalog.files import opened
from search.errors import CatalogError

CHUNK_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 18  # of distinct lines with non-ASCII bytes; pure ASCII lines tell nothing

# Longest first: the UTF-32 mark begins with the UTF-16 one.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What shop software really writes. Left free, charset-normalizer read short Cyrillic lines as shift_jis_2004.
CANDIDATES = [
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp1257",
    "koi8_r",
    "cp932",
    "euc_jp",
    "euc_kr",
    "gb18030",
    "big5",
]
NOT_ASCII = re.compile(rb"[\x80-\xff]")
BAD = re.compile("\udc80")
GOOD = re.compile("[\u0080-\ud7ff\ue000-\U0010ffff]")
# Damaged UTF-8 still holds mostly valid sequences; in another encoding nearly every accented byte is invalid.
DAMAGED_SHARE = 0.2


def encoding_of(path: Path, gzipped: bool, wanted: str = "") -> str:
    """Return the codec name to read the catalog with; raises CatalogError for a wanted codec that does not exist."""
    if wanted:
        try:
            return codecs.lookup(wanted).name
        except LookupError:
            raise CatalogError(f"unknown encoding {wanted!r}; use a name such as utf-8 or cp1252") from None
    with opened(path, gzipped) as file:
        head = file.read(4096)
    for mark, name in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return name
    if head.count(0) > len(head) // 5:  # every other byte of Latin text in UTF-16; valid UTF-8, so ask before
        return "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
    return _utf8_or_guess(path, gzipped)


def _utf8_or_guess(path: Path, gzipped: bool) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("aisle.mark")
    good = bad = 0
    with opened(path, gzipped) as file:
        while chunk := file.read(CHUNK_BYTES):
            text = decoder.decode(chunk)
            if not text.isascii():
                bad += len(BAD.findall(text))
                good += len(GOOD.findall(text))
    bad += len(decoder.decode(b"", final=True))
    if bad <= DAMAGED_SHARE * good:  # 0 <= 0 for plain ASCII
        return "utf-8"
    return _guess(_telling_lines(path, gzipped))


def _telling_lines(path: Path, gzipped: bool) -> bytes:
    lines: dict[bytes, None] = {}  # a dict, for distinct lines in file order
    size = 0
    with opened(path, gzipped) as file:
        while size < SAMPLE_BYTES and (line := file.readline(SAMPLE_BYTES)):
            if NOT_ASCII.search(line) and line not in lines:
                lines[line] = None
                size += len(line)
    return b"".join(lines)


def _guess(sample: bytes) -> str:
    matches = from_bytes(sample, cp_isolation=CANDIDATES)
    best = matches.best() or from_bytes(sample).best()
    if best is None:
        return "cp1252"
    return "cp1252" if _western_is_as_likely(matches) else best.encoding


def _western_is_as_likely(matches: CharsetMatches) -> bool:
    # "Café crème" reads as clean text in cp1250 and cp1257 too ("Cafê", "crčme"); Western European files are far
    # more common, so these need better evidence than a tie. Polish, Czech or Turkish text wins on coherence.
    best = matches.best()
    western = next((match for match in matches if "cp1252" in match.could_be_from_charset), None)
    if best is None or western is None:
        return False
    return western.chaos <= best.chaos + 0.05 and western.coherence >= best.coherence
