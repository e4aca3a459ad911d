"""The house's walls: who may import whom, and that nothing heavy is loaded before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("search", "indexer", "web")


def modules() -> dict[str, Path]:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imported_by(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            # "from package import module" needs the module, not what the package's __init__ goes on to import.
            found |= inside if inside <= modules().keys() else inside | {node.module}
    return found


def top(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("search", {"flask", "indexer", "web", "app"}),
        ("indexer", {"flask", "web", "app"}),
        ("web", {"indexer", "torch"}),
    ],
)
def test_imports_point_one_way(package: str, forbidden: set[str]) -> None:
    for name, path in modules().items():
        if top(name) == package:
            assert not {top(found) for found in imported_by(path)} & forbidden, name


def test_only_web_and_app_know_flask() -> None:
    for name, path in modules().items():
        if top(name) != "web":
            assert "flask" not in {top(found) for found in imported_by(path)}, name


def test_the_import_graph_has_no_cycle() -> None:
    known = modules()
    edges = defaultdict(set)
    for name, path in known.items():
        edges[name] = {found for found in imported_by(path, top_level_only=True) if found in known and found != name}

    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for following in sorted(edges[name]):
                visit(following, (*trail, name))
            done.add(name)

    for name in known:
        visit(name, ())


def test_no_pickle_anywhere() -> None:
    for name, path in modules().items():
        assert not {"pickle", "joblib", "dill"} & {top(found) for found in imported_by(path)}, name
        assert "allow_pickle=True" not in path.read_text("utf-8"), name


@pytest.mark.parametrize(
    "code",
    ["import search", "import app", "from indexer.__main__ import main", "from search.encoder import open_encoder"],
)
def test_nothing_heavy_at_import(code: str) -> None:
    heavy = "('torch', 'sentence_transformers', 'transformers')"
    script = f"import sys; {code}; print([module for module in {heavy} if module in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [["-m", "indexer", "--help"], ["app.py", "--help"]])
def test_help_needs_no_release_and_no_model(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=ROOT, check=True,
        env={"AISLE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "release" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_public_functions_say_what_they_give() -> None:
    assert [name for module, path in modules().items() for name in undocumented(module, path)] == []


def undocumented(module: str, path: Path) -> list[str]:
    """Public functions and classes of a module, and the methods of such classes, that have no docstring.

    The one-line path properties of search/home.py are their own documentation.
    """
    defined = ast.FunctionDef | ast.ClassDef
    found = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, defined)]
    found = [node for node in found if not node.name.startswith("_")]
    if module != "search.home":
        found += [
            one for node in found if isinstance(node, ast.ClassDef) for one in node.body if isinstance(one, defined)
        ]
    return [f"{module}.{node.name}" for node in found if not node.name.startswith("_") and not ast.get_docstring(node)]
