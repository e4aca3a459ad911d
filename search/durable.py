"""Files that are whole or absent after any crash: written aside, synced, renamed; and what a disk's refusal means."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from search.errors import DiskError

ABANDONED_SECONDS = 3600  # after which a file written aside is one of a process that was killed
_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP}  # by a file system that has no syncing of folders
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_OURS = {errno.EACCES, errno.EPERM}
_TOO_MANY = {errno.EMFILE, errno.ENFILE}
REFUSALS = _NOT_OURS | _TOO_MANY | {errno.EIO, errno.ENOMEM}  # of reading, whatever the file holds


def write_durably(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a text in a file's place, as `write_bytes_durably`."""
    write_bytes_durably(path, text.encode("utf-8"), mode)


def write_bytes_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put a content in a file's place in one rename; readers see the old one or the new one, never a part.

    Args:
        mode: the permissions of the file, less the process's umask.

    Raises:
        OSError: it cannot be written, and the old file stands; or the folder cannot be synced, and the new one stands
            until the power is cut.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")  # its own name: two may write at once
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync(path.parent)
    for other in path.parent.glob(f".{path.name}.*"):
        with suppress(OSError):
            if time.time() - other.stat().st_mtime > ABANDONED_SECONDS:
                other.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, and put their names on the disk.

    Raises:
        OSError: it cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in reversed(missing):
        sync(one.parent)


def sync(path: Path) -> None:
    """Put a file, or the names in a folder, on the disk.

    Raises:
        OSError: the disk could not take it. What was written before is not there, even if it can be read now.
    """
    if os.name == "nt" and path.is_dir():
        return  # folders cannot be opened there
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(handle)


def paths_in(folder: Path) -> list[Path]:
    """Return every file and folder that lies in a folder, however deep, in order.

    Raises:
        OSError: one cannot be listed; `Path.rglob` would say nothing of it and leave out what lies there.
    """

    def refuse(error: OSError) -> None:
        raise error

    return sorted(
        Path(parent, name) for parent, folders, files in os.walk(folder, onerror=refuse) for name in (*folders, *files)
    )


def sync_tree(folder: Path) -> None:
    """Put a folder, and all that lies in it, on the disk: what is inside before the name that leads to it.

    Raises:
        OSError: the disk could not take it.
    """
    for path in reversed(paths_in(folder)):
        sync(path)
    sync(folder)


def disk_error(error: Exception, folder: Path, doing: str) -> DiskError:
    """Return what a disk's refusal means to the person who has to act: what was done, where, and what to do next.

    Args:
        error: an OSError, what SQLite or FAISS make of one, or what numpy makes of a short write.
        folder: the home, or whatever was to be written to.
        doing: what was being done, such as "writing the report".
    """
    return DiskError(f"{doing} was stopped in {folder} ({_free(folder)} are free there): {disk_cure(error)}")


def disk_cure(error: Exception) -> str:
    """Return what a disk's refusal says and what to do about it."""
    code = _code_of(error)
    if code in _FULL:
        what, cure = "there is no room left", "free some, or give another AISLE_HOME, and try again"
    elif code == errno.EROFS:
        what, cure = "the disk is mounted read-only", "mount it for writing, or give another AISLE_HOME, and try again"
    elif code in _NOT_OURS:
        what = "this user may not"
        cure = "do it as the user who owns the folder, or give it to this one (chown), and try again"
    elif code == errno.EIO:
        what = "the disk fails"
        cure = "see what the system's log says of it, move AISLE_HOME to a sound one, and try again"
    elif code in _TOO_MANY:
        what, cure = "too many files are open", "raise the limit (ulimit -n) and try again"
    else:
        what, cure = "the system refused", "see that the folder is there and may be used, and try again"
    return f"{what} ({error}); {cure}"


def is_disk_error(error: Exception) -> bool:
    """Return whether an error tells of a disk: OSError, SQLite's, and the RuntimeErrors of FAISS over files."""
    if isinstance(error, RuntimeError):
        return "faiss" in str(error) and any(word in str(error) for word in ("write", "writing", "open"))
    return isinstance(error, OSError | sqlite3.OperationalError)


def _code_of(error: Exception) -> int | None:
    """Return the errno an error tells of, also where a library kept its words alone."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    text = str(error)
    if "requested and" in text and "written" in text:  # numpy of a write that was cut short
        return errno.ENOSPC
    if isinstance(error, sqlite3.Error):
        told = {"full": errno.ENOSPC, "disk I/O": errno.EIO, "readonly": errno.EROFS, "unable to open": errno.EACCES}
        return next((code for word, code in told.items() if word in text), None)
    return next((code for code in (*_FULL, errno.EROFS, *_NOT_OURS, errno.EIO) if os.strerror(code) in text), None)


def _free(folder: Path) -> str:
    """Return how much room there is, in the unit people buy disks by."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        return "an unknown number of bytes"
    return f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.1f} MB"
