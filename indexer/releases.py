"""Publishing: written aside, synced, renamed; search/releases.py then switches. Also keep-N and the build lock."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from search.durable import sync
from search.encoder import file_sha256
from search.errors import AisleError, ReleaseDamaged
from search.home import Home, Layout
from search.release import read_manifest
from search.releases import live_or_none

KEPT_RELEASES = 5


@contextmanager
def build_lock(home: Home) -> Iterator[None]:
    """Hold the home's one build at a time.

    Raises:
        AisleError: another build is at work.
    """
    home.index.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home.index / "build.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AisleError(f"another build is writing to {home.root}; wait for it, or give another AISLE_HOME") from None
    try:
        yield
    finally:
        lock.release()


def new_staging(home: Home) -> Layout:
    """Return an empty folder to build in, where no reader looks; what killed builds left there is removed."""
    staging = home.index / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    return Layout(staging)


def seal(staging: Layout, manifest: dict[str, Any], newest: str = "") -> dict[str, Any]:
    """Write the manifest, last of all files, with every file's sha256 and the release's name; return it.

    Names sort by age: one that would not sort after `newest`, the youngest release there is, is dated a second later.
    """
    files = {
        path.relative_to(staging.folder).as_posix(): file_sha256(path)
        for path in sorted(staging.folder.rglob("*"))
        if path.is_file()
    }
    content = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:8]
    created = datetime.now(UTC)
    while (name := f"{created:%Y%m%dT%H%M%SZ}-{content}") <= newest:
        created += timedelta(seconds=1)
    manifest = {"release": name, "created_at": created.isoformat(timespec="seconds"), **manifest, "files": files}
    staging.manifest.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), "utf-8")
    for path in staging.folder.rglob("*"):
        sync(path)
    return manifest


def place(staging: Layout, target: Path) -> Layout:
    """Move a sealed release to where readers may find it, in one rename; an earlier release there gives way.

    Raises:
        AisleError: the target holds something that is not a release.
    """
    if target.exists() and any(target.iterdir()) and not Layout(target).manifest.is_file():
        raise AisleError(f"{target} is not empty and not a release; choose another --out folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        gone = target.with_name(f".{target.name}.old")
        shutil.rmtree(gone, ignore_errors=True)
        target.replace(gone)
        _move(staging.folder, target)
        shutil.rmtree(gone)
    else:
        _move(staging.folder, target)
    sync(target.parent)
    return Layout(target)


def _move(source: Path, target: Path) -> None:
    """Rename, or on another file system copy aside and rename, so that the target is whole or absent."""
    try:
        source.replace(target)
    except OSError:
        aside = target.with_name(f".{target.name}.incoming")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(source, aside)
        aside.replace(target)
        shutil.rmtree(source)


def prune(home: Home, keep: int = KEPT_RELEASES) -> None:
    """Remove all but the newest `keep` releases and the live one, and adopted encoders that no release uses."""
    for layout in home.all_releases()[:-keep]:
        live = live_or_none(home)  # read again each time: a running server may have just gone back to this one
        if live is None or layout.name != live.name:
            shutil.rmtree(layout.folder)
    try:
        used = {read_manifest(layout)["encoder"]["fingerprint"] for layout in home.all_releases()}
    except ReleaseDamaged:
        return  # what a damaged release used cannot be told, so no encoder goes
    for folder in home.encoders.glob("*") if home.encoders.is_dir() else []:
        if folder.name not in used:
            shutil.rmtree(folder)
