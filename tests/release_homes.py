"""Homes with more than one release, for tests of switching."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from conftest import SHOP, write_release

from search.home import Home

ONE, TWO, THREE = "20260101T000000Z-aaaaaaaa", "20260102T000000Z-bbbbbbbb", "20260103T000000Z-cccccccc"


def home_of_three(root: Path) -> Home:
    """Make a home with three releases of 8, 4 and 2 products, the last one live, checksums in their manifests."""
    home = Home(root)
    for name, count in ((ONE, 8), (TWO, 4), (THREE, 2)):
        layout = write_release(home.releases / name, SHOP[:count])
        manifest = json.loads(layout.manifest.read_text())
        manifest["files"] = {
            path.relative_to(layout.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in layout.folder.rglob("*")
            if path.is_file() and path != layout.manifest
        }
        manifest["metrics"] = {"metrics": {"nDCG@10": {"mean": 0.7, "low": 0.6, "high": 0.8}}}
        layout.manifest.write_text(json.dumps(manifest))
    home.current.write_text(f"{THREE}\n")
    return home
