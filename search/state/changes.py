"""Prices and stock that change between two releases: a small log beside them, its batches numbered and checksummed.

Three files in the home's state. `changes.log` holds a line a batch: checksum, sequence number, what changed.
`changes.sequence` holds the number of the last batch that was acknowledged; replacing it, in one rename after the log
is on disk, is what makes a batch valid, so a batch is there as a whole or not at all. `changes.lock` lets one process
write.

- The number only grows, whatever becomes of the log: it is kept in a file of its own.
- Reading takes no lock and changes nothing. What cannot be read is skipped and told; the rest stays valid.
- The next writer puts what cannot be read aside, under a name that says when, and goes on with the rest.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from search.durable import write_bytes_durably, write_durably
from search.errors import ChangesUnavailable
from search.state.batches import VERSION, Batch, Change, batch_of, distinct, header_of, line_of

logger = logging.getLogger("aisle.changes")
LOCK_SECONDS = 5.0  # how long another process may be writing
LEAST_REWRITTEN = 4_000_000  # bytes; a smaller log is left as it grew
_MEND = "mend its permissions or its disk, then try again"
GROWTH = 3  # a log this many times as long as when it was last rewritten is rewritten without what later batches undid


@dataclass(frozen=True)
class Reading:
    """What was read of a log.

    Attributes:
        sequence: number of the last acknowledged batch, 0 before the first.
        changes: by product id, all batches after the one asked for taken together.
        problems: what could not be read, a sentence each with what to do; [] when all is well.
    """

    sequence: int
    changes: Batch
    problems: list[str] = field(default_factory=list)


class _Scan(NamedTuple):
    """What was found in a log.

    Attributes:
        batches: the acknowledged ones that were read, in their order.
        sequence: number of the last acknowledged one.
        end: bytes up to and with the last sound batch; size: of the file.
        is_lossy: whether something that was acknowledged cannot be read.
        problems: as in `Reading`.
    """

    batches: list[tuple[int, Batch]]
    sequence: int
    end: int = 0
    size: int = 0
    is_lossy: bool = False
    problems: Sequence[str] = ()


class _Place(NamedTuple):
    """Up to where a log was read and found sound; its first line is different after every rewriting."""

    header: bytes
    offset: int
    sequence: int


class ChangeLog:
    """The changes of a home. Safe to share between threads, and with other processes.

    Args:
        path: of the log; the other two files lie beside it.
    """

    def __init__(self, path: Path):
        self.path = path
        self.mark = path.with_suffix(".sequence")
        self._lock = threading.Lock()
        self._place: _Place | None = None

    # -- reading --

    @property
    def sequence(self) -> int:
        """Number of the last acknowledged batch, 0 before the first; one small file is read.

        Raises:
            ChangesUnavailable: it cannot be read now.
        """
        marked = self._marked()
        return self._scan(0).sequence if marked is None else marked

    @property
    def stamp(self) -> tuple[int, int, int] | None:
        """What is different after every change, for one `stat`; None while there were no changes."""
        try:
            found = self.mark.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self, after: int = 0) -> Reading:
        """Return all that changed after a batch, taken together; when called again and again only what is new is read.

        Raises:
            ChangesUnavailable: the log is there and cannot be opened, or is of another version.
        """
        scan = self._scan(after)
        changes: Batch = {}
        for number, batch in scan.batches:
            if number > after:
                changes.update({one: change.after(changes.get(one)) for one, change in batch.items()})
        return Reading(scan.sequence, changes, list(scan.problems))

    def problems(self) -> list[str]:
        """Return what is wrong with the log or was put aside of it, a sentence each; [] when every checksum fits."""
        try:
            found = list(self._scan(0).problems)
        except ChangesUnavailable as error:
            found = [str(error)]
        return found + [
            f"{one} holds changes of prices and stock that could not be read; send again what the shop's own system "
            "has, then delete this file"
            for one in sorted(self.path.parent.glob(f"{self.path.stem}.damaged-*"))
        ]

    def _marked(self) -> int | None:
        """Return the number in the small file; None when it is missing or holds none."""
        try:
            text = self.mark.read_text("ascii")
        except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
            return None
        except OSError as error:
            raise ChangesUnavailable(
                f"{self.mark} cannot be read ({error}); mend its permissions or its disk, then try again"
            ) from error
        return int(text) if text.endswith("\n") and text[:-1].isdigit() and len(text) < 20 else None

    def _scan(self, after: int) -> _Scan:
        """Read the log; only what is new, if all it was read up to is not later than the batch `after`."""
        # First the mark, then the log: whatever the mark acknowledges is in the log by then.
        marked = self._marked()
        try:
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                header, place = file.readline(), self._place
                if place is None or header != place.header or place.offset > size or place.sequence > after:
                    place = _Place(header, self._start(header), 0)
                file.seek(place.offset)
                found = self._sound(file, place, marked)._replace(size=size)
                self._place = None if found.problems else place._replace(offset=found.end, sequence=found.sequence)
                return found
        except (FileNotFoundError, NotADirectoryError):
            return _Scan([], marked or 0, 0, 0, bool(marked), [_missing(self.path, 0, marked)] if marked else [])
        except OSError as error:
            raise ChangesUnavailable(
                f"{self.path} cannot be read ({error}); mend its permissions or its disk, then try again"
            ) from (error)

    def _start(self, header: bytes) -> int:
        """Return where the first batch begins.

        Raises:
            ChangesUnavailable: the log is of another version.
        """
        if not header.startswith(b"aisle-changes ") or not header.endswith(b"\n"):
            return 0  # damaged: the line counts as one
        if header.split()[1] != str(VERSION).encode():
            raise ChangesUnavailable(
                f"{self.path} is of another version than this program reads ({VERSION}); serve with the program that "
                "wrote it, or move it away, publish the catalog and send later prices again"
            )
        return len(header)

    def _sound(self, lines: Iterable[bytes], place: _Place, marked: int | None) -> _Scan:
        """Return the acknowledged batches among the lines from a place on."""
        batches: list[tuple[int, Batch]] = []
        offset, end, last = place.offset, place.offset, place.sequence
        damaged = unread = 0
        for line in lines:
            offset += len(line)
            read = batch_of(line, last)
            if read is None:
                unread += 1  # damage, or the end of a write that was cut off: what follows tells
                continue
            if marked is not None and read[0] > marked:
                break  # never acknowledged
            batches.append(read)
            last, end, damaged, unread = read[0], offset, damaged + unread, 0
        problems = []
        if marked is None or last < marked:
            damaged += unread
        if damaged:
            problems.append(
                f"{self.path}: {damaged} damaged lines; all other changes stay valid, and the next one puts these "
                "aside; send the prices and stock of that time again"
            )
        if marked is None:
            problems.append(f"{self.mark} is missing or damaged; the next change writes it again")
        elif last < marked:
            problems.append(_missing(self.path, last, marked))
        is_lossy = damaged > 0 or (marked is not None and last < marked)
        return _Scan(batches, last if marked is None else marked, end, 0, is_lossy, problems)

    # -- writing --

    def write(self, changes: Mapping[str, Change], least: int = 0) -> int:
        """Add a batch and return its number; then it is on disk, and every reader sees all of it.

        Args:
            changes: by product id.
            least: the number is larger than this one too, which a release knows though the log may be lost.

        Raises:
            ChangesUnavailable: nothing was changed; the message says what to do.
        """
        with self._writing():
            scan = self._repaired()
            number = max(scan.sequence, least) + 1
            self._append(line_of(number, changes), number)
            self._shorten()
            return number

    def forget(self, up_to: int) -> None:
        """Let go of what every kept release knows of its own: all that changed up to a batch.

        Raises:
            ChangesUnavailable: nothing was changed.
        """
        if self.stamp is None and not self.path.exists():
            return
        with self._writing():
            self._repaired()
            scan = self._scan(0)
            if any(number <= up_to and batch for number, batch in scan.batches):
                self._rewrite([one for one in scan.batches if one[0] > up_to], scan.sequence)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the home's one writer at a time; what the disk says against it becomes a sentence."""
        with self._lock:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with _locked(self.path.with_suffix(".lock")):
                    yield
            except OSError as error:
                raise ChangesUnavailable(_reason(error, self.path)) from error

    def _repaired(self) -> _Scan:
        """Return what is new in the log; damage is put aside, and what was never acknowledged is cut off."""
        if self.stamp is None and not self.path.exists():
            write_durably(self.mark, "0\n")  # from here on, a missing one is damage
        scan = self._scan(self._place.sequence if self._place else 0)
        if scan.problems:
            scan = self._scan(0)
            self._put_aside(scan)
        elif scan.size > scan.end:
            logger.warning("%s: the end of a change that was cut off, and never acknowledged, is taken out", self.path)
            os.truncate(self.path, scan.end)
        return scan

    def _put_aside(self, scan: _Scan) -> None:
        """Go on with what can be read; what is wrong, and the log as it was, are kept under another name."""
        for problem in scan.problems:
            logger.error("%s", problem)
        content = self.path.read_bytes() if self.path.exists() else b""
        if scan.is_lossy:
            aside = self.path.with_name(f"{self.path.stem}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
            write_bytes_durably(aside, "\n".join([*scan.problems, "", ""]).encode() + content)
            logger.error("%s as it was is kept as %s", self.path, aside)
        self._rewrite(scan.batches, scan.sequence)
        write_durably(self.mark, f"{scan.sequence}\n")

    def _append(self, line: bytes, number: int) -> None:
        """Put a batch on the disk and make it valid; whatever fails, the log is as it was."""
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        size = os.fstat(handle).st_size
        try:
            try:
                _write_whole(handle, line if size else header_of(0) + line)
                os.fsync(handle)
                write_durably(self.mark, f"{number}\n")
            except OSError:
                if self._marked() != number:  # it did not become valid
                    with suppress(OSError):
                        os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)

    def _shorten(self) -> None:
        """Rewrite a log that has grown without what later batches undid."""
        try:
            size = self.path.stat().st_size
            if size < LEAST_REWRITTEN:
                return
            with self.path.open("rb") as file:
                parts = file.readline(64).split()
            if size > GROWTH * int(parts[2]):
                scan = self._scan(0)
                self._rewrite(scan.batches, scan.sequence)
        except (OSError, ValueError, IndexError, ChangesUnavailable) as error:  # the change itself is on disk
            logger.warning("%s is not shortened: %s", self.path, error)

    def _rewrite(self, batches: list[tuple[int, Batch]], sequence: int) -> None:
        """Put a log of what these batches come to in the old one's place; it ends with the last number given."""
        kept = distinct(batches)
        if not kept or kept[-1][0] < sequence:
            kept.append((sequence, {}))
        content = b"".join(line_of(number, batch) for number, batch in kept)
        write_bytes_durably(self.path, header_of(len(content)) + content)
        self._place = None


def _missing(path: Path, last: int, marked: int) -> str:
    return (
        f"{path} ends with change {last}, but {marked} were acknowledged; what is missing cannot be known here: send "
        "the prices and stock of the shop's own system again, or publish the catalog anew"
    )


def _write_whole(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that its holder's death releases.

    Raises:
        ChangesUnavailable: another process holds it for too long.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            import fcntl
        except ImportError:  # not a POSIX system: one process writes there, and threads have a lock of their own
            yield
            return
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise ChangesUnavailable(
                        f"another process has been writing for over {LOCK_SECONDS:g} s; send the changes again"
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(handle)


def _reason(error: OSError, path: Path) -> str:
    """Return why nothing could be written, and what to do, for the person who runs the shop."""
    import errno

    cure = {
        errno.ENOSPC: "free some room on its disk", errno.EDQUOT: "free some room on its disk",
        errno.EROFS: "let its disk be written to", errno.EACCES: "let this user write there",
        errno.EPERM: "let this user write there",
    }.get(error.errno or 0, "look after its disk")  # fmt: skip
    return f"nothing was changed: {path} cannot be written ({error.strerror or error}); {cure}, then send it again"
