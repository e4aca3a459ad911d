"""Faults at the border to the system: every place in our code that touches a file is found by running it, then broken.

A site is a kind of call (open for writing, rename, fsync, a statement of SQLite, ...) and the two innermost lines of
our own packages that lead to it: one function that writes is told apart by who calls it. Nothing is listed by hand:
Python's audit hooks tell of opens, renames, removals, folders and permissions, and the few calls that they do not tell
of (fsync, SQLite's statements, FAISS's files) are wrapped.

At a site one of these happens:

* "error": the call fails with an errno;
* "kill": SIGKILL, before the call is made;
* "short": from here on the kernel cuts every file at a few bytes (RLIMIT_FSIZE), so that writes of numpy, FAISS, SQLite
  and Python end in the middle, as on a full disk: part is written, then an error;
* "torn": the same, and the kernel kills the process in the middle of that write (SIGXFSZ).
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = tuple(str(ROOT / name) + os.sep for name in ("indexer", "search", "web"))
KINDS = ("error", "kill", "short", "torn")
WRITING_ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)
READING_ERRORS = (errno.EIO, errno.EACCES, errno.EMFILE)
SHORT_BYTES = 10  # what a new file still takes
_PATHS = {  # audit events and which of their arguments is a path
    "open": 0, "os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.chmod": 0, "os.link": 1,
    "os.symlink": 1, "os.truncate": 0, "os.listdir": 0, "os.scandir": 0, "sqlite3.connect": 0,
}  # fmt: skip
_ONLY_READ = {"read", "os.listdir", "os.scandir"}


class Site(NamedTuple):
    """A place in our code that touches a file.

    Attributes:
        call: what is called, such as "os.rename"; "read" and "write" are opens.
        line: such as "search/durable.py:33 search/releases.py:39".
    """

    call: str
    line: str


class Fault(NamedTuple):
    """What goes wrong, and where: at the first time the site is come by, or the last."""

    site: Site
    kind: str
    code: int = 0
    time: int = 1


class Tracer:
    """Sees each call at the border while it is on, for the rest of this process: audit hooks cannot be taken out.

    Args:
        root: calls outside of this folder are nobody's business.
        fault: what to break; None only looks.

    Attributes:
        seen: how often each site was come by.
    """

    def __init__(self, root: Path, fault: Fault | None = None):
        self.root, self.fault = str(root), fault
        self.seen: dict[Site, int] = {}
        self.has_struck = False
        self.is_on = False
        self._inside = False

    def install(self) -> None:
        """Begin to look; from the main thread."""
        if self.fault is not None and self.fault.kind == "torn":
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.addaudithook(self._audited)
        self._wrap_fsync()
        self._wrap_sqlite()
        self._wrap_faiss()
        self.is_on = True

    def _audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on or self._inside or event not in _PATHS:
            return
        path = arguments[_PATHS[event]]
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a descriptor: the call by which it was opened was seen
        name = os.fsdecode(path)
        if event == "sqlite3.connect":
            name = _database(name)
        if not name.startswith(self.root) and event not in ("os.remove", "os.rmdir"):  # rmtree gives bare names
            return
        call = event
        if event == "open":
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            is_written = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND)
            call = "write" if is_written else "read"
        self._come_by(call, name, _sqlite_error if event == "sqlite3.connect" else None)

    def _come_by(self, call: str, path: str, made: Callable[[int], Exception] | None = None) -> None:
        self._inside = True  # what follows opens and reads itself
        try:
            line = _our_line()
        finally:
            self._inside = False
        if line is None:
            return
        site = Site(call, line)
        self.seen[site] = self.seen.get(site, 0) + 1
        if self.fault is not None and self.fault.site == site and self.seen[site] == self.fault.time:
            self._strike(path, made)

    def _strike(self, path: str, made: Callable[[int], Exception] | None) -> None:
        assert self.fault is not None
        self.has_struck = True
        kind, code = self.fault.kind, self.fault.code
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "error":
            raise made(code) if made else OSError(code, os.strerror(code), path)
        grown = [one.stat().st_size for one in (Path(path), Path(f"{path}-wal")) if one.is_file()]
        limit = max(grown, default=0) + SHORT_BYTES
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    def _wrap_fsync(self) -> None:
        real = os.fsync

        def fsync(handle: int) -> None:
            path = str(Path(f"/proc/self/fd/{handle}").readlink())
            if self.is_on and path.startswith(self.root):
                self._come_by("os.fsync", path)
            real(handle)

        os.fsync = fsync

    def _wrap_sqlite(self) -> None:
        tracer, real = self, sqlite3.connect

        class Watched(sqlite3.Connection):
            path = ""

            def _come_by(self, statement: str) -> None:
                if statement.strip() and tracer.is_on and self.path.startswith(tracer.root):
                    tracer._come_by(f"sqlite {statement.split()[0].upper()}", self.path, _sqlite_error)

            def execute(self, sql: str, *rest: Any) -> Any:
                self._come_by(sql)
                return super().execute(sql, *rest)

            def executemany(self, sql: str, *rest: Any) -> Any:
                self._come_by(sql)
                return super().executemany(sql, *rest)

            def executescript(self, sql: str) -> Any:
                self._come_by(sql)
                return super().executescript(sql)

            def commit(self) -> None:
                self._come_by("COMMIT")
                super().commit()

        def connect(path: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
            connection = real(path, *arguments, **{"factory": Watched, **options})
            connection.path = _database(os.fsdecode(path))
            return connection

        sqlite3.connect = connect  # type: ignore[assignment]

    def _wrap_faiss(self) -> None:
        import faiss

        real_write, real_read = faiss.write_index, faiss.read_index

        def write_index(index: Any, path: str, *rest: Any) -> None:
            if self.is_on and path.startswith(self.root):
                self._come_by("faiss.write_index", path, _faiss_error)
            real_write(index, path, *rest)

        def read_index(path: str, *rest: Any) -> Any:
            if self.is_on and path.startswith(self.root):
                self._come_by("faiss.read_index", path, lambda code: _faiss_error(code, "reading"))
            return real_read(path, *rest)

        faiss.write_index, faiss.read_index = write_index, read_index


def errors_of(site: Site) -> tuple[int, ...]:
    """Return the errnos that a call of this kind may well fail with."""
    is_read = site.call in _ONLY_READ or site.call in ("faiss.read_index", "sqlite SELECT")
    return READING_ERRORS if is_read else WRITING_ERRORS


def _our_line() -> str | None:
    """Return the two innermost lines of our packages on this thread's stack; None when there is none."""
    frame, lines = sys._getframe(2), []
    while frame is not None and len(lines) < 2:
        if frame.f_code.co_filename.startswith(PACKAGES):
            lines.append(f"{os.path.relpath(frame.f_code.co_filename, ROOT)}:{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    return " ".join(lines) or None


def _database(name: str) -> str:
    """Return the path in what SQLite is given to open."""
    return name.removeprefix("file:").removeprefix("//").split("?")[0]


def _sqlite_error(code: int) -> Exception:
    """Return what SQLite makes of an errno."""
    said = {errno.ENOSPC: "database or disk is full", errno.EROFS: "attempt to write a readonly database"}
    return sqlite3.OperationalError(said.get(code, "disk I/O error"))


def _faiss_error(code: int, doing: str = "writing") -> Exception:
    """Return what FAISS makes of an errno, in its words."""
    said = f"Error: 'f' failed: could not open x for {doing}: {os.strerror(code)}"
    return RuntimeError(f"Error in faiss::FileIOWriter::FileIOWriter(const char*) at /faiss/impl/io.cpp:131: {said}")
