"""How the InstantSearch adapter translates, tried in node without a server; the page is in tests/browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ADAPTER = Path(__file__).parents[1] / "integrations" / "instantsearch"


def test_the_adapter_translates_as_its_own_tests_say() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here: the InstantSearch adapter is not tried")
    done = subprocess.run(
        [node, "--test", "test/"], cwd=ADAPTER, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    ran = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert ran and int(ran[1]) >= 18


def test_the_lock_names_one_version_and_no_place_to_fetch_it_from() -> None:
    lock = json.loads((ADAPTER / "package-lock.json").read_text())
    assert lock["packages"]["node_modules/instantsearch.js"]["version"] == "4.118.1"
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in lock["packages"].items() if name)
