"""Schemathesis over every operation of the OpenAPI document: all its checks, in this process, with a fixed seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import schemathesis
import werkzeug
from flask import Flask
from schemathesis.checks import CheckContext, load_all_checks
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

# What JSON Schema cannot say of a search whose every member is within its bounds, in the words of the answer.
BETWEEN_MEMBERS = (
    "is above price_max",
    "goes past 10,000",
    "more than 50 filter values",
    "is both liked and disliked",
    "times; once is enough",
    "together at most 1250",
)
OF_THE_CATALOG = ("no cluster",)  # they are too many to list
BLANK = ("q is empty",)  # nothing but blanks
WORDS = (
    "red mug under $20", "travl mugg", "gown not blue", "0001", "0003", "red", "steel", "Norr", "Kitchen > Mugs",
    "shop", "cluster", "price", "a", "in_stock", "' OR 1=1 --", "<script>alert(1)</script>", "../../etc/passwd", "=1+1",
)  # fmt: skip
UNSAYABLE = (*BETWEEN_MEMBERS, *OF_THE_CATALOG, *BLANK)


@schemathesis.check
def valid_data_is_refused_only_for_what_a_schema_cannot_say(
    context: CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Look closer than positive_data_acceptance, which knows statuses alone, and so is told to let 422 pass."""
    if case.meta is not None and case.meta.generation.mode.is_positive and response.status_code == 422:
        wrong = [one for one in response.json()["errors"] if not any(why in one["detail"] for why in UNSAYABLE)]
        assert not wrong, f"valid data is refused: {wrong}"


class _Client(werkzeug.Client):
    """What asks the app: schemathesis 4.32.5 hands it, in probes without a key, settings of a network session."""

    def open(self, *asked: Any, max_redirects: Any = None, verify: Any = None, cert: Any = None, **more: Any) -> Any:
        return super().open(*asked, **more, buffered=True)  # else nobody closes what is streamed


@dataclass
class Run:
    """What a run found.

    Attributes:
        cases: requests sent, by phase.
        statuses: answers, by status; operations: those asked.
        checks: made, by name.
        failures: one text for each.
    """

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def fuzzed(app: Flask, examples: int, seed: int, words: Sequence[str] = WORDS, *, key: str = "", only: str = "") -> Run:
    """Return what schemathesis finds in an app.

    Args:
        app: asked in this process.
        examples: of each operation in the fuzzing phase, valid and invalid ones each.
        seed: the same cases for the same seed.
        words: texts that mean something here, which take the place of every third invented one.
        key: sent with every request, but for those that try what happens without one or with a wrong one.
        only: operationId of the only operation asked; "" for all.
    """
    load_all_checks()
    config = schemathesis.Config.from_dict(_settings(examples, seed, words, key))
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)
    schema = schema.include(operation_id=only) if only else schema
    found = Run()
    with patch("schemathesis.python.wsgi.get_client", _Client):
        for event in from_schema(schema).execute():
            if isinstance(event, ScenarioFinished):
                _count(event, found)
            elif isinstance(event, NonFatalError):
                found.failures.append(str(event.info.format()))
            elif isinstance(event, FatalError):
                found.failures.append(repr(event.exception))
    return found


def _settings(examples: int, seed: int, words: Sequence[str], key: str) -> dict[str, Any]:
    too_long = ["413", "414"]  # whole requests have bounds too, which the document can state in words only
    return {
        "seed": seed,
        "generation": {
            "max-examples": examples, "deterministic": True, "database": "none",
            "dictionaries": {"string": {"dictionary": "words", "probability": 0.3}},
        },
        "dictionaries": {"words": {"values": list(words)}},
        # The defaults, and what is said above.
        "checks": {
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx", *too_long]
            },
            "negative_data_rejection": {
                "expected-statuses": [
                    "400", "401", "403", "404", "405", "406", "409", "415", "422", "428", "429", "5xx", *too_long,
                ]
            },
        },
        **({"auth": {"openapi": {"key": {"api_key": key}}}} if key else {}),
        "headers": {"Accept-Encoding": "identity"},  # it says that it reads brotli, but not in this process
        "continue-on-failure": True,
    }  # fmt: skip


def _count(event: ScenarioFinished, found: Run) -> None:
    recorder = event.recorder
    found.cases[event.phase.value] += len(recorder.cases)
    for node in recorder.cases.values():
        found.operations[node.value.operation.label] += 1
    for interaction in recorder.interactions.values():
        if interaction.response is not None:
            found.statuses[interaction.response.status_code] += 1
    for checks in recorder.checks.values():
        for check in checks:
            found.checks[check.name] += 1
            if check.failure_info is not None:
                told = f"{check.name}: {check.failure_info.failure.title}\n{check.failure_info.failure.message}"
                found.failures.append(f"[{event.phase.value}] {told}\n{check.failure_info.code_sample}")
