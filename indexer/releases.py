"""Publishing: written aside, synced, renamed; search/releases.py then switches. Also keep-N and the build lock."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from search.cpus import available_cpus
from search.durable import disk_error, is_disk_error, make_folder, paths_in, sync, sync_tree
from search.encoder import file_sha256
from search.encoders import onnx_folder
from search.errors import AisleError, ReleaseDamaged
from search.hold import alone_with
from search.home import Home, Layout
from search.release import open_release, read_manifest
from search.releases import live_or_none

logger = logging.getLogger("aisle.releases")

KEPT_RELEASES = 5
_STAMP = "%Y%m%dT%H%M%SZ"
_EXCHANGE = 2  # renameat2's flag
_AT_WORKING_FOLDER = -100


@contextmanager
def build_lock(home: Home) -> Iterator[None]:
    """Hold the home's one build at a time; what a failed one wrote is removed, for it may have filled the disk.

    Raises:
        AisleError: another build is at work.
        DiskError: the home cannot be written.
    """
    holder = home.index / "build.holder"
    lock = FileLock(home.index / "build.lock")
    try:
        make_folder(home.index)
        lock.acquire(timeout=0)
    except Timeout:
        raise AisleError(
            f"another build is writing to {home.root}{_said_by(holder)}; wait for it, or give another AISLE_HOME"
        ) from None
    except OSError as error:
        raise disk_error(error, home.root, "beginning to build") from error
    try:
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        with suppress(OSError):  # only told to others; a full disk is met where it matters
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {now}", "utf-8")
        yield
    except BaseException:
        shutil.rmtree(_staging(home), ignore_errors=True)
        raise
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _said_by(holder: Path) -> str:
    """Return who holds the lock, as it said itself: " (...)", or "" when it did not."""
    try:
        said = holder.read_text("utf-8")
    except (OSError, ValueError):
        return ""
    return f" ({said})" if said else ""


@contextmanager
def disk_errors_told(home: Home, doing: Callable[[], str]) -> Iterator[None]:
    """Turn what a full, read-only or failing disk makes libraries raise into one sentence with the way out.

    Args:
        home: that is written to.
        doing: gives what is being done at the moment.

    Raises:
        DiskError: in place of those; it says what is live.
    """
    try:
        yield
    except Exception as error:
        if not is_disk_error(error):
            raise
        live = live_or_none(home)
        told = disk_error(error, home.root, doing())
        raise type(told)(f"{told}. {f'Release {live.name} is live' if live else 'Nothing is live'}") from error


def _staging(home: Home) -> Path:
    return home.index / "staging"


def new_staging(home: Home) -> Layout:
    """Return an empty folder to build in, where no reader looks; what killed builds left there is removed."""
    staging = _staging(home)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    return Layout(staging)


def seal(staging: Layout, manifest: dict[str, Any], newest: str = "") -> dict[str, Any]:
    """Write the manifest, last of all files, with every file's size, sha256 and the release's name; return it.

    All is on the disk when it returns, and nobody is to write to it again: files are mapped into servers' memory, and
    one that is cut short there ends the process (SIGBUS). Only root can write to files that are read-only.

    Names sort by age, whatever the clock says: one that would not sort after `newest`, the youngest release there is,
    is dated a second later than that.

    Raises:
        ReleaseDamaged: what was written cannot be opened.
    """
    paths = {
        path.relative_to(staging.folder).as_posix(): path
        for path in paths_in(staging.folder)
        if path.is_file() and path != staging.manifest
    }
    with ThreadPoolExecutor(available_cpus()) as pool:  # hashing lets other threads run
        files = dict(zip(paths, pool.map(file_sha256, paths.values()), strict=True))
    sizes = {name: path.stat().st_size for name, path in paths.items()}
    content = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:8]
    created = max(datetime.now(UTC), _age_of(newest))
    if (name := f"{created:{_STAMP}}-{content}") <= newest:
        created += timedelta(seconds=1)
        name = f"{created:{_STAMP}}-{content}"
    dated = {"release": name, "created_at": created.isoformat(timespec="seconds")}
    manifest = {**dated, **manifest, "files": files, "sizes": sizes}
    staging.manifest.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), "utf-8")
    for path in paths.values():
        with suppress(PermissionError):  # a file system without permissions
            path.chmod(0o444)
    sync_tree(staging.folder)
    _expect_whole(staging, paths)
    return manifest


def _age_of(name: str) -> datetime:
    """Return when a release was made, by its name; long ago for "" and names of another form."""
    try:
        return datetime.strptime(name.split("-")[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _expect_whole(staging: Layout, paths: dict[str, Path]) -> None:
    """Open what was written: neither numpy nor FAISS says so when the last bytes of a file found no room.

    Raises:
        DiskError: a file is cut short.
    """
    try:
        for path in paths.values():
            if path.suffix == ".npy":
                np.load(path, mmap_mode="r")
        open_release(staging)
    except (ReleaseDamaged, ValueError, EOFError) as error:
        raise disk_error(OSError(errno.ENOSPC, str(error)), staging.folder, "publishing the release") from error


def place(staging: Layout, target: Path) -> Layout:
    """Move a sealed release to where readers may find it, in one rename; an earlier release there gives way.

    Raises:
        AisleError: the target holds something that is not a release.
        OSError: it cannot be moved there; what was there stands.
    """
    if target.exists() and any(target.iterdir()) and not Layout(target).manifest.is_file():
        raise AisleError(f"{target} is not empty and not a release; choose another --out folder")
    make_folder(target.parent)
    if target.exists():
        incoming = target.with_name(f".{target.name}.incoming")
        shutil.rmtree(incoming, ignore_errors=True)
        _move(staging.folder, incoming)
        _exchange(incoming, target)
        shutil.rmtree(incoming, ignore_errors=True)  # the earlier one
    else:
        _move(staging.folder, target)
    sync(target.parent)
    return Layout(target)


def _move(source: Path, target: Path) -> None:
    """Rename, or on another file system copy aside and rename, so that the target is whole or absent."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        aside = target.with_name(f".{target.name}.copying")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(source, aside)
        sync_tree(aside)
        aside.replace(target)
        shutil.rmtree(source)


