"""Where the text of each segment stands in its passage, found out once so that no answer asks the tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search.arrays import Rows
from search.encoder import Encoder
from search.segments import segment_spans

TOGETHER = 1024  # passages given to the tokenizer at once


def spans_of(passages: Sequence[str], starts: Rows, encoder: Encoder) -> NDArray[np.int32]:
    """Return (segments, 2) int32: start and end of each segment; -1 where text and segments do not fit each other.

    The tokenizer is asked only about passages that have fewer segments than sentences: most have one for each.

    Args:
        passages: (n,) in row order.
        starts: (n + 1,) int64; the segments of row r lie from starts[r] to starts[r + 1].
        encoder: that gave them.
    """
    spans = np.full((int(starts[-1]), 2), -1, np.int32)
    doubtful = []
    for row, passage in enumerate(passages):
        found = segment_spans(passage)
        if len(found) == starts[row + 1] - starts[row]:
            spans[starts[row] : starts[row + 1]] = found
        else:
            doubtful.append(row)
    for at in range(0, len(doubtful), TOGETHER):
        rows = doubtful[at : at + TOGETHER]
        for row, found in zip(rows, encoder.segments_read([passages[row] for row in rows]), strict=True):
            if len(found) == starts[row + 1] - starts[row]:
                spans[starts[row] : starts[row + 1]] = found
    return spans
