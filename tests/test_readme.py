"""What the README says exists, and what exists the README says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from app import create_app
from indexer.__main__ import main
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.settings import BuildSettings
from search.engine import Engine
from search.home import Home

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = set(re.findall(r"python -m indexer ([a-z]+)", README))


def single(commands: Mapping[str, click.Command], above: str = "") -> dict[str, click.Command]:
    """Every command by its whole name; of a group those within it."""
    found: dict[str, click.Command] = {}
    for name, command in commands.items():
        is_group = isinstance(command, click.Group)
        found |= single(command.commands, f"{above}{name} ") if is_group else {f"{above}{name}": command}
    return found


def test_every_command_is_in_the_readme_and_the_reverse() -> None:
    assert set(main.commands) == COMMANDS


def test_every_option_in_the_readme_exists() -> None:
    commands = single(main.commands).values()
    known = {option for command in commands for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) - {"--help"} <= known


@pytest.mark.parametrize("name", sorted(single(main.commands)))
def test_every_command_can_answer_a_program(name: str) -> None:
    assert "--json" in {option for parameter in single(main.commands)[name].params for option in parameter.opts}


def test_every_address_in_the_readme_is_routed() -> None:
    rules = {re.sub(r"<[^>]+>", "<>", rule.rule) for rule in create_app().url_map.iter_rules()}
    named = re.findall(r"(/(?:api/v1|healthz|readyz)[^\s`?'\"]*)", README)
    assert {re.sub(r"<[^>]+>", "<>", address) for address in named} <= rules


def test_every_file_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


@pytest.fixture(scope="module")
def sample_shop(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The sample catalog, built with the base encoder."""
    home = Home(tmp_path_factory.mktemp("home"))
    build(BuildSettings(ROOT / "catalog" / "products.csv", train="never"), home, Progress(quiet=True))
    return Engine.open(home.live().folder, home=home)


def answered_queries() -> list[tuple[str, str, str]]:
    """Return (query, read as, first answer) of the README's table."""
    table = README.split("| query | read as | first answer |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return [(query, read, answer) for query, read, answer in rows]


def test_the_five_queries_are_answered_as_the_readme_says(sample_shop: Engine) -> None:
    assert len(answered_queries()) == 5
    for query, read, answer in answered_queries():
        results = sample_shop.search(query)
        assert results.hits[0].product.title.startswith(answer), query
        assert results.confidence == "good", query
        constraints = results.query["constraints"]
        assert len(constraints) == len([part for part in read.split(",") if part]), (query, constraints)
        for one in constraints:
            assert str(one["value"]).removesuffix(".0") in read, (query, one)
            if one["op"] == "<=":
                assert all(hit.product.price <= one["value"] for hit in results.hits)


def test_what_the_readme_calls_weak_is_weak(sample_shop: Engine) -> None:
    assert sample_shop.search("pet insurance").confidence == "weak"
