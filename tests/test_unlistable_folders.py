"""A folder that cannot be listed is told, and what lies in it is not taken for nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shop_fixtures import Shop

from search.durable import paths_in, sync_tree
from search.encoder import base_encoder_folder, fingerprint_of
from search.errors import DiskError, EncoderError
from search.release import verify


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Folders, named by parts of their paths, that the system does not list."""
    names: list[str] = []
    listed = os.scandir

    def scandir(path: Any = ".") -> Any:
        if not isinstance(path, int) and any(name in os.fspath(path) for name in names):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    yield names
    names.clear()


def test_every_path_beneath_a_folder_is_listed_in_order_or_none(tmp_path: Path, refused: list[str]) -> None:
    for name in ("b/c/d.txt", "a.txt", "b/a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    listed = [path.relative_to(tmp_path).as_posix() for path in paths_in(tmp_path)]
    assert listed == ["a.txt", "b", "b/a.txt", "b/c", "b/c/d.txt"]
    refused.append("/b/c")
    for read in (paths_in, sync_tree):
        with pytest.raises(PermissionError, match="b/c"):
            read(tmp_path)


def test_a_build_whose_folder_cannot_be_listed_ends_with_the_reason_and_publishes_nothing(
    tmp_path: Path, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path)
    first = shop.build()
    shop.rows[0][4] = "18.00"

    def refuse(*_: Any, **__: Any) -> None:  # from when all is written
        refused.append("staging")

    monkeypatch.setattr("indexer.pipeline.write_report", refuse)
    with pytest.raises(DiskError, match="Permission denied"):
        shop.build()
    refused.clear()
    assert shop.home.live().name == first.layout.name
    assert verify(shop.home.live()) == []


def test_verify_tells_a_folder_of_a_release_that_cannot_be_listed(tmp_path: Path, refused: list[str]) -> None:
    layout = Shop(tmp_path).build().layout
    assert verify(layout) == []
    refused.append(str(layout.folder / "segments"))
    (told,) = verify(layout)
    assert told.startswith(str(layout.folder / "segments")) and "chown" in told


def test_an_encoder_whose_folder_cannot_be_listed_has_no_fingerprint(refused: list[str]) -> None:
    folder = base_encoder_folder()
    whole = fingerprint_of(folder)
    refused.append("Pooling")
    with pytest.raises(EncoderError, match="cannot be read"):
        fingerprint_of(folder)
    refused.clear()
    assert fingerprint_of(folder) == whole
    with pytest.raises(EncoderError, match="cannot be read"):
        fingerprint_of(folder / "not there")
