"""Small files that are whole or absent after any crash: written aside, synced, renamed."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_durably(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a text in a file's place, as `write_bytes_durably`."""
    write_bytes_durably(path, text.encode("utf-8"), mode)


def write_bytes_durably(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put a content in a file's place in one rename; readers see the old one or the new one, never a part.

    Args:
        mode: the permissions of the file, less the process's umask.

    Raises:
        OSError: it cannot be written; the old file stands.
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


def sync(path: Path) -> None:
    """Ask the system to put a file or folder on the disk; folders cannot be synced on every system."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except (PermissionError, IsADirectoryError):
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
