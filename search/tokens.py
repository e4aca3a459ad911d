"""Tokens of texts: what reads them, and which of them make the segments of a passage."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from search.arrays import Floats, Mask, Rows, unit_rows
from search.segments import segment_spans
from search.token_batches import TokenBatch

LEAST_TOKENS = 4  # of a segment that has a vector of its own


class Tokens(NamedTuple):
    """The tokens of a text, special ones included, as the encoder gave them meaning.

    Attributes:
        vectors: (t, d) float32; their sum points where the text's own vector does.
        places: (t, 2) int64, the characters (from, to) that each stands for; special tokens end at 0.
    """

    vectors: Floats
    places: Rows


def whole_words(pieces: dict[str, int]) -> list[str]:
    """Return the words that a vocabulary, piece to number, holds as a whole, lower case, in its order."""
    marked = any(piece.startswith("▁") for piece in pieces)  # SentencePiece marks beginnings, WordPiece the rest
    whole = [piece for piece in sorted(pieces, key=pieces.__getitem__) if piece.startswith("▁") or not marked]
    return list(dict.fromkeys(piece.removeprefix("▁").casefold() for piece in whole))


def segment_means(passage: str, tokens: Floats, places: Any) -> list[Floats]:
    """Return the mean token vector of each segment that is long enough to mean something.

    Args:
        passage: the text.
        tokens: (t, d) float32, special tokens included.
        places: (t, 2) int, where in the text each token stands; special tokens end at 0.
    """
    return [tokens[inside].mean(axis=0) for _, inside in segments_in(passage, places)]


def segments_of(batch: TokenBatch, passages: Sequence[str]) -> Iterator[tuple[int, Floats]]:
    """Yield each passage of a batch that has segments long enough to mean something, and their (s, d) unit rows."""
    texts, firsts, ends = [], [], []
    for text, first, places in zip(batch.texts, batch.firsts.tolist(), batch.places, strict=True):
        for _, inside in segments_in(passages[text], places):
            tokens = np.flatnonzero(inside)
            texts.append(text)
            firsts.append(first + tokens[0])
            ends.append(first + tokens[-1] + 1)
    if not texts:
        return
    means = unit_rows(batch.means(np.array(firsts), np.array(ends)))
    cuts = np.flatnonzero(np.diff(texts)) + 1
    yield from zip(list(dict.fromkeys(texts)), np.split(means, cuts), strict=True)


def segments_in(passage: str, places: Any) -> Iterator[tuple[tuple[int, int], Mask]]:
    """Yield (start, end) of each segment of LEAST_TOKENS or more, and the mask of its tokens; `places` as above."""
    spans = segment_spans(passage)
    starts, ends = np.array(spans, np.int64).reshape(-1, 2, 1).swapaxes(0, 1)  # each (s, 1), against (t,) places
    inside = (places[:, 0] >= starts) & (places[:, 1] <= ends) & (places[:, 1] > 0)  # (s, t)
    for place in np.flatnonzero(inside.sum(axis=1) >= LEAST_TOKENS).tolist():
        yield spans[place], inside[place]


def segments_read_by(tokenizer: Any, passages: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Return for each passage the (start, end) of the segments that have vectors; of one without any, the whole.

    Args:
        tokenizer: of an encoder that pools by the mean; see `fast_tokenizer`.
        passages: texts.
    """
    read = tokenizer.encode_batch(list(passages))
    places = [np.array(one.offsets, np.int64).reshape(-1, 2) for one in read]
    spans = [[span for span, _ in segments_in(*one)] for one in zip(passages, places, strict=True)]
    return [found or [(0, len(passage))] for found, passage in zip(spans, passages, strict=True)]


def fast_tokenizer(written: str, max_tokens: int, side: str) -> Any:
    """Return a tokenizer which is never changed again: so threads may share it.

    Args:
        written: as the library `tokenizers` writes it.
        max_tokens: of a text, special ones included; the rest is cut off at `side`, "right" or "left".
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a fork after its threads start would hang
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(written)
    tokenizer.enable_truncation(max_tokens, direction=side)
    tokenizer.no_padding()  # a model's own file may pad every text to one length
    return tokenizer
