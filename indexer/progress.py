"""Progress for people: a bar with rate and ETA on a terminal, a plain line now and then elsewhere, always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

PLAIN_EVERY_SECONDS = 10.0


class Progress:
    """Says what the build is doing, and how long each stage took.

    Attributes:
        seconds: stage -> seconds it took, in order.
        now: what is being done.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None):
        self.stream = stream or sys.stderr
        self.quiet = quiet
        self.seconds: dict[str, float] = {}
        self.now = "beginning"
        self._bar: tqdm | None = None
        self._spoke_at = 0.0
        self._began_at = 0.0

    def say(self, text: str) -> None:
        """Print one line."""
        if not self.quiet:
            tqdm.write(text, file=self.stream)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and announce it."""
        started = time.perf_counter()
        self.now = name
        self.say(f"{name} ...")
        try:
            yield
        finally:
            self._close()
        self.seconds[name] = round(time.perf_counter() - started, 2)
        self.say(f"{name}: {self.seconds[name]:.1f} s")

    def step(self, what: str, done: int, total: int) -> None:
        """Report that `done` of `total` units of `what` are finished; total 0 means it is not known."""
        if self.quiet:
            return
        if self.stream.isatty():
            self._draw(what, done, total)
        else:
            self._write_plainly(what, done, total)

    def _draw(self, what: str, done: int, total: int) -> None:
        if self._bar is None or self._bar.desc != what:
            self._close()
            self._bar = tqdm(total=total or None, desc=what, unit="", file=self.stream, leave=False)
        self._bar.n = done
        self._bar.refresh()
        if total and done >= total:
            self._close()

    def _write_plainly(self, what: str, done: int, total: int) -> None:
        now = time.perf_counter()
        if done == 0 or now < self._began_at:
            self._began_at = now
        if now - self._spoke_at < PLAIN_EVERY_SECONDS:
            return
        self._spoke_at = now
        rate = done / max(now - (self._began_at or now), 1e-9)
        left = f", {(total - done) / rate:.0f} s left" if total and done and self._began_at < now else ""
        self.say(f"  {what}: {done:,}{f' of {total:,}' if total else ''}{left}")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._began_at = 0.0
