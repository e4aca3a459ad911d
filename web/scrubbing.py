"""What may be written to a log: one line a record, no control characters, no keys, wherever a caller put them."""

from __future__ import annotations

import logging
import re
from copy import copy

from search.state.keys import scrubbed

# C0 and C1 controls and DEL steer terminals; U+2028/9 end lines in some readers; U+202A-E and U+2066-9 reverse text.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    """Return a text with every character that could end a line or steer a terminal written as an escape."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Scrubbed(logging.Formatter):
    """Another formatter's records, made safe.

    What a record says is put on one line before it is formatted; of a traceback, the following lines are indented
    after, so that none of them can pass for a record of its own.
    """

    def __init__(self, inner: logging.Formatter):
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as the inner formatter writes it, made safe."""
        safe = copy(record)
        safe.msg, safe.args = one_line(record.getMessage()), None
        safe.exc_text = None
        first, *rest = self._inner.format(safe).split("\n")
        return scrubbed("\n    ".join(map(one_line, [first, *rest])))