def _exchange(new: Path, old: Path) -> None:
    """Let two folders of one file system change places: in one step on Linux, elsewhere in two."""
    try:
        done = ctypes.CDLL(None).renameat2(
            _AT_WORKING_FOLDER, os.fsencode(new), _AT_WORKING_FOLDER, os.fsencode(old), _EXCHANGE
        )
    except (AttributeError, OSError, TypeError):  # no such function in this system's library
        done = -1
    if done != 0:
        gone = old.with_name(f".{old.name}.old")
        shutil.rmtree(gone, ignore_errors=True)
        old.replace(gone)
        new.replace(old)
        gone.replace(new)


def prune(home: Home, keep: int = KEPT_RELEASES) -> None:
    """Remove all but the newest `keep` releases, the live one and those in use, and encoders that no release needs.

    In use is what another process, such as a server that has not switched yet, holds open. What cannot be removed is
    logged and tried again by the next build: the release that was just published is live, whatever becomes of these.
    """
    removed = home.index / "removed"
    try:
        for layout in home.all_releases()[:-keep]:
            _remove_unused(home, layout, removed)
        shutil.rmtree(removed, ignore_errors=True)  # also what a killed build left half removed
        _prune_encoders(home)
    except OSError as error:
        logger.warning("%s", disk_error(error, home.root, "removing old releases"))


def _remove_unused(home: Home, layout: Layout, removed: Path) -> None:
    """Remove a release unless it is live or read; by one rename, so that nobody ever finds half of it."""
    with alone_with(layout) as is_unused:
        live = live_or_none(home)  # read again each time: a running server may have just gone back to this one
        if is_unused and (live is None or layout.name != live.name):
            removed.mkdir(exist_ok=True)
            shutil.rmtree(removed / layout.name, ignore_errors=True)
            layout.folder.replace(removed / layout.name)


def _prune_encoders(home: Home) -> None:
    """Remove encoders, and ONNX forms of encoders, that no release names."""
    try:
        records = [read_manifest(layout)["encoder"] for layout in home.all_releases()]
    except ReleaseDamaged:
        return  # what a damaged release used cannot be told, so no encoder goes
    used = {record["fingerprint"] for record in records}
    forms = {onnx_folder(record, home) for record in records}
    for folder in home.encoders.glob("*") if home.encoders.is_dir() else []:
        if folder.name not in used:
            shutil.rmtree(folder)
            continue
        for form in folder.glob("onnx-*"):
            if form not in forms:
                shutil.rmtree(form)
