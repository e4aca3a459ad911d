"""Administration by the client, and by the docs' examples as they stand: a home with three releases, and a key."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisle_client import Aisle, AisleProblem, answers
from client_fixtures import misfits
from conftest import FakeEncoder
from release_homes import ONE, THREE, TWO, home_of_three
from test_web_docs import CLIENT, Code, expect_there
from test_web_live import eventually
from werkzeug.serving import make_server

from app import create_app
from search.home import Home
from search.state.keys import KeyFile
from web.api.examples import LANGUAGES
from web.live import LiveEngine
from web.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_of_three(tmp_path / "home")


@pytest.fixture
def key(home: Home) -> str:
    return KeyFile(home.keys).create("deploy", ["admin"])[1]


@pytest.fixture
def url(home: Home, key: str) -> Iterator[str]:
    engine = LiveEngine(home, lambda record, home: FakeEncoder())
    app = create_app(Settings(home=home.root), engine)
    engine.get().encoder.vectors(["ready"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    Aisle(address, key="").search("mug")
    asked = Aisle(address, key=key)  # insights are of searches: there is one
    assert eventually(lambda: home.events.exists() and asked.insights(surface="api")["searches"] == 1)
    yield address
    server.shutdown()
    engine.close()


def test_releases_are_listed_activated_and_rolled_back(url: str, key: str) -> None:
    with Aisle(url, key=key) as aisle:
        told = aisle.releases()
        assert misfits(answers.Releases, told) == []
        assert (told["live"], [one["release"] for one in told["releases"]]) == (THREE, [ONE, TWO, THREE])
        back = aisle.rollback()
        assert misfits(answers.Switched, back) == []
        assert back == {"live": TWO, "previous": THREE}
        assert eventually(lambda: aisle.version()["release"] == TWO)
        assert aisle.activate(THREE)["live"] == THREE
        with pytest.raises(AisleProblem) as caught:
            aisle.activate("../../etc")
        assert caught.value.status == 404
        assert aisle.insights(days=7)["searches"] == 0  # of the shop's pages


@pytest.mark.parametrize("wrong", ["", "no-such-key"])
def test_without_its_key_nothing_is_administered(url: str, wrong: str) -> None:
    with pytest.raises(AisleProblem) as caught:
        Aisle(url, key=wrong).rollback()
    assert caught.value.status in (401, 403)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_examples_of_administration_run_as_they_stand(url: str, key: str, language: str) -> None:
    expect_there(language)
    command = {
        "curl": ["bash", "-c"],
        "python": [sys.executable, "-c"],
        "javascript": ["node", "--input-type=module", "-e"],
    }
    page = page_of(url)
    programs = [text for spelled, text in Code(page).programs if spelled == language and "AISLE_KEY" in text]
    assert len(programs) >= 3
    environment = {**os.environ, "PYTHONPATH": str(CLIENT), "AISLE_KEY": key}
    for program in programs:
        done = subprocess.run(
            [*command[language], program], capture_output=True, text=True, env=environment, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{program}\n\n{done.stdout}{done.stderr}"
        assert done.stdout.strip()
        assert key not in program


def page_of(url: str) -> str:
    import urllib.request

    with urllib.request.urlopen(f"{url}/api/docs") as response:  # noqa: S310 - our own
        found: str = response.read().decode()
        return found
