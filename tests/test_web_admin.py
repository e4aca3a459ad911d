"""Switching releases over HTTP: only whole ones, each switch told and logged, the running server follows."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import FakeEncoder
from flask.testing import FlaskClient
from release_homes import ONE, THREE, TWO, home_of_three
from test_web_live import eventually
from werkzeug.test import TestResponse

from app import create_app
from search.errors import ReleaseRefused
from search.home import Home
from search.releases import activate, live_or_none, rollback
from search.state.keys import KeyFile
from web.live import LiveEngine
from web.settings import Settings

ADMIN = "/api/v1/admin/releases"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return home_of_three(tmp_path_factory.mktemp("template")).root


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    shutil.copytree(template, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture
def key(home: Home) -> str:
    return KeyFile(home.keys).create("deploy", ["admin"])[1]


@pytest.fixture
def client(home: Home, key: str) -> Iterator[FlaskClient]:
    engine = LiveEngine(home, lambda record, home: FakeEncoder())
    client = create_app(Settings(home=home.root), engine=engine).test_client()
    client.environ_base["HTTP_X_API_KEY"] = key
    yield client
    engine.close()


def live(home: Home) -> str:
    return home.current.read_text().strip()


def test_the_releases_are_listed_oldest_first_with_what_their_manifests_say(client: FlaskClient, home: Home) -> None:
    (home.releases / TWO / "manifest.json").write_text("{")
    answer = client.get(ADMIN)
    told = answer.get_json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert told["live"] == THREE
    assert [(one["release"], one["live"], one["readable"], one["products"]) for one in told["releases"]] == [
        (ONE, False, True, 8), (TWO, False, False, None), (THREE, True, True, 2),
    ]  # fmt: skip
    assert told["releases"][0]["metrics"]["nDCG@10"]["mean"] == 0.7


def test_a_manifest_of_another_form_is_listed_as_unreadable_and_not_a_failure(client: FlaskClient, home: Home) -> None:
    for number, content in enumerate(['{"format": 3, "release": "x", "catalog": []}', "[]",
                                      '{"format": 9, "release": "x", "rows": "many"}']):  # fmt: skip
        (home.releases / f"2025010{number + 1}T000000Z-x").mkdir()
        (home.releases / f"2025010{number + 1}T000000Z-x" / "manifest.json").write_text(content)
    answer = client.get(ADMIN)
    assert answer.status_code == 200
    assert [one["readable"] for one in answer.get_json()["releases"]] == [False, False, False, True, True, True]


def test_a_release_is_activated_and_the_server_follows_within_a_second(client: FlaskClient, home: Home) -> None:
    assert client.get("/api/v1/version").get_json()["products"] == 2
    answer = client.post(f"{ADMIN}/{ONE}:activate")
    assert (answer.status_code, answer.get_json()) == (200, {"live": ONE, "previous": THREE})
    assert live(home) == ONE
    assert eventually(lambda: client.get("/api/v1/version").get_json()["products"] == 8, 1.5)


def test_rolling_back_goes_to_the_one_before_until_there_is_none(client: FlaskClient, home: Home) -> None:
    assert client.post(f"{ADMIN}:rollback").get_json() == {"live": TWO, "previous": THREE}
    assert client.post(f"{ADMIN}:rollback").get_json() == {"live": ONE, "previous": TWO}
    answer = client.post(f"{ADMIN}:rollback")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "nothing_earlier")
    assert live(home) == ONE


def test_activating_the_live_release_again_changes_nothing(client: FlaskClient, home: Home) -> None:
    assert client.post(f"{ADMIN}/{THREE}:activate").get_json() == {"live": THREE, "previous": THREE}


@pytest.mark.parametrize("harm", ["changed", "cut", "missing", "format", "manifest"])
def test_a_damaged_release_is_refused_before_anything_is_switched(client: FlaskClient, home: Home, harm: str) -> None:
    folder = home.releases / TWO
    if harm == "changed":
        content = bytearray((folder / "embeddings.npy").read_bytes())
        content[-1] ^= 1
        (folder / "embeddings.npy").write_bytes(content)
    elif harm == "cut":
        (folder / "products.sqlite").write_bytes(b"SQLite")
    elif harm == "missing":
        (folder / "groups.npy").unlink()
    elif harm == "format":
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    else:
        (folder / "manifest.json").write_text("{")
    for path in (f"{ADMIN}/{TWO}:activate", f"{ADMIN}:rollback"):
        answer = client.post(path)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "release_refused")
        assert str(home.root) not in answer.text
        assert live(home) == THREE
    with pytest.raises(ReleaseRefused):
        rollback(home)
    with pytest.raises(ReleaseRefused):
        activate(home, TWO)


def test_a_strange_file_in_a_release_is_no_damage(client: FlaskClient, home: Home) -> None:
    (home.releases / TWO / ".DS_Store").write_text("x")
    assert client.post(f"{ADMIN}/{TWO}:activate").status_code == 200


@pytest.mark.parametrize(
    "name",
    ["none", "..", ".", "%2e%2e", "..%2f..%2fetc", "%2e%2e%2f" + THREE, f"x%2f{THREE}", f"{THREE}%00", f"{THREE}%0a",
     f"../releases/{THREE}", "%5c..%5c", "a" * 3000, "%ff%fe", "<script>"],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder_of_releases(client: FlaskClient, home: Home, name: str) -> None:
    answer = client.post(f"{ADMIN}/{name}:activate")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert str(home.root) not in answer.text
    assert live(home) == THREE


def test_an_unknown_parameter_switches_nothing(client: FlaskClient, home: Home) -> None:
    assert client.post(f"{ADMIN}:rollback?dry_run=1").status_code == 422
    assert live(home) == THREE


def test_a_switch_is_asked_for_by_post_alone(client: FlaskClient, home: Home) -> None:
    for path in (f"{ADMIN}/{ONE}:activate", f"{ADMIN}:rollback"):
        assert client.get(path).status_code == 405
    assert live(home) == THREE


def test_every_switch_is_logged_with_the_key_and_the_request(
    client: FlaskClient, home: Home, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aisle")

    def fields(answer: TestResponse) -> dict[str, object]:
        found = [one for one in caplog.records if one.name == "aisle.admin"]
        caplog.clear()
        assert len(found) == 1
        assert key not in found[0].getMessage()
        assert found[0].fields["request_id"] == answer.headers["X-Request-ID"]  # type: ignore[attr-defined]
        return {**found[0].fields}  # type: ignore[attr-defined]

    done = fields(client.post(f"{ADMIN}:rollback"))
    assert done["key"] == key.split("_")[1]
    assert (done["action"], done["release"], done["previous"], done["done"]) == ("rollback", TWO, THREE, True)
    (home.releases / ONE / "groups.npy").unlink()
    refused = fields(client.post(f"{ADMIN}/{ONE}:activate"))
    assert (refused["action"], refused["release"], refused["done"]) == ("activate", ONE, False)


def test_before_the_first_build_there_is_nothing_to_list_or_switch(tmp_path: Path) -> None:
    key = KeyFile(Home(tmp_path).keys).create("deploy", ["admin"])[1]
    client = create_app(Settings(home=tmp_path)).test_client()
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get(ADMIN, headers=headers).get_json() == {"live": None, "releases": []}
    assert client.post(f"{ADMIN}:rollback", headers=headers).status_code == 409
    assert client.post(f"{ADMIN}/x:activate", headers=headers).status_code == 404
    assert live_or_none(Home(tmp_path)) is None
