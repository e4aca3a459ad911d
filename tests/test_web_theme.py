"""A shop's own look: the folder that AISLE_THEME names, and the worked example of docs/theming.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from search.engine import Engine
from web.live import FixedEngine
from web.pages.theme import MAX_FILES, open_theme
from web.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "theming.md").read_text("utf-8")


def visit(shop: Engine, folder: Path) -> FlaskClient:
    return create_app(Settings(theme=folder, events=False), FixedEngine(shop)).test_client()


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def guide_files() -> dict[str, str]:
    found = dict(re.findall(r"`shop/(\S+)`\n\n```\w+\n(.*?)```", GUIDE, re.DOTALL))
    assert set(found) == {"theme.css", "mark.svg", "templates/layout.html"}
    return found


def test_the_guides_example_makes_the_shop_its_own(shop: Engine, tmp_path: Path) -> None:
    client = visit(shop, write(tmp_path, guide_files()))
    for address in ("/", "/search?q=gown", "/products/0001", "/nothing"):
        page = client.get(address).text
        assert "Harbor Goods" in page
        assert 'id="main"' in page  # the rest of ours is still there
    sheet, mark = (re.search(rf'"(/static/[0-9a-f]+/{name})"', page) for name in (r"theme\.css", r"mark\.svg"))
    assert sheet
    assert mark
    assert client.get(sheet[1]).text == guide_files()["theme.css"]
    assert client.get(mark[1]).text == guide_files()["mark.svg"]
    policies = {client.get("/").headers["Content-Security-Policy"]}
    policies.add(
        create_app(Settings(events=False), FixedEngine(shop)).test_client().get("/").headers["Content-Security-Policy"]
    )
    assert len(policies) == 1


def test_every_property_of_the_guide_is_a_token_and_every_block_is_in_the_layout() -> None:
    tokens = set(re.findall(r"(--[\w-]+):", (ROOT / "static/css/tokens.css").read_text()))
    assert set(re.findall(r"--[a-z][\w-]*", GUIDE)) <= tokens
    blocks = set(re.findall(r"{% block (\w+) %}", (ROOT / "templates/layout.html").read_text()))
    named = GUIDE.split("some of its blocks:")[1].split(".")[0]
    assert set(re.findall(r"`(\w+)`", named)) == blocks


def test_a_theme_may_replace_a_part_of_every_page(shop: Engine, tmp_path: Path) -> None:
    client = visit(shop, write(tmp_path, {"templates/parts/shortcuts.html": '<p class="mine">Call us</p>'}))
    assert '<p class="mine">Call us</p>' in client.get("/search?q=gown").text


def test_edits_show_at_the_next_request(shop: Engine, tmp_path: Path) -> None:
    layout = "{% extends 'aisle/layout.html' %}{% block foot %}WORDS{% endblock %}"
    client = visit(shop, write(tmp_path, {"theme.css": "a{}", "templates/layout.html": layout}))
    before = re.search(r"/static/[0-9a-f]+/theme\.css", client.get("/clusters").text)
    write(tmp_path, {"theme.css": "b{}/**/", "templates/layout.html": layout.replace("WORDS", "Other words")})
    for path in (tmp_path / "theme.css", tmp_path / "templates/layout.html"):
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    page = client.get("/clusters").text
    after = re.search(r"/static/[0-9a-f]+/theme\.css", page)
    assert "Other words" in page
    assert before
    assert after
    assert before[0] != after[0]
    assert client.get(after[0]).text == "b{}/**/"


def test_only_what_browsers_need_is_served(shop: Engine, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "theme",
        {
            "theme.css": "a{}", "fonts/own.woff2": "f", "notes.txt": "secret", ".git/config.css": "secret",
            ".env": "secret", "templates/page.css": "secret", "shop.py": "secret", "sub/templates/kept.css": "a{}",
        },
    )  # fmt: skip
    outside = write(tmp_path, {"outside.css": "secret"}) / "outside.css"
    (folder / "link.css").symlink_to(outside)
    (folder / "inner.css").symlink_to(folder / "theme.css")
    assert set(open_theme(folder).files) == {"theme.css", "fonts/own.woff2", "inner.css", "sub/templates/kept.css"}
    client = visit(shop, folder)
    assert client.get("/static/fonts/own.woff2").status_code == 200
    for name in ("notes.txt", ".env", ".git/config.css", "templates/page.css", "shop.py", "link.css", "../outside.css"):
        assert client.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{% extends 'aisle/layout.html' %}\n{% block foot %}", r"layout\.html, line 2: .*block"),
        ("{% extends 'layout.html' %}", r'"aisle/layout\.html"'),
        ("{% extends 'aisle/nowhere.html' %}", "nowhere"),
        ("{% include 'gone.html' %}", "gone"),
        ("{{ 1 | nosuchfilter }}", "nosuchfilter"),
    ],
)
def test_a_template_that_cannot_be_read_is_named_at_the_start(
    shop: Engine, tmp_path: Path, template: str, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        visit(shop, write(tmp_path, {"templates/layout.html": template}))


def test_a_template_in_another_encoding_is_named_at_the_start(shop: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"templates/layout.html": ""})
    (tmp_path / "templates/layout.html").write_bytes("Grüße".encode("latin-1"))
    with pytest.raises(ValueError, match="UTF-8"):
        visit(shop, tmp_path)


def test_a_folder_with_everything_in_it_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.css": "" for number in range(MAX_FILES + 1)})
    with pytest.raises(ValueError, match="give the theme its own"):
        open_theme(tmp_path)


def test_a_missing_folder_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "AISLE_THEME": str(tmp_path / "none"), "AISLE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("AISLE_THEME is ")
    assert len(done.stderr.splitlines()) == 1
