"""What the README says exists, and what exists the README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import create_app
from indexer.__main__ import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = set(re.findall(r"python -m indexer ([a-z]+)", README))


def test_every_command_is_in_the_readme_and_the_reverse() -> None:
    assert set(main.commands) == COMMANDS


def test_every_option_in_the_readme_exists() -> None:
    known = {option for command in main.commands.values() for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) - {"--help"} <= known


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_can_answer_a_program(name: str) -> None:
    assert "--json" in {option for parameter in main.commands[name].params for option in parameter.opts}


def test_every_address_in_the_readme_is_routed() -> None:
    rules = {re.sub(r"<[^>]+>", "<>", rule.rule) for rule in create_app().url_map.iter_rules()}
    named = re.findall(r"(/(?:api/v1|healthz|readyz)[^\s`?'\"]*)", README)
    assert {re.sub(r"<[^>]+>", "<>", address) for address in named} <= rules


def test_every_file_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
