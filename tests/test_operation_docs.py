"""What docs/operation.md says exists, and what exists it says; its commands are carried out."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import SHOP, write_release

from app import ENVIRONMENT, create_app
from indexer.__main__ import main
from search.encoder import file_sha256
from search.home import Home

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "operation.md").read_text("utf-8")
COMMANDS = [line[2:] for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
            for line in re.sub(r"\\\n\s*", "", block).splitlines()]  # fmt: skip
CARRIED_OUT = ("releases", "verify", "rollback", "keys")


def test_every_setting_is_told_and_the_reverse() -> None:
    read = set(re.findall(r'"(AISLE_[A-Z_]+)"', (ROOT / "web" / "settings.py").read_text()))
    assert set(re.findall(r"AISLE_[A-Z_]+", ENVIRONMENT)) == read
    assert set(re.findall(r"AISLE_[A-Z_]+", TEXT)) == read
    assert set(re.findall(r"AISLE_[A-Z_]+", "\n".join(re.findall(r"^\| `AISLE.*", TEXT, re.MULTILINE)))) == read


def test_every_default_is_the_real_one() -> None:
    settings = create_settings()
    for row in re.findall(r"^\| (`AISLE_.*?) \| (.*?) \|", TEXT, re.MULTILINE):
        names = re.findall(r"AISLE_([A-Z_]+)", row[0])
        told = re.findall(r"`(.*?)`", row[1])
        assert not told or len(told) == len(names), row
        for name, default in zip(names, told, strict=False):
            value = getattr(settings, {"OPEN": "open_scopes"}.get(name, name.lower()))
            shown = {True: "on", False: "off"}.get(value) if isinstance(value, bool) else value
            assert (",".join(shown) if isinstance(shown, tuple) else str(shown)) == default, name


def create_settings() -> Any:
    from web.settings import Settings

    return Settings.from_environment({})


def test_every_address_is_routed() -> None:
    rules = {re.sub(r"<[^>]+>", "<>", rule.rule) for rule in create_app().url_map.iter_rules()}
    named = re.findall(r"(/(?:api/v1|healthz|readyz|metrics)[^\s`?'\"]*)", TEXT)
    assert named and set(named) <= rules


def test_every_metric_is_told_and_the_reverse() -> None:
    exposed = set(re.findall(r"^# TYPE (aisle_\w+)", create_app().test_client().get("/metrics").text, re.MULTILINE))
    exposed = {name for name in exposed if not name.endswith("_created")}
    told = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\baisle_\w+", TEXT)}
    assert told == exposed


def test_every_file_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
    for target in re.findall(r"(?:deploy|bench)/[\w.*-]+\w", TEXT):
        assert list(ROOT.glob(target)), target


def test_every_command_of_the_indexer_has_the_options_that_are_told() -> None:
    told = [shlex.split(command)[3:] for command in COMMANDS if command.startswith("python -m indexer")]
    assert len(told) >= 6
    for name, *rest in told:
        command = main.commands[name]
        if rest and not rest[0].startswith("-") and hasattr(command, "commands"):
            command = command.commands[rest[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {one for one in rest if one.startswith("--")} <= known, (name, rest)


def test_every_target_of_make_and_script_of_bench_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake (?:-C \S+ )?([a-z]+)`", TEXT)) <= targets
    for command in COMMANDS:
        if script := re.match(r"python (bench/\S+)", command):
            assert set(re.findall(r"--[a-z]+", command)) <= set(re.findall(r"--[a-z]+", (ROOT / script[1]).read_text()))


def test_the_commands_do_what_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    for name in ("20260101T000000Z-aaaaaaaa", "20260102T000000Z-bbbbbbbb"):
        layout = write_release(home.releases / name, SHOP)
        manifest = json.loads(layout.manifest.read_text()) | {"metrics": None, "training": {"adopted": False}}
        manifest["catalog"]["name"] = "mine.csv"
        files = [one for one in layout.folder.rglob("*") if one.is_file() and one != layout.manifest]
        manifest["files"] = {str(one.relative_to(layout.folder)): file_sha256(one) for one in files}
        layout.manifest.write_text(json.dumps(manifest))
    home.current.write_text("20260102T000000Z-bbbbbbbb\n")
    monkeypatch.setenv("AISLE_HOME", str(tmp_path))
    said = ""
    for command in COMMANDS:
        _, _, _, *arguments = shlex.split(command) if command.startswith("python -m indexer") else [""] * 4
        if arguments and arguments[0] in CARRIED_OUT:
            key = re.search(r"key (\S+) for", said)
            done = CliRunner().invoke(main, [key[1] if key and one == "ID" else one for one in arguments])
            assert done.exit_code == 0, (command, done.output)
            said += done.output
    assert "revoked" in said
    assert home.current.read_text().strip() == "20260101T000000Z-aaaaaaaa"


def test_the_backup_of_events_is_whole_while_they_are_written(tmp_path: Path) -> None:
    (command,) = (shlex.split(one) for one in COMMANDS if "VACUUM INTO" in one)
    live, copy = tmp_path / "events.sqlite", tmp_path / "backup.sqlite"
    with sqlite3.connect(live) as writer:
        writer.executescript("PRAGMA journal_mode = WAL; CREATE TABLE events (id INTEGER);")
        writer.executemany("INSERT INTO events VALUES (?)", [(number,) for number in range(1000)])
        writer.commit()
        writer.execute("INSERT INTO events VALUES (-1)")  # not committed
        code = (
            command[2]
            .replace("/var/lib/aisle/state/events.sqlite", str(live))
            .replace("/backup/events.sqlite", str(copy))
        )
        subprocess.run([sys.executable, "-c", code], check=True)
    with sqlite3.connect(copy) as copied:
        assert copied.execute("SELECT count(*) FROM events").fetchone() == (1000,)
        assert copied.execute("PRAGMA integrity_check").fetchone() == ("ok",)
