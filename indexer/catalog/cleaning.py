"""Plain text from what shops put into text cells: markup, entities, control characters, odd spacing."""

from __future__ import annotations

import html
import re
import unicodedata
from itertools import pairwise

from selectolax.lexbor import LexborHTMLParser

TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")
LOOSE_ANGLE = re.compile(r"<(?![a-zA-Z/!?][^<>]*>)")  # "size < 5": to a parser, the start of a tag that eats the rest
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
BLOCK = re.compile(
    r"(?i)(?=</?(?:address|article|aside|blockquote|br|caption|center|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|"
    r"h[1-6]|header|hr|img|legend|li|main|nav|ol|option|p|pre|section|select|table|tbody|td|tfoot|th|thead|tr|ul)\b)"
)
# Left out of the text with all they hold.
UNSEEN = ["script", "style", "head", "noscript", "template", "iframe", "object", "svg", "math"]
# C0 and C1 controls, soft hyphen, zero-width space, byte order mark; and the bidirectional embeddings and overrides,
# which can turn the text around them. Joiners stay (emoji need them), as do the marks RTL text uses.
INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\u202a-\u202e]")
# Exports escape text once for HTML and once more for XML; beyond this many rounds somebody is playing.
MAX_ROUNDS = 4
# The parser's time grows with the square of the nesting (5 s for 40,000 open tags), so it gets pieces.
MAX_TAGS_A_PIECE = 2_000


def plain_text(text: str) -> str:
    """Return the text on one line, without markup, entities or control characters, in Unicode NFC.

    >>> plain_text("<p>Red &amp; blue</p><p>100&nbsp;% cotton</p>")
    'Red & blue 100 % cotton'
    """
    if text.isascii() and text.isprintable() and "<" not in text and "&" not in text:
        return " ".join(text.split())  # most cells
    for _ in range(MAX_ROUNDS):
        cleaned = _unmarked(text)
        if cleaned == text:
            break
        text = cleaned
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(INVISIBLE.sub("", text).split())


def _unmarked(text: str) -> str:
    if "<" in text and TAG.search(text):
        return "".join(map(_parsed, _pieces(BLOCK.sub(" ", LOOSE_ANGLE.sub("&lt;", text)))))
    if "&" in text:
        return ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    return text


def _parsed(markup: str) -> str:
    tree = LexborHTMLParser(markup)
    tree.strip_tags(UNSEEN, recursive=True)
    return tree.body.text() if tree.body else ""  # a frameset has no body, and no text


def _pieces(markup: str) -> list[str]:
    tags = [tag.start() for tag in TAG.finditer(markup)]
    cuts = [0, *tags[MAX_TAGS_A_PIECE::MAX_TAGS_A_PIECE], len(markup)]
    return [markup[start:end] for start, end in pairwise(cuts)]
