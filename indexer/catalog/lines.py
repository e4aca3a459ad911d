"""Physical lines with their numbers, bounded in length, that can be handed back and read again."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator


class RowTooLong(Exception):
    """The row being read outgrew the bound: one giant line, or a quote that never closes."""


class NumberedLines(Iterator[str]):
    """An iterator for csv.reader that knows where each row began.

    Attributes:
        number: physical number of the last line given out (1 = first line of the file).
        taken: the lines given out since `start_row`.
    """

    def __init__(self, stream: io.TextIOBase, max_row_characters: int, max_reread_characters: int) -> None:
        self._stream = stream
        self._max = max_row_characters
        self._reread_left = max_reread_characters
        self._again: deque[str] = deque()
        self._taken_characters = 0
        self.taken: list[str] = []
        self.number = 0

    def start_row(self) -> None:
        """Forget the lines of the row before."""
        self.taken = []
        self._taken_characters = 0

    def __next__(self) -> str:
        if self._taken_characters > self._max:
            raise RowTooLong
        line = self._again.popleft() if self._again else self._read_line()
        self.number += 1
        self.taken.append(line)
        self._taken_characters += len(line)
        if len(line) > self._max:
            raise RowTooLong
        return line

    def _read_line(self) -> str:
        line = self._stream.readline(self._max + 1)
        if not line:
            raise StopIteration
        if len(line) > self._max:  # keep only its beginning; the rest is read past, piece by piece
            piece = line
            while piece and not piece.endswith(("\n", "\r")):
                piece = self._stream.readline(self._max + 1)
        return line

    def hand_back(self) -> None:
        """Give all lines of this row but the first another chance, while the budget for reading again lasts."""
        rest = self.taken[1:]
        size = sum(map(len, rest))
        if size > self._reread_left:
            return
        self._reread_left -= size
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)
