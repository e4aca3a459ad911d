"""Thousands of valid and invalid requests to every operation of the document, made from the document itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_fuzzing import WORDS, Run, fuzzed
from conftest import SHOP, open_engine, write_release
from flask import Flask, Response, jsonify
from release_homes import ONE, THREE, TWO, home_of_three

from app import create_app
from search.state.keys import SCOPES, KeyFile
from web.api.openapi import operation, operations
from web.live import FixedEngine
from web.settings import Settings

EXAMPLES = 100  # of each operation, valid and invalid ones each; bench/fuzz.py makes more
SEED = 20261126
ARGUMENT = re.compile(r"<(\w+:)?")


def app_of(folder: Path) -> tuple[Flask, str]:
    """Return an app over a small shop, its encoder ready and events kept, and a key that opens all of it."""
    home = home_of_three(folder / "home")
    key = KeyFile(home.keys).create("fuzz", list(SCOPES))[1]
    engine = open_engine(write_release(folder / "shop", SHOP))
    engine.encoder.vectors(["ready"])
    return create_app(Settings(home=home.root, rate_limit=None), FixedEngine(engine)), key


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    app, key = app_of(tmp_path_factory.mktemp("fuzzed"))
    yield fuzzed(app, EXAMPLES, SEED, (*WORDS, ONE, TWO, THREE), key=key)
    app.extensions["aisle.events"].close()


def test_every_answer_is_as_the_document_says(run: Run) -> None:
    assert run.failures == []


def test_nothing_fails_inside(run: Run) -> None:
    assert [status for status in run.statuses if status >= 500] == []


def test_all_operations_get_thousands_of_requests_good_and_bad(run: Run, tmp_path: Path) -> None:
    stated = {
        f"{method} {ARGUMENT.sub('{', rule)}".replace(">", "}") for rule, method, _ in operations(app_of(tmp_path)[0])
    }
    assert stated - run.operations.keys() == {"GET /api/v1/openapi.json"}  # which schemathesis reads and leaves alone
    assert sum(run.cases.values()) > 3000
    assert run.statuses[200] > 1000 and run.statuses[422] > 500
    assert {"examples", "coverage", "fuzzing", "stateful"} <= run.cases.keys()


def test_an_answer_that_differs_from_the_document_is_found(tmp_path: Path) -> None:
    """The proof that the run above can fail: a route that states one answer and gives another, and fails at times."""
    from web.api.answers import VersionAnswer

    app, _ = app_of(tmp_path)

    @app.get("/api/v1/wrong/<int:number>")
    @operation("wrong", "A wrong one", "service", answer=VersionAnswer)
    def wrong(number: int) -> Response:
        """Answer what it does not state."""
        if number > 1:
            raise RuntimeError("inside")
        return jsonify(name="aisle")

    found = "\n".join(fuzzed(app, 5, SEED, only="wrong").failures)
    assert "response_schema_conformance" in found
    assert "not_a_server_error" in found
