"""Work that a second process does while this one does something else.

The second process is a fork: it has all that this one holds, products above all, without a byte being copied for it.
A fork of a process with threads may wait for ever for a lock that one of them held, and libraries with threads of their
own may fail in it. So it is made only where this process has one thread of Python's, and its work is Python and NumPy
alone. It shares this process's open files too, the lock of the build among them, and closes them first.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from search.cpus import available_cpus

LEAST_CPUS = 2
LEAST_URGENT = 19
FIRST_OWN_FILE = 3  # above standard input, output and errors


class Ahead:
    """Functions of nothing, called ahead of being asked for; where they could not be, they are called when asked for.

    Nothing is lost but time when the second process fails, is killed or runs out of memory: what it did not give is
    made here, and an error is raised from here.

    Args:
        work: by name; they change nothing, touch no file, and what they return can be pickled.
        is_worthwhile: whether to begin at once in a second process.
    """

    def __init__(self, work: Mapping[str, Callable[[], Any]], is_worthwhile: bool = True):
        self._work = dict(work)
        self._made: dict[str, Any] = {}
        self._process: multiprocessing.process.BaseProcess | None = None
        if is_worthwhile and can_fork():
            self._begin()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._end(self._process)

    def take(self, name: str) -> Any:
        """Return what the function of this name returns; once, for nothing is kept."""
        while self._process is not None and name not in self._made:
            try:
                made, value = self._results.recv()
                self._made[made] = value
            except (EOFError, OSError):
                self._end(self._process)
        return self._made.pop(name) if name in self._made else self._work[name]()

    def _begin(self) -> None:
        context = multiprocessing.get_context("fork")
        self._results, sending = context.Pipe(duplex=False)
        process = context.Process(target=_all_of, args=(self._work, sending), daemon=True)
        with warnings.catch_warnings():
            # Python 3.12 warns of forks in processes with threads, of which NumPy's, not Python's, can be left here.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        sending.close()
        self._process = process

    def _end(self, process: multiprocessing.process.BaseProcess) -> None:
        self._results.close()
        process.join()
        self._process = None


def can_fork() -> bool:
    """Return whether a fork is safe and has a CPU to run on."""
    is_alone = threading.active_count() == 1
    return is_alone and "fork" in multiprocessing.get_all_start_methods() and available_cpus() >= LEAST_CPUS


def _all_of(work: Mapping[str, Callable[[], Any]], sending: Connection) -> None:
    """Send what the functions return, one after the other, up to the first that fails.

    Who reads it may be long in doing so: a thread waits for that, and the work goes on. It takes a CPU only where none
    is wanted: two threads that encode, of which one waits for the other, would both lose what it took.
    """
    os.closerange(FIRST_OWN_FILE, sending.fileno())
    os.closerange(sending.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    os.nice(LEAST_URGENT)
    # An error is met again, and told of, where the work is then done.
    with suppress(BaseException), ThreadPoolExecutor(1) as sender:
        for name, make in work.items():
            sender.submit(sending.send, (name, make()))
