"""Static files under addresses that change with their contents, so that browsers may keep them for a year.

The version stands in the path, /static/<version>/js/page.js, so that what a module imports by a relative path is of the
same version, and kept as long. It is a hash over all files together: one edit gives all of them a new address.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, abort, current_app, g, has_request_context, send_file

STATIC = Path(__file__).resolve().parents[2] / "static"
VENDOR = "vendor"  # read by web/pages/illustrations.py, no page asks for these files
_VERSIONED = re.compile(r"([0-9a-f]{12})/(.+)", re.DOTALL)


_Stamp = tuple[str, Path, int, int]


def _stamp(name: str, path: Path) -> _Stamp | None:
    try:
        stat = path.stat()
    except FileNotFoundError:  # an editor is just writing it
        return None
    return name, path, stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=8)
def _hash(stamped: tuple[_Stamp, ...]) -> str:
    whole = hashlib.sha256()
    for name, path, _, _ in stamped:
        whole.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:12]


class Assets:
    """The files that pages ask for: ours, and the shop's own, which stand in the place of ours of the same name.

    Which files there are is read once; a change in one of them is noticed at once.
    """

    def __init__(self, own: dict[str, Path] | None = None):
        found = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
        self.files = {name: path for name, path in found.items() if not name.startswith(f"{VENDOR}/")} | (own or {})

    def version(self) -> str:
        """Return 12 hexadecimal digits that change with any of the files."""
        return _hash(tuple(filter(None, (_stamp(name, path) for name, path in sorted(self.files.items())))))

    def address(self, name: str) -> str:
        """Return the address of a file, e.g. "/static/1f0c…/css/base.css"; the version is looked up once a request.

        Raises:
            KeyError: there is no such file.
        """
        if name not in self.files:
            raise KeyError(f'no file "{name}" in {STATIC}')
        if not has_request_context():
            return f"/static/{self.version()}/{name}"
        if "assets_version" not in g:
            g.assets_version = self.version()
        return f"/static/{g.assets_version}/{name}"

    def stamp(self, name: str) -> str:
        """Return what a file asked for by this name, with a version or without, is and when it changed; "" for none."""
        asked = _VERSIONED.fullmatch(name)
        path = self.files.get(asked[2] if asked else name)
        found = _stamp(name, path) if path else None
        return f"{path} {found[2:]}" if found else ""

    def answer(self, name: str) -> Response:
        """Return a file, to be kept for a year under the current version's address and to be asked about elsewhere.

        Addresses of other versions, which a page opened before an update still asks for, give the file as it is now.
        """
        asked = _VERSIONED.fullmatch(name)
        version, name = asked.groups() if asked else ("", name)
        path = self.files.get(name)
        if path is None or not path.is_file():
            abort(404)
        response = send_file(path, conditional=True, etag=True)
        is_current = version == self.version()
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_current else "no-cache"
        return response


def asset(name: str) -> str:
    """Return the address of one of the running app's files; see `Assets.address`."""
    known: Assets = current_app.extensions["aisle.assets"]
    return known.address(name)


def install(app: Flask, own: dict[str, Path] | None = None) -> None:
    """Give templates `asset(name)`, and answer /static/.

    Args:
        own: the shop's own files by name; see web/pages/theme.py.
    """
    assets = Assets(own)
    app.extensions["aisle.assets"] = assets
    app.jinja_env.globals["asset"] = asset
    app.add_url_rule("/static/<path:name>", "static", assets.answer)
