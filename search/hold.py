"""A release in use is not removed: readers hold a shared lock on its manifest, who removes it must get it alone.

The lock is the system's (flock): it goes with the process however that ends, leaves no file behind and works on a disk
that is mounted read-only. Where a file system has none, releases are kept by their number alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from search.errors import ReleaseMissing
from search.home import Layout

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]


class Hold:
    """Keeps a release from being removed until it is let go of, at the latest when nobody refers to it any more."""

    def __init__(self, handle: int | None):
        self._handle = handle

    def close(self) -> None:
        """Let go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        with suppress(OSError):
            self.close()


def hold(layout: Layout) -> Hold:
    """Return a hold on a release, for as long as it is read.

    Raises:
        ReleaseMissing: it is gone, or just being removed.
    """
    try:
        handle = os.open(layout.manifest, os.O_RDONLY)
    except OSError:
        if not layout.folder.is_dir():  # releases are removed by a rename
            raise ReleaseMissing(_gone(layout)) from None
        return Hold(None)  # reading it says what is wrong
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ReleaseMissing(_gone(layout)) from None
    except OSError:
        pass  # no locks on this file system
    return Hold(handle)


def _gone(layout: Layout) -> str:
    return f"release {layout.name} was just removed; see which are kept: python -m indexer releases"


@contextmanager
def alone_with(layout: Layout) -> Iterator[bool]:
    """Give whether nobody reads a release, and keep it so meanwhile; True where that cannot be told."""
    try:
        handle = os.open(layout.manifest, os.O_RDONLY)
    except OSError:
        yield True
        return
    try:
        yield _is_alone(handle)
    finally:
        os.close(handle)


def _is_alone(handle: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # no locks on this file system, or none on a file opened for reading, as over NFS
    return True
