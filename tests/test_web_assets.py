"""Static files: addresses that change with their contents, also for what a module imports."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from flask import Flask

from web.pages import assets
from web.pages.assets import Assets

KEPT = "public, max-age=31536000, immutable"


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "static"
    for name, text in {
        "js/page.js": 'import { gettext } from "./words.js";', "js/words.js": "export const gettext = 1;",
        "css/base.css": "a{}", "vendor/icons/a.svg": "<svg/>",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(assets, "STATIC", folder)
    return folder


def app_of(own: dict[str, Path] | None = None) -> Flask:
    app = Flask("shop", static_folder=None)
    assets.install(app, own)
    return app


def rewrite(path: Path, text: str) -> None:
    """Write a file so that even a file system with a coarse clock shows it."""
    path.write_text(text)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))


def test_a_module_imported_by_a_module_is_kept_for_a_year_too(static: Path) -> None:
    app = app_of()
    page = Assets().address("js/page.js")
    imported = page.rsplit("/", 1)[0] + "/words.js"  # how a browser reads "./words.js"
    for address in (page, imported):
        answer = app.test_client().get(address)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, KEPT)
        assert answer.mimetype == "text/javascript"


def test_an_edit_gives_every_file_a_new_address_and_old_addresses_are_asked_about(static: Path) -> None:
    client, known = app_of().test_client(), Assets()
    before = known.address("js/page.js")
    rewrite(static / "js" / "words.js", "export const gettext = 2;")
    after = known.address("js/page.js")
    assert before != after
    assert client.get(after).headers["Cache-Control"] == KEPT
    old = client.get(before.replace("page.js", "words.js"))
    assert (old.text, old.headers["Cache-Control"]) == ("export const gettext = 2;", "no-cache")
    assert client.get("/static/js/words.js").headers["Cache-Control"] == "no-cache"


def test_an_unchanged_folder_keeps_its_addresses(static: Path) -> None:
    assert Assets().address("js/page.js") == Assets().address("js/page.js")
    assert re.fullmatch(r"/static/[0-9a-f]{12}/js/page\.js", Assets().address("js/page.js"))


def test_what_a_browser_has_already_is_not_sent_again(static: Path) -> None:
    client = app_of().test_client()
    first = client.get("/static/css/base.css")
    again = client.get("/static/css/base.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "nothing.css", "", "css", "css/", "../app.py", "..%2fapp.py", "css/../../app.py", "0123456789ab/", "%00",
        "0123456789ab/../app.py", "/etc/passwd", "0123456789ab//etc/passwd", "vendor/icons/a.svg", "js/page.js/",
    ],
)  # fmt: skip
def test_nothing_else_is_served(static: Path, name: str) -> None:
    assert app_of().test_client().get(f"/static/{name}").status_code in (404, 308)


def test_a_shops_own_file_stands_in_the_place_of_ours(static: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.css"
    own.write_text("b{}")
    client = app_of({"css/base.css": own}).test_client()
    assert client.get("/static/css/base.css").text == "b{}"


def test_a_file_that_vanishes_is_not_found_and_breaks_no_page(static: Path) -> None:
    known, client = Assets(), app_of().test_client()
    (static / "css" / "base.css").unlink()
    assert known.address("js/page.js")
    assert client.get("/static/css/base.css").status_code == 404


def test_a_template_that_asks_for_a_file_that_is_not_there_is_told(static: Path) -> None:
    with pytest.raises(KeyError, match=r"nothing\.css"):
        Assets().address("nothing.css")


def test_every_module_imports_by_a_relative_path() -> None:
    """An absolute path would leave the version, and be asked for again at every visit."""
    named = re.compile(r"""(?m)^(?:import|export)\s[^"';]*\bfrom\s*["']([^"']+)|\bimport\s*\(?\s*["']([^"']+)""")
    scripts = list((Path(__file__).parent.parent / "static" / "js").rglob("*.js"))
    assert scripts
    for script in scripts:
        for one in named.findall(script.read_text("utf-8")):
            assert "".join(one).startswith("."), script
