"""The front door: settings that are checked, help that is true, a start that waits for nothing heavy."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app import ENVIRONMENT
from search.state.rates import Rate
from web import __version__
from web.serving.logs import JsonFormatter
from web.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


def test_settings_come_from_the_environment() -> None:
    environment = {"AISLE_HOME": "/srv/shop", "AISLE_PORT": "80", "AISLE_THREADS": "8", "AISLE_LOG": "json"}
    environment["AISLE_DEADLINE_MS"] = "250"
    settings = Settings.from_environment(environment)
    assert settings == Settings(home=Path("/srv/shop"), port=80, threads=8, deadline_ms=250, log="json")
    assert Settings.from_environment({}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("AISLE_PORT", "0"), ("AISLE_PORT", "http"), ("AISLE_THREADS", "99"), ("AISLE_LOG", "xml"),
     ("AISLE_DEADLINE_MS", "0.5"),
     ("AISLE_PROXIES", "-1"), ("AISLE_PROXIES", "9"), ("AISLE_OPEN", "admin"), ("AISLE_OPEN", "none,search"),
     ("AISLE_RATE_LIMIT", "often"), ("AISLE_RATE_LIMIT", "0/minute")],
)  # fmt: skip
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.from_environment({name: value})


def test_who_may_ask_and_how_often_comes_from_the_environment() -> None:
    asked = {"AISLE_OPEN": "events", "AISLE_RATE_LIMIT": "5/second", "AISLE_PROXIES": "2"}
    assert Settings.from_environment(asked) == Settings(open_scopes=("events",), rate_limit=Rate(5, 1), proxies=2)
    shut = Settings.from_environment({"AISLE_OPEN": "none", "AISLE_RATE_LIMIT": "off"})
    assert (shut.open_scopes, shut.rate_limit) == ((), None)


def test_help_lists_exactly_the_variables_that_are_read() -> None:
    read = set(re.findall(r"AISLE_[A-Z_]+", (ROOT / "web" / "settings.py").read_text()))
    assert set(re.findall(r"AISLE_[A-Z_]+", ENVIRONMENT)) == read


def test_help_and_health_import_neither_torch_nor_faiss() -> None:
    program = (
        "import sys, app; app.create_app().test_client().get('/healthz')\n"
        "try: app.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'faiss', 'transformers', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_wrong_setting_ends_the_program_with_2_and_a_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "AISLE_PORT": "many"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "AISLE_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_the_projects() -> None:
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_a_json_log_line_holds_its_fields() -> None:
    record = logging.LogRecord("aisle.requests", logging.INFO, "x", 1, "GET %s", ("/",), None)
    record.fields = {"status": 200}
    entry = json.loads(JsonFormatter().format(record))
    assert (entry["message"], entry["status"], entry["level"]) == ("GET /", 200, "info")
